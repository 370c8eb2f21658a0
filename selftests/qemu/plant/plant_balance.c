// SPDX-License-Identifier: GPL-2.0-only
/* What bufpool says at unload when it has lost a slab, for the proof of the harness. */
#include <linux/module.h>

static int __init plant_init(void)
{
	pr_info("bufpool: planted: 2 slabs created, 1 destroyed\n");
	return 0;
}

static void __exit plant_exit(void)
{
}

module_init(plant_init);
module_exit(plant_exit);

MODULE_DESCRIPTION("A planted line about a lost slab");
MODULE_LICENSE("GPL");
