/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_KEPT_H
#define _BUFPOOL_KEPT_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct bufpool_class;
struct bufpool_client;
struct bufpool_pool;
struct bufpool_stack;
struct bufpool_stats;
struct page;

/**
 * struct bufpool_keepers - stacks, the one that was looked at longest ago first
 * @lock: guards @list and @holdings; innermost, a holding's within that of its class
 * @list: of struct bufpool_kept
 * @member: where in struct bufpool_kept the list's entry is; constant
 * @nr: how many; written under @lock
 * @seen: bytes that were in them when they were looked at
 * @holdings: of a class: of each holding that has any, the one whose turn was longest ago first
 * @turn: of a holding: in that list of its class, under the lock of that
 */
struct bufpool_keepers {
	spinlock_t lock;		/* the lists */
	struct list_head list;
	size_t member;
	unsigned int nr;
	atomic_long_t seen;
	struct list_head holdings;
	struct list_head turn;
};

/**
 * struct bufpool_kept - the blocks of one class that a program keeps in one stack
 * @client: the client; constant, as all up to @stack
 * @class: the class
 * @nr: the number of the stack
 * @stack: what the program writes: nothing in there is to be trusted
 * @by_class: in class->kept, until the client goes
 * @by_holding: in that of the account's holding, likewise
 * @seen: blocks that were in it at the last look; xchg
 * @seen_top: its top then; no lock, as for the rest
 * @since: when the top was found to have moved, in jiffies
 */
struct bufpool_kept {
	struct bufpool_client *client;
	struct bufpool_class *class;
	u32 nr;
	struct bufpool_stack *stack;
	struct list_head by_class;
	struct list_head by_holding;
	int seen;
	u32 seen_top;
	unsigned long since;
};

/* Bytes in stacks, as they were seen last. */
static inline u64 bufpool_kept_seen(const struct bufpool_keepers *keepers)
{
	return max(atomic_long_read(&keepers->seen), 0L);
}

void bufpool_keepers_init(struct bufpool_keepers *keepers, size_t member);
struct page *bufpool_kept_page(struct bufpool_client *client, unsigned long nr);
void bufpool_kept_unlink_all(struct bufpool_client *client);
void bufpool_kept_destroy_all(struct bufpool_client *client);
struct bufpool_kept *bufpool_kept_next(struct bufpool_keepers *keepers);
struct bufpool_kept *bufpool_kept_next_turn(struct bufpool_keepers *keepers);
unsigned int bufpool_kept_look(struct bufpool_kept *kept);
void bufpool_kept_stats(struct bufpool_client *client, struct bufpool_stats *stats);
u64 bufpool_kept_of_client(struct bufpool_client *client, u64 *blocks);
u64 bufpool_kept_of_pool(struct bufpool_pool *pool);
bool bufpool_kept_is_possible(struct bufpool_pool *pool);

#endif /* _BUFPOOL_KEPT_H */
