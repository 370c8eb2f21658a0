/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module's files share: one header for each noun. The words are those of
 * the uapi header.
 *
 * A pool has classes, a class has slabs, a slab has blocks. A block is in
 * exactly one of these states:
 *
 *   free        on its slab's list of free blocks
 *   in transit  on no list that others can see, or on a list of the task that
 *		 moves it; that task owns it
 *   rented	 blk->owner is the client; on that client's list
 *   warm	 returned, blk->owner is the client still, see warm.c
 *
 * Lock order, outermost first:
 *
 *   class->grow		one task at a time makes blocks for a class
 *     pool->drain_lock		for which waiter slabs are drained
 *     pool->clients_lock	who the clients and users are
 *	 mm->mmap_lock
 *	   client->map_sem	faults against revocation, see map.c
 *	     client->lock	what a client holds
 *	       class->lock	the free lists of one class, and its waiters
 *
 * The fault handler may allocate under map_sem, and so come to the shrinker,
 * which only tries for clients_lock and map_sem. No user memory is touched under
 * any of these but mmap_lock.
 */
#ifndef _BUFPOOL_H
#define _BUFPOOL_H

#ifndef CONFIG_64BIT
/* 32-bit programs are fine */
#error "bufpool needs a 64-bit kernel: its window is larger than 4 GiB"
#endif

#include "backing.h"
#include "budget.h"
#include "chardev.h"
#include "class.h"
#include "client.h"
#include "counters.h"
#include "debugfs.h"
#include "evict.h"
#include "handle.h"
#include "lru.h"
#include "map.h"
#include "pool.h"
#include "reclaim.h"
#include "rent.h"
#include "rental.h"
#include "scrub.h"
#include "slab.h"
#include "status.h"
#include "supply.h"
#include "sysfs.h"
#include "user.h"
#include "wait.h"
#include "waitq.h"
#include "warm.h"
#include "window.h"

#endif /* _BUFPOOL_H */
