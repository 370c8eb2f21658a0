/* SPDX-License-Identifier: MIT */
/*
 * Polling for blocks: module/poll.c, for one kind of pollers.
 *
 * Pollers rent a block each, and where there is none they poll until they are told. Givers
 * return one each, and a stranger takes one and gives it back. Whoever makes blocks free only
 * queues the work, if any poller is armed; the work has the list of these to itself while it
 * looks and wakes, and puts back who was not woken. A poller that arms meanwhile stays where
 * it is.
 *
 * Promise 8: each poller has a block in the end; otherwise this ends with one asleep, though
 * there is a block and nobody is going to tell.
 *
 * MUTANT takes out:
 *   1 the order of arming, and then looking
 *   2 the barrier between making a block free and looking for pollers
 *   3 the second look of the work, when those who were not woken are back in the list
 *   4 the barrier before that
 */
#ifndef MUTANT
#define MUTANT		0
#endif

#ifndef POLLERS
#define POLLERS		2
#endif

/* where poll->node is */
#define NOWHERE		0
#define ARMED		1	/* pool->armed */
#define TAKEN		2	/* the list of the work */

byte node[POLLERS];
bool armed_kinds;
bool queued;			/* the work */
byte free;
bool triggered[POLLERS];	/* poll() has been woken */
byte ended;

/* poll_update_kind(), under pool->poll_lock as all that changes these lists */
inline update_kind()
{
	armed_kinds = false;
	for (i : 0 .. POLLERS - 1) {
		if
		:: node[i] == ARMED -> armed_kinds = true
		:: else
		fi
	}
	i = 0
}

inline move_all(from, to)
{
	for (i : 0 .. POLLERS - 1) {
		if
		:: node[i] == from -> node[i] = to; any = true
		:: else
		fi
	}
	update_kind()
}

/* poll_arm() */
inline arm()
{
	d_step {
		if
		:: node[me] == NOWHERE -> node[me] = ARMED
		:: else
		fi;
		update_kind()
	}
}

/* bufpool_poll_kick(): what was done before is seen, or a poller is */
inline kick()
{
	if
	:: armed_kinds -> queued = true
	:: !armed_kinds
	fi
}

inline give()
{
#if MUTANT == 2
	if
	:: armed_kinds -> free++; queued = true
	:: !armed_kinds -> free++
	fi
#else
	free++;
	kick()
#endif
}

proctype poller(byte me)
{
	byte i;

	do
	:: atomic { free > 0 -> free-- }; break
	:: free == 0 ->
		triggered[me] = false;
#if MUTANT != 1
		arm();
#endif
		if
		:: free > 0
		:: free == 0 ->
#if MUTANT == 1
			arm();
#endif
			triggered[me]
		fi
	od;
	ended++
}

proctype giver()
{
	give();
	ended++
}

proctype stranger()
{
	if
	:: atomic { free > 0 -> free-- }; give()
	:: true
	fi;
	ended++
}

/* poll_wake_first(): the first is taken off the list under the lock, and woken without it */
inline wake_first()
{
	d_step {
		do
		:: i < POLLERS && node[i] != TAKEN -> i++
		:: i < POLLERS && node[i] == TAKEN ->
			node[i] = NOWHERE;
			first = i;
			any = true;
			break
		:: i == POLLERS -> break
		od;
		i = 0
	};
	if
	:: any -> triggered[first] = true
	:: !any
	fi
}

/* bufpool_poll_work() */
proctype worker()
{
	byte i, first;
	bool any, again;

end_idle:
	do
	:: queued ->
		queued = false;
		d_step { move_all(ARMED, TAKEN); any = false };
		do
		:: free == 0 -> break
		:: free > 0 ->
			wake_first();
			if
			:: any -> any = false
			:: !any -> break
			fi
		od;
#if MUTANT == 4
		again = free > 0;
#endif
		atomic { any = false; move_all(TAKEN, ARMED) };
#if MUTANT != 4
		again = free > 0;
#endif
		if
		:: any && again && MUTANT != 3 -> queued = true
		:: !any || !again || MUTANT == 3
		fi;
		d_step { any = false; again = false }
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. POLLERS - 1) {
			run poller(i);
			run giver()
		}
		run stranger();
		run worker()
	}
	/* nobody is forgotten */
	ended == 2 * POLLERS + 1;
	assert(free == 0)
}
