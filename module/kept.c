// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kept blocks: rented, but kept by their program for its next rents, in stacks that the
 * kernel can see; struct bufpool_stack says how. How the kernel takes them back is in
 * take.c.
 *
 * A stack is a page that its program writes as it likes, without telling anyone. So
 * what is in it is known only by a look, and nothing there is relied upon: not how much
 * it is, nor what. The stacks of a class, and of a holding of it, are in a ring: each
 * look goes on where the last one stopped. A thief goes round the holdings of a class, and looks
 * at the next stack of each: so however many stacks one has, others' are found as soon.
 *
 * A stack is made by the first touch, charged to the task that touches it, and is there
 * until its client is gone: every mapping holds the file. It counts as a client does.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include "bufpool.h"

static_assert(sizeof(struct bufpool_stack) <= PAGE_SIZE);
/* so that no entry that the kernel takes is overwritten before it is read */
static_assert(2 * BUFPOOL_STACK_MAX <= BUFPOOL_STACK_ENTRIES);

/* Make an empty ring of stacks, which are in it by their @member. */
void bufpool_keepers_init(struct bufpool_keepers *keepers, size_t member)
{
	spin_lock_init(&keepers->lock);
	INIT_LIST_HEAD(&keepers->list);
	keepers->member = member;
	keepers->nr = 0;
	atomic_long_set(&keepers->seen, 0);
	INIT_LIST_HEAD(&keepers->holdings);
	INIT_LIST_HEAD(&keepers->turn);
}

static struct bufpool_holding *kept_holding(const struct bufpool_kept *kept)
{
	return bufpool_client_holding(kept->client, kept->class);
}

static void kept_link(struct bufpool_kept *kept)
{
	struct bufpool_keepers *of_class = &kept->class->kept, *own = &kept_holding(kept)->kept;

	spin_lock(&of_class->lock);
	list_add_tail(&kept->by_class, &of_class->list);
	WRITE_ONCE(of_class->nr, of_class->nr + 1);
	spin_lock_nested(&own->lock, SINGLE_DEPTH_NESTING);
	list_add_tail(&kept->by_holding, &own->list);
	if (!own->nr)
		list_add_tail(&own->turn, &of_class->holdings);
	WRITE_ONCE(own->nr, own->nr + 1);
	spin_unlock(&own->lock);
	spin_unlock(&of_class->lock);
}

static void kept_unlink(struct bufpool_kept *kept)
{
	struct bufpool_keepers *of_class = &kept->class->kept, *own = &kept_holding(kept)->kept;

	spin_lock(&of_class->lock);
	list_del_init(&kept->by_class);
	WRITE_ONCE(of_class->nr, of_class->nr - 1);
	spin_lock_nested(&own->lock, SINGLE_DEPTH_NESTING);
	list_del_init(&kept->by_holding);
	WRITE_ONCE(own->nr, own->nr - 1);
	if (!own->nr)
		list_del_init(&own->turn);
	spin_unlock(&own->lock);
	spin_unlock(&of_class->lock);
}

static void kept_free(struct bufpool_kept *kept)
{
	bufpool_budget_uncharge(&kept->client->account->clients, 1);
	free_page((unsigned long)kept->stack);
	kfree(kept);
}

static struct bufpool_kept *kept_alloc(void)
{
	struct bufpool_kept *kept = kzalloc(sizeof(*kept), GFP_KERNEL_ACCOUNT);

	if (!kept)
		return NULL;
	kept->stack = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!kept->stack) {
		kfree(kept);
		return NULL;
	}
	return kept;
}

static struct bufpool_kept *kept_create(struct bufpool_client *client,
					unsigned long nr)
{
	struct bufpool_pool *pool = client->pool;
	struct bufpool_kept *kept;

	if (bufpool_client_charge(client, 1))
		return NULL;
	kept = kept_alloc();
	if (!kept) {
		bufpool_budget_uncharge(&client->account->clients, 1);
		return NULL;
	}
	kept->client = client;
	kept->class = &pool->classes[nr % pool->nr_classes];
	kept->nr = nr;
	kept->since = jiffies;
	return kept;
}

/* Make a stack, or get the one that was made meanwhile; or NULL. */
static struct bufpool_kept *kept_make(struct bufpool_client *client, unsigned long nr)
{
	struct bufpool_kept *kept = kept_create(client, nr), *old;

	if (!kept)
		return NULL;
	old = xa_cmpxchg(&client->kept, nr, NULL, kept, GFP_KERNEL_ACCOUNT);
	if (old) {
		kept_free(kept);
		return xa_is_err(old) ? NULL : old;
	}
	kept_link(kept);
	atomic_inc(&client->pool->nr_kept);
	return kept;
}

/**
 * bufpool_kept_page - the page of a stack, for a fault
 * @client: whose; a mapping holds its file
 * @nr: which stack, less than BUFPOOL_NR_STACKS
 *
 * May sleep.
 *
 * Return: the page, with a reference for the caller, or NULL where there is no memory, or the
 * account may have no more of these.
 */
struct page *bufpool_kept_page(struct bufpool_client *client, unsigned long nr)
{
	struct bufpool_kept *kept = xa_load(&client->kept, nr) ?: kept_make(client, nr);
	struct page *page;

	if (!kept)
		return NULL;
	page = virt_to_page(kept->stack);
	get_page(page);
	return page;
}

/*
 * Count what was seen in a stack. What a client says that it keeps, in all of its stacks,
 * counts up to what it rents only.
 */
static void kept_count(struct bufpool_kept *kept, int nr)
{
	struct bufpool_client *client = kept->client;
	unsigned int shift = kept->class->shift;
	/* about as much as that */
	long rented = data_race(READ_ONCE(client->rented_bytes));
	long more, room = rented - atomic_long_read(&client->kept_seen);
	int seen = READ_ONCE(kept->seen);

	if (nr > seen)
		nr = seen + clamp(room >> shift, 0L, (long)(nr - seen));
	more = (long)(nr - xchg(&kept->seen, nr)) << shift;
	if (!more)
		return;
	atomic_long_add(more, &kept->class->kept.seen);
	atomic_long_add(more, &kept_holding(kept)->kept.seen);
	atomic_long_add(more, &kept->client->kept_seen);
}

/* Nobody finds the stacks of a client any more that is about to go. May sleep. */
void bufpool_kept_unlink_all(struct bufpool_client *client)
{
	struct bufpool_kept *kept;
	unsigned long nr;

	if (xa_empty(&client->kept))
		return;
	xa_for_each(&client->kept, nr, kept) {
		kept_unlink(kept);
		atomic_dec(&client->pool->nr_kept);
		cond_resched();
	}
}

/* Free the stacks of a client that nobody has a reference to. May sleep. */
void bufpool_kept_destroy_all(struct bufpool_client *client)
{
	struct bufpool_kept *kept;
	unsigned long nr;

	if (xa_empty(&client->kept))
		return;
	xa_for_each(&client->kept, nr, kept) {
		kept_count(kept, 0);
		kept_free(kept);
		cond_resched();
	}
	xa_destroy(&client->kept);
}

/* The first stack in a ring, which goes on; its lock is held. */
static struct bufpool_kept *kept_next(struct bufpool_keepers *keepers)
{
	struct list_head *entry = keepers->list.next;
	struct bufpool_kept *kept;

	lockdep_assert_held(&keepers->lock);
	if (list_empty(&keepers->list))
		return NULL;
	list_move_tail(entry, &keepers->list);
	kept = (void *)entry - keepers->member;
	kref_get(&kept->client->ref);
	return kept;
}

/**
 * bufpool_kept_next - the stack that was looked at longest ago
 * @keepers: of these
 *
 * Return: the stack, with a reference to its client for the caller, or NULL.
 */
struct bufpool_kept *bufpool_kept_next(struct bufpool_keepers *keepers)
{
	struct bufpool_kept *kept;

	if (list_empty(&keepers->list))
		return NULL;
	spin_lock(&keepers->lock);
	kept = kept_next(keepers);
	spin_unlock(&keepers->lock);
	return kept;
}

/**
 * bufpool_kept_next_turn - the same, of a class's from each holding in turn
 * @keepers: of these
 */
struct bufpool_kept *bufpool_kept_next_turn(struct bufpool_keepers *keepers)
{
	struct bufpool_kept *kept = NULL;
	struct bufpool_keepers *own;

	if (list_empty(&keepers->holdings))
		return bufpool_kept_next(keepers);
	spin_lock(&keepers->lock);
	own = list_first_entry_or_null(&keepers->holdings, struct bufpool_keepers, turn);
	if (own) {
		list_move_tail(&own->turn, &keepers->holdings);
		spin_lock_nested(&own->lock, SINGLE_DEPTH_NESTING);
		kept = kept_next(own);
		spin_unlock(&own->lock);
	}
	spin_unlock(&keepers->lock);
	return kept;
}

/* Blocks that are in a stack just now, as it says. */
static unsigned int kept_nr(const struct bufpool_kept *kept)
{
	int nr = READ_ONCE(kept->stack->top) - READ_ONCE(kept->stack->bottom);

	return clamp(nr, 0, BUFPOOL_STACK_MAX);
}

/**
 * bufpool_kept_look - see how many blocks a stack has, and whether it is used
 * @kept: which; the caller has a reference to its client
 *
 * Return: how many, as the stack says.
 */
unsigned int bufpool_kept_look(struct bufpool_kept *kept)
{
	u32 top = READ_ONCE(kept->stack->top);
	unsigned int nr = kept_nr(kept);

	kept_count(kept, nr);
	if (READ_ONCE(kept->seen_top) != top) {
		WRITE_ONCE(kept->seen_top, top);
		WRITE_ONCE(kept->since, jiffies);
	}
	return nr;
}

/* Bytes in the stacks of a client, as they say, and how many blocks that is. */
u64 bufpool_kept_of_client(struct bufpool_client *client, u64 *blocks)
{
	struct bufpool_kept *kept;
	unsigned long nr;
	u64 bytes = 0;

	*blocks = 0;
	xa_for_each(&client->kept, nr, kept) {
		*blocks += kept_nr(kept);
		bytes += (u64)kept_nr(kept) << kept->class->shift;
	}
	return bytes;
}

/**
 * bufpool_kept_stats - say what a client keeps
 * @client: which; its file is held
 * @stats: (out) client_kept_blocks and client_kept_bytes; (in) client_blocks, client_bytes
 */
void bufpool_kept_stats(struct bufpool_client *client, struct bufpool_stats *stats)
{
	u64 blocks, bytes = bufpool_kept_of_client(client, &blocks);

	stats->client_kept_bytes = min(bytes, stats->client_bytes);
	stats->client_kept_blocks = min(blocks, stats->client_blocks);
}

/* Bytes in all stacks, as they were seen last. */
u64 bufpool_kept_of_pool(struct bufpool_pool *pool)
{
	unsigned int i;
	u64 bytes = 0;

	if (!bufpool_kept_is_possible(pool))
		return 0;
	for (i = 0; i < bufpool_pool_nr_used(pool); i++)
		bytes += bufpool_kept_seen(&pool->classes[i].kept);
	return bytes;
}

/* Whether any client has a stack. */
bool bufpool_kept_is_possible(struct bufpool_pool *pool)
{
	return atomic_read(&pool->nr_kept);
}
