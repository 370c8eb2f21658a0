// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rentals: what a client does with blocks.
 *
 * Renting ends with publishing: until then the blocks are in transit, so a call
 * that cannot tell its caller what it got puts them back as if it had never been.
 * Returning begins with claiming: from then on the blocks are in transit, and of
 * several returns of one block exactly one succeeds.
 */
#include "bufpool.h"
#include "trace.h"

/* Put back a block that the client does not own any more. May sleep. */
static void rental_put_blk(struct bufpool_client *client, struct bufpool_blk *blk,
		bool clear)
{
	list_del_init(&blk->node);
	bufpool_blk_update_dirty(blk);
	if (clear)
		bufpool_blk_scrub(blk);
	bufpool_budget_uncharge_user(client, bufpool_blk_size(blk));
	bufpool_supply_put(blk);
	cond_resched();
}

/* Have a warm block of the user's give way, unless all of them would in vain. */
static bool rental_evict_for_quota(struct bufpool_client *client, size_t size)
{
	struct bufpool_user *user = client->user;
	u64 warm = bufpool_warm_of_user(client->pool, user);
	u64 held = atomic_long_read(&user->held);
	struct bufpool_blk *blk = NULL;

	if (held + size <= bufpool_user_quota(client) + warm)
		blk = bufpool_warm_steal(client->pool, NULL, user);
	if (blk)
		bufpool_supply_put(blk);
	return blk;
}

/* Charge the user too, whose warm blocks make room if they have to. */
static int rental_charge(struct bufpool_client *client, size_t size)
{
	if (!bufpool_budget_charge_client(client, size))
		return -EDQUOT;
	while (!bufpool_budget_charge_user(client, size)) {
		if (rental_evict_for_quota(client, size))
			continue;
		bufpool_budget_uncharge_client(client, size);
		return -EDQUOT;
	}
	return 0;
}

static void rental_issue(struct bufpool_client *client, struct list_head *batch)
{
	struct bufpool_blk *blk;

	list_for_each_entry(blk, batch, node)
		bufpool_handle_issue(client, blk, bufpool_blk_place(blk));
}

/* Take warm blocks, under one lock. Return: how many, or -EDQUOT. */
static int rent_warm(struct bufpool_client *client,
		     struct bufpool_request *request, struct list_head *batch)
{
	size_t size = bufpool_class_block_size(request->class);
	unsigned int admitted, done;

	spin_lock(&client->lock);
	admitted = bufpool_budget_charge_many(client, size, request->count);
	done = bufpool_warm_take(client, request->class, admitted, batch);
	client->charged -= (u64)(admitted - done) * size;
	/* who has been warm has been rented before */
	request->tally = (struct bufpool_tally){
		.blocks = done,
		.reused = done,
		.warm = done,
		.bytes = (u64)done * size,
	};
	rental_issue(client, batch);
	spin_unlock(&client->lock);
	return admitted ? done : -EDQUOT;
}

/* Find a block, or wait for one, and make it zero. */
static struct bufpool_blk *rental_find(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_blk *blk = bufpool_rent_find(request);

	/* what is being zeroed just now counts as free */
	if (blk == ERR_PTR(-EAGAIN) && request->nonblock) {
		flush_work(&class->pool->scrub.work);
		blk = bufpool_rent_find(request);
	}
	if (blk == ERR_PTR(-EAGAIN) && !request->nonblock)
		blk = bufpool_wait(request);
	if (!IS_ERR(blk))
		bufpool_blk_scrub(blk);
	return blk;
}

/* Rent one block that is not warm. */
static int rent_new(struct bufpool_client *client,
		    struct bufpool_request *request, struct list_head *batch)
{
	size_t size = bufpool_class_block_size(request->class);
	struct bufpool_blk *blk;
	int err = rental_charge(client, size);

	if (err)
		return err;
	blk = rental_find(request);
	if (IS_ERR(blk)) {
		bufpool_budget_uncharge(client, size);
		return PTR_ERR(blk);
	}
	blk->waited = request->waited;
	list_add_tail(&blk->node, batch);
	request->tally.blocks++;
	request->tally.reused += blk->used;
	request->tally.bytes += bufpool_blk_size(blk);
	return 0;
}

/* Return: how many blocks, at least 1, or the error that the first met. */
static int rent_more(struct bufpool_client *client,
		     struct bufpool_request *request, unsigned int done,
		     struct list_head *batch)
{
	LIST_HEAD(fresh);
	int err = 0;

	request->client = client;
	while (done < request->count && !err) {
		if (done)
			request->nonblock = true;
		request->waited = false;
		err = rent_new(client, request, &fresh);
		if (!err)
			done++;
	}
	spin_lock(&client->lock);
	rental_issue(client, &fresh);
	spin_unlock(&client->lock);
	list_splice_tail(&fresh, batch);
	return done ?: err;
}

static void zero_warm(struct list_head *batch)
{
	struct bufpool_blk *blk;

	list_for_each_entry(blk, batch, node) {
		blk->dirty |= blk->touched;
		bufpool_blk_scrub(blk);
	}
}

/**
 * bufpool_rental_rent - get blocks for a client
 * @client: who is going to own them
 * @request: what is wanted; is changed
 * @batch: an empty list, gets the blocks; they have their handles, and wait for
 *	bufpool_rental_publish() or bufpool_rental_abort()
 *
 * Waits for the first block only, if at all. May sleep.
 *
 * Return: how many, at least 1, or -EDQUOT, -EAGAIN, -ETIMEDOUT, -ENOMEM,
 * -ERESTARTSYS.
 */
int bufpool_rental_rent(struct bufpool_client *client,
			struct bufpool_request *request,
			struct list_head *batch)
{
	int done = rent_warm(client, request, batch);

	if (done > 0 && request->zero)
		zero_warm(batch);
	if (done < 0 || done == request->count)
		return done;
	return rent_more(client, request, done, batch);
}

static unsigned int rent_flags(const struct bufpool_blk *blk)
{
	return (blk->warm ? BUFPOOL_TRACE_WARM : 0) |
	       (blk->used ? BUFPOOL_TRACE_REUSED : 0) |
	       (blk->waited ? BUFPOOL_TRACE_WAITED : 0);
}

static inline void rental_publish_blk(struct bufpool_client *client, struct bufpool_blk *blk)
{
	lockdep_assert_held(&client->lock);
	if (trace_bufpool_rent_enabled())
		trace_bufpool_rent(client, blk, rent_flags(blk));
	blk->used = true;
	blk->waited = false;
	WRITE_ONCE(blk->warm, false);
	/* whoever sees the owner sees the zeroes */
	smp_store_release(&blk->owner, client);
}

static inline void count_rented(struct bufpool_client *client,
				const struct bufpool_tally *tally)
{
	lockdep_assert_held(&client->lock);
	client->nr_held += tally->blocks;
	client->held_bytes += tally->bytes;
	client->rents += tally->blocks;
	client->warm_rents += tally->warm;
	bufpool_count_many(client->pool->counters, BUFPOOL_RENTS, tally->blocks);
	bufpool_count_many(client->pool->counters, BUFPOOL_REUSED, tally->reused);
}

/* One block that was warm is rented, or, with -1, has not been. */
static void count_latest(struct bufpool_client *client, size_t size, int nr)
{
	count_rented(client, &(struct bufpool_tally){
		.blocks = nr,
		.reused = nr,
		.warm = nr,
		.bytes = nr * (s64)size,
	});
}

static void count_returned(struct bufpool_client *client, int blocks, s64 bytes)
{
	lockdep_assert_held(&client->lock);
	client->nr_held -= blocks;
	client->held_bytes -= bytes;
	client->charged -= bytes;
	client->returns += blocks;
	bufpool_count_many(client->pool->counters, BUFPOOL_RETURNS, blocks);
}

/**
 * bufpool_rental_publish - make a client the owner of its new blocks
 * @client: whose
 * @batch: what bufpool_rental_rent() filled; not empty
 * @tally: what that says of it
 */
void bufpool_rental_publish(struct bufpool_client *client,
			    struct list_head *batch,
			    const struct bufpool_tally *tally)
{
	struct bufpool_blk *blk;

	spin_lock(&client->lock);
	list_for_each_entry(blk, batch, node)
		rental_publish_blk(client, blk);
	client->last_slab = bufpool_blk_slab(list_last_entry(batch,
							struct bufpool_blk,
							node));
	list_splice_tail_init(batch, &client->held);
	count_rented(client, tally);
	spin_unlock(&client->lock);
}

/**
 * bufpool_rental_rent_fast - rent the warm block that was used last
 * @client: who owns it, and is going to rent it
 * @class: of which size
 * @report: is filled in
 *
 * The short way. Nothing is in transit: the block is the client's all the time,
 * and its page-table entries stay as they are.
 *
 * Return: whether it is rented, if there is one and the ceiling admits it.
 */
bool bufpool_rental_rent_fast(struct bufpool_client *client,
				struct bufpool_class *class,
				struct bufpool_block *report)
{
	size_t size = bufpool_class_block_size(class);
	struct bufpool_blk *blk = NULL;
	struct bufpool_slab *slab;
	u32 place;

	spin_lock(&client->lock);
	if (client->charged + size <= client->ceiling)
		blk = bufpool_warm_take_latest(client, class);
	if (blk) {
		slab = bufpool_blk_slab(blk);
		place = slab->place + blk->nr;
		client->last_slab = slab;
		client->charged += size;
		list_bulk_move_tail(&client->held, &blk->node, &blk->node);
		bufpool_handle_issue(client, blk, place);
		rental_publish_blk(client, blk);
		count_latest(client, size, 1);
		bufpool_class_report(class, place, blk->generation, report);
	}
	spin_unlock(&client->lock);
	return blk;
}

/* Put back blocks in transit that this client could reach. */
static void rental_give_up(struct bufpool_client *client, struct list_head *batch,
		    bool clear)
{
	struct bufpool_blk *blk, *next;

	bufpool_map_synchronize(client);
	list_for_each_entry_safe(blk, next, batch, node) {
		bufpool_map_unmap(client, blk);
		rental_put_blk(client, blk, clear);
	}
}

/**
 * bufpool_rental_abort - undo bufpool_rental_rent()
 * @client: who asked
 * @batch: what bufpool_rental_rent() filled; may be empty
 */
void bufpool_rental_abort(struct bufpool_client *client,
			  struct list_head *batch)
{
	struct bufpool_blk *blk, *next;

	spin_lock(&client->lock);
	list_for_each_entry_safe(blk, next, batch, node) {
		client->charged -= bufpool_blk_size(blk);
		if (blk->warm &&
		    bufpool_warm_keep(client, bufpool_blk_class(blk), blk))
			continue;
		bufpool_client_disown(client, blk);
		WRITE_ONCE(blk->warm, false);
	}
	spin_unlock(&client->lock);
	rental_give_up(client, batch, false);
	/* who began to wait meanwhile has not seen the warm ones */
	bufpool_pool_wake_waiters(client->pool);
}

/* End a rental: the block is in transit on the batch. */
static void rental_end(struct bufpool_client *client, struct bufpool_blk *blk,
		   struct list_head *batch)
{
	trace_bufpool_return(client, blk, 0);
	bufpool_client_disown(client, blk);
	list_move_tail(&blk->node, batch);
}

/* Return: the bytes in a run. */
static u64 end_run(struct bufpool_client *client, struct bufpool_class *class,
		   unsigned int blocks, unsigned int kept)
{
	if (kept)
		bufpool_warm_count(client, class, kept);
	return blocks ? (u64)blocks << class->shift : 0;
}

/*
 * End rentals. Blocks of one size that follow each other are a run, for which
 * room is looked for, and which is counted, once. Return: how many, up to the
 * first that is refused, or why.
 */
static int end_rentals(struct bufpool_client *client, const u64 *handles,
		       unsigned int count, bool keep, struct list_head *batch)
{
	unsigned int done, began = 0, room = 0, kept = 0;
	struct bufpool_class *class = NULL;
	struct bufpool_blk *blk = NULL;
	u64 bytes = 0;

	lockdep_assert_held(&client->lock);
	for (done = 0; done < count; done++) {
		blk = bufpool_handle_lookup(client, handles[done]);
		if (IS_ERR(blk))
			break;
		/* whatever was found is in that slab */
		if (client->last_slab->class != class) {
			bytes += end_run(client, class, done - began, kept);
			class = client->last_slab->class;
			room = keep ? bufpool_warm_room(client, class) : 0;
			began = done;
			kept = 0;
		}
		if (kept == room) {
			rental_end(client, blk, batch);
			continue;
		}
		kept++;
		bufpool_warm_add(client, class, blk);
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
	}
	bytes += end_run(client, class, done - began, kept);
	count_returned(client, done, bytes);
	return done ?: PTR_ERR(blk);
}

/**
 * bufpool_rental_return_fast - give a block back that can stay warm
 * @client: whose
 * @handle: of which block
 *
 * The short way, for a block near the one that was rented last.
 *
 * Return: whether that is done; if not, nothing is, and bufpool_rental_return()
 * knows better.
 */
bool bufpool_rental_return_fast(struct bufpool_client *client, u64 handle)
{
	struct bufpool_class *class = NULL;
	struct bufpool_blk *blk;
	bool done = false;

	spin_lock(&client->lock);
	blk = bufpool_handle_lookup_fast(client, handle);
	if (blk && bufpool_handle_is_rented(client, blk, handle)) {
		class = client->last_slab->class;
		done = bufpool_warm_keep(client, class, blk);
	}
	if (done) {
		count_returned(client, 1, bufpool_class_block_size(class));
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
	}
	spin_unlock(&client->lock);
	if (done)
		bufpool_pool_wake_waiters(client->pool);
	return done;
}

/**
 * bufpool_rental_return - give blocks back
 * @client: whose
 * @handles: of which blocks
 * @count: how many, at least 1
 * @flags: BUFPOOL_RETURN_* bits
 *
 * Blocks that do not stay warm are not reached by any page-table entry of the
 * client when this returns. May sleep.
 *
 * Return: how many, from the first on, up to the first that is refused; or, if
 * that is the first, -ENOENT or -ESTALE.
 */
int bufpool_rental_return(struct bufpool_client *client, const u64 *handles,
			  unsigned int count, u32 flags)
{
	LIST_HEAD(batch);
	int done;

	spin_lock(&client->lock);
	done = end_rentals(client, handles, count, !flags, &batch);
	spin_unlock(&client->lock);

	if (!list_empty(&batch))
		rental_give_up(client, &batch, flags & BUFPOOL_RETURN_CLEAR);
	/* warm blocks can be had, too, and by now somebody may wait */
	if (done > 0 && !flags)
		bufpool_pool_wake_waiters(client->pool);
	return done;
}

/**
 * bufpool_rental_undo_fast - undo bufpool_rental_rent_fast()
 * @client: who asked
 * @handle: what it was told, and could not tell its caller
 *
 * Whoever guessed the handle may have returned the block meanwhile, and then
 * nothing is left to be done. May sleep.
 */
void bufpool_rental_undo_fast(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;
	LIST_HEAD(batch);

	spin_lock(&client->lock);
	blk = bufpool_handle_lookup(client, handle);
	if (!IS_ERR(blk)) {
		count_latest(client, bufpool_blk_size(blk), -1);
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
		WRITE_ONCE(blk->warm, true);
		list_move_tail(&blk->node, &batch);
	}
	spin_unlock(&client->lock);
	bufpool_rental_abort(client, &batch);
}

/**
 * bufpool_rental_end_all - give everything back that a client holds
 * @client: its file is being released
 *
 * Every mapping holds the file, and so does every call and every fault; so
 * there are none any more, and no page-table entry either. Others may look
 * through its warm blocks until it is off the pool's list. May sleep.
 */
void bufpool_rental_end_all(struct bufpool_client *client)
{
	struct bufpool_pool *pool = client->pool;
	struct bufpool_blk *blk, *next;

	WARN_ON_ONCE(mapping_mapped(&client->mapping));
	WARN_ON_ONCE(atomic_read(&client->nr_mappings));
	list_for_each_entry_safe(blk, next, &client->held, node) {
		WRITE_ONCE(blk->owner, NULL);
		bufpool_count(pool->counters, BUFPOOL_RETURNS);
		trace_bufpool_return(client, blk, 0);
		rental_put_blk(client, blk, false);
	}
	bufpool_warm_trim(client, 0);
}
