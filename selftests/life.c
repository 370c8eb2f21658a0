// SPDX-License-Identifier: MIT
/*
 * The end of a rental: whatever order things go in, and however the owner ends,
 * its blocks are back afterwards and the next owner finds them empty.
 */
#include "bufpool_test.h"

#define BLOCK	(4 * PAGE)

enum step { UNMAP, RETURN, CLOSE, NR_STEPS };

/* What a process that owns something does, told by the test. */
struct plan {
	enum step order[NR_STEPS];
	int observer;		/* descriptor of a client that only looks */
	unsigned int mine;	/* which steps the child does, as bits */
	unsigned int reached;	/* steps that are done; 1 is the rent */
	unsigned int goal;	/* stop there and wait for the end */
	struct bufpool_rent rent;
};

FIXTURE(life)
{
	int observer;
	__u64 before;
	struct plan *plan;
};

FIXTURE_VARIANT(life)
{
	enum step order[NR_STEPS];
};

FIXTURE_VARIANT_ADD(life, unmap_return_close)
{
	.order = { UNMAP, RETURN, CLOSE },
};

FIXTURE_VARIANT_ADD(life, unmap_close_return)
{
	.order = { UNMAP, CLOSE, RETURN },
};

FIXTURE_VARIANT_ADD(life, return_unmap_close)
{
	.order = { RETURN, UNMAP, CLOSE },
};

FIXTURE_VARIANT_ADD(life, return_close_unmap)
{
	.order = { RETURN, CLOSE, UNMAP },
};

FIXTURE_VARIANT_ADD(life, close_unmap_return)
{
	.order = { CLOSE, UNMAP, RETURN },
};

FIXTURE_VARIANT_ADD(life, close_return_unmap)
{
	.order = { CLOSE, RETURN, UNMAP },
};

FIXTURE_SETUP(life)
{
	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	self->before = in_use(self->observer);
	self->plan = shared_alloc(sizeof(*self->plan));
	ASSERT_NE(NULL, self->plan);
	memcpy(self->plan->order, variant->order, sizeof(variant->order));
	self->plan->observer = self->observer;
}

FIXTURE_TEARDOWN(life)
{
	close(self->observer);
}

/* Return with the descriptor closed cannot be done: EBADF is right then. */
static void do_step(enum step step, int *fd, char *at,
		    const struct bufpool_rent *rent)
{
	int ret;

	switch (step) {
	case UNMAP:
		CHECK(!munmap(at, rent->length));
		break;
	case RETURN:
		ret = give(*fd, rent->handle);
		CHECK(ret == (*fd < 0 ? -EBADF : 0));
		break;
	case CLOSE:
		CHECK(!close(*fd));
		*fd = -1;
		break;
	case NR_STEPS:
		break;
	}
}

static char *rent_dirty(int fd, struct bufpool_rent *rented)
{
	char *at = rent_mapped(fd, BLOCK, rented);

	CHECK(at);
	CHECK(filled(at, 0, BLOCK));
	memset(at, 0xff, BLOCK);
	return at;
}

/* Rent, and go through the order as far as the goal. */
static int go_through(void *arg)
{
	struct plan *plan = arg;
	struct bufpool_rent rented;
	int fd = pool_open();
	char *at;
	int i;

	CHECK(fd >= 0);
	at = rent_dirty(fd, &rented);
	plan->rent = rented;
	word_set(&plan->reached, 1);
	for (i = 0; i < NR_STEPS; i++) {
		if (plan->goal == plan->reached)
			pause();
		do_step(plan->order[i], &fd, at, &rented);
		word_set(&plan->reached, i + 2);
	}
	if (plan->goal == plan->reached)
		pause();
	return 0;
}

/* Whether everything is back, and what comes from there is zero. */
static bool all_is_back(int observer, __u64 before)
{
	struct bufpool_block blocks[8];
	int other, count, i;
	bool zero = true;

	if (!in_use_becomes(observer, before))
		return false;
	other = pool_open();
	count = rent_many(other, BLOCK, ARRAY_SIZE(blocks), blocks);
	for (i = 0; i < count; i++)
		zero &= block_is_zero(other, blocks[i].offset,
				      blocks[i].length);
	close(other);
	return count > 0 && zero && in_use_becomes(observer, before);
}

TEST_F(life, by_itself)
{
	EXPECT_EQ(0, in_child(go_through, self->plan));
	EXPECT_TRUE(all_is_back(self->observer, self->before));
}

/* Ended by a signal after each step. */
static void kill_on_the_way(struct __test_metadata *_metadata,
			    struct plan *plan, __u64 before, int signal,
			    int (*body)(void *arg))
{
	unsigned int goal;

	for (goal = 1; goal <= 1 + NR_STEPS; goal++) {
		pid_t pid;

		plan->reached = 0;
		plan->goal = goal;
		pid = spawn(body, plan);
		ASSERT_TRUE(word_reaches(&plan->reached, goal));
		kill(pid, signal);
		ASSERT_EQ(-signal, reap(pid));
		EXPECT_TRUE(all_is_back(plan->observer, before)) {
			TH_LOG("after %u steps", goal);
		}
	}
}

TEST_F(life, killed_on_the_way)
{
	kill_on_the_way(_metadata, self->plan, self->before, SIGKILL,
			go_through);
}

TEST_F(life, terminated_on_the_way)
{
	kill_on_the_way(_metadata, self->plan, self->before, SIGTERM,
			go_through);
}

/* Killed at any moment, while it goes through the order again and again. */
static int go_round(void *arg)
{
	struct plan *plan = arg;

	word_set(&plan->reached, 1);
	for (;;) {
		struct bufpool_rent rented;
		int fd = pool_open(), i;
		char *at;

		CHECK(fd >= 0);
		at = rent_dirty(fd, &rented);
		for (i = 0; i < NR_STEPS; i++)
			do_step(plan->order[i], &fd, at, &rented);
	}
	return 0;
}

TEST_F(life, killed_at_any_moment)
{
	__u64 seed = random_seed();
	int i;

	for (i = 0; i < 4; i++) {
		struct timespec moment = {
			.tv_nsec = next_random(&seed) % (5 * NSEC_PER_MSEC),
		};
		pid_t pid;

		self->plan->reached = 0;
		pid = spawn(go_round, self->plan);
		ASSERT_TRUE(word_reaches(&self->plan->reached, 1));
		nanosleep(&moment, NULL);
		kill(pid, SIGKILL);
		ASSERT_EQ(-SIGKILL, reap(pid));
		ASSERT_TRUE(all_is_back(self->observer, self->before));
	}
}

/* A signal that is blocked is pending all the way to the end. */
static int go_through_with_a_signal(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	raise(SIGTERM);
	raise(SIGUSR1);
	return go_through(arg);
}

TEST_F(life, with_a_signal_pending)
{
	EXPECT_EQ(0, in_child(go_through_with_a_signal, self->plan));
	EXPECT_TRUE(all_is_back(self->observer, self->before));
}

TEST_F(life, killed_with_a_signal_pending)
{
	kill_on_the_way(_metadata, self->plan, self->before, SIGKILL,
			go_through_with_a_signal);
}

/*
 * The steps are shared out between a process and its child, in every way. Each
 * has a mapping and a descriptor of its own, so the block comes back by the
 * return, or when both have ended.
 */
struct pair {
	struct plan *plan;
	int fd;
	char *at;
	struct bufpool_rent rent;
};

static void do_my_steps(struct pair *pair, unsigned int mine, int *fd,
			char *at)
{
	struct plan *plan = pair->plan;
	unsigned int i;

	for (i = 0; i < NR_STEPS; i++) {
		CHECK(word_reaches(&plan->reached, i + 1));
		if (!(mine & 1U << i))
			continue;
		do_step(plan->order[i], fd, at, &pair->rent);
		word_set(&plan->reached, i + 2);
	}
	CHECK(word_reaches(&plan->reached, NR_STEPS + 1));
}

static int be_the_child(void *arg)
{
	struct pair *pair = arg;
	int fd = pair->fd;
	char *at = map_block(fd, &pair->rent);

	CHECK(at != MAP_FAILED);
	CHECK(!poke(at, 0xfe));
	word_set(&pair->plan->reached, 1);
	do_my_steps(pair, pair->plan->mine, &fd, at);
	return 0;
}

static int be_the_parent(void *arg)
{
	struct plan *plan = arg;
	struct pair pair = { .plan = plan, .fd = pool_open() };
	int fd = pair.fd;
	pid_t pid;

	CHECK(fd >= 0);
	pair.at = rent_dirty(fd, &pair.rent);
	pid = spawn(be_the_child, &pair);
	do_my_steps(&pair, ~plan->mine, &fd, pair.at);
	CHECK(!reap(pid));
	return 0;
}

TEST_F(life, shared_with_a_child)
{
	unsigned int mine;

	for (mine = 0; mine < 1U << NR_STEPS; mine++) {
		self->plan->reached = 0;
		self->plan->mine = mine;
		EXPECT_EQ(0, in_child(be_the_parent, self->plan)) {
			TH_LOG("child does %#x", mine);
		}
		EXPECT_TRUE(all_is_back(self->observer, self->before)) {
			TH_LOG("child does %#x", mine);
		}
	}
}

/* The parent is killed; the child still has the client, until it ends too. */
static int fork_and_hold(void *arg)
{
	struct plan *plan = arg;
	int fd = pool_open();
	pid_t pid;

	CHECK(fd >= 0);
	rent_dirty(fd, &plan->rent);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK(word_reaches(&plan->reached, 2));
		CHECK(!give(fd, plan->rent.handle));
		word_set(&plan->reached, 3);
		_exit(0);
	}
	word_set(&plan->reached, 1);
	pause();
	return 0;
}

/* Tests that need no order. */
FIXTURE(end)
{
	int observer;
	__u64 before;
	struct plan *plan;
};

FIXTURE_SETUP(end)
{
	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	self->before = in_use(self->observer);
	self->plan = shared_alloc(sizeof(*self->plan));
	ASSERT_NE(NULL, self->plan);
}

FIXTURE_TEARDOWN(end)
{
	close(self->observer);
}

TEST_F(end, child_outlives_the_killed_parent)
{
	pid_t pid = spawn(fork_and_hold, self->plan);

	ASSERT_TRUE(word_reaches(&self->plan->reached, 1));
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, reap(pid));
	EXPECT_EQ(self->before + BLOCK, in_use(self->observer));
	word_set(&self->plan->reached, 2);
	ASSERT_TRUE(word_reaches(&self->plan->reached, 3));
	EXPECT_TRUE(all_is_back(self->observer, self->before));
}

/* Exec: the process goes on, its mappings and its descriptor do not. */
struct exec {
	struct plan *plan;
	int input;		/* end of a pipe: the new program ends with it */
	bool keep;		/* the descriptor stays open */
};

static int rent_and_exec(void *arg)
{
	struct exec *exec = arg;
	char *const argv[] = { (char *)"hold", NULL };
	char *const envp[] = { (char *)HOLD_ENV "=1", NULL };
	int fd = pool_open();

	CHECK(fd >= 0);
	rent_dirty(fd, &exec->plan->rent);
	if (exec->keep)
		CHECK(!fcntl(fd, F_SETFD, 0));
	CHECK(dup2(exec->input, STDIN_FILENO) == STDIN_FILENO);
	word_set(&exec->plan->reached, 1);
	execve("/proc/self/exe", argv, envp);
	CHECK(!"execve() does not come back");
	return 1;
}

/* Another program than this one: then its mappings are gone. */
static bool is_hold(pid_t pid)
{
	char path[64], name[8] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	close(fd);
	return !strcmp(name, "hold");
}

static bool runs_hold(pid_t pid)
{
	return BECOMES(is_hold(pid));
}

TEST_F(end, exec_gives_back)
{
	struct exec exec = { .plan = self->plan };
	int ends[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	exec.input = ends[0];
	pid = spawn(rent_and_exec, &exec);
	ASSERT_TRUE(word_reaches(&self->plan->reached, 1));
	ASSERT_TRUE(runs_hold(pid));
	EXPECT_TRUE(all_is_back(self->observer, self->before));
	close(ends[1]);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(end, exec_with_the_descriptor_keeps)
{
	struct exec exec = { .plan = self->plan, .keep = true };
	int ends[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	exec.input = ends[0];
	pid = spawn(rent_and_exec, &exec);
	ASSERT_TRUE(word_reaches(&self->plan->reached, 1));
	ASSERT_TRUE(runs_hold(pid));
	sleep_ms(20);
	EXPECT_EQ(self->before + BLOCK, in_use(self->observer));
	close(ends[1]);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(all_is_back(self->observer, self->before));
}

/* Killed right after the fork of a child that maps the same block. */
static int fork_with_mapping(void *arg)
{
	struct plan *plan = arg;
	int fd = pool_open();
	pid_t pid;
	char *at;

	CHECK(fd >= 0);
	at = rent_dirty(fd, &plan->rent);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		at = map_block(fd, &plan->rent);
	CHECK(at != MAP_FAILED);
	__atomic_add_fetch(&plan->reached, 1, __ATOMIC_RELEASE);
	CHECK(!poke(at, 0xfe));
	/* The child has no death signal; it ends when the test says so. */
	CHECK(word_reaches(&plan->reached, 3));
	return 0;
}

TEST_F(end, killed_with_a_child_that_maps)
{
	pid_t pid = spawn(fork_with_mapping, self->plan);

	ASSERT_TRUE(word_reaches(&self->plan->reached, 2));
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, reap(pid));
	EXPECT_EQ(self->before + BLOCK, in_use(self->observer));
	word_set(&self->plan->reached, 3);
	EXPECT_TRUE(all_is_back(self->observer, self->before));
}

/* Killed while it waits: nothing was its own, and nothing gets lost. */
static int wait_for_ever(void *arg)
{
	struct plan *plan = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	word_set(&plan->reached, 1);
	rent_with(fd, 1 * MIB, 0, 0, &rented);
	return 1;
}

TEST_F(end, killed_while_waiting)
{
	struct bufpool_block blocks[8];
	int owner = pool_open(), count, i;
	pid_t pid;

	ASSERT_LE(0, owner);
	ASSERT_EQ(0, limit_write(4 * MIB));
	count = drain(owner, 1 * MIB, blocks, 8);
	ASSERT_LT(0, count);
	pid = spawn(wait_for_ever, self->plan);
	ASSERT_TRUE(word_reaches(&self->plan->reached, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, reap(pid));
	for (i = 0; i < count; i++)
		EXPECT_EQ(0, give(owner, blocks[i].handle));
	EXPECT_EQ(count, drain(owner, 1 * MIB, blocks, 8));
	close(owner);
	limit_restore();
	EXPECT_TRUE(all_is_back(self->observer, self->before));
}

/* A thousand blocks of one process, gone at once. */
static int hold_many(void *arg)
{
	struct plan *plan = arg;
	struct bufpool_block blocks[BUFPOOL_MANY_MAX];
	int fd = pool_open(), i, n, count;

	CHECK(fd >= 0);
	for (i = 0; i < 4; i++) {
		count = rent_many(fd, 1, BUFPOOL_MANY_MAX, blocks);
		CHECK(count == BUFPOOL_MANY_MAX);
		for (n = 0; n < count; n += 16)
			CHECK(block_fill(fd, blocks[n].offset,
					 blocks[n].length, 0xff));
	}
	word_set(&plan->reached, 1);
	pause();
	return 0;
}

TEST_F(end, killed_with_a_thousand_blocks)
{
	pid_t pid = spawn(hold_many, self->plan);

	ASSERT_TRUE(word_reaches(&self->plan->reached, 1));
	EXPECT_EQ(self->before + 1024 * sysconf(_SC_PAGESIZE),
		  in_use(self->observer));
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, reap(pid));
	EXPECT_TRUE(all_is_back(self->observer, self->before));
}

TEST_HARNESS_MAIN
