// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pool: its classes, and what it is configured with.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include "bufpool.h"

static int config_check_power(const char *what, unsigned long value, size_t least,
			      size_t most)
{
	if (is_power_of_2(value) && value >= least && value <= most)
		return 0;
	pr_err("%s=%lu is not accepted: give a power of two from %zu to %zu bytes\n",
	       what, value, least, most);
	return -EINVAL;
}

static int config_check_range(const char *what, unsigned long value,
			      unsigned long least, unsigned long most)
{
	if (value >= least && value <= most)
		return 0;
	pr_err("%s=%lu is not accepted: give %lu to %lu\n", what, value, least,
	       most);
	return -EINVAL;
}

/**
 * bufpool_config_check - see whether what may change at run time is in range
 * @config: what is wanted
 *
 * Says in the log what is wrong.
 *
 * Return: 0 or -EINVAL.
 */
int bufpool_config_check(const struct bufpool_config *config)
{
	unsigned long most = totalram_pages() << PAGE_SHIFT;

	return config_check_range("limit", config->limit, config->slab_size, most) ?:
	       (!config->quota ? 0 :
		config_check_range("quota", config->quota, PAGE_SIZE, LONG_MAX)) ?:
	       (!config->share ? 0 :
		config_check_range("share", config->share, PAGE_SIZE, LONG_MAX)) ?:
	       config_check_range("max_clients", config->max_clients, 1, INT_MAX) ?:
	       config_check_range("max_waiters", config->max_waiters, 1, INT_MAX) ?:
	       config_check_range("floor", config->floor, 0, most) ?:
	       config_check_range("warm_blocks", config->warm_blocks, 0, U16_MAX) ?:
	       config_check_range("warm_bytes", config->warm_bytes, 0, most) ?:
	       config_check_range("trim_ms", config->trim_ms, 10, 3600000);
}

static int config_check(const struct bufpool_config *config, size_t largest)
{
	return config_check_power("slab_size", config->slab_size,
			   BUFPOOL_SLAB_SIZE_MIN, largest) ?:
	       (config->max_pooled == ULONG_MAX ? 0 :
		config_check_power("max_pooled", config->max_pooled, PAGE_SIZE,
				   largest)) ?:
	       bufpool_config_check(config);
}

/* Classes of one backing, from one page up. Return: bytes in the largest block, or an error. */
static ssize_t pool_add_classes(struct bufpool_pool *pool,
				const struct bufpool_backing *backing, size_t largest)
{
	size_t size;
	int err;

	for (size = PAGE_SIZE; size <= largest && pool->nr_classes < BUFPOOL_MAX_CLASSES;
	     size <<= 1) {
		err = bufpool_class_init(&pool->classes[pool->nr_classes], pool, backing, size);
		if (err)
			return err;
		pool->nr_classes++;
	}
	return size >> 1;
}

/* As long as slabs for them can be had. */
static int pool_init_classes(struct bufpool_pool *pool, size_t largest)
{
	ssize_t most = pool_add_classes(pool, &bufpool_backing_slab, largest);

	if (most < 0)
		return most;
	pool->max_rent = most;
	pool->first_io = pool->nr_classes;
	pool->nr_used = pool->nr_classes;
	most = pool_add_classes(pool, &bufpool_backing_pages, bufpool_backing_pages_largest());
	if (most < 0)
		return most;
	pool->max_rent_io = most;
	return 0;
}

/* What a branch is made of, which has a holding for each class. */
static int pool_init_branches(struct bufpool_pool *pool)
{
	const struct bufpool_branch *branch;
	char name[32];

	snprintf(name, sizeof(name), "%s-branch", pool->name);
	pool->branch_cache = kmem_cache_create(name,
					       struct_size(branch, holdings, pool->nr_classes),
					       0, SLAB_NO_MERGE, NULL);
	return pool->branch_cache ? 0 : -ENOMEM;
}

/* The last word of a pool: what it made, and that it is all gone. */
static void pool_check_balance(struct bufpool_pool *pool)
{
	struct bufpool_counters sum;

	bufpool_counters_sum(pool->counters, &sum);
	pr_debug("%s: %llu slabs created, %llu destroyed\n", pool->name,
		 sum.of[BUFPOOL_SLABS_CREATED], sum.of[BUFPOOL_SLABS_DESTROYED]);
	WARN_ON_ONCE(sum.of[BUFPOOL_SLABS_CREATED] != sum.of[BUFPOOL_SLABS_DESTROYED]);
	WARN_ON_ONCE(sum.of[BUFPOOL_RENTS] != sum.of[BUFPOOL_RETURNS]);
	WARN_ON_ONCE(bufpool_budget_used(&pool->pinned));
}

/* Undo what there is of a pool. */
static void pool_free(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < BUFPOOL_MAX_CLASSES; i++)
		bufpool_supply_drain_class(&pool->classes[i]);
	/* tables of slabs, and branches with their accounts, are freed by RCU callbacks */
	rcu_barrier();
	for (i = 0; i < BUFPOOL_MAX_CLASSES; i++)
		bufpool_class_exit(&pool->classes[i]);
	if (pool->counters)
		pool_check_balance(pool);
	list_lru_destroy(&pool->charged);
	kmem_cache_destroy(pool->branch_cache);
	free_percpu(pool->counters);
	bufpool_status_destroy(pool->status);
	xa_destroy(&pool->accounts);
	xa_destroy(&pool->quotas);
	kfree(pool);
}

/**
 * bufpool_pool_create - make a pool
 * @name: prefix of the names of its caches; stays the caller's
 * @config: what it shall be; not needed afterwards
 *
 * Says in the log what is wrong with @config. May sleep.
 *
 * Return: the pool, which the caller owns, or ERR_PTR(): -EINVAL, -ENOMEM.
 */
struct bufpool_pool *bufpool_pool_create(const char *name,
					 const struct bufpool_config *config)
{
	size_t largest = bufpool_backing_slab_largest();
	struct bufpool_pool *pool;
	unsigned int kind;
	int err = largest ? config_check(config, largest) : -ENOMEM;

	if (err)
		return ERR_PTR(err);
	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return ERR_PTR(-ENOMEM);

	pool->name = name;
	pool->config = *config;
	spin_lock_init(&pool->poll_lock);
	for (kind = 0; kind < BUFPOOL_POLL_KINDS; kind++)
		INIT_LIST_HEAD(&pool->armed[kind]);
	spin_lock_init(&pool->clients_lock);
	spin_lock_init(&pool->scrub_lock);
	bufpool_quarantine_init(&pool->quarantine);
	spin_lock_init(&pool->drain_lock);
	INIT_LIST_HEAD(&pool->clients);
	spin_lock_init(&pool->channels_lock);
	INIT_LIST_HEAD(&pool->channels);
	xa_init(&pool->accounts);
	xa_init(&pool->quotas);
	mutex_init(&pool->reserve_lock);
	INIT_LIST_HEAD(&pool->holders);
	hash_init(pool->branches);
	pool->charges = config->memcg && bufpool_memcg_is_possible();
	err = -ENOMEM;
	pool->counters = alloc_percpu(struct bufpool_counters);
	pool->status = bufpool_status_create();
	if (!pool->counters || !pool->status)
		goto destroy;
	err = pool_init_classes(pool, largest);
	if (err)
		goto destroy;
	err = pool_init_branches(pool);
	if (err)
		goto destroy;
	err = bufpool_reclaim_start(pool);
	if (err)
		goto destroy;
	return pool;

destroy:
	pool_free(pool);
	return ERR_PTR(err);
}

/**
 * bufpool_pool_destroy - undo bufpool_pool_create()
 * @pool: has no client any more
 */
void bufpool_pool_destroy(struct bufpool_pool *pool)
{
	bufpool_reclaim_stop(pool);
	pool_free(pool);
}

/* Over its limit, a pool gives back warm blocks and wholly free slabs at once. */
static void pool_enforce_limit(struct bufpool_pool *pool)
{
	struct bufpool_blk *blk;

	while (bufpool_pool_missing(pool, 0)) {
		if (bufpool_supply_drop(pool, bufpool_pool_missing(pool, 0)))
			continue;
		blk = bufpool_evict_steal(pool, false);
		if (!blk)
			break;
		bufpool_supply_put(blk);
	}
	bufpool_supply_flush(pool);
}

static int pool_set_limit(struct bufpool_pool *pool, unsigned long limit)
{
	bool fits;

	mutex_lock(&pool->reserve_lock);
	fits = bufpool_reserve_fits(pool, limit);
	if (fits)
		WRITE_ONCE(pool->config.limit, limit);
	mutex_unlock(&pool->reserve_lock);
	if (fits)
		return 0;
	pr_err("limit=%lu is not accepted: classes have more than that set aside; write less to their reserve first\n",
	       limit);
	return -EINVAL;
}

/**
 * bufpool_pool_configure - change what may change while a pool is in use
 * @pool: which
 * @config: bufpool_config_check() accepts it; slab_size and max_pooled are as ever
 *
 * A limit below what is in use takes effect as blocks come back; until then
 * nothing is rented. May sleep.
 *
 * Return: 0; or -EINVAL, if the limit is below what is set aside: nothing has changed.
 */
int bufpool_pool_configure(struct bufpool_pool *pool,
			   const struct bufpool_config *config)
{
	bool new_period = config->trim_ms != pool->config.trim_ms;
	int err = pool_set_limit(pool, config->limit);

	if (err)
		return err;
	WRITE_ONCE(pool->config.quota, config->quota);
	WRITE_ONCE(pool->config.share, config->share);
	WRITE_ONCE(pool->config.max_clients, config->max_clients);
	WRITE_ONCE(pool->config.max_waiters, config->max_waiters);
	WRITE_ONCE(pool->config.floor, config->floor);
	WRITE_ONCE(pool->config.warm_blocks, config->warm_blocks);
	WRITE_ONCE(pool->config.warm_bytes, config->warm_bytes);
	WRITE_ONCE(pool->config.trim_ms, config->trim_ms);
	pool_enforce_limit(pool);
	if (new_period)
		bufpool_reclaim_reschedule(pool);
	bufpool_pool_wake_waiters(pool);
	return 0;
}

/* Fill in what BUFPOOL_IOC_INFO says. */
void bufpool_pool_info(struct bufpool_pool *pool, struct bufpool_info *info)
{
	info->abi_version = BUFPOOL_ABI_VERSION;
	info->page_size = PAGE_SIZE;
	info->nr_classes = pool->nr_classes;
	info->features = BUFPOOL_FEATURE_STACKS | BUFPOOL_FEATURE_WAITING_OF;
	info->max_pooled = min_t(u64, pool->config.max_pooled, pool->max_rent);
	info->max_rent = pool->max_rent;
	info->limit = READ_ONCE(pool->config.limit);
	info->slab_size = pool->config.slab_size;
	info->span = BUFPOOL_SPAN;
	info->status_offset = BUFPOOL_STATUS_OFFSET;
	info->stacks_offset = BUFPOOL_STACKS_OFFSET;
	info->nr_stacks = BUFPOOL_NR_STACKS;
	info->max_rent_io = pool->max_rent_io;
}

/*
 * What is in use, and what is pinned, such that the former is part of the
 * latter: if no slab went away between the two looks it was.
 */
static void pool_snapshot(struct bufpool_pool *pool, struct bufpool_stats *stats)
{
	unsigned int tries = 100;
	long uncharges;
	u64 out, unowned;

	do {
		/* each pairs with supply_uncharge() */
		uncharges = atomic_long_read_acquire(&pool->uncharges);
		out = bufpool_supply_out(pool, &unowned);
		stats->pinned = atomic_long_read_acquire(&pool->pinned.used);
	} while (uncharges != atomic_long_read(&pool->uncharges) && --tries);

	stats->warm = min_t(u64, bufpool_supply_warm(pool), out);
	stats->quarantined = min_t(u64, bufpool_quarantine_bytes(pool), out - stats->warm);
	out -= stats->warm + stats->quarantined;
	stats->in_channels = min_t(u64, max(atomic_long_read(&pool->in_channels), 0L), out);
	stats->in_use = min(out - stats->in_channels, stats->pinned);
	stats->idle = min(unowned, stats->pinned - stats->in_use);
}

/* Fill in what BUFPOOL_IOC_STATS says of the pool. */
void bufpool_pool_stats(struct bufpool_pool *pool, struct bufpool_stats *stats)
{
	struct bufpool_counters sum;

	bufpool_counters_sum(pool->counters, &sum);
	stats->rents = sum.of[BUFPOOL_RENTS];
	stats->reused = sum.of[BUFPOOL_REUSED];
	stats->returns = sum.of[BUFPOOL_RETURNS];
	stats->sent = sum.of[BUFPOOL_SENDS];
	stats->received = sum.of[BUFPOOL_RECEIVES];
	stats->channels = READ_ONCE(pool->nr_channels);
	stats->waits = sum.of[BUFPOOL_WAITS];
	stats->steals = sum.of[BUFPOOL_STEALS];
	stats->scrubs = sum.of[BUFPOOL_SCRUBS];
	stats->clients = READ_ONCE(pool->nr_clients);
	stats->waiting = bufpool_pool_waiting(pool);
	stats->slabs_created = sum.of[BUFPOOL_SLABS_CREATED];
	stats->slabs_destroyed = sum.of[BUFPOOL_SLABS_DESTROYED];
	stats->refused_again = sum.refused[BUFPOOL_REFUSED_AGAIN];
	stats->refused_quota = sum.refused[BUFPOOL_REFUSED_QUOTA];
	stats->refused_memory = sum.refused[BUFPOOL_REFUSED_MEMORY];
	stats->timeouts = sum.refused[BUFPOOL_REFUSED_TIMEOUT];
	stats->refused_waiters = sum.refused[BUFPOOL_REFUSED_WAITERS];
	stats->refused_clients = sum.refused[BUFPOOL_REFUSED_CLIENTS];
	pool_snapshot(pool, stats);
	stats->kept = min(bufpool_kept_of_pool(pool), stats->in_use);
	stats->limit = READ_ONCE(pool->config.limit);
}
