// SPDX-License-Identifier: MIT
/*
 * Exhaustion: how much the pool gives, what waiters wait for, and in which order
 * they get it.
 */
#include "bufpool_test.h"

#define LIMIT	(4 * MIB)
#define BLOCK	(1 * MIB)
#define MOST	2048

/* What the processes of a test share. */
struct queue {
	unsigned int ready;
	unsigned int served;		/* waiters that have got something */
	unsigned int order[16];		/* waiters, as they were served */
	unsigned int go[16];		/* this one may go */
	int answer[16];
};

FIXTURE(pool)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_block *blocks;
	struct bufpool_stats before;
	struct queue *queue;
};

FIXTURE_SETUP(pool)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	self->blocks = calloc(MOST, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	self->queue = shared_alloc(sizeof(*self->queue));
	ASSERT_NE(NULL, self->queue);
}

FIXTURE_TEARDOWN(pool)
{
	close(self->fd);
	limit_restore();
}

/* How much there is ------------------------------------------------------- */

TEST_F(pool, gives_its_limit_and_no_more)
{
	struct bufpool_stats stats;
	unsigned int class;

	for (class = 0; class < self->info.nr_classes; class++) {
		__u64 size = class_size(&self->info, class);
		__u32 flags = class_flags(&self->info, class);
		int fd = pool_open(), count;

		ASSERT_LE(0, fd);
		if (size > LIMIT) {
			EXPECT_EQ(-EDQUOT, rent_many_with(fd, size, flags, 1, self->blocks));
			close(fd);
			continue;
		}
		count = drain_with(fd, size, flags, self->blocks, MOST);
		EXPECT_EQ(LIMIT / size, count) {
			TH_LOG("blocks of %llu bytes", size);
		}
		EXPECT_EQ(-EAGAIN, rent_many_with(fd, size, flags, 1, self->blocks));
		ASSERT_EQ(0, pool_stats(fd, &stats));
		EXPECT_EQ(count, stats.client_blocks);
		EXPECT_LE(stats.in_use, stats.pinned);
		EXPECT_LE(stats.pinned, LIMIT);
		close(fd);
		ASSERT_TRUE(in_use_becomes(self->fd, self->before.in_use));
	}
}

TEST_F(pool, full_again_after_return)
{
	struct bufpool_rent more;
	int round, count, first = 0, i;

	for (round = 0; round < 3; round++) {
		count = drain(self->fd, 64 * KIB, self->blocks, MOST);
		if (!first)
			first = count;
		ASSERT_LT(0, count);
		EXPECT_EQ(first, count);
		EXPECT_EQ(-EAGAIN, rent(self->fd, 64 * KIB, &more));
		for (i = 0; i < count; i++)
			ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(self->before.in_use, in_use(self->fd));
	}
}

TEST_F(pool, full_again_after_close)
{
	int round, fd;

	for (round = 0; round < 3; round++) {
		fd = pool_open();
		ASSERT_LE(0, fd);
		EXPECT_EQ(LIMIT / (64 * KIB),
			  drain(fd, 64 * KIB, self->blocks, MOST));
		close(fd);
		ASSERT_TRUE(in_use_becomes(self->fd, self->before.in_use));
	}
}

static int drain_and_pause(void *arg)
{
	static struct bufpool_block blocks[MOST];
	struct queue *queue = arg;
	int fd = pool_open(), count;

	CHECK(fd >= 0);
	count = drain(fd, 64 * KIB, blocks, MOST);
	CHECK(count > 0);
	queue->answer[0] = count;
	word_set(&queue->ready, 1);
	pause();
	return 0;
}

TEST_F(pool, full_again_after_kill)
{
	int round;
	pid_t pid;

	for (round = 0; round < 3; round++) {
		self->queue->ready = 0;
		pid = spawn(drain_and_pause, self->queue);
		ASSERT_TRUE(word_reaches(&self->queue->ready, 1));
		EXPECT_EQ(LIMIT / (64 * KIB), self->queue->answer[0]);
		kill(pid, SIGKILL);
		ASSERT_EQ(-SIGKILL, reap(pid));
		ASSERT_TRUE(in_use_becomes(self->fd, self->before.in_use));
	}
}

/* One returned, one to be had; not two. */
TEST_F(pool, one_for_one)
{
	struct bufpool_rent more;
	int count = drain(self->fd, 64 * KIB, self->blocks, MOST), i;

	ASSERT_LT(8, count);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(0, rent(self->fd, 64 * KIB, &more));
		EXPECT_EQ(-EAGAIN, rent(self->fd, 64 * KIB, &more));
	}
}

TEST_F(pool, rent_many_takes_what_is_there)
{
	int count = drain(self->fd, BLOCK, self->blocks, MOST);

	ASSERT_LE(3, count);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_EQ(0, give(self->fd, self->blocks[1].handle));
	EXPECT_EQ(2, rent_many(self->fd, BLOCK, 8, self->blocks));
	EXPECT_EQ(-EAGAIN, rent_many(self->fd, BLOCK, 8, self->blocks));
}

/* What is free in one size is no loss for another. */
TEST_F(pool, free_blocks_make_room_for_another_class)
{
	struct bufpool_rent large;
	int count, i;

	count = drain(self->fd, 1, self->blocks, MOST);
	ASSERT_EQ(LIMIT / self->info.page_size, count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	for (i = 0; i < (int)(LIMIT / BLOCK); i++)
		EXPECT_EQ(0, rent(self->fd, BLOCK, &large));
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &large));
	EXPECT_EQ(-EAGAIN, rent(self->fd, 1, &large));
}

TEST_F(pool, large_blocks_make_room_for_small_ones)
{
	int count, i;

	count = drain(self->fd, BLOCK, self->blocks, MOST);
	ASSERT_LT(0, count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	EXPECT_EQ(LIMIT / self->info.page_size,
		  drain(self->fd, 1, self->blocks, MOST));
}

/* One small block in use costs the slab it is in, not the whole pool. */
TEST_F(pool, one_small_block_leaves_the_rest)
{
	struct bufpool_rent small;

	ASSERT_EQ(0, rent(self->fd, 1, &small));
	EXPECT_EQ((LIMIT - self->info.slab_size) / BLOCK,
		  drain(self->fd, BLOCK, self->blocks, MOST));
}

/* Larger than the limit: waiting cannot help. */
TEST_F(pool, larger_than_the_limit_is_edquot)
{
	struct bufpool_rent large;

	if (self->info.max_rent <= BLOCK)
		SKIP(return, "no block is larger than the lowest limit");
	ASSERT_EQ(0, limit_write(BLOCK));
	EXPECT_EQ(-EDQUOT, rent(self->fd, BLOCK + 1, &large));
	EXPECT_EQ(-EDQUOT, rent_with(self->fd, BLOCK + 1, 0, 0, &large));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &large));
}

/* The limit as a parameter ------------------------------------------------- */

TEST_F(pool, limit_accepts_no_rubbish)
{
	const char *const rubbish[] = {
		"", "\n", "rubbish", "-1", "0", "1", "4095", "12x", "K",
		"1MM", "4M 4M", "0x400000x", "18446744073709551616",
		"18446744073709551615", "99999999999G", "17179869184G",
		"1152921504606846976",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rubbish); i++) {
		int ret = write_text(POOL_LIMIT, rubbish[i]);

		/* Nothing written is nothing changed, for sysfs itself. */
		if (rubbish[i][0]) {
			EXPECT_EQ(-EINVAL, ret) {
				TH_LOG("'%s'", rubbish[i]);
			}
		}
		EXPECT_EQ(LIMIT, limit_read());
	}
}

/* Room for one slab and one of the largest pooled blocks is the least. */
TEST_F(pool, limit_has_a_least)
{
	__u64 least = self->info.slab_size;

	EXPECT_EQ(-EINVAL, limit_write(least - 1));
	EXPECT_EQ(LIMIT, limit_read());
	EXPECT_EQ(0, limit_write(least));
	EXPECT_EQ(least, limit_read());
}

/* More than the machine has is a mistake. */
TEST_F(pool, limit_above_the_memory)
{
	__u64 memory = (__u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	EXPECT_EQ(-EINVAL, limit_write(2 * memory));
	EXPECT_EQ(LIMIT, limit_read());
	EXPECT_EQ(0, limit_write(memory / 2));
}

TEST_F(pool, limit_takes_suffixes)
{
	EXPECT_EQ(0, write_text(POOL_LIMIT, "8M"));
	EXPECT_EQ(8 * MIB, limit_read());
	EXPECT_EQ(0, write_text(POOL_LIMIT, "4096K\n"));
	EXPECT_EQ(4 * MIB, limit_read());
}

TEST_F(pool, limit_is_what_info_and_stats_say)
{
	struct bufpool_stats stats;

	ASSERT_EQ(0, limit_write(8 * MIB));
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	EXPECT_EQ(8 * MIB, self->info.limit);
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(8 * MIB, stats.limit);
}

/* Below what is in use: nothing is taken away, and nothing more given. */
TEST_F(pool, limit_below_what_is_rented)
{
	struct bufpool_rent more;
	struct bufpool_stats stats;
	int i;

	ASSERT_EQ(4, drain(self->fd, BLOCK, self->blocks, MOST));
	ASSERT_EQ(0, limit_write(2 * MIB));
	EXPECT_EQ(4 * MIB, in_use(self->fd) - self->before.in_use);
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &more));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &more));
	}
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(2 * MIB, stats.pinned);
	ASSERT_EQ(0, give(self->fd, self->blocks[2].handle));
	EXPECT_EQ(0, rent(self->fd, BLOCK, &more));
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &more));
}

/* What is free goes back to the system when the limit is lowered. */
TEST_F(pool, lower_limit_frees_at_once)
{
	struct bufpool_stats stats;
	int i;

	ASSERT_EQ(4, drain(self->fd, BLOCK, self->blocks, MOST));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	ASSERT_EQ(0, limit_write(BLOCK));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_GE(BLOCK, stats.pinned);
}

/* Waiting ------------------------------------------------------------------ */

struct waiter {
	struct queue *queue;
	unsigned int number;
	__u64 size;
	__s64 timeout_ns;
	bool keep;		/* until it is told to go */
	bool many;
	int inherited;		/* a descriptor to close, if not 0 */
};

static int wait_in_line(void *arg)
{
	struct waiter *waiter = arg;
	struct queue *queue = waiter->queue;
	struct bufpool_block blocks[2];
	struct bufpool_rent rented;
	unsigned int place;
	int fd = pool_open();

	CHECK(fd >= 0);
	if (waiter->inherited)
		CHECK(!close(waiter->inherited));
	word_set(&queue->ready, waiter->number + 1);
	if (waiter->many) {
		struct bufpool_rent_many many = {
			.size = sizeof(many),
			.min_size = waiter->size,
			.timeout_ns = waiter->timeout_ns,
			.count = ARRAY_SIZE(blocks),
			.blocks = (uintptr_t)blocks,
		};

		queue->answer[waiter->number] =
			pool_ioctl(fd, BUFPOOL_IOC_RENT_MANY, &many);
	} else {
		queue->answer[waiter->number] =
			rent_with(fd, waiter->size, 0, waiter->timeout_ns,
				  &rented);
	}
	if (queue->answer[waiter->number] < 0)
		return 0;
	place = __atomic_fetch_add(&queue->served, 1, __ATOMIC_ACQ_REL);
	queue->order[place] = waiter->number;
	if (waiter->keep)
		CHECK(word_reaches(&queue->go[waiter->number], 1));
	return 0;
}

/* Start a waiter, and see to it that it waits before the next one does. */
static pid_t enqueue(struct queue *queue, unsigned int number, __u64 size,
		     bool keep)
{
	struct waiter waiter = {
		.queue = queue,
		.number = number,
		.size = size,
		.keep = keep,
	};
	pid_t pid = spawn(wait_in_line, &waiter);

	if (!word_reaches(&queue->ready, number + 1) ||
	    !task_sleeps(pid, pid))
		return -1;
	return pid;
}

TEST_F(pool, waiter_is_served_by_a_return)
{
	pid_t pid;

	ASSERT_LT(0, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->queue, 0, BLOCK, false);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->queue->answer[0]);
}

/* Of any block: also where it is not the same size that comes back. */
TEST_F(pool, waiter_is_served_by_another_class)
{
	int count, i;
	pid_t pid;

	count = drain(self->fd, 1, self->blocks, MOST);
	ASSERT_LT(0, count);
	pid = enqueue(self->queue, 0, BLOCK, false);
	ASSERT_LT(0, pid);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->queue->answer[0]);
}

TEST_F(pool, small_waiter_is_served_by_a_large_block)
{
	pid_t pid;

	ASSERT_LT(0, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->queue, 0, 1, false);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->queue->answer[0]);
}

TEST_F(pool, waiter_is_served_by_a_close)
{
	struct waiter waiter = {
		.queue = self->queue,
		.size = BLOCK,
		.inherited = pool_open(),
	};
	pid_t pid;

	ASSERT_LT(0, drain(waiter.inherited, BLOCK, self->blocks, MOST));
	pid = spawn(wait_in_line, &waiter);
	ASSERT_TRUE(word_reaches(&self->queue->ready, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	close(waiter.inherited);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->queue->answer[0]);
}

TEST_F(pool, waiter_is_served_by_a_kill)
{
	struct queue *owner = shared_alloc(sizeof(*owner));
	pid_t owning, pid;

	ASSERT_NE(NULL, owner);
	owning = spawn(drain_and_pause, owner);
	ASSERT_TRUE(word_reaches(&owner->ready, 1));
	pid = enqueue(self->queue, 0, BLOCK, false);
	ASSERT_LT(0, pid);
	kill(owning, SIGKILL);
	ASSERT_EQ(-SIGKILL, reap(owning));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->queue->answer[0]);
}

TEST_F(pool, waiter_is_served_by_a_higher_limit)
{
	pid_t pid;

	ASSERT_LT(0, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->queue, 0, BLOCK, false);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, limit_write(LIMIT + BLOCK));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, self->queue->answer[0]);
}

/* RENT_MANY waits for its first block, and comes back with that. */
TEST_F(pool, rent_many_waits_for_one)
{
	struct waiter waiter = {
		.queue = self->queue,
		.size = BLOCK,
		.many = true,
	};
	pid_t pid;

	ASSERT_LT(0, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = spawn(wait_in_line, &waiter);
	ASSERT_TRUE(word_reaches(&self->queue->ready, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(1, self->queue->answer[0]);
}

#define WAITERS	8

/* Blocks that come back one at a time are handed out in the order of asking. */
TEST_F(pool, first_come_first_served)
{
	pid_t pids[WAITERS];
	unsigned int i;
	int count;

	ASSERT_EQ(0, limit_write(WAITERS * BLOCK));
	count = drain(self->fd, BLOCK, self->blocks, MOST);
	ASSERT_EQ(WAITERS, count);
	for (i = 0; i < WAITERS; i++) {
		pids[i] = enqueue(self->queue, i, BLOCK, true);
		ASSERT_LT(0, pids[i]);
	}
	for (i = 0; i < WAITERS; i++) {
		ASSERT_EQ(0, give(self->fd, self->blocks[i].handle));
		ASSERT_TRUE(word_reaches(&self->queue->served, i + 1));
	}
	for (i = 0; i < WAITERS; i++) {
		EXPECT_EQ(i, self->queue->order[i]);
		word_set(&self->queue->go[i], 1);
		EXPECT_EQ(0, reap(pids[i]));
	}
}

/* A latecomer gets no block before the waiters do. */
TEST_F(pool, latecomer_does_not_overtake)
{
	struct bufpool_rent mine;
	pid_t pid;

	ASSERT_LT(0, drain(self->fd, BLOCK, self->blocks, MOST));
	pid = enqueue(self->queue, 0, BLOCK, true);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	/* The waiter may not even have run yet. */
	EXPECT_EQ(-EAGAIN, rent(self->fd, BLOCK, &mine));
	ASSERT_TRUE(word_reaches(&self->queue->served, 1));
	word_set(&self->queue->go[0], 1);
	EXPECT_EQ(0, reap(pid));
}

static void ignore_signal(int sig)
{
	(void)sig;
}

/* The ways in which a waiter gives up. */
static int wait_and_give_up(void *arg)
{
	struct sigaction action = { .sa_handler = ignore_signal };

	sigaction(SIGUSR1, &action, NULL);
	return wait_in_line(arg);
}

/* The one in the middle goes: the others are served, in their order. */
static void give_up_in_the_middle(struct __test_metadata *_metadata, int fd,
				  struct queue *queue, int signal,
				  __s64 timeout_ns)
{
	struct bufpool_block blocks[MOST / 64];
	pid_t pids[3];
	unsigned int i;
	int count;

	count = drain(fd, BLOCK, blocks, ARRAY_SIZE(blocks));
	ASSERT_LE(3, count);
	for (i = 0; i < 3; i++) {
		struct waiter waiter = {
			.queue = queue,
			.number = i,
			.size = BLOCK,
			.timeout_ns = i == 1 ? timeout_ns : 0,
			.keep = true,
		};

		pids[i] = spawn(wait_and_give_up, &waiter);
		ASSERT_TRUE(word_reaches(&queue->ready, i + 1));
		ASSERT_TRUE(i == 1 && timeout_ns ? true :
			    task_sleeps(pids[i], pids[i]));
	}
	if (signal)
		kill(pids[1], signal);
	EXPECT_EQ(signal == SIGKILL ? -SIGKILL : 0, reap(pids[1]));
	EXPECT_EQ(timeout_ns ? -ETIMEDOUT : signal == SIGKILL ? 0 : -EINTR,
		  queue->answer[1]);

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, give(fd, blocks[i].handle));
		ASSERT_TRUE(word_reaches(&queue->served, i + 1));
	}
	EXPECT_EQ(0, queue->order[0]);
	EXPECT_EQ(2, queue->order[1]);
	for (i = 0; i < 3; i += 2) {
		word_set(&queue->go[i], 1);
		EXPECT_EQ(0, reap(pids[i]));
	}
	EXPECT_EQ(2, drain(fd, BLOCK, blocks, ARRAY_SIZE(blocks)));
}

TEST_F(pool, interrupted_waiter_leaves_no_hole)
{
	give_up_in_the_middle(_metadata, self->fd, self->queue, SIGUSR1, 0);
}

TEST_F(pool, killed_waiter_leaves_no_hole)
{
	give_up_in_the_middle(_metadata, self->fd, self->queue, SIGKILL, 0);
}

TEST_F(pool, timed_out_waiter_leaves_no_hole)
{
	give_up_in_the_middle(_metadata, self->fd, self->queue, 0,
			      100 * NSEC_PER_MSEC);
}

/* Before a waiter has more slabs drained than it needs room for */
#define AT_FIRST_MS	100

/* While one waits, there is one block for others. Return: whether that was seen in time. */
static bool leaves_one(struct __test_metadata *_metadata, int fd, __u64 began)
{
	struct bufpool_block many;
	struct bufpool_rent one;
	int ret = rent(fd, 1, &one), more = rent_many(fd, 1, 1, &many);
	bool in_time = now_ms() - began < AT_FIRST_MS;

	if (in_time) {
		EXPECT_EQ(0, ret);
		EXPECT_EQ(-EAGAIN, more);
	}
	if (!ret)
		EXPECT_EQ(0, give(fd, one.handle));
	if (more == 1)
		EXPECT_EQ(0, give(fd, many.handle));
	return in_time;
}

/*
 * A waiter for one size keeps those of another from no more of their blocks than
 * it needs room for: nine slabs of small ones and two large blocks leave one
 * slab's size missing for a third.
 */
TEST_F(pool, sizes_do_not_disturb_each_other)
{
	int per_slab = self->info.slab_size / self->info.page_size;
	int slabs = BLOCK / self->info.slab_size + 1, i;
	struct bufpool_block *small;
	bool in_time = false;
	__u64 began;
	pid_t pid = 0;

	small = calloc(slabs * per_slab, sizeof(*small));
	ASSERT_NE(NULL, small);
	for (i = 0; i < slabs; i++)
		ASSERT_EQ(per_slab, rent_many(self->fd, 1, per_slab,
					      small + i * per_slab));
	ASSERT_EQ(2, drain(self->fd, BLOCK, self->blocks, MOST));
	/* A free small block in each of two slabs. */
	ASSERT_EQ(0, give_up(self->fd, small[0].handle));
	ASSERT_EQ(0, give_up(self->fd, small[per_slab].handle));
	for (i = 0; i < 100 && !in_time; i++) {
		if (pid) {
			kill(pid, SIGKILL);
			reap(pid);
			self->queue->ready = 0;
		}
		began = now_ms();
		pid = enqueue(self->queue, 0, BLOCK, true);
		ASSERT_LT(0, pid);
		in_time = leaves_one(_metadata, self->fd, began);
	}
	EXPECT_TRUE(in_time);
	EXPECT_EQ(0, self->queue->served);
	ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
	ASSERT_TRUE(word_reaches(&self->queue->served, 1));
	word_set(&self->queue->go[0], 1);
	EXPECT_EQ(0, reap(pid));
}

/* A waiter that is served in the moment it is killed loses nothing. */
TEST_F(pool, kill_races_with_service)
{
	int round, count;
	pid_t pid;

	for (round = 0; round < 20; round++) {
		count = drain(self->fd, BLOCK, self->blocks, MOST);
		ASSERT_EQ(LIMIT / BLOCK, count);
		self->queue->ready = 0;
		pid = enqueue(self->queue, 0, BLOCK, false);
		ASSERT_LT(0, pid);
		if (round & 1)
			kill(pid, SIGKILL);
		ASSERT_EQ(0, give(self->fd, self->blocks[0].handle));
		kill(pid, SIGKILL);
		reap(pid);
		while (--count)
			ASSERT_EQ(0, give(self->fd,
					  self->blocks[count].handle));
		ASSERT_TRUE(in_use_becomes(self->fd, self->before.in_use));
	}
}

TEST_HARNESS_MAIN
