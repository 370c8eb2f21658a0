/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_QUARANTINE_H
#define _BUFPOOL_QUARANTINE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "class.h"

struct bufpool_account;
struct bufpool_pool;

/**
 * struct bufpool_quarantine - blocks that have left their client, and that something
 *	outside the pool still reaches
 * @lock: guards what follows, up to @wait, and who exports a block
 * @accounts: those with blocks whose pages have references, the one that was looked at
 *	longest ago first; each has a list of these
 * @nr_referenced: how many such blocks, with those that are being looked at just now
 * @exported: those that dma-bufs are made of
 * @next: when @work is due, in jiffies
 * @wait: how long it waits then for the next look, in jiffies
 * @bytes: in all of them
 * @work: looks at @accounts
 */
struct bufpool_quarantine {
	spinlock_t lock;		/* what is reached from outside */
	struct list_head accounts;
	unsigned int nr_referenced;
	struct list_head exported;
	unsigned long next;
	unsigned long wait;
	atomic_long_t bytes;
	struct delayed_work work;
};

void bufpool_quarantine_init(struct bufpool_quarantine *quarantine);
void bufpool_quarantine_end(struct bufpool_pool *pool);
bool bufpool_quarantine_admit_slow(struct bufpool_blk *blk);
bool bufpool_quarantine_look(struct bufpool_account *account);
void bufpool_quarantine_wait(struct bufpool_pool *pool);
void bufpool_quarantine_work(struct work_struct *work);
int bufpool_quarantine_add_export(struct bufpool_blk *blk);
void bufpool_quarantine_end_export(struct bufpool_blk *blk);
u64 bufpool_quarantine_bytes(const struct bufpool_pool *pool);

/**
 * bufpool_quarantine_admit - keep a block from others while something outside reaches it
 * @blk: has left its client, and no page-table entry of that reaches it; the caller owns it
 *
 * And one that is not to be reached any more, as its memory is broken.
 *
 * Return: whether the quarantine has it now; else it is the caller's still, and nobody can
 * come to reach it.
 */
static inline bool bufpool_quarantine_admit(struct bufpool_blk *blk)
{
	/* what no entry was made of since it was zeroed last nobody can have found by one */
	if (likely(!(blk->dirty && (bufpool_blk_class(blk)->backing->has_refs ||
				    bufpool_blk_is_poisoned(blk))) &&
		   /* pairs with bufpool_quarantine_end_export(), which is done with it */
		   !smp_load_acquire(&blk->exports)))
		return false;
	return bufpool_quarantine_admit_slow(blk);
}

#endif /* _BUFPOOL_QUARANTINE_H */
