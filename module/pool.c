// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pool: its classes, and how much memory they may hold together.
 *
 * Bytes are charged before a slab is made and uncharged after it is gone, so
 * what the pool holds never passes its limit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/printk.h>
#include "bufpool.h"
#include "trace.h"

/*
 * The largest object that a kmem_cache can be created for. Where the allocator
 * debugs itself it puts red zones around an object, and the largest sizes no
 * longer fit. To find that out by a creation that fails would leave a stack
 * trace in the log, so see what one object of a middle size occupies.
 */
static size_t largest_object(void)
{
	const size_t size = KMALLOC_MAX_SIZE / 32;
	size_t occupied = 0;
	struct kmem_cache *cache;
	void *object;

	cache = kmem_cache_create_usercopy("bufpool-probe", size, PAGE_SIZE,
					   SLAB_NO_MERGE, 0, size, NULL);
	if (!cache)
		return 0;
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	if (object) {
		occupied = folio_size(virt_to_folio(object));
		kmem_cache_free(cache, object);
	}
	kmem_cache_destroy(cache);

	if (!occupied)
		return 0;
	return occupied == size ? KMALLOC_MAX_SIZE : KMALLOC_MAX_SIZE / 2;
}

/*
 * Below this the allocator puts several slabs into one folio of its own, which
 * it can give back only when all of them are free.
 */
#define MIN_SLAB_SIZE	(PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER)

static int check_power(const char *what, unsigned long value, size_t least,
		       size_t most)
{
	if (is_power_of_2(value) && value >= least && value <= most)
		return 0;
	pr_err("%s=%lu is not accepted: give a power of two from %zu to %zu bytes\n",
	       what, value, least, most);
	return -EINVAL;
}

static int check_range(const char *what, unsigned long value,
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
	unsigned long least = max(config->slab_size, config->max_pooled);
	unsigned long most = totalram_pages() << PAGE_SHIFT;

	return check_range("limit", config->limit, least, most) ?:
	       check_range("quota", config->quota, PAGE_SIZE, LONG_MAX) ?:
	       check_range("floor", config->floor, 0, most) ?:
	       check_range("warm_blocks", config->warm_blocks, 0, U16_MAX) ?:
	       check_range("warm_bytes", config->warm_bytes, 0, most) ?:
	       check_range("trim_ms", config->trim_ms, 10, 3600000);
}

static int check_config(const struct bufpool_config *config, size_t largest)
{
	return check_power("slab_size", config->slab_size, MIN_SLAB_SIZE,
			   largest) ?:
	       check_power("max_pooled", config->max_pooled, PAGE_SIZE,
			   largest) ?:
	       bufpool_config_check(config);
}

/* Classes from one page up, as long as slabs for them can be had. */
static int init_classes(struct bufpool_pool *pool, size_t largest)
{
	unsigned int wanted = ilog2(largest) - PAGE_SHIFT + 1;
	int err = 0;

	wanted = min_t(unsigned int, wanted, BUFPOOL_MAX_CLASSES);
	while (!err && pool->nr_classes < wanted) {
		err = bufpool_class_init(&pool->classes[pool->nr_classes], pool,
					 pool->nr_classes);
		if (!err)
			pool->nr_classes++;
	}
	if (err)
		return err;
	pool->max_rent = PAGE_SIZE << (pool->nr_classes - 1);
	return 0;
}

static struct bufpool_counters sum_counters(struct bufpool_pool *pool)
{
	struct bufpool_counters sum = {};
	int cpu, event;

	for_each_possible_cpu(cpu)
		for (event = 0; event < BUFPOOL_NR_EVENTS; event++)
			sum.of[event] += per_cpu_ptr(pool->counters,
						     cpu)->of[event];
	return sum;
}

/* Bytes in warm blocks of all clients. */
size_t bufpool_pool_warm(struct bufpool_pool *pool)
{
	s64 bytes = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		bytes += READ_ONCE(per_cpu_ptr(pool->counters, cpu)->warm);
	/* the parts are not read at one instant */
	return max_t(s64, bytes, 0);
}

/* The last word of a pool: what it made, and that it is all gone. */
static void account(struct bufpool_pool *pool)
{
	struct bufpool_counters sum = sum_counters(pool);

	pr_debug("%s: %llu slabs created, %llu destroyed\n", pool->name,
		 sum.of[BUFPOOL_SLABS_CREATED], sum.of[BUFPOOL_SLABS_DESTROYED]);
	WARN_ON_ONCE(sum.of[BUFPOOL_SLABS_CREATED] != sum.of[BUFPOOL_SLABS_DESTROYED]);
	WARN_ON_ONCE(sum.of[BUFPOOL_RENTS] != sum.of[BUFPOOL_RETURNS]);
	WARN_ON_ONCE(atomic_long_read(&pool->pinned));
}

/* Undo what there is of a pool. */
static void destroy(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < BUFPOOL_MAX_CLASSES; i++)
		bufpool_class_drain(&pool->classes[i]);
	/* tables of slabs are freed by RCU callbacks */
	rcu_barrier();
	for (i = 0; i < BUFPOOL_MAX_CLASSES; i++)
		bufpool_class_exit(&pool->classes[i]);
	if (pool->counters)
		account(pool);
	free_percpu(pool->counters);
	bufpool_board_destroy(pool->board);
	mutex_destroy(&pool->drain_lock);
	mutex_destroy(&pool->clients_lock);
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
	size_t largest = largest_object();
	struct bufpool_pool *pool;
	int err = largest ? check_config(config, largest) : -ENOMEM;

	if (err)
		return ERR_PTR(err);
	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return ERR_PTR(-ENOMEM);

	pool->name = name;
	pool->config = *config;
	init_waitqueue_head(&pool->poll);
	mutex_init(&pool->clients_lock);
	mutex_init(&pool->drain_lock);
	INIT_LIST_HEAD(&pool->clients);
	INIT_LIST_HEAD(&pool->users);
	err = -ENOMEM;
	pool->counters = alloc_percpu(struct bufpool_counters);
	pool->board = bufpool_board_create();
	if (!pool->counters || !pool->board)
		goto destroy;
	err = init_classes(pool, largest);
	if (err)
		goto destroy;
	err = bufpool_reclaim_start(pool);
	if (err)
		goto destroy;
	return pool;

destroy:
	destroy(pool);
	return ERR_PTR(err);
}

/**
 * bufpool_pool_destroy - undo bufpool_pool_create()
 * @pool: has no client any more
 */
void bufpool_pool_destroy(struct bufpool_pool *pool)
{
	bufpool_reclaim_stop(pool);
	destroy(pool);
}

/**
 * bufpool_pool_find_offset - look up the block at an offset of the window
 * @pool: where
 * @offset: any number
 *
 * Under rcu_read_lock(), see bufpool_slab_find().
 *
 * Return: the block that the offset lies in, or NULL.
 */
struct bufpool_blk *bufpool_pool_find_offset(struct bufpool_pool *pool,
					     u64 offset)
{
	u64 nr = offset >> BUFPOOL_SPAN_SHIFT;
	struct bufpool_class *class;

	if (nr >= pool->nr_classes)
		return NULL;
	class = &pool->classes[array_index_nospec(nr, pool->nr_classes)];
	return bufpool_slab_find(class, (offset & (BUFPOOL_SPAN - 1)) >>
					class->shift);
}

/**
 * bufpool_pool_charge - ask for memory under the limit
 * @pool: whose limit
 * @bytes: how much
 *
 * Return: 0; -EAGAIN where others hold too much; -EDQUOT where the limit is less
 * than that.
 */
int bufpool_pool_charge(struct bufpool_pool *pool, size_t bytes)
{
	long old = atomic_long_read(&pool->pinned);
	unsigned long limit;

	do {
		limit = READ_ONCE(pool->config.limit);
		if (bytes > limit || old > limit - bytes) {
			trace_bufpool_limit_hit(BUFPOOL_BOUND_POOL, bytes, old,
						limit);
			return bytes > limit ? -EDQUOT : -EAGAIN;
		}
	} while (!atomic_long_try_cmpxchg(&pool->pinned, &old, old + bytes));
	return 0;
}

/**
 * bufpool_pool_uncharge - undo bufpool_pool_charge()
 * @pool: whose limit
 * @bytes: how much
 *
 * Lets those who wait try again.
 */
void bufpool_pool_uncharge(struct bufpool_pool *pool, size_t bytes)
{
	atomic_long_inc(&pool->uncharges);
	/* pairs with look() */
	smp_mb__after_atomic();
	atomic_long_sub(bytes, &pool->pinned);
	bufpool_pool_announce(pool);
}

/* Bytes in wholly free slabs. */
size_t bufpool_pool_idle(struct bufpool_pool *pool)
{
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++)
		bytes += READ_ONCE(pool->classes[i].nr_idle) *
			 pool->classes[i].slab_size;
	return bytes;
}

/* Bytes in blocks that are neither free nor being scrubbed. */
static u64 bytes_out(struct bufpool_pool *pool)
{
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++) {
		struct bufpool_class *class = &pool->classes[i];

		spin_lock(&class->lock);
		bytes += (u64)(class->nr_out - class->nr_scrubbing) <<
			 class->shift;
		spin_unlock(&class->lock);
	}
	return bytes;
}

/* Bytes that nobody rents; at the most so many can become idle slabs. */
size_t bufpool_pool_unused(struct bufpool_pool *pool)
{
	u64 pinned = atomic_long_read(&pool->pinned);
	u64 used = bytes_out(pool);

	used -= min_t(u64, bufpool_pool_warm(pool), used);
	return pinned > used ? pinned - used : 0;
}

/**
 * bufpool_pool_drop_some - give wholly free slabs to the system
 * @pool: whose
 * @bytes: at least so many, if there are as many
 *
 * bufpool_pool_flush() is due.
 *
 * Return: how many bytes.
 */
size_t bufpool_pool_drop_some(struct bufpool_pool *pool, size_t bytes)
{
	size_t dropped = 0;
	unsigned int i;

	for (i = 0; i < pool->nr_classes && dropped < bytes; i++)
		dropped += bufpool_class_drop_idle(&pool->classes[i],
						   bytes - dropped);
	return dropped;
}

/* bufpool_class_flush() for every class. */
void bufpool_pool_flush(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++)
		bufpool_class_flush(&pool->classes[i]);
}

/**
 * bufpool_pool_start_draining - make room for one who waits
 * @but: for whose class; it keeps its slabs
 * @ticket: since when it waits, see wait.c; nothing is taken from who waits longer
 * @bytes: how much is missing
 */
void bufpool_pool_start_draining(struct bufpool_class *but, u64 ticket,
				 size_t bytes)
{
	struct bufpool_pool *pool = but->pool;
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++)
		if (&pool->classes[i] != but &&
		    !bufpool_wait_has_older(&pool->classes[i], ticket, true))
			bytes = bufpool_class_start_draining(&pool->classes[i],
							     bytes);
}

/* Undo bufpool_pool_start_draining(). */
void bufpool_pool_stop_draining(struct bufpool_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++)
		bufpool_class_stop_draining(&pool->classes[i]);
}

/**
 * bufpool_pool_drop_idle - give wholly free slabs to the system
 * @pool: whose
 * @bytes: so many, or none at all if there are not as many
 *
 * May sleep.
 *
 * Return: whether it did.
 */
bool bufpool_pool_drop_idle(struct bufpool_pool *pool, size_t bytes)
{
	size_t dropped;

	if (bufpool_pool_idle(pool) < bytes)
		return false;
	dropped = bufpool_pool_drop_some(pool, bytes);
	bufpool_pool_flush(pool);
	return dropped >= bytes;
}

/* Over its limit, a pool gives back warm blocks and wholly free slabs at once. */
static void enforce_limit(struct bufpool_pool *pool)
{
	struct bufpool_blk *blk;

	while (bufpool_pool_missing(pool, 0)) {
		if (bufpool_pool_drop_some(pool, bufpool_pool_missing(pool, 0)))
			continue;
		blk = bufpool_warm_steal(pool, NULL, NULL);
		if (!blk)
			break;
		bufpool_class_put(blk);
	}
	bufpool_pool_flush(pool);
}

/**
 * bufpool_pool_configure - change what may change while a pool is in use
 * @pool: which
 * @config: bufpool_config_check() accepts it; slab_size and max_pooled are as ever
 *
 * A limit below what is in use takes effect as blocks come back; until then
 * nothing is rented. May sleep.
 */
void bufpool_pool_configure(struct bufpool_pool *pool,
			    const struct bufpool_config *config)
{
	bool new_period = config->trim_ms != pool->config.trim_ms;

	WRITE_ONCE(pool->config.limit, config->limit);
	WRITE_ONCE(pool->config.quota, config->quota);
	WRITE_ONCE(pool->config.floor, config->floor);
	WRITE_ONCE(pool->config.warm_blocks, config->warm_blocks);
	WRITE_ONCE(pool->config.warm_bytes, config->warm_bytes);
	WRITE_ONCE(pool->config.trim_ms, config->trim_ms);
	enforce_limit(pool);
	if (new_period)
		bufpool_reclaim_reschedule(pool);
	bufpool_pool_announce(pool);
}

/* Whoever polls the device shall look again. */
void bufpool_poll_wake(struct bufpool_pool *pool)
{
	if (wq_has_sleeper(&pool->poll))
		wake_up_poll(&pool->poll, EPOLLIN | EPOLLRDNORM | EPOLLPRI);
}

/* Fill in what BUFPOOL_IOC_INFO says. */
void bufpool_pool_info(struct bufpool_pool *pool, struct bufpool_info *info)
{
	info->abi_version = BUFPOOL_ABI_VERSION;
	info->page_size = PAGE_SIZE;
	info->nr_classes = pool->nr_classes;
	info->features = 0;
	info->max_pooled = pool->config.max_pooled;
	info->max_rent = pool->max_rent;
	info->limit = READ_ONCE(pool->config.limit);
	info->slab_size = pool->config.slab_size;
	info->span = BUFPOOL_SPAN;
	info->status_offset = BUFPOOL_STATUS_OFFSET;
}

/*
 * What is in use, and what is pinned, such that the former is part of the
 * latter: if no slab went away between the two looks it was.
 */
static void look(struct bufpool_pool *pool, struct bufpool_stats *stats)
{
	unsigned int tries = 100;
	long uncharges;
	u64 out;

	do {
		/* each pairs with bufpool_pool_uncharge() */
		uncharges = atomic_long_read_acquire(&pool->uncharges);
		out = bytes_out(pool);
		stats->pinned = atomic_long_read_acquire(&pool->pinned);
	} while (uncharges != atomic_long_read(&pool->uncharges) && --tries);

	stats->warm = min_t(u64, bufpool_pool_warm(pool), out);
	stats->in_use = min(out - stats->warm, stats->pinned);
}

/* Fill in what BUFPOOL_IOC_STATS says of the pool. */
void bufpool_pool_stats(struct bufpool_pool *pool, struct bufpool_stats *stats)
{
	struct bufpool_counters sum = sum_counters(pool);

	stats->rents = sum.of[BUFPOOL_RENTS];
	stats->reused = sum.of[BUFPOOL_REUSED];
	stats->returns = sum.of[BUFPOOL_RETURNS];
	stats->waits = sum.of[BUFPOOL_WAITS];
	stats->steals = sum.of[BUFPOOL_STEALS];
	stats->scrubs = sum.of[BUFPOOL_SCRUBS];
	stats->clients = READ_ONCE(pool->nr_clients);
	stats->waiting = bufpool_pool_waiting(pool);
	stats->slabs_created = sum.of[BUFPOOL_SLABS_CREATED];
	stats->slabs_destroyed = sum.of[BUFPOOL_SLABS_DESTROYED];
	look(pool, stats);
	stats->limit = READ_ONCE(pool->config.limit);
}
