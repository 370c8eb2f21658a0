// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing "slab": each slab of blocks is one object of a kmem_cache.
 *
 * Objects are whole pages, so no metadata of the kernel shares a page with a
 * block. Pages of kmem_caches cannot be inserted with a reference; they are
 * mapped by PFN, and so cannot be pinned by get_user_pages() either. Therefore
 * taking the page-table entries away takes the memory away.
 *
 * A slab of several blocks needs contiguous memory, which a system that has run for
 * long may not have though it has enough. So a second cache has objects of one
 * block. Those of less than eight pages the allocator may put several into one folio.
 */
#include <linux/mm.h>
#include "bufpool.h"

static struct kmem_cache *backing_create(struct bufpool_class *class,
					 const char *suffix, size_t size)
{
	char name[32];

	snprintf(name, sizeof(name), "%s-%zuk%s", class->pool->name,
		 bufpool_class_block_size(class) >> 10, suffix);
	return bufpool_block_cache_create(name, size);
}

static void backing_exit(struct bufpool_class *class)
{
	kmem_cache_destroy(class->small);
	kmem_cache_destroy(class->memory);
	class->small = NULL;
	class->memory = NULL;
}

static int backing_init(struct bufpool_class *class)
{
	class->memory = backing_create(class, "", class->slab_size);
	if (!class->memory)
		return -ENOMEM;
	if (class->per_slab == 1)
		return 0;
	class->small = backing_create(class, "-small",
				      bufpool_class_block_size(class));
	return class->small ? 0 : -ENOMEM;
}

static struct kmem_cache *backing_cache(struct bufpool_slab *slab)
{
	return bufpool_slab_is_small(slab) ? slab->class->small : slab->class->memory;
}

/* There are small slabs where a large one is hard to get. */
static int backing_alloc(struct bufpool_slab *slab, gfp_t gfp)
{
	if (!bufpool_slab_is_small(slab) && slab->class->small)
		gfp = (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY;
	slab->memory = kmem_cache_alloc(backing_cache(slab), gfp | __GFP_ZERO);
	return slab->memory ? 0 : -ENOMEM;
}

static void backing_free(struct bufpool_slab *slab)
{
	kmem_cache_free(backing_cache(slab), slab->memory);
}

static void backing_shrink(struct bufpool_class *class)
{
	kmem_cache_shrink(class->memory);
	if (class->small)
		kmem_cache_shrink(class->small);
}

/* There is no way to come by a reference. */
static bool backing_is_referenced(struct bufpool_slab *slab)
{
	return false;
}

const struct bufpool_backing bufpool_backing_slab = {
	.nr = BUFPOOL_BACKING_SLAB,
	.prefix = "",
	.init = backing_init,
	.exit = backing_exit,
	.alloc = backing_alloc,
	.free = backing_free,
	.shrink = backing_shrink,
	.is_referenced = backing_is_referenced,
};

/*
 * The largest object that a kmem_cache can be created for. Where the allocator
 * debugs itself it puts red zones around an object, and the largest sizes no
 * longer fit. To find that out by a creation that fails would leave a stack
 * trace in the log, so see what one object occupies that has a folio for itself,
 * and that is not so large that there may be no memory for it.
 */
size_t bufpool_backing_slab_largest(void)
{
	const size_t size = 4 * BUFPOOL_SLAB_SIZE_MIN;
	size_t occupied = 0;
	struct kmem_cache *cache;
	void *object;

	cache = bufpool_block_cache_create("bufpool-probe", size);
	if (!cache)
		return 0;
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	if (object) {
		occupied = page_size(virt_to_head_page(object));
		kmem_cache_free(cache, object);
	}
	kmem_cache_destroy(cache);

	if (!occupied)
		return 0;
	return occupied == size ? KMALLOC_MAX_SIZE : KMALLOC_MAX_SIZE / 2;
}
