// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scrubbing: free blocks that are dirty are zeroed in the background.
 *
 * The block that is being zeroed is pool->scrubbed. It is on no list, but counts
 * as free: a renter that finds nothing else takes it away from the scrubber and puts
 * it back. The scrubber zeroes a page at a time under pool->scrub_lock, so the
 * renter waits for one page at most, and never for the worker to get a processor.
 */
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>
#include "bufpool.h"
#include "trace.h"

/* Bytes that scrubbing zeroes before it lets others run for a tick. */
#define SCRUB_BYTES	SZ_1M

/* Take the next dirty block of any class. Return: whether there is one. */
static bool scrub_begin(struct bufpool_pool *pool)
{
	struct bufpool_blk *blk = NULL;
	unsigned int i;

	for (i = 0; !blk && i < pool->nr_classes; i++)
		blk = bufpool_class_take_dirty(&pool->classes[i]);
	if (!blk)
		return false;
	spin_lock(&pool->scrub_lock);
	pool->scrubbed = blk;
	spin_unlock(&pool->scrub_lock);
	return true;
}

/* Zero one page, unless the block has been taken away. */
static bool scrub_page(struct bufpool_pool *pool, unsigned long page)
{
	bool is_mine;

	spin_lock(&pool->scrub_lock);
	is_mine = pool->scrubbed;
	if (is_mine)
		clear_page(bufpool_blk_memory(pool->scrubbed) + page * PAGE_SIZE);
	spin_unlock(&pool->scrub_lock);
	cond_resched();
	return is_mine;
}

/* Take the block away from the scrubber. Return: it, which the caller owns, or NULL. */
static struct bufpool_blk *scrub_end(struct bufpool_pool *pool)
{
	struct bufpool_blk *blk;

	spin_lock(&pool->scrub_lock);
	blk = pool->scrubbed;
	pool->scrubbed = NULL;
	spin_unlock(&pool->scrub_lock);
	return blk;
}

/* Zero one block. Return: its bytes, or 0 if there is none. */
static size_t scrub_one(struct bufpool_pool *pool)
{
	struct bufpool_blk *blk;
	unsigned long page = 0;
	size_t size;

	if (!scrub_begin(pool))
		return 0;
	/* no other task begins with a block, so this is it, or none */
	blk = READ_ONCE(pool->scrubbed);
	size = blk ? bufpool_blk_size(blk) : PAGE_SIZE;
	while (page < size / PAGE_SIZE && scrub_page(pool, page))
		page++;
	blk = scrub_end(pool);
	if (!blk)
		return PAGE_SIZE;
	blk->dirty = false;
	bufpool_count(pool->counters, BUFPOOL_SCRUBS);
	trace_bufpool_scrub(blk);
	bufpool_supply_put(blk);
	return size;
}

/* Zero dirty free blocks, some at a time. */
void bufpool_scrub_work(struct work_struct *work)
{
	struct bufpool_pool *pool =
		container_of(to_delayed_work(work), struct bufpool_pool, scrub);
	size_t done = 0, bytes;

	while (done < SCRUB_BYTES && (bytes = scrub_one(pool)))
		done += bytes;
	if (done >= SCRUB_BYTES)
		bufpool_pool_scrub_later(pool);
}

/**
 * bufpool_scrub_interrupt - let the block that is being zeroed go back as it is
 * @pool: where
 *
 * May sleep.
 *
 * Return: whether there was one: it is free now, or has gone to a waiter.
 */
bool bufpool_scrub_interrupt(struct bufpool_pool *pool)
{
	struct bufpool_blk *blk = scrub_end(pool);

	if (blk)
		bufpool_supply_put(blk);
	return blk;
}
