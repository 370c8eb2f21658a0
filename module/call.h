/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls: what the files have in common that touch user memory.
 */
#ifndef _BUFPOOL_CALL_H
#define _BUFPOOL_CALL_H

#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>
#include <uapi/linux/bufpool.h>

struct bufpool_client;

/* What is read of a caller's structure, which may go on with what is written. */
union bufpool_call_args {
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
	struct bufpool_poller poller;
	struct bufpool_export export;
	struct {
		u32 size;
		u32 flags;
		u32 capacity;
		u32 unread[2];
		u32 reserved;
	} channel;
	struct bufpool_send send;
	struct bufpool_receive receive;
	struct {
		u32 size;
		u32 flags;
		u32 nr;
		u32 unread;
	} class;
};

static_assert(sizeof(union bufpool_call_args) == sizeof_field(union bufpool_call_args, words));
static_assert(offsetof(union bufpool_call_args, head.info_reserved) ==
	      offsetof(struct bufpool_info, __reserved));
static_assert(offsetof(union bufpool_call_args, class.nr) ==
	      offsetof(struct bufpool_class_info, nr));
static_assert(offsetof(union bufpool_call_args, channel.reserved) ==
	      offsetof(struct bufpool_channel, __reserved));
static_assert(offsetofend(union bufpool_call_args, rent.timeout_ns) ==
	      offsetofend(struct bufpool_rent, timeout_ns));

/**
 * struct bufpool_call - one ioctl
 * @file: the client's
 * @uarg: the caller's structure
 * @args: a copy of the caller's structure, up to what is only written
 */
struct bufpool_call {
	struct file *file;
	void __user *uarg;
	union bufpool_call_args args;
};

static inline struct bufpool_client *bufpool_call_client(const struct bufpool_call *call)
{
	return call->file->private_data;
}

/*
 * Before a call does what takes long, see that its reply can be written: read a byte
 * and write it back.
 */
static inline int bufpool_call_probe(void __user *at)
{
	u8 __user *byte = at;
	u8 value;

	return get_user(value, byte) || put_user(value, byte) ? -EFAULT : 0;
}

/* fcntl() may be changing that just now, as it may for every file. */
static inline bool bufpool_call_is_nonblock(const struct file *file)
{
	/* either is as good */
	return data_race(file->f_flags) & O_NONBLOCK;
}

int bufpool_call_rent(struct bufpool_call *call);
int bufpool_call_return(struct bufpool_call *call);
int bufpool_call_rent_many(struct bufpool_call *call);
int bufpool_call_return_many(struct bufpool_call *call);
int bufpool_call_channel(struct bufpool_call *call);
int bufpool_call_send(struct bufpool_call *call);
int bufpool_call_receive(struct bufpool_call *call);

#endif /* _BUFPOOL_CALL_H */
