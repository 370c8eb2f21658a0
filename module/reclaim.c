// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving memory back, in the background.
 *
 * A pool has a workqueue and a shrinker. *trim* runs periodically and gives
 * up half of what was not needed for a period: idle slabs down to the floor, and
 * warm blocks that were not used for two periods. *flush* has the slab caches let
 * go of what was given back, which waits for all CPUs and so is done nowhere else but
 * by order of root. *scrub* and *wake_pollers* are in scrub.c and poll.c. The
 * shrinker gives up idle slabs at once, and then warm blocks in two generations:
 * those that were warm at the last call already, and not used since. A second one is
 * called where a memory cgroup is short of memory, and does the same to what is charged
 * to that: so nobody is killed there for what nobody uses.
 */
#include <linux/jiffies.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>
#include "bufpool.h"
#include "trace.h"

static void reclaim_flush(struct work_struct *work)
{
	struct bufpool_pool *pool =
		container_of(work, struct bufpool_pool, flush);

	bufpool_supply_flush(pool);
}

/* Half of what was not needed since the last time, but not below the floor. */
static void reclaim_trim_class(struct bufpool_pool *pool, struct bufpool_class *class)
{
	unsigned long spare = round_up(bufpool_class_spare(class) / 2,
				       class->slab_size);
	unsigned long pinned = bufpool_budget_used(&pool->pinned);
	unsigned long floor = READ_ONCE(pool->config.floor);
	unsigned long over = pinned > floor ? pinned - floor : 0;

	spare = min(spare, round_down(over, class->slab_size));
	bufpool_supply_drop_class(class, spare);
	bufpool_supply_flush_class(class);
}

static void reclaim_trim(struct work_struct *work)
{
	struct bufpool_pool *pool =
		container_of(to_delayed_work(work), struct bufpool_pool, trim);
	unsigned long period = msecs_to_jiffies(READ_ONCE(pool->config.trim_ms));
	unsigned int looks, i;

	/* a stack is looked at once in a period: the same twice is idle */
	do
		looks = UINT_MAX;
	while (bufpool_evict_age(pool, jiffies - 2 * period, jiffies - period / 2,
				 SZ_1M, &looks) >= SZ_1M);
	for (i = bufpool_pool_nr_used(pool); i--;)
		reclaim_trim_class(pool, &pool->classes[i]);
	queue_delayed_work(pool->wq, &pool->trim, period);
}

/* The system is short of memory: programs can see it, and pollers are told. */
static void reclaim_report_pressure(struct bufpool_pool *pool)
{
	WRITE_ONCE(pool->pressure_at, jiffies);
	atomic_inc(&pool->status->pressure);
	/* pairs with poll_arm() */
	smp_mb__after_atomic();
	bufpool_poll_kick_pri(pool);
}

static unsigned long shrink_count(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	struct bufpool_pool *pool = bufpool_shrinker_data(shrinker);
	size_t bytes = bufpool_supply_idle(pool) + bufpool_supply_warm(pool);

	bufpool_take_look(pool);
	bytes += bufpool_kept_of_pool(pool);

	/* where this is nothing, programs may have what they do not need */
	reclaim_report_pressure(pool);
	return bytes >> PAGE_SHIFT ?: SHRINK_EMPTY;
}

/*
 * Give up warm and kept blocks of the last generation, and begin another. Return: since when
 * those are unused.
 */
static unsigned long shrink_next_generation(unsigned long *pressed)
{
	unsigned long since = READ_ONCE(*pressed);

	/* one pass of reclaim calls many times, and is one generation */
	if (time_after_eq(jiffies, since + msecs_to_jiffies(10)))
		WRITE_ONCE(*pressed, jiffies);
	return since;
}

/*
 * How many stacks one call looks at in vain: whoever needs memory waits for that, and
 * programs decide how many there are. The next call goes on from there.
 */
#define SHRINK_LOOKS	64

/*
 * What a call returns. Where it found nothing and did not look everywhere, the next may: the
 * kernel goes on, but no further than it was told that there is, whatever calls return.
 */
static unsigned long shrink_result(struct bufpool_pool *pool, size_t done, unsigned int looks)
{
	if (done)
		bufpool_pool_flush_later(pool);
	return done || !looks ? done >> PAGE_SHIFT : SHRINK_STOP;
}

static unsigned long shrink_scan(struct shrinker *shrinker,
				 struct shrink_control *sc)
{
	struct bufpool_pool *pool = bufpool_shrinker_data(shrinker);
	size_t wanted = sc->nr_to_scan << PAGE_SHIFT;
	unsigned int looks = SHRINK_LOOKS;
	size_t done;

	reclaim_report_pressure(pool);
	done = bufpool_supply_drop(pool, wanted);
	if (done < wanted) {
		unsigned long since = shrink_next_generation(&pool->pressed);

		done += bufpool_evict_age(pool, since, since, wanted - done, &looks);
		done += bufpool_supply_drop(pool, wanted);
	}
	return shrink_result(pool, done, looks);
}

static unsigned long memcg_shrink_count(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	struct bufpool_pool *pool = bufpool_shrinker_data(shrinker);

	/* the other one is for all */
	if (!bufpool_memcg_is_charged(sc->memcg))
		return 0;
	return bufpool_branches_unused(pool, sc->nid, sc->memcg) >> PAGE_SHIFT;
}

static size_t memcg_shrink_branch(struct bufpool_branch *branch, size_t wanted,
				  unsigned int *looks)
{
	size_t done = bufpool_supply_drop_branch(branch, wanted);

	if (done >= wanted)
		return done;
	bufpool_evict_age_branch(branch, shrink_next_generation(&branch->pressed),
				 wanted - done, looks);
	return done + bufpool_supply_drop_branch(branch, wanted - done);
}

/* How many branches of a cgroup are looked at in one call. */
#define MEMCG_LOOKS	32

static unsigned long memcg_shrink_scan(struct shrinker *shrinker,
				       struct shrink_control *sc)
{
	struct bufpool_pool *pool = bufpool_shrinker_data(shrinker);
	size_t wanted = sc->nr_to_scan << PAGE_SHIFT, done = 0;
	unsigned long branches = list_lru_shrink_count(&pool->charged, sc);
	unsigned int looks = SHRINK_LOOKS;
	struct bufpool_branch *branch;

	branches = min(branches, MEMCG_LOOKS);
	while (done < wanted && branches--) {
		branch = bufpool_branch_next_charged(pool, sc->nid, sc->memcg);
		if (!branch)
			break;
		done += memcg_shrink_branch(branch, wanted - done, &looks);
		bufpool_supply_put_branch(branch);
	}
	return shrink_result(pool, done, looks);
}

static int reclaim_register(struct bufpool_pool *pool)
{
	char name[32];
	int err = bufpool_shrinker_register(&pool->shrinker, pool->name, shrink_count,
					    shrink_scan, pool, NULL);

	if (err || !pool->charges)
		return err;
	snprintf(name, sizeof(name), "%s-memcg", pool->name);
	err = bufpool_shrinker_register(&pool->memcg_shrinker, name, memcg_shrink_count,
					memcg_shrink_scan, pool, &pool->charged);
	if (err)
		bufpool_shrinker_unregister(&pool->shrinker);
	return err;
}

/**
 * bufpool_reclaim_start - begin to give memory of a pool back
 * @pool: the pool, ready for everything else
 *
 * Return: 0 or -ENOMEM.
 */
int bufpool_reclaim_start(struct bufpool_pool *pool)
{
	int err;

	pool->pressed = jiffies;
	pool->wq = alloc_workqueue("%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 0,
				   pool->name);
	if (!pool->wq)
		return -ENOMEM;
	INIT_DELAYED_WORK(&pool->trim, reclaim_trim);
	INIT_DELAYED_WORK(&pool->scrub, bufpool_scrub_work);
	INIT_WORK(&pool->flush, reclaim_flush);
	INIT_DELAYED_WORK(&pool->wake_pollers, bufpool_poll_work);
	INIT_DELAYED_WORK(&pool->tell_waiters, bufpool_waitq_work);
	err = reclaim_register(pool);
	if (err) {
		destroy_workqueue(pool->wq);
		return err;
	}
	bufpool_reclaim_reschedule(pool);
	return 0;
}

/* How often wholly free slabs are given back, where a block was being zeroed meanwhile. */
#define DROP_TRIES	8

/* Give back all that is not in use: warm and kept blocks, and wholly free slabs. May sleep. */
void bufpool_reclaim_all(struct bufpool_pool *pool)
{
	unsigned int tries = DROP_TRIES, puts;

	bufpool_evict_all(pool);
	do {
		puts = READ_ONCE(pool->scrub_puts);
		bufpool_supply_drop(pool, SIZE_MAX);
	} while (bufpool_scrub_interrupt(pool, puts) && --tries);
	bufpool_supply_flush(pool);
}

/* The period has changed. */
void bufpool_reclaim_reschedule(struct bufpool_pool *pool)
{
	unsigned int period = READ_ONCE(pool->config.trim_ms);

	mod_delayed_work(pool->wq, &pool->trim,
			 msecs_to_jiffies(period));
}

/**
 * bufpool_reclaim_stop - undo bufpool_reclaim_start()
 * @pool: has no client any more
 */
void bufpool_reclaim_stop(struct bufpool_pool *pool)
{
	bufpool_shrinker_unregister(&pool->shrinker);
	if (pool->charges)
		bufpool_shrinker_unregister(&pool->memcg_shrinker);
	cancel_delayed_work_sync(&pool->trim);
	/* no thief is left that could have anything quarantined */
	bufpool_quarantine_end(pool);
	cancel_delayed_work_sync(&pool->scrub);
	cancel_work_sync(&pool->flush);
	cancel_delayed_work_sync(&pool->wake_pollers);
	cancel_delayed_work_sync(&pool->tell_waiters);
	destroy_workqueue(pool->wq);
}
