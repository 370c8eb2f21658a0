// SPDX-License-Identifier: MIT
#include <string.h>

#include "kept.h"

/* Blocks on their way to the provider, many in one call */
struct gift {
	struct bufpool *pool;
	size_t min_size;		/* of the blocks that are counted */
	size_t bytes;			/* in those */
	unsigned int count;
	__u64 handles[BUFPOOL_MANY_MAX];
};

static void gift_begin(struct gift *gift, struct bufpool *pool, size_t min_size)
{
	gift->pool = pool;
	gift->min_size = min_size;
	gift->bytes = 0;
	gift->count = 0;
}

static void gift_send(struct gift *gift)
{
	bufpool_provider_give(&gift->pool->provider, gift->handles, gift->count);
	gift->count = 0;
}

/* The entry of what is known to be a block */
static struct bufpool_rental *rental_of(const struct bufpool *pool,
					const void *block)
{
	struct bufpool_place place = bufpool_window_place(&pool->window, block);

	return bufpool_rentals_at(&pool->rentals, &place);
}

/* Add a block that is FREE or FRESH, and in no place any more. */
static void gift_add(struct gift *gift, void *block)
{
	struct bufpool *pool = gift->pool;
	struct bufpool_place place = bufpool_window_place(&pool->window, block);
	struct bufpool_rental *rental = bufpool_rentals_at(&pool->rentals, &place);
	size_t size = bufpool_window_block_size(&pool->window, place.class);
	enum bufpool_kind kind;

	kind = bufpool_state_kind(bufpool_rental_state(rental));
	/* Before the provider has it, which may rent it to another thread. */
	gift->handles[gift->count++] =
		bufpool_rentals_handle(&pool->rentals, &place);
	bufpool_rental_set(rental, bufpool_state(kind == BUFPOOL_FRESH ?
						 BUFPOOL_NEVER :
						 BUFPOOL_RETURNED, 0));
	if (size >= gift->min_size)
		gift->bytes += size;
	if (gift->count == BUFPOOL_MANY_MAX)
		gift_send(gift);
}

static void gift_add_all(struct gift *gift, void *const *blocks,
			 unsigned int count)
{
	while (count--)
		gift_add(gift, *blocks++);
}

/* A block that was sent to a cache becomes FREE. Return: whether it was still SENT */
static bool accept_sent(const struct bufpool *pool, unsigned int nr, void *block)
{
	return bufpool_rental_change(rental_of(pool, block),
				     bufpool_state(BUFPOOL_SENT, nr),
				     bufpool_state(BUFPOOL_FREE, 0));
}

/* Put blocks into the depot, and give to the provider what has no room there. */
static void stow_blocks(struct gift *gift, unsigned int class,
			void *const *blocks, unsigned int count)
{
	unsigned int done = bufpool_depot_put(&gift->pool->depot, class, blocks,
					      count);

	gift_add_all(gift, blocks + done, count - done);
}

/* The half that was used less recently leaves the magazine. */
static void spill_half(struct bufpool *pool, struct bufpool_cache *cache,
		       unsigned int class)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];
	void **blocks = magazine->bottom;
	struct gift gift;

	gift_begin(&gift, pool, 0);
	stow_blocks(&gift, class, blocks, magazine->half);
	gift_send(&gift);
	magazine->top -= magazine->half;
	memmove(blocks, blocks + magazine->half,
		bufpool_magazine_count(magazine) * sizeof(*blocks));
}

static void give_one(struct bufpool *pool, void *block)
{
	struct gift gift;

	gift_begin(&gift, pool, 0);
	gift_add(&gift, block);
	gift_send(&gift);
}

void bufpool_kept_add(struct bufpool *pool, struct bufpool_cache *cache,
		      void *block)
{
	unsigned int class = bufpool_window_place(&pool->window, block).class;
	struct bufpool_magazine *magazine = &cache->magazines[class];

	if (!magazine->half) {
		give_one(pool, block);
		return;
	}
	if (magazine->top == magazine->limit)
		spill_half(pool, cache, class);
	*magazine->top++ = block;
	/* the block has an entry by now, and may be rented and returned here */
	magazine->known = bufpool_rentals_ready(&pool->rentals, class);
}

/* Take up to @most blocks out. Return: how many */
static unsigned int take_in(struct bufpool_inbox *inbox, void **blocks,
			    unsigned int most)
{
	unsigned int count, left;

	/* A block that comes in just now is found the next time. */
	if (!__atomic_load_n(&inbox->count, __ATOMIC_RELAXED))
		return 0;
	pthread_mutex_lock(&inbox->lock);
	count = inbox->count < most ? inbox->count : most;
	left = inbox->count - count;
	/* the share of the deliveries that is left, rounded up */
	if (count)
		inbox->deliveries = (inbox->deliveries * left +
				     inbox->count - 1) / inbox->count;
	__atomic_store_n(&inbox->count, left, __ATOMIC_RELAXED);
	memcpy(blocks, &inbox->blocks[left], count * sizeof(*blocks));
	pthread_mutex_unlock(&inbox->lock);
	return count;
}

void bufpool_kept_add_all(struct bufpool *pool, struct bufpool_cache *cache,
			  void *const *blocks, unsigned int count)
{
	/* The first is to be rented first. */
	while (count--)
		bufpool_kept_add(pool, cache, blocks[count]);
}

/* Accept @count blocks. Return: how many were still SENT, at the front now */
static unsigned int accept_all_sent(const struct bufpool *pool, unsigned int to,
				    void **blocks, unsigned int count)
{
	unsigned int i, kept = 0;

	for (i = 0; i < count; i++)
		if (accept_sent(pool, to, blocks[i]))
			blocks[kept++] = blocks[i];
	return kept;
}

/* Take in what other threads have returned, until a magazine is half full. */
static void open_inbox(struct bufpool *pool, struct bufpool_cache *cache,
		       struct bufpool_magazine *magazine)
{
	void *blocks[BUFPOOL_HALF_MAX];
	unsigned int count;

	while (bufpool_magazine_count(magazine) < magazine->half &&
	       (count = take_in(&cache->inbox, blocks, BUFPOOL_HALF_MAX))) {
		count = accept_all_sent(pool, cache->nr, blocks, count);
		bufpool_kept_add_all(pool, cache, blocks, count);
	}
}

void bufpool_kept_refill(struct bufpool *pool, struct bufpool_cache *cache,
			 unsigned int class)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];

	open_inbox(pool, cache, magazine);
	if (magazine->top == magazine->bottom)
		magazine->top += bufpool_depot_get(&pool->depot, class,
						   magazine->bottom,
						   magazine->half);
}

/* Into the inbox of a cache that has a thread. Return: false where it is full */
static bool put_in(struct bufpool_inbox *inbox, struct bufpool_outbox *outbox)
{
	if (inbox->deliveries == BUFPOOL_INBOX_DELIVERIES)
		return false;
	inbox->deliveries++;
	memcpy(&inbox->blocks[inbox->count], outbox->blocks,
	       outbox->count * sizeof(*outbox->blocks));
	__atomic_store_n(&inbox->count, inbox->count + outbox->count,
			 __ATOMIC_RELAXED);
	outbox->count = 0;
	return true;
}

/* Return: whether the outbox is empty now */
static bool deliver_outbox(struct bufpool *pool, struct bufpool_cache *cache,
			   struct bufpool_outbox *outbox)
{
	struct bufpool_inbox *inbox;
	bool ret = true, orphans;

	if (!outbox->count)
		return true;
	inbox = &bufpool_cache_at(&pool->caches, outbox->to)->inbox;
	pthread_mutex_lock(&inbox->lock);
	orphans = !inbox->attended;
	if (orphans)
		outbox->count = accept_all_sent(pool, outbox->to, outbox->blocks,
						outbox->count);
	else
		ret = put_in(inbox, outbox);
	pthread_mutex_unlock(&inbox->lock);

	if (orphans) {
		bufpool_kept_add_all(pool, cache, outbox->blocks, outbox->count);
		outbox->count = 0;
	}
	return ret;
}

static struct bufpool_outbox *outbox_for(struct bufpool_cache *cache,
					 unsigned int to)
{
	return &cache->outboxes[to % BUFPOOL_NR_OUTBOXES];
}

bool bufpool_kept_can_send(struct bufpool *pool, struct bufpool_cache *cache,
			   unsigned int to)
{
	struct bufpool_outbox *outbox = outbox_for(cache, to);

	if (outbox->to == to && outbox->count < BUFPOOL_OUTBOX_MAX)
		return true;
	return deliver_outbox(pool, cache, outbox);
}

void bufpool_kept_send(struct bufpool *pool, struct bufpool_cache *cache,
		       unsigned int to, void *block)
{
	unsigned int class = bufpool_window_place(&pool->window, block).class;
	struct bufpool_outbox *outbox = outbox_for(cache, to);

	outbox->to = to;
	outbox->blocks[outbox->count++] = block;
	if (outbox->count >= cache->magazines[class].half ||
	    outbox->count == BUFPOOL_OUTBOX_MAX)
		deliver_outbox(pool, cache, outbox);
}

static void give_magazine(struct gift *gift, struct bufpool_cache *cache,
			  unsigned int class)
{
	struct bufpool_magazine *magazine = &cache->magazines[class];

	gift_add_all(gift, magazine->bottom, bufpool_magazine_count(magazine));
	bufpool_magazine_clear(magazine);
}

static void give_shelf(struct gift *gift, unsigned int class)
{
	void *blocks[BUFPOOL_HALF_MAX];
	unsigned int count;

	while ((count = bufpool_depot_get(&gift->pool->depot, class, blocks,
					  BUFPOOL_HALF_MAX)))
		gift_add_all(gift, blocks, count);
}

void bufpool_kept_give(struct bufpool *pool, struct bufpool_cache *cache)
{
	struct gift gift;
	unsigned int class;

	gift_begin(&gift, pool, 0);
	for (class = 0; class < pool->classes.count; class++) {
		give_magazine(&gift, cache, class);
		give_shelf(&gift, class);
	}
	gift_send(&gift);
}

static void give_inbox(struct gift *gift, struct bufpool_cache *cache)
{
	void *blocks[BUFPOOL_HALF_MAX];
	unsigned int count;

	while ((count = take_in(&cache->inbox, blocks, BUFPOOL_HALF_MAX)))
		gift_add_all(gift, blocks,
			     accept_all_sent(gift->pool, cache->nr, blocks, count));
}

static void give_outboxes(struct gift *gift, struct bufpool_cache *cache)
{
	struct bufpool_outbox *outbox = cache->outboxes;

	for (; outbox < cache->outboxes + BUFPOOL_NR_OUTBOXES; outbox++) {
		gift_add_all(gift, outbox->blocks,
			     accept_all_sent(gift->pool, outbox->to, outbox->blocks,
					     outbox->count));
		outbox->count = 0;
	}
}

size_t bufpool_kept_sweep(struct bufpool *pool, size_t min_size)
{
	struct gift gift;
	struct bufpool_cache *cache;
	unsigned int class, nr;

	gift_begin(&gift, pool, min_size);
	pthread_mutex_lock(&pool->caches.lock);
	for (nr = 1; nr <= pool->caches.nr; nr++) {
		cache = bufpool_cache_at(&pool->caches, nr);
		give_inbox(&gift, cache);
		give_outboxes(&gift, cache);
	}
	for (class = 0; class < pool->classes.count; class++) {
		if (bufpool_window_block_size(&pool->window, class) < min_size)
			continue;
		give_shelf(&gift, class);
		for (nr = 1; nr <= pool->caches.nr; nr++) {
			cache = bufpool_cache_at(&pool->caches, nr);
			give_magazine(&gift, cache, class);
		}
	}
	gift_send(&gift);
	pthread_mutex_unlock(&pool->caches.lock);
	return gift.bytes;
}

bool bufpool_kept_deliver(struct bufpool *pool, struct bufpool_cache *cache)
{
	struct bufpool_outbox *outbox;
	bool ret = true;

	for (outbox = cache->outboxes;
	     outbox < cache->outboxes + BUFPOOL_NR_OUTBOXES; outbox++)
		ret &= deliver_outbox(pool, cache, outbox);
	return ret;
}

void bufpool_kept_abandon(struct bufpool *pool, struct bufpool_cache *cache)
{
	struct gift gift;
	unsigned int class;

	gift_begin(&gift, pool, 0);
	give_inbox(&gift, cache);
	for (class = 0; class < pool->classes.count; class++) {
		struct bufpool_magazine *magazine = &cache->magazines[class];

		/* while caches are stopped, nothing is kept anywhere */
		if (pool->caches.stopped) {
			give_magazine(&gift, cache, class);
			continue;
		}
		stow_blocks(&gift, class, magazine->bottom,
			    bufpool_magazine_count(magazine));
		bufpool_magazine_clear(magazine);
	}
	gift_send(&gift);
}
