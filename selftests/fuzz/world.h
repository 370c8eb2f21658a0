/* SPDX-License-Identifier: MIT */
/*
 * All that one thread has, and what it has in common with the others.
 *
 * A thread lives several lives. Each begins with nothing but the shared descriptors, and
 * runs some inputs; what it does follows from the seed, the round, and the numbers of the
 * process, the thread and the life.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <linux/bufpool.h>

#include "op.h"
#include "stamp.h"

#define WORKERS		4
#define THREADS		2
#define ROLES		(WORKERS * THREADS)

#define LIFE_INPUTS	16
#define CLIENTS		4
#define OWN_CLIENTS	2	/* the others are shared by all processes */
#define HELD		32
#define WINDOWS		16
#define CHANNELS	4
#define OWN_CHANNELS	2
#define EXPORTS		4
#define POLLERS		2
#define SPLICED		16
#define BOARD		256
#define STALE		8
#define NO_FD		(-1)

/**
 * struct client - an open file of the device
 * @fd: its descriptor, or NO_FD
 * @id: what it stamps its blocks with; no other ever has the same
 * @weak: others have it, too, or its stacks have rubbish in them: its blocks may go at any time
 * @stale: handles that have been returned
 * @nr_stale: how many there were
 */
struct client {
	int fd;
	__u64 id;
	bool weak;
	__u64 stale[STALE];
	unsigned int nr_stale;
};

/**
 * struct holding - a block that was rented
 * @client: index of whose
 * @handle: of the rental; or 0 where there is none
 * @offset: of the block
 * @length: of the block; 0 where there is none
 * @stamped: all its stamps are of this rental
 */
struct holding {
	unsigned int client;
	__u64 handle;
	__u64 offset;
	__u64 length;
	bool stamped;
};

/**
 * struct window - a mapping
 * @at: where it is, or NULL
 * @length: its bytes
 * @offset: of the first in the device
 * @id: of the client
 * @intact: it is as it was made, and can be read and written
 */
struct window {
	char *at;
	__u64 length;
	__u64 offset;
	__u64 id;
	bool intact;
};

/**
 * struct ends - those of a channel, or NO_FD
 */
struct ends {
	int receives;
	int sends;
};

/**
 * struct exported - a dma-buf of a block
 * @fd: it, or NO_FD
 * @at: where it is mapped, or NULL
 * @length: of the block
 * @offset: of it
 * @id: of the client that made it; or 0 if that is weak
 */
struct exported {
	int fd;
	char *at;
	__u64 length;
	__u64 offset;
	__u64 id;
};

/**
 * struct keeper - a stack of the first client
 * @page: it, or NULL
 * @class: of its blocks
 * @kept: what was pushed, at its entry's place
 */
struct keeper {
	struct bufpool_stack *page;
	unsigned int class;
	struct holding kept[BUFPOOL_STACK_ENTRIES];
};

/**
 * struct pipe - pages of blocks that a pipe has
 * @ends: to read and to write
 * @nr: how many there are
 * @ids: whose each is; or 0 if nobody knows
 */
struct pipe {
	int ends[2];
	unsigned int nr;
	__u64 ids[SPLICED];
};

/**
 * struct role - what others may know of a thread
 * @pid: its process
 * @tid: itself
 * @done: how many operations
 * @life: which it lives
 * @op: the latest
 * @target: a block's address, which other threads of the process may touch
 * @chased: that block comes and goes
 */
struct role {
	pid_t pid;
	pid_t tid;
	__u64 done;
	unsigned int life;
	struct op op;
	char *target;
	unsigned int chased;
};

#define CORPUS_MOST	1024
#define EDGES		0x40000

/**
 * struct common - what all processes share
 * @seed: where everything comes from
 * @round: the number of this round
 * @stop: to end at the next input
 * @ids: how many clients there have been
 * @changes: of the weather
 * @roles: the threads
 * @board: some handles, of anybody's
 * @corpus: inputs to begin with, and those that were worth keeping
 * @nr_corpus: how many
 * @nr_given: of these, those that are to run as they are
 * @blind: what new inputs reach is counted, but they are not kept for that
 * @edges: how many there were in all
 * @seen: which, by a hash
 */
struct common {
	__u64 seed;
	unsigned int round;
	unsigned int stop;
	__u64 ids;
	unsigned int changes;
	struct role roles[ROLES];
	__u64 board[BOARD];
	struct input corpus[CORPUS_MOST];
	unsigned int nr_corpus;
	unsigned int nr_given;
	bool blind;
	unsigned int edges;
	__u8 seen[EDGES];
};

/**
 * struct legacy - descriptors that were there before the processes, and are shared by all
 */
struct legacy {
	int clients[CLIENTS - OWN_CLIENTS];
	__u64 ids[CLIENTS - OWN_CLIENTS];
	struct ends channels[CHANNELS - OWN_CHANNELS];
	int post[2];
};

struct world {
	struct common *common;
	const struct legacy *legacy;
	unsigned int role;
	struct bufpool_info info;
	bool is_root;

	struct client clients[CLIENTS];
	struct holding held[HELD];
	struct window windows[WINDOWS];
	struct ends channels[CHANNELS];
	struct exported exports[EXPORTS];
	int pollers[POLLERS];
	struct keeper keeper;
	struct pipe pipe;
	int epoll;
	char *scratch;		/* SCRATCH bytes between a page to be read only and nothing */
	char *read_only;	/* where that can be written */

	int fail_nth;		/* descriptor, or NO_FD */
	unsigned int fails;	/* the next operation fails at so many */
	bool faulted;		/* this one does */
	bool forked;		/* there was a child in this life */

	unsigned int life;
	unsigned int nr_inputs;
	struct input inputs[LIFE_INPUTS];
};

#define SCRATCH	(16 * 4096)

/* Where each window of each thread is; no thread maps anything into another's. */
#define WINDOW_ROOM	0x10000000000ULL
#define ARENA_AT	0x100000000000ULL

__u64 done_by(const struct common *common);

void world_create(struct world *world);
void world_begin(struct world *world);
void world_end(struct world *world);
void world_fail(struct world *world);
void world_fail_no_more(struct world *world);
void world_run(struct world *world, const struct input *input);

void blame(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

void blame_foreign(struct world *world, const struct stamp_look *look, const char *what)
	__attribute__((noreturn));

/* Whether an operation is to succeed where it is right. */
static inline bool is_plain(const struct world *world, const struct op *op)
{
	return !op->twist && !world->faulted;
}

/* Clients. */
int client_open(struct world *world, unsigned int nr);
void client_close(struct world *world, unsigned int nr);
void client_adopt(struct world *world, unsigned int nr, int fd, __u64 id);

static inline struct client *client_of(struct world *world, const struct holding *holding)
{
	return &world->clients[holding->client];
}

static inline bool is_strong(struct world *world, const struct holding *holding)
{
	return !client_of(world, holding)->weak;
}

/* Blocks. */
struct holding *holding_free(struct world *world, unsigned int from);
struct holding *holding_any(struct world *world, unsigned int from);
bool holding_is_named(const struct world *world, __u64 handle);
char *holding_reach(struct world *world, const struct holding *holding);
bool holding_take(struct world *world, const struct op *op, unsigned int client,
		  const struct bufpool_block *block, bool zero);
void holding_check(struct world *world, const struct op *op, struct holding *holding);
bool holding_stamp(struct world *world, const struct op *op, struct holding *holding);
void holding_left(struct world *world, struct holding *holding);
void holding_lose_stamps(struct world *world, __u64 id, __u64 offset);
__u64 board_read(const struct world *world, __u32 from);

static inline bool is_offset_for_io(const struct world *world, __u64 offset)
{
	unsigned int slabs = __builtin_ctzll(world->info.max_rent / world->info.page_size) + 1;

	return offset / world->info.span >= slabs;
}

static inline bool is_for_io(const struct world *world, const struct holding *holding)
{
	return is_offset_for_io(world, holding->offset);
}

/* Windows. */
char *window_home(const struct world *world, unsigned int nr);
void window_clear(struct world *world, unsigned int nr);
int window_map(struct world *world, unsigned int nr, unsigned int client, __u64 offset,
	       __u64 length, int prot, int flags);

#endif /* FUZZ_WORLD_H */
