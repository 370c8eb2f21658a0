// SPDX-License-Identifier: MIT
/*
 * Replies that cannot be delivered: no block is rented or made for them, and a
 * caller whose reply page hangs holds no block, and can be killed.
 */
#include "stranger.h"

#include <poll.h>
#include <pthread.h>

#define BLOCK		(1 * MIB)
#define ALL		4			/* blocks within the limit */
#define MANY		BUFPOOL_MANY_MAX
#define MORE_AFTER_KILL	2			/* the slab in hand, and one */

FIXTURE(delivery)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_stats before;
	char *pages;
	long page;
	unsigned int *word;
};

FIXTURE_SETUP(delivery)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, limit_write(ALL * BLOCK));
	self->page = sysconf(_SC_PAGESIZE);
	self->pages = mmap(NULL, 4 * self->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->pages);
	self->word = shared_alloc(sizeof(*self->word));
	ASSERT_NE(NULL, self->word);
	/* Without free slabs a rent has to make one, which is counted. */
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	ASSERT_EQ(0, self->before.pinned);
}

FIXTURE_TEARDOWN(delivery)
{
	close(self->fd);
	parameters_restore();
}

/* Whether a call has taken no block, not even for a moment. */
static bool untouched(int fd, const struct bufpool_stats *before)
{
	struct bufpool_stats now = stats_of(fd);

	return same_holdings(&now, before) && now.rents == before->rents &&
	       now.returns == before->returns && now.waits == before->waits &&
	       now.slabs_created == before->slabs_created &&
	       now.pinned == before->pinned && now.steals == before->steals;
}

/* Bad pointers --------------------------------------------------------------------- */

TEST_F(delivery, of_many_to_nowhere)
{
	static const __u64 nowhere[] = { 0, 8, 1ULL << 47, ~0ULL << 16 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++)
		EXPECT_EQ(-EFAULT, rent_many(self->fd, BLOCK, ALL,
					     (void *)(uintptr_t)nowhere[i]));
	EXPECT_TRUE(untouched(self->fd, &self->before));
}

TEST_F(delivery, of_many_to_what_may_not_be_written)
{
	ASSERT_EQ(0, mprotect(self->pages, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, rent_many(self->fd, BLOCK, ALL, (void *)self->pages));
	EXPECT_TRUE(untouched(self->fd, &self->before));
}

/* The array begins well, and ends in a hole. */
TEST_F(delivery, of_many_across_an_end)
{
	char *end = self->pages + 2 * self->page;

	ASSERT_EQ(0, munmap(end, self->page));
	EXPECT_EQ(-EFAULT, rent_many(self->fd, BLOCK, ALL,
				     (void *)(end - 2 * sizeof(struct bufpool_block))));
	EXPECT_EQ(-EFAULT, rent_many(self->fd, BLOCK, MANY,
				     (void *)(end - MANY / 2 * sizeof(struct bufpool_block))));
	EXPECT_TRUE(untouched(self->fd, &self->before));
	/* As many as there is room for in the array are fine. */
	EXPECT_EQ(2, rent_many(self->fd, BLOCK, 2,
			       (void *)(end - 2 * sizeof(struct bufpool_block))));
}

TEST_F(delivery, of_one_to_what_may_not_be_written)
{
	struct bufpool_rent *args = (void *)self->pages;

	args->size = sizeof(*args);
	args->flags = BUFPOOL_RENT_NONBLOCK;
	args->min_size = BLOCK;
	ASSERT_EQ(0, mprotect(self->pages, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT, args));
	EXPECT_TRUE(untouched(self->fd, &self->before));
}

struct many_call {
	int fd;
	struct bufpool_block *blocks;
	__u64 size;
	__u32 count;
	__u32 flags;
	unsigned int *word;
};

/* What the call says, as an exit status. */
static int call_many(void *arg)
{
	struct many_call *call = arg;
	struct bufpool_rent_many args = {
		.size = sizeof(args),
		.flags = call->flags,
		.min_size = call->size,
		.count = call->count,
		.blocks = (uintptr_t)call->blocks,
	};
	int fd = pool_open();
	int ret;

	CHECK(fd >= 0);
	word_set(call->word, 1);
	ret = pool_ioctl(fd, BUFPOOL_IOC_RENT_MANY, &args);
	CHECK(!stats_of(fd).client_blocks || ret > 0);
	return ret < 0 ? -ret : 0;
}

/* The array could be written when the call began: then the rental is undone. */
TEST_F(delivery, to_what_may_no_longer_be_written)
{
	struct bufpool_block held[ALL], *array = shared_alloc(self->page);
	struct many_call call = {
		.blocks = array,
		.size = BLOCK,
		.count = 1,
		.word = self->word,
	};
	int file = memfd_create("reply", MFD_CLOEXEC);
	struct bufpool_rent rented;
	pid_t pid;

	ASSERT_EQ(0, ftruncate(file, self->page));
	call.blocks = mmap(NULL, self->page, PROT_READ | PROT_WRITE, MAP_SHARED,
			   file, 0);
	ASSERT_NE(MAP_FAILED, call.blocks);
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, held, ALL));
	pid = spawn(call_many, &call);
	ASSERT_TRUE(word_reaches(self->word, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	/* Beyond the end of a file there is nothing to write to. */
	ASSERT_EQ(0, ftruncate(file, 0));
	ASSERT_EQ(0, give(self->fd, held[0].handle));
	EXPECT_EQ(EFAULT, reap(pid));
	EXPECT_TRUE(in_use_becomes(self->fd, (ALL - 1) * BLOCK));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &rented));
	close(file);
}

/* Kills ------------------------------------------------------------------------------ */

/* A kill ends it after the slab in hand, and not after the last. */
TEST_F(delivery, of_many_ends_with_a_kill)
{
	struct many_call call = {
		.blocks = shared_alloc(MANY * sizeof(*call.blocks)),
		.size = large_block(&self->info),
		.flags = BUFPOOL_RENT_NONBLOCK,
		.word = self->word,
	};
	__u64 at_kill, at_end;
	pid_t pid;

	if (get_nprocs() < 2)
		SKIP(return, "the kill would come too late on one processor");
	call.count = 256 * MIB / large_block(&self->info);
	ASSERT_EQ(0, limit_write(256 * MIB));
	ASSERT_TRUE(pin(0, 0));
	pid = spawn(call_many, &call);
	ASSERT_TRUE(pin(pid, 1));
	ASSERT_TRUE(BECOMES(stats_of(self->fd).slabs_created >=
			    self->before.slabs_created + 2));
	kill(pid, SIGKILL);
	at_kill = stats_of(self->fd).slabs_created;
	EXPECT_EQ(-SIGKILL, reap(pid));
	at_end = stats_of(self->fd).slabs_created;
	/* Else it was too quick to be killed. */
	ASSERT_GT(self->before.slabs_created + call.count - MORE_AFTER_KILL,
		  at_kill);
	EXPECT_LE(at_end, at_kill + MORE_AFTER_KILL);
	EXPECT_EQ(self->before.in_use, stats_of(self->fd).in_use);
}

/* Replies that hang -------------------------------------------------------------------- */

static int call_many_hanging(void *arg)
{
	struct many_call *call = arg;
	int teller;

	call->blocks = hanging_page(&teller);
	CHECK(call->blocks);
	return call_many(call);
}

static int call_one_hanging(void *arg)
{
	struct many_call *call = arg;
	struct bufpool_rent *args = mmap(NULL, sysconf(_SC_PAGESIZE),
					 PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = pool_open();

	CHECK(args != MAP_FAILED && fd >= 0);
	args->size = sizeof(*args);
	args->min_size = call->size;
	CHECK(hang_writes(args) >= 0);
	word_set(call->word, 1);
	return pool_ioctl(fd, BUFPOOL_IOC_RENT, args);
}

FIXTURE(hanging)
{
	int fd;
	unsigned int *word;
	pid_t pid;
};

FIXTURE_VARIANT(hanging)
{
	int (*call)(void *arg);
};

FIXTURE_VARIANT_ADD(hanging, one) { .call = call_one_hanging };
FIXTURE_VARIANT_ADD(hanging, many) { .call = call_many_hanging };

FIXTURE_SETUP(hanging)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(ALL * BLOCK));
	self->word = shared_alloc(sizeof(*self->word));
	ASSERT_NE(NULL, self->word);
}

FIXTURE_TEARDOWN(hanging)
{
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		reap(self->pid);
	}
	close(self->fd);
	parameters_restore();
}

/* It holds nothing meanwhile: others can rent the whole pool. */
TEST_F(hanging, hangs_alone)
{
	struct many_call call = {
		.size = BLOCK,
		.count = ALL,
		.word = self->word,
	};
	struct bufpool_block held[ALL];
	struct bufpool_rent rented;
	int fd;

	fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (fd < 0)
		SKIP(return, "this kernel has no userfaultfd for writes");
	close(fd);
	self->pid = spawn(variant->call, &call);
	ASSERT_TRUE(word_reaches(self->word, 1));
	ASSERT_TRUE(task_sleeps(self->pid, self->pid));
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, held, ALL));
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, BLOCK, 0, 1, &rented));
	ASSERT_EQ(0, give_up(self->fd, held[0].handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &rented));
	kill(self->pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(self->pid));
	self->pid = 0;
	EXPECT_EQ(ALL * BLOCK, in_use(self->fd));
	EXPECT_EQ(0, stats_of(self->fd).waiting);
}

/* A thread whose reply hangs, and fails in the end: what was warm is so again. */
struct late_reply {
	int fd;
	void *page;
	int teller;
	int ret;
	unsigned int *word;	/* set by who polls */
};

static void *reply_late_of_many(void *arg)
{
	struct late_reply *reply = arg;

	reply->ret = rent_many(reply->fd, BLOCK, 1, reply->page);
	return NULL;
}

static void *reply_late_of_one(void *arg)
{
	struct late_reply *reply = arg;

	reply->ret = pool_ioctl(reply->fd, BUFPOOL_IOC_RENT, reply->page);
	return NULL;
}

static int poll_for_a_block(void *arg)
{
	struct pollfd pollfd = { .fd = poller_of(pool_open(), BLOCK), .events = POLLIN };
	struct late_reply *reply = arg;

	/* it is its parent's */
	close(reply->teller);
	CHECK(pollfd.fd >= 0);
	CHECK(poll(&pollfd, 1, 0) == 0);
	word_set(reply->word, 1);
	CHECK(poll(&pollfd, 1, -1) == 1 && pollfd.revents == POLLIN);
	return 0;
}

/*
 * All that the pool has is rented but one block, which is warm. A call takes that and cannot
 * tell; who polls meanwhile is told that it is there.
 */
static void fail_late(struct __test_metadata *_metadata, struct _test_data_delivery *self,
		      struct late_reply *reply, void *(*call)(void *arg))
{
	struct bufpool_block held[ALL];
	pthread_t thread;
	pid_t pid;

	reply->fd = self->fd;
	reply->word = self->word;
	ASSERT_EQ(ALL, drain(self->fd, BLOCK, held, ALL));
	ASSERT_EQ(0, give(self->fd, held[0].handle));
	ASSERT_EQ(1, stats_of(self->fd).client_warm_blocks);
	ASSERT_EQ(0, pthread_create(&thread, NULL, call, reply));
	ASSERT_TRUE(BECOMES(!stats_of(self->fd).client_warm_blocks));
	pid = spawn(poll_for_a_block, reply);
	ASSERT_TRUE(word_reaches(self->word, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, mprotect(reply->page, self->page, PROT_NONE));
	close(reply->teller);
	pthread_join(thread, NULL);
	EXPECT_EQ(-EFAULT, reply->ret);
	EXPECT_EQ(1, stats_of(self->fd).client_warm_blocks);
	EXPECT_TRUE(BECOMES(child_has_ended()));
	kill(pid, SIGKILL);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(delivery, of_many_that_fails_is_told)
{
	struct late_reply reply;

	reply.page = hanging_page(&reply.teller);
	if (!reply.page)
		SKIP(return, "this kernel has no userfaultfd");
	fail_late(_metadata, self, &reply, reply_late_of_many);
}

TEST_F(delivery, of_one_that_fails_is_told)
{
	struct late_reply reply = { .page = self->pages };
	struct bufpool_rent *args = reply.page;

	args->size = sizeof(*args);
	args->flags = BUFPOOL_RENT_NONBLOCK;
	args->min_size = BLOCK;
	reply.teller = hang_writes(args);
	if (reply.teller < 0)
		SKIP(return, "this kernel has no userfaultfd for writes");
	fail_late(_metadata, self, &reply, reply_late_of_one);
}

TEST_HARNESS_MAIN
