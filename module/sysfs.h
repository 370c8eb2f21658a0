/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_SYSFS_H
#define _BUFPOOL_SYSFS_H

struct attribute_group;
struct bufpool_pool;
struct bufpool_sysfs;
struct device;

extern const struct attribute_group *bufpool_sysfs_groups[];
struct bufpool_sysfs *bufpool_sysfs_create(struct bufpool_pool *pool,
					   struct device *dev);
void bufpool_sysfs_destroy(struct bufpool_sysfs *sysfs);

#endif /* _BUFPOOL_SYSFS_H */
