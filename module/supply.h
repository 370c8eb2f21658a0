/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_SUPPLY_H
#define _BUFPOOL_SUPPLY_H

#include <linux/types.h>

struct bufpool_account;
struct bufpool_blk;
struct bufpool_branch;
struct bufpool_class;
struct bufpool_holding;
struct bufpool_pool;
struct bufpool_slab;
struct bufpool_waiter;

/**
 * struct bufpool_put - a block on its way back, after the step that takes locks
 * @class: its class
 * @unwanted: its slab, if that is to go to the system
 * @is_free: it is on a free list
 * @dirty: and is not known to be zero
 * @settled: another account is charged for less
 */
struct bufpool_put {
	struct bufpool_class *class;
	struct bufpool_slab *unwanted;
	bool is_free;
	bool dirty;
	bool settled;
};

bool bufpool_supply_may_grow(struct bufpool_class *class, struct bufpool_account *account,
			     unsigned long quota);
int bufpool_supply_grow(struct bufpool_class *class, struct bufpool_holding *holding,
			unsigned long quota, struct bufpool_blk **keep);
int bufpool_supply_set_aside(struct bufpool_class *class);
void bufpool_supply_put_begin(struct bufpool_put *put, struct bufpool_blk *blk,
			      struct bufpool_blk **keep);
void bufpool_supply_put_end(const struct bufpool_put *put);
void bufpool_supply_put_or_take(struct bufpool_blk *blk, struct bufpool_blk **keep);
void bufpool_supply_put(struct bufpool_blk *blk);
void bufpool_supply_put_all(struct list_head *batch);
void bufpool_supply_flush_class(struct bufpool_class *class);
size_t bufpool_supply_drop_class(struct bufpool_class *class, size_t bytes);
size_t bufpool_supply_drop_branch(struct bufpool_branch *branch, size_t bytes);
void bufpool_supply_put_branch(struct bufpool_branch *branch);
void bufpool_supply_drain_class(struct bufpool_class *class);
bool bufpool_supply_drop_idle(struct bufpool_pool *pool, size_t bytes);
size_t bufpool_supply_drop(struct bufpool_pool *pool, size_t bytes);
size_t bufpool_supply_idle(struct bufpool_pool *pool);
size_t bufpool_supply_unused(struct bufpool_pool *pool);
void bufpool_supply_flush(struct bufpool_pool *pool);
size_t bufpool_supply_draining(struct bufpool_pool *pool);
bool bufpool_supply_start_draining(const struct bufpool_waiter *waiter, size_t *missing,
				   size_t *most);
bool bufpool_supply_stop_draining(struct bufpool_pool *pool);
u64 bufpool_supply_warm(struct bufpool_pool *pool);
u64 bufpool_supply_out(struct bufpool_pool *pool, u64 *unowned);

#endif /* _BUFPOOL_SUPPLY_H */
