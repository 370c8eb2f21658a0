// SPDX-License-Identifier: GPL-2.0-only
/*
 * bufpool: loading, parameters, unloading.
 *
 * The one pool that the parameters describe is known here only; everything else
 * is handed the pool it works on.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "bufpool.h"

/* Parameters as given; changed and read under kernel_param_lock(). */
static struct bufpool_config config = {
	.slab_size = SZ_128K,
	.max_pooled = SZ_1M,
};

static bool limit_is_given;

/* Both are there from the end of loading to the beginning of unloading. */
static struct bufpool_pool *pool;
static struct bufpool_chardev *chardev;

/* Take the suffix off a number of bytes and say by how much it shifts. */
static unsigned int cut_suffix(char *text)
{
	size_t length = strlen(text);
	const char *suffixes = "KMG", *found;

	found = length ? strchr(suffixes, text[length - 1]) : NULL;
	if (!found)
		return 0;
	text[length - 1] = '\0';
	return 10 * (found - suffixes + 1);
}

static int parse_bytes(const char *val, unsigned long *bytes)
{
	unsigned long number;
	char buf[32], *text;
	unsigned int shift;

	if (strscpy(buf, val, sizeof(buf)) < 0)
		return -EINVAL;
	text = strim(buf);
	shift = cut_suffix(text);
	if (kstrtoul(text, 10, &number) ||
	    check_shl_overflow(number, shift, bytes))
		return -EINVAL;
	return 0;
}

static int bytes_set(const char *val, const struct kernel_param *kp)
{
	unsigned long bytes;
	int err = parse_bytes(val, &bytes);

	if (err)
		pr_err("%s=%s is not accepted: give a number of bytes, such as 65536, 64K or 1M\n",
		       kp->name, val);
	else
		*(unsigned long *)kp->arg = bytes;
	return err;
}

/* Before the pool is there it has to be a number, afterwards in range too. */
static int limit_set(const char *val, const struct kernel_param *kp)
{
	unsigned long old = config.limit;
	int err = bytes_set(val, kp);

	if (!err && pool)
		err = bufpool_limit_check(&config, config.limit);
	if (err) {
		config.limit = old;
		return err;
	}
	limit_is_given = true;
	if (pool)
		bufpool_pool_set_limit(pool, config.limit);
	return 0;
}

static const struct kernel_param_ops bytes_ops = {
	.set = bytes_set,
	.get = param_get_ulong,
};

static const struct kernel_param_ops limit_ops = {
	.set = limit_set,
	.get = param_get_ulong,
};

module_param_cb(slab_size, &bytes_ops, &config.slab_size, 0444);
MODULE_PARM_DESC(slab_size, "bytes that the pool grows by; a power of two (default 128K)");

module_param_cb(max_pooled, &bytes_ops, &config.max_pooled, 0444);
MODULE_PARM_DESC(max_pooled, "bytes in the largest block that is kept for reuse; a power of two (default 1M)");

module_param_cb(limit, &limit_ops, &config.limit, 0644);
MODULE_PARM_DESC(limit, "bytes that the pool may hold; can be changed at run time (default an eighth of the memory)");

static unsigned long default_limit(void)
{
	unsigned long eighth = (totalram_pages() / 8) << PAGE_SHIFT;

	return max3(eighth, config.slab_size, config.max_pooled);
}

static int start(void)
{
	if (!limit_is_given)
		config.limit = default_limit();
	pool = bufpool_pool_create(KBUILD_MODNAME, &config);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	chardev = bufpool_chardev_create(pool);
	if (IS_ERR(chardev)) {
		bufpool_pool_destroy(pool);
		return PTR_ERR(chardev);
	}
	return 0;
}

static void stop(void)
{
	bufpool_chardev_destroy(chardev);
	bufpool_pool_destroy(pool);
	pool = NULL;
}

static int __init bufpool_init(void)
{
	int err;

	kernel_param_lock(THIS_MODULE);
	err = start();
	if (err)
		pool = NULL;
	kernel_param_unlock(THIS_MODULE);
	return err;
}

static void __exit bufpool_exit(void)
{
	kernel_param_lock(THIS_MODULE);
	stop();
	kernel_param_unlock(THIS_MODULE);
}

module_init(bufpool_init);
module_exit(bufpool_exit);

MODULE_DESCRIPTION("A pool of pinned memory blocks that processes rent and map");
MODULE_AUTHOR("The bufpool developers");
MODULE_LICENSE("GPL");
