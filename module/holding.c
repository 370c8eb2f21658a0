// SPDX-License-Identifier: GPL-2.0-only
/*
 * A holding: what an account has of a class, in one memory cgroup.
 *
 * A slab that has a block in use belongs to one account, which is charged for all of it;
 * a wholly free one belongs to nobody, and is for anybody. So a quota is exact, and what
 * one account leaves behind never holds another's memory.
 *
 * Blocks go out from the slab that has the fewest free ones, more or less: so slabs
 * that few blocks are left of become wholly free.
 */
#include "bufpool.h"

/* Make a holding of nothing, in memory that is zero. */
void bufpool_holding_init(struct bufpool_holding *holding, struct bufpool_branch *branch,
			  struct bufpool_class *class)
{
	unsigned int i;

	holding->branch = branch;
	holding->account = branch->account;
	INIT_LIST_HEAD(&holding->charged);
	holding->idle = branch->is_charged ? &holding->charged : &class->idle;
	bufpool_lru_init(&holding->warm);
	bufpool_keepers_init(&holding->kept, offsetof(struct bufpool_kept, by_holding));
	for (i = 0; i < BUFPOOL_FULLNESS; i++)
		INIT_LIST_HEAD(&holding->partial[i]);
	INIT_LIST_HEAD(&holding->full);
	holding->waiters[0] = RB_ROOT_CACHED;
	holding->waiters[1] = RB_ROOT_CACHED;
}
