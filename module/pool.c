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
#include <linux/printk.h>
#include "bufpool.h"

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

/**
 * bufpool_limit_check - see whether a limit is in range, and say so if not
 * @config: the pool's
 * @limit: bytes
 *
 * Return: 0 or -EINVAL.
 */
int bufpool_limit_check(const struct bufpool_config *config,
			unsigned long limit)
{
	unsigned long least = max(config->slab_size, config->max_pooled);
	unsigned long most = totalram_pages() << PAGE_SHIFT;

	if (limit >= least && limit <= most)
		return 0;
	pr_err("limit=%lu is not accepted: give %lu to %lu bytes\n", limit,
	       least, most);
	return -EINVAL;
}

static int check_config(const struct bufpool_config *config, size_t largest)
{
	return check_power("slab_size", config->slab_size, MIN_SLAB_SIZE,
			   largest) ?:
	       check_power("max_pooled", config->max_pooled, PAGE_SIZE,
			   largest) ?:
	       bufpool_limit_check(config, config->limit);
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
	pool->limit = config->limit;
	err = -ENOMEM;
	pool->counters = alloc_percpu(struct bufpool_counters);
	if (pool->counters)
		err = init_classes(pool, largest);
	if (err) {
		bufpool_pool_destroy(pool);
		return ERR_PTR(err);
	}
	return pool;
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

/**
 * bufpool_pool_destroy - undo bufpool_pool_create()
 * @pool: has no client any more; may be half made
 */
void bufpool_pool_destroy(struct bufpool_pool *pool)
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
	kfree(pool);
}

/**
 * bufpool_pool_class - which class serves a size
 * @pool: where
 * @size: bytes, at least 1
 *
 * Return: the class with the smallest blocks that are large enough, or NULL.
 */
struct bufpool_class *bufpool_pool_class(struct bufpool_pool *pool, u64 size)
{
	unsigned int nr;

	if (size > pool->max_rent)
		return NULL;
	nr = size <= PAGE_SIZE ? 0 : ilog2(size - 1) + 1 - PAGE_SHIFT;
	return &pool->classes[nr];
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
	unsigned long limit = READ_ONCE(pool->limit);
	long old = atomic_long_read(&pool->pinned);

	if (bytes > limit)
		return -EDQUOT;
	do {
		if (old > limit - bytes)
			return -EAGAIN;
	} while (!atomic_long_try_cmpxchg(&pool->pinned, &old, old + bytes));
	return 0;
}

/* How many bytes would have to be uncharged before so many can be charged. */
size_t bufpool_pool_missing(struct bufpool_pool *pool, size_t bytes)
{
	unsigned long pinned = atomic_long_read(&pool->pinned);
	unsigned long limit = READ_ONCE(pool->limit);

	return pinned + bytes > limit ? pinned + bytes - limit : 0;
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
	atomic_long_sub(bytes, &pool->pinned);
	bufpool_wait_retry(pool);
}

static size_t idle_bytes(struct bufpool_pool *pool)
{
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i < pool->nr_classes; i++)
		bytes += READ_ONCE(pool->classes[i].nr_idle) *
			 pool->classes[i].slab_size;
	return bytes;
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
	size_t dropped = 0;
	unsigned int i;

	if (idle_bytes(pool) < bytes)
		return false;
	for (i = 0; i < pool->nr_classes && dropped < bytes; i++)
		dropped += bufpool_class_drop_idle(&pool->classes[i],
						   bytes - dropped);
	return dropped >= bytes;
}

/**
 * bufpool_pool_set_limit - change how much the pool may hold
 * @pool: which
 * @limit: bytes; bufpool_limit_check() accepts it
 *
 * Below what is in use it takes effect as blocks come back. May sleep.
 */
void bufpool_pool_set_limit(struct bufpool_pool *pool, unsigned long limit)
{
	size_t bytes;

	WRITE_ONCE(pool->limit, limit);
	bytes = bufpool_pool_missing(pool, 0);
	if (bytes)
		bufpool_pool_drop_idle(pool, min(bytes, idle_bytes(pool)));
	bufpool_wait_retry(pool);
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
	info->limit = READ_ONCE(pool->limit);
	info->slab_size = pool->config.slab_size;
	info->span = BUFPOOL_SPAN;
}

static void add_class_stats(struct bufpool_class *class,
			    struct bufpool_stats *stats)
{
	spin_lock(&class->lock);
	stats->in_use += (u64)class->nr_out << class->shift;
	stats->pinned += (u64)class->nr_slabs * class->slab_size;
	spin_unlock(&class->lock);
}

/* Fill in what BUFPOOL_IOC_STATS says of the pool. */
void bufpool_pool_stats(struct bufpool_pool *pool, struct bufpool_stats *stats)
{
	struct bufpool_counters sum = sum_counters(pool);
	unsigned int i;

	stats->rents = sum.of[BUFPOOL_RENTS];
	stats->reused = sum.of[BUFPOOL_REUSED];
	stats->returns = sum.of[BUFPOOL_RETURNS];
	stats->waits = sum.of[BUFPOOL_WAITS];
	stats->clients = atomic_read(&pool->clients);
	stats->limit = READ_ONCE(pool->limit);
	stats->slabs_created = sum.of[BUFPOOL_SLABS_CREATED];
	stats->slabs_destroyed = sum.of[BUFPOOL_SLABS_DESTROYED];
	stats->in_use = 0;
	stats->pinned = 0;
	for (i = 0; i < pool->nr_classes; i++)
		add_class_stats(&pool->classes[i], stats);
}
