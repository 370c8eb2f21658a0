/* SPDX-License-Identifier: MIT */
/*
 * Waiting at the ends of a channel: module/channel.c, whose messages are had under its lock,
 * and whose waiters look without it.
 *
 * Two senders and two receivers, until all is sent and the last sender closes its end. A
 * signal ends the wait of the first of either kind (with ABSENT, of the first receiver), for
 * good. What is put in or taken out is seen by those without the lock when it leaves its
 * processor: at the barrier of bufpool_channel_wake(), or when another has the lock.
 *
 * Without ABSENT there is no work (channel_wake_again()): wake-ups alone do. -DABSENT has the
 * work, and a first receiver that may get no processor once it was woken, or leave a message
 * as it may hold no more.
 *
 * Promises 8 and 12: each message arrives once, in order, and all who have not left end; else
 * this ends with one asleep though there is something for it.
 *
 * MUTANT takes out:
 *   1 that one that leaves passes on what it was woken for
 *   2 the barrier between putting in and looking for waiters
 *   3 the order of preparing to wait, and then looking
 *   4 that the end of all wakes all
 *   5 the work that wakes another (-DABSENT)
 */
#ifndef MUTANT
#define MUTANT		0
#endif

/* how many messages a sender has */
#ifdef ABSENT
#define IS_ABSENT	(me == FIRST)
#define MESSAGES(me)	1
#else
#define IS_ABSENT	false
#define MESSAGES(me)	(me + 1)
#endif

#define SENDERS		2
#define FIRST		SENDERS		/* receiver */
#define TASKS		4
#define CAPACITY	1
#define ALL		255

#define RECEIVE		0
#define SEND		1

chan ring = [CAPACITY] of { byte };
byte queued;			/* as those without the lock see it */
bool open = true;		/* the send end */
byte sending = SENDERS;		/* who hold that */
byte sent, received;
chan waits[2] = [TASKS] of { byte };
bool asleep[TASKS];
bool signalled[TASKS];
bool again;			/* the work is queued */
byte ended;

#define IS_READY(end)	((end) == RECEIVE -> (queued > 0 || !open) : (queued < CAPACITY))

/* channel_wake_waits(): each is exclusive, and those that do not sleep are passed over */
inline wake_waits(end, nr)
{
	d_step {
		left = nr;
		looks = len(waits[end]);
		do
		:: looks == 0 -> break
		:: looks > 0 ->
			looks--;
			waits[end]?task;
			if
			:: left > 0 && asleep[task] ->
				asleep[task] = false;
				left = (left == ALL -> ALL : left - 1)
			:: left == 0 || !asleep[task] -> waits[end]!task
			fi
		od;
		task = 0;
		left = 0
	}
#if defined(ABSENT) && MUTANT != 5
	if
	:: nempty(waits[end]) -> again = true
	:: empty(waits[end])
	fi
#endif
}

/* bufpool_channel_wake() */
inline wake(end, nr)
{
#if MUTANT == 2
	if
	:: nempty(waits[end]) -> queued = len(ring); wake_waits(end, nr)
	:: empty(waits[end]) -> queued = len(ring)
	fi
#else
	queued = len(ring);
	if
	:: nempty(waits[end]) -> wake_waits(end, nr)
	:: empty(waits[end])
	fi
#endif
}

inline prepare_to_wait(end)
{
	atomic {
		if
		:: waits[end]??[eval(me)]
		:: !(waits[end]??[eval(me)]) -> waits[end]!me
		fi;
		asleep[me] = true
	}
}

/* bufpool_channel_wait(); over is whether it ended by a signal */
inline wait(end)
{
	do
	:: true ->
#if MUTANT != 3
		prepare_to_wait(end);
#endif
		if
		:: IS_READY(end) -> over = false; break
		:: !IS_READY(end) && signalled[me] -> over = true; break
		:: !IS_READY(end) && !signalled[me]
		fi;
#if MUTANT == 3
		prepare_to_wait(end);
#endif
		!asleep[me] || signalled[me];
		asleep[me] = false;
		if
		:: IS_ABSENT -> goto end_absent
		:: true
		fi
	od;
	/* finish_wait() */
	asleep[me] = false;
	atomic {
		if
		:: waits[end]??[eval(me)] -> waits[end]??eval(me)
		:: !(waits[end]??[eval(me)])
		fi
	}
#if MUTANT != 1
	if
	:: over && IS_READY(end) -> wake_waits(end, 1)
	:: !over || !IS_READY(end)
	fi
#endif
}

proctype sender(byte me)
{
	byte task, looks, left, nr = MESSAGES(me);
	bool over;

	do
	:: nr == 0 || over -> break
	:: nr > 0 && !over ->
		/* bufpool_channel_send() */
		if
		:: atomic { nfull(ring) ->
			queued = len(ring);
			ring!sent;
			sent++;
			nr-- };
			wake(RECEIVE, 1)
		:: atomic { full(ring) -> queued = len(ring) };
			wait(SEND)
		fi
	od;
	/* channel_close(), of the last */
	atomic {
		sending--;
		over = sending == 0;
		open = !over
	}
	if
	:: over -> wake(RECEIVE, (MUTANT == 4 -> 1 : ALL))
	:: !over
	fi;
	ended++;
end_absent:
	skip
}

proctype receiver(byte me)
{
	byte task, looks, left, message;
	bool over;

	do
	:: over -> break
	:: !over ->
		/* bufpool_receive() */
		if
		:: atomic { nempty(ring) ->
			queued = len(ring);
			ring?message;
			assert(message == received);
			received++;
			message = 0 };
			wake(SEND, 1)
		:: atomic { empty(ring) && open -> queued = 0 };
			wait(RECEIVE)
		:: empty(ring) && !open -> break
		/* it may hold no more: what it was woken for is first for the next */
		:: nempty(ring) && IS_ABSENT -> break
		fi
	od;
	if
	:: !IS_ABSENT -> ended++
	:: IS_ABSENT
	fi;
end_absent:
	skip
}

/* channel_wake_again() */
proctype worker()
{
	byte task, looks, left;

end_idle:
	do
	:: again ->
		again = false;
		if
		:: IS_READY(RECEIVE) && nempty(waits[RECEIVE]) -> wake_waits(RECEIVE, 1)
		:: !IS_READY(RECEIVE) || empty(waits[RECEIVE])
		fi;
		if
		:: IS_READY(SEND) && nempty(waits[SEND]) -> wake_waits(SEND, 1)
		:: !IS_READY(SEND) || empty(waits[SEND])
		fi
	od
}

proctype signals(byte who)
{
	atomic { signalled[who] = true; asleep[who] = false }
}

init {
	atomic {
		run sender(0);
		run sender(1);
		run receiver(FIRST);
		run receiver(FIRST + 1);
		run signals(FIRST);
#ifdef ABSENT
		run worker()
#else
		run signals(0)
#endif
	}
	/* nobody is forgotten, and nothing is lost */
#ifdef ABSENT
	ended >= TASKS - 1;
#else
	ended == TASKS;
#endif
	assert(!open && empty(ring) && received == sent)
}
