/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module's files share: one header for each noun. The words are those of
 * the uapi header.
 *
 * A pool has classes, a class has slabs, a slab has blocks. A block is in
 * exactly one of these states, enum bufpool_blk_state:
 *
 *   free     on its slab's list of free blocks
 *   transit  owned by the task that moves it, or by the scrubber
 *   rented   blk->owner is the client; on that client's list
 *   warm     returned, but blk->owner is the client still, see warm.c
 *   sent     a channel's, see channel.c
 *   quarantined  nobody's, as something outside reaches it, see quarantine.c
 *
 * Lock order, outermost first:
 *
 *   mm->mmap_lock
 *     client->mapping.i_mmap_rwsem	its mappings stay, see map.c
 *	 client->lock			what a client holds
 *	   lru->lock			an order of warm blocks
 *	   keepers->lock		a ring of stacks; a holding's in that of its class
 *   pool->drain_lock			for which waiter slabs are drained
 *   pool->scrub_lock			the block that is being zeroed
 *     class->lock			the free lists of a class, and its waiters
 *	 the lock of pool->accounts
 *	 keepers->lock
 *
 * The quarantine's lock may be taken under i_mmap_rwsem and client->lock.
 *
 * So may the locks of a client and of accounts be under a channel's, in this order, which is
 * the outermost then.
 *
 * And on their own, for a few steps: pool->clients_lock, pool->channels_lock,
 * pool->poll_lock and the lock of class->slabs.
 *
 * All but the first two are spinlocks, so the task that has one gets its processor.
 * mmap_lock is held by the callers of map.c only. For i_mmap_rwsem a task waits
 * only on behalf of the client itself; others try. No memory is allocated, and no
 * user memory touched that might not be there, under any but mmap_lock; so the shrinker may
 * take the others.
 */
#ifndef _BUFPOOL_H
#define _BUFPOOL_H

#ifndef CONFIG_64BIT
/* 32-bit programs are fine */
#error "bufpool needs a 64-bit kernel: its window is larger than 4 GiB"
#endif

#include "account.h"
#include "backing.h"
#include "branch.h"
#include "budget.h"
#include "bytes.h"
#include "channel.h"
#include "chardev.h"
#include "charge.h"
#include "class.h"
#include "client.h"
#include "counters.h"
#include "debugfs.h"
#include "evict.h"
#include "export.h"
#include "handle.h"
#include "holding.h"
#include "kept.h"
#include "lru.h"
#include "map.h"
#include "memcg.h"
#include "place.h"
#include "poll.h"
#include "pool.h"
#include "quarantine.h"
#include "quota.h"
#include "receive.h"
#include "reclaim.h"
#include "rent.h"
#include "rental.h"
#include "reserve.h"
#include "scrub.h"
#include "send.h"
#include "slab.h"
#include "status.h"
#include "supply.h"
#include "sysfs.h"
#include "take.h"
#include "wait.h"
#include "waitq.h"
#include "warm.h"
#include "window.h"

#endif /* _BUFPOOL_H */
