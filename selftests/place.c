// SPDX-License-Identifier: MIT
/*
 * A waiter keeps its place in line and its deadline when its wait is interrupted
 * by a stop, the freezer, a suspend, a debugger or a restarting signal.
 */
#include "line.h"

#include <sys/ptrace.h>

#define WAITERS		3
#define AN_HOUR_NS	(3600 * 1000 * NSEC_PER_MSEC)
#define SHORT_MS	200			/* deadlines that are to pass */

#define CGROUP		"/sys/fs/cgroup/bufpool-place"
#define PM_TEST		"/sys/power/pm_test"
#define PM_TEST_DELAY	"/sys/module/suspend/parameters/pm_test_delay"

/* The pool is empty, and three wait for a block. */
FIXTURE(place)
{
	int fd;
	struct bufpool_block blocks[ALL];
	struct line *line;
	pid_t pids[WAITERS];
};

FIXTURE_VARIANT(place)
{
	__s64 timeout_ns;
	__u32 count;
};

FIXTURE_VARIANT_ADD(place, one) {};
FIXTURE_VARIANT_ADD(place, one_timed) { .timeout_ns = AN_HOUR_NS };
FIXTURE_VARIANT_ADD(place, many) { .count = 2 };
FIXTURE_VARIANT_ADD(place, many_timed) {
	.timeout_ns = AN_HOUR_NS,
	.count = 2,
};

FIXTURE_SETUP(place)
{
	unsigned int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
	for (i = 0; i < WAITERS; i++) {
		struct waiter waiter = {
			.line = self->line,
			.number = i,
			.size = BLOCK,
			.timeout_ns = variant->timeout_ns,
			.count = variant->count,
			.sa_flags = SA_RESTART,
		};

		self->pids[i] = enqueue_as(&waiter);
		ASSERT_LT(0, self->pids[i]);
	}
}

FIXTURE_TEARDOWN(place)
{
	int i;

	for (i = 0; i < WAITERS; i++) {
		kill(self->pids[i], SIGKILL);
		reap(self->pids[i]);
	}
	close(self->fd);
	parameters_restore();
}

/* Wait until a waiter that was interrupted waits again, beside @others. */
static bool waits_again(int fd, struct line *line, pid_t pid, __u64 others)
{
	const int *answer = &line->places[0].answer;

	return BECOMES(*answer <= 0 || stats_of(fd).waiting == others + 1) &&
	       *answer > 0 && task_sleeps(pid, pid);
}

#define WAITS_AGAIN(others)						\
	waits_again(self->fd, self->line, self->pids[0], others)

static bool is_stopped(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

TEST_F(place, survives_a_stop)
{
	int i;

	kill(self->pids[0], SIGSTOP);
	ASSERT_TRUE(is_stopped(self->pids[0]));
	kill(self->pids[0], SIGCONT);
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 1));
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(i, SERVED_NEXT(i));
}

/* Others are served while it is stopped; afterwards it is the first again. */
TEST_F(place, delays_nobody_while_stopped)
{
	kill(self->pids[0], SIGSTOP);
	ASSERT_TRUE(is_stopped(self->pids[0]));
	EXPECT_EQ(1, SERVED_NEXT(0));
	kill(self->pids[0], SIGCONT);
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 2));
	EXPECT_EQ(0, SERVED_NEXT(1));
	EXPECT_EQ(2, SERVED_NEXT(2));
}

static bool has_signal(pid_t pid)
{
	char path[64], line[128];
	bool pending = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "ShdPnd:", 7))
			pending = strtoull(line + 7, NULL, 16);
	if (file)
		fclose(file);
	return pending;
}

static bool signal_is_taken(pid_t pid)
{
	return BECOMES(!has_signal(pid));
}

TEST_F(place, survives_restarting_signals)
{
	int i;

	for (i = 0; i < 50; i++) {
		kill(self->pids[0], SIGUSR1);
		ASSERT_TRUE(signal_is_taken(self->pids[0]));
	}
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 1));
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(i, SERVED_NEXT(i));
}

/* Every waiter is restarted, often at the same time. */
TEST_F(place, survives_signals_to_all)
{
	__u64 seed = random_seed();
	int i;

	for (i = 0; i < 200; i++)
		kill(self->pids[next_random(&seed) % WAITERS], SIGUSR1);
	kill(self->pids[0], SIGUSR1);
	for (i = 0; i < WAITERS; i++)
		ASSERT_TRUE(signal_is_taken(self->pids[i]));
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 1));
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(i, SERVED_NEXT(i));
}

static bool cgroup_write(const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), CGROUP "/%s", file);
	return !write_text(path, text);
}

static bool events_say(const char *want)
{
	int fd = open(CGROUP "/cgroup.events", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t len = read(fd, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	close(fd);
	return strstr(text, want);
}

TEST_F(place, survives_the_cgroup_freezer)
{
	char pid[16];
	int i;

	/* what its slabs are charged to is another matter */
	write_text("/sys/fs/cgroup/cgroup.subtree_control", "-memory");
	mkdir(CGROUP, 0755);
	if (access(CGROUP "/cgroup.freeze", W_OK))
		SKIP(return, "this kernel has no freezer of cgroups");
	snprintf(pid, sizeof(pid), "%d", self->pids[0]);
	ASSERT_TRUE(cgroup_write("cgroup.procs", pid));
	ASSERT_TRUE(cgroup_write("cgroup.freeze", "1"));
	ASSERT_TRUE(BECOMES(events_say("frozen 1")));
	ASSERT_TRUE(cgroup_write("cgroup.freeze", "0"));
	ASSERT_TRUE(BECOMES(events_say("frozen 0")));
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 1));
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(i, SERVED_NEXT(i));
	kill(self->pids[0], SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(self->pids[0]));
	rmdir(CGROUP);
}

#define NO_SUSPEND	"this kernel cannot try to suspend: there is no " PM_TEST

static bool can_suspend(void)
{
	return !access(PM_TEST, W_OK);
}

/* Freeze all tasks, and thaw them. Return: 0 or -errno. */
static int suspend(void)
{
	int err;

	write_text(PM_TEST_DELAY, "1");
	err = write_text(PM_TEST, "freezer") ?:
	      write_text("/sys/power/state", "freeze");
	write_text(PM_TEST, "none");
	return err;
}

TEST_F(place, survives_a_suspend)
{
	int i;

	if (!can_suspend())
		SKIP(return, NO_SUSPEND);
	ASSERT_EQ(0, suspend());
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 1));
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(i, SERVED_NEXT(i));
}

TEST_F(place, survives_a_debugger)
{
	pid_t pid = self->pids[0];
	int i;

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	ASSERT_TRUE(is_stopped(pid));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 1));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	ASSERT_TRUE(is_stopped(pid));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	ASSERT_TRUE(WAITS_AGAIN(WAITERS - 1));
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(i, SERVED_NEXT(i));
}

/* A deadline that passes during an interruption ends the wait. */
FIXTURE(deadline)
{
	int fd;
	struct bufpool_block blocks[ALL];
	struct line *line;
};

FIXTURE_SETUP(deadline)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, self->blocks, ALL));
	self->line = shared_alloc(sizeof(*self->line));
	ASSERT_NE(NULL, self->line);
}

FIXTURE_TEARDOWN(deadline)
{
	close(self->fd);
	parameters_restore();
}

TEST_F(deadline, passes_during_a_stop)
{
	struct waiter waiter = {
		.line = self->line,
		.size = BLOCK,
		.timeout_ns = SHORT_MS * NSEC_PER_MSEC,
	};
	pid_t pid = enqueue_as(&waiter);

	ASSERT_LT(0, pid);
	kill(pid, SIGSTOP);
	ASSERT_TRUE(is_stopped(pid));
	sleep_ms(2 * SHORT_MS);
	kill(pid, SIGCONT);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(-ETIMEDOUT, self->line->places[0].answer);
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

/* Restarts do not extend the deadline: signals come faster than it passes. */
TEST_F(deadline, passes_during_restarts)
{
	struct waiter waiter = {
		.line = self->line,
		.size = BLOCK,
		.timeout_ns = SHORT_MS * NSEC_PER_MSEC,
		.sa_flags = SA_RESTART,
	};
	pid_t pid = enqueue_as(&waiter);
	int status = 0, i;

	ASSERT_LT(0, pid);
	for (i = 0; i < 100 && !waitpid(pid, &status, WNOHANG); i++) {
		kill(pid, SIGUSR1);
		sleep_ms(SHORT_MS / 10);
	}
	EXPECT_GT(100, i);
	EXPECT_EQ(0, status);
	EXPECT_EQ(-ETIMEDOUT, self->line->places[0].answer);
	if (i == 100)
		kill(pid, SIGKILL);
}

/* What ends with EINTR at any interruption, for want of a wait_id and with a timeout. */
static int wait_without_number(void *arg)
{
	struct place *place = arg;
	struct bufpool_rent args = {
		.size = offsetof(struct bufpool_rent, wait_id),
		.min_size = BLOCK,
		.timeout_ns = AN_HOUR_NS,
	};
	int fd = pool_open();

	CHECK(fd >= 0);
	word_set(&place->ready, 1);
	place->answer = pool_ioctl(fd, BUFPOOL_IOC_RENT, &args);
	return 0;
}

TEST_F(deadline, needs_no_number_in_a_suspend)
{
	struct place *place = &self->line->places[0];
	pid_t pid;

	if (!can_suspend())
		SKIP(return, NO_SUSPEND);
	place->answer = 1;
	pid = spawn(wait_without_number, place);
	ASSERT_TRUE(word_reaches(&place->ready, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, suspend());
	EXPECT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, place->answer);
}

TEST_HARNESS_MAIN
