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

/* Take the next dirty block of any class. Return: its pages, or 0 if there is none. */
static unsigned long scrub_begin(struct bufpool_pool *pool)
{
	struct bufpool_blk *blk = NULL;
	unsigned long pages = 0;
	unsigned int i;

	spin_lock(&pool->scrub_lock);
	for (i = 0; i < bufpool_pool_nr_used(pool); i++) {
		blk = bufpool_class_take_dirty(&pool->classes[i]);
		if (blk)
			break;
	}
	pool->scrubbed = blk;
	if (blk)
		pages = bufpool_blk_size(blk) >> PAGE_SHIFT;
	spin_unlock(&pool->scrub_lock);
	return pages;
}

/* Zero one page, unless it is broken, or the block has been taken away. */
static bool scrub_page(struct bufpool_pool *pool, unsigned long page)
{
	bool is_mine;
	void *at;

	spin_lock(&pool->scrub_lock);
	is_mine = pool->scrubbed;
	if (is_mine) {
		at = bufpool_blk_page(pool->scrubbed, page);
		if (bufpool_page_is_poisoned(at))
			pool->scrubbed->broken = true;
		else
			clear_page(at);
	}
	spin_unlock(&pool->scrub_lock);
	cond_resched();
	return is_mine;
}

/*
 * Let the block go back, zero or as it is. Under one lock, so at no instant is it out
 * of a renter's reach. Return: whether there is one.
 */
static bool scrub_end(struct bufpool_pool *pool, bool is_zero)
{
	struct bufpool_put put;
	struct bufpool_blk *blk;

	spin_lock(&pool->scrub_lock);
	blk = pool->scrubbed;
	if (blk) {
		if (is_zero) {
			blk->dirty = blk->broken;
			bufpool_count(pool->counters, BUFPOOL_SCRUBS);
			trace_bufpool_scrub(blk);
		}
		pool->scrubbed = NULL;
		bufpool_supply_put_begin(&put, blk, NULL);
		WRITE_ONCE(pool->scrub_puts, pool->scrub_puts + 1);
	}
	spin_unlock(&pool->scrub_lock);
	if (blk)
		bufpool_supply_put_end(&put);
	return blk;
}

/*
 * Zero one block. Return: its bytes, or 0 if there is none, or it was taken away: then
 * a renter is about to look for it, and the scrubber is not to take it again at once.
 */
static size_t scrub_one(struct bufpool_pool *pool)
{
	unsigned long page = 0, pages;

	pages = scrub_begin(pool);
	if (!pages)
		return 0;
	while (page < pages && scrub_page(pool, page))
		page++;
	if (page < pages || !scrub_end(pool, true))
		return 0;
	return pages * PAGE_SIZE;
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
 * @puts: pool->scrub_puts, as it was before the caller looked for a block in vain
 *
 * May sleep.
 *
 * Return: whether one has gone back since, now or before.
 */
bool bufpool_scrub_interrupt(struct bufpool_pool *pool, unsigned int puts)
{
	return scrub_end(pool, false) || READ_ONCE(pool->scrub_puts) != puts;
}
