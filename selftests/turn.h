/* SPDX-License-Identifier: MIT */
/*
 * Two users' waiters, and whose turn it was.
 */
#ifndef TURN_H
#define TURN_H

#include "bufpool_test.h"

/**
 * struct turns - what the processes of a test share
 * @served: waiters that have got a block, by user
 * @stirs: how often a waiter was interrupted
 * @stop: those that were served may go
 */
struct turns {
	unsigned int served[2];
	unsigned int stirs;
	unsigned int stop;
};

/**
 * struct turn - a process that waits
 * @fd: for which client
 * @user: 0 or 1, for @turns->served
 * @size: of the block that it waits for
 * @turns: what it shares with others
 * @stirred: whom it interrupts when it was served, or 0
 */
struct turn {
	int fd;
	unsigned int user;
	__u64 size;
	struct turns *turns;
	pid_t stirred;
};

static inline int wait_for_a_block(void *arg)
{
	const struct turn *turn = arg;
	struct bufpool_rent rented;

	CHECK(!rent_with(turn->fd, turn->size, 0, 0, &rented));
	__atomic_add_fetch(&turn->turns->served[turn->user], 1, __ATOMIC_SEQ_CST);
	CHECK(word_reaches(&turn->turns->stop, 1));
	return 0;
}

#endif /* TURN_H */
