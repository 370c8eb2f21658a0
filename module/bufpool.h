/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module's files share. The words are those of the uapi header.
 *
 * A pool has classes, a class has slabs, a slab has blocks. A block is in
 * exactly one of these states:
 *
 *   free        on its slab's list of free blocks; belongs to the depot
 *   in transit  on no list that others can see, or on a list of the task that
 *		 moves it; that task owns it
 *   rented	 blk->owner is the client; on that client's list
 *   warm	 returned, blk->owner is the client still, see warm.c
 *
 * Lock order, outermost first:
 *
 *   class->grow		one task at a time makes blocks for a class
 *     pool->clients_lock	who the clients and users are
 *	 mm->mmap_lock
 *	   client->map_sem	faults against revocation, see map.c
 *	     client->lock	what a client holds
 *	       class->lock	the depot of one class, and who waits for it
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

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/bufpool.h>
#include "compat.h"

struct attribute_group;
struct bufpool_board;
struct bufpool_chardev;
struct bufpool_class;
struct bufpool_client;
struct bufpool_pool;
struct bufpool_sysfs;
struct bufpool_user;
struct bufpool_waiter;
struct dentry;
struct device;

/*
 * A handle is class (5 bits), index in the class (27), generation (32). The
 * window gives each class 2^39 bytes, as many as 27 bits of 4 KiB blocks need;
 * 32 classes of it are all that a 32-bit program's mmap can address.
 */
#define BUFPOOL_SPAN_SHIFT	39
#define BUFPOOL_SPAN		BIT_ULL(BUFPOOL_SPAN_SHIFT)
#define BUFPOOL_INDEX_BITS	27
#define BUFPOOL_MAX_CLASSES	16

/* Where the status page is: the last span, which no class has. */
#define BUFPOOL_STATUS_OFFSET	(31 * BUFPOOL_SPAN)

/* The last of a chain of block numbers. */
#define BUFPOOL_NO_BLK		U16_MAX

/**
 * struct bufpool_blk - one block, apart from its memory
 * @node: one of the client's lists, or that of the task that has it in transit
 * @owner: the client that rents it, else NULL; written under that client's
 *	lock. Who finds its own client here, under client->lock or
 *	client->map_sem, may rely on it for as long as it holds that lock
 * @generation: of the last rental; written by the owner to be, while no handle
 *	is valid
 * @since: when it became warm, in jiffies; owner's lock
 * @nr: which of its slab's blocks this is; constant
 * @next: the next free block of the slab; class->lock, while free
 * @touched: somebody may have reached the memory during this rental; set under
 *	map_sem (shared), read and cleared in transit
 * @warm: the owner has returned it; owner's lock
 * @dirty: the memory is not known to be zero; written in transit
 * @scrubbing: counted in class->nr_scrubbing; written in transit
 * @used: it has been rented before; written in transit
 * @waited: who has just rented it waited for it; written in transit
 */
struct bufpool_blk {
	struct list_head node;
	struct bufpool_client *owner;
	u32 generation;
	u32 since;
	u16 nr;
	u16 next;
	bool touched;
	bool warm;
	bool dirty : 1;
	bool scrubbing : 1;
	bool used : 1;
	bool waited : 1;
};

/**
 * struct bufpool_slab - contiguous pinned memory, carved into blocks
 * @node: in one of the class's lists; class->lock
 * @dirty_node: in class->dirty, while a free block is dirty; class->lock
 * @class: whose blocks it holds; constant
 * @memory: the blocks' memory; constant until the slab is destroyed, which
 *	nobody does while a block is out
 * @id: index of the slab in class->slabs; constant once published
 * @place: of its first block, see bufpool_blk_place(); constant once a block is
 *	in somebody's hands
 * @nr_free: free blocks; class->lock
 * @clean: first free block that is zero, or BUFPOOL_NO_BLK; class->lock
 * @dirty: first free block that is not; class->lock
 * @idle: counted in class->nr_idle; class->lock
 * @draining: its free blocks are not to be used again; class->lock
 * @rcu: for freeing, since lookups by handle run under RCU
 * @blks: the blocks
 */
struct bufpool_slab {
	struct list_head node;
	struct list_head dirty_node;
	struct bufpool_class *class;
	void *memory;
	u32 id;
	u32 place;
	u16 nr_free;
	u16 clean;
	u16 dirty;
	bool idle;
	bool draining;
	struct rcu_head rcu;
	struct bufpool_blk blks[];
};

/**
 * struct bufpool_backing - where the memory of a class's slabs comes from
 * @init: prepare for slabs of class->slab_size; may sleep; 0 or -ENOMEM
 * @exit: undo @init; harmless where it failed or was not called
 * @alloc: memory for one slab, zero, aligned to a page; may sleep; NULL where
 *	there is none
 * @free: undo @alloc; no page-table entry reaches the memory any more
 * @shrink: give to the system what @free has kept; may sleep
 * @map: insert page-table entries for one block's page; map_sem held
 *
 * One constant object per kind of memory.
 */
struct bufpool_backing {
	int (*init)(struct bufpool_class *class);
	void (*exit)(struct bufpool_class *class);
	void *(*alloc)(struct bufpool_class *class);
	void (*free)(struct bufpool_class *class, void *memory);
	void (*shrink)(struct bufpool_class *class);
	vm_fault_t (*map)(struct vm_area_struct *vma, unsigned long addr,
			  void *page);
};

extern const struct bufpool_backing bufpool_backing_slab;

/**
 * struct bufpool_class - all blocks of one size
 * @pool: the pool; constant, as all up to @grow
 * @backing: where its memory comes from
 * @memory: the backing's own
 * @tables: cache of struct bufpool_slab with its blocks
 * @nr: index in the pool
 * @shift: log2 of the block size
 * @pooled: slabs without a block in use are kept
 * @slab_shift: log2 of the blocks in a slab
 * @per_slab: blocks in a slab
 * @slab_size: bytes in a slab
 * @grow: one task at a time makes slabs
 * @missed: somebody who waits has found @grow taken; no lock, see wait.c
 * @slabs: by id; its own lock, read under RCU
 * @stale: slabs were given back since the last bufpool_class_flush(); no lock
 * @lock: guards all that follows
 * @partial: slabs with free blocks and blocks in use
 * @idle: slabs with free blocks only
 * @full: slabs without a free block
 * @draining: slabs whose blocks are not to be used again
 * @dirty: slabs with free blocks that are not zero
 * @waiters: struct bufpool_waiter, in the order of arrival; while there are
 *	any, no block is free, but in draining slabs or over the limit
 * @nr_slabs: how many there are
 * @nr_idle: how many of them are idle
 * @least_idle: the fewest idle slabs since bufpool_class_spare()
 * @nr_out: blocks that are not free
 * @nr_scrubbing: of these, blocks that are being zeroed in the background
 * @nr_waiting: tasks in @waiters
 */
struct bufpool_class {
	struct bufpool_pool *pool;
	const struct bufpool_backing *backing;
	struct kmem_cache *memory;
	struct kmem_cache *tables;
	u8 nr;
	u8 shift;
	u8 slab_shift;
	bool pooled;
	u16 per_slab;
	size_t slab_size;
	struct mutex grow;		/* making slabs */
	bool missed;
	struct xarray slabs;
	int stale;
	spinlock_t lock ____cacheline_aligned;
	struct list_head partial;
	struct list_head idle;
	struct list_head full;
	struct list_head draining;
	struct list_head dirty;
	struct list_head waiters;
	unsigned long nr_slabs;
	unsigned long nr_idle;
	unsigned long least_idle;
	unsigned long nr_out;
	unsigned long nr_scrubbing;
	unsigned long nr_waiting;
};

/**
 * struct bufpool_class_stats - a class at one instant
 * @slabs: how many it has
 * @idle_slabs: of these, slabs without a block that is out
 * @free: blocks in the depot
 * @out: blocks that are rented, warm, or on their way
 * @waiting: tasks that wait for one
 */
struct bufpool_class_stats {
	u64 slabs;
	u64 idle_slabs;
	u64 free;
	u64 out;
	u64 waiting;
};

/* What is counted, see struct bufpool_stats. */
enum bufpool_event {
	BUFPOOL_RENTS,
	BUFPOOL_REUSED,
	BUFPOOL_RETURNS,
	BUFPOOL_WAITS,
	BUFPOOL_STEALS,
	BUFPOOL_SCRUBS,
	BUFPOOL_SLABS_CREATED,
	BUFPOOL_SLABS_DESTROYED,
	BUFPOOL_NR_EVENTS,
};

/* What may refuse bytes. */
enum bufpool_bound {
	BUFPOOL_BOUND_POOL,
	BUFPOOL_BOUND_QUOTA,
	BUFPOOL_BOUND_CEILING,
};

/* Each CPU has its own, readers add them up. */
struct bufpool_counters {
	u64 of[BUFPOOL_NR_EVENTS];
	s64 warm;	/* bytes that became warm here, less those that ceased to be */
};

/**
 * struct bufpool_config - what a pool is made with
 * @slab_size: bytes that classes of small blocks grow by; a power of two
 * @max_pooled: bytes in the largest block that is kept; a power of two
 * @limit: bytes that the pool may hold
 * @quota: bytes that one user's clients may hold
 * @floor: bytes that the pool keeps when nobody needs them
 * @warm_blocks: blocks of a class that a client keeps warm at most
 * @warm_bytes: bytes of a class that a client keeps warm at most
 * @trim_ms: period of giving memory back, milliseconds
 *
 * All but the first two may change while the pool is in use; they are read
 * without a lock.
 */
struct bufpool_config {
	unsigned long slab_size;
	unsigned long max_pooled;
	unsigned long limit;
	unsigned long quota;
	unsigned long floor;
	unsigned long warm_blocks;
	unsigned long warm_bytes;
	unsigned long trim_ms;
};

/**
 * struct bufpool_board - struct bufpool_status as the kernel writes it
 * @waiting: tasks that wait, in all classes
 * @pressure: how often the system has asked for memory
 */
struct bufpool_board {
	atomic_t waiting;
	atomic_t pressure;
};

/**
 * struct bufpool_pool - classes and what they may hold together
 * @name: prefix of the names of its caches; constant, as all up to @counters
 * @config: see struct bufpool_config
 * @max_rent: bytes in the largest block
 * @nr_classes: how many
 * @counters: see struct bufpool_counters
 * @pinned: bytes in slabs, charged before they are made; at most the limit of
 *	that moment
 * @uncharges: how often @pinned has become less
 * @board: what programs see of it
 * @tickets: see wait.c
 * @drain_lock: guards @drains_for
 * @drains_for: the waiter that slabs are being drained for, or NULL
 * @poll: who polls the device
 * @clients_lock: guards @clients, @users, @nr_clients
 * @clients: open clients
 * @users: who they belong to
 * @nr_clients: how many
 * @shrinker: see reclaim.c, as for the rest up to @pressed
 * @wq: for the works that follow
 * @trim: periodic
 * @scrub: zeroes free blocks
 * @flush: see bufpool_class_flush()
 * @pressed: when memory was short last, in jiffies
 * @classes: the classes
 */
struct bufpool_pool {
	const char *name;
	struct bufpool_config config;
	size_t max_rent;
	unsigned int nr_classes;
	struct bufpool_counters __percpu *counters;
	atomic_long_t pinned;
	atomic_long_t uncharges;
	struct bufpool_board *board;
	atomic64_t tickets;
	struct mutex drain_lock;	/* for whom slabs are drained */
	struct bufpool_waiter *drains_for;
	wait_queue_head_t poll;
	struct mutex clients_lock;	/* who the clients are */
	struct list_head clients;
	struct list_head users;
	unsigned int nr_clients;
	struct bufpool_shrinker shrinker;
	struct workqueue_struct *wq;
	struct delayed_work trim;
	struct delayed_work scrub;
	struct work_struct flush;
	u32 pressed;
	struct bufpool_class classes[BUFPOOL_MAX_CLASSES];
};

/**
 * struct bufpool_user - one user id
 * @node: in pool->users; pool->clients_lock
 * @uid: the user id; constant
 * @clients: how many were opened under it; pool->clients_lock
 * @held: bytes they hold, rented and warm
 */
struct bufpool_user {
	struct list_head node;
	kuid_t uid;
	unsigned int clients;
	atomic_long_t held;
};

/**
 * struct bufpool_warm - the warm blocks of one class that a client has
 * @blks: the latest used first; client->lock
 * @nr: how many; client->lock
 */
struct bufpool_warm {
	struct list_head blks;
	unsigned int nr;
};

/**
 * struct bufpool_client - one open file description
 * @pool: where it rents; constant
 * @user: whose quota counts; constant
 * @exempt: from the quota; constant
 * @pid: who opened it, as seen by init; constant
 * @comm: the name of that; constant
 * @ref: the file holds one, and who takes a warm block away
 * @node: in pool->clients; pool->clients_lock
 * @mapping: every mapping of this file and no other, so that revoking looks
 *	at this client only
 * @nr_mappings: how many of them map blocks
 * @map_sem: see map.c
 * @cookie: what this client's generations are counted from; constant
 * @lock: guards all that follows
 * @held: the blocks it rents
 * @near: the slab of a block that it rented lately; NULL once it has lost any
 *	block since, so the slab cannot be gone while this names it
 * @warm: its warm blocks, by class
 * @nr_warm: how many in all
 * @warm_bytes: bytes in them
 * @warm_rents: rentals of warm blocks
 * @nr_held: how many it rents
 * @held_bytes: bytes in them
 * @charged: bytes it holds or is about to
 * @ceiling: bytes it may hold
 * @issued: handles it has been given
 * @rents: blocks it has rented
 * @returns: blocks it has returned
 */
struct bufpool_client {
	struct bufpool_pool *pool;
	struct bufpool_user *user;
	bool exempt;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct kref ref;
	struct list_head node;
	struct address_space mapping;
	atomic_t nr_mappings;
	struct rw_semaphore map_sem;
	u32 cookie;
	spinlock_t lock ____cacheline_aligned;
	struct list_head held;
	struct bufpool_slab *near;
	struct bufpool_warm warm[BUFPOOL_MAX_CLASSES];
	u64 nr_warm;
	u64 warm_bytes;
	u64 warm_rents;
	u64 nr_held;
	u64 held_bytes;
	u64 charged;
	u64 ceiling;
	u64 issued;
	u64 rents;
	u64 returns;
};

/**
 * struct bufpool_tally - what has been rented together
 * @blocks: how many
 * @reused: of these, blocks that have been rented before
 * @warm: of these, blocks that were warm
 * @bytes: in all of them
 */
struct bufpool_tally {
	int blocks;
	int reused;
	int warm;
	s64 bytes;
};

/**
 * struct bufpool_request - what a rent asks for
 * @client: for whom; bufpool_client_rent() sets it
 * @class: blocks of this class
 * @count: at most so many
 * @exact: no larger ones; also once one was more than the client may have
 * @zero: warm ones shall be zero too
 * @nonblock: do not wait
 * @timeout_ns: wait at most so long; 0 is for ever
 * @waited: (out) it did wait
 * @tally: (out) what it got
 */
struct bufpool_request {
	struct bufpool_client *client;
	struct bufpool_class *class;
	unsigned int count;
	bool exact;
	bool zero;
	bool nonblock;
	s64 timeout_ns;
	bool waited;
	struct bufpool_tally tally;
};

static inline void bufpool_count_many(struct bufpool_pool *pool,
				      enum bufpool_event event, int nr)
{
	this_cpu_add(pool->counters->of[event], nr);
}

static inline void bufpool_count(struct bufpool_pool *pool,
				 enum bufpool_event event)
{
	bufpool_count_many(pool, event, 1);
}

/* Tasks that wait, in all classes. */
static inline int bufpool_pool_waiting(const struct bufpool_pool *pool)
{
	return atomic_read(&pool->board->waiting);
}

/* How many bytes would have to be uncharged before so many can be charged. */
static inline size_t bufpool_pool_missing(const struct bufpool_pool *pool,
					  size_t bytes)
{
	unsigned long pinned = atomic_long_read(&pool->pinned);
	unsigned long limit = READ_ONCE(pool->config.limit);

	return pinned + bytes > limit ? pinned + bytes - limit : 0;
}

/* Bytes that a client's user may hold. */
static inline unsigned long
bufpool_user_quota(const struct bufpool_client *client)
{
	if (client->exempt)
		return LONG_MAX;
	return READ_ONCE(client->pool->config.quota);
}

static inline size_t bufpool_class_block_size(const struct bufpool_class *class)
{
	return 1UL << class->shift;
}

static inline struct bufpool_slab *bufpool_blk_slab(struct bufpool_blk *blk)
{
	return container_of(blk - blk->nr, struct bufpool_slab, blks[0]);
}

static inline struct bufpool_class *bufpool_blk_class(struct bufpool_blk *blk)
{
	return bufpool_blk_slab(blk)->class;
}

/* A block is the client's no more: in transit; client->lock is held. */
static inline void bufpool_client_lose(struct bufpool_client *client,
				       struct bufpool_blk *blk)
{
	client->near = NULL;
	WRITE_ONCE(blk->owner, NULL);
}

/* Count so many blocks in, or out if negative, of the client's warm ones. */
static inline void bufpool_warm_count(struct bufpool_client *client,
				      struct bufpool_class *class, int nr)
{
	s64 bytes = (s64)nr << class->shift;

	lockdep_assert_held(&client->lock);
	client->warm[class->nr].nr += nr;
	client->nr_warm += nr;
	client->warm_bytes += bytes;
	this_cpu_add(client->pool->counters->warm, bytes);
}

/*
 * Put a returned block in front of the client's warm ones, where there is room
 * for it; bufpool_warm_count() is due. It comes from a list, and list_move() would
 * do the same, but with the checks of CONFIG_DEBUG_LIST costs as much as all else
 * that a return does.
 */
static inline void bufpool_warm_add(struct bufpool_client *client,
				    struct bufpool_class *class,
				    struct bufpool_blk *blk)
{
	struct bufpool_warm *warm = &client->warm[class->nr];

	lockdep_assert_held(&client->lock);
	blk->since = jiffies;
	WRITE_ONCE(blk->warm, true);
	list_bulk_move_tail(warm->blks.next, &blk->node, &blk->node);
}

/*
 * Take the client's own warm block that was used last, or NULL. It is on the list
 * still, for its next list to take over, and stays warm until it is published.
 */
static inline struct bufpool_blk *
bufpool_warm_take_latest(struct bufpool_client *client,
			 struct bufpool_class *class)
{
	struct bufpool_warm *warm = &client->warm[class->nr];

	lockdep_assert_held(&client->lock);
	if (!warm->nr)
		return NULL;
	bufpool_warm_count(client, class, -1);
	return list_first_entry(&warm->blks, struct bufpool_blk, node);
}

/* The upper half of a handle: the class, and the block's index in it. */
static inline u32 bufpool_blk_place(struct bufpool_blk *blk)
{
	return bufpool_blk_slab(blk)->place + blk->nr;
}

/* Where a block of a class is in the window. */
static inline u64 bufpool_class_offset(const struct bufpool_class *class,
				       u32 place)
{
	u64 index = place & (BIT(BUFPOOL_INDEX_BITS) - 1);

	return ((u64)class->nr << BUFPOOL_SPAN_SHIFT) + (index << class->shift);
}

static inline u64 bufpool_blk_offset(struct bufpool_blk *blk)
{
	return bufpool_class_offset(bufpool_blk_class(blk),
				    bufpool_blk_place(blk));
}

/**
 * bufpool_class_report - what a renter has to know of a block
 * @class: the block's
 * @place: the block's
 * @generation: the rental's
 * @report: is filled in
 *
 * Also between user_access_begin() and its end, where nothing may be called.
 */
static __always_inline void
bufpool_class_report(const struct bufpool_class *class, u32 place,
		     u32 generation, struct bufpool_block *report)
{
	report->handle = (u64)place << 32 | generation;
	report->offset = bufpool_class_offset(class, place);
	report->length = bufpool_class_block_size(class);
}

/* The same of a block that is in transit or the caller's. */
static __always_inline void bufpool_blk_report(struct bufpool_blk *blk,
					       struct bufpool_block *report)
{
	const struct bufpool_slab *slab = bufpool_blk_slab(blk);

	bufpool_class_report(slab->class, slab->place + blk->nr,
			     blk->generation, report);
}

/* slab.c */
struct bufpool_slab *bufpool_slab_create(struct bufpool_class *class);
void bufpool_slab_destroy(struct bufpool_slab *slab);
void bufpool_slab_push(struct bufpool_slab *slab, struct bufpool_blk *blk);
struct bufpool_blk *bufpool_slab_pop(struct bufpool_slab *slab);
struct bufpool_blk *bufpool_slab_pop_dirty(struct bufpool_slab *slab);
struct bufpool_blk *bufpool_slab_find(struct bufpool_class *class, u32 index);
void *bufpool_blk_memory(struct bufpool_blk *blk);
void bufpool_blk_leave(struct bufpool_blk *blk);
void bufpool_blk_scrub(struct bufpool_blk *blk);

/* class.c */
int bufpool_class_init(struct bufpool_class *class, struct bufpool_pool *pool,
		       unsigned int nr);
void bufpool_class_exit(struct bufpool_class *class);
struct bufpool_blk *bufpool_class_take(struct bufpool_class *class);
bool bufpool_class_has_free(struct bufpool_class *class);
struct bufpool_blk *bufpool_class_take_dirty(struct bufpool_class *class);
int bufpool_class_grow(struct bufpool_class *class, struct bufpool_blk **keep);
void bufpool_class_offer(struct bufpool_blk *blk, struct bufpool_blk **keep);
void bufpool_class_put(struct bufpool_blk *blk);
void bufpool_class_flush(struct bufpool_class *class);
unsigned long bufpool_class_spare(struct bufpool_class *class);
size_t bufpool_class_start_draining(struct bufpool_class *class, size_t bytes);
void bufpool_class_stop_draining(struct bufpool_class *class);
size_t bufpool_class_drop_idle(struct bufpool_class *class, size_t bytes);
void bufpool_class_drain(struct bufpool_class *class);
void bufpool_class_stats(struct bufpool_class *class,
			 struct bufpool_class_stats *stats);
void bufpool_class_info(const struct bufpool_class *class,
			struct bufpool_class_info *info);

/* rent.c */
struct bufpool_blk *bufpool_rent(struct bufpool_request *request);
struct bufpool_blk *bufpool_rent_larger(struct bufpool_request *request);
struct bufpool_blk *bufpool_rent_larger_warm(struct bufpool_request *request);
bool bufpool_rent_could(struct bufpool_class *class);
int bufpool_rent_replenish(struct bufpool_class *class, u64 ticket,
			   struct bufpool_blk **keep);

/* wait.c */
#define BUFPOOL_NO_TICKET	U64_MAX
bool bufpool_wait_has_older(struct bufpool_class *class, u64 ticket,
			    bool starving);
bool bufpool_wait_is_turn(struct bufpool_class *class, u64 ticket);
struct bufpool_blk *bufpool_wait(struct bufpool_request *request);
bool bufpool_wait_hand_over(struct bufpool_class *class, struct bufpool_blk *blk);
void bufpool_wait_retry(struct bufpool_pool *pool);
void bufpool_wait_unlock_grow(struct bufpool_class *class);

/* pool.c */
int bufpool_config_check(const struct bufpool_config *config);
struct bufpool_pool *bufpool_pool_create(const char *name,
					 const struct bufpool_config *config);
void bufpool_pool_destroy(struct bufpool_pool *pool);
struct bufpool_blk *bufpool_pool_find_offset(struct bufpool_pool *pool,
					     u64 offset);
int bufpool_pool_charge(struct bufpool_pool *pool, size_t bytes);
void bufpool_pool_uncharge(struct bufpool_pool *pool, size_t bytes);
bool bufpool_pool_drop_idle(struct bufpool_pool *pool, size_t bytes);
size_t bufpool_pool_drop_some(struct bufpool_pool *pool, size_t bytes);
size_t bufpool_pool_idle(struct bufpool_pool *pool);
size_t bufpool_pool_warm(struct bufpool_pool *pool);
size_t bufpool_pool_unused(struct bufpool_pool *pool);
void bufpool_pool_flush(struct bufpool_pool *pool);
void bufpool_pool_start_draining(struct bufpool_class *but, u64 ticket,
				 size_t bytes);
void bufpool_pool_stop_draining(struct bufpool_pool *pool);
void bufpool_pool_configure(struct bufpool_pool *pool,
			    const struct bufpool_config *config);
void bufpool_poll_wake(struct bufpool_pool *pool);
void bufpool_pool_info(struct bufpool_pool *pool, struct bufpool_info *info);
void bufpool_pool_stats(struct bufpool_pool *pool, struct bufpool_stats *stats);

/**
 * bufpool_pool_class - which class serves a size
 * @pool: where
 * @size: bytes, at least 1
 *
 * Return: the class with the smallest blocks that are large enough, or NULL.
 */
static inline struct bufpool_class *
bufpool_pool_class(struct bufpool_pool *pool, u64 size)
{
	unsigned int nr;

	if (size > pool->max_rent)
		return NULL;
	nr = size <= PAGE_SIZE ? 0 : ilog2(size - 1) + 1 - PAGE_SHIFT;
	return &pool->classes[nr];
}

/**
 * bufpool_pool_announce - tell those who care that there may be blocks to be had
 * @pool: where; what makes it so has been done
 *
 * Where nobody cares this is one barrier for both of whom it asks after.
 */
static inline void bufpool_pool_announce(struct bufpool_pool *pool)
{
	/*
	 * Pairs with enlist() and chardev_poll(): either they see what was
	 * done, or they are seen here.
	 */
	smp_mb();
	if (bufpool_pool_waiting(pool))
		bufpool_wait_retry(pool);
	/* the barrier is above */
	if (waitqueue_active(&pool->poll))
		bufpool_poll_wake(pool);
}

/* reclaim.c */
int bufpool_reclaim_start(struct bufpool_pool *pool);
void bufpool_reclaim_stop(struct bufpool_pool *pool);
void bufpool_reclaim_all(struct bufpool_pool *pool);
void bufpool_reclaim_reschedule(struct bufpool_pool *pool);
void bufpool_pool_scrub_later(struct bufpool_pool *pool);
void bufpool_pool_flush_later(struct bufpool_pool *pool);

/* board.c */
struct bufpool_board *bufpool_board_create(void);
void bufpool_board_destroy(struct bufpool_board *board);
int bufpool_board_map(struct bufpool_board *board, struct vm_area_struct *vma);

/* user.c */
struct bufpool_user *bufpool_user_get(struct bufpool_pool *pool);
void bufpool_user_put(struct bufpool_pool *pool, struct bufpool_user *user);
bool bufpool_user_charge(struct bufpool_client *client, size_t bytes);
void bufpool_user_uncharge(struct bufpool_client *client, size_t bytes);

/* warm.c */
unsigned int bufpool_warm_room(struct bufpool_client *client,
			       struct bufpool_class *class);
bool bufpool_warm_keep(struct bufpool_client *client, struct bufpool_class *class,
		       struct bufpool_blk *blk);
unsigned int bufpool_warm_take(struct bufpool_client *client,
			       struct bufpool_class *class, unsigned int wanted,
			       struct list_head *batch);
u64 bufpool_warm_trim(struct bufpool_client *client, u64 min_size);
struct bufpool_blk *bufpool_warm_steal(struct bufpool_pool *pool,
				       struct bufpool_class *class,
				       struct bufpool_user *user);
bool bufpool_warm_any(struct bufpool_pool *pool, struct bufpool_class *class);
u64 bufpool_warm_of_user(struct bufpool_pool *pool,
			 const struct bufpool_user *user);
size_t bufpool_warm_age(struct bufpool_pool *pool, u32 since, size_t bytes,
			bool may_wait);

/* client.c */
struct bufpool_client *bufpool_client_create(struct bufpool_pool *pool,
					     struct inode *inode);
void bufpool_client_destroy(struct bufpool_client *client);
void bufpool_client_put(struct bufpool_client *client);
int bufpool_client_rent(struct bufpool_client *client,
			struct bufpool_request *request,
			struct list_head *batch);
bool bufpool_client_charge_rest(const struct bufpool_request *request,
				struct bufpool_blk *blk);
void bufpool_client_uncharge_rest(const struct bufpool_request *request,
				  struct bufpool_blk *blk);
void bufpool_client_publish(struct bufpool_client *client,
			    struct list_head *batch,
			    const struct bufpool_tally *tally);
void bufpool_client_abort(struct bufpool_client *client,
			  struct list_head *batch);
bool bufpool_client_rent_latest(struct bufpool_client *client,
				struct bufpool_class *class,
				struct bufpool_block *report);
bool bufpool_client_return_near(struct bufpool_client *client, u64 handle);
void bufpool_client_unrent(struct bufpool_client *client, u64 handle);
int bufpool_client_return(struct bufpool_client *client, const u64 *handles,
			  unsigned int count, u32 flags);
bool bufpool_client_holds(struct bufpool_client *client,
			  struct bufpool_blk *blk);
int bufpool_client_set_ceiling(struct bufpool_client *client, u64 ceiling);
void bufpool_client_stats(struct bufpool_client *client,
			  struct bufpool_stats *stats);

/* map.c */
int bufpool_map(struct bufpool_client *client, struct vm_area_struct *vma);
void bufpool_map_fence(struct bufpool_client *client);
void bufpool_map_unmap(struct bufpool_client *client, struct bufpool_blk *blk);

/* chardev.c */
struct bufpool_chardev *bufpool_chardev_create(struct bufpool_pool *pool);
void bufpool_chardev_destroy(struct bufpool_chardev *chardev);
struct bufpool_pool *bufpool_chardev_pool(struct device *dev);

/* sysfs.c */
extern const struct attribute_group *bufpool_sysfs_groups[];
struct bufpool_sysfs *bufpool_sysfs_create(struct bufpool_pool *pool,
					   struct device *dev);
void bufpool_sysfs_destroy(struct bufpool_sysfs *sysfs);

/* debugfs.c */
struct dentry *bufpool_debugfs_create(struct bufpool_pool *pool);
void bufpool_debugfs_destroy(struct dentry *dir);

#endif /* _BUFPOOL_H */
