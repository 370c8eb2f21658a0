// SPDX-License-Identifier: MIT
/* Hold blocks for a while, for trying things out. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cli.h"
#include "clock.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "out.h"
#include "value.h"

#define FOR_EVER	UINT64_MAX

/**
 * struct wish - what is to be rented
 * @flags: BUFPOOL_RENT_IO, or nothing
 * @size: bytes in each block, at least
 * @count: how many
 * @wait_ms: to wait at most; 0 is not at all
 * @hold_ms: to hold them
 */
struct wish {
	__u32 flags;
	__u64 size;
	__u64 count;
	__u64 wait_ms;
	__u64 hold_ms;
};

#define COLUMN(_kind, _name)	\
	{ #_name, #_name, _kind, offsetof(struct bufpool_block, _name) }

static const struct column columns[] = {
	COLUMN(KIND_HEX, handle),
	COLUMN(KIND_HEX, offset),
	COLUMN(KIND_BYTES, length),
};

static const char *reason(int err)
{
	switch (err) {
	case EAGAIN:
		return "nothing more is free now";
	case ETIMEDOUT:
		return "nothing more became free in that time";
	case EDQUOT:
		return "that is over your quota or the pool's limit";
	case EMSGSIZE:
		return "no block is as large as that ('bufpoolctl info')";
	/* all else is as it has to be */
	case EINVAL:
		return "the module is too old to have blocks for I/O";
	default:
		return strerror(err);
	}
}

/* Wait for a block, and tell the user that this is a wait. */
static int rent_waiting(int fd, const struct wish *wish, __u32 count,
			struct bufpool_block *blocks)
{
	__u64 end = clock_now() + wish->wait_ms, left;
	int ret;

	notice("waiting for %u more", count);
	do {
		left = wish->wait_ms == FOR_EVER ? FOR_EVER : clock_left(end);
		ret = left ? device_rent(fd, wish->flags, wish->size, count, left, blocks) :
			     -ETIMEDOUT;
		/* stopped and continued, under a module that lets a stop interrupt */
	} while (ret == -EINTR);
	return ret;
}

static void rent_all(int fd, const struct wish *wish,
		     struct bufpool_block *blocks)
{
	__u64 done = 0;
	__u32 count;
	int ret;

	for (; done < wish->count; done += ret) {
		count = wish->count - done < BUFPOOL_MANY_MAX ?
			wish->count - done : BUFPOOL_MANY_MAX;
		ret = device_rent(fd, wish->flags, wish->size, count, 0, blocks + done);
		if (ret == -EAGAIN && wish->wait_ms)
			ret = rent_waiting(fd, wish, count, blocks + done);
		if (ret < 0)
			fail(STATUS_FAILED, "got %llu of %llu blocks: %s",
			     done,
			     wish->count, reason(-ret));
	}
}

static void print(const struct bufpool_block *blocks, __u64 count)
{
	struct list list = {
		.name = "blocks",
		.columns = columns,
		.count = ARRAY_SIZE(columns),
		.width = 18,
	};
	__u64 i;

	out_list_begin(&list);
	for (i = 0; i < count; i++)
		out_list_row(&list, &blocks[i]);
	out_list_end(&list);
	fail_unless_written();
}

/* Signals that end a rental as time does. */
static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

static void hold(const sigset_t *signals, __u64 ms)
{
	__u64 end = clock_now() + ms, left = ms;
	struct timespec timeout;
	int ret;

	do {
		if (ms != FOR_EVER)
			left = clock_left(end);
		timeout.tv_sec = left / 1000;
		timeout.tv_nsec = left % 1000 * 1000000;
		ret = sigtimedwait(signals, NULL,
				   ms == FOR_EVER ? NULL : &timeout);
	} while (ret < 0 && errno == EINTR);
}

void rent_run(int argc, char **argv)
{
	struct wish wish = {
		.size = 1,
		.count = 1,
		.wait_ms = FOR_EVER,
		.hold_ms = FOR_EVER,
	};
	struct bufpool_block *blocks;
	sigset_t signals;
	int option;

	while ((option = cli_option(argc, argv, "in:s:t:w:")) != -1) {
		if (option == 'i')
			wish.flags = BUFPOOL_RENT_IO;
		else if (option == 'n')
			wish.count = value_number("COUNT", optarg, 1, MAX_COUNT);
		else if (option == 's')
			wish.size = value_bytes("SIZE", optarg);
		else if (option == 't')
			wish.hold_ms = value_milliseconds("the time", optarg);
		else
			wish.wait_ms = value_milliseconds("the wait", optarg);
	}
	cli_arguments(argc, 0);
	if (!wish.size)
		fail_usage("SIZE is more than 0");
	blocks = calloc(wish.count, sizeof(*blocks));
	if (!blocks)
		fail_memory();
	rent_all(device_open(), &wish, blocks);
	block_signals(&signals);
	print(blocks, wish.count);
	hold(&signals, wish.hold_ms);
	free(blocks);
}
