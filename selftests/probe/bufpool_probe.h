/* SPDX-License-Identifier: MIT */
/* What the probe module and the tests that use it have in common. */
#ifndef BUFPOOL_PROBE_H
#define BUFPOOL_PROBE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * In: an address of the caller. Out: the number of the page frame that its page
 * table has there; EFAULT where it has none.
 */
#define BUFPOOL_PROBE_PFN	_IOWR('b', 0x01, __u64)

/* In: the number of a page frame. Out: whether all of it is zero. */
#define BUFPOOL_PROBE_ZERO	_IOWR('b', 0x02, __u64)

#endif /* BUFPOOL_PROBE_H */
