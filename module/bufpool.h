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
 *
 * Lock order, outermost first:
 *
 *   mm->mmap_lock
 *     client->map_sem		faults against revocation, see map.c
 *	 client->lock		what a client holds
 *   class->grow		one task at a time makes slabs for a class
 *	 class->lock		the depot of one class, and who waits for it
 *
 * No user memory is touched under any of the last four.
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
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <uapi/linux/bufpool.h>
#include "compat.h"

struct bufpool_chardev;
struct bufpool_class;
struct bufpool_client;
struct bufpool_pool;

/*
 * A handle is class (5 bits), index in the class (27), generation (32). The
 * window gives each class 2^39 bytes, as many as 27 bits of 4 KiB blocks need;
 * 32 classes of it are all that a 32-bit program's mmap can address.
 */
#define BUFPOOL_SPAN_SHIFT	39
#define BUFPOOL_SPAN		BIT_ULL(BUFPOOL_SPAN_SHIFT)
#define BUFPOOL_INDEX_BITS	27
#define BUFPOOL_MAX_CLASSES	16

/* The last of a chain of block numbers. */
#define BUFPOOL_NO_BLK		U16_MAX

/**
 * struct bufpool_blk - one block, apart from its memory
 * @node: client's list, or that of the task that has it in transit
 * @owner: the client that rents it, else NULL; written under that client's
 *	lock. Who finds its own client here, under client->lock or
 *	client->map_sem, may rely on it for as long as it holds that lock
 * @generation: of the last rental; written in transit, by the owner to be
 * @nr: which of its slab's blocks this is; constant
 * @next: the next free block of the slab; class->lock, while free
 * @touched: somebody may have reached the memory during this rental; set under
 *	map_sem (shared), read and cleared in transit
 * @dirty: the memory is not known to be zero; written in transit
 * @used: it has been rented before; written in transit
 */
struct bufpool_blk {
	struct list_head node;
	struct bufpool_client *owner;
	u32 generation;
	u16 nr;
	u16 next;
	bool touched;
	bool dirty;
	bool used;
};

/**
 * struct bufpool_slab - contiguous pinned memory, carved into blocks
 * @node: in one of the class's lists, or empty while no block is free;
 *	class->lock
 * @class: whose blocks it holds; constant
 * @memory: the blocks' memory; constant until the slab is destroyed, which
 *	nobody does while a block is out
 * @id: index of the slab in class->slabs; constant once published
 * @nr_free: free blocks; class->lock
 * @clean: first free block that is zero, or BUFPOOL_NO_BLK; class->lock
 * @dirty: first free block that is not; class->lock
 * @idle: counted in class->nr_idle; class->lock
 * @rcu: for freeing, since lookups by handle run under RCU
 * @blks: the blocks
 */
struct bufpool_slab {
	struct list_head node;
	struct bufpool_class *class;
	void *memory;
	u32 id;
	u16 nr_free;
	u16 clean;
	u16 dirty;
	bool idle;
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
 * @per_slab: blocks in a slab
 * @slab_size: bytes in a slab
 * @grow: one task at a time makes slabs
 * @slabs: by id; its own lock, read under RCU
 * @lock: guards all that follows
 * @partial: slabs with free blocks and blocks in use
 * @idle: slabs with free blocks only
 * @waiters: struct bufpool_waiter, in the order of arrival; while there are
 *	any, no block is free
 * @nr_slabs: how many there are
 * @nr_idle: how many of them are idle
 * @nr_out: blocks that are not free
 */
struct bufpool_class {
	struct bufpool_pool *pool;
	const struct bufpool_backing *backing;
	struct kmem_cache *memory;
	struct kmem_cache *tables;
	u8 nr;
	u8 shift;
	bool pooled;
	u16 per_slab;
	size_t slab_size;
	struct mutex grow;		/* making slabs */
	struct xarray slabs;
	spinlock_t lock ____cacheline_aligned;
	struct list_head partial;
	struct list_head idle;
	struct list_head waiters;
	unsigned long nr_slabs;
	unsigned long nr_idle;
	unsigned long nr_out;
};

/* What is counted, see struct bufpool_stats. */
enum bufpool_event {
	BUFPOOL_RENTS,
	BUFPOOL_REUSED,
	BUFPOOL_RETURNS,
	BUFPOOL_WAITS,
	BUFPOOL_SLABS_CREATED,
	BUFPOOL_SLABS_DESTROYED,
	BUFPOOL_NR_EVENTS,
};

/* Each CPU has its own, readers add them up. */
struct bufpool_counters {
	u64 of[BUFPOOL_NR_EVENTS];
};

/**
 * struct bufpool_config - what a pool is made with
 * @slab_size: bytes that classes of small blocks grow by; a power of two
 * @max_pooled: bytes in the largest block that is kept; a power of two
 * @limit: bytes that the pool may hold
 */
struct bufpool_config {
	unsigned long slab_size;
	unsigned long max_pooled;
	unsigned long limit;
};

/**
 * struct bufpool_pool - classes and what they may hold together
 * @name: prefix of the names of its caches; constant, as all up to @counters
 * @config: as made; its limit is not used
 * @max_rent: bytes in the largest block
 * @nr_classes: how many
 * @counters: see struct bufpool_counters
 * @limit: bytes that the pool may hold; read and written without a lock
 * @pinned: bytes in slabs, charged before they are made; at most the limit of
 *	that moment
 * @waiting: tasks that wait, in all classes
 * @clients: open clients
 * @classes: the classes
 */
struct bufpool_pool {
	const char *name;
	struct bufpool_config config;
	size_t max_rent;
	unsigned int nr_classes;
	struct bufpool_counters __percpu *counters;
	unsigned long limit;
	atomic_long_t pinned;
	atomic_t waiting;
	atomic_t clients;
	struct bufpool_class classes[BUFPOOL_MAX_CLASSES];
};

/**
 * struct bufpool_client - one open file description
 * @pool: where it rents; constant
 * @mapping: every mapping of this file and no other, so that revoking looks
 *	at this client only
 * @map_sem: see map.c
 * @cookie: what this client's generations are counted from; constant
 * @lock: guards all that follows
 * @held: the blocks it rents
 * @nr_held: how many
 * @held_bytes: bytes in them
 * @charged: bytes it holds or is about to
 * @ceiling: bytes it may hold
 * @issued: handles it has been given
 * @rents: blocks it has rented
 * @returns: blocks it has returned
 */
struct bufpool_client {
	struct bufpool_pool *pool;
	struct address_space mapping;
	struct rw_semaphore map_sem;
	u32 cookie;
	spinlock_t lock ____cacheline_aligned;
	struct list_head held;
	u64 nr_held;
	u64 held_bytes;
	u64 charged;
	u64 ceiling;
	u64 issued;
	u64 rents;
	u64 returns;
};

/**
 * struct bufpool_request - what a rent asks for
 * @class: blocks of this class
 * @count: at most so many
 * @nonblock: do not wait
 * @timeout_ns: wait at most so long; 0 is for ever
 */
struct bufpool_request {
	struct bufpool_class *class;
	unsigned int count;
	bool nonblock;
	s64 timeout_ns;
};

static inline void bufpool_count(struct bufpool_pool *pool,
				 enum bufpool_event event)
{
	this_cpu_inc(pool->counters->of[event]);
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

/* slab.c */
struct bufpool_slab *bufpool_slab_create(struct bufpool_class *class);
void bufpool_slab_destroy(struct bufpool_slab *slab);
void bufpool_slab_push(struct bufpool_slab *slab, struct bufpool_blk *blk);
struct bufpool_blk *bufpool_slab_pop(struct bufpool_slab *slab);
struct bufpool_blk *bufpool_slab_find(struct bufpool_class *class, u32 index);
u32 bufpool_blk_index(struct bufpool_blk *blk);
void *bufpool_blk_memory(struct bufpool_blk *blk);
void bufpool_blk_scrub(struct bufpool_blk *blk);

/* class.c */
int bufpool_class_init(struct bufpool_class *class, struct bufpool_pool *pool,
		       unsigned int nr);
void bufpool_class_exit(struct bufpool_class *class);
struct bufpool_blk *bufpool_class_take_locked(struct bufpool_class *class);
struct bufpool_blk *bufpool_class_rent(struct bufpool_request *request);
int bufpool_class_grow(struct bufpool_class *class, struct bufpool_blk **keep);
void bufpool_class_put(struct bufpool_blk *blk);
size_t bufpool_class_drop_idle(struct bufpool_class *class, size_t bytes);
void bufpool_class_drain(struct bufpool_class *class);

/* wait.c */
struct bufpool_blk *bufpool_wait(struct bufpool_request *request);
bool bufpool_wait_hand_over(struct bufpool_class *class, struct bufpool_blk *blk);
void bufpool_wait_retry(struct bufpool_pool *pool);

/* pool.c */
int bufpool_limit_check(const struct bufpool_config *config,
			unsigned long limit);
struct bufpool_pool *bufpool_pool_create(const char *name,
					 const struct bufpool_config *config);
void bufpool_pool_destroy(struct bufpool_pool *pool);
struct bufpool_class *bufpool_pool_class(struct bufpool_pool *pool, u64 size);
struct bufpool_blk *bufpool_pool_find_offset(struct bufpool_pool *pool,
					     u64 offset);
int bufpool_pool_charge(struct bufpool_pool *pool, size_t bytes);
size_t bufpool_pool_missing(struct bufpool_pool *pool, size_t bytes);
void bufpool_pool_uncharge(struct bufpool_pool *pool, size_t bytes);
bool bufpool_pool_drop_idle(struct bufpool_pool *pool, size_t bytes);
void bufpool_pool_set_limit(struct bufpool_pool *pool, unsigned long limit);
void bufpool_pool_info(struct bufpool_pool *pool, struct bufpool_info *info);
void bufpool_pool_stats(struct bufpool_pool *pool, struct bufpool_stats *stats);

/* client.c */
struct bufpool_client *bufpool_client_create(struct bufpool_pool *pool,
					     struct inode *inode);
void bufpool_client_destroy(struct bufpool_client *client);
int bufpool_client_rent(struct bufpool_client *client,
			struct bufpool_request *request,
			struct list_head *batch);
void bufpool_client_publish(struct bufpool_client *client,
			    struct list_head *batch);
void bufpool_client_abort(struct bufpool_client *client,
			  struct list_head *batch);
int bufpool_client_return(struct bufpool_client *client, const u64 *handles,
			  unsigned int count, bool clear);
bool bufpool_client_holds(struct bufpool_client *client,
			  struct bufpool_blk *blk);
int bufpool_client_set_ceiling(struct bufpool_client *client, u64 ceiling);
void bufpool_client_stats(struct bufpool_client *client,
			  struct bufpool_stats *stats);
void bufpool_blk_report(struct bufpool_blk *blk, struct bufpool_block *report);

/* map.c */
int bufpool_map(struct bufpool_client *client, struct vm_area_struct *vma);
void bufpool_map_revoke(struct bufpool_client *client, struct list_head *batch);

/* chardev.c */
struct bufpool_chardev *bufpool_chardev_create(struct bufpool_pool *pool);
void bufpool_chardev_destroy(struct bufpool_chardev *chardev);

#endif /* _BUFPOOL_H */
