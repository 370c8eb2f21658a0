// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: blocks on their way from client to client. How they get in is in send.c, and out
 * in receive.c.
 *
 * A channel has two ends, each an open file, and goes with the last. It holds no file and no
 * client, only the blocks that are in it; so there are no cycles, and whoever dies keeps
 * nobody waiting. Where the receive end is closed, all that is in it goes back to the pool.
 *
 * Tasks wait as they do at a pipe: one is woken for each message, or room for one, and looks
 * again, in no order with newcomers. One that was woken may get no processor for long; so
 * where others wait as well another is woken after a moment, and so on.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include "bufpool.h"
#include "trace.h"

/* When the next is woken, where those that were have not taken what there is */
#define AGAIN_DELAY	msecs_to_jiffies(20)

static bool channel_is_ready(const struct bufpool_chan *channel, enum bufpool_end end)
{
	u32 queued = READ_ONCE(channel->queued);

	if (end == BUFPOOL_END_RECEIVE)
		return queued || !bufpool_channel_is_open(channel, BUFPOOL_END_SEND);
	return queued < channel->capacity ||
	       !bufpool_channel_is_open(channel, BUFPOOL_END_RECEIVE);
}

/* Wake tasks that wait at an end, and have another one woken if these do not run. */
static void channel_wake_waits(struct bufpool_chan *channel, enum bufpool_end end,
			       unsigned int nr)
{
	wait_queue_head_t *waits = &channel->waits[end];

	__wake_up(waits, TASK_NORMAL, nr, NULL);
	/* who begins to wait from now on looks after that */
	if (waitqueue_active(waits))
		queue_delayed_work(channel->pool->wq, &channel->again, AGAIN_DELAY);
}

/* For bufpool_channel_wake(). */
void bufpool_channel_wake_slow(struct bufpool_chan *channel, enum bufpool_end end,
			       unsigned int nr)
{
	static const __poll_t keys[] = {
		[BUFPOOL_END_RECEIVE] = EPOLLIN | EPOLLRDNORM | EPOLLHUP,
		[BUFPOOL_END_SEND] = EPOLLOUT | EPOLLWRNORM | EPOLLERR,
	};

	channel_wake_waits(channel, end, nr);
	__wake_up(&channel->polls[end], TASK_NORMAL, nr, poll_to_key(keys[end]));
}

/* Those that were woken have left something, or had no processor: wake another. */
static void channel_wake_again(struct work_struct *work)
{
	struct bufpool_chan *channel =
		container_of(to_delayed_work(work), struct bufpool_chan, again);
	enum bufpool_end end;

	for (end = 0; end < BUFPOOL_NR_ENDS; end++) {
		/* who begins to wait from now on looks after that */
		if (channel_is_ready(channel, end) && waitqueue_active(&channel->waits[end]))
			channel_wake_waits(channel, end, 1);
	}
}

static bool channel_is_cancelled(const struct bufpool_client *client, int cancels)
{
	return READ_ONCE(client->cancelled) || atomic_read(&client->cancels) != cancels;
}

/* Whether there is reason to wait on at an end: -EINPROGRESS; else what came of it */
static int channel_look(struct bufpool_chan *channel, enum bufpool_end end,
			const struct bufpool_client *client, int cancels, ktime_t deadline)
{
	if (channel_is_ready(channel, end))
		return 0;
	if (channel_is_cancelled(client, cancels))
		return -ECANCELED;
	if (signal_pending(current))
		return -ERESTARTSYS;
	return ktime_after(ktime_get(), deadline) ? -ETIMEDOUT : -EINPROGRESS;
}

/**
 * bufpool_channel_wait - wait until something may be done at an end
 * @channel: which; the caller holds that end open
 * @end: at which
 * @client: for which client
 * @cancels: how often its waits had been cancelled when the call began
 * @deadline: wait until then, by ktime_get(); KTIME_MAX is for ever
 *
 * Whether it can be done is to be seen: others may be faster.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, or -ERESTARTSYS.
 */
int bufpool_channel_wait(struct bufpool_chan *channel, enum bufpool_end end,
			 struct bufpool_client *client, int cancels, ktime_t deadline)
{
	DEFINE_WAIT_FUNC(cancel, default_wake_function);
	DEFINE_WAIT(wait);
	int ret;

	add_wait_queue(&client->waits, &cancel);
	for (;;) {
		prepare_to_wait_exclusive(&channel->waits[end], &wait,
					  TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		ret = channel_look(channel, end, client, cancels, deadline);
		if (ret != -EINPROGRESS)
			break;
		schedule_hrtimeout(&deadline, HRTIMER_MODE_ABS);
	}
	finish_wait(&channel->waits[end], &wait);
	remove_wait_queue(&client->waits, &cancel);
	/* maybe it was this one that was woken for what another can do now */
	if (ret && channel_is_ready(channel, end))
		channel_wake_waits(channel, end, 1);
	return ret;
}

/* A block in a channel that nobody receives any more goes back to the pool. */
static void channel_drop(struct bufpool_chan *channel, struct bufpool_blk *blk)
{
	bufpool_count(channel->pool->counters, BUFPOOL_RETURNS);
	bufpool_blk_set_state(blk, BUFPOOL_BLK_TRANSIT);
	if (!bufpool_quarantine_admit(blk))
		bufpool_supply_put(blk);
	cond_resched();
}

/**
 * bufpool_channel_send - put messages in a channel
 * @channel: which; the caller holds the send end open
 * @client: who sends
 * @messages: what is sent; blocks that are in the channel are nobody else's any more, and
 *	may be anybody's when this returns
 * @nr: how many, at least 1
 * @bytes: in their blocks
 *
 * Return: for how many there was room, or -EPIPE, or -EAGAIN where there is none now.
 */
int bufpool_channel_send(struct bufpool_chan *channel, struct bufpool_client *client,
			 const struct bufpool_sent *messages, unsigned int nr, s64 bytes)
{
	unsigned int room, i;
	int err;

	spin_lock(&channel->lock);
	err = bufpool_channel_room(channel);
	if (err) {
		spin_unlock(&channel->lock);
		return err;
	}
	room = channel->capacity - channel->queued;
	while (unlikely(nr > room))
		bytes -= bufpool_blk_size(messages[--nr].blk);
	for (i = 0; i < nr; i++) {
		trace_bufpool_send(client, channel, &messages[i]);
		*bufpool_channel_message(channel, channel->queued + i) = messages[i];
	}
	bufpool_channel_count(channel, nr, bytes);
	channel->sent += nr;
	bufpool_budget_uncharge(&client->held, bytes);
	spin_unlock(&channel->lock);
	bufpool_channel_wake(channel, BUFPOOL_END_RECEIVE, nr);
	return nr;
}

/* Bytes in the blocks of all messages of a channel, whose lock is held. */
u64 bufpool_channel_bytes(struct bufpool_chan *channel)
{
	u64 bytes = 0;
	u32 nr;

	lockdep_assert_held(&channel->lock);
	for (nr = 0; nr < channel->queued; nr++)
		bytes += bufpool_blk_size(bufpool_channel_message(channel, nr)->blk);
	return bytes;
}

/* Take out the oldest message, which nobody receives any more. Return: its block, or NULL. */
static struct bufpool_blk *channel_take_dropped(struct bufpool_chan *channel)
{
	struct bufpool_blk *blk = NULL;

	spin_lock(&channel->lock);
	if (channel->queued) {
		blk = bufpool_channel_message(channel, 0)->blk;
		bufpool_channel_take(channel, 1, bufpool_blk_size(blk));
		channel->dropped++;
	}
	spin_unlock(&channel->lock);
	return blk;
}

/* Pages that one takes, and counts as */
static unsigned int channel_pages(u32 capacity)
{
	struct bufpool_chan *channel;

	return DIV_ROUND_UP(struct_size(channel, messages, capacity), PAGE_SIZE);
}

static void channel_free(struct bufpool_chan *channel)
{
	struct bufpool_pool *pool = channel->pool;

	cancel_delayed_work_sync(&channel->again);
	spin_lock(&pool->channels_lock);
	list_del_rcu(&channel->node);
	WRITE_ONCE(pool->nr_channels, pool->nr_channels - 1);
	spin_unlock(&pool->channels_lock);
	bufpool_budget_uncharge(&channel->account->clients, channel_pages(channel->capacity));
	bufpool_account_put(channel->account);
	kvfree_rcu(channel, rcu);
}

static void channel_close(struct bufpool_chan *channel, enum bufpool_end end)
{
	struct bufpool_blk *blk;

	spin_lock(&channel->lock);
	WRITE_ONCE(channel->open, channel->open & ~BIT(end));
	spin_unlock(&channel->lock);
	/* nothing more is put in from here on */
	while (end == BUFPOOL_END_RECEIVE && (blk = channel_take_dropped(channel)))
		channel_drop(channel, blk);
	bufpool_channel_wake(channel, !end, 0);
	if (refcount_dec_and_test(&channel->refs))
		channel_free(channel);
}

static int receive_release(struct inode *inode, struct file *file)
{
	channel_close(file->private_data, BUFPOOL_END_RECEIVE);
	return 0;
}

static int send_release(struct inode *inode, struct file *file)
{
	channel_close(file->private_data, BUFPOOL_END_SEND);
	return 0;
}

/* To wait at an end, and then look, as in bufpool_channel_wake() */
static struct bufpool_chan *channel_poll(struct file *file, enum bufpool_end end,
					 poll_table *table)
{
	struct bufpool_chan *channel = file->private_data;

	poll_wait(file, &channel->polls[end], table);
	/* pairs with bufpool_channel_wake() */
	smp_mb();
	return channel;
}

static __poll_t receive_poll(struct file *file, poll_table *table)
{
	struct bufpool_chan *channel = channel_poll(file, BUFPOOL_END_RECEIVE, table);
	__poll_t mask = 0;

	/* in this order: nothing is sent once that end is closed */
	if (!bufpool_channel_is_open(channel, BUFPOOL_END_SEND))
		mask |= EPOLLHUP;
	/* pairs with the lock under which the last message was put in */
	smp_rmb();
	if (READ_ONCE(channel->queued))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static __poll_t send_poll(struct file *file, poll_table *table)
{
	struct bufpool_chan *channel = channel_poll(file, BUFPOOL_END_SEND, table);

	if (!bufpool_channel_is_open(channel, BUFPOOL_END_RECEIVE))
		return EPOLLERR;
	return channel_is_ready(channel, BUFPOOL_END_SEND) ? EPOLLOUT | EPOLLWRNORM : 0;
}

static void channel_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct bufpool_chan *channel = file->private_data;

	seq_printf(m, "bufpool-channel:\t%llu\n", channel->nr);
	seq_printf(m, "bufpool-capacity:\t%u\n", channel->capacity);
	seq_printf(m, "bufpool-messages:\t%u\n", READ_ONCE(channel->queued));
}

/* What the files of the ends can do, by enum bufpool_end */
const struct file_operations bufpool_channel_fops[BUFPOOL_NR_ENDS] = {
	[BUFPOOL_END_RECEIVE] = {
		.owner = THIS_MODULE,
		.release = receive_release,
		.poll = receive_poll,
		.llseek = noop_llseek,
		.show_fdinfo = channel_show_fdinfo,
	},
	[BUFPOOL_END_SEND] = {
		.owner = THIS_MODULE,
		.release = send_release,
		.poll = send_poll,
		.llseek = noop_llseek,
		.show_fdinfo = channel_show_fdinfo,
	},
};

static struct bufpool_chan *channel_alloc(struct bufpool_client *client, u32 capacity)
{
	struct bufpool_pool *pool = client->pool;
	struct bufpool_chan *channel;
	enum bufpool_end end;

	channel = kvzalloc(struct_size(channel, messages, capacity), GFP_KERNEL_ACCOUNT);
	if (!channel)
		return NULL;
	channel->pool = pool;
	channel->account = client->account;
	channel->capacity = capacity;
	channel->pid = task_tgid_nr(current);
	get_task_comm(channel->comm, current);
	for (end = 0; end < BUFPOOL_NR_ENDS; end++) {
		init_waitqueue_head(&channel->waits[end]);
		init_waitqueue_head(&channel->polls[end]);
	}
	INIT_DELAYED_WORK(&channel->again, channel_wake_again);
	spin_lock_init(&channel->lock);
	channel->open = BIT(BUFPOOL_END_RECEIVE) | BIT(BUFPOOL_END_SEND);
	refcount_set(&channel->refs, BUFPOOL_NR_ENDS);

	xa_lock(&pool->accounts);
	bufpool_account_hold(channel->account);
	xa_unlock(&pool->accounts);
	spin_lock(&pool->channels_lock);
	channel->nr = ++pool->channels_made;
	list_add_tail_rcu(&channel->node, &pool->channels);
	WRITE_ONCE(pool->nr_channels, pool->nr_channels + 1);
	spin_unlock(&pool->channels_lock);
	return channel;
}

/**
 * bufpool_channel_create - make a channel
 * @client: for whose account
 * @capacity: messages that it has room for
 * @ends: gets its ends, which the caller owns
 *
 * May sleep.
 *
 * Return: 0, or -EDQUOT, -ENOMEM, -ENFILE.
 */
int bufpool_channel_create(struct bufpool_client *client, u32 capacity,
			   struct file *ends[BUFPOOL_NR_ENDS])
{
	unsigned int pages = channel_pages(capacity);
	struct bufpool_chan *channel;
	int err = bufpool_client_charge(client, pages);

	if (err)
		return err;
	channel = channel_alloc(client, capacity);
	if (!channel) {
		bufpool_budget_uncharge(&client->account->clients, pages);
		return -ENOMEM;
	}
	ends[BUFPOOL_END_RECEIVE] = anon_inode_getfile("[bufpool-receive]",
						       &bufpool_channel_fops[BUFPOOL_END_RECEIVE],
						       channel, O_RDONLY);
	if (IS_ERR(ends[BUFPOOL_END_RECEIVE])) {
		channel_free(channel);
		return PTR_ERR(ends[BUFPOOL_END_RECEIVE]);
	}
	ends[BUFPOOL_END_SEND] = anon_inode_getfile("[bufpool-send]",
						    &bufpool_channel_fops[BUFPOOL_END_SEND],
						    channel, O_WRONLY);
	if (!IS_ERR(ends[BUFPOOL_END_SEND]))
		return 0;
	err = PTR_ERR(ends[BUFPOOL_END_SEND]);
	refcount_dec(&channel->refs);
	fput(ends[BUFPOOL_END_RECEIVE]);
	return err;
}
