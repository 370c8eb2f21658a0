// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "longer.h"
#include "stock.h"

/* Warm bytes that are kept, but for small limits. */
#define IDLE_BYTES	((__u64)64 << 20)

/* Classes: a page, twice a page, and so on. */
static void add_classes(struct bufpool_memory *memory, size_t largest)
{
	size_t size = sysconf(_SC_PAGESIZE);

	for (; size <= largest; size *= 2)
		memory->areas[memory->nr_classes++].block_size = size;
}

static void lay_out(struct bufpool_stock *stock, __u64 limit)
{
	struct bufpool_memory *memory = &stock->memory;

	add_classes(memory, BUFPOOL_STOCK_MAX_RENT);
	stock->first_io = memory->nr_classes;
	add_classes(memory, BUFPOOL_STOCK_MAX_RENT_IO);
	/* What the limit allows is within a span, as the lowest numbers go first. */
	memory->span = BUFPOOL_STOCK_MAX_RENT_IO;
	while (memory->span < limit)
		memory->span *= 2;
}

int bufpool_stock_init(struct bufpool_stock *stock, __u64 limit)
{
	stock->stats.limit = limit;
	lay_out(stock, limit);
	return bufpool_memory_init(&stock->memory);
}

void bufpool_stock_destroy(struct bufpool_stock *stock)
{
	unsigned int class;

	for (class = 0; class < stock->memory.nr_classes; class++) {
		bufpool_indexset_destroy(&stock->classes[class].warm);
		bufpool_indexset_destroy(&stock->classes[class].cold);
		free(stock->classes[class].blocks);
	}
	bufpool_memory_destroy(&stock->memory);
}

static size_t size_of(const struct bufpool_stock *stock, unsigned int class)
{
	return bufpool_stock_block_size(stock, class);
}

int bufpool_stock_class_for(const struct bufpool_stock *stock, size_t size, bool is_io)
{
	unsigned int class = is_io ? stock->first_io : 0;

	if (size > (is_io ? BUFPOOL_STOCK_MAX_RENT_IO : BUFPOOL_STOCK_MAX_RENT))
		return -EMSGSIZE;
	while (size_of(stock, class) < size)
		class++;
	return class;
}

unsigned int bufpool_stock_larger_end(const struct bufpool_stock *stock, unsigned int class)
{
	unsigned int end = bufpool_stock_is_io(stock, class) ?
			   stock->memory.nr_classes : stock->first_io;

	return class + BUFPOOL_STOCK_LARGER < end ? class + BUFPOOL_STOCK_LARGER + 1 : end;
}

static struct bufpool_stock_block *
block_of(const struct bufpool_stock *stock, const struct bufpool_grant *grant)
{
	return &stock->classes[grant->class].blocks[grant->index];
}

__u64 bufpool_stock_handle(const struct bufpool_stock *stock,
			   const struct bufpool_grant *grant)
{
	return bufpool_handle_make(grant->class, grant->index,
				   block_of(stock, grant)->generation);
}

bool bufpool_stock_is_rented(const struct bufpool_stock *stock,
			     const struct bufpool_grant *grant)
{
	return grant->class < stock->memory.nr_classes &&
	       grant->index < stock->classes[grant->class].nr_blocks &&
	       block_of(stock, grant)->is_rented;
}

int bufpool_stock_find(const struct bufpool_stock *stock, __u64 handle,
		       struct bufpool_grant *grant)
{
	__u32 generation = bufpool_handle_generation(handle);
	struct bufpool_stock_block *block;

	grant->class = bufpool_handle_class(handle);
	grant->index = bufpool_handle_index(handle);
	if (grant->class >= stock->memory.nr_classes ||
	    grant->index >= stock->classes[grant->class].nr_blocks)
		return -ENOENT;
	block = block_of(stock, grant);
	if (!generation || generation > block->generation)
		return -ENOENT;
	return block->is_rented && generation == block->generation ? 0 : -ESTALE;
}

static __u64 held_bytes(const struct bufpool_stock *stock)
{
	return stock->stats.in_use + stock->stats.warm;
}

void bufpool_stock_begin(struct bufpool_stock *stock,
			 const struct bufpool_grant *grant, bool warm)
{
	struct bufpool_stock_block *block = block_of(stock, grant);
	struct bufpool_stats *stats = &stock->stats;

	stats->rents++;
	stats->reused += block->generation > 0;
	stats->client_warm_rents += warm;
	stats->client_blocks++;
	stats->in_use += size_of(stock, grant->class);
	/* After 2^32 rentals, what was stale long ago is no more known. */
	if (!++block->generation)
		block->generation = 1;
	block->is_rented = true;
}

void bufpool_stock_end(struct bufpool_stock *stock,
		       const struct bufpool_grant *grant)
{
	block_of(stock, grant)->is_rented = false;
	stock->stats.returns++;
	stock->stats.client_blocks--;
	stock->stats.in_use -= size_of(stock, grant->class);
}

static void remove_warm(struct bufpool_stock *stock, unsigned int class,
			size_t index)
{
	bufpool_indexset_remove(&stock->classes[class].warm, index);
	stock->stats.warm -= size_of(stock, class);
}

int bufpool_stock_take_warm(struct bufpool_stock *stock, unsigned int class,
			    bool zero, struct bufpool_grant *grant)
{
	struct bufpool_indexset *warm = &stock->classes[class].warm;

	if (!warm->count)
		return -EAGAIN;
	*grant = (struct bufpool_grant){
		class, bufpool_indexset_lowest(warm), zero
	};
	remove_warm(stock, class, grant->index);
	bufpool_stock_begin(stock, grant, true);
	return 0;
}

/* Everything that a block more will ever need. */
static int reserve_entries(struct bufpool_stock_class *class, size_t end)
{
	struct bufpool_stock_block *blocks, *old = class->blocks;
	size_t room = class->room ? class->room : 64;

	if (bufpool_indexset_reserve(&class->warm, end) ||
	    bufpool_indexset_reserve(&class->cold, end))
		return -ENOMEM;
	if (end <= class->room)
		return 0;
	while (room < end)
		room *= 2;
	blocks = bufpool_longer(old, class->room * sizeof(*blocks),
				room * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	class->blocks = blocks;
	class->room = room;
	bufpool_free_shorter(old);
	return 0;
}

static int take_new(struct bufpool_stock *stock, struct bufpool_grant *grant)
{
	struct bufpool_stock_class *class = &stock->classes[grant->class];

	grant->index = class->nr_blocks;
	if (reserve_entries(class, grant->index + 1) ||
	    bufpool_memory_show(&stock->memory, grant->class, grant->index))
		return -ENOMEM;
	class->nr_blocks++;
	return 0;
}

static int take_cold(struct bufpool_stock *stock, struct bufpool_grant *grant)
{
	struct bufpool_indexset *cold = &stock->classes[grant->class].cold;

	grant->index = bufpool_indexset_lowest(cold);
	/* The program may have touched it, after it was given back. */
	grant->zero = bufpool_memory_is_shown(&stock->memory, grant->class,
					      grant->index);
	if (!grant->zero && bufpool_memory_show(&stock->memory, grant->class,
						grant->index))
		return -ENOMEM;
	bufpool_indexset_remove(cold, grant->index);
	return 0;
}

/* A block that is not warm, within the limit. */
static int grow_class(struct bufpool_stock *stock, unsigned int class,
		      struct bufpool_grant *grant)
{
	int ret;

	if (held_bytes(stock) + size_of(stock, class) > stock->stats.limit)
		return -EAGAIN;
	*grant = (struct bufpool_grant){ .class = class };
	if (stock->classes[class].cold.count)
		ret = take_cold(stock, grant);
	else
		ret = take_new(stock, grant);
	if (!ret)
		bufpool_stock_begin(stock, grant, false);
	return ret;
}

/* Blocks that are in no set become cold. */
static void cool_run(struct bufpool_stock *stock, const struct bufpool_run *run,
		     bool must)
{
	size_t i;

	bufpool_memory_discard(&stock->memory, run, must);
	for (i = 0; i < run->count; i++)
		bufpool_indexset_add(&stock->classes[run->class].cold,
				     run->first + i);
}

void bufpool_stock_cool(struct bufpool_stock *stock,
			const struct bufpool_grant *grant, bool must)
{
	struct bufpool_run run = { grant->class, grant->index, 1 };

	cool_run(stock, &run, must);
}

static void cool_highest(struct bufpool_stock *stock, unsigned int class)
{
	struct bufpool_run run = { .class = class, .count = 1 };

	run.first = bufpool_indexset_highest(&stock->classes[class].warm);
	remove_warm(stock, class, run.first);
	cool_run(stock, &run, false);
}

static __u64 idle_bytes(const struct bufpool_stock *stock)
{
	__u64 quarter = stock->stats.limit / 4;

	return quarter < IDLE_BYTES ? quarter : IDLE_BYTES;
}

void bufpool_stock_keep(struct bufpool_stock *stock,
			const struct bufpool_grant *grant)
{
	bufpool_indexset_add(&stock->classes[grant->class].warm, grant->index);
	stock->stats.warm += size_of(stock, grant->class);
	if (stock->stats.warm > idle_bytes(stock))
		cool_highest(stock, grant->class);
}

static unsigned int warmest_class(const struct bufpool_stock *stock)
{
	unsigned int class, warmest = 0;
	__u64 bytes, most = 0;

	for (class = 0; class < stock->memory.nr_classes; class++) {
		bytes = (__u64)stock->classes[class].warm.count *
			size_of(stock, class);
		if (bytes > most) {
			most = bytes;
			warmest = class;
		}
	}
	return warmest;
}

/* Give up warm blocks for @size bytes more, if that suffices. */
static bool make_room(struct bufpool_stock *stock, size_t size)
{
	struct bufpool_stats *stats = &stock->stats;

	if (stats->in_use + size > stats->limit)
		return false;
	while (held_bytes(stock) + size > stats->limit) {
		cool_highest(stock, warmest_class(stock));
		stats->steals++;
	}
	return true;
}

int bufpool_stock_take(struct bufpool_stock *stock, unsigned int class, bool zero,
		       struct bufpool_grant *grant)
{
	size_t size = size_of(stock, class);
	unsigned int larger;
	int ret;

	if (size > stock->stats.limit)
		return -EDQUOT;
	ret = bufpool_stock_take_warm(stock, class, zero, grant);
	if (ret == -EAGAIN)
		ret = grow_class(stock, class, grant);
	for (larger = class + 1;
	     ret == -EAGAIN && larger < bufpool_stock_larger_end(stock, class); larger++)
		ret = bufpool_stock_take_warm(stock, larger, zero, grant);
	if (ret == -EAGAIN && make_room(stock, size))
		ret = grow_class(stock, class, grant);
	return ret;
}

/* All warm blocks of one class, in runs */
static void trim_class(struct bufpool_stock *stock, unsigned int class)
{
	struct bufpool_indexset *warm = &stock->classes[class].warm;
	struct bufpool_run run = { .class = class };

	while (warm->count) {
		run.first = bufpool_indexset_lowest(warm);
		for (run.count = 0;
		     bufpool_indexset_has(warm, run.first + run.count);
		     run.count++)
			remove_warm(stock, class, run.first + run.count);
		cool_run(stock, &run, false);
	}
}

__u64 bufpool_stock_trim(struct bufpool_stock *stock, __u64 min_size)
{
	__u64 before = stock->stats.warm;
	unsigned int class;

	for (class = 0; class < stock->memory.nr_classes; class++) {
		if (size_of(stock, class) >= min_size)
			trim_class(stock, class);
	}
	return before - stock->stats.warm;
}

__u64 bufpool_stock_count_warm(const struct bufpool_stock *stock)
{
	unsigned int class;
	__u64 count = 0;

	for (class = 0; class < stock->memory.nr_classes; class++)
		count += stock->classes[class].warm.count;
	return count;
}
