/* SPDX-License-Identifier: MIT */
/*
 * The end of a branch: module/branch.c.
 *
 * It is there as long as anybody has a reference, or it has a slab. A closer has the last
 * reference at first, and a slab is in use that comes back at some time (returner), as a block
 * of it was sent to another. A finder may come to have a reference meanwhile, and use the slab
 * if that is idle. What is written without the lock that its reader has is seen when it leaves
 * its processor: at a barrier.
 *
 * Promises 1 and 9: in the end the branch is freed, once, and its slab is the system's; and
 * it is not freed before.
 *
 * -DUNCHARGED is a branch whose slabs are charged to none: they are nobody's when they are
 * wholly free.
 *
 * MUTANT takes out:
 *   1 that it is an orphan before its idle slabs are given back
 *   2 the barrier between the last slab and the look for an orphan (-DUNCHARGED)
 *   3 that it is found no more by who frees it
 *   4 that a slab of an orphan is given back at once
 *   5 that idle slabs are looked for again, where it was no orphan for a while
 */
#ifndef MUTANT
#define MUTANT		0
#endif

#define IN_USE		0
#define IDLE		1
#define GONE		2

bool accounts;			/* the lock of pool->accounts */
bool class;			/* class->lock, which is outside of that */
byte refs = 1;
bool orphan;
bool hashed = true;
byte slab = IN_USE;
bool seen_slab = true;		/* holding->charged_bytes, for those without class->lock */
byte freed;
byte ended;

#define LOCKED(lock)	atomic { !lock; lock = true }
#define UNLOCKED(lock)	lock = false

/* branch_remove(); the lock of accounts is held */
inline remove()
{
	d_step {
		if
		:: refs == 0 && (hashed || MUTANT == 3) && !seen_slab ->
			hashed = false;
			freed++;
			assert(freed == 1);
			assert(slab == GONE)
		:: else
		fi
	}
}

/* class_leave_home() and bufpool_branch_lost_slab(); class->lock is held */
inline lose_slab()
{
	slab = GONE;
#if MUTANT == 2
	is_orphan = orphan;
	seen_slab = false;
#else
	seen_slab = false;
	is_orphan = orphan;
#endif
	if
	:: is_orphan ->
		LOCKED(accounts);
		remove();
		UNLOCKED(accounts)
	:: !is_orphan
	fi;
	is_orphan = false
}

/* bufpool_supply_put_branch() */
inline put_branch()
{
	LOCKED(accounts);
	is_last = refs == 1;
	if
	:: is_last && MUTANT != 1 -> orphan = true
	:: is_last && MUTANT == 1
	:: !is_last -> refs--
	fi;
	UNLOCKED(accounts);
	do
	:: !is_last -> break
	:: is_last ->
#ifndef UNCHARGED
		LOCKED(class);
		if
		:: slab == IDLE -> lose_slab()
		:: slab != IDLE
		fi;
		UNLOCKED(class);
#endif
		/* bufpool_branch_put_last() */
		LOCKED(accounts);
		if
		:: refs == 1 && !orphan && MUTANT != 1 && MUTANT != 5 -> orphan = true
		:: refs > 1 || orphan || MUTANT == 1 || MUTANT == 5 -> is_last = false; refs--
		fi;
		if
		:: refs == 0 -> remove()
		:: refs > 0
		fi;
		UNLOCKED(accounts)
	od;
	skip
}

/* bufpool_class_put_free() of its last block: kept, or given back */
inline put_slab()
{
	LOCKED(class);
#ifdef UNCHARGED
	lose_slab();
#else
	is_orphan = orphan;
	if
	:: is_orphan && MUTANT != 4 -> lose_slab()
	:: !is_orphan || MUTANT == 4 -> slab = IDLE; is_orphan = false
	fi;
#endif
	UNLOCKED(class)
}

proctype closer()
{
	bool is_last, is_orphan;

	put_branch();
	ended++
}

proctype returner()
{
	bool is_orphan;

	put_slab();
	ended++
}

/* bufpool_branch_get(), a rent and a return, and the end of that client */
proctype finder()
{
	bool is_last, is_orphan, found, got;

	LOCKED(accounts);
	if
	:: hashed -> refs++; orphan = false; found = true
	:: !hashed
	fi;
	UNLOCKED(accounts);
	if
	:: found ->
		LOCKED(class);
		if
		:: slab == IDLE -> slab = IN_USE; got = true
		:: slab != IDLE
		fi;
		UNLOCKED(class);
		if
		:: got -> put_slab()
		:: !got
		fi;
		put_branch()
	:: !found
	fi;
	ended++
}

init {
	atomic {
		run closer();
		run returner();
		run finder()
	}
	ended == 3;
	assert(refs == 0 && slab == GONE && freed == 1 && !hashed)
}
