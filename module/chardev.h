/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_CHARDEV_H
#define _BUFPOOL_CHARDEV_H

#include <linux/device.h>
#include <linux/miscdevice.h>

struct attribute_group;
struct bufpool_pool;

/**
 * struct bufpool_chardev - the device of a pool
 * @misc: the device
 * @pool: the pool
 */
struct bufpool_chardev {
	struct miscdevice misc;
	struct bufpool_pool *pool;
};

struct bufpool_chardev *bufpool_chardev_create(struct bufpool_pool *pool,
					       const struct attribute_group **groups);
void bufpool_chardev_destroy(struct bufpool_chardev *chardev);

/* The pool that a device is for. */
static inline struct bufpool_pool *bufpool_chardev_pool(struct device *dev)
{
	struct miscdevice *misc = dev_get_drvdata(dev);

	return container_of(misc, struct bufpool_chardev, misc)->pool;
}

#endif /* _BUFPOOL_CHARDEV_H */
