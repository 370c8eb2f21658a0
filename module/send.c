// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending: how blocks leave their client for a channel.
 *
 * That is as a return, up to where the block would go back to its class: it is taken from the
 * client under the lock of that, and from then on the call owns it; then page-table entries
 * go, of all blocks of a call together. Only then is it known whether anything outside the
 * pool has references to it. What is not the channel's in the end, for that reason or as
 * others have filled it meanwhile, is the client's again, by the same handle. So nobody has
 * room kept for it, and a sender without a processor is in nobody's way.
 */
#include "bufpool.h"

/**
 * struct claim - blocks that were taken from their client
 * @nr: how many
 * @err: why it is not more, or 0
 * @bytes: in them
 * @reached: any of them may have page-table entries, or be about to
 */
struct claim {
	unsigned int nr;
	int err;
	s64 bytes;
	bool reached;
};

/* Take the block of a message from its client. Return: 0 or why not. */
static int send_claim(struct bufpool_client *client, struct bufpool_sent *message,
		      struct claim *claim)
{
	struct bufpool_blk *blk = bufpool_handle_lookup(client, message->handle);
	size_t size;

	lockdep_assert_held(&client->lock);
	if (IS_ERR(blk))
		return PTR_ERR(blk);
	size = bufpool_class_block_size(client->last_slab->class);
	if (message->used > size)
		return -EINVAL;
	if (READ_ONCE(blk->exports))
		return -EBUSY;
	bufpool_blk_set_state(blk, BUFPOOL_BLK_SENT);
	WRITE_ONCE(blk->owner, NULL);
	list_del_init(&blk->node);
	claim->bytes += size;
	claim->reached |= READ_ONCE(blk->touched) || blk->pins;
	message->blk = blk;
	return 0;
}

/* So many blocks are not the client's any more, or, if negative, are so again. */
static void send_count(struct bufpool_client *client, int nr, s64 bytes)
{
	lockdep_assert_held(&client->lock);
	client->nr_rented -= nr;
	client->rented_bytes -= bytes;
	client->sent += nr;
}

/* Take blocks, up to the first that is refused. */
static void send_claim_many(struct bufpool_client *client, struct bufpool_sent *messages,
			    unsigned int nr, struct claim *claim)
{
	spin_lock(&client->lock);
	while (claim->nr < nr && !claim->err) {
		claim->err = send_claim(client, &messages[claim->nr], claim);
		claim->nr += !claim->err;
	}
	/* those that were taken have kept it up to here */
	client->last_slab = NULL;
	send_count(client, claim->nr, claim->bytes);
	spin_unlock(&client->lock);
}

/* Have no page-table entry reach blocks, and no fault make any. */
static noinline void send_revoke(struct bufpool_client *client,
				 const struct bufpool_sent *messages, unsigned int nr)
{
	LIST_HEAD(batch);
	unsigned int i;

	for (i = 0; i < nr; i++)
		list_add_tail(&messages[i].blk->node, &batch);
	bufpool_map_revoke(client, &batch);
	for (i = 0; i < nr; i++)
		list_del_init(&messages[i].blk->node);
}

static s64 send_bytes(const struct bufpool_sent *messages, unsigned int nr)
{
	s64 bytes = 0;

	while (nr--)
		bytes += bufpool_blk_size(messages[nr].blk);
	return bytes;
}

/* They are the client's again, by the handles that they had. */
static noinline void send_undo(struct bufpool_client *client,
			       const struct bufpool_sent *messages, unsigned int nr)
{
	unsigned int i;

	spin_lock(&client->lock);
	for (i = 0; i < nr; i++)
		bufpool_client_own(client, messages[i].blk);
	send_count(client, -(int)nr, -send_bytes(messages, nr));
	spin_unlock(&client->lock);
}

/* Whether something outside the pool reaches a block, which no page-table entry does. */
static bool send_is_shared(struct bufpool_blk *blk)
{
	const struct bufpool_backing *backing = bufpool_blk_class(blk)->backing;

	return blk->dirty && backing->has_refs && backing->is_referenced(bufpool_blk_slab(blk));
}

/*
 * Make a block what the receiver gets: what is not in use is zero, unless all of it is meant.
 * Return: whether it may go.
 */
static noinline bool send_prepare(struct bufpool_blk *blk, u64 used, bool whole)
{
	bufpool_blk_update_dirty(blk);
	if (send_is_shared(blk))
		return false;
	return whole || bufpool_blk_scrub_from(blk, used);
}

/* Return: how many may be sent, up to the first that is in use elsewhere. */
static unsigned int send_prepare_many(const struct bufpool_sent *messages, unsigned int nr,
				      bool whole)
{
	struct bufpool_blk *blk;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		blk = messages[i].blk;
		if ((blk->touched || blk->dirty) &&
		    !send_prepare(blk, messages[i].used, whole))
			break;
	}
	return i;
}

/**
 * bufpool_send - give blocks to a channel
 * @client: whose
 * @channel: which; the caller holds its send end open
 * @messages: which blocks, by handle; is changed
 * @nr: how many, at least 1
 * @whole: bytes beyond those in use are meant, too
 *
 * Blocks that are sent are not reached by any page-table entry of the client when this
 * returns, and none is sent before that. May sleep, but does not wait for room.
 *
 * Return: how many, from the first on, up to the first that is refused or for which there is
 * no room; or, if that is the first, -EPIPE, -EAGAIN, -ENOENT, -ESTALE, -EINVAL, -EBUSY.
 */
int bufpool_send(struct bufpool_client *client, struct bufpool_chan *channel,
		 struct bufpool_sent *messages, unsigned int nr, bool whole)
{
	int err = bufpool_channel_room(channel), done = 0;
	struct claim claim = {};
	unsigned int ready;

	if (err)
		return err;
	send_claim_many(client, messages, nr, &claim);
	if (claim.reached)
		send_revoke(client, messages, claim.nr);
	ready = send_prepare_many(messages, claim.nr, whole);
	err = ready < claim.nr ? -EBUSY : claim.err;
	if (unlikely(ready < claim.nr))
		claim.bytes -= send_bytes(messages + ready, claim.nr - ready);
	if (ready)
		done = bufpool_channel_send(channel, client, messages, ready,
					    claim.bytes);
	if (done < 0) {
		err = done;
		done = 0;
	}
	if (unlikely(done < claim.nr))
		send_undo(client, messages + done, claim.nr - done);
	if (!done)
		return err;
	bufpool_count_many(client->pool->counters, BUFPOOL_SENDS, done);
	/* the client may hold so much more */
	bufpool_pool_wake_waiters(client->pool);
	return done;
}
