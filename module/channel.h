/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_CHANNEL_H
#define _BUFPOOL_CHANNEL_H

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "pool.h"

struct bufpool_account;
struct bufpool_blk;
struct bufpool_client;

/* The ends of a channel, by number; and what is to happen at one */
enum bufpool_end {
	BUFPOOL_END_RECEIVE,
	BUFPOOL_END_SEND,
	BUFPOOL_NR_ENDS,
};

/**
 * struct bufpool_sent - a message
 * @handle: by which its sender names the block, up to the instant when that is found
 * @blk: from then on: the block
 * @used: bytes in use in it
 * @tag: whatever its sender says
 */
struct bufpool_sent {
	union {
		u64 handle;
		struct bufpool_blk *blk;
	};
	u64 used;
	u64 tag;
};

/**
 * struct bufpool_chan - blocks on their way from client to client
 * @pool: whose; constant, as all up to @capacity
 * @account: whom it counts for, as so many clients as it has pages
 * @nr: a number of its own, for people
 * @pid: the process that made it, as seen by init
 * @comm: the name of that process
 * @capacity: how many messages it has room for
 * @node: in pool->channels
 * @rcu: for freeing, since pool->channels is read under RCU
 * @waits: tasks that wait at each end
 * @polls: tasks that poll it
 * @again: wakes others of those that wait
 * @refs: held by each end
 * @lock: guards what follows
 * @open: ends that are, bit n for enum bufpool_end n
 * @first: the oldest message, an index of @messages
 * @queued: how many there are
 * @sent: how many have been sent
 * @dropped: of these, how many went back to the pool; the rest are queued or received
 * @messages: a ring
 */
struct bufpool_chan {
	struct bufpool_pool *pool;
	struct bufpool_account *account;
	u64 nr;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	u32 capacity;
	struct list_head node;
	struct rcu_head rcu;
	wait_queue_head_t waits[BUFPOOL_NR_ENDS];
	wait_queue_head_t polls[BUFPOOL_NR_ENDS];
	struct delayed_work again;
	refcount_t refs;
	spinlock_t lock ____cacheline_aligned;	/* messages, and which ends are open */
	unsigned int open;
	u32 first;
	u32 queued;
	u64 sent;
	u64 dropped;
	struct bufpool_sent messages[];
};

/*
 * The message behind so many others; the channel's lock is held. Also between
 * user_access_begin() and its end, where nothing may be called.
 */
static __always_inline struct bufpool_sent *
bufpool_channel_message(struct bufpool_chan *channel, u32 nr)
{
	u32 at = channel->first + nr;

	return &channel->messages[at < channel->capacity ? at : at - channel->capacity];
}

static inline bool bufpool_channel_is_open(const struct bufpool_chan *channel,
					   enum bufpool_end end)
{
	return READ_ONCE(channel->open) & BIT(end);
}

extern const struct file_operations bufpool_channel_fops[BUFPOOL_NR_ENDS];

int bufpool_channel_create(struct bufpool_client *client, u32 capacity,
			   struct file *ends[BUFPOOL_NR_ENDS]);
int bufpool_channel_send(struct bufpool_chan *channel, struct bufpool_client *client,
			 const struct bufpool_sent *messages, unsigned int nr, s64 bytes);
void bufpool_channel_wake_slow(struct bufpool_chan *channel, enum bufpool_end end,
			       unsigned int nr);
u64 bufpool_channel_bytes(struct bufpool_chan *channel);
int bufpool_channel_wait(struct bufpool_chan *channel, enum bufpool_end end,
			 struct bufpool_client *client, int cancels, ktime_t deadline);

/**
 * bufpool_channel_get - the channel that a file is an end of
 * @file: any; holds it
 * @end: which end it has to be
 * @pool: whose it has to be
 *
 * Return: the channel, or ERR_PTR(): -EBADF where it is the other end, -EXDEV, -EINVAL.
 */
static inline struct bufpool_chan *bufpool_channel_get(struct file *file, enum bufpool_end end,
						       const struct bufpool_pool *pool)
{
	struct bufpool_chan *channel = file->private_data;

	if (unlikely(file->f_op != &bufpool_channel_fops[end]))
		return ERR_PTR(file->f_op == &bufpool_channel_fops[!end] ? -EBADF : -EINVAL);
	return likely(channel->pool == pool) ? channel : ERR_PTR(-EXDEV);
}

/* Count messages that are in a channel, whose lock is held, or, if negative, have left it. */
static inline void bufpool_channel_count(struct bufpool_chan *channel, int nr, s64 bytes)
{
	WRITE_ONCE(channel->queued, channel->queued + nr);
	atomic_long_add(bytes, &channel->pool->in_channels);
}

/**
 * bufpool_channel_take - take the oldest messages out of a channel
 * @channel: whose lock is held; bufpool_channel_wake() of the send end is due
 * @nr: how many; somebody else owns their blocks by now
 * @bytes: in those
 */
static inline void bufpool_channel_take(struct bufpool_chan *channel, unsigned int nr, u64 bytes)
{
	channel->first += nr;
	if (channel->first >= channel->capacity)
		channel->first -= channel->capacity;
	bufpool_channel_count(channel, -(int)nr, -(s64)bytes);
}

/**
 * bufpool_channel_room - whether messages can be put in a channel
 * @channel: which
 *
 * What is so without its lock need not be any more.
 *
 * Return: 0, or -EPIPE, or -EAGAIN where there is no room.
 */
static inline int bufpool_channel_room(const struct bufpool_chan *channel)
{
	if (!bufpool_channel_is_open(channel, BUFPOOL_END_RECEIVE))
		return -EPIPE;
	return READ_ONCE(channel->queued) < channel->capacity ? 0 : -EAGAIN;
}

/**
 * bufpool_channel_wake - tell those at an end that there is something for them
 * @channel: the caller holds either end open
 * @end: which
 * @nr: wake so many of those that wait, or poll, exclusively; 0 is all
 */
static inline void bufpool_channel_wake(struct bufpool_chan *channel, enum bufpool_end end,
					unsigned int nr)
{
	/* pairs with who begins to wait, or to poll, and looks after that */
	smp_mb();
	/* the barrier above */
	if (waitqueue_active(&channel->waits[end]) || waitqueue_active(&channel->polls[end]))
		bufpool_channel_wake_slow(channel, end, nr);
}

#endif /* _BUFPOOL_CHANNEL_H */
