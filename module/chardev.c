// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/bufpool: with call_rent.c, call_channel.c and receive.c the only file that touches user
 * memory.
 *
 * Every call goes through one table and one copy in: handlers see structures of
 * this kernel's size, whatever the program was compiled with. Replies are copied
 * out before new blocks are published, or else the rental is undone, so that a
 * reply that cannot be delivered leaves nothing behind.
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
#include "call.h"

/* Copy out as much of a structure as the caller knows of, too. */
static int reply(struct bufpool_call *call, const void *from, size_t size)
{
	size = min_t(size_t, size, call->args.head.size);
	return copy_to_user(call->uarg, from, size) ? -EFAULT : 0;
}

static int run_info(struct bufpool_call *call)
{
	struct bufpool_info info = { .size = call->args.head.size };

	if (call->args.head.flags || call->args.head.info_reserved)
		return -EINVAL;
	bufpool_pool_info(bufpool_call_client(call)->pool, &info);
	return reply(call, &info, sizeof(info));
}

static int run_class(struct bufpool_call *call)
{
	struct bufpool_class_info info = {
		.size = call->args.class.size,
		.nr = call->args.class.nr,
	};
	struct bufpool_pool *pool = bufpool_call_client(call)->pool;

	if (call->args.class.flags || info.nr >= pool->nr_classes)
		return -EINVAL;
	bufpool_class_info(&pool->classes[array_index_nospec(info.nr, pool->nr_classes)],
			   &info);
	return reply(call, &info, sizeof(info));
}

static int run_limit(struct bufpool_call *call)
{
	struct bufpool_limit *args = &call->args.limit;

	if (args->flags)
		return -EINVAL;
	return bufpool_rental_set_ceiling(bufpool_call_client(call), args->ceiling);
}

static int set_quota(struct bufpool_pool *pool, kuid_t uid, u64 bytes)
{
	int err = bufpool_quota_set(pool, uid, bytes);

	if (!err)
		bufpool_pool_wake_waiters(pool);
	return err;
}

static int run_quota(struct bufpool_call *call)
{
	const typeof(call->args.quota) *args = &call->args.quota;
	struct bufpool_quota quota = {
		.size = args->size,
		.flags = args->flags,
		.uid = args->uid,
	};
	struct bufpool_quota __user *to = call->uarg;
	kuid_t uid = make_kuid(current_user_ns(), args->uid);
	int err = 0;

	if (args->flags & ~BUFPOOL_QUOTA_SET || args->reserved || !uid_valid(uid))
		return -EINVAL;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (bufpool_call_probe(&to->quota))
		return -EFAULT;
	if (args->flags & BUFPOOL_QUOTA_SET)
		err = set_quota(bufpool_call_client(call)->pool, uid, args->quota);
	if (err)
		return err;
	bufpool_quota_show(bufpool_call_client(call)->pool, uid, &quota);
	return reply(call, &quota, sizeof(quota));
}

static int run_stats(struct bufpool_call *call)
{
	struct bufpool_stats stats = { .size = call->args.head.size };

	if (call->args.head.flags)
		return -EINVAL;
	bufpool_client_stats(bufpool_call_client(call), &stats);
	bufpool_kept_stats(bufpool_call_client(call), &stats);
	bufpool_pool_stats(bufpool_call_client(call)->pool, &stats);
	return reply(call, &stats, sizeof(stats));
}

static int run_trim(struct bufpool_call *call)
{
	struct bufpool_trim __user *to = call->uarg;
	u64 trimmed;

	if (call->args.trim.flags)
		return -EINVAL;
	/* what has been trimmed cannot be undone: first see that it can be told */
	if (put_user(0, &to->trimmed))
		return -EFAULT;
	bufpool_poll_relieve(bufpool_call_client(call));
	trimmed = bufpool_evict_trim(bufpool_call_client(call), call->args.trim.min_size);
	return put_user(trimmed, &to->trimmed);
}

static int run_cancel(struct bufpool_call *call)
{
	u32 flags = call->args.head.flags;

	if (flags & ~BUFPOOL_CANCEL_OFF)
		return -EINVAL;
	bufpool_client_cancel(bufpool_call_client(call), !(flags & BUFPOOL_CANCEL_OFF));
	return 0;
}

static int run_poller(struct bufpool_call *call)
{
	struct bufpool_client *client = bufpool_call_client(call);
	u32 flags = call->args.poller.flags;
	const struct bufpool_class *class;

	if (flags & ~BUFPOOL_POLLER_IO || !call->args.poller.min_size)
		return -EINVAL;
	class = bufpool_pool_class(client->pool, call->args.poller.min_size,
				   flags & BUFPOOL_POLLER_IO);
	return class ? bufpool_poll_create(client, class) : -EMSGSIZE;
}

static int run_export(struct bufpool_call *call)
{
	if (call->args.export.flags)
		return -EINVAL;
	return bufpool_export(bufpool_call_client(call), call->args.export.handle);
}

/**
 * struct verb - an ioctl
 * @size: bytes in its structure here
 * @min_size: bytes in the first version of the structure
 * @in: of these, bytes up to the last that is read; a whole number of words
 * @run: does it, and replies; returns the value of the call
 */
struct verb {
	u16 size;
	u16 min_size;
	u16 in;
	int (*run)(struct bufpool_call *call);
};

#define VERB(_cmd, _size, _min_size, _in, _run)			\
	[_IOC_NR(_cmd)] = {					\
		.size = _size,					\
		.min_size = _min_size,				\
		.in = _in,					\
		.run = _run,					\
	}

static const struct verb verbs[] = {
	VERB(BUFPOOL_IOC_INFO, sizeof(struct bufpool_info),
	     offsetofend(struct bufpool_info, span),
	     offsetofend(struct bufpool_info, __reserved), run_info),
	VERB(BUFPOOL_IOC_RENT, sizeof(struct bufpool_rent),
	     offsetofend(struct bufpool_rent, length),
	     offsetofend(struct bufpool_rent, timeout_ns), bufpool_call_rent),
	VERB(BUFPOOL_IOC_RETURN, sizeof(struct bufpool_return),
	     offsetofend(struct bufpool_return, handle),
	     offsetofend(struct bufpool_return, handle), bufpool_call_return),
	VERB(BUFPOOL_IOC_RENT_MANY, sizeof(struct bufpool_rent_many),
	     offsetofend(struct bufpool_rent_many, blocks),
	     offsetofend(struct bufpool_rent_many, blocks), bufpool_call_rent_many),
	VERB(BUFPOOL_IOC_RETURN_MANY, sizeof(struct bufpool_return_many),
	     offsetofend(struct bufpool_return_many, __reserved),
	     offsetofend(struct bufpool_return_many, __reserved),
	     bufpool_call_return_many),
	VERB(BUFPOOL_IOC_LIMIT, sizeof(struct bufpool_limit),
	     offsetofend(struct bufpool_limit, ceiling),
	     offsetofend(struct bufpool_limit, ceiling), run_limit),
	VERB(BUFPOOL_IOC_STATS, sizeof(struct bufpool_stats),
	     offsetofend(struct bufpool_stats, slabs_destroyed),
	     offsetofend(struct bufpool_stats, flags), run_stats),
	VERB(BUFPOOL_IOC_TRIM, sizeof(struct bufpool_trim),
	     offsetofend(struct bufpool_trim, trimmed),
	     offsetofend(struct bufpool_trim, min_size), run_trim),
	VERB(BUFPOOL_IOC_CLASS, sizeof(struct bufpool_class_info),
	     offsetofend(struct bufpool_class_info, properties),
	     offsetofend(struct bufpool_class_info, backing), run_class),
	VERB(BUFPOOL_IOC_QUOTA, sizeof(struct bufpool_quota),
	     offsetofend(struct bufpool_quota, held),
	     offsetofend(struct bufpool_quota, quota), run_quota),
	VERB(BUFPOOL_IOC_CANCEL, sizeof(struct bufpool_cancel),
	     offsetofend(struct bufpool_cancel, flags),
	     offsetofend(struct bufpool_cancel, flags), run_cancel),
	VERB(BUFPOOL_IOC_POLLER, sizeof(struct bufpool_poller),
	     offsetofend(struct bufpool_poller, min_size),
	     offsetofend(struct bufpool_poller, min_size), run_poller),
	VERB(BUFPOOL_IOC_EXPORT, sizeof(struct bufpool_export),
	     offsetofend(struct bufpool_export, handle),
	     offsetofend(struct bufpool_export, handle), run_export),
	VERB(BUFPOOL_IOC_CHANNEL, sizeof(struct bufpool_channel),
	     offsetofend(struct bufpool_channel, __reserved),
	     offsetofend(struct bufpool_channel, __reserved), bufpool_call_channel),
	VERB(BUFPOOL_IOC_SEND, sizeof(struct bufpool_send),
	     offsetofend(struct bufpool_send, deadline_ns),
	     offsetofend(struct bufpool_send, deadline_ns), bufpool_call_send),
	VERB(BUFPOOL_IOC_RECEIVE, sizeof(struct bufpool_receive),
	     offsetofend(struct bufpool_receive, deadline_ns),
	     offsetofend(struct bufpool_receive, deadline_ns), bufpool_call_receive),
};

static const struct verb *find_verb(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	if (cmd != _IO(BUFPOOL_IOC_TYPE, nr) || nr >= ARRAY_SIZE(verbs))
		return NULL;
	return &verbs[array_index_nospec(nr, ARRAY_SIZE(verbs))];
}

/* What a newer program has beyond what is known here has to be zero. */
static int check_rest(const void __user *uarg, u32 known, u32 size)
{
	int ret = check_zeroed_user(uarg + known, size - known);

	return ret < 0 ? ret : ret ? 0 : -E2BIG;
}

static int copy_args(struct bufpool_call *call, const struct verb *verb)
{
	const u64 __user *from = call->uarg;
	u64 *to = call->args.words;
	unsigned int i;
	u32 size;

	if (!user_read_access_begin(from, verb->in))
		return -EFAULT;
	unsafe_get_user(size, (const u32 __user *)from, fault);
	if (size >= verb->min_size)
		for (i = 0; i < verb->in / sizeof(u64); i++)
			unsafe_get_user(to[i], from + i, fault);
	user_read_access_end();

	/* as it was checked: a program may have changed it meanwhile */
	call->args.head.size = size;
	if (likely(size == verb->size))
		return 0;
	if (size < verb->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return size > verb->size ? check_rest(call->uarg, verb->size, size) : 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

static long chardev_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	const struct verb *verb = find_verb(cmd);
	struct bufpool_call call = {
		.file = file,
		.uarg = (void __user *)arg,
	};

	if (!verb)
		return -ENOTTY;
	return copy_args(&call, verb) ?: verb->run(&call);
}

static __poll_t chardev_poll(struct file *file, poll_table *table)
{
	struct bufpool_client *client = file->private_data;

	poll_wait(file, &client->poll, table);
	return bufpool_poll_client(client, poll_requested_events(table));
}

static int chardev_mmap(struct file *file, struct vm_area_struct *vma)
{
	return bufpool_map(file->private_data, vma);
}

/* For /proc/PID/fdinfo: what STATS says of the client, and whom it is charged to. */
static void chardev_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct bufpool_client *client = file->private_data;
	struct bufpool_stats stats;

	bufpool_client_stats(client, &stats);
	bufpool_kept_stats(client, &stats);
	seq_printf(m, "bufpool-blocks:\t%llu\n", stats.client_blocks);
	seq_printf(m, "bufpool-bytes:\t%llu\n", stats.client_bytes);
	seq_printf(m, "bufpool-warm-blocks:\t%llu\n", stats.client_warm_blocks);
	seq_printf(m, "bufpool-warm-bytes:\t%llu\n", stats.client_warm_bytes);
	seq_printf(m, "bufpool-kept-blocks:\t%llu\n", stats.client_kept_blocks);
	seq_printf(m, "bufpool-kept-bytes:\t%llu\n", stats.client_kept_bytes);
	seq_printf(m, "bufpool-user-quarantined:\t%llu\n", stats.user_quarantined);
	seq_printf(m, "bufpool-ceiling:\t%llu\n", stats.client_ceiling);
	seq_printf(m, "bufpool-rents:\t%llu\n", stats.client_rents);
	seq_printf(m, "bufpool-returns:\t%llu\n", stats.client_returns);
	seq_printf(m, "bufpool-sent:\t%llu\n", stats.client_sent);
	seq_printf(m, "bufpool-received:\t%llu\n", stats.client_received);
	seq_printf(m, "bufpool-account:\t%u\n",
		   from_kuid_munged(seq_user_ns(m), client->account->uid));
}

static int chardev_open(struct inode *inode, struct file *file)
{
	struct bufpool_chardev *chardev =
		container_of(file->private_data, struct bufpool_chardev, misc);
	struct bufpool_client *client;

	client = bufpool_client_create(chardev->pool, inode);
	if (IS_ERR(client))
		return PTR_ERR(client);
	bufpool_poll_init(client);
	file->private_data = client;
	file->f_mapping = &client->mapping;
	return nonseekable_open(inode, file);
}

static int chardev_release(struct inode *inode, struct file *file)
{
	bufpool_poll_exit(file->private_data);
	bufpool_rental_end_all(file->private_data);
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
	/* so that large blocks can be mapped by huge entries */
	.get_unmapped_area = thp_get_unmapped_area,
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
 * @pool: the pool; the caller owns it, and keeps it longer than the device
 * @groups: the files of the device in sysfs
 *
 * The device can be opened before this returns.
 *
 * Return: the device, which the caller owns, or ERR_PTR().
 */
struct bufpool_chardev *bufpool_chardev_create(struct bufpool_pool *pool,
					       const struct attribute_group **groups)
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
	chardev->misc.groups = groups;
	err = register_misc(&chardev->misc);
	if (err) {
		kfree(chardev);
		return ERR_PTR(err);
	}
	return chardev;
}

/**
 * bufpool_chardev_destroy - undo bufpool_chardev_create()
 * @chardev: has no open file; those keep the module from being unloaded
 */
void bufpool_chardev_destroy(struct bufpool_chardev *chardev)
{
	misc_deregister(&chardev->misc);
	kfree(chardev);
}
