// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rentals: what a client does with blocks.
 *
 * Renting ends with publishing: until then the call owns the blocks, so one that
 * cannot tell its caller what it got puts them back as if it had never been.
 * Returning begins with claiming: from then on the call owns the blocks, and of
 * several returns of one block exactly one succeeds.
 *
 * What a client holds, rented and warm, is charged to it when a block comes in, and
 * uncharged when it leaves; renting a warm block changes nothing. Its account is charged
 * for slabs, see holding.c.
 */
#include <linux/sched/signal.h>
#include "bufpool.h"
#include "trace.h"

/*
 * Put back a block that the client does not own any more, and can reach by no page-table
 * entry. May sleep.
 */
static void rental_put_blk(struct bufpool_client *client,
			   struct bufpool_blk *blk, bool clear)
{
	bufpool_blk_update_dirty(blk);
	if (clear)
		blk->clear = true;
	bufpool_budget_uncharge(&client->held, bufpool_blk_size(blk));
	/* Zeroing what is still reached would be in vain, and seen by what is written from it. */
	if (unlikely(bufpool_quarantine_admit(blk))) {
		/* a client that was at its ceiling may hold another */
		bufpool_pool_wake_waiters(client->pool);
	} else {
		if (clear)
			bufpool_blk_clear(blk);
		bufpool_supply_put(blk);
	}
	cond_resched();
}

/* Bytes in the client's own warm and kept blocks. */
static u64 rental_unused_bytes(struct bufpool_client *client)
{
	u64 bytes, blocks;

	spin_lock(&client->lock);
	bytes = bufpool_warm_of_client(client, &blocks);
	spin_unlock(&client->lock);
	return bytes + bufpool_kept_of_client(client, &blocks);
}

/**
 * bufpool_rental_evict_for_ceiling - have what a client does not use make room
 * @request: a block of its class is more than its client may hold
 *
 * May sleep.
 *
 * Return: whether a block was given up, and it is worth trying again; not where all that
 * is not used would not do.
 */
bool bufpool_rental_evict_for_ceiling(struct bufpool_request *request)
{
	struct bufpool_client *client = request->client;
	u64 wanted = bufpool_budget_used(&client->held) +
		     bufpool_class_block_size(request->class);

	if (!bufpool_rent_may_steal(request) ||
	    wanted > bufpool_client_ceiling(client) + rental_unused_bytes(client))
		return false;
	return bufpool_evict_own(client);
}

/* Charge a client; its warm blocks make room if they have to. */
static int rental_charge(struct bufpool_request *request, size_t size)
{
	struct bufpool_client *client = request->client;

	while (!bufpool_budget_charge(&client->held, size,
				      bufpool_client_ceiling(client)))
		if (!bufpool_rental_evict_for_ceiling(request))
			return -EDQUOT;
	return 0;
}

/* The client's branch, if the current task is in the memory cgroup of that; or NULL. */
static inline struct bufpool_branch *rental_branch(const struct bufpool_client *client)
{
	struct bufpool_branch *branch = client->branch;

	/* which RCU holds */
	lockdep_assert_held(&client->lock);
	if (branch->memcg && unlikely(!bufpool_memcg_is_current(branch->memcg)))
		return NULL;
	return branch;
}

/*
 * Take warm blocks, under one lock. They are the client's, and warm, until they are
 * published. Return: how many.
 */
static unsigned int rental_take_warm(struct bufpool_client *client,
				     struct bufpool_request *request,
				     struct bufpool_blk **blks)
{
	struct bufpool_warm *warm = READ_ONCE(client->warm[request->class->nr]);
	unsigned int done = 0, wanted = 0;

	spin_lock(&client->lock);
	request->branch = rental_branch(client);
	if (warm && bufpool_budget_used(&client->held) <=
		    bufpool_client_ceiling(client))
		wanted = min(request->count, bufpool_warm_nr(warm));
	while (done < wanted) {
		struct bufpool_blk *blk = bufpool_warm_peek(warm, done);

		bufpool_handle_issue(client, blk, bufpool_blk_place(blk));
		blks[done++] = blk;
	}
	if (done) {
		warm->top -= done;
		bufpool_warm_count(warm, -(int)done);
	}
	spin_unlock(&client->lock);
	/* a block that was warm has been rented before */
	request->tally = (struct bufpool_tally){
		.blocks = done,
		.reused = done,
		.warm = done,
		.bytes = (u64)done << request->class->shift,
	};
	return done;
}

/*
 * What is being zeroed just now counts as free, and its slab may be that by this; and what
 * was quarantined may be free by now. Return: whether it is worth looking again.
 */
static bool rental_find_more(const struct bufpool_request *request, unsigned int puts)
{
	bool any = bufpool_scrub_interrupt(request->class->pool, puts);

	return bufpool_quarantine_look(request->client->account) || any;
}

/*
 * Make a block that was found zero. One with a page that has broken while it was free has what was
 * there before: nobody gets it. Return: whether it may be rented.
 */
static bool rental_zero(const struct bufpool_request *request, struct bufpool_blk *blk)
{
	bufpool_blk_scrub(blk);
	if (likely(!blk->dirty))
		return true;
	/* what it was charged beyond a block of the class that was wanted */
	bufpool_budget_uncharge(&request->client->held, bufpool_blk_size(blk) -
				bufpool_class_block_size(request->class));
	if (!bufpool_quarantine_admit(blk))
		bufpool_supply_put(blk);
	return false;
}

/* Find a block, or wait for one. */
static struct bufpool_blk *rental_look(struct bufpool_request *request)
{
	struct bufpool_pool *pool = request->class->pool;
	unsigned int puts = READ_ONCE(pool->scrub_puts);
	struct bufpool_blk *blk = bufpool_rent_find(request);

	if ((blk == ERR_PTR(-EAGAIN) || blk == ERR_PTR(-EDQUOT) ||
	     blk == ERR_PTR(-ENOSPC)) &&
	    rental_find_more(request, puts))
		blk = bufpool_rent_find(request);
	if (blk == ERR_PTR(-EAGAIN) && !request->nonblock)
		blk = bufpool_wait(request);
	return blk;
}

static struct bufpool_blk *rental_find(struct bufpool_request *request)
{
	struct bufpool_blk *blk;

	do
		blk = rental_look(request);
	while (!IS_ERR(blk) && !rental_zero(request, blk));
	return blk;
}

/* Rent one block that is not warm. */
static struct bufpool_blk *rental_rent_new(struct bufpool_request *request)
{
	size_t size = bufpool_class_block_size(request->class);
	struct bufpool_client *client = request->client;
	struct bufpool_blk *blk;
	int err = rental_charge(request, size);

	if (err)
		return ERR_PTR(err);
	blk = rental_find(request);
	if (IS_ERR(blk)) {
		bufpool_budget_uncharge(&client->held, size);
		/* to a program it is the same whose memory is at its end */
		return blk == ERR_PTR(-ENOSPC) ? ERR_PTR(-ENOMEM) : blk;
	}
	/* without, it is not kept warm when it is returned */
	bufpool_warm_prepare(client, bufpool_blk_class(blk));
	blk->waited = request->waited;
	request->tally.blocks++;
	request->tally.reused += blk->used;
	request->tally.bytes += bufpool_blk_size(blk);
	return blk;
}

/* Return: how many blocks there are in all, at least 1, or an error. */
static int rental_rent_more(struct bufpool_request *request, unsigned int done,
			    struct bufpool_blk **blks)
{
	struct bufpool_client *client = request->client;
	unsigned int first = done, i;
	struct bufpool_blk *blk = NULL;

	while (done < request->count && !fatal_signal_pending(current)) {
		if (done)
			request->nonblock = true;
		request->waited = false;
		blk = rental_rent_new(request);
		if (IS_ERR(blk))
			break;
		blks[done++] = blk;
	}
	spin_lock(&client->lock);
	for (i = first; i < done; i++)
		bufpool_handle_issue(client, blks[i], bufpool_blk_place(blks[i]));
	spin_unlock(&client->lock);
	return done ?: blk ? PTR_ERR(blk) : -ERESTARTSYS;
}

static void rental_count_refused(struct bufpool_client *client, int err)
{
	enum bufpool_refusal why;

	if (err == -EAGAIN)
		why = BUFPOOL_REFUSED_AGAIN;
	else if (err == -EDQUOT)
		why = BUFPOOL_REFUSED_QUOTA;
	else if (err == -ENOMEM)
		why = BUFPOOL_REFUSED_MEMORY;
	else if (err == -ETIMEDOUT)
		why = BUFPOOL_REFUSED_TIMEOUT;
	else
		return;
	bufpool_client_count_refused(client, why);
}

/*
 * A block that the client has had does not become one that nothing can reach by being zeroed: a
 * channel may have refused it for that, and then there is no entry left to tell.
 */
static void rental_zero_warm(struct bufpool_blk **blks, unsigned int nr)
{
	while (nr--) {
		/* a fault that began before the block became warm may be in it still */
		blks[nr]->dirty |= READ_ONCE(blks[nr]->touched);
		if (blks[nr]->dirty)
			WRITE_ONCE(blks[nr]->touched, true);
		bufpool_blk_scrub(blks[nr]);
	}
}

/**
 * bufpool_rental_rent - get blocks for a client
 * @client: the owner to be
 * @request: what is wanted; is changed
 * @blks: room for @request->count pointers, gets the blocks; they have their
 *	handles, and wait for bufpool_rental_publish() or bufpool_rental_abort()
 *
 * Waits for the first block only, if at all. May sleep.
 *
 * Return: how many, at least 1, or -EDQUOT, -EAGAIN, -ETIMEDOUT, -ENOMEM,
 * -ERESTARTSYS.
 */
int bufpool_rental_rent(struct bufpool_client *client,
			struct bufpool_request *request,
			struct bufpool_blk **blks)
{
	int done = rental_take_warm(client, request, blks);

	if (request->zero)
		rental_zero_warm(blks, done);
	if (done == request->count)
		return done;
	request->client = client;
	/* for a task of another memory cgroup */
	if (unlikely(!request->branch))
		request->branch = bufpool_branch_get(client->account);
	done = request->branch ? rental_rent_more(request, done, blks) : done ?: -ENOMEM;
	if (unlikely(request->branch != client->branch) && request->branch)
		bufpool_supply_put_branch(request->branch);
	if (done < 0)
		rental_count_refused(client, done);
	return done;
}

static unsigned int rental_flags(const struct bufpool_blk *blk, bool warm)
{
	return (warm ? BUFPOOL_TRACE_WARM : 0) |
	       (blk->used ? BUFPOOL_TRACE_REUSED : 0) |
	       (blk->waited ? BUFPOOL_TRACE_WAITED : 0);
}

/* A block that was warm: it is the client's already. */
static inline void rental_publish_warm(struct bufpool_client *client,
				       struct bufpool_blk *blk)
{
	lockdep_assert_held(&client->lock);
	if (trace_bufpool_rent_enabled())
		trace_bufpool_rent(client, blk, rental_flags(blk, true));
	bufpool_blk_set_state(blk, BUFPOOL_BLK_RENTED);
}

static void rental_publish_new(struct bufpool_client *client,
			       struct bufpool_blk *blk)
{
	lockdep_assert_held(&client->lock);
	trace_bufpool_rent(client, blk, rental_flags(blk, false));
	blk->used = true;
	blk->waited = false;
	/* for a task of another memory cgroup than the client's */
	blk->foreign = bufpool_blk_slab(blk)->holding->branch != client->branch;
	bufpool_client_own(client, blk);
}

static inline void rental_count_rented(struct bufpool_client *client,
				       const struct bufpool_tally *tally)
{
	lockdep_assert_held(&client->lock);
	client->nr_rented += tally->blocks;
	client->rented_bytes += tally->bytes;
	client->rents += tally->blocks;
	client->warm_rents += tally->warm;
	bufpool_count_many(client->pool->counters, BUFPOOL_RENTS, tally->blocks);
	bufpool_count_many(client->pool->counters, BUFPOOL_REUSED, tally->reused);
}

/* One block that was warm is rented, or, with -1, has not been. */
static void rental_count_fast(struct bufpool_client *client, size_t size, int nr)
{
	rental_count_rented(client, &(struct bufpool_tally){
		.blocks = nr,
		.reused = nr,
		.warm = nr,
		.bytes = nr * (s64)size,
	});
}

/**
 * bufpool_rental_publish - make a client the owner of its new blocks
 * @client: which
 * @blks: what bufpool_rental_rent() filled
 * @tally: what that says of it
 */
void bufpool_rental_publish(struct bufpool_client *client,
			    struct bufpool_blk **blks,
			    const struct bufpool_tally *tally)
{
	int warm = tally->warm, i;

	spin_lock(&client->lock);
	for (i = 0; i < warm; i++)
		rental_publish_warm(client, blks[i]);
	for (; i < tally->blocks; i++)
		rental_publish_new(client, blks[i]);
	client->last_slab = bufpool_blk_slab(blks[i - 1]);
	rental_count_rented(client, tally);
	spin_unlock(&client->lock);
}

/**
 * bufpool_rental_rent_fast - rent the warm block that was used last
 * @client: the owner, and renter to be
 * @class: of which size
 * @report: is filled in
 *
 * The short way. The block is the client's all the time,
 * and its page-table entries stay as they are.
 *
 * Return: whether it is rented, if there is one and the ceiling admits it.
 */
bool bufpool_rental_rent_fast(struct bufpool_client *client,
			      struct bufpool_class *class,
			      struct bufpool_block *report)
{
	struct bufpool_warm *warm = READ_ONCE(client->warm[class->nr]);
	struct bufpool_blk *blk = NULL;
	struct bufpool_slab *slab;
	u32 place;

	if (!warm)
		return false;
	spin_lock(&client->lock);
	if (bufpool_warm_nr(warm) &&
	    bufpool_budget_used(&client->held) <= bufpool_client_ceiling(client)) {
		blk = bufpool_warm_pop(warm);
		bufpool_warm_count(warm, -1);
		slab = bufpool_blk_slab(blk);
		place = slab->place + blk->nr;
		client->last_slab = slab;
		bufpool_handle_issue(client, blk, place);
		rental_publish_warm(client, blk);
		rental_count_fast(client, bufpool_class_block_size(class), 1);
		bufpool_class_report(class, place, blk->generation, report);
	}
	spin_unlock(&client->lock);
	return blk;
}

/* Put back blocks that were taken from this client, which may reach them still. */
static void rental_give_up(struct bufpool_client *client,
			   struct list_head *batch, bool clear)
{
	struct bufpool_blk *blk, *next;

	bufpool_map_revoke(client, batch);
	list_for_each_entry_safe(blk, next, batch, node) {
		list_del_init(&blk->node);
		rental_put_blk(client, blk, clear);
	}
}

/* A block that was warm before it was to be rented is so again, or leaves. */
static void rental_keep_or_leave(struct bufpool_client *client,
				 struct bufpool_blk *blk,
				 struct list_head *batch)
{
	struct bufpool_class *class = bufpool_blk_class(blk);

	lockdep_assert_held(&client->lock);
	if (bufpool_blk_may_stay(blk) && bufpool_warm_room(client, class)) {
		bufpool_warm_push(client->warm[class->nr], blk);
		bufpool_warm_count(client->warm[class->nr], 1);
	} else {
		bufpool_client_disown(client, blk);
		list_move_tail(&blk->node, batch);
	}
}

/**
 * bufpool_rental_abort - undo bufpool_rental_rent()
 * @client: which
 * @blks: what bufpool_rental_rent() filled
 * @nr: how many
 */
void bufpool_rental_abort(struct bufpool_client *client,
			  struct bufpool_blk **blks, unsigned int nr)
{
	LIST_HEAD(batch);
	unsigned int i;

	spin_lock(&client->lock);
	for (i = 0; i < nr; i++) {
		if (blks[i]->owner)
			rental_keep_or_leave(client, blks[i], &batch);
		else
			list_add_tail(&blks[i]->node, &batch);
	}
	spin_unlock(&client->lock);
	rental_give_up(client, &batch, false);
	/* a waiter that came meanwhile has not seen the warm ones */
	bufpool_pool_wake_waiters(client->pool);
}

/* End a rental: the block is on the batch, and the caller owns it. */
static void rental_end(struct bufpool_client *client, struct bufpool_blk *blk,
		       struct list_head *batch)
{
	trace_bufpool_return(client, blk, 0);
	bufpool_client_disown(client, blk);
	list_move_tail(&blk->node, batch);
}

/* Return: the bytes in a run. */
static u64 rental_end_run(struct bufpool_client *client,
			  struct bufpool_class *class, unsigned int blocks,
			  unsigned int kept)
{
	if (kept)
		bufpool_warm_count(client->warm[class->nr], kept);
	return blocks ? (u64)blocks << class->shift : 0;
}

/*
 * End rentals. Blocks of one size that follow each other are a run, for which
 * room is looked for, and which is counted, once. There is none where the first is in a
 * slab that is drained; of others that are the waiter gets to know. What is exported, or in a
 * slab of others, is not kept. Return: how many, up to the first that is refused, or why.
 */
static int rental_end_many(struct bufpool_client *client, const u64 *handles,
			   unsigned int count, bool keep,
			   struct list_head *batch)
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
			bytes += rental_end_run(client, class, done - began, kept);
			class = client->last_slab->class;
			room = keep && !READ_ONCE(client->last_slab->draining) ?
			       bufpool_warm_room(client, class) : 0;
			began = done;
			kept = 0;
		}
		if (kept == room || !bufpool_blk_may_stay(blk)) {
			rental_end(client, blk, batch);
			continue;
		}
		kept++;
		bufpool_warm_push(client->warm[class->nr], blk);
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
	}
	bytes += rental_end_run(client, class, done - began, kept);
	bufpool_client_count_returned(client, done, bytes);
	return done ?: PTR_ERR(blk);
}

/**
 * bufpool_rental_return_fast - give a block back that can stay warm
 * @client: whose
 * @handle: of which block
 *
 * The short way, for a block in the slab of the one that was rented last, if that is
 * not being drained.
 *
 * Return: whether that is done; if not, nothing is, and bufpool_rental_return()
 * knows better.
 */
bool bufpool_rental_return_fast(struct bufpool_client *client, u64 handle)
{
	struct bufpool_class *class;
	struct bufpool_blk *blk;
	bool done = false;

	spin_lock(&client->lock);
	blk = bufpool_handle_lookup_fast(client, handle);
	if (blk && bufpool_handle_is_rented(client, blk, handle)) {
		class = client->last_slab->class;
		done = !READ_ONCE(client->last_slab->draining) && bufpool_blk_may_stay(blk) &&
		       bufpool_warm_room(client, class);
	}
	if (done) {
		bufpool_warm_push(client->warm[class->nr], blk);
		bufpool_warm_count(client->warm[class->nr], 1);
		bufpool_client_count_returned(client, 1, bufpool_class_block_size(class));
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
	}
	spin_unlock(&client->lock);
	if (done)
		bufpool_class_wake_waiters(class);
	return done;
}

/* Whether renters wait for blocks of these handles' classes. */
static bool rental_is_wanted(struct bufpool_pool *pool, const u64 *handles,
			     unsigned int nr)
{
	while (nr--)
		if (bufpool_pool_waiting_of(pool, bufpool_handle_class(pool, handles[nr])))
			return true;
	return false;
}

/* Tell waiters and pollers that blocks may have become warm; by their @nr handles. */
static void rental_wake_waiters(struct bufpool_pool *pool, const u64 *handles,
				unsigned int nr)
{
	/* as in bufpool_pool_wake_waiters() */
	smp_mb();
	if (bufpool_pool_waiting(pool) && rental_is_wanted(pool, handles, nr))
		bufpool_waitq_retry(pool);
	bufpool_poll_kick(pool);
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
	done = rental_end_many(client, handles, count, !flags, &batch);
	spin_unlock(&client->lock);

	if (!list_empty(&batch))
		rental_give_up(client, &batch, flags & BUFPOOL_RETURN_CLEAR);
	/* warm blocks can be had, too, and by now a renter may wait */
	if (done > 0 && !flags)
		rental_wake_waiters(client->pool, handles, done);
	return done;
}

/**
 * bufpool_rental_undo_fast - undo bufpool_rental_rent_fast()
 * @client: which
 * @handle: what it was told, and could not tell its caller
 *
 * A task that guessed the handle may have returned the block meanwhile, and then
 * nothing is left to be done. May sleep.
 */
void bufpool_rental_undo_fast(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;
	LIST_HEAD(batch);

	spin_lock(&client->lock);
	blk = bufpool_handle_lookup(client, handle);
	if (!IS_ERR(blk)) {
		rental_count_fast(client, bufpool_blk_size(blk), -1);
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
		rental_keep_or_leave(client, blk, &batch);
	}
	spin_unlock(&client->lock);
	rental_give_up(client, &batch, false);
	bufpool_pool_wake_waiters(client->pool);
}

/**
 * bufpool_rental_set_ceiling - bound what a client may hold
 * @client: which
 * @ceiling: bytes, rented and warm
 *
 * Warm blocks beyond the ceiling go. May sleep.
 *
 * Return: 0, or -EPERM for raising it without CAP_SYS_RESOURCE.
 */
int bufpool_rental_set_ceiling(struct bufpool_client *client, u64 ceiling)
{
	int err = bufpool_client_set_ceiling(client, ceiling);

	/* none becomes warm while more than the ceiling is held */
	while (!err && bufpool_budget_used(&client->held) >
		       bufpool_client_ceiling(client) &&
	       bufpool_evict_own(client))
		cond_resched();
	/* one that was at its ceiling may hold more, and what it gave up is for others */
	if (!err)
		bufpool_pool_wake_waiters(client->pool);
	return err;
}

/* Take any block from a client that is about to go, or NULL. */
static struct bufpool_blk *rental_claim_any(struct bufpool_client *client)
{
	struct bufpool_blk *blk;

	spin_lock(&client->lock);
	blk = list_first_entry_or_null(&client->blks, struct bufpool_blk, node);
	if (blk) {
		if (blk->state == BUFPOOL_BLK_RENTED) {
			bufpool_client_count_returned(client, 1, bufpool_blk_size(blk));
			trace_bufpool_return(client, blk, 0);
		}
		list_del_init(&blk->node);
		bufpool_client_disown(client, blk);
	}
	spin_unlock(&client->lock);
	return blk;
}

/**
 * bufpool_rental_end_all - give everything back that a client holds
 * @client: its file is being released
 *
 * Every mapping holds the file, and so does every call and every fault; so
 * there are none any more, and no page-table entry either. A thief that found
 * the client before may still unmap the block that it took. May sleep.
 */
void bufpool_rental_end_all(struct bufpool_client *client)
{
	struct bufpool_blk *blk;

	WARN_ON_ONCE(mapping_mapped(&client->mapping));
	WARN_ON_ONCE(atomic_read(&client->nr_mappings));
	bufpool_warm_drop_all(client);
	bufpool_kept_unlink_all(client);
	while ((blk = rental_claim_any(client)))
		rental_put_blk(client, blk, false);
}
