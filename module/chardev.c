// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/bufpool: the only file that touches user memory.
 *
 * Every call goes through one table and one copy in: handlers see structures of
 * this kernel's size, whatever the program was compiled with. Replies are copied
 * out before new blocks are published, so that a reply that cannot be delivered
 * leaves nothing behind.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include "bufpool.h"

union call_args {
	u32 size;
	struct bufpool_info info;
	struct bufpool_rent rent;
	struct bufpool_return ret;
	struct bufpool_rent_many rent_many;
	struct bufpool_return_many return_many;
	struct bufpool_limit limit;
	struct bufpool_stats stats;
	struct bufpool_trim trim;
};

/**
 * struct call - one ioctl
 * @client: whose
 * @nonblock: the file is O_NONBLOCK
 * @known: bytes of the structure that the caller knows of, too
 * @args: a copy of the caller's structure
 * @batch: blocks rented by it, not yet published
 */
struct call {
	struct bufpool_client *client;
	bool nonblock;
	u32 known;
	union call_args args;
	struct list_head batch;
};

static int run_info(struct call *call)
{
	struct bufpool_info *args = &call->args.info;

	if (args->flags || args->__reserved)
		return -EINVAL;
	bufpool_pool_info(call->client->pool, args);
	return 0;
}

/* What RENT and RENT_MANY have in common. */
static int rent(struct call *call, u32 flags, u64 min_size, s64 timeout_ns,
		u32 count)
{
	struct bufpool_request request = {
		.count = count,
		.zero = flags & BUFPOOL_RENT_ZERO,
		.nonblock = call->nonblock || flags & BUFPOOL_RENT_NONBLOCK,
		.timeout_ns = timeout_ns,
	};
	int ret;

	if (flags & ~(BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK))
		return -EINVAL;
	if (!min_size || timeout_ns < 0 || !count || count > BUFPOOL_MANY_MAX)
		return -EINVAL;
	request.class = bufpool_pool_class(call->client->pool, min_size);
	if (!request.class)
		return -EMSGSIZE;

	ret = bufpool_client_rent(call->client, &request, &call->batch);
	/* a restarted call would begin to wait anew */
	return ret == -ERESTARTSYS && timeout_ns ? -EINTR : ret;
}

static int run_rent(struct call *call)
{
	struct bufpool_rent *args = &call->args.rent;
	struct bufpool_block block;
	int ret;

	ret = rent(call, args->flags, args->min_size, args->timeout_ns, 1);
	if (ret < 0)
		return ret;
	bufpool_blk_report(list_first_entry(&call->batch, struct bufpool_blk,
					    node), &block);
	args->handle = block.handle;
	args->offset = block.offset;
	args->length = block.length;
	return 0;
}

static int run_rent_many(struct call *call)
{
	struct bufpool_rent_many *args = &call->args.rent_many;

	if (args->__reserved)
		return -EINVAL;
	return rent(call, args->flags, args->min_size, args->timeout_ns,
		    args->count);
}

static int reply_rent_many(struct call *call, void __user *uarg)
{
	struct bufpool_block __user *to;
	struct bufpool_blk *blk;

	to = u64_to_user_ptr(call->args.rent_many.blocks);
	list_for_each_entry(blk, &call->batch, node) {
		struct bufpool_block block;

		bufpool_blk_report(blk, &block);
		if (copy_to_user(to++, &block, sizeof(block)))
			return -EFAULT;
	}
	return 0;
}

static bool return_flags_are_valid(u32 flags)
{
	return !(flags & ~(BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE));
}

static int run_return(struct call *call)
{
	struct bufpool_return *args = &call->args.ret;
	int ret;

	if (!return_flags_are_valid(args->flags))
		return -EINVAL;
	ret = bufpool_client_return(call->client, &args->handle, 1,
				    args->flags);
	return ret < 0 ? ret : 0;
}

/* Handles are taken in by so many, which fit on the stack. */
#define RETURN_CHUNK	32U

static int run_return_many(struct call *call)
{
	struct bufpool_return_many *args = &call->args.return_many;
	const u64 __user *from = u64_to_user_ptr(args->handles);
	u64 handles[RETURN_CHUNK];
	unsigned int done, chunk;
	int ret;

	if (!return_flags_are_valid(args->flags) || args->__reserved ||
	    !args->count || args->count > BUFPOOL_MANY_MAX)
		return -EINVAL;

	for (done = 0; done < args->count; done += ret) {
		chunk = min(args->count - done, RETURN_CHUNK);
		if (copy_from_user(handles, from + done,
				   chunk * sizeof(handles[0])))
			return done ?: -EFAULT;
		ret = bufpool_client_return(call->client, handles, chunk,
					    args->flags);
		if (ret < 0)
			return done ?: ret;
		if (ret < chunk)
			return done + ret;
	}
	return done;
}

static int run_limit(struct call *call)
{
	struct bufpool_limit *args = &call->args.limit;

	if (args->flags)
		return -EINVAL;
	return bufpool_client_set_ceiling(call->client, args->ceiling);
}

static int run_stats(struct call *call)
{
	struct bufpool_stats *args = &call->args.stats;

	if (args->flags)
		return -EINVAL;
	bufpool_client_stats(call->client, args);
	bufpool_pool_stats(call->client->pool, args);
	return 0;
}

static int run_trim(struct call *call)
{
	struct bufpool_trim *args = &call->args.trim;

	if (args->flags)
		return -EINVAL;
	args->trimmed = bufpool_warm_trim(call->client, args->min_size);
	return 0;
}

static int reply_args(struct call *call, void __user *uarg)
{
	return copy_to_user(uarg, &call->args, call->known) ? -EFAULT : 0;
}

/**
 * struct verb - an ioctl
 * @size: bytes in its structure here
 * @min_size: bytes in the first version of the structure
 * @run: does it; does not see user pointers, but for arrays
 * @reply: copies the outcome out; may be NULL
 */
struct verb {
	u16 size;
	u16 min_size;
	int (*run)(struct call *call);
	int (*reply)(struct call *call, void __user *uarg);
};

#define VERB(_cmd, _size, _min_size, _run, _reply)		\
	[_IOC_NR(_cmd)] = {					\
		.size = _size,					\
		.min_size = _min_size,				\
		.run = _run,					\
		.reply = _reply,				\
	}

static const struct verb verbs[] = {
	VERB(BUFPOOL_IOC_INFO, sizeof(struct bufpool_info),
	     offsetofend(struct bufpool_info, span),
	     run_info, reply_args),
	VERB(BUFPOOL_IOC_RENT, sizeof(struct bufpool_rent),
	     offsetofend(struct bufpool_rent, length),
	     run_rent, reply_args),
	VERB(BUFPOOL_IOC_RETURN, sizeof(struct bufpool_return),
	     offsetofend(struct bufpool_return, handle),
	     run_return, NULL),
	VERB(BUFPOOL_IOC_RENT_MANY, sizeof(struct bufpool_rent_many),
	     offsetofend(struct bufpool_rent_many, blocks),
	     run_rent_many, reply_rent_many),
	VERB(BUFPOOL_IOC_RETURN_MANY, sizeof(struct bufpool_return_many),
	     offsetofend(struct bufpool_return_many, __reserved),
	     run_return_many, NULL),
	VERB(BUFPOOL_IOC_LIMIT, sizeof(struct bufpool_limit),
	     offsetofend(struct bufpool_limit, ceiling),
	     run_limit, NULL),
	VERB(BUFPOOL_IOC_STATS, sizeof(struct bufpool_stats),
	     offsetofend(struct bufpool_stats, slabs_destroyed),
	     run_stats, reply_args),
	VERB(BUFPOOL_IOC_TRIM, sizeof(struct bufpool_trim),
	     offsetofend(struct bufpool_trim, trimmed),
	     run_trim, reply_args),
};

static const struct verb *find_verb(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	if (cmd != _IO(BUFPOOL_IOC_TYPE, nr) || nr >= ARRAY_SIZE(verbs))
		return NULL;
	return &verbs[array_index_nospec(nr, ARRAY_SIZE(verbs))];
}

static int copy_args(struct call *call, const struct verb *verb,
		     const void __user *uarg)
{
	u32 size;

	if (get_user(size, (const u32 __user *)uarg))
		return -EFAULT;
	if (size < verb->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	call->known = min_t(u32, size, verb->size);
	return copy_struct_from_user(&call->args, verb->size, uarg, size);
}

static long chardev_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	const struct verb *verb = find_verb(cmd);
	void __user *uarg = (void __user *)arg;
	struct call call = {
		.client = file->private_data,
		.nonblock = file->f_flags & O_NONBLOCK,
		.batch = LIST_HEAD_INIT(call.batch),
	};
	int ret, err;

	if (!verb)
		return -ENOTTY;
	ret = copy_args(&call, verb, uarg);
	if (ret)
		return ret;
	ret = verb->run(&call);
	if (ret < 0)
		return ret;

	err = verb->reply ? verb->reply(&call, uarg) : 0;
	if (err) {
		bufpool_client_abort(call.client, &call.batch);
		return err;
	}
	if (!list_empty(&call.batch))
		bufpool_client_publish(call.client, &call.batch);
	return ret;
}

static __poll_t chardev_poll(struct file *file, poll_table *table)
{
	struct bufpool_client *client = file->private_data;
	struct bufpool_pool *pool = client->pool;
	__poll_t mask = 0;

	poll_wait(file, &pool->poll, table);
	if (bufpool_rent_could(&pool->classes[0]))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (bufpool_pool_waiting(pool))
		mask |= EPOLLPRI;
	return mask;
}

static int chardev_mmap(struct file *file, struct vm_area_struct *vma)
{
	return bufpool_map(file->private_data, vma);
}

/* For /proc/PID/fdinfo: what STATS says of the client. */
static void chardev_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct bufpool_stats stats;

	bufpool_client_stats(file->private_data, &stats);
	seq_printf(m, "bufpool-blocks:\t%llu\n", stats.client_blocks);
	seq_printf(m, "bufpool-bytes:\t%llu\n", stats.client_bytes);
	seq_printf(m, "bufpool-warm-blocks:\t%llu\n", stats.client_warm_blocks);
	seq_printf(m, "bufpool-warm-bytes:\t%llu\n", stats.client_warm_bytes);
	seq_printf(m, "bufpool-ceiling:\t%llu\n", stats.client_ceiling);
	seq_printf(m, "bufpool-rents:\t%llu\n", stats.client_rents);
	seq_printf(m, "bufpool-returns:\t%llu\n", stats.client_returns);
}

/**
 * struct bufpool_chardev - the device of a pool
 * @misc: the device
 * @pool: the pool
 * @sysfs: what is below the device in sysfs
 */
struct bufpool_chardev {
	struct miscdevice misc;
	struct bufpool_pool *pool;
	struct bufpool_sysfs *sysfs;
};

static int chardev_open(struct inode *inode, struct file *file)
{
	struct bufpool_chardev *chardev =
		container_of(file->private_data, struct bufpool_chardev, misc);
	struct bufpool_client *client;

	client = bufpool_client_create(chardev->pool, inode);
	if (!client)
		return -ENOMEM;
	file->private_data = client;
	file->f_mapping = &client->mapping;
	return nonseekable_open(inode, file);
}

static int chardev_release(struct inode *inode, struct file *file)
{
	bufpool_client_destroy(file->private_data);
	return 0;
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = chardev_poll,
	.mmap = chardev_mmap,
	.show_fdinfo = chardev_show_fdinfo,
};

/*
 * A fixed minor, of those left for local use, lets the node exist before the
 * module is loaded, and load it.
 */
#define CHARDEV_MINOR	248

MODULE_ALIAS_MISCDEV(CHARDEV_MINOR);
MODULE_ALIAS("devname:bufpool");

static int register_misc(struct miscdevice *misc)
{
	int err = misc_register(misc);

	if (err != -EBUSY)
		return err;
	pr_notice("minor %d is taken by another driver: using a free one; the device node cannot load this module by itself\n",
		  CHARDEV_MINOR);
	misc->minor = MISC_DYNAMIC_MINOR;
	return misc_register(misc);
}

/**
 * bufpool_chardev_create - make a pool's device
 * @pool: the pool; stays the caller's, who keeps it longer than the device
 *
 * The device can be opened before this returns.
 *
 * Return: the device, which the caller owns, or ERR_PTR().
 */
struct bufpool_chardev *bufpool_chardev_create(struct bufpool_pool *pool)
{
	struct bufpool_chardev *chardev = kzalloc(sizeof(*chardev), GFP_KERNEL);
	int err;

	if (!chardev)
		return ERR_PTR(-ENOMEM);
	chardev->pool = pool;
	chardev->misc.minor = CHARDEV_MINOR;
	chardev->misc.name = pool->name;
	chardev->misc.fops = &chardev_fops;
	chardev->misc.mode = 0660;
	chardev->misc.groups = bufpool_sysfs_groups;
	err = register_misc(&chardev->misc);
	if (err) {
		kfree(chardev);
		return ERR_PTR(err);
	}
	chardev->sysfs = bufpool_sysfs_create(pool, chardev->misc.this_device);
	return chardev;
}

/**
 * bufpool_chardev_destroy - undo bufpool_chardev_create()
 * @chardev: has no open file; those keep the module from being unloaded
 */
void bufpool_chardev_destroy(struct bufpool_chardev *chardev)
{
	bufpool_sysfs_destroy(chardev->sysfs);
	misc_deregister(&chardev->misc);
	kfree(chardev);
}

/* The pool that a device is for. */
struct bufpool_pool *bufpool_chardev_pool(struct device *dev)
{
	struct miscdevice *misc = dev_get_drvdata(dev);

	return container_of(misc, struct bufpool_chardev, misc)->pool;
}
