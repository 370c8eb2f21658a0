// SPDX-License-Identifier: MIT
/*
 * Mapping, and everything that mm does with mappings.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "../device.h"
#include "call.h"
#include "errnos.h"
#include "guard.h"
#include "verbs.h"

/* One of the middle; what it has mapped is a block of the thread's now and then. */
static struct window *pick_window(struct world *world, const struct op *op)
{
	return &world->windows[op->slot % WINDOWS];
}

/* Offsets of everything that can be mapped, and of what cannot. */
static __u64 pick_offset(struct world *world, const struct op *op)
{
	const struct bufpool_info *info = &world->info;
	struct holding *holding = holding_any(world, op->c >> 8);
	__u64 class = op->c % info->nr_classes * info->span;

	switch (op->a % 16) {
	case 0:
		return info->status_offset;
	case 1:
	case 2:
		return info->stacks_offset + op->b % info->nr_stacks * PAGE;
	case 3:
		return class + (op->b % 4096) * PAGE;
	case 4:
		return class + info->span - (op->b % 64) * PAGE;
	case 5:
		return (__u64)op->b << (op->c % 32) & ~(PAGE - 1);
	case 6:
	case 7:
		return class;
	default:
		return holding ? holding->offset : class;
	}
}

static __u64 pick_length(struct world *world, const struct op *op)
{
	struct holding *holding = holding_any(world, op->c >> 8);

	switch (op->b / 16 % 8) {
	case 0:
		return PAGE;
	case 1:
		return world->info.span;
	case 2:
		return world->info.span / 2;
	case 3:
		return (__u64)(op->b % 4096) * PAGE;
	default:
		return holding && op->a % 16 > 7 ? holding->length : 4 << 20;
	}
}

static int pick_protection(__u32 from)
{
	const int protections[] = {
		PROT_READ, PROT_NONE, PROT_WRITE, PROT_READ | PROT_WRITE | PROT_EXEC,
	};

	return from % 8 ? PROT_READ | PROT_WRITE : protections[from / 8 % 4];
}

static int pick_flags(__u32 from)
{
	const int flags[] = {
		MAP_PRIVATE, MAP_SHARED | MAP_POPULATE, MAP_SHARED | MAP_LOCKED,
		MAP_SHARED | MAP_NORESERVE, MAP_PRIVATE | MAP_POPULATE, MAP_SHARED_VALIDATE,
		MAP_SHARED | MAP_NONBLOCK, MAP_SHARED | MAP_GROWSDOWN,
	};

	return from % 4 ? MAP_SHARED : flags[from / 4 % 8];
}

static void must_be_known(struct world *world, unsigned long call, int ret)
{
	if (ret < 0 && !errnos_has(call, -ret, world->faulted))
		blame(world, "errno %d", -ret);
}

void do_map(struct world *world, const struct op *op)
{
	unsigned int client = op->who % CLIENTS;
	__u64 offset = pick_offset(world, op), length = pick_length(world, op);
	int ret, flags = pick_flags(op->who >> 2), protection = pick_protection(op->c >> 16);

	if (world->clients[client].fd < 0 || !length)
		return;
	/* to bring in all that could be rented takes its time */
	if (flags & (MAP_POPULATE | MAP_LOCKED) && length > 4 << 20)
		length = 4 << 20;
	ret = window_map(world, op->slot % WINDOWS, client, offset, length, protection, flags);
	must_be_known(world, ERRNOS_MMAP, ret);
	if (!ret && (flags & MAP_TYPE) == MAP_PRIVATE)
		blame(world, "a private mapping of offset %#llx", offset);
	if (!ret && protection & PROT_EXEC)
		blame(world, "an executable mapping of offset %#llx", offset);
}

/* A part of a window, of so many pages, from a page on. */
static char *part_of(const struct window *window, const struct op *op, size_t *length)
{
	__u64 pages = window->length / PAGE, first = op->b % pages, nr = 1 + op->c % 64;

	*length = (nr < pages - first ? nr : pages - first) * PAGE;
	return window->at + first * PAGE;
}

/* All of it, or a part: by munmap(), or by something else in its place. */
void do_unmap(struct world *world, const struct op *op)
{
	struct window *window = pick_window(world, op);
	size_t length;
	char *at;
	int ret;

	if (!window->at)
		return;
	if (op->a % 4 == 0) {
		window_clear(world, op->slot % WINDOWS);
		return;
	}
	at = part_of(window, op, &length);
	window->intact = false;
	if (op->a % 4 == 1)
		ret = mmap(at, length, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ?
		      -errno : 0;
	else
		ret = munmap(at, length) ? -errno : 0;
	must_be_known(world, ERRNOS_MAPPED, ret);
}

void do_protect(struct world *world, const struct op *op)
{
	const int protections[] = {
		PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC,
	};
	struct window *window = pick_window(world, op);
	int protection = protections[op->a % 4], ret;
	size_t length;
	char *at;

	if (!window->at)
		return;
	at = part_of(window, op, &length);
	if (op->a & 4) {
		at = window->at;
		length = window->length;
	}
	window->intact = window->intact && protection == (PROT_READ | PROT_WRITE);
	ret = mprotect(at, length, protection) ? -errno : 0;
	must_be_known(world, ERRNOS_MAPPED, ret);
}

/* To another window's room, or to be larger, or smaller. */
void do_move(struct world *world, const struct op *op)
{
	unsigned int nr = op->slot % WINDOWS, other = op->a / 8 % WINDOWS;
	struct window *window = &world->windows[nr];
	size_t length = window->length, wanted = length;
	char *at;

	if (!window->at || other == nr)
		return;
	if (op->a % 4 == 0)
		wanted = (1 + op->b % 64) * PAGE;
	if (op->a % 4 == 1)
		wanted += (1 + op->b % 64) * PAGE;
	if (op->a & 4 && wanted <= length) {
		window_clear(world, other);
		at = mremap(window->at, length, wanted, MREMAP_MAYMOVE | MREMAP_FIXED,
			    window_home(world, other) + (window->at - window_home(world, nr)));
	} else {
		other = nr;
		at = mremap(window->at, length, wanted, 0);
	}
	if (at == MAP_FAILED) {
		must_be_known(world, ERRNOS_MAPPED, -errno);
		/* it may have been cut before it was to be moved */
		window->intact = false;
		return;
	}
	if (wanted > length && window->intact)
		blame(world, "a mapping of %zu bytes has grown to %zu", length, wanted);
	world->windows[other] = *window;
	world->windows[other].at = at;
	world->windows[other].length = wanted;
	if (other != nr)
		window_clear(world, nr);
}

/* None of those that take memory away from the system. */
static int pick_advice(__u32 from)
{
	const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
		MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE,
		MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP,
		MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, 22, 23, 24, 25,
	};

	return advice[from % (sizeof(advice) / sizeof(*advice))];
}

void do_advise(struct world *world, const struct op *op)
{
	struct window *window = pick_window(world, op);
	unsigned char resident[64];
	size_t length;
	char *at;

	if (!window->at)
		return;
	at = part_of(window, op, &length);
	switch (op->a % 8) {
	case 0:
		msync(at, length, MS_SYNC | MS_INVALIDATE);
		break;
	case 1:
		mlock(at, length);
		munlock(at, length);
		break;
	case 2:
		mincore(at, length, resident);
		break;
	default:
		madvise(at, length, pick_advice(op->a >> 3));
	}
}

/* Anything, wherever it is. */
void do_touch(struct world *world, const struct op *op)
{
	struct window *window = pick_window(world, op);

	if (window->at)
		guard_peek(window->at + (((__u64)op->a << 32 | op->b) % window->length));
}

/* Rent, let others touch the block first, and take it from them: then nobody can. */
static void chase_once(struct world *world, const struct op *op, unsigned int client)
{
	struct role *role = &world->common->roles[world->role];
	struct holding holding = { .client = client };
	struct bufpool_rent rented;
	unsigned int spins = op->b % 4096;
	char *at;

	if (rent(world->clients[client].fd, 1 + op->c % (4 * PAGE), &rented))
		return;
	holding.handle = rented.handle;
	holding.offset = rented.offset;
	holding.length = rented.length;
	at = holding_reach(world, &holding);
	__atomic_store_n(&role->target, at, __ATOMIC_RELEASE);
	while (spins--)
		(void)__atomic_load_n(&role->target, __ATOMIC_RELAXED);
	if (give_up(world->clients[client].fd, rented.handle) && is_plain(world, op))
		blame(world, "block %#llx cannot be returned", rented.handle);
	if (at && is_plain(world, op) &&
	    (!guard_peek(at) || !guard_peek(at + rented.length - 1)))
		blame(world, "block %#llx is there after its return", rented.handle);
}

void do_chase(struct world *world, const struct op *op)
{
	struct role *role = &world->common->roles[world->role];
	unsigned int client = op->who % OWN_CLIENTS, times = 8;

	if (world->clients[client].fd < 0 || world->clients[client].weak)
		return;
	__atomic_store_n(&role->chased, 1, __ATOMIC_RELEASE);
	while (times--)
		chase_once(world, op, client);
	__atomic_store_n(&role->chased, 0, __ATOMIC_RELEASE);
}

/* A block of another thread of this process, while that returns it, or does anything. */
void do_spy(struct world *world, const struct op *op)
{
	unsigned int first = world->role / THREADS * THREADS, times = 1 + op->b % 16;
	unsigned int other = first + (world->role - first + 1) % THREADS, most = 4096;
	struct role *role = &world->common->roles[other];
	char *at;

	while (most-- && (times || __atomic_load_n(&role->chased, __ATOMIC_ACQUIRE))) {
		at = __atomic_load_n(&role->target, __ATOMIC_ACQUIRE);
		if (at)
			guard_peek(at + op->a % 4096);
		times -= !!times;
	}
}
