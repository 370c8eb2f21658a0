// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/bufpool: the only file that touches user memory.
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

/* What is read of a caller's structure, which may go on with what is written. */
union call_args {
	u64 words[5];
	/* of INFO and STATS, which have nothing else to say */
	struct {
		u32 size;
		u32 flags;
		u32 unread[3];
		u32 info_reserved;
	} head;
	struct {
		u32 size;
		u32 flags;
		u64 min_size;
		s64 timeout_ns;
	} rent;
	struct bufpool_return ret;
	struct {
		u32 size;
		u32 flags;
		u64 min_size;
		s64 timeout_ns;
		u32 count;
		u32 reserved;
		u64 blocks;
	} rent_many;
	struct bufpool_return_many return_many;
	struct bufpool_limit limit;
	struct {
		u32 size;
		u32 flags;
		u32 uid;
		u32 reserved;
		u64 quota;
	} quota;
	struct bufpool_trim trim;
	struct {
		u32 size;
		u32 flags;
		u32 nr;
		u32 unread;
	} class;
};

static_assert(sizeof(union call_args) == sizeof_field(union call_args, words));
static_assert(offsetof(union call_args, head.info_reserved) ==
	      offsetof(struct bufpool_info, __reserved));
static_assert(offsetof(union call_args, class.nr) ==
	      offsetof(struct bufpool_class_info, nr));
static_assert(offsetofend(union call_args, rent.timeout_ns) ==
	      offsetofend(struct bufpool_rent, timeout_ns));

/**
 * struct call - one ioctl
 * @file: the client's
 * @uarg: the caller's structure
 * @args: a copy of the caller's structure, up to what is only written
 */
struct call {
	struct file *file;
	void __user *uarg;
	union call_args args;
};

static struct bufpool_client *client_of(const struct call *call)
{
	return call->file->private_data;
}

/* Copy out as much of a structure as the caller knows of, too. */
static int reply(struct call *call, const void *from, size_t size)
{
	size = min_t(size_t, size, call->args.head.size);
	return copy_to_user(call->uarg, from, size) ? -EFAULT : 0;
}

static int run_info(struct call *call)
{
	struct bufpool_info info = { .size = call->args.head.size };

	if (call->args.head.flags || call->args.head.info_reserved)
		return -EINVAL;
	bufpool_pool_info(client_of(call)->pool, &info);
	return reply(call, &info, sizeof(info));
}

static int run_class(struct call *call)
{
	struct bufpool_class_info info = {
		.size = call->args.class.size,
		.nr = call->args.class.nr,
	};
	struct bufpool_pool *pool = client_of(call)->pool;

	if (call->args.class.flags || info.nr >= pool->nr_classes)
		return -EINVAL;
	bufpool_class_info(&pool->classes[array_index_nospec(info.nr, pool->nr_classes)],
			   &info);
	return reply(call, &info, sizeof(info));
}

/*
 * What RENT and RENT_MANY have in common: the class of what is asked for, or
 * ERR_PTR().
 */
static struct bufpool_class *find_class(struct call *call, u32 flags,
					u64 min_size, s64 timeout_ns)
{
	struct bufpool_class *class;

	if (flags & ~(BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK))
		return ERR_PTR(-EINVAL);
	if (!min_size || timeout_ns < 0)
		return ERR_PTR(-EINVAL);
	class = bufpool_pool_class(client_of(call)->pool, min_size);
	return class ?: ERR_PTR(-EMSGSIZE);
}

/*
 * Rent, and reply: only then are the blocks the client's. Inline, so that @tell is no
 * indirect call. Return: how many, or an error; -ERESTARTSYS is yet to be seen to.
 */
static __always_inline int rent(struct call *call,
				struct bufpool_request *request, u32 flags,
				struct bufpool_blk **blks,
				int (*tell)(struct call *call,
					    struct bufpool_blk **blks, int nr))
{
	struct bufpool_client *client = client_of(call);
	int ret, err;

	request->zero = flags & BUFPOOL_RENT_ZERO;
	request->nonblock = flags & BUFPOOL_RENT_NONBLOCK ||
			    call->file->f_flags & O_NONBLOCK;
	ret = bufpool_rental_rent(client, request, blks);
	/* waiting would have used the number: what was interrupted ends here */
	if (ret != -ERESTARTSYS && request->wait_id) {
		bufpool_place_drop(client, request->class, request->wait_id);
		request->wait_id = 0;
	}
	if (ret < 0)
		return ret;
	err = tell(call, blks, ret);
	if (err)
		bufpool_rental_abort(client, blks, ret);
	else
		bufpool_rental_publish(client, blks, &request->tally);
	return err ?: ret;
}

/*
 * Before a call does what takes long, see that its reply can be written: read a byte
 * and write it back.
 */
static int probe_reply(void __user *at)
{
	u8 __user *byte = at;
	u8 value;

	return get_user(value, byte) || put_user(value, byte) ? -EFAULT : 0;
}

/* Whether the caller's structure has the field that says how to go on waiting. */
static int get_wait_id(struct bufpool_request *request, bool is_there,
		       const u64 __user *from)
{
	request->keeps_place = is_there;
	return is_there && get_user(request->wait_id, from) ? -EFAULT : 0;
}

/*
 * What becomes of a call that a signal interrupts: it is restarted, unless a handler
 * runs that does not want that. Where it could not go on waiting with the time that is
 * left, it must not be restarted if it has a timeout.
 */
static int restart(const struct bufpool_request *request, u64 __user *to)
{
	if (request->wait_id && !put_user(request->wait_id, to))
		return -ERESTARTSYS;
	return request->timeout_ns ? -EINTR : -ERESTARTSYS;
}

static int put_rent(struct call *call, const struct bufpool_block *block)
{
	struct bufpool_rent __user *to = call->uarg;

	if (!user_write_access_begin(to, sizeof(*to)))
		return -EFAULT;
	unsafe_put_user(block->handle, &to->handle, fault);
	unsafe_put_user(block->offset, &to->offset, fault);
	unsafe_put_user(block->length, &to->length, fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

static int tell_rent(struct call *call, struct bufpool_blk **blks, int nr)
{
	struct bufpool_block block;

	bufpool_blk_report(blks[0], &block);
	return put_rent(call, &block);
}

static noinline int rent_one(struct call *call, struct bufpool_class *class)
{
	struct bufpool_rent __user *to = call->uarg;
	struct bufpool_request request = {
		.class = class,
		.count = 1,
		.timeout_ns = call->args.rent.timeout_ns,
		.steals = BUFPOOL_STEALS_MAX,
	};
	struct bufpool_blk *blk;
	int ret;

	if (probe_reply(&to->handle) ||
	    get_wait_id(&request, call->args.head.size >=
				  offsetofend(struct bufpool_rent, wait_id),
			&to->wait_id))
		return -EFAULT;
	ret = rent(call, &request, call->args.rent.flags, &blk, tell_rent);
	if (ret == -ERESTARTSYS)
		return restart(&request, &to->wait_id);
	return min(ret, 0);
}

/* A warm block is the client's already: it is rented first, and then replied. */
static int run_rent(struct call *call)
{
	u32 flags = call->args.rent.flags;
	struct bufpool_block block;
	struct bufpool_class *class;
	int err;

	class = find_class(call, flags, call->args.rent.min_size,
			   call->args.rent.timeout_ns);
	if (IS_ERR(class))
		return PTR_ERR(class);
	if (flags & BUFPOOL_RENT_ZERO || bufpool_place_is_any(client_of(call)) ||
	    !bufpool_rental_rent_fast(client_of(call), class, &block))
		return rent_one(call, class);
	err = put_rent(call, &block);
	if (err)
		bufpool_rental_undo_fast(client_of(call), block.handle);
	return err;
}

/* Blocks are rented, and handles taken in, by so many, which fit on the stack. */
#define CHUNK	64U

/* Tell of some blocks, and go on behind them. */
static int tell_rent_many(struct call *call, struct bufpool_blk **blks, int nr)
{
	struct bufpool_block __user *to;
	int i;

	to = u64_to_user_ptr(call->args.rent_many.blocks);
	if (!user_write_access_begin(to, nr * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i < nr; i++, to++) {
		struct bufpool_block block;

		bufpool_blk_report(blks[i], &block);
		unsafe_put_user(block.handle, &to->handle, fault);
		unsafe_put_user(block.offset, &to->offset, fault);
		unsafe_put_user(block.length, &to->length, fault);
	}
	user_write_access_end();
	call->args.rent_many.blocks += nr * sizeof(*to);
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

/* The array of replies may lie in several pages. */
static int probe_replies(u64 address, unsigned int count)
{
	u64 end = address + count * sizeof(struct bufpool_block);
	u64 at;

	for (at = address; at < end; at = round_down(at + PAGE_SIZE, PAGE_SIZE))
		if (probe_reply(u64_to_user_ptr(at)))
			return -EFAULT;
	return probe_reply(u64_to_user_ptr(end - 1));
}

static int run_rent_many(struct call *call)
{
	typeof(call->args.rent_many) *args = &call->args.rent_many;
	struct bufpool_rent_many __user *to = call->uarg;
	struct bufpool_request request = {
		.timeout_ns = args->timeout_ns,
		.steals = BUFPOOL_STEALS_MAX,
	};
	struct bufpool_blk *blks[CHUNK];
	unsigned int done;
	int ret;

	if (args->reserved || !args->count || args->count > BUFPOOL_MANY_MAX)
		return -EINVAL;
	request.class = find_class(call, args->flags, args->min_size,
				   args->timeout_ns);
	if (IS_ERR(request.class))
		return PTR_ERR(request.class);
	/* warm blocks cost little */
	if ((!bufpool_rental_has_warm(client_of(call), request.class, args->count) &&
	     probe_replies(args->blocks, args->count)) ||
	    get_wait_id(&request, args->size >=
				  offsetofend(struct bufpool_rent_many, wait_id),
			&to->wait_id))
		return -EFAULT;
	for (done = 0; done < args->count; done += ret) {
		request.count = min(args->count - done, CHUNK);
		ret = rent(call, &request, args->flags, blks, tell_rent_many);
		if (ret == -ERESTARTSYS && !done)
			return restart(&request, &to->wait_id);
		if (ret < 0)
			return done ?: ret;
		if (ret < request.count)
			return done + ret;
		/* the call waits for the first block only */
		args->flags |= BUFPOOL_RENT_NONBLOCK;
	}
	return done;
}

static bool return_flags_are_valid(u32 flags)
{
	return !(flags & ~(BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE));
}

static int run_return(struct call *call)
{
	struct bufpool_return *args = &call->args.ret;
	int ret;

	if (!args->flags &&
	    bufpool_rental_return_fast(client_of(call), args->handle))
		return 0;
	if (!return_flags_are_valid(args->flags))
		return -EINVAL;
	ret = bufpool_rental_return(client_of(call), &args->handle, 1,
				    args->flags);
	return ret < 0 ? ret : 0;
}

/*
 * Read whole words in one window of access: what copies any number of bytes looks
 * at the whole range first, each time.
 */
static int get_words(u64 *to, const u64 __user *from, unsigned int nr)
{
	unsigned int i;

	if (!user_read_access_begin(from, nr * sizeof(*from)))
		return -EFAULT;
	for (i = 0; i < nr; i++)
		unsafe_get_user(to[i], from + i, fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

static int run_return_many(struct call *call)
{
	struct bufpool_return_many *args = &call->args.return_many;
	const u64 __user *from = u64_to_user_ptr(args->handles);
	u64 handles[CHUNK];
	unsigned int done, chunk;
	int ret;

	if (!return_flags_are_valid(args->flags) || args->__reserved ||
	    !args->count || args->count > BUFPOOL_MANY_MAX)
		return -EINVAL;

	for (done = 0; done < args->count; done += ret) {
		chunk = min(args->count - done, CHUNK);
		if (get_words(handles, from + done, chunk))
			return done ?: -EFAULT;
		ret = bufpool_rental_return(client_of(call), handles, chunk,
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
	return bufpool_rental_set_ceiling(client_of(call), args->ceiling);
}

static int set_quota(struct bufpool_pool *pool, kuid_t uid, u64 bytes)
{
	int err = bufpool_quota_set(pool, uid, bytes);

	if (!err)
		bufpool_pool_wake_waiters(pool);
	return err;
}

static int run_quota(struct call *call)
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
	if (probe_reply(&to->quota))
		return -EFAULT;
	if (args->flags & BUFPOOL_QUOTA_SET)
		err = set_quota(client_of(call)->pool, uid, args->quota);
	if (err)
		return err;
	bufpool_quota_show(client_of(call)->pool, uid, &quota);
	return reply(call, &quota, sizeof(quota));
}

static int run_stats(struct call *call)
{
	struct bufpool_stats stats = { .size = call->args.head.size };

	if (call->args.head.flags)
		return -EINVAL;
	bufpool_client_stats(client_of(call), &stats);
	bufpool_kept_stats(client_of(call), &stats);
	bufpool_pool_stats(client_of(call)->pool, &stats);
	return reply(call, &stats, sizeof(stats));
}

static int run_trim(struct call *call)
{
	struct bufpool_trim __user *to = call->uarg;
	u64 trimmed;

	if (call->args.trim.flags)
		return -EINVAL;
	/* what has been trimmed cannot be undone: first see that it can be told */
	if (put_user(0, &to->trimmed))
		return -EFAULT;
	bufpool_poll_relieve(client_of(call));
	trimmed = bufpool_evict_trim(client_of(call), call->args.trim.min_size);
	return put_user(trimmed, &to->trimmed);
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
	int (*run)(struct call *call);
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
	     offsetofend(struct bufpool_rent, timeout_ns), run_rent),
	VERB(BUFPOOL_IOC_RETURN, sizeof(struct bufpool_return),
	     offsetofend(struct bufpool_return, handle),
	     offsetofend(struct bufpool_return, handle), run_return),
	VERB(BUFPOOL_IOC_RENT_MANY, sizeof(struct bufpool_rent_many),
	     offsetofend(struct bufpool_rent_many, blocks),
	     offsetofend(struct bufpool_rent_many, blocks), run_rent_many),
	VERB(BUFPOOL_IOC_RETURN_MANY, sizeof(struct bufpool_return_many),
	     offsetofend(struct bufpool_return_many, __reserved),
	     offsetofend(struct bufpool_return_many, __reserved),
	     run_return_many),
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

static int copy_args(struct call *call, const struct verb *verb)
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
	struct call call = {
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
	return bufpool_poll(client, poll_requested_events(table));
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
	seq_printf(m, "bufpool-ceiling:\t%llu\n", stats.client_ceiling);
	seq_printf(m, "bufpool-rents:\t%llu\n", stats.client_rents);
	seq_printf(m, "bufpool-returns:\t%llu\n", stats.client_returns);
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
