// SPDX-License-Identifier: MIT
/*
 * Clients, what they may ask and be told, and calls that are nothing but wrong.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>

#include "../device.h"
#include "../random.h"
#include "call.h"
#include "errnos.h"
#include "verbs.h"

void do_reopen(struct world *world, const struct op *op)
{
	client_open(world, op->who % OWN_CLIENTS);
}

void do_limit(struct world *world, const struct op *op)
{
	struct bufpool_limit limit = {
		.size = sizeof(limit),
		.ceiling = op->a % 4 ? ~0ULL : op->b % (64 << 20),
	};

	CALL(world, op, world->clients[op->who % CLIENTS].fd, BUFPOOL_IOC_LIMIT, &limit);
}

/* Of a few users only: each has its quota until the module goes. */
void do_quota(struct world *world, const struct op *op)
{
	struct bufpool_quota quota = {
		.size = sizeof(quota),
		.flags = op->a % 4 ? 0 : BUFPOOL_QUOTA_SET,
		.uid = 1000 + op->b % 4,
		.quota = op->c % 2 ? 0 : op->b % (64 << 20),
	};

	CALL(world, op, world->clients[op->who % CLIENTS].fd, BUFPOOL_IOC_QUOTA, &quota);
}

void do_trim(struct world *world, const struct op *op)
{
	struct bufpool_trim trim = {
		.size = sizeof(trim),
		.min_size = op->a % 2 ? 0 : pick_size(world, op->b),
	};

	CALL(world, op, world->clients[op->who % CLIENTS].fd, BUFPOOL_IOC_TRIM, &trim);
}

/* Rents may wait again soon. */
void do_cancel(struct world *world, const struct op *op)
{
	struct bufpool_cancel cancel = {
		.size = sizeof(cancel),
		.flags = op->a % 4 ? BUFPOOL_CANCEL_OFF : 0,
	};

	CALL(world, op, world->clients[op->who % CLIENTS].fd, BUFPOOL_IOC_CANCEL, &cancel);
}

void do_ask(struct world *world, const struct op *op)
{
	int fd = world->clients[op->who % CLIENTS].fd;
	struct bufpool_info info = { .size = sizeof(info) };
	struct bufpool_stats stats = { .size = sizeof(stats) };
	struct bufpool_class_info class = { .size = sizeof(class), .nr = op->b % 40 };

	switch (op->a % 3) {
	case 0:
		CALL(world, op, fd, BUFPOOL_IOC_INFO, &info);
		break;
	case 1:
		CALL(world, op, fd, BUFPOOL_IOC_STATS, &stats);
		break;
	default:
		CALL(world, op, fd, BUFPOOL_IOC_CLASS, &class);
	}
}

void do_poller(struct world *world, const struct op *op)
{
	int *poller = &world->pollers[op->slot % POLLERS];
	struct bufpool_poller arg = {
		.size = sizeof(arg),
		.flags = op->c % 4 ? 0 : BUFPOOL_POLLER_IO,
		.min_size = pick_size(world, op->a),
	};

	if (*poller >= 0)
		close(*poller);
	*poller = CALL(world, op, world->clients[op->who % CLIENTS].fd, BUFPOOL_IOC_POLLER,
		       &arg);
}

/* A descriptor of any kind. */
static int any_fd(const struct world *world, __u32 from)
{
	switch (from % 8) {
	case 0:
		return world->pollers[from / 8 % POLLERS];
	case 1:
		return world->channels[from / 8 % CHANNELS].receives;
	case 2:
		return world->channels[from / 8 % CHANNELS].sends;
	case 3:
		return world->exports[from / 8 % EXPORTS].fd;
	default:
		return world->clients[from / 8 % CLIENTS].fd;
	}
}

static void poll_by_epoll(struct world *world, const struct op *op)
{
	struct epoll_event event = { .events = op->c | EPOLLIN }, found[4];
	int fd = any_fd(world, op->b);

	if (world->epoll < 0)
		world->epoll = epoll_create1(EPOLL_CLOEXEC);
	event.events &= EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLET | EPOLLONESHOT;
	epoll_ctl(world->epoll, op->a & 4 ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
	epoll_wait(world->epoll, found, 4, op->a & 8 ? 1 : 0);
}

void do_poll(struct world *world, const struct op *op)
{
	struct pollfd fds[] = {
		{ .fd = any_fd(world, op->b), .events = op->c },
		{ .fd = any_fd(world, op->c), .events = POLLIN | POLLPRI | POLLOUT },
	};

	if (op->a % 4 == 0)
		poll_by_epoll(world, op);
	else
		poll(fds, 2, op->a & 32 ? 0 : 1);
}

/* A word of a structure that nobody meant, without a handle of this thread's. */
static __u64 raw_word(const struct world *world, __u32 from)
{
	const __u64 words[] = {
		0, 1, ~0ULL, world->info.page_size, world->info.max_rent,
		(uintptr_t)world->scratch + SCRATCH / 2, 1ULL << 32, 1ULL << 63,
	};

	switch (from % 4) {
	case 0:
		return words[from / 4 % 8];
	case 1:
		return board_read(world, from / 4);
	case 2:
		return wild_pointer(world, from / 4);
	default:
		return from / 4 % 64;
	}
}

static unsigned long raw_cmd(__u32 from)
{
	unsigned long cmd = BUFPOOL_IOC_INFO + from / 8 % 18;

	switch (from % 8) {
	case 0:
		return cmd | (unsigned long)(from >> 16) << 16;
	case 1:
		return cmd ^ 0x100;
	default:
		return cmd;
	}
}

/* Of their structures, by the number of the call. */
static const __u32 sizes[16] = {
	sizeof(struct bufpool_info), sizeof(struct bufpool_rent), sizeof(struct bufpool_return),
	sizeof(struct bufpool_rent_many), sizeof(struct bufpool_return_many),
	sizeof(struct bufpool_limit), sizeof(struct bufpool_stats), sizeof(struct bufpool_trim),
	sizeof(struct bufpool_class_info), sizeof(struct bufpool_quota),
	sizeof(struct bufpool_cancel), sizeof(struct bufpool_poller),
	sizeof(struct bufpool_export), sizeof(struct bufpool_channel),
	sizeof(struct bufpool_send), sizeof(struct bufpool_receive),
};

/* What a call gave that nobody asked for. */
static void raw_undo(int fd, unsigned long cmd, int ret, void *at)
{
	struct bufpool_channel *channel = at;
	struct bufpool_rent *rent = at;

	if (ret < 0)
		return;
	/* a handle that was told there is not to be found again */
	if (ret)
		memset((char *)at + SCRATCH / 2, 0, SCRATCH / 2);
	if (cmd == BUFPOOL_IOC_POLLER || cmd == BUFPOOL_IOC_EXPORT)
		close(ret);
	if (cmd == BUFPOOL_IOC_CHANNEL) {
		close(channel->receive_fd);
		close(channel->send_fd);
	}
	if (cmd == BUFPOOL_IOC_RENT)
		give_with(fd, rent->handle, 0);
	if (cmd == BUFPOOL_IOC_CANCEL)
		cancel(fd, BUFPOOL_CANCEL_OFF);
}

static void raw_fill(const struct world *world, const struct op *op, unsigned long cmd,
		     __u64 *words)
{
	__u64 lot = (__u64)op->b << 32 | op->c | 1;
	unsigned int i;

	for (i = 0; i < 8; i++)
		words[i] = raw_word(world, next_random(&lot) >> 16);
	/* all that follow, too, where the structure ends earlier */
	memset(words + 8, 0, 512);
	words[0] = op->slot % 8 ? sizes[_IOC_NR(cmd) % 16] : op->b;
	if (op->slot % 4 == 1)
		words[0] |= (__u64)(op->c % 8) << 32;
	if (op->slot / 8 % 4)
		memset(words + op->slot / 32 % 8 + 1, 0, 64);
}

/* Any call, of any descriptor, with anything in its structure. */
void do_raw(struct world *world, const struct op *op)
{
	bool is_client = op->who % 32 > 3;
	int fd = is_client ? world->clients[op->who / 32 % CLIENTS].fd : any_fd(world, op->who);
	unsigned long cmd = raw_cmd(op->a);
	int ret;

	if (fd < 0)
		return;
	raw_fill(world, op, cmd, (__u64 *)world->scratch);
	ret = pool_ioctl(fd, cmd, world->scratch);
	if (!is_client ? ret != -ENOTTY : ret < 0 && !errnos_has(cmd, -ret, world->faulted))
		blame(world, "ioctl %#lx of any descriptor: %d", cmd, ret);
	raw_undo(fd, cmd, ret, world->scratch);
}
