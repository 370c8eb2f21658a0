// SPDX-License-Identifier: MIT
/*
 * A wait that ends with EINTR has a number, and a call with that number resumes
 * it: same place in line, same deadline.
 */
#include "line.h"

#include <sys/time.h>

#define A_DAY_NS	(24 * 3600 * 1000 * NSEC_PER_MSEC)
#define SHORT_MS	200			/* a deadline that is to pass, at first */
#define INTERRUPTIONS	1200
#define CALLS		3			/* that a caller makes at most */

/**
 * struct caller - a process that waits, is interrupted, and may wait again
 * @line: where it says when it was served
 * @number: which of the processes it is
 * @many: it uses RENT_MANY
 * @timeouts: of its calls
 * @answers: to them
 * @wait_id: what a call said last, and the next is to say
 * @calls: how many have begun
 * @returned: how many have returned
 * @named: how many waits were given a number
 * @again: how many calls more may begin
 */
struct caller {
	struct line *line;
	unsigned int number;
	bool many;
	__s64 timeouts[CALLS];
	int answers[CALLS];
	__u64 wait_id;
	unsigned int calls;
	unsigned int returned;
	unsigned int named;
	unsigned int again;
};

FIXTURE(resume)
{
	int fd;
	struct bufpool_block blocks[ALL];
	struct line *line;
	struct caller *caller;
	pid_t pid;
	pid_t pids[2];
};

FIXTURE_VARIANT(resume)
{
	bool many;
	__s64 timeout_ns;
};

FIXTURE_VARIANT_ADD(resume, one) {};
FIXTURE_VARIANT_ADD(resume, one_timed) { .timeout_ns = A_DAY_NS };
FIXTURE_VARIANT_ADD(resume, many) { .many = true };
FIXTURE_VARIANT_ADD(resume, many_timed) {
	.many = true,
	.timeout_ns = A_DAY_NS,
};

static int call_one(int fd, struct caller *caller, int nr)
{
	struct bufpool_rent args = {
		.size = sizeof(args),
		.min_size = BLOCK,
		.timeout_ns = caller->timeouts[nr],
		.wait_id = caller->wait_id,
	};
	int ret = pool_ioctl(fd, BUFPOOL_IOC_RENT, &args);

	caller->wait_id = args.wait_id;
	return ret;
}

static int call_many(int fd, struct caller *caller, int nr)
{
	struct bufpool_block blocks[2];
	struct bufpool_rent_many args = {
		.size = sizeof(args),
		.min_size = BLOCK,
		.timeout_ns = caller->timeouts[nr],
		.count = ARRAY_SIZE(blocks),
		.blocks = (uintptr_t)blocks,
		.wait_id = caller->wait_id,
	};
	int ret = pool_ioctl(fd, BUFPOOL_IOC_RENT_MANY, &args);

	caller->wait_id = args.wait_id;
	return ret > 0 ? 0 : ret;
}

static void call(int fd, struct caller *caller, int nr)
{
	unsigned int served;

	word_set(&caller->calls, nr + 1);
	caller->answers[nr] = caller->many ? call_many(fd, caller, nr) :
					     call_one(fd, caller, nr);
	if (!caller->answers[nr]) {
		served = __atomic_fetch_add(&caller->line->served, 1,
					    __ATOMIC_ACQ_REL);
		caller->line->order[served] = caller->number;
	}
	word_set(&caller->returned, nr + 1);
}

static int call_repeatedly(void *arg)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct caller *caller = arg;
	int fd = pool_open(), nr;

	CHECK(fd >= 0);
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	call(fd, caller, 0);
	for (nr = 1; nr < CALLS; nr++) {
		CHECK(word_reaches(&caller->again, nr));
		call(fd, caller, nr);
	}
	return 0;
}

/* Start a caller, and see to it that it waits. */
static pid_t start(struct caller *caller)
{
	pid_t pid = spawn(call_repeatedly, caller);

	if (!word_reaches(&caller->calls, 1) || !task_sleeps(pid, pid))
		return -1;
	return pid;
}

static bool interrupt(struct caller *caller, pid_t pid)
{
	kill(pid, SIGUSR1);
	return word_reaches(&caller->returned, 1) &&
	       caller->answers[0] == -EINTR;
}

/* Let it call again, and wait if it has to. */
static bool call_again(struct caller *caller, pid_t pid)
{
	word_set(&caller->again, 1);
	return word_reaches(&caller->calls, 2) && task_sleeps(pid, pid);
}

/* The first in line is a caller that is interrupted, the second an ordinary one. */
FIXTURE_SETUP(resume)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	self->caller = shared_alloc(2 * sizeof(*self->caller));
	ASSERT_NE(NULL, self->caller);
	self->caller->line = self->line;
	self->caller->many = variant->many;
	self->caller->timeouts[0] = variant->timeout_ns;
	self->caller->timeouts[1] = variant->timeout_ns;
	self->pid = start(self->caller);
	ASSERT_LT(0, self->pid);
	self->pids[0] = enqueue(self->line, 1, BLOCK);
	ASSERT_LT(0, self->pids[0]);
	ASSERT_TRUE(interrupt(self->caller, self->pid));
}

static void end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	reap(pid);
}

FIXTURE_TEARDOWN(resume)
{
	end(self->pid);
	end(self->pids[0]);
	end(self->pids[1]);
	close(self->fd);
	parameters_restore();
}

TEST_F(resume, keeps_the_place)
{
	EXPECT_NE(0, self->caller->wait_id);
	ASSERT_TRUE(call_again(self->caller, self->pid));
	EXPECT_EQ(0, SERVED_NEXT(0));
	EXPECT_EQ(1, SERVED_NEXT(1));
	EXPECT_EQ(0, self->caller->answers[1]);
}

/* Waiters were served meanwhile; it still precedes those that came after it. */
TEST_F(resume, keeps_the_place_before_later_ones)
{
	self->pids[1] = enqueue(self->line, 2, BLOCK);
	ASSERT_LT(0, self->pids[1]);
	EXPECT_EQ(1, SERVED_NEXT(0));
	ASSERT_TRUE(call_again(self->caller, self->pid));
	EXPECT_EQ(0, SERVED_NEXT(1));
	EXPECT_EQ(2, SERVED_NEXT(2));
}

TEST_F(resume, without_a_number_is_a_new_wait)
{
	self->caller->wait_id = 0;
	ASSERT_TRUE(call_again(self->caller, self->pid));
	EXPECT_EQ(1, SERVED_NEXT(0));
	EXPECT_EQ(0, SERVED_NEXT(1));
}

TEST_F(resume, with_a_made_up_number_is_a_new_wait)
{
	self->caller->wait_id ^= 0x5a5a5a5a5a5a5a5aULL;
	ASSERT_TRUE(call_again(self->caller, self->pid));
	EXPECT_EQ(1, SERVED_NEXT(0));
	EXPECT_EQ(0, SERVED_NEXT(1));
}

/* The number is the client's, and still is when another has tried it. */
TEST_F(resume, of_another_client_is_a_new_wait)
{
	struct caller *other = self->caller + 1;

	*other = (struct caller){
		.line = self->line,
		.number = 2,
		.many = variant->many,
		.wait_id = self->caller->wait_id,
	};
	self->pids[1] = start(other);
	ASSERT_LT(0, self->pids[1]);
	ASSERT_TRUE(call_again(self->caller, self->pid));
	EXPECT_EQ(0, SERVED_NEXT(0));
	EXPECT_EQ(1, SERVED_NEXT(1));
	EXPECT_EQ(2, SERVED_NEXT(2));
}

/* A caller that does not come back delays neither waiters nor newcomers. */
TEST_F(resume, not_resumed_delays_nobody)
{
	struct bufpool_rent rented;

	EXPECT_EQ(1, stats_of(self->fd).waiting);
	EXPECT_EQ(1, SERVED_NEXT(0));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	ASSERT_EQ(0, give_up(self->fd, self->blocks[1].handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &rented));
	end(self->pid);
	self->pid = 0;
	ASSERT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &rented));
}

/* Time --------------------------------------------------------------------------- */

FIXTURE(deadline)
{
	int fd;
	struct bufpool_block blocks[ALL];
	struct caller *caller;
	pid_t pid;
};

/*
 * Start a caller whose first call has little time, and interrupt that call. Where the
 * time has passed before, there was too little of it. Return: how many milliseconds it
 * had, or 0 if that did not work.
 */
static unsigned int interrupt_in_time(struct caller *caller, pid_t *pid)
{
	struct caller fresh = *caller;
	unsigned int ms;

	for (ms = SHORT_MS; ms < 64 * SHORT_MS; ms *= 2) {
		*caller = fresh;
		caller->timeouts[0] = ms * NSEC_PER_MSEC;
		*pid = start(caller);
		if (*pid > 0 && interrupt(caller, *pid))
			return ms;
		if (caller->answers[0] != -ETIMEDOUT)
			break;
		end(*pid);
	}
	return 0;
}

FIXTURE_SETUP(deadline)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	self->caller = shared_alloc(sizeof(*self->caller));
	ASSERT_NE(NULL, self->caller);
	self->caller->line = shared_alloc(sizeof(struct line));
	ASSERT_NE(NULL, self->caller->line);
}

FIXTURE_TEARDOWN(deadline)
{
	end(self->pid);
	close(self->fd);
	parameters_restore();
}

/* It passes between the calls: the second need not wait, whatever it says. */
TEST_F(deadline, goes_on_between_the_calls)
{
	unsigned int ms;

	self->caller->timeouts[1] = A_DAY_NS;
	ms = interrupt_in_time(self->caller, &self->pid);
	ASSERT_NE(0, ms);
	sleep_ms(2 * ms);
	word_set(&self->caller->again, 1);
	EXPECT_TRUE(word_reaches(&self->caller->returned, 2));
	EXPECT_EQ(-ETIMEDOUT, self->caller->answers[1]);
}

TEST_F(deadline, is_that_of_the_first_call)
{
	self->caller->timeouts[0] = A_DAY_NS;
	self->caller->timeouts[1] = 1;
	self->pid = start(self->caller);
	ASSERT_LT(0, self->pid);
	ASSERT_TRUE(interrupt(self->caller, self->pid));
	ASSERT_TRUE(call_again(self->caller, self->pid));
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_TRUE(word_reaches(&self->caller->returned, 2));
	EXPECT_EQ(0, self->caller->answers[1]);
}

/*
 * A call that need not wait any more ends the wait, too: what is called with its
 * number later is a new one, and does not end at the old deadline.
 */
TEST_F(deadline, ends_with_a_call_that_need_not_wait)
{
	unsigned int ms;

	self->caller->timeouts[1] = A_DAY_NS;
	self->caller->timeouts[2] = A_DAY_NS;
	ms = interrupt_in_time(self->caller, &self->pid);
	ASSERT_NE(0, ms);
	ASSERT_EQ(0, give_up(self->fd, self->blocks[0].handle));
	word_set(&self->caller->again, 1);
	ASSERT_TRUE(word_reaches(&self->caller->returned, 2));
	EXPECT_EQ(0, self->caller->answers[1]);
	sleep_ms(2 * ms);
	word_set(&self->caller->again, 2);
	ASSERT_TRUE(word_reaches(&self->caller->calls, 3));
	/* the old one would be over by now, though it sleeps for a moment */
	sleep_ms(50);
	ASSERT_EQ(2, word_get(&self->caller->returned));
	EXPECT_TRUE(task_sleeps(self->pid, self->pid));
	ASSERT_EQ(0, give(self->fd, self->blocks[1].handle));
	EXPECT_TRUE(word_reaches(&self->caller->returned, 3));
	EXPECT_EQ(0, self->caller->answers[2]);
}

/* Numbers --------------------------------------------------------------------------- */

/* Wait again and again, each time anew, while a timer interrupts. */
static int wait_in_vain(void *arg)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = {};
	struct caller *caller = arg;
	int fd = pool_open(), i;

	CHECK(fd >= 0);
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!setitimer(ITIMER_REAL, &often, NULL));
	for (i = 0; i < INTERRUPTIONS; i++) {
		caller->wait_id = 0;
		CHECK(call_one(fd, caller, 0) == -EINTR);
		caller->named += !!caller->wait_id;
	}
	CHECK(!setitimer(ITIMER_REAL, &never, NULL));
	word_set(&caller->returned, 1);
	CHECK(word_reaches(&caller->again, 1));
	call(fd, caller, 1);
	return caller->answers[1];
}

/* The pool keeps a bounded number of them, until the client is closed. */
TEST_F(deadline, many_waits_are_not_resumed)
{
	struct bufpool_rent rented;

	self->pid = spawn(wait_in_vain, self->caller);
	ASSERT_TRUE(word_reaches(&self->caller->returned, 1));
	/* A signal may also come before a call has begun to wait. */
	EXPECT_LT(INTERRUPTIONS / 8, self->caller->named);
	EXPECT_EQ(0, stats_of(self->fd).waiting);
	ASSERT_EQ(0, give_up(self->fd, self->blocks[0].handle));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	ASSERT_EQ(0, give_up(self->fd, rented.handle));
	word_set(&self->caller->again, 1);
	EXPECT_EQ(0, reap(self->pid));
	self->pid = 0;
}

TEST_HARNESS_MAIN
