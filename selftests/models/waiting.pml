/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a block: module/waitq.c and module/wait.c, for one class and one account.
 *
 * Renters look for a block, wait where there is none, and give it back. One block is in use
 * at first and may come back (holder), and there will be room for another (giver). Signals end
 * waits; who was interrupted stays away or comes back to its place. Timers, by which waiters
 * look by themselves, are left out: nobody is served by these alone.
 *
 * Promise 8: in the end all who have not left were served; otherwise this ends with one
 * asleep. While anybody is in line, no block is on the free list, where a newcomer could take
 * it. Promise 1: no block has two owners, and all are free in the end. Besides, no waiter is
 * told after it is gone, since it is on a stack.
 *
 * MUTANT takes out:
 *   1 the order of saying that it sleeps, and then looking
 *   2 that a waiter leaves the line before it looks for what it was handed
 *   3 that one that leaves has the next try
 *   4 the hand-over: a block goes to the free list, and the first in line is told
 *   5 the barrier between making room and looking for waiters
 *   6 the lock for a waiter that sees its block
 *   7 the barrier between being counted and trying what could be had
 */
#ifndef MUTANT
#define MUTANT		0
#endif

#ifndef RENTERS
#define RENTERS		2		/* 3 take minutes, and memory */
#endif
#define HOLDER		RENTERS
#define TASKS		(RENTERS + 1)
#define BLKS		2

/* owners beside tasks */
#define NONE		100	/* there is only room for it */
#define FREE		101

bool locked;			/* class->lock */
chan line = [RENTERS] of { byte, byte };	/* holding->waiters, by ticket */
byte counted;			/* status->waiting */
byte tickets;
byte room;			/* what may be charged yet */
byte owner[BLKS];
byte nr_free;
byte ended;

/* struct bufpool_waiter: of a block its number, counted from 1 */
byte blk[TASKS];
bool retry[TASKS];
bool gone[TASKS];
/* its task */
bool asleep[TASKS];
bool signalled[TASKS];

inline lock()
{
	atomic { !locked; locked = true }
}

inline unlock()
{
	d_step {
		assert(nr_free == 0 || empty(line));
		who = 0;
		locked = false
	}
}

/* Where only others with the lock would see the steps between, all are one. */
#define LOCKED		atomic { !locked; locked = true;
#define UNLOCKED	unlock() }

inline own(nr, from, to)
{
	d_step {
		assert(owner[(nr) - 1] == from);
		owner[(nr) - 1] = to
	}
}

/* waitq_tell() of the first in line */
inline tell_first()
{
	if
	:: nempty(line) ->
		line?<_, who>;
		retry[who] = true;
		asleep[who] = false
	:: empty(line)
	fi
}

/* waitq_serve() of the first in line, with a block of the caller's */
inline serve_first(nr, from)
{
	line?_, who;
	own(nr, from, who);
	blk[who] = nr;
	assert(!gone[who]);
	asleep[who] = false
}

/* the last free block; the lock is held */
inline take_free(nr)
{
	d_step {
		nr = (owner[0] == FREE -> 1 : 2);
		own(nr, FREE, me);
		nr_free--
	}
}

/* bufpool_waitq_hand_over(), or else to the free list */
inline put(nr)
{
	lock();
	if
	:: MUTANT != 4 && nempty(line) -> serve_first(nr, me)
	:: MUTANT == 4 || empty(line) -> d_step { own(nr, me, FREE); nr_free++ }
	fi;
#if MUTANT == 4
	locked = false;
	lock();
	tell_first();
#endif
	unlock()
}

/* bufpool_pool_wake_waiters(): what was done before is seen, or a waiter is */
inline wake_waiters()
{
	if
	:: counted > 0 ->
		LOCKED
		tell_first();
		UNLOCKED
	:: counted == 0
	fi
}

/* bufpool_supply_grow(): of what is made waiters have first; else the caller may keep it */
inline grow(nr, keep)
{
	nr = 0;
	atomic {
		if
		:: room > 0 ->
			room--;
			nr = (owner[0] == NONE -> 1 : 2);
			own(nr, NONE, me)
		:: else
		fi
	}
	if
	:: nr != 0 ->
		LOCKED
		if
		:: nempty(line) -> serve_first(nr, me); nr = 0
		:: empty(line) && keep
		:: empty(line) && !keep -> d_step { own(nr, me, FREE); nr_free++; nr = 0 }
		fi;
		UNLOCKED
	:: else
	fi
}

/* bufpool_rent_find() of a newcomer */
inline find(nr)
{
	nr = 0;
	LOCKED
	if
	:: nr_free > 0 && empty(line) -> take_free(nr)
	:: nr_free == 0 || nempty(line)
	fi;
	UNLOCKED;
	if
	:: nr == 0 && empty(line) -> grow(nr, true)
	:: nr != 0 || nempty(line)
	fi
}

/* What was written before leaves its processor, at the latest. */
inline be_seen()
{
	if
	:: !seen -> counted++; seen = true
	:: seen
	fi
}

/* bufpool_waitq_enlist(), which ends with a barrier between counted and what is tried next */
inline enlist()
{
#if MUTANT == 7
	seen = false;
#else
	counted++;
#endif
	LOCKED
	if
	:: ticket == 0 -> tickets++; ticket = tickets
	:: else
	fi;
	if
	:: nr_free > 0 -> take_free(blk[me])
	:: else ->
		line!!ticket, me;
		if
		:: line?[eval(ticket), eval(me)] -> retry[me] = true
		:: !(line?[eval(ticket), eval(me)])
		fi
	fi;
	UNLOCKED
}

/* wait_try(): what is free is handed out, and the first grows */
inline try()
{
	LOCKED
	do
	:: nr_free > 0 && nempty(line) ->
		take_free(got);
		serve_first(got, me)
	:: nr_free == 0 || empty(line) -> break
	od;
	if
	:: line?[eval(ticket), eval(me)] -> first = true
	:: !(line?[eval(ticket), eval(me)])
	fi;
	UNLOCKED;
	if
	:: blk[me] == 0 && first -> grow(got, false)
	:: blk[me] != 0 || !first
	fi;
	d_step { got = 0; first = false }
#if MUTANT == 7
	;
	be_seen()
#endif
}

/* wait_sleep() */
inline sleep()
{
#if MUTANT == 1
	if
	:: blk[me] == 0 && !retry[me] ->
		asleep[me] = true;
		(!asleep[me] || signalled[me])
	:: else
	fi;
#else
	asleep[me] = true;
	if
	:: blk[me] == 0 && !retry[me] -> (!asleep[me] || signalled[me])
	:: else
	fi;
#endif
	asleep[me] = false
}

/* wait_end(): leave the line, which tells the next of the account; and pass it on */
inline end()
{
	LOCKED
	if
	:: line??[eval(ticket), eval(me)] -> line??eval(ticket), eval(me)
	:: !(line??[eval(ticket), eval(me)])
	fi;
#if MUTANT != 3
	tell_first();
#endif
	UNLOCKED;
	counted--;
#if MUTANT != 3
	wake_waiters()
#endif
}

/* bufpool_wait(); got is the block, or 0 */
inline wait(nr)
{
	gone[me] = false;
	enlist();
	do
	:: blk[me] != 0 || signalled[me] -> break
	:: blk[me] == 0 && retry[me] -> retry[me] = false; try()
	:: blk[me] == 0 && !retry[me] && !signalled[me] -> sleep()
	od;
#if MUTANT == 7
	be_seen();
#endif
#if MUTANT == 2
	nr = blk[me];
	end();
#elif MUTANT == 6
	if
	:: blk[me] != 0 -> counted--
	:: else -> end()
	fi;
	nr = blk[me];
#else
	end();
	nr = blk[me];
#endif
	d_step { gone[me] = true; blk[me] = 0; retry[me] = false }
}

proctype renter(byte me)
{
	byte nr, got, who, ticket;
	bool first;
#if MUTANT == 7
	bool seen;
#endif

	find(nr);
	do
	:: nr != 0 -> break
	:: nr == 0 ->
		wait(nr);
		if
		:: nr == 0 ->
			signalled[me] = false;
			if
			:: break	/* for good */
			:: skip		/* to its place */
			fi
		:: else
		fi
	od;
	if
	:: nr != 0 -> put(nr)
	:: else
	fi;
	d_step { nr = 0; ticket = 0; ended++ }
}

proctype holder(byte me)
{
	byte nr = 1, who;

	if
	:: put(nr)
	:: true		/* it is in use for ever */
	fi;
	ended++
}

/* e.g. the limit is raised */
proctype giver()
{
	byte who;

#if MUTANT == 5
	if
	:: counted > 0 ->
		room++;
		LOCKED
		tell_first();
		UNLOCKED
	:: counted == 0 -> room++
	fi;
#else
	room++;
	wake_waiters();
#endif
	ended++
}

/* one signal, at whatever time; the renters are all alike */
proctype signals(byte who)
{
	d_step { signalled[who] = true; asleep[who] = false; ended++ }
}

init {
	byte i;

	atomic {
		owner[0] = HOLDER;
		owner[1] = NONE;
		for (i : 0 .. RENTERS - 1) {
			gone[i] = true;
			run renter(i)
		}
		run holder(HOLDER);
		run giver();
		run signals(0)
	}
	/* nobody is forgotten */
	ended == RENTERS + 3;
	/* and no block is lost */
	assert(counted == 0 && empty(line));
	for (i : 0 .. BLKS - 1) {
		assert(owner[i] == FREE || (owner[i] == NONE && room > 0) ||
		       (i == 0 && owner[i] == HOLDER))
	}
}
