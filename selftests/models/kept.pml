/* SPDX-License-Identifier: MIT */
/*
 * Taking kept blocks back: struct bufpool_stack, whose owner is userlib/stack.h and whose thief
 * is module/take.c, steps T1 to T4. stack_model.c has programs of some length; this goes on
 * for ever, so that the ring and both numbers wrap, what was taken is rented again, and faults
 * come and go.
 *
 * With -DRING the stack has room for one block, and its ring for two.
 *
 * The owner's processor keeps its writes in a buffer: they leave in order, as on x86; or,
 * with -DWEAK, in any order but those to one place, and none before a release's predecessors.
 * An interrupt has all of them leave. The thief has client->lock all the time, and so no fault
 * begins or ends meanwhile.
 *
 * Promises 1 and 2: each block is the owner's, or in the stack, once, or the thief's; a block
 * with a fault in it is not taken; and whenever nothing is on its way, what is not the owner's
 * nor the thief's is in the stack.
 *
 * MUTANT takes out:
 *   1 the barrier that the thief has passed
 *   2 the thief's second look at the top
 *   3 the clamp of that to the old bottom
 *   4 the owner's look at the bottom
 *   5 the bound on entries: the owner goes round the ring (-DRING)
 *   6 the look for pins when it takes
 *   7 the release order of a push (-DWEAK)
 */
#ifndef MUTANT
#define MUTANT		0
#endif

#ifdef RING
#define ENTRIES		2
#define BATCH		1
#define BLKS		3
#define MAX		(MUTANT == 5 -> 2 : 1)
#else
#define ENTRIES		4
#define BATCH		2
#ifndef BLKS
#define BLKS		2		/* 3 take minutes, and memory */
#endif
#define MAX		2
#endif

/* top and bottom wrap; differences are signed */
#define NUMBERS		8
#define MINUS(a, b)	((((a) - (b) + NUMBERS + NUMBERS / 2) % NUMBERS) - NUMBERS / 2)
#define PLUS(a, b)	(((a) + (b) + NUMBERS) % NUMBERS)

mtype = { HELD, KEPT, TAKEN };

mtype state[BLKS];		/* by what owner and thief have done */
bool pinned[BLKS];
bool locked;			/* client->lock */
bool busy;			/* the owner is in a push or pop */

/* struct bufpool_stack, as others see it; the top is the place behind the entries */
#define TOP		ENTRIES
byte memory[ENTRIES + 1];
byte bottom;

/* and as the owner does, with what it has written */
byte own[ENTRIES + 1];
#define DEPTH		4
byte buffered;
byte place[DEPTH];
byte value[DEPTH];
bool release[DEPTH];

inline write(at, what, is_release)
{
	atomic {
		buffered < DEPTH;
		own[at] = what;
		place[buffered] = at;
		value[buffered] = own[at];
		release[buffered] = is_release;
		buffered++
	}
}

/* A write leaves. */
inline leave(nr)
{
	d_step {
		memory[place[nr]] = value[nr];
		for (i : nr .. DEPTH - 2) {
			place[i] = place[i + 1];
			value[i] = value[i + 1];
			release[i] = release[i + 1]
		}
		buffered--;
		place[DEPTH - 1] = 0;
		value[DEPTH - 1] = 0;
		release[DEPTH - 1] = false;
		i = 0
	}
}

active proctype processor()
{
	byte i;

	do
	:: atomic { buffered > 0 -> leave(0) }
#ifdef WEAK
	:: atomic { buffered > 1 && !release[1] && place[1] != place[0] -> leave(1) }
	:: atomic { buffered > 2 && !release[2] && place[2] != place[1] &&
		    place[2] != place[0] -> leave(2) }
#endif
	od
}

active proctype owner()
{
	byte blk, t;

	do
	/* bufpool_stack_push() */
	:: atomic { MINUS(own[TOP], bottom) < MAX ->
		if
		:: state[0] == HELD -> blk = 0
		:: state[1] == HELD -> blk = 1
#if BLKS > 2
		:: state[2] == HELD -> blk = 2
#endif
		fi;
		busy = true;
		state[blk] = KEPT };
		write(own[TOP] % ENTRIES, blk, false);
		blk = 0;
		write(TOP, PLUS(own[TOP], 1), MUTANT != 7);
		busy = false
	/* bufpool_stack_pop() */
	:: atomic { true ->
		busy = true;
		t = PLUS(own[TOP], -1) };
		write(TOP, t, false);
		if
		:: MUTANT != 4 && MINUS(t, bottom) < 0 ->
			write(TOP, PLUS(t, 1), false)
		:: atomic { MUTANT == 4 || MINUS(t, bottom) >= 0 ->
			blk = own[t % ENTRIES];
			assert(state[blk] == KEPT);
			state[blk] = HELD }
		fi;
		atomic { t = 0; blk = 0; busy = false }
	/* a rent */
	:: atomic { !locked ->
		if
		:: state[0] == TAKEN -> state[0] = HELD
		:: state[1] == TAKEN -> state[1] = HELD
#if BLKS > 2
		:: state[2] == TAKEN -> state[2] = HELD
#endif
		fi }
	od
}

/* map_pin() and map_unpin() */
active proctype fault()
{
	do
	:: atomic { !locked && !pinned[0] && state[0] != TAKEN -> pinned[0] = true }
	:: atomic { !locked && pinned[0] -> pinned[0] = false }
	od
}

/* take_locked(); nr is how many entries it takes */
active proctype thief()
{
	byte b, blk, i;
	int nr;

	do
	:: atomic { !locked -> locked = true; b = bottom };
		d_step {
			nr = MINUS(memory[TOP], b);
			nr = (nr > BATCH -> BATCH : (nr < 0 -> 0 : nr))
		}
		if
		:: nr == 2 -> nr = 1
		:: true
		fi;
		/* take_count() */
		d_step {
			if
			:: nr > 0 && pinned[memory[b % ENTRIES]] -> nr = 0
			:: nr > 1 && pinned[memory[PLUS(b, 1) % ENTRIES]] -> nr = 1
			:: else
			fi
		}
		if
		:: nr > 0 ->
			bottom = PLUS(b, nr);	/* T1 */
#if MUTANT != 1
			atomic {		/* T2 */
				do
				:: buffered > 0 -> leave(0)
				:: buffered == 0 -> break
				od
			}
#endif
#if MUTANT != 2
			atomic {		/* T3 */
				if
				:: MINUS(memory[TOP], b) < nr ->
					nr = MINUS(memory[TOP], b);
#if MUTANT != 3
					nr = (nr < 0 -> 0 : nr);
#endif
					bottom = PLUS(b, nr)
				:: else
				fi
			}
#endif
			do			/* T4 */
			:: nr > 0 ->
				atomic {
					blk = memory[b % ENTRIES];
					assert(state[blk] == KEPT);
					if
					:: MUTANT != 6 && pinned[blk] ->
						bottom = b;
						nr = 0
					:: else ->
						assert(!pinned[blk]);
						state[blk] = TAKEN;
						b = PLUS(b, 1);
						nr--
					fi;
					blk = 0
				}
			:: nr <= 0 -> break
			od
		:: nr == 0
		fi;
		atomic { b = 0; nr = 0; locked = false }
	od
}

/* Whenever owner and thief are between two calls, and all is seen, nothing is lost. */
active proctype monitor()
{
	byte i, kept;

	do
	:: d_step { !busy && !locked && buffered == 0 ->
		for (i : 0 .. BLKS - 1) {
			kept = kept + (state[i] == KEPT)
		}
		assert(MINUS(memory[TOP], bottom) == kept);
		i = 0;
		kept = 0 }
	od
}

init {
	d_step {
		state[0] = HELD;
		state[1] = HELD;
#if BLKS > 2
		state[2] = HELD
#endif
	}
}
