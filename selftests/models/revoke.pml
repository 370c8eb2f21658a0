/* SPDX-License-Identifier: MIT */
/*
 * Faults against all that takes a block away from its client: module/map.c, steps 1 to 5 at its
 * top.
 *
 * One block and the client that it begins with: two of its faults, the client itself, which
 * returns (warm, or revoked at once), rents again, sends and gets back what could not be sent;
 * a thief; and another client. All go on for ever. What is done under client->lock is one step.
 * A fault's write of blk->touched may leave its processor late.
 *
 * Promise 2: there is no entry of the client's while the block is another's or free.
 *
 * MUTANT takes out:
 *   1 that the client itself waits for pins
 *   2 that a thief passes over what is pinned
 *   3 the pin: a fault looks whose the block is, and inserts an entry
 *   4 the order of taking the block away, and then unmapping
 *   5 the release order of unpinning
 */
#ifndef MUTANT
#define MUTANT		0
#endif

mtype = { CLIENT, OTHER, TRANSIT, FREE };

mtype owner = CLIENT;		/* blk->owner */
bool warm;			/* is not rented, but the client's */
byte pins;
bool touched;
bool entry;			/* in a page table of the client's */

/* vma_fault(): map_pin(), map_blk(), map_unpin() */
active [2] proctype fault()
{
	do
	:: atomic { owner == CLIENT && !warm ->
#if MUTANT != 3
		pins++
#endif
		};
		if
		:: touched = true
		:: true		/* is written, but not seen yet */
		fi;
		entry = true;
#if MUTANT == 5
		pins--;
		touched = true
#else
		touched = true;
#if MUTANT != 3
		pins--
#endif
#endif
	od
}

/* bufpool_map_unmap(), and bufpool_blk_update_dirty() */
inline unmap()
{
	if
	:: touched ->
		entry = false;
		touched = false
	:: !touched
	fi
}

active proctype client()
{
	do
	/* bufpool_map_revoke() of a return, or a send */
	:: atomic { owner == CLIENT && !warm ->
#if MUTANT != 4
		owner = TRANSIT
#endif
		};
#if MUTANT != 1
		pins == 0;
#endif
		unmap();
		if
		:: owner = FREE
		:: owner = OTHER	/* by a channel */
		:: owner = CLIENT	/* send_undo() */
		fi
	:: atomic { owner == CLIENT && !warm -> warm = true }
	:: atomic { owner == CLIENT && warm -> warm = false }
	:: atomic { owner == FREE -> owner = TRANSIT };
		atomic { owner = CLIENT; warm = false }
	od
}

/* evict_try(), and take_from() of what the client keeps in a stack */
active proctype thief()
{
	do
	:: atomic { owner == CLIENT && (MUTANT == 2 || pins == 0) -> owner = TRANSIT };
		unmap();
		owner = FREE
	od
}

active proctype other()
{
	do
	:: atomic { owner == FREE -> owner = OTHER }
	:: atomic { owner == OTHER -> owner = FREE }
	od
}

active proctype touch()
{
	do
	:: atomic { entry -> assert(owner == CLIENT || owner == TRANSIT) }
	od
}
