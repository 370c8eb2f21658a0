/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The window: the space of mmap offsets, and the numbers in a handle.
 */
#ifndef _BUFPOOL_WINDOW_H
#define _BUFPOOL_WINDOW_H

#include <linux/bits.h>

/*
 * A handle is class (5 bits), index in the class (27), generation (32). The
 * window gives each class 2^39 bytes, as many as 27 bits of 4 KiB blocks need;
 * 32 classes of it are all that a 32-bit program's mmap can address.
 */
#define BUFPOOL_SPAN_SHIFT	39
#define BUFPOOL_SPAN		BIT_ULL(BUFPOOL_SPAN_SHIFT)
#define BUFPOOL_INDEX_BITS	27
#define BUFPOOL_MAX_CLASSES	30

/* Where the status page is: the last span, which no class has. */
#define BUFPOOL_STATUS_OFFSET	(31 * BUFPOOL_SPAN)

/* And where the stacks are, so many for each client. */
#define BUFPOOL_STACKS_OFFSET	(30 * BUFPOOL_SPAN)
#define BUFPOOL_NR_STACKS	BIT(17)

#endif /* _BUFPOOL_WINDOW_H */
