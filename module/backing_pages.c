// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing "pages": each slab is one block, made of folios of the page allocator.
 *
 * Page-table entries hold a reference to what they map, as those of a file's pages do. So
 * whoever finds the memory by a page table can have a reference, too: get_user_pages(),
 * and all that is built on it. The pool has one to each folio, from the allocator, and
 * gives a folio back by letting go of that: it is free when nobody else has one.
 *
 * A block is one folio, or several of one size, its pieces: where it is larger than
 * PIECE_MAX, and where the system has no folios as large as that just now. Only single
 * pages can always be had.
 */
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "bufpool.h"

/* The largest block */
#define BLOCK_MAX	SZ_64M

/* The largest folio: what one huge page-table entry maps where pages have 4 KiB */
#define PIECE_MAX	SZ_2M

static int backing_init(struct bufpool_class *class)
{
	return 0;
}

static void backing_exit(struct bufpool_class *class)
{
}

static unsigned long nr_pieces(const struct bufpool_slab *slab)
{
	return slab->bytes >> PAGE_SHIFT >> slab->piece_order;
}

static void *piece(const struct bufpool_slab *slab, unsigned long nr)
{
	return slab->pieces ? slab->pieces[nr] : slab->memory;
}

static void put_piece(void *memory)
{
	put_page(virt_to_page(memory));
}

static void *alloc_piece(unsigned int order, gfp_t gfp)
{
	struct page *page = alloc_pages(gfp | __GFP_COMP | __GFP_ZERO, order);

	return page ? page_address(page) : NULL;
}

static void free_pieces(struct bufpool_slab *slab, unsigned long nr)
{
	while (nr--)
		put_piece(slab->pieces[nr]);
	kvfree(slab->pieces);
	slab->pieces = NULL;
}

/* All of a slab in pieces of so many pages. */
static int alloc_pieces(struct bufpool_slab *slab, gfp_t gfp)
{
	unsigned long nr = nr_pieces(slab), i;

	slab->pieces = kvmalloc_array(nr, sizeof(*slab->pieces),
				      BUFPOOL_SLAB_GFP | (gfp & __GFP_ACCOUNT));
	if (!slab->pieces)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		slab->pieces[i] = alloc_piece(slab->piece_order, gfp);
		if (!slab->pieces[i]) {
			free_pieces(slab, i);
			return -ENOMEM;
		}
		cond_resched();
	}
	slab->memory = slab->pieces[0];
	return 0;
}

static int alloc_at(struct bufpool_slab *slab, unsigned int order, gfp_t gfp)
{
	if (order)
		gfp = (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY;
	slab->piece_order = order;
	if (nr_pieces(slab) > 1)
		return alloc_pieces(slab, gfp);
	slab->memory = alloc_piece(order, gfp);
	return slab->memory ? 0 : -ENOMEM;
}

/*
 * In pieces that are as large as can be had. Where there was no contiguous memory a moment
 * ago large ones are not tried: each try costs the system a lot.
 */
static int backing_alloc(struct bufpool_slab *slab, gfp_t gfp)
{
	unsigned int order = get_order(min_t(size_t, slab->bytes, PIECE_MAX));
	struct bufpool_class *class = slab->class;
	int err = -ENOMEM;

	if (order <= PAGE_ALLOC_COSTLY_ORDER ||
	    !time_before(jiffies, READ_ONCE(class->small_until)))
		err = alloc_at(slab, order, gfp);
	/* there is no memory for this branch, in whatever pieces */
	if (err && slab->home && bufpool_memcg_is_full(slab->home->branch->memcg, slab->bytes))
		return err;
	if (err && order > PAGE_ALLOC_COSTLY_ORDER) {
		WRITE_ONCE(class->small_until, jiffies + HZ / 10);
		err = alloc_at(slab, PAGE_ALLOC_COSTLY_ORDER, gfp);
	}
	if (err && order)
		err = alloc_at(slab, 0, gfp);
	return err;
}

static void backing_free(struct bufpool_slab *slab)
{
	if (slab->pieces)
		free_pieces(slab, nr_pieces(slab));
	else
		put_piece(slab->memory);
}

static void backing_shrink(struct bufpool_class *class)
{
}

static bool is_referenced(void *memory)
{
	/* the pool's own */
	return page_ref_count(virt_to_page(memory)) != 1;
}

/* Look first at the piece that was referenced the last time: nobody gets a new reference. */
static bool backing_is_referenced(struct bufpool_slab *slab)
{
	unsigned long nr = nr_pieces(slab), i;

	for (i = 0; i < nr; i++) {
		unsigned long at = (slab->referenced + i) % nr;

		if (is_referenced(piece(slab, at))) {
			slab->referenced = at;
			return true;
		}
	}
	return false;
}

const struct bufpool_backing bufpool_backing_pages = {
	.nr = BUFPOOL_BACKING_PAGES,
	.prefix = "io-",
	.has_refs = true,
	.init = backing_init,
	.exit = backing_exit,
	.alloc = backing_alloc,
	.free = backing_free,
	.shrink = backing_shrink,
	.is_referenced = backing_is_referenced,
};

size_t bufpool_backing_pages_largest(void)
{
	return BLOCK_MAX;
}
