// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client: one open file description, and the blocks it rents.
 *
 * Renting ends with publishing: until then the blocks are in transit, so a call
 * that cannot tell its caller what it got puts them back as if it had never been.
 * Returning begins with claiming: from then on the blocks are in transit, and of
 * several returns of one block exactly one succeeds.
 */
#include <linux/capability.h>
#include <linux/hash.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include <linux/sched.h>
#include "bufpool.h"
#include "trace.h"

/*
 * The generation says for which rental of a block a handle is good, and also
 * whether a handle was ever this client's: it counts the handles that the client
 * was given, from a start that depends on client and block. So a handle
 * returned twice can be told from one that somebody else has, whatever has
 * become of the block since.
 */
static u32 generation_base(const struct bufpool_client *client, u32 place)
{
	return hash_64(place ^ client->cookie, 32);
}

static bool was_issued(const struct bufpool_client *client, u64 handle)
{
	u32 base = generation_base(client, upper_32_bits(handle));
	u32 serial = lower_32_bits(handle) - base;

	return serial && serial <= client->issued;
}

static size_t blk_size(struct bufpool_blk *blk)
{
	return bufpool_class_block_size(bufpool_blk_class(blk));
}

/* Under RCU. */
static struct bufpool_blk *find_handle(struct bufpool_pool *pool, u64 handle)
{
	u32 index = upper_32_bits(handle) & (BIT(BUFPOOL_INDEX_BITS) - 1);
	u32 nr = handle >> (BUFPOOL_INDEX_BITS + 32);

	if (nr >= pool->nr_classes)
		return NULL;
	nr = array_index_nospec(nr, pool->nr_classes);
	return bufpool_slab_find(&pool->classes[nr], index);
}

static bool join(struct bufpool_client *client, struct bufpool_pool *pool)
{
	mutex_lock(&pool->clients_lock);
	client->user = bufpool_user_get(pool);
	if (client->user) {
		list_add_tail(&client->node, &pool->clients);
		pool->nr_clients++;
	}
	mutex_unlock(&pool->clients_lock);
	return client->user;
}

/**
 * bufpool_client_create - make a client
 * @pool: where it is going to rent
 * @inode: the device's
 *
 * Return: the client, which the caller owns, or NULL.
 */
struct bufpool_client *bufpool_client_create(struct bufpool_pool *pool,
					     struct inode *inode)
{
	struct bufpool_client *client;
	unsigned int nr;

	/* whoever opens the device pays for it */
	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return NULL;
	client->pool = pool;
	address_space_init_once(&client->mapping);
	client->mapping.host = inode;
	client->mapping.a_ops = &empty_aops;
	init_rwsem(&client->mapping.invalidate_lock);
	mapping_set_gfp_mask(&client->mapping, GFP_USER);
	init_rwsem(&client->map_sem);
	client->cookie = get_random_u32();
	spin_lock_init(&client->lock);
	INIT_LIST_HEAD(&client->held);
	client->ceiling = U64_MAX;
	client->exempt = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	client->pid = task_tgid_nr(current);
	get_task_comm(client->comm, current);
	kref_init(&client->ref);
	for (nr = 0; nr < BUFPOOL_MAX_CLASSES; nr++)
		INIT_LIST_HEAD(&client->warm[nr].blks);
	if (!join(client, pool)) {
		kfree(client);
		return NULL;
	}
	return client;
}

/* Put back a block that the client does not own any more. May sleep. */
static void put(struct bufpool_client *client, struct bufpool_blk *blk,
		bool clear)
{
	list_del_init(&blk->node);
	bufpool_blk_leave(blk);
	if (clear)
		bufpool_blk_scrub(blk);
	bufpool_user_uncharge(client, blk_size(blk));
	bufpool_class_put(blk);
	cond_resched();
}

/**
 * bufpool_client_destroy - give everything back that the client holds
 * @client: its file is being released
 *
 * Every mapping holds the file, and so does every call and every fault; so
 * there are none any more, and no page-table entry either. Others may look
 * through its warm blocks until it is off the pool's list.
 */
void bufpool_client_destroy(struct bufpool_client *client)
{
	struct bufpool_pool *pool = client->pool;
	struct bufpool_blk *blk, *next;

	WARN_ON_ONCE(mapping_mapped(&client->mapping));
	WARN_ON_ONCE(atomic_read(&client->nr_mappings));
	list_for_each_entry_safe(blk, next, &client->held, node) {
		WRITE_ONCE(blk->owner, NULL);
		bufpool_count(pool, BUFPOOL_RETURNS);
		trace_bufpool_return(client, blk, 0);
		put(client, blk, false);
	}
	bufpool_warm_trim(client, 0);

	mutex_lock(&pool->clients_lock);
	list_del(&client->node);
	pool->nr_clients--;
	/* who steals from it holds a reference, and may have yet to settle */
	mutex_unlock(&pool->clients_lock);
	bufpool_client_put(client);
}

static void free_client(struct kref *ref)
{
	struct bufpool_client *client =
		container_of(ref, struct bufpool_client, ref);

	mutex_lock(&client->pool->clients_lock);
	bufpool_user_put(client->pool, client->user);
	mutex_unlock(&client->pool->clients_lock);
	kfree(client);
}

/* Let go of a client. May sleep. */
void bufpool_client_put(struct bufpool_client *client)
{
	kref_put(&client->ref, free_client);
}

/* Return: how many of @count blocks the ceiling admits. */
static unsigned int charge(struct bufpool_client *client, size_t size,
			   unsigned int count)
{
	u64 bytes = (u64)count * size, room = 0;

	lockdep_assert_held(&client->lock);
	if (client->ceiling > client->charged)
		room = client->ceiling - client->charged;
	if (bytes > room) {
		count = div64_u64(room, size);
		bytes = (u64)count * size;
	}
	if (!count)
		trace_bufpool_limit_hit(BUFPOOL_BOUND_CEILING, size,
					client->charged, client->ceiling);
	client->charged += bytes;
	return count;
}

static bool charge_one(struct bufpool_client *client, size_t size)
{
	unsigned int count;

	spin_lock(&client->lock);
	count = charge(client, size, 1);
	spin_unlock(&client->lock);
	return count;
}

static void uncharge_one(struct bufpool_client *client, size_t size)
{
	spin_lock(&client->lock);
	client->charged -= size;
	spin_unlock(&client->lock);
}

/* Have a warm block of the user's give way, unless all of them would in vain. */
static bool make_room(struct bufpool_client *client, size_t size)
{
	struct bufpool_user *user = client->user;
	u64 warm = bufpool_warm_of_user(client->pool, user);
	u64 held = atomic_long_read(&user->held);
	struct bufpool_blk *blk = NULL;

	if (held + size <= bufpool_user_quota(client) + warm)
		blk = bufpool_warm_steal(client->pool, NULL, user);
	if (blk)
		bufpool_class_put(blk);
	return blk;
}

/* Charge the user too, whose warm blocks make room if they have to. */
static int charge_all(struct bufpool_client *client, size_t size)
{
	if (!charge_one(client, size))
		return -EDQUOT;
	while (!bufpool_user_charge(client, size)) {
		if (make_room(client, size))
			continue;
		uncharge_one(client, size);
		return -EDQUOT;
	}
	return 0;
}

static void uncharge_all(struct bufpool_client *client, size_t size)
{
	bufpool_user_uncharge(client, size);
	uncharge_one(client, size);
}

/* Give the block in a place its handle. */
static void issue(struct bufpool_client *client, struct bufpool_blk *blk,
		  u32 place)
{
	u32 base = generation_base(client, place);

	lockdep_assert_held(&client->lock);
	/* no handle is 0, so that programs can use 0 for none */
	do {
		client->issued++;
		blk->generation = base + lower_32_bits(client->issued);
	} while (!blk->generation);
}

static void issue_all(struct bufpool_client *client, struct list_head *batch)
{
	struct bufpool_blk *blk;

	list_for_each_entry(blk, batch, node)
		issue(client, blk, bufpool_blk_place(blk));
}

/* Take warm blocks, under one lock. Return: how many, or -EDQUOT. */
static int rent_warm(struct bufpool_client *client,
		     struct bufpool_request *request, struct list_head *batch)
{
	size_t size = bufpool_class_block_size(request->class);
	unsigned int admitted, done;

	spin_lock(&client->lock);
	admitted = charge(client, size, request->count);
	done = bufpool_warm_take(client, request->class, admitted, batch);
	client->charged -= (u64)(admitted - done) * size;
	/* who has been warm has been rented before */
	request->tally = (struct bufpool_tally){
		.blocks = done,
		.reused = done,
		.warm = done,
		.bytes = (u64)done * size,
	};
	issue_all(client, batch);
	spin_unlock(&client->lock);
	return admitted ? done : -EDQUOT;
}

static size_t rest(const struct bufpool_request *request,
		   struct bufpool_blk *blk)
{
	return blk_size(blk) - bufpool_class_block_size(request->class);
}

/**
 * bufpool_client_charge_rest - charge what a block has more than was asked for
 * @request: by whom; the size asked for has been charged
 * @blk: of a larger class, in transit
 *
 * Nobody needs the block to be larger, so no warm block gives way to that.
 *
 * Return: whether ceiling and quota admit it.
 */
bool bufpool_client_charge_rest(const struct bufpool_request *request,
				struct bufpool_blk *blk)
{
	struct bufpool_client *client = request->client;
	size_t more = rest(request, blk);

	if (!charge_one(client, more))
		return false;
	if (bufpool_user_charge(client, more))
		return true;
	uncharge_one(client, more);
	return false;
}

/* Undo bufpool_client_charge_rest(). */
void bufpool_client_uncharge_rest(const struct bufpool_request *request,
				  struct bufpool_blk *blk)
{
	uncharge_all(request->client, rest(request, blk));
}

/* Rent one block that is not warm. */
static int rent_new(struct bufpool_client *client,
		    struct bufpool_request *request, struct list_head *batch)
{
	size_t size = bufpool_class_block_size(request->class);
	struct bufpool_blk *blk;
	int err = charge_all(client, size);

	if (err)
		return err;
	blk = bufpool_rent(request);
	if (IS_ERR(blk)) {
		uncharge_all(client, size);
		return PTR_ERR(blk);
	}
	blk->waited = request->waited;
	list_add_tail(&blk->node, batch);
	request->tally.blocks++;
	request->tally.reused += blk->used;
	request->tally.bytes += blk_size(blk);
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
	issue_all(client, &fresh);
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
 * bufpool_client_rent - get blocks for a client
 * @client: who is going to own them
 * @request: what is wanted; is changed
 * @batch: an empty list, gets the blocks; they have their handles, and wait for
 *	bufpool_client_publish() or bufpool_client_abort()
 *
 * Waits for the first block only, if at all. May sleep.
 *
 * Return: how many, at least 1, or -EDQUOT, -EAGAIN, -ETIMEDOUT, -ENOMEM,
 * -ERESTARTSYS.
 */
int bufpool_client_rent(struct bufpool_client *client,
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

static inline void publish(struct bufpool_client *client, struct bufpool_blk *blk)
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
	bufpool_count_many(client->pool, BUFPOOL_RENTS, tally->blocks);
	bufpool_count_many(client->pool, BUFPOOL_REUSED, tally->reused);
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
	bufpool_count_many(client->pool, BUFPOOL_RETURNS, blocks);
}

/**
 * bufpool_client_publish - make a client the owner of its new blocks
 * @client: whose
 * @batch: what bufpool_client_rent() filled; not empty
 * @tally: what that says of it
 */
void bufpool_client_publish(struct bufpool_client *client,
			    struct list_head *batch,
			    const struct bufpool_tally *tally)
{
	struct bufpool_blk *blk;

	spin_lock(&client->lock);
	list_for_each_entry(blk, batch, node)
		publish(client, blk);
	client->near = bufpool_blk_slab(list_last_entry(batch,
							struct bufpool_blk,
							node));
	list_splice_tail_init(batch, &client->held);
	count_rented(client, tally);
	spin_unlock(&client->lock);
}

/**
 * bufpool_client_rent_latest - rent the warm block that was used last
 * @client: who owns it, and is going to rent it
 * @class: of which size
 * @report: is filled in
 *
 * The short way. Nothing is in transit: the block is the client's all the time,
 * and its page-table entries stay as they are.
 *
 * Return: whether it is rented, if there is one and the ceiling admits it.
 */
bool bufpool_client_rent_latest(struct bufpool_client *client,
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
		client->near = slab;
		client->charged += size;
		list_bulk_move_tail(&client->held, &blk->node, &blk->node);
		issue(client, blk, place);
		publish(client, blk);
		count_latest(client, size, 1);
		bufpool_class_report(class, place, blk->generation, report);
	}
	spin_unlock(&client->lock);
	return blk;
}

/* Put back blocks in transit that this client could reach. */
static void give_up(struct bufpool_client *client, struct list_head *batch,
		    bool clear)
{
	struct bufpool_blk *blk, *next;

	bufpool_map_fence(client);
	list_for_each_entry_safe(blk, next, batch, node) {
		bufpool_map_unmap(client, blk);
		put(client, blk, clear);
	}
}

/**
 * bufpool_client_abort - undo bufpool_client_rent()
 * @client: who asked
 * @batch: what bufpool_client_rent() filled; may be empty
 */
void bufpool_client_abort(struct bufpool_client *client,
			  struct list_head *batch)
{
	struct bufpool_blk *blk, *next;

	spin_lock(&client->lock);
	list_for_each_entry_safe(blk, next, batch, node) {
		client->charged -= blk_size(blk);
		if (blk->warm &&
		    bufpool_warm_keep(client, bufpool_blk_class(blk), blk))
			continue;
		bufpool_client_lose(client, blk);
		WRITE_ONCE(blk->warm, false);
	}
	spin_unlock(&client->lock);
	give_up(client, batch, false);
	/* who began to wait meanwhile has not seen the warm ones */
	bufpool_pool_announce(client->pool);
}

/**
 * bufpool_client_holds - whether a block is this client's
 * @client: whose map_sem or lock is held, if the answer is to last
 * @blk: any, under RCU
 */
bool bufpool_client_holds(struct bufpool_client *client,
			  struct bufpool_blk *blk)
{
	/* pairs with bufpool_client_publish() */
	return smp_load_acquire(&blk->owner) == client;
}

static bool is_rented(struct bufpool_client *client, struct bufpool_blk *blk,
		      u64 handle)
{
	return bufpool_client_holds(client, blk) && !blk->warm &&
	       blk->generation == lower_32_bits(handle);
}

/* The block of a handle, if it is in the slab that was used last. */
static struct bufpool_blk *find_near(struct bufpool_client *client, u64 handle)
{
	struct bufpool_slab *slab = client->near;
	u32 nr, per_slab;

	if (!slab)
		return NULL;
	nr = upper_32_bits(handle) - slab->place;
	per_slab = slab->class->per_slab;
	if (nr >= per_slab)
		return NULL;
	return &slab->blks[array_index_nospec(nr, per_slab)];
}

/* The same wherever it is, if it is rented. */
static struct bufpool_blk *find_far(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;

	rcu_read_lock();
	blk = find_handle(client->pool, handle);
	if (blk && is_rented(client, blk, handle))
		client->near = bufpool_blk_slab(blk);
	else
		blk = NULL;
	rcu_read_unlock();
	return blk;
}

/* Find a rented block by its handle. */
static __always_inline struct bufpool_blk *
find_rented(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;

	lockdep_assert_held(&client->lock);
	blk = find_near(client, handle);
	if (!blk)
		blk = find_far(client, handle);
	if (blk && is_rented(client, blk, handle))
		return blk;
	return ERR_PTR(was_issued(client, handle) ? -ESTALE : -ENOENT);
}

/* End a rental: the block is in transit on the batch. */
static void let_go(struct bufpool_client *client, struct bufpool_blk *blk,
		   struct list_head *batch)
{
	trace_bufpool_return(client, blk, 0);
	bufpool_client_lose(client, blk);
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
		blk = find_rented(client, handles[done]);
		if (IS_ERR(blk))
			break;
		/* whatever was found is in that slab */
		if (client->near->class != class) {
			bytes += end_run(client, class, done - began, kept);
			class = client->near->class;
			room = keep ? bufpool_warm_room(client, class) : 0;
			began = done;
			kept = 0;
		}
		if (kept == room) {
			let_go(client, blk, batch);
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
 * bufpool_client_return_near - give a block back that can stay warm
 * @client: whose
 * @handle: of which block
 *
 * The short way, for a block near the one that was rented last.
 *
 * Return: whether that is done; if not, nothing is, and bufpool_client_return()
 * knows better.
 */
bool bufpool_client_return_near(struct bufpool_client *client, u64 handle)
{
	struct bufpool_class *class = NULL;
	struct bufpool_blk *blk;
	bool done = false;

	spin_lock(&client->lock);
	blk = find_near(client, handle);
	if (blk && is_rented(client, blk, handle)) {
		class = client->near->class;
		done = bufpool_warm_keep(client, class, blk);
	}
	if (done) {
		count_returned(client, 1, bufpool_class_block_size(class));
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
	}
	spin_unlock(&client->lock);
	if (done)
		bufpool_pool_announce(client->pool);
	return done;
}

/**
 * bufpool_client_return - give blocks back
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
int bufpool_client_return(struct bufpool_client *client, const u64 *handles,
			  unsigned int count, u32 flags)
{
	LIST_HEAD(batch);
	int done;

	spin_lock(&client->lock);
	done = end_rentals(client, handles, count, !flags, &batch);
	spin_unlock(&client->lock);

	if (!list_empty(&batch))
		give_up(client, &batch, flags & BUFPOOL_RETURN_CLEAR);
	/* warm blocks can be had, too, and by now somebody may wait */
	if (done > 0 && !flags)
		bufpool_pool_announce(client->pool);
	return done;
}

/**
 * bufpool_client_unrent - undo bufpool_client_rent_latest()
 * @client: who asked
 * @handle: what it was told, and could not tell its caller
 *
 * Whoever guessed the handle may have returned the block meanwhile, and then
 * nothing is left to be done. May sleep.
 */
void bufpool_client_unrent(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;
	LIST_HEAD(batch);

	spin_lock(&client->lock);
	blk = find_rented(client, handle);
	if (!IS_ERR(blk)) {
		count_latest(client, blk_size(blk), -1);
		trace_bufpool_return(client, blk, BUFPOOL_TRACE_WARM);
		WRITE_ONCE(blk->warm, true);
		list_move_tail(&blk->node, &batch);
	}
	spin_unlock(&client->lock);
	bufpool_client_abort(client, &batch);
}

/**
 * bufpool_client_set_ceiling - limit what a client may hold
 * @client: which
 * @ceiling: bytes
 *
 * Return: 0, or -EPERM for raising it without CAP_SYS_RESOURCE.
 */
int bufpool_client_set_ceiling(struct bufpool_client *client, u64 ceiling)
{
	bool raise;

	spin_lock(&client->lock);
	raise = ceiling > client->ceiling;
	if (!raise)
		client->ceiling = ceiling;
	spin_unlock(&client->lock);

	if (!raise)
		return 0;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	spin_lock(&client->lock);
	client->ceiling = ceiling;
	spin_unlock(&client->lock);
	return 0;
}

/* Fill in what BUFPOOL_IOC_STATS says of the client. */
void bufpool_client_stats(struct bufpool_client *client,
			  struct bufpool_stats *stats)
{
	spin_lock(&client->lock);
	stats->client_rents = client->rents;
	stats->client_returns = client->returns;
	stats->client_blocks = client->nr_held;
	stats->client_bytes = client->held_bytes;
	stats->client_ceiling = client->ceiling;
	stats->client_warm_blocks = client->nr_warm;
	stats->client_warm_bytes = client->warm_bytes;
	stats->client_warm_rents = client->warm_rents;
	stats->user_held = atomic_long_read(&client->user->held);
	stats->user_quota = bufpool_user_quota(client);
	spin_unlock(&client->lock);

	/* the largest that can be counted is none */
	if (stats->user_quota == LONG_MAX)
		stats->user_quota = U64_MAX;
}
