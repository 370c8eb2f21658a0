// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receiving: how blocks get from a channel to a client.
 *
 * All of it is done under the channel's lock and the client's: handles are issued and told to
 * the program, and then the client owns the blocks. So what cannot be told, or is more than
 * the client may hold, has never been taken out, and is first in line for the next. The
 * program's memory is written without faults: where it is not there, the caller sees to that
 * without any lock, and tries again.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include "bufpool.h"
#include "trace.h"

/* Return: whether a message was told of. */
static __always_inline bool receive_tell(struct bufpool_message __user *to,
					 const struct bufpool_sent *message,
					 const struct bufpool_block *block)
{
	if (!user_write_access_begin(to, sizeof(*to)))
		return false;
	unsafe_put_user(block->handle, &to->handle, fault);
	unsafe_put_user(message->used, &to->used, fault);
	unsafe_put_user(message->tag, &to->tag, fault);
	unsafe_put_user(block->offset, &to->offset, fault);
	unsafe_put_user(block->length, &to->length, fault);
	user_write_access_end();
	return true;

fault:
	user_write_access_end();
	return false;
}

/*
 * Give a message its handle, tell of it, and make the client the owner. Return: 0, or why
 * not: -EFAULT, -EDQUOT by the client's ceiling, -ENOSPC by its account's quota.
 */
static __always_inline int receive_message(struct bufpool_receipt *receipt,
					   struct bufpool_chan *channel, unsigned int nr)
{
	struct bufpool_sent *message = bufpool_channel_message(channel, nr);
	struct bufpool_client *client = receipt->client;
	struct bufpool_blk *blk = message->blk;
	struct bufpool_slab *slab = bufpool_blk_slab(blk);
	u32 place = slab->place + blk->nr;
	struct bufpool_block block;

	receipt->class = slab->class;
	bufpool_handle_issue(client, blk, place);
	bufpool_class_report(slab->class, place, blk->generation, &block);
	if (!receive_tell(receipt->to + nr, message, &block))
		return -EFAULT;
	if (!bufpool_budget_charge(&client->held, block.length, bufpool_client_ceiling(client)))
		return -EDQUOT;
	blk->foreign = slab->holding->branch != client->branch;
	if (unlikely(blk->foreign || blk->payer)) {
		if (!bufpool_charge_move(blk, client)) {
			bufpool_budget_uncharge(&client->held, block.length);
			return -ENOSPC;
		}
		receipt->moved = true;
	}
	trace_bufpool_receive(client, channel, message);
	bufpool_client_own(client, blk);
	client->last_slab = slab;
	client->rented_bytes += block.length;
	if (receipt->blocks)
		receipt->blocks[nr] = block;
	return 0;
}

/* Take messages, up to the first that cannot be had. Return: how many, or why none. */
static __always_inline int receive_messages(struct bufpool_receipt *receipt,
					    struct bufpool_chan *channel, unsigned int nr)
{
	struct bufpool_client *client = receipt->client;
	unsigned int done = 0;
	u64 bytes;
	int err;

	spin_lock(&client->lock);
	bytes = client->rented_bytes;
	pagefault_disable();
	do {
		err = receive_message(receipt, channel, done);
		done += !err;
	} while (!err && done < nr);
	pagefault_enable();
	receipt->untold = err == -EFAULT;
	bytes = client->rented_bytes - bytes;
	client->nr_rented += done;
	client->received += done;
	spin_unlock(&client->lock);
	bufpool_channel_take(channel, done, bytes);
	bufpool_count_many(client->pool->counters, BUFPOOL_RECEIVES, done);
	return done ?: err;
}

/* Take what there is, once. Return: as bufpool_receive(), and -ENOSPC. */
static __always_inline int receive_some(struct bufpool_chan *channel,
					struct bufpool_receipt *receipt)
{
	unsigned int nr;
	int ret;

	spin_lock(&channel->lock);
	nr = min(receipt->nr, channel->queued);
	if (nr)
		ret = receive_messages(receipt, channel, nr);
	else
		ret = bufpool_channel_is_open(channel, BUFPOOL_END_SEND) ? -EAGAIN : 0;
	spin_unlock(&channel->lock);
	return ret;
}

/* Take what there is in the place of what the client, or its account, does not use. */
static noinline int receive_in_place(struct bufpool_chan *channel,
				     struct bufpool_receipt *receipt, int err)
{
	struct bufpool_request request = {
		.client = receipt->client,
		.steals = BUFPOOL_STEALS_MAX,
	};
	bool any = true;

	while (any && (err == -EDQUOT || err == -ENOSPC)) {
		request.class = receipt->class;
		any = err == -EDQUOT ? bufpool_rental_evict_for_ceiling(&request) :
				       bufpool_rent_evict_for_quota(&request);
		if (any)
			err = receive_some(channel, receipt);
	}
	return err == -ENOSPC ? -EDQUOT : err;
}

/**
 * bufpool_receive - take messages out of a channel
 * @channel: which; the caller holds its receive end open
 * @receipt: for whom, and how to tell
 *
 * May sleep, but does not wait for messages.
 *
 * Return: how many, from the oldest on; or 0 where there is none, and none can come; or
 * -EAGAIN where there is none now, -EFAULT where none could be told, -EDQUOT.
 */
int bufpool_receive(struct bufpool_chan *channel, struct bufpool_receipt *receipt)
{
	int ret = receive_some(channel, receipt);

	if (unlikely(ret == -EDQUOT || ret == -ENOSPC))
		ret = receive_in_place(channel, receipt, ret);
	if (ret <= 0)
		return ret;
	bufpool_channel_wake(channel, BUFPOOL_END_SEND, ret);
	if (unlikely(receipt->moved))
		bufpool_pool_wake_waiters(receipt->client->pool);
	/* without, it is not kept warm when it is returned */
	if (unlikely(!READ_ONCE(receipt->client->warm[receipt->class->nr])))
		bufpool_warm_prepare(receipt->client, receipt->class);
	return ret;
}
