// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserves: slabs of a class that are set aside, as mempool_t has elements.
 *
 * They are made when the administrator says so, and never given back or used for other
 * sizes. Their blocks go to renters and waiters that find nothing else, within quotas as
 * ever. A slab of the reserve that becomes wholly free is in the reserve again: so
 * whatever happens, the class has so many bytes, in use or not. They count in what the
 * pool holds, and so all of them together are within its limit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/sched/signal.h>
#include "bufpool.h"

/* Bytes that are to be set aside in all classes but one. */
static u64 reserve_of_others(const struct bufpool_pool *pool,
			     const struct bufpool_class *class)
{
	unsigned int i;
	u64 bytes = 0;

	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		if (&pool->classes[i] != class)
			bytes += READ_ONCE(pool->classes[i].reserved_bytes);
	return bytes;
}

/* Whether a limit is enough for what is set aside. */
bool bufpool_reserve_fits(struct bufpool_pool *pool, u64 limit)
{
	return reserve_of_others(pool, NULL) <= limit;
}

static int reserve_fill(struct bufpool_class *class, size_t bytes)
{
	int err = 0;

	while (!err && READ_ONCE(class->reserved_bytes) < bytes) {
		err = fatal_signal_pending(current) ? -EINTR :
		      bufpool_supply_set_aside(class);
		cond_resched();
	}
	return err;
}

static int reserve_set(struct bufpool_class *class, size_t bytes)
{
	size_t before = class->reserve_wanted;
	int err;

	bufpool_class_want_reserve(class, bytes);
	err = reserve_fill(class, bytes);
	if (!err)
		return 0;
	pr_err("reserve=%zu of class %zu is not accepted: only %lu bytes could be had\n",
	       bytes, bufpool_class_block_size(class), READ_ONCE(class->reserved_bytes));
	bufpool_class_want_reserve(class, before);
	return err;
}

/**
 * bufpool_reserve_set - set memory aside for a class, or less of it
 * @class: which
 * @bytes: how much at least, in whole slabs
 *
 * What was not set aside before may be in use as something else: then this fails, and
 * nothing changes. Says in the log why. May sleep.
 *
 * Return: 0, -EINVAL where it is more than the limit leaves, -EAGAIN, -ENOMEM, -EINTR.
 */
int bufpool_reserve_set(struct bufpool_class *class, u64 bytes)
{
	struct bufpool_pool *pool = class->pool;
	u64 limit = READ_ONCE(pool->config.limit), others;
	int err = -EINVAL;

	mutex_lock(&pool->reserve_lock);
	others = reserve_of_others(pool, class);
	if (others <= limit && bytes <= round_down(limit - others, class->slab_size))
		err = reserve_set(class, round_up(bytes, class->slab_size));
	else
		pr_err("reserve=%llu of class %zu is not accepted: of the limit, %llu bytes are set aside for other classes\n",
		       bytes, bufpool_class_block_size(class), others);
	mutex_unlock(&pool->reserve_lock);
	/* less may be set aside now */
	bufpool_pool_wake_waiters(pool);
	return err;
}
