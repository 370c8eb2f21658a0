/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_RENT_H
#define _BUFPOOL_RENT_H

#include <linux/sched/signal.h>
#include "client.h"

/**
 * struct bufpool_tally - what has been rented together
 * @blocks: how many
 * @reused: of these, blocks that have been rented before
 * @warm: of these, blocks that were warm
 * @bytes: in all of them
 */
struct bufpool_tally {
	int blocks;
	int reused;
	int warm;
	s64 bytes;
};

/**
 * struct bufpool_request - what a rent asks for
 * @client: for which client; bufpool_rental_rent() sets it, and the next
 * @branch: for which branch of its account: of the task's cgroup, not the client's
 * @class: blocks of this class
 * @count: at most so many
 * @exact: no larger ones; also once one was more than the client may have
 * @zero: warm ones shall be zero too
 * @nonblock: do not wait
 * @keeps_place: a wait that a signal interrupts can be gone on with
 * @timeout_ns: wait at most so long; 0 is for ever
 * @wait_id: (in/out) the interrupted wait to go on with, or that was interrupted
 * @steals: warm blocks that may be taken from clients for it
 * @waited: (out) it did wait
 * @tally: (out) what it got
 */
struct bufpool_request {
	struct bufpool_client *client;
	struct bufpool_branch *branch;
	struct bufpool_class *class;
	unsigned int count;
	bool exact;
	bool zero;
	bool nonblock;
	bool keeps_place;
	s64 timeout_ns;
	u64 wait_id;
	unsigned int steals;
	bool waited;
	struct bufpool_tally tally;
};

/* Warm blocks that one call takes from clients, at most, before it gives up. */
#define BUFPOOL_STEALS_MAX	1024

/*
 * Count a warm block that is about to be taken. Return: false if it is one too many, or the
 * task is killed: then nobody is there to have it, and the task is to end.
 */
static inline bool bufpool_rent_may_steal(struct bufpool_request *request)
{
	return !fatal_signal_pending(current) && request->steals && request->steals--;
}

/* Where blocks of a class for it are. */
static inline struct bufpool_holding *
bufpool_rent_holding(const struct bufpool_request *request, const struct bufpool_class *class)
{
	return &request->branch->holdings[class->nr];
}

/* How much larger a block may be than was asked for, in classes. */
#define BUFPOOL_LARGER_CLASSES	2

struct bufpool_blk *bufpool_rent_find(struct bufpool_request *request);
struct bufpool_blk *bufpool_rent_larger(struct bufpool_request *request);
struct bufpool_blk *bufpool_rent_larger_warm(struct bufpool_request *request);
void bufpool_rent_put_larger(const struct bufpool_request *request,
			     struct bufpool_blk *blk);
bool bufpool_rent_may_grow(struct bufpool_request *request);
int bufpool_rent_grow(struct bufpool_request *request,
		      const struct bufpool_waiter *waiter, struct bufpool_blk **keep);
bool bufpool_rent_evict_for_quota(struct bufpool_request *request);
bool bufpool_rent_steal(struct bufpool_request *request,
			struct bufpool_blk **keep);
int bufpool_rent_grow_for_warm(struct bufpool_request *request,
			       const struct bufpool_waiter *waiter,
			       struct bufpool_blk **keep);
bool bufpool_rent_could(struct bufpool_class *class, struct bufpool_client *client);

#endif /* _BUFPOOL_RENT_H */
