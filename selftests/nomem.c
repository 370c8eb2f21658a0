// SPDX-License-Identifier: MIT
/*
 * Waiting while the system has no memory for the size that is waited for: the
 * waiter backs off, and holds up no other.
 */
#include "line.h"

#define FAULTS		"/sys/kernel/debug/fail_page_alloc/"
#define ROOM		(3 * BLOCK / 2)		/* more of it, later */
#define MOST_FAULTS	1000000

/* How often a waiter may try to make a slab, and what that may ask for. */
#define LOOK_MS		100
#define ASKED_BY_LOOK	4

/* The kernel's faults are the debugging kernel's to make. */
static void __attribute__((constructor)) need_faults(void)
{
	if (access("/proc/self/make-it-fail", W_OK) ||
	    access(FAULTS "times", W_OK))
		skip_all("this kernel cannot fail allocations of a task: there is no "
			 FAULTS);
}

static bool set_fault(const char *knob, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), FAULTS "%s", knob);
	return !write_text(path, value);
}

/* Chosen processes get no large pieces of memory. */
static bool begin_faults(void)
{
	char times[16];

	snprintf(times, sizeof(times), "%d", MOST_FAULTS);
	return set_fault("task-filter", "Y") && set_fault("verbose", "0") &&
	       set_fault("ignore-gfp-wait", "N") &&
	       set_fault("min-order", "7") && set_fault("interval", "1") &&
	       set_fault("space", "0") && set_fault("times", times) &&
	       set_fault("probability", "100");
}

static bool end_faults(void)
{
	return set_fault("probability", "0");
}

/* How many there were. */
static unsigned int faults(void)
{
	FILE *file = fopen(FAULTS "times", "re");
	int left = 0;

	if (!file || fscanf(file, "%d", &left) != 1)
		left = 0;
	if (file)
		fclose(file);
	return MOST_FAULTS - left;
}

static bool faults_exceed(unsigned int number)
{
	return BECOMES(faults() > number);
}

/* The pool is full, and will have room that the waiters chosen cannot use. */
FIXTURE(nomem)
{
	int fd;
	struct line *line;
	struct bufpool_block blocks[ALL];
	pid_t pids[2];
};

FIXTURE_SETUP(nomem)
{
	ASSERT_TRUE(line_begin(&self->fd, &self->line));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	ASSERT_TRUE(begin_faults());
}

FIXTURE_TEARDOWN(nomem)
{
	end_faults();
	line_end(self->fd);
}

static pid_t enqueue_chosen(struct waiter *waiter)
{
	pid_t pid = enqueue_as(waiter);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", pid);
	if (pid < 0 || write_text(path, "1"))
		return -1;
	return pid;
}

/* Let the first waiter be a chosen one, and try in vain. */
static pid_t enqueue_nomem(struct line *line, __s64 timeout_ns)
{
	struct waiter waiter = {
		.line = line,
		.size = BLOCK,
		.timeout_ns = timeout_ns,
	};
	pid_t pid = enqueue_chosen(&waiter);

	if (pid < 0 || limit_write(LIMIT + ROOM) || !faults_exceed(0))
		return -1;
	return pid;
}

/* What it cannot use is for those behind it. */
TEST_F(nomem, others_grow)
{
	struct waiter waiter = { .line = self->line, .size = BLOCK };

	self->pids[0] = enqueue_chosen(&waiter);
	ASSERT_LT(0, self->pids[0]);
	self->pids[1] = enqueue(self->line, 1, SMALL);
	ASSERT_LT(0, self->pids[1]);
	ASSERT_EQ(0, limit_write(LIMIT + ROOM));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(1, self->line->order[0]);
	EXPECT_EQ(0, dismiss(self->line, 1, self->pids[1]));
	EXPECT_EQ(1, stats_of(self->fd).waiting);
	kill(self->pids[0], SIGKILL);
	reap(self->pids[0]);
}

/* Two of them, which might keep each other awake, try now and then only. */
TEST_F(nomem, tries_now_and_then)
{
	struct bufpool_block halves[2];
	__u64 start, looks;
	unsigned int i, count;

	/* There has to be hope for both sizes. */
	ASSERT_EQ(0, give_up(self->fd, self->blocks[0].handle));
	ASSERT_EQ(2, drain(self->fd, BLOCK / 2, halves, 2));
	for (i = 0; i < 2; i++) {
		struct waiter waiter = {
			.line = self->line,
			.number = i,
			.size = BLOCK >> i,
		};

		self->pids[i] = enqueue_chosen(&waiter);
		ASSERT_LT(0, self->pids[i]);
	}
	ASSERT_EQ(0, limit_write(LIMIT + ROOM));
	ASSERT_TRUE(faults_exceed(0));
	start = now_ms();
	count = faults();
	sleep_ms(10 * LOOK_MS);
	count = faults() - count;
	looks = 2 * ((now_ms() - start) / LOOK_MS + 1);
	TH_LOG("%u allocations in the time of %llu looks", count, looks);
	EXPECT_GE(looks * ASKED_BY_LOOK, count);
	EXPECT_TRUE(faults_exceed(faults()));
	EXPECT_EQ(2, stats_of(self->fd).waiting);
	for (i = 0; i < 2; i++) {
		kill(self->pids[i], SIGKILL);
		reap(self->pids[i]);
	}
}

TEST_F(nomem, is_served_by_a_return)
{
	self->pids[0] = enqueue_nomem(self->line, 0);
	ASSERT_LT(0, self->pids[0]);
	ASSERT_EQ(0, give(self->fd, self->blocks[2].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(self->blocks[2].offset, self->line->places[0].offset);
	EXPECT_EQ(0, dismiss(self->line, 0, self->pids[0]));
}

/* Also of a slab that is drained for a later waiter. */
TEST_F(nomem, is_served_before_larger_ones)
{
	self->pids[0] = enqueue_nomem(self->line, 0);
	ASSERT_LT(0, self->pids[0]);
	self->pids[1] = enqueue(self->line, 1, 2 * BLOCK);
	ASSERT_LT(0, self->pids[1]);
	ASSERT_EQ(0, give(self->fd, self->blocks[ALL - 1].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	ASSERT_EQ(0, self->line->order[0]);
	EXPECT_EQ(self->blocks[ALL - 1].offset, self->line->places[0].offset);
	EXPECT_EQ(0, dismiss(self->line, 0, self->pids[0]));
	kill(self->pids[1], SIGKILL);
	reap(self->pids[1]);
}

/* No event tells that there is memory again. */
TEST_F(nomem, is_served_when_there_is_memory)
{
	self->pids[0] = enqueue_nomem(self->line, 0);
	ASSERT_LT(0, self->pids[0]);
	ASSERT_TRUE(end_faults());
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, self->pids[0]));
}

TEST_F(nomem, is_interrupted)
{
	self->pids[0] = enqueue_nomem(self->line, 0);
	ASSERT_LT(0, self->pids[0]);
	kill(self->pids[0], SIGUSR1);
	EXPECT_EQ(0, reap(self->pids[0]));
	EXPECT_EQ(-EINTR, self->line->places[0].answer);
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

TEST_F(nomem, times_out)
{
	__s64 timeout_ns = time_to_queue_up(self->line, 10);

	ASSERT_LT(0, timeout_ns);
	self->pids[0] = enqueue_nomem(self->line, timeout_ns);
	ASSERT_LT(0, self->pids[0]);
	EXPECT_EQ(0, reap(self->pids[0]));
	EXPECT_EQ(-ETIMEDOUT, self->line->places[0].answer);
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

/* Slabs that were drained for it are used again. */
TEST_F(nomem, drains_nothing)
{
	struct bufpool_block small[BLOCK / SMALL];
	unsigned int i, count = ARRAY_SIZE(small);
	struct waiter waiter = { .line = self->line, .size = BLOCK };

	ASSERT_EQ(0, give_up(self->fd, self->blocks[0].handle));
	ASSERT_EQ((int)count, drain(self->fd, SMALL, small, count));
	/* one block of each slab stays out */
	for (i = 0; i < count; i += 2)
		ASSERT_EQ(0, give_up(self->fd, small[i].handle));
	self->pids[0] = enqueue_chosen(&waiter);
	ASSERT_LT(0, self->pids[0]);
	ASSERT_EQ(0, give(self->fd, small[1].handle));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
	ASSERT_EQ(0, limit_write(LIMIT + ROOM));
	ASSERT_TRUE(faults_exceed(0));
	ASSERT_TRUE(task_sleeps(self->pids[0], self->pids[0]));
	ASSERT_EQ(0, give(self->fd, small[3].handle));
	EXPECT_EQ(1, stats_of(self->fd).client_warm_blocks);
	EXPECT_EQ(1, stats_of(self->fd).waiting);
	kill(self->pids[0], SIGKILL);
	reap(self->pids[0]);
}

/* Rent blocks as soon as that is possible; how many could be. */
static unsigned int rent_soon(int fd, struct bufpool_rent *rents,
			      unsigned int count)
{
	unsigned int done = 0;

	while (done < count && BECOMES(!rent(fd, SMALL, &rents[done])))
		done++;
	return done;
}

/*
 * When others have left too little room, it waits for room, as before: no latecomer
 * gets what there is.
 */
TEST_F(nomem, waits_for_room_again)
{
	struct bufpool_rent rents[(ROOM - BLOCK) / SMALL + 1], another;
	unsigned int i, count = ARRAY_SIZE(rents);

	self->pids[0] = enqueue_nomem(self->line, 0);
	ASSERT_LT(0, self->pids[0]);
	ASSERT_EQ(count, rent_soon(self->fd, rents, count));
	EXPECT_TRUE(BECOMES(!poll_now(self->fd, POLLIN)));
	EXPECT_EQ(-EAGAIN, rent(self->fd, 1, &another));
	ASSERT_TRUE(end_faults());
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(self->fd, rents[i].handle));
	ASSERT_TRUE(word_reaches(&self->line->served, 1));
	EXPECT_EQ(0, dismiss(self->line, 0, self->pids[0]));
}

TEST_HARNESS_MAIN
