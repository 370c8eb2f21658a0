// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking kept blocks back from the stacks that programs keep them in.
 *
 * A stack is a work-stealing deque. Its owner, a thread of the program, pushes and pops
 * at the top without a barrier; the thief, the kernel, takes from the bottom. The owner's
 * steps are described with struct bufpool_stack. The thief's, for a number of entries
 * from b on, are:
 *
 *   T1 write bottom = nb, at most the top
 *   T2 have a barrier passed wherever the owner may run (bufpool_map_pass_barriers())
 *   T3 read top again; where that is below nb, write bottom = nb = max(top, b)
 *   T4 take the entries from b up to nb
 *
 * Each entry goes to one of both, because:
 *
 *   1. An owner pops an entry by writing top = t and then finding bottom <= t. If t is at
 *	or above b and below T1's nb, it has not seen T1. So its read of bottom came before
 *	its CPU passed the barrier, and its write of top, which came earlier still, is
 *	seen by T3: the thief lets that entry and all above go.
 *   2. After the barrier a pop below nb sees that bottom is larger. It is no pop: it
 *	writes top back. So do pops of an empty stack, whose top is below bottom for a
 *	moment: hence the larger of both in T3.
 *   3. What T4 reads in an entry is what was pushed there last: T3 has seen that push, or
 *	a later one (release, and acquire), and until T4 the owner pushes above nb only. It
 *	comes round to entry k again when bottom is beyond k + ENTRIES - MAX, and a thief
 *	takes no more than MAX at a time.
 *
 * The thief is in all of this under client->lock. So there is one at a time, and no
 * fault begins in a block that is about to be taken; a block with a fault in it is not
 * taken, nor is what lies above it. Nothing that the thief waits for is done by a task:
 * interrupts tell the CPUs. And the owner waits for nothing: where it meets the
 * thief, the stack is empty.
 *
 * A waiter is counted in the status page before it looks into the stacks, and an owner
 * looks there after a push. Both could miss each other, as there is no barrier between
 * the owner's two steps, but not for longer than a write takes to leave its CPU: a waiter
 * looks again after a moment, and then now and then.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include "bufpool.h"
#include "trace.h"

/* How many stacks one call looks at: for such as are not used, and for any. */
#define TAKE_IDLE_LOOKS	8
#define TAKE_LOOKS	64

/*
 * How many blocks a thief takes at once, so that client->lock is not held for long; of large
 * ones fewer, as it is to unmap them all.
 */
#define TAKE_BATCH	32
#define TAKE_PAGES	BUFPOOL_MAPPING_PAGES

/* A stack whose top has not moved for so long is idle, for a thief in need. */
#define TAKE_IDLE	(HZ / 4)

/* The block of an entry, whoever has it, or NULL, under RCU. */
static struct bufpool_blk *take_lookup(const struct bufpool_kept *kept, u32 entry)
{
	u64 offset = (u64)BUFPOOL_STACK_UNIT *
		     READ_ONCE(kept->stack->entries[entry % BUFPOOL_STACK_ENTRIES]);
	unsigned int shift = kept->class->shift;

	if (offset >= BUFPOOL_SPAN || offset & (BIT(shift) - 1))
		return NULL;
	return bufpool_slab_find(kept->class, offset >> shift);
}

/* The same, if the client rents it, under client->lock too. */
static struct bufpool_blk *take_find(struct bufpool_kept *kept, u32 entry)
{
	struct bufpool_blk *blk = take_lookup(kept, entry);

	return blk && bufpool_client_rents(kept->client, blk) ? blk : NULL;
}

/*
 * How many of @most entries can be taken: up to the first that has a fault in it; none
 * where there is no block, so that rubbish interrupts nobody.
 */
static unsigned int take_count(struct bufpool_kept *kept, u32 bottom, unsigned int most)
{
	struct bufpool_blk *blk;
	bool is_any = false;
	unsigned int nr;

	for (nr = 0; nr < most; nr++) {
		blk = take_find(kept, bottom + nr);
		if (blk && blk->pins)
			break;
		is_any |= !!blk;
	}
	return is_any ? nr : 0;
}

/* Steps T1 to T3. Return: how many entries are the thief's. */
static unsigned int take_claim(struct bufpool_kept *kept, u32 bottom, unsigned int nr)
{
	struct bufpool_stack *stack = kept->stack;
	int left;

	WRITE_ONCE(stack->bottom, bottom + nr);
	bufpool_map_pass_barriers(kept->client, kept->nr);
	/* the entries below top, too: the owner writes it with release order */
	left = smp_load_acquire(&stack->top) - bottom;
	if (left < (int)nr) {
		nr = max(left, 0);
		WRITE_ONCE(stack->bottom, bottom + nr);
	}
	return nr;
}

/* Take up to @most blocks. Return: how many are on the batch, and the caller's. */
static unsigned int take_locked(struct bufpool_kept *kept, unsigned int most,
				struct list_head *batch)
{
	u32 bottom = READ_ONCE(kept->stack->bottom);
	struct bufpool_client *client = kept->client;
	unsigned int nr, i, taken = 0;
	int there;

	lockdep_assert_held(&client->lock);
	/* likewise */
	there = smp_load_acquire(&kept->stack->top) - bottom;
	rcu_read_lock();
	nr = take_count(kept, bottom, clamp(there, 0, (int)most));
	if (nr)
		nr = take_claim(kept, bottom, nr);
	for (i = 0; i < nr; i++) {
		struct bufpool_blk *blk = take_find(kept, bottom + i);

		if (!blk)
			continue;
		/* pushed since it was counted: it is the owner's again, and what is above */
		if (blk->pins) {
			WRITE_ONCE(kept->stack->bottom, bottom + i);
			break;
		}
		trace_bufpool_return(client, blk, 0);
		bufpool_client_disown(client, blk);
		list_move_tail(&blk->node, batch);
		taken++;
	}
	rcu_read_unlock();
	bufpool_client_count_returned(client, taken, (s64)taken << kept->class->shift);
	return taken;
}

/* How many blocks of a class are taken at once. */
static unsigned int take_at_once(const struct bufpool_class *class)
{
	return clamp((TAKE_PAGES << PAGE_SHIFT) >> class->shift, 1, TAKE_BATCH);
}

/*
 * Take up to @most blocks of a stack, without waiting for its client, to which the
 * caller holds a reference. Return: how many the client has no more; those on the batch are
 * the caller's, the quarantine has the others.
 */
static unsigned int take_from(struct bufpool_kept *kept, unsigned int most,
			      struct list_head *batch)
{
	struct bufpool_client *client = kept->client;
	struct bufpool_blk *blk, *next;
	LIST_HEAD(taken);
	unsigned int nr;

	if (!bufpool_map_trylock(client))
		return 0;
	spin_lock(&client->lock);
	nr = take_locked(kept, min(most, take_at_once(kept->class)), &taken);
	spin_unlock(&client->lock);
	list_for_each_entry_safe(blk, next, &taken, node) {
		bufpool_map_unmap(client, blk);
		bufpool_blk_update_dirty(blk);
		bufpool_budget_uncharge(&client->held, bufpool_blk_size(blk));
		list_del_init(&blk->node);
		if (!bufpool_quarantine_admit(blk))
			list_add_tail(&blk->node, batch);
	}
	bufpool_map_unlock(client);
	bufpool_kept_look(kept);
	return nr;
}

/* Say of blocks that they were taken for others. */
static void take_count_steals(struct bufpool_client *client, struct list_head *batch)
{
	struct bufpool_blk *blk;

	list_for_each_entry(blk, batch, node) {
		trace_bufpool_steal(client, blk);
		bufpool_count(client->pool->counters, BUFPOOL_STEALS);
	}
}

/* Take about half of a stack: one block for the caller, the others for anybody. */
static struct bufpool_blk *take_half(struct bufpool_kept *kept, unsigned int nr)
{
	struct bufpool_blk *blk;
	LIST_HEAD(batch);

	if (!take_from(kept, DIV_ROUND_UP(nr, 2), &batch))
		return NULL;
	take_count_steals(kept->client, &batch);
	blk = list_first_entry_or_null(&batch, struct bufpool_blk, node);
	if (blk)
		list_del_init(&blk->node);
	bufpool_supply_put_all(&batch);
	return blk;
}

/* Whether a stack has not been used since a time, as far as looks have shown. */
static bool take_is_idle(const struct bufpool_kept *kept, unsigned long since)
{
	return time_before(READ_ONCE(kept->since), since);
}

/* Take from a stack that was found, if there is anything, and let go of its client. */
static struct bufpool_blk *take_try(struct bufpool_kept *kept, bool idle)
{
	struct bufpool_client *client = kept->client;
	unsigned int nr = bufpool_kept_look(kept);
	struct bufpool_blk *blk = NULL;

	if (nr && (!idle || take_is_idle(kept, jiffies - TAKE_IDLE)))
		blk = take_half(kept, nr);
	bufpool_client_put(client);
	return blk;
}

/**
 * bufpool_take_steal - take a kept block, whichever client has it
 * @keepers: from one of these stacks
 * @idle: only from one that has not been used for a while
 *
 * Looks at a bounded number of stacks, goes on where the last look stopped, and waits
 * for no client. More blocks than one may go to the free list. May sleep; the caller
 * holds no client's lock.
 *
 * Return: the block, which the caller owns, maybe dirty; or NULL if none was found.
 */
struct bufpool_blk *bufpool_take_steal(struct bufpool_keepers *keepers, bool idle)
{
	unsigned int looks = idle ? TAKE_IDLE_LOOKS : TAKE_LOOKS;
	struct bufpool_blk *blk = NULL;
	struct bufpool_kept *kept;

	while (!blk && looks-- && (kept = bufpool_kept_next_turn(keepers)))
		blk = take_try(kept, idle);
	return blk;
}

/* How many entries there are up to the last whose block is in a slab that is drained. */
static unsigned int take_count_draining(const struct bufpool_kept *kept)
{
	u32 bottom = READ_ONCE(kept->stack->bottom);
	int nr = READ_ONCE(kept->stack->top) - bottom;

	rcu_read_lock();
	/* what is there may be another's by now, which is seen when it is taken */
	for (nr = clamp(nr, 0, BUFPOOL_STACK_MAX); nr; nr--) {
		struct bufpool_blk *blk = take_lookup(kept, bottom + nr - 1);

		if (blk && READ_ONCE(blk->owner) == kept->client &&
		    bufpool_blk_is_draining(blk))
			break;
	}
	rcu_read_unlock();
	return nr;
}

/**
 * bufpool_take_draining - take kept blocks of slabs that are being drained
 * @kept: from this stack, with what lies below them; the caller has a reference to its
 *	client
 * @most: no more than so many blocks
 *
 * Waits for no client. May sleep; the caller holds no client's lock.
 *
 * Return: how many blocks.
 */
unsigned int bufpool_take_draining(struct bufpool_kept *kept, unsigned int most)
{
	unsigned int left = min(take_count_draining(kept), most), done = 0, nr;

	while (left) {
		LIST_HEAD(batch);

		nr = take_from(kept, left, &batch);
		if (!nr)
			break;
		take_count_steals(kept->client, &batch);
		bufpool_supply_put_all(&batch);
		done += nr;
		left -= nr;
		cond_resched();
	}
	return done;
}

/* Take all of a stack, or @bytes. Return: how many bytes. */
static size_t take_all(struct bufpool_kept *kept, size_t bytes)
{
	unsigned int shift = kept->class->shift;
	unsigned int left = BUFPOOL_STACK_MAX, nr;
	size_t done = 0;

	/* its program may push meanwhile, without an end */
	while (left && done < bytes) {
		size_t want = (bytes - done - 1) >> shift;
		LIST_HEAD(batch);

		nr = take_from(kept, min_t(size_t, want, left - 1) + 1, &batch);
		if (!nr)
			break;
		bufpool_supply_put_all(&batch);
		done += (size_t)nr << shift;
		left -= nr;
		cond_resched();
	}
	return done;
}

/**
 * bufpool_take_own - have a client's own kept blocks go to the free lists
 * @client: whose
 * @min_size: only blocks of at least so many bytes
 * @bytes: about so many
 *
 * May sleep.
 *
 * Return: how many bytes.
 */
size_t bufpool_take_own(struct bufpool_client *client, u64 min_size, size_t bytes)
{
	struct bufpool_kept *kept;
	unsigned long nr;
	size_t done = 0;

	xa_for_each(&client->kept, nr, kept) {
		if (bufpool_class_block_size(kept->class) < min_size)
			continue;
		if (bufpool_kept_look(kept))
			done += take_all(kept, bytes - done);
		if (done >= bytes)
			break;
	}
	return done;
}

/**
 * bufpool_take_age - take blocks that are in stacks which have not been used for long
 * @keepers: of these stacks
 * @since: those unused since before then, in jiffies
 * @bytes: about so many
 * @looks: (in/out) at so many stacks in vain; where that is less than all, each holding's in
 *	turn, so that one with many hides nobody's
 *
 * Goes on where the last look stopped, waits for no client, and may be called from reclaim.
 *
 * Return: how many bytes.
 */
size_t bufpool_take_age(struct bufpool_keepers *keepers, unsigned long since, size_t bytes,
			unsigned int *looks)
{
	/* once round; those that look at the same time move the ring too */
	unsigned int left = READ_ONCE(keepers->nr);
	bool in_turn = left > *looks;
	struct bufpool_kept *kept;
	size_t done = 0, taken;

	while (done < bytes && left-- && *looks &&
	       (kept = in_turn ? bufpool_kept_next_turn(keepers) : bufpool_kept_next(keepers))) {
		struct bufpool_client *client = kept->client;

		taken = 0;
		if (bufpool_kept_look(kept) && take_is_idle(kept, since))
			taken = take_all(kept, bytes - done);
		bufpool_client_put(client);
		done += taken;
		*looks -= !taken;
		cond_resched();
	}
	return done;
}

static void take_look_at(struct bufpool_keepers *keepers)
{
	unsigned int looks = TAKE_IDLE_LOOKS;
	struct bufpool_kept *kept;

	while (looks-- && (kept = bufpool_kept_next_turn(keepers))) {
		bufpool_kept_look(kept);
		bufpool_client_put(kept->client);
	}
}

/* See how much is kept, in some of the stacks. May sleep. */
void bufpool_take_look(struct bufpool_pool *pool)
{
	unsigned int i;

	if (!bufpool_kept_is_possible(pool))
		return;
	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		take_look_at(&pool->classes[i].kept);
}

/* The same of a branch. */
void bufpool_take_look_at_branch(struct bufpool_branch *branch)
{
	struct bufpool_pool *pool = branch->pool;
	unsigned int i;

	if (!bufpool_kept_is_possible(pool))
		return;
	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		take_look_at(&branch->holdings[i].kept);
}
