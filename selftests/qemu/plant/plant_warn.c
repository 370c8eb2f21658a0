// SPDX-License-Identifier: GPL-2.0-only
/* A kernel that warns, for the proof of the harness. */
#include <linux/bug.h>
#include <linux/module.h>

static int __init plant_init(void)
{
	WARN(1, "planted");
	return 0;
}

static void __exit plant_exit(void)
{
}

module_init(plant_init);
module_exit(plant_exit);

MODULE_DESCRIPTION("A planted warning");
MODULE_LICENSE("GPL");
