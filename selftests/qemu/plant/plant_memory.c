// SPDX-License-Identifier: GPL-2.0-only
/* Memory that nothing points to any more, for the proof of the harness. */
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>

static int __init plant_init(void)
{
	void *memory = kmalloc(SZ_128K, GFP_KERNEL);

	/* kmemleak takes any copy of the pointer for a use of the memory. */
	pr_debug("planted %zu bytes\n", memory ? ksize(memory) : 0);
	return memory ? 0 : -ENOMEM;
}

static void __exit plant_exit(void)
{
}

module_init(plant_init);
module_exit(plant_exit);

MODULE_DESCRIPTION("A planted leak of memory");
MODULE_LICENSE("GPL");
