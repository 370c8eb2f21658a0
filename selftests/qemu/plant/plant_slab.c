// SPDX-License-Identifier: GPL-2.0-only
/* A slab that is never given back, for the proof of the harness. */
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>

static int __init plant_init(void)
{
	struct kmem_cache *cache;

	/* A cache with a usercopy region is not merged into another. */
	cache = kmem_cache_create_usercopy("bufpool_planted", SZ_128K, PAGE_SIZE, 0,
					   0, SZ_128K, NULL);
	if (!cache)
		return -ENOMEM;
	return kmem_cache_alloc(cache, GFP_KERNEL) ? 0 : -ENOMEM;
}

static void __exit plant_exit(void)
{
}

module_init(plant_init);
module_exit(plant_exit);

MODULE_DESCRIPTION("A planted slab that is lost");
MODULE_LICENSE("GPL");
