// SPDX-License-Identifier: MIT
/*
 * One call of the device: where its structure lies, and what is wrong with it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../device.h"
#include "call.h"
#include "errnos.h"
#include "guard.h"
#include "stamp.h"

/* Mostly a few pages, and now and then too many. */
__u64 pick_size(const struct world *world, __u32 from)
{
	const __u64 odd[] = {
		0, ~0ULL, world->info.max_rent, world->info.max_rent + 1,
		world->info.max_rent_io, world->info.max_rent_io + 1, 1ULL << 63, 1,
	};
	__u32 lot = from >> 24;

	if (lot < 192)
		return 1 + from % (4 * world->info.page_size);
	if (lot < 244)
		return 1 + from % (16 * world->info.page_size);
	if (lot < 254)
		return 1 + from % (128 << 10 << lot % 4);
	if (lot < 255)
		return 1 + from % (4 << 20);
	return odd[from % 8];
}

/* Mostly none; nothing interrupts an operation that is to fail. */
__s64 pick_timeout(const struct world *world, __u32 from, __u32 *flags, __u32 nonblock)
{
	if (from % 8) {
		*flags |= nonblock;
		return 0;
	}
	return from % 256 || world->faulted ? 1 + from % 1000000 : 0;
}

/* Nothing good is behind any of these. */
__u64 wild_pointer(const struct world *world, __u32 from)
{
	const char *scratch = world->scratch;

	switch (from % 7) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)scratch - 64;
	case 2:
		return (uintptr_t)scratch + SCRATCH;
	case 3:
		return (uintptr_t)scratch + SCRATCH - 12;
	case 4:
		return ~0ULL << 47;
	case 5:
		return ~0ULL - from % 256;
	default:
		return (1ULL << 47) - from % 4096;
	}
}

/* Where in a structure is a pointer that the kernel writes to, in words of 32 bits. */
static unsigned int pointer_in(unsigned long cmd)
{
	switch (cmd) {
	case BUFPOOL_IOC_RENT_MANY:
		return offsetof(struct bufpool_rent_many, blocks) / 4;
	case BUFPOOL_IOC_RETURN_MANY:
		return offsetof(struct bufpool_return_many, handles) / 4;
	case BUFPOOL_IOC_SEND:
	case BUFPOOL_IOC_RECEIVE:
		return offsetof(struct bufpool_send, messages) / 4;
	default:
		return 0;
	}
}

/* Change a word of the structure that is neither its size nor half a pointer. */
static void corrupt(const struct world *world, const struct op *op, unsigned long cmd,
		    void *arg, size_t size)
{
	unsigned int pointer = pointer_in(cmd), word = 1 + op->c % (size / 4 - 1);
	__u32 *words = arg;
	__u64 wild;

	if (pointer && (word == pointer || word == pointer + 1)) {
		wild = wild_pointer(world, op->c >> 8);
		memcpy(&words[pointer], &wild, sizeof(wild));
	} else {
		words[word] ^= op->c & 0x80000000 ? op->c : 1U << (op->c >> 8) % 32;
	}
}

/**
 * struct place - where a structure lies
 * @at: there
 * @alias: where it is written and read instead
 * @size: so much of it is there
 */
struct place {
	char *at;
	char *alias;
	size_t size;
};

/*
 * In the memory of a block, which may go while the call uses it; not where stamps are. A
 * pointer that is wrong has nothing of what is meant behind it.
 */
static struct place place_in_block(struct world *world, const struct op *op, void *arg,
				   size_t size)
{
	struct holding *holding = holding_any(world, op->c);
	char *at = NULL;

	/* what others write there would be what this call is about */
	if (holding && is_strong(world, holding))
		at = holding_reach(world, holding);
	at = at ? at + sizeof(struct stamp) * 4 : arg;
	return (struct place){ at, at, size };
}

static struct place find_place(struct world *world, const struct op *op, void *arg,
			       size_t size)
{
	char *at = world->scratch;

	switch (op->twist - TWIST_FIRST) {
	case 0:
	case 1:
		at += 1 + op->c % 64;
		return (struct place){ at, at, size };
	case 2:
	case 3:
		at += SCRATCH - size;
		return (struct place){ at, at, size };
	case 4:
		size = op->c % size;
		at += SCRATCH - size;
		return (struct place){ at, at, size };
	case 5:
		at -= size + op->c % 64;
		return (struct place){ at, world->read_only + (at - world->scratch) + PAGE, size };
	case 6:
		return (struct place){ (char *)(uintptr_t)wild_pointer(world, op->c), NULL, 0 };
	default:
		return place_in_block(world, op, arg, size);
	}
}

/* Give the structure a wrong size, or something wrong in it. */
static void twist(const struct world *world, const struct op *op, unsigned long cmd,
		  char *at, size_t size)
{
	__u32 *said = (__u32 *)at;

	switch (op->twist - TWIST_FIRST) {
	case 8:
		*said = 0;
		break;
	case 9:
		*said = op->c;
		break;
	case 10:
		*said = op->c % (size + 1);
		break;
	case 11:
		memset(at + size, 0, 64);
		*said = size + op->c % 64;
		break;
	case 12:
		memset(at + size, 0, 64);
		at[size + op->c % 64] = 1;
		*said = size + 64;
		break;
	case 13:
		*said = 4096 + op->c % 3;
		break;
	case 14:
	case 15:
		said[1] |= 1U << op->c % 32;
		break;
	case 16:
	case 17:
	case 18:
	case 19:
	case 20:
		corrupt(world, op, cmd, at, size);
		break;
	default:
		break;
	}
}

static int call_at(struct world *world, int fd, unsigned long cmd, void *at)
{
	int ret;

	world_fail(world);
	ret = pool_ioctl(fd, cmd, at);
	world_fail_no_more(world);
	if (ret < 0 && !errnos_has(cmd, -ret, world->faulted))
		blame(world, "ioctl %#lx: errno %d", cmd, -ret);
	return ret;
}

struct copying {
	char *to;
	const char *from;
	size_t size;
};

static void copy(void *arg)
{
	const struct copying *copying = arg;

	memcpy(copying->to, copying->from, copying->size);
}

static bool copied(char *to, const char *from, size_t size)
{
	return !size || !guard(copy, &(struct copying){ to, from, size });
}

/* Wrong sizes write behind the structure: there is room in the scratch area. */
static int call_in_scratch(struct world *world, const struct op *op, int fd,
			   unsigned long cmd, void *arg, size_t size)
{
	int ret;

	memcpy(world->scratch, arg, size);
	twist(world, op, cmd, world->scratch, size);
	ret = call_at(world, fd, cmd, world->scratch);
	memcpy(arg, world->scratch, size);
	return ret;
}

static int call_in_place(struct world *world, const struct op *op, int fd,
			 unsigned long cmd, void *arg, size_t size)
{
	struct place place = find_place(world, op, arg, size);
	int ret;

	if (!copied(place.alias, arg, place.size))
		return -EFAULT;
	ret = call_at(world, fd, cmd, place.at);
	/* the block that it lay in may be gone, and the reply with it */
	if (!copied(arg, place.alias, place.size) &&
	    (cmd == BUFPOOL_IOC_RENT || cmd == BUFPOOL_IOC_CHANNEL))
		return -EFAULT;
	/* lest a handle is found there by a pointer that is wrong */
	memset(world->read_only, 0, PAGE);
	return ret;
}

/*
 * What the call returned, or -errno, which is one that is documented. The structure is as
 * it is afterwards, unless it lay where it cannot be had: then the call has not been made
 * as it was meant.
 */
int call(struct world *world, const struct op *op, int fd, unsigned long cmd, void *arg,
	 size_t size)
{
	if (fd < 0)
		return -EBADF;
	if (!op->twist)
		return call_at(world, fd, cmd, arg);
	if (op->twist >= TWIST_FIRST + 8)
		return call_in_scratch(world, op, fd, cmd, arg, size);
	return call_in_place(world, op, fd, cmd, arg, size);
}
