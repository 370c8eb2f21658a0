/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _BUFPOOL_CHARGE_H
#define _BUFPOOL_CHARGE_H

#include "class.h"
#include "holding.h"

struct bufpool_account;
struct bufpool_client;

/* Whom a block that is out is charged to: its slab is the holding's as long as it is. */
static inline struct bufpool_account *bufpool_charge_account(struct bufpool_blk *blk)
{
	return blk->payer ?: bufpool_blk_slab(blk)->holding->account;
}

bool bufpool_charge_move(struct bufpool_blk *blk, struct bufpool_client *client);
void bufpool_charge_settle_slow(struct bufpool_blk *blk);

/**
 * bufpool_charge_settle - charge a block to the account of its slab, as it comes back
 * @blk: the caller owns it
 */
static inline void bufpool_charge_settle(struct bufpool_blk *blk)
{
	if (unlikely(blk->payer))
		bufpool_charge_settle_slow(blk);
}

#endif /* _BUFPOOL_CHARGE_H */
