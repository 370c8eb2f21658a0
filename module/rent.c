// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding a block for a renter whose client has no warm one.
 *
 * In this order: a free block of the class, of the account's own or in a slab that is
 * nobody's; a new slab within limit and quota; a free block of a larger class; the
 * longest unused warm block of the class that the account has, whichever client; a new
 * slab in the place of warm blocks of any class and account; a warm block of a larger
 * class; what is set aside for the class; waiting.
 *
 * A block of another account is no use as it is: its slab is that account's, until all of
 * it is free.
 *
 * Nothing here waits for another task: memory is had without a lock, warm blocks
 * are taken from clients that can be taken from at once, and no more than
 * BUFPOOL_STEALS_MAX in one call.
 */
#include "bufpool.h"

static struct bufpool_blk *rent_take_new(const struct bufpool_request *request,
					 struct bufpool_class *class, bool own)
{
	struct bufpool_blk *blk;

	spin_lock(&class->lock);
	blk = bufpool_class_take_new(class, bufpool_rent_holding(request, class),
				     bufpool_client_quota(request->client), own);
	spin_unlock(&class->lock);
	return blk;
}

/* A free block, if no waiter is about to have it. */
static struct bufpool_blk *rent_take_free(const struct bufpool_request *request)
{
	return rent_take_new(request, request->class, false);
}

/* A block of the reserve, if the class has one: the last resort before there is none. */
static struct bufpool_blk *rent_take_reserved(const struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_blk *blk;

	if (!READ_ONCE(class->reserve_bytes))
		return NULL;
	spin_lock(&class->lock);
	blk = bufpool_class_take_reserved(class, bufpool_rent_holding(request, class),
					  bufpool_client_quota(request->client));
	spin_unlock(&class->lock);
	return blk;
}

/*
 * A block of a larger class: what is nobody's could be for those who wait for the size
 * that was asked for.
 */
static struct bufpool_blk *rent_take_larger(const struct bufpool_request *request,
					    struct bufpool_class *class)
{
	return rent_take_new(request, class,
			     !request->waited &&
			     bufpool_class_has_waiters(request->class));
}

/* The longest unused warm block of a class that the branch has. */
static struct bufpool_blk *rent_take_own(struct bufpool_request *request,
					 struct bufpool_class *class)
{
	struct bufpool_holding *holding = bufpool_rent_holding(request, class);
	struct bufpool_blk *blk = NULL;

	if (bufpool_rent_may_steal(request))
		blk = bufpool_evict_steal_from(holding);
	/* as a task of another cgroup rented it */
	if (blk && bufpool_blk_slab(blk)->holding != holding) {
		bufpool_supply_put(blk);
		return NULL;
	}
	return blk;
}

static size_t rent_rest(const struct bufpool_request *request,
			struct bufpool_blk *blk)
{
	return bufpool_blk_size(blk) - bufpool_class_block_size(request->class);
}

/* Put back a larger block that was found for a request. */
void bufpool_rent_put_larger(const struct bufpool_request *request,
			     struct bufpool_blk *blk)
{
	bufpool_budget_uncharge(&request->client->held, rent_rest(request, blk));
	bufpool_supply_put(blk);
}

/*
 * A larger block, or NULL if the client may not have that: what is more than was asked for
 * is charged to it. The renter did not ask for a larger block, so no warm block gives way.
 */
static struct bufpool_blk *rent_admit(struct bufpool_request *request,
				      struct bufpool_blk *blk)
{
	struct bufpool_client *client = request->client;

	if (!blk || bufpool_budget_charge(&client->held, rent_rest(request, blk),
					  bufpool_client_ceiling(client)))
		return blk;
	bufpool_supply_put(blk);
	request->exact = true;
	return NULL;
}

static __always_inline struct bufpool_blk *rent_larger(struct bufpool_request *request,
						       bool from_clients)
{
	struct bufpool_class *class = request->class;
	struct bufpool_blk *blk = NULL;
	unsigned int i;

	if (request->exact)
		return NULL;
	for (i = 0; !blk && i < BUFPOOL_LARGER_CLASSES; i++) {
		class = bufpool_pool_larger_class(class);
		if (!class)
			break;
		blk = rent_take_larger(request, class);
		if (!blk && from_clients)
			blk = rent_take_own(request, class);
	}
	return rent_admit(request, blk);
}

/**
 * bufpool_rent_larger - take a free block of a larger class
 * @request: there is none in its own class
 *
 * May sleep.
 *
 * Return: the block, which the caller owns, maybe dirty, and charged; or NULL.
 */
struct bufpool_blk *bufpool_rent_larger(struct bufpool_request *request)
{
	return rent_larger(request, false);
}

/**
 * bufpool_rent_larger_warm - take a block of a larger class, from a client too
 * @request: its own class can get none, though warm blocks were given up for that;
 *	some of these may be of a larger class, and free now
 *
 * May sleep.
 *
 * Return: the block, which the caller owns, maybe dirty, and charged; or NULL.
 */
struct bufpool_blk *bufpool_rent_larger_warm(struct bufpool_request *request)
{
	return rent_larger(request, true);
}

/* Whether the quota admits a slab for a request, be there room or not. */
bool bufpool_rent_may_grow(struct bufpool_request *request)
{
	struct bufpool_client *client = request->client;

	return bufpool_supply_may_grow(request->class, client->account,
				       bufpool_client_quota(client));
}

/**
 * bufpool_rent_grow - make blocks for a class that has none, within limit and quota
 * @request: for which
 * @waiter: that asks, or NULL
 * @keep: gets a block, for the caller to own, if waiters leave one; or NULL
 *
 * May sleep.
 *
 * Return: 0 if there was anything; -EAGAIN, -EDQUOT, -ENOMEM.
 */
int bufpool_rent_grow(struct bufpool_request *request,
		      const struct bufpool_waiter *waiter, struct bufpool_blk **keep)
{
	struct bufpool_client *client = request->client;

	if (!bufpool_rent_may_grow(request))
		return -EDQUOT;
	if (!bufpool_waitq_is_turn(request->class, waiter))
		return -EAGAIN;
	return bufpool_supply_grow(request->class,
				   bufpool_rent_holding(request, request->class),
				   bufpool_client_quota(client), keep);
}

/**
 * bufpool_rent_grow_for_warm - grow in the place of warm blocks of any class
 * @request: for which; its class cannot grow within the limit
 * @waiter: that asks, or NULL
 * @keep: gets a block, for the caller to own, if waiters leave one; or NULL
 *
 * A newcomer takes whatever is warm or kept, once; a waiter, which looks again and again,
 * what was not used for a while, since each look would take all from those who use it.
 * May sleep.
 *
 * Return: 0 if there was anything; -EAGAIN, -EDQUOT, -ENOMEM.
 */
int bufpool_rent_grow_for_warm(struct bufpool_request *request,
			       const struct bufpool_waiter *waiter,
			       struct bufpool_blk **keep)
{
	struct bufpool_class *class = request->class;
	struct bufpool_pool *pool = class->pool;
	struct bufpool_blk *blk;
	int err = -EAGAIN;

	bufpool_take_look(pool);
	/* not in vain */
	if (!bufpool_waitq_is_turn(class, waiter) ||
	    bufpool_supply_unused(pool) <
	    bufpool_pool_missing(pool, class->slab_size))
		return err;
	while (err == -EAGAIN && bufpool_rent_may_steal(request)) {
		blk = bufpool_evict_steal(pool, waiter);
		if (!blk)
			break;
		bufpool_supply_put(blk);
		/* a slab of the class may be wholly free by that */
		if (keep)
			*keep = rent_take_free(request);
		err = keep && *keep ? 0 : bufpool_rent_grow(request, waiter, keep);
	}
	return err;
}

/**
 * bufpool_rent_evict_for_quota - have what an account does not use make room for it
 * @request: its class cannot grow within the quota
 *
 * May sleep.
 *
 * Return: whether a block was given up, and it is worth trying again; not where all that
 * is not used would not do.
 */
bool bufpool_rent_evict_for_quota(struct bufpool_request *request)
{
	struct bufpool_client *client = request->client;
	size_t size = bufpool_class_block_size(request->class);
	u64 unused = bufpool_account_warm(client->account);
	struct bufpool_blk *blk;

	if (bufpool_kept_is_possible(client->pool)) {
		bufpool_evict_look_at_account(client->account);
		unused += bufpool_branches_kept(client->account);
	}
	if (!unused || bufpool_branches_out(client->account) + size >
		       bufpool_client_quota(client) + unused ||
	    !bufpool_rent_may_steal(request))
		return false;
	blk = bufpool_evict_steal_from_account(client->account);
	if (blk)
		bufpool_supply_put(blk);
	return blk;
}

/**
 * bufpool_rent_steal - take a block of the class from a client of the account's
 * @request: for which
 * @keep: gets it, for the caller to own, if no waiter does; or NULL
 *
 * May sleep.
 *
 * Return: whether there was one.
 */
bool bufpool_rent_steal(struct bufpool_request *request,
			struct bufpool_blk **keep)
{
	struct bufpool_blk *blk = rent_take_own(request, request->class);

	if (blk)
		bufpool_supply_put_or_take(blk, keep);
	return blk;
}

/* Grow in the place of what the account does not use. */
static int rent_grow_for_own(struct bufpool_request *request, struct bufpool_blk **blk)
{
	int err = -EDQUOT;

	while (err == -EDQUOT && bufpool_rent_evict_for_quota(request)) {
		*blk = rent_take_free(request);
		err = *blk ? 0 : bufpool_rent_grow(request, NULL, blk);
	}
	return err;
}

/* Grow in the place of what the client does not use, where its cgroup is full. */
static int rent_grow_in_memcg(struct bufpool_request *request, struct bufpool_blk **blk)
{
	int err = -ENOSPC;

	while (err == -ENOSPC && bufpool_rent_may_steal(request) &&
	       bufpool_evict_own(request->client)) {
		*blk = rent_take_free(request);
		err = *blk ? 0 : bufpool_rent_grow(request, NULL, blk);
	}
	return err;
}

/* A block that was made, or that was left when others were served with what was. */
static struct bufpool_blk *rent_result(struct bufpool_request *request,
				       struct bufpool_blk *blk, int err)
{
	if (!blk && !err)
		blk = rent_take_free(request);
	return blk ?: ERR_PTR(err ?: -EAGAIN);
}

/**
 * bufpool_rent_find - look for a block everywhere, without waiting for one
 * @request: what is wanted
 *
 * May sleep.
 *
 * Return: a block, which the caller owns, maybe dirty, maybe of a larger class and
 * then charged for the rest of that; or ERR_PTR(): -EAGAIN, -EDQUOT, -ENOSPC where its
 * memory cgroup is full, -ENOMEM.
 */
struct bufpool_blk *bufpool_rent_find(struct bufpool_request *request)
{
	struct bufpool_class *class = request->class;
	struct bufpool_holding *holding = bufpool_rent_holding(request, class);
	struct bufpool_blk *blk = rent_take_free(request), *larger = NULL;
	int err;

	if (blk)
		return blk;
	err = bufpool_rent_grow(request, NULL, &blk);
	if (!err)
		return rent_result(request, blk, err);
	if (!bufpool_waitq_wants_larger(holding))
		larger = bufpool_rent_larger(request);
	if (larger)
		return larger;
	if (err == -EDQUOT) {
		err = rent_grow_for_own(request, &blk);
		return rent_result(request, blk, err);
	}
	if (err == -ENOSPC)
		err = rent_grow_in_memcg(request, &blk);
	if (err && bufpool_rent_steal(request, &blk))
		err = 0;
	else if (err == -EAGAIN)
		err = bufpool_rent_grow_for_warm(request, NULL, &blk);
	if (!err)
		return rent_result(request, blk, err);
	if (!bufpool_waitq_wants_larger(holding))
		larger = bufpool_rent_larger_warm(request);
	/* the reserve is charged to no cgroup, and is no way past the bound of one */
	if (!larger && err != -ENOSPC)
		larger = rent_take_reserved(request);
	return larger ?: ERR_PTR(err);
}

/*
 * Whether there may be room for a slab. Where there are warm blocks this says
 * yes too often; a rent that tries has them given up, so it does not say so twice.
 */
static bool rent_could_grow(struct bufpool_class *class)
{
	struct bufpool_pool *pool = class->pool;
	size_t least = bufpool_class_least_slab(class);

	if (!bufpool_waitq_is_turn(class, NULL))
		return false;
	if (bufpool_supply_idle(pool) >= bufpool_pool_missing(pool, least))
		return true;
	return (bufpool_supply_warm(pool) || bufpool_kept_of_pool(pool)) &&
	       bufpool_supply_unused(pool) >=
	       bufpool_pool_missing(pool, class->slab_size);
}

/*
 * Whether a client may hold a block more: what it keeps without need would give way, and so
 * would what is warm.
 */
static bool rent_could_hold(struct bufpool_client *client, const struct bufpool_class *class)
{
	/* a rent would ask again */
	s64 rented = data_race(READ_ONCE(client->rented_bytes));
	s64 held = rented - max(atomic_long_read(&client->kept_seen), 0L);

	return held + (s64)bufpool_class_block_size(class) <=
	       (s64)bufpool_client_ceiling(client);
}

/*
 * Whether its account may have a slab more, or gives up what it does not use for it, as
 * bufpool_rent_evict_for_quota() has it do.
 */
static bool rent_could_charge(struct bufpool_client *client, struct bufpool_class *class)
{
	struct bufpool_account *account = client->account;
	u64 quota = bufpool_client_quota(client), unused;

	if (bufpool_budget_used(&account->pinned) + bufpool_class_least_slab(class) <= quota)
		return true;
	unused = bufpool_account_warm(account) + bufpool_branches_kept(account);
	return unused && bufpool_branches_out(account) + bufpool_class_block_size(class) <=
			 quota + unused;
}

/* Whether a client may have what is free in slabs of its account. */
static bool rent_could_take_own(const struct bufpool_client *client)
{
	return !client || bufpool_budget_used(&client->account->pinned) <=
			  bufpool_client_quota(client);
}

/* Whether a class has a block for a newcomer: for this client's, or for any. */
static bool rent_could_take(struct bufpool_class *class, struct bufpool_client *client)
{
	const struct bufpool_holding *holding =
		client ? bufpool_client_holding(client, class) : NULL;
	bool claims;

	if (bufpool_class_has_free(class, holding, &claims) &&
	    (claims ? rent_could_charge(client, class) : rent_could_take_own(client)))
		return true;
	if (bufpool_kept_seen(holding ? &holding->kept : &class->kept))
		return true;
	/* an order may have stacks that are empty by now */
	return !bufpool_lru_is_empty(holding ? &holding->warm : &class->warm) &&
	       bufpool_counters_warm(class->pool->counters, class->nr);
}

/**
 * bufpool_rent_could - whether a block of a class can be had now
 * @class: which
 * @client: for whom, or NULL: for any
 *
 * Without taking it. May sleep.
 */
bool bufpool_rent_could(struct bufpool_class *class, struct bufpool_client *client)
{
	struct bufpool_class *larger = class;
	unsigned int i;

	if (bufpool_pool_missing(class->pool, 0))
		return false;
	bufpool_take_look(class->pool);
	if (client && !rent_could_hold(client, class))
		return false;
	if (rent_could_take(class, client) ||
	    (rent_could_grow(class) && (!client || rent_could_charge(client, class))))
		return true;
	if (client && bufpool_waitq_wants_larger(bufpool_client_holding(client, class)))
		return false;
	for (i = 0; i < BUFPOOL_LARGER_CLASSES; i++) {
		larger = bufpool_pool_larger_class(larger);
		if (!larger)
			break;
		if (rent_could_take(larger, client))
			return true;
	}
	return false;
}
