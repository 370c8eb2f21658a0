/* SPDX-License-Identifier: MIT */
/* What the module that writes late and the tests that use it have in common. */
#ifndef BUFPOOL_LATE_H
#define BUFPOOL_LATE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct bufpool_late_write - have a word written some time after the call
 * @at: address of the caller, whose page is pinned; or 0
 * @stamp: the word
 * @delay_ms: after so long
 * @dmabuf: where @at is 0, a dma-buf, which is attached, and mapped for a device and in the
 *	kernel; its last word is written, too
 */
struct bufpool_late_write {
	__u64 at;
	__u64 stamp;
	__u32 delay_ms;
	__s32 dmabuf;
};

#define BUFPOOL_LATE_WRITE	_IOW('b', 0x02, struct bufpool_late_write)

#endif /* BUFPOOL_LATE_H */
