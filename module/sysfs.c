// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/misc/bufpool: what STATS says of the pool, and more of each class;
 * one value per file, read only but for trim, which is an order, and the reserve of
 * a class. What else can be changed is a module parameter.
 *
 * The pool's files are attributes of the device. A class has a directory of its
 * own, a kobject below the device's. No file of a pool that is being destroyed
 * is read: taking a file away waits for its readers, and a file that is still open
 * gives ENODEV from then on. The kobjects are the kernel's own kind: they may live
 * on without the module.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/sysfs.h>
#include "bufpool.h"

/**
 * struct pool_attr - a file that shows a number out of struct bufpool_stats
 * @attr: the file
 * @offset: where the number is
 */
struct pool_attr {
	struct device_attribute attr;
	size_t offset;
};

static ssize_t pool_attr_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct pool_attr *shown = container_of(attr, struct pool_attr, attr);
	struct bufpool_stats stats;

	bufpool_pool_stats(bufpool_chardev_pool(dev), &stats);
	return sysfs_emit(buf, "%llu\n",
			  *(u64 *)((void *)&stats + shown->offset));
}

#define POOL_ATTR(_name)						\
static struct pool_attr pool_attr_##_name = {				\
	.attr = {							\
		.attr = { .name = __stringify(_name), .mode = 0444 },	\
		.show = pool_attr_show,					\
	},								\
	.offset = offsetof(struct bufpool_stats, _name),		\
}

POOL_ATTR(limit);
POOL_ATTR(in_use);
POOL_ATTR(warm);
POOL_ATTR(kept);
POOL_ATTR(pinned);
POOL_ATTR(waiting);
POOL_ATTR(clients);
POOL_ATTR(rents);
POOL_ATTR(reused);
POOL_ATTR(returns);
POOL_ATTR(waits);
POOL_ATTR(steals);
POOL_ATTR(scrubs);
POOL_ATTR(slabs_created);
POOL_ATTR(slabs_destroyed);
POOL_ATTR(refused_again);
POOL_ATTR(refused_quota);
POOL_ATTR(refused_memory);
POOL_ATTR(timeouts);
POOL_ATTR(refused_waiters);
POOL_ATTR(refused_clients);
POOL_ATTR(idle);
POOL_ATTR(quarantined);
POOL_ATTR(channels);
POOL_ATTR(in_channels);
POOL_ATTR(sent);
POOL_ATTR(received);

/* STATS has the caller's, which may be exempt. */
static ssize_t quota_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct bufpool_pool *pool = bufpool_chardev_pool(dev);

	return sysfs_emit(buf, "%lu\n", bufpool_pool_quota(pool));
}

static DEVICE_ATTR_RO(quota);

/* Give back, now, what is not in use. */
static ssize_t trim_store(struct device *dev, struct device_attribute *attr,
			  const char *buf, size_t count)
{
	bool now;

	if (kstrtobool(buf, &now) || !now)
		return -EINVAL;
	bufpool_reclaim_all(bufpool_chardev_pool(dev));
	return count;
}

static DEVICE_ATTR_WO(trim);

static struct attribute *pool_attrs[] = {
	&dev_attr_trim.attr,
	&pool_attr_limit.attr.attr,
	&dev_attr_quota.attr,
	&pool_attr_in_use.attr.attr,
	&pool_attr_warm.attr.attr,
	&pool_attr_kept.attr.attr,
	&pool_attr_pinned.attr.attr,
	&pool_attr_waiting.attr.attr,
	&pool_attr_clients.attr.attr,
	&pool_attr_rents.attr.attr,
	&pool_attr_reused.attr.attr,
	&pool_attr_returns.attr.attr,
	&pool_attr_waits.attr.attr,
	&pool_attr_steals.attr.attr,
	&pool_attr_scrubs.attr.attr,
	&pool_attr_slabs_created.attr.attr,
	&pool_attr_slabs_destroyed.attr.attr,
	&pool_attr_refused_again.attr.attr,
	&pool_attr_refused_quota.attr.attr,
	&pool_attr_refused_memory.attr.attr,
	&pool_attr_timeouts.attr.attr,
	&pool_attr_refused_waiters.attr.attr,
	&pool_attr_refused_clients.attr.attr,
	&pool_attr_idle.attr.attr,
	&pool_attr_quarantined.attr.attr,
	&pool_attr_channels.attr.attr,
	&pool_attr_in_channels.attr.attr,
	&pool_attr_sent.attr.attr,
	&pool_attr_received.attr.attr,
	NULL
};

static const struct attribute_group pool_group = {
	.attrs = pool_attrs,
};

/* The files of the device. */
const struct attribute_group *bufpool_sysfs_groups[] = {
	&pool_group,
	NULL
};

/**
 * struct class_attr - a file of a class
 * @attr: the file
 * @class: the class
 * @offset: of its number in struct bufpool_class_stats
 */
struct class_attr {
	struct kobj_attribute attr;
	struct bufpool_class *class;
	size_t offset;
};

/* Set so much aside. */
static ssize_t reserve_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	struct class_attr *shown = container_of(attr, struct class_attr, attr);
	unsigned long bytes;
	int err;

	err = bufpool_bytes_parse(buf, &bytes) ?:
	      bufpool_reserve_set(shown->class, bytes);
	return err ?: count;
}

/* What a class's files are called, which number each shows, and what else it takes. */
static const struct {
	const char *name;
	size_t offset;
	ssize_t (*store)(struct kobject *kobj, struct kobj_attribute *attr,
			 const char *buf, size_t count);
} class_files[] = {
	{ "slabs", offsetof(struct bufpool_class_stats, slabs) },
	{ "idle_slabs", offsetof(struct bufpool_class_stats, idle_slabs) },
	{ "free", offsetof(struct bufpool_class_stats, free) },
	{ "out", offsetof(struct bufpool_class_stats, out) },
	{ "waiting", offsetof(struct bufpool_class_stats, waiting) },
	{ "reserve", offsetof(struct bufpool_class_stats, reserve), reserve_store },
};

/**
 * struct class_dir - the directory of a class
 * @kobj: the directory; NULL if it could not be made
 * @nr: how many files there are in it
 * @files: the files
 */
struct class_dir {
	struct kobject *kobj;
	unsigned int nr;
	struct class_attr files[ARRAY_SIZE(class_files)];
};

static ssize_t class_attr_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	struct class_attr *shown = container_of(attr, struct class_attr, attr);
	struct bufpool_class_stats stats;

	bufpool_class_stats(shown->class, &stats);
	return sysfs_emit(buf, "%llu\n",
			  *(u64 *)((void *)&stats + shown->offset));
}

/**
 * struct bufpool_sysfs - the directories of a pool's classes
 * @classes: has them in it, and is named so
 * @nr: how many there are
 * @dirs: the directories
 */
struct bufpool_sysfs {
	struct kobject *classes;
	unsigned int nr;
	struct class_dir dirs[];
};

static int add_file(struct class_dir *dir, struct bufpool_class *class)
{
	struct class_attr *file = &dir->files[dir->nr];
	int err;

	sysfs_attr_init(&file->attr.attr);
	file->attr.attr.name = class_files[dir->nr].name;
	file->attr.show = class_attr_show;
	file->attr.store = class_files[dir->nr].store;
	file->attr.attr.mode = file->attr.store ? 0644 : 0444;
	file->class = class;
	file->offset = class_files[dir->nr].offset;
	err = sysfs_create_file(dir->kobj, &file->attr.attr);
	if (!err)
		dir->nr++;
	return err;
}

static int add_class(struct bufpool_sysfs *sysfs, struct bufpool_class *class)
{
	struct class_dir *dir = &sysfs->dirs[sysfs->nr++];
	char name[32];
	int err = 0;

	snprintf(name, sizeof(name), "%s%zu", class->backing->prefix,
		 bufpool_class_block_size(class));
	dir->kobj = kobject_create_and_add(name, sysfs->classes);
	if (!dir->kobj)
		return -ENOMEM;
	while (!err && dir->nr < ARRAY_SIZE(class_files))
		err = add_file(dir, class);
	return err;
}

/* Waits for readers. */
static void remove_class(struct class_dir *dir)
{
	while (dir->nr)
		sysfs_remove_file(dir->kobj, &dir->files[--dir->nr].attr.attr);
	kobject_put(dir->kobj);
}

static int add_classes(struct bufpool_sysfs *sysfs, struct bufpool_pool *pool,
		       struct device *dev)
{
	int err = 0;

	sysfs->classes = kobject_create_and_add("classes", &dev->kobj);
	if (!sysfs->classes)
		return -ENOMEM;
	while (!err && sysfs->nr < pool->nr_classes)
		err = add_class(sysfs, &pool->classes[sysfs->nr]);
	return err;
}

/**
 * bufpool_sysfs_create - make the directories of a pool's classes
 * @pool: the pool; the caller owns it, and keeps it longer than this
 * @dev: its device, which is visible already
 *
 * A pool is as good without them, so that they could not be made is said in
 * the log and no error.
 *
 * Return: what bufpool_sysfs_destroy() takes; maybe NULL.
 */
struct bufpool_sysfs *bufpool_sysfs_create(struct bufpool_pool *pool,
					   struct device *dev)
{
	struct bufpool_sysfs *sysfs;

	sysfs = kzalloc(struct_size(sysfs, dirs, pool->nr_classes), GFP_KERNEL);
	if (sysfs && !add_classes(sysfs, pool, dev))
		return sysfs;
	pr_warn("no memory for the classes' directories in sysfs: going on without\n");
	bufpool_sysfs_destroy(sysfs);
	return NULL;
}

/**
 * bufpool_sysfs_destroy - undo bufpool_sysfs_create()
 * @sysfs: what that returned; may be NULL, or half made
 *
 * The device is there still. Waits for readers.
 */
void bufpool_sysfs_destroy(struct bufpool_sysfs *sysfs)
{
	if (!sysfs)
		return;
	while (sysfs->nr)
		remove_class(&sysfs->dirs[--sysfs->nr]);
	kobject_put(sysfs->classes);
	kfree(sysfs);
}
