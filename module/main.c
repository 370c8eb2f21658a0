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
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "bufpool.h"

#if PAGE_SHIFT < 16
#define DEFAULT_SLAB_SIZE	SZ_128K
#else
#define DEFAULT_SLAB_SIZE	BUFPOOL_SLAB_SIZE_MIN
#endif

/* Not refused, not even where the allocator debugs itself. */
static_assert(KMALLOC_MAX_SIZE >= 2 * DEFAULT_SLAB_SIZE);

/* Parameters as given; changed and read under kernel_param_lock(). */
static struct bufpool_config config = {
	.slab_size = DEFAULT_SLAB_SIZE,
	.max_pooled = ULONG_MAX,
	.memcg = true,
	.max_clients = 65536,
	.max_waiters = 32768,
	.floor = SZ_1M,
	.warm_blocks = 64,
	.warm_bytes = SZ_4M,
	.trim_ms = 10000,
};

static bool limit_is_given;

/* All are there from the end of loading to the beginning of unloading. */
static struct bufpool_pool *pool;
static struct bufpool_chardev *chardev;
static struct bufpool_sysfs *sysfs;
static struct dentry *debugfs;

static int parse_number(const char *val, unsigned long *number)
{
	return kstrtoul(val, 10, number);
}

/* Say in one line what is wrong with a value, which may have any bytes in it. */
static void refuse(const struct kernel_param *kp, const char *val, int err,
		   bool bytes)
{
	int length = min_t(size_t, bufpool_bytes_length(val), 64);

	if (err == -ERANGE)
		pr_err("%s=%*pE is not accepted: give at most %lu\n", kp->name,
		       length, val, ULONG_MAX);
	else if (bytes)
		pr_err("%s=%*pE is not accepted: give a whole number of bytes, such as 65536, 64K or 1MiB\n",
		       kp->name, length, val);
	else
		pr_err("%s=%*pE is not accepted: give a number\n", kp->name,
		       length, val);
}

/* Before the pool is there it has to be a number, afterwards in range too. */
static int set(const char *val, const struct kernel_param *kp,
	       int (*parse)(const char *val, unsigned long *number))
{
	unsigned long *field = kp->arg, old = *field;
	int err = parse(val, field);

	if (err)
		refuse(kp, val, err, parse == bufpool_bytes_parse);
	else if (pool)
		err = bufpool_config_check(&config) ?:
		      bufpool_pool_configure(pool, &config);
	if (err)
		*field = old;
	return err ? -EINVAL : 0;
}

static int bytes_set(const char *val, const struct kernel_param *kp)
{
	return set(val, kp, bufpool_bytes_parse);
}

static int number_set(const char *val, const struct kernel_param *kp)
{
	return set(val, kp, parse_number);
}

static int limit_set(const char *val, const struct kernel_param *kp)
{
	int err = bytes_set(val, kp);

	limit_is_given = limit_is_given || !err;
	return err;
}

static const struct kernel_param_ops bytes_ops = {
	.set = bytes_set,
	.get = param_get_ulong,
};

static const struct kernel_param_ops number_ops = {
	.set = number_set,
	.get = param_get_ulong,
};

static const struct kernel_param_ops limit_ops = {
	.set = limit_set,
	.get = param_get_ulong,
};

module_param_cb(slab_size, &bytes_ops, &config.slab_size, 0444);
MODULE_PARM_DESC(slab_size, "bytes that the pool grows by; a power of two, at least eight pages (default 128K; eight pages where that is more)");

module_param_cb(max_pooled, &bytes_ops, &config.max_pooled, 0444);
MODULE_PARM_DESC(max_pooled, "bytes in the largest block that is kept for reuse; a power of two (default the largest that can be rented)");

module_param_named(memcg, config.memcg, bool, 0444);
MODULE_PARM_DESC(memcg, "charge slabs to the memory cgroup of the task that they are made for (default on)");

module_param_cb(limit, &limit_ops, &config.limit, 0644);
MODULE_PARM_DESC(limit, "bytes that the pool may hold (default an eighth of the memory)");

module_param_cb(quota, &bytes_ops, &config.quota, 0644);
MODULE_PARM_DESC(quota, "bytes in slabs that one user's blocks may be in (default half of limit)");

module_param_cb(share, &bytes_ops, &config.share, 0644);
MODULE_PARM_DESC(share, "bytes that others are to give up for one waiter at most (default half of limit)");

module_param_cb(max_clients, &number_ops, &config.max_clients, 0644);
MODULE_PARM_DESC(max_clients, "open descriptions of the device that one user may have, and pollers, stacks and pages of channels (default 65536)");

module_param_cb(max_waiters, &number_ops, &config.max_waiters, 0644);
MODULE_PARM_DESC(max_waiters, "rents of one user that may wait at a time (default 32768)");

module_param_cb(floor, &bytes_ops, &config.floor, 0644);
MODULE_PARM_DESC(floor, "bytes that the pool keeps though they are not needed (default 1M)");

module_param_cb(warm_blocks, &number_ops, &config.warm_blocks, 0644);
MODULE_PARM_DESC(warm_blocks, "returned blocks of one size that a client keeps mapped (default 64)");

module_param_cb(warm_bytes, &bytes_ops, &config.warm_bytes, 0644);
MODULE_PARM_DESC(warm_bytes, "bytes of one size that a client keeps mapped (default 4M)");

module_param_cb(trim_ms, &number_ops, &config.trim_ms, 0644);
MODULE_PARM_DESC(trim_ms, "milliseconds between giving back what is not needed (default 10000)");

static unsigned long default_limit(void)
{
	unsigned long eighth = (totalram_pages() / 8) << PAGE_SHIFT;

	return max(eighth, config.slab_size);
}

static int start(void)
{
	if (bufpool_checks_page_tables() && !bufpool_check_spares_special()) {
		pr_err("this kernel checks page tables in a way that no slab can be mapped: boot it with page_table_check=off, or take one from 7.3, 6.12.114 or 6.1.191 on\n");
		return -EOPNOTSUPP;
	}
	if (!limit_is_given)
		config.limit = default_limit();
	pool = bufpool_pool_create(KBUILD_MODNAME, &config);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	config.max_pooled = pool->config.max_pooled;
	chardev = bufpool_chardev_create(pool, bufpool_sysfs_groups);
	if (IS_ERR(chardev)) {
		bufpool_pool_destroy(pool);
		return PTR_ERR(chardev);
	}
	sysfs = bufpool_sysfs_create(pool, chardev->misc.this_device);
	debugfs = bufpool_debugfs_create(pool);
	return 0;
}

static void stop(void)
{
	bufpool_debugfs_destroy(debugfs);
	bufpool_sysfs_destroy(sysfs);
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
MODULE_VERSION(BUFPOOL_VERSION);
MODULE_LICENSE("GPL");
