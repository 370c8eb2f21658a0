// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charges: whom a block is charged to, that another user has sent.
 *
 * Accounts are charged for slabs, see holding.c. A block that changes hands stays in the
 * slab it is in, and so that of whoever rented it first; but who has received it pays for it
 * from then on: the one is charged for less than the slab, by the bytes of that block, and
 * the other for them. With its return, or what else brings it back to its class, all is as
 * it was. So what an account has is its slabs, and what has been moved to it, or from it.
 *
 * By that the first may be charged for more than its quota, as if that had been lowered.
 *
 * The memory cgroup that a slab is charged to is charged for it as long as it is there: that
 * of who made it, as the kernel has it for whatever is shared.
 */
#include "bufpool.h"

/* Have another account charged. The new one is charged already, and the old one still. */
static void charge_set_payer(struct bufpool_blk *blk, struct bufpool_account *to)
{
	struct bufpool_account *home = bufpool_blk_slab(blk)->holding->account;
	struct bufpool_account *from = bufpool_charge_account(blk);
	struct xarray *accounts = &home->pool->accounts;
	long bytes = bufpool_blk_size(blk);

	atomic_long_add(bytes, &to->moved);
	atomic_long_sub(bytes, &from->moved);
	bufpool_budget_uncharge(&from->pinned, bytes);
	/* that of the slab is held by that */
	xa_lock(accounts);
	if (to != home)
		bufpool_account_hold(to);
	if (from != home)
		bufpool_account_release(from);
	xa_unlock(accounts);
	blk->payer = to == home ? NULL : to;
}

/**
 * bufpool_charge_move - charge a block to who receives it
 * @blk: it is out, and the caller's
 * @client: who is about to own it
 *
 * Return: whether the quota of the client's account admits it.
 */
bool bufpool_charge_move(struct bufpool_blk *blk, struct bufpool_client *client)
{
	struct bufpool_account *to = client->account;

	if (likely(to == bufpool_charge_account(blk)))
		return true;
	if (!bufpool_budget_charge(&to->pinned, bufpool_blk_size(blk),
				   bufpool_client_quota(client)))
		return false;
	charge_set_payer(blk, to);
	return true;
}

/* For bufpool_charge_settle(). */
void bufpool_charge_settle_slow(struct bufpool_blk *blk)
{
	struct bufpool_account *home = bufpool_blk_slab(blk)->holding->account;

	bufpool_budget_charge(&home->pinned, bufpool_blk_size(blk), LONG_MAX);
	charge_set_payer(blk, home);
}
