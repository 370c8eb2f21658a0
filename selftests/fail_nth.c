// SPDX-License-Identifier: MIT
/*
 * Every allocation that an operation needs fails once, and every copy but of single
 * words: the first in the first round, the second in the second, until a round
 * passes without a failure. Each time the answer is one of the documented ones, and nothing has
 * changed.
 */
#include "channel.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MOST_ROUNDS	400
#define BLOCK		(64 * KIB)

FIXTURE(nth)
{
	int observer;
	int fd;		/* a client that has rented one block */
	int nth;
	struct bufpool_rent rent;
	struct bufpool_stats before;
};

/* The kernel's faults are the debugging kernel's to make. */
static void __attribute__((constructor)) need_faults(void)
{
	const char *const knobs[] = {
		"failslab/ignore-gfp-wait", "fail_page_alloc/ignore-gfp-wait",
		"fail_page_alloc/ignore-gfp-highmem", "failslab/cache-filter",
	};
	char path[128];
	size_t i;

	if (access(FAIL_NTH, W_OK))
		skip_all("this kernel cannot inject failures: there is no "
			 FAIL_NTH);
	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", knobs[i]);
		write_text(path, "N");
	}
	write_text("/sys/kernel/debug/fail_page_alloc/min-order", "0");
}

FIXTURE_SETUP(nth)
{
	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	self->nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->nth);
}

FIXTURE_TEARDOWN(nth)
{
	close(self->nth);
	close(self->fd);
	close(self->observer);
}

/* From the next system call on, let the one numbered @number fail. */
static void fail_number(int nth, unsigned int number)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", number);

	CHECK(pwrite(nth, text, len, 0) == len);
}

/* End that; whether it came so far. These calls may be hit themselves. */
static bool has_failed(int nth)
{
	char text[16] = "";
	int hit = 0;

	if (pread(nth, text, sizeof(text) - 1, 0) < 1)
		hit = 2;
	while (pwrite(nth, "0", 1, 0) != 1)
		hit = 2;
	/* What is left over is a failure that did not happen. */
	return hit == 2 ? false : atoi(text) == 0;
}

/* Something that can be done, and undone when it went well. */
struct operation {
	int (*run)(int fd, void *arg);
	void (*undo)(int fd, void *arg);
	void *arg;
};

static bool is_documented(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT;
}

/* How many rounds it took until the operation passed, 0 if it never did. */
static unsigned int sweep(struct __test_metadata *_metadata, int nth, int fd,
			  const struct bufpool_stats *before,
			  const struct operation *operation)
{
	unsigned int round;

	for (round = 1; round < MOST_ROUNDS; round++) {
		bool failed;
		int ret;

		fail_number(nth, round);
		ret = operation->run(fd, operation->arg);
		failed = has_failed(nth);
		if (ret >= 0) {
			if (operation->undo)
				operation->undo(fd, operation->arg);
			/* A failure that did no harm is one all the same. */
			if (!failed)
				return round;
			continue;
		}
		EXPECT_TRUE(is_documented(ret)) {
			TH_LOG("round %u: %d", round, ret);
		}
		EXPECT_TRUE(unchanged(fd, before)) {
			TH_LOG("round %u: %d", round, ret);
		}
		if (!failed && ret < 0)
			return 0;
	}
	return 0;
}

static int run_open(int fd, void *arg)
{
	(void)fd;
	return *(int *)arg = pool_open();
}

static void undo_open(int fd, void *arg)
{
	(void)fd;
	close(*(int *)arg);
}

TEST_F(nth, open)
{
	int opened;
	const struct operation operation = {
		.run = run_open,
		.undo = undo_open,
		.arg = &opened,
	};
	struct bufpool_stats after;

	EXPECT_LT(1, sweep(_metadata, self->nth, self->fd, &self->before,
			   &operation));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(self->before.clients, after.clients);
}

static int run_poller(int fd, void *arg)
{
	return *(int *)arg = poller_of(fd, 1);
}

TEST_F(nth, poller)
{
	int opened;
	const struct operation operation = {
		.run = run_poller,
		.undo = undo_open,
		.arg = &opened,
	};

	EXPECT_LT(1, sweep(_metadata, self->nth, self->fd, &self->before,
			   &operation));
}

static int run_channel(int fd, void *arg)
{
	return channel_make(fd, BUFPOOL_CHANNEL_MAX, arg);
}

static void undo_channel(int fd, void *arg)
{
	(void)fd;
	channel_end(arg);
}

TEST_F(nth, channel)
{
	struct channel channel;
	const struct operation operation = {
		.run = run_channel,
		.undo = undo_channel,
		.arg = &channel,
	};
	__u64 channels = stats_of(self->fd).channels;

	EXPECT_LT(4, sweep(_metadata, self->nth, self->fd, &self->before,
			   &operation));
	EXPECT_EQ(channels, stats_of(self->fd).channels);
}

/* A block goes round and round: each call fails at each of its steps, and nothing is lost. */
struct hand_over {
	struct channel channel;
	struct bufpool_message *messages;	/* where a page is to be had first */
	__u64 handle;
	char *at;
};

static int run_send(int fd, struct hand_over *hand_over)
{
	hand_over->messages->handle = hand_over->handle;
	hand_over->messages->used = 1;
	return send_timed(fd, hand_over->channel.sends, hand_over->messages, 1,
			  BUFPOOL_SEND_NONBLOCK, 0);
}

static int run_receive(int fd, struct hand_over *hand_over)
{
	/* the call has to fetch it */
	madvise(hand_over->messages, PAGE, MADV_DONTNEED);
	return receive_timed(fd, hand_over->channel.receives, hand_over->messages, 1,
			     BUFPOOL_RECEIVE_NONBLOCK | BUFPOOL_RECEIVE_MAP, 0);
}

TEST_F(nth, send_and_receive)
{
	bool sent = false, received = false, failed;
	struct hand_over hand_over = { .handle = self->rent.handle };
	unsigned int round;
	int ret;

	hand_over.messages = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, hand_over.messages);
	ASSERT_EQ(0, channel_make(self->fd, 1, &hand_over.channel));
	hand_over.at = map_block(self->fd, &self->rent);
	for (round = 1; round < MOST_ROUNDS && !(sent && received); round++) {
		*hand_over.at = round;
		ASSERT_EQ(0, pool_stats(self->fd, &self->before));
		fail_number(self->nth, round);
		ret = run_send(self->fd, &hand_over);
		failed = has_failed(self->nth);
		sent = ret == 1 && !failed;
		if (ret < 0) {
			EXPECT_TRUE(failed && is_documented(ret));
			EXPECT_TRUE(unchanged(self->fd, &self->before));
			ASSERT_EQ(1, run_send(self->fd, &hand_over));
		}
		ASSERT_EQ(0, pool_stats(self->fd, &self->before));
		fail_number(self->nth, round);
		ret = run_receive(self->fd, &hand_over);
		failed = has_failed(self->nth);
		received = ret == 1 && !failed;
		if (ret < 0) {
			EXPECT_TRUE(failed && is_documented(ret));
			EXPECT_TRUE(unchanged(self->fd, &self->before));
			ASSERT_EQ(1, run_receive(self->fd, &hand_over));
		}
		hand_over.handle = hand_over.messages->handle;
		/* a favour may have failed, too */
		EXPECT_EQ((char)round, *hand_over.at);
	}
	EXPECT_GT(MOST_ROUNDS, round);
	EXPECT_LT(1, round);
	EXPECT_EQ(0, give(self->fd, hand_over.handle));
	channel_end(&hand_over.channel);
	munmap(hand_over.messages, PAGE);
}

static int run_cancel(int fd, void *arg)
{
	return cancel(fd, *(int *)arg);
}

static void undo_cancel(int fd, void *arg)
{
	(void)arg;
	cancel(fd, BUFPOOL_CANCEL_OFF);
}

TEST_F(nth, cancel)
{
	int on = 0;
	const struct operation operation = {
		.run = run_cancel,
		.undo = undo_cancel,
		.arg = &on,
	};

	EXPECT_LT(0, sweep(_metadata, self->nth, self->fd, &self->before,
			   &operation));
}

static int run_info(int fd, void *arg)
{
	return pool_info(fd, arg);
}

TEST_F(nth, info)
{
	struct bufpool_info info;
	const struct operation operation = { .run = run_info, .arg = &info };

	EXPECT_LT(0, sweep(_metadata, self->nth, self->fd, &self->before,
			   &operation));
}

static int run_stats(int fd, void *arg)
{
	return pool_stats(fd, arg);
}

TEST_F(nth, stats)
{
	struct bufpool_stats stats;
	const struct operation operation = { .run = run_stats, .arg = &stats };

	EXPECT_LT(0, sweep(_metadata, self->nth, self->fd, &self->before,
			   &operation));
}

static int run_limit(int fd, void *arg)
{
	return set_ceiling(fd, *(__u64 *)arg);
}

TEST_F(nth, limit)
{
	__u64 ceiling = ~0ULL;
	const struct operation operation = {
		.run = run_limit,
		.arg = &ceiling,
	};

	EXPECT_LT(0, sweep(_metadata, self->nth, self->fd, &self->before,
			   &operation));
}

/* Rents change the client's counters: let each be another client's. */
struct renting {
	__u64 size;
	int count;
	int fd;
	struct bufpool_rent rent;
	struct bufpool_block blocks[8];
};

static int run_rent(int fd, void *arg)
{
	struct renting *renting = arg;

	(void)fd;
	return rent(renting->fd, renting->size, &renting->rent);
}

static int run_rent_many(int fd, void *arg)
{
	struct renting *renting = arg;

	(void)fd;
	renting->count = rent_many(renting->fd, renting->size, 8,
				   renting->blocks);
	return renting->count;
}

static void undo_rent(int fd, void *arg)
{
	struct renting *renting = arg;

	(void)fd;
	give(renting->fd, renting->rent.handle);
}

static void undo_rent_many(int fd, void *arg)
{
	struct renting *renting = arg;
	int i;

	(void)fd;
	for (i = 0; i < renting->count; i++)
		give(renting->fd, renting->blocks[i].handle);
}

/* From a pool that has to grow: a lower limit made it give all back. */
static bool empty_pool(int fd)
{
	struct bufpool_info info;

	if (pool_info(fd, &info))
		return false;
	return !limit_write(info.slab_size) &&
	       !limit_write(parameters_at_start[0]);
}

FIXTURE(rent_nth)
{
	int nth;
	struct renting renting;
	struct bufpool_info info;
	struct bufpool_stats before;
};

FIXTURE_SETUP(rent_nth)
{
	self->renting.fd = pool_open();
	ASSERT_LE(0, self->renting.fd);
	ASSERT_EQ(0, pool_info(self->renting.fd, &self->info));
	self->nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->nth);
}

FIXTURE_TEARDOWN(rent_nth)
{
	close(self->nth);
	close(self->renting.fd);
	limit_restore();
}

/* One round after the other, each with a client and a pool as if new. */
static unsigned int sweep_rent(struct __test_metadata *_metadata, int nth,
			       struct renting *renting, bool grow,
			       int (*run)(int fd, void *arg),
			       void (*undo)(int fd, void *arg))
{
	struct bufpool_stats before;
	unsigned int round, hits = 0;

	for (round = 1; round < MOST_ROUNDS; round++) {
		bool failed;
		int ret;

		if (grow)
			EXPECT_TRUE(empty_pool(renting->fd));
		EXPECT_EQ(0, pool_stats(renting->fd, &before));
		fail_number(nth, round);
		ret = run(renting->fd, renting);
		failed = has_failed(nth);
		hits += failed;
		if (ret < 0) {
			EXPECT_TRUE(failed && is_documented(ret)) {
				TH_LOG("round %u: %d", round, ret);
			}
			EXPECT_TRUE(unchanged(renting->fd, &before)) {
				TH_LOG("round %u: %d", round, ret);
			}
			continue;
		}
		undo(renting->fd, renting);
		if (!failed)
			break;
	}
	EXPECT_GT(MOST_ROUNDS, round);
	return hits;
}

TEST_F(rent_nth, from_the_free_list)
{
	self->renting.size = BLOCK;
	ASSERT_EQ(0, run_rent(-1, &self->renting));
	undo_rent(-1, &self->renting);
	sweep_rent(_metadata, self->nth, &self->renting, false, run_rent,
		   undo_rent);
}

TEST_F(rent_nth, from_a_new_slab)
{
	/* of a size of which no slab is left with a free block */
	self->renting.size = 4 * BLOCK;
	EXPECT_LT(0, sweep_rent(_metadata, self->nth, &self->renting, true,
				run_rent, undo_rent));
}

TEST_F(rent_nth, of_the_largest_size)
{
	self->renting.size = self->info.max_rent;
	EXPECT_LT(0, sweep_rent(_metadata, self->nth, &self->renting, true,
				run_rent, undo_rent));
}

TEST_F(rent_nth, many)
{
	self->renting.size = BLOCK;
	EXPECT_LT(0, sweep_rent(_metadata, self->nth, &self->renting, true,
				run_rent_many, undo_rent_many));
}

static int export_block(int fd, __u64 handle)
{
	struct bufpool_export args = { .size = sizeof(args), .handle = handle };

	return pool_ioctl(fd, BUFPOOL_IOC_EXPORT, &args);
}

/* Where large memory fails a block for I/O is in pieces; a dma-buf has them in their order. */
TEST_F(rent_nth, dma_buf_of_pieces)
{
	struct renting *renting = &self->renting;
	unsigned int round, pieces = 0;
	char *at, *again;
	int dmabuf;
	__u64 i;

	for (round = 1; round < 8; round++) {
		ASSERT_TRUE(empty_pool(renting->fd));
		fail_number(self->nth, round);
		dmabuf = rent_with(renting->fd, MIB, BUFPOOL_RENT_IO | BUFPOOL_RENT_NONBLOCK, 0,
				   &renting->rent);
		pieces += has_failed(self->nth) && !dmabuf;
		if (dmabuf)
			continue;
		at = map_block(renting->fd, &renting->rent);
		ASSERT_NE(MAP_FAILED, at);
		dmabuf = export_block(renting->fd, renting->rent.handle);
		ASSERT_LE(0, dmabuf);
		again = map_at(dmabuf, 0, MIB);
		ASSERT_NE(MAP_FAILED, again);
		for (i = 0; i < MIB; i += PAGE)
			memset(at + i, i / PAGE, PAGE);
		EXPECT_EQ(0, memcmp(at, again, MIB));
		munmap(again, MIB);
		munmap(at, MIB);
		close(dmabuf);
		EXPECT_EQ(0, give_up(renting->fd, renting->rent.handle));
	}
	EXPECT_LT(0, pieces);
}

/* A return may fail for its argument only, and then has not happened. */
TEST_F(nth, give)
{
	unsigned int round;

	for (round = 1; round < MOST_ROUNDS; round++) {
		bool failed;
		int ret;

		ASSERT_EQ(0, pool_stats(self->fd, &self->before));
		fail_number(self->nth, round);
		ret = give(self->fd, self->rent.handle);
		failed = has_failed(self->nth);
		if (ret) {
			EXPECT_EQ(-EFAULT, ret);
			EXPECT_TRUE(failed);
			EXPECT_TRUE(unchanged(self->fd, &self->before));
			continue;
		}
		if (!failed)
			break;
		ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	}
	EXPECT_GT(MOST_ROUNDS, round);
}

TEST_F(nth, give_many)
{
	struct bufpool_block blocks[4];
	struct bufpool_stats after;
	unsigned int round;
	__u64 handles[4];
	int i, ret;

	for (round = 1; round < MOST_ROUNDS; round++) {
		bool failed;

		ASSERT_EQ(4, rent_many(self->fd, BLOCK, 4, blocks));
		for (i = 0; i < 4; i++)
			handles[i] = blocks[i].handle;
		ASSERT_EQ(0, pool_stats(self->fd, &self->before));
		fail_number(self->nth, round);
		ret = give_many(self->fd, handles, 4);
		failed = has_failed(self->nth);
		if (ret < 0) {
			EXPECT_EQ(-EFAULT, ret);
			EXPECT_TRUE(failed);
			EXPECT_TRUE(unchanged(self->fd, &self->before));
			ret = 0;
		}
		ASSERT_EQ(0, pool_stats(self->fd, &after));
		EXPECT_EQ(self->before.client_blocks - ret,
			  after.client_blocks);
		for (i = ret; i < 4; i++)
			ASSERT_EQ(0, give(self->fd, handles[i]));
		if (!failed)
			break;
	}
	EXPECT_GT(MOST_ROUNDS, round);
}

/* Where a process has nothing: each level of page tables has to be made for a mapping. */
#define FAR	((void *)(1ULL << 45))

/*
 * The first touch comes from write(), whose answer is an error where a touch of
 * the program's own would be repeated by the kernel.
 */
struct touching {
	int input;		/* of a pipe, or of what takes anything */
	int fd;			/* what is mapped */
	__u64 offset;
	size_t length;
	int prot;
};

static int run_map_and_touch(int fd, void *arg)
{
	struct touching *touching = arg;
	int ret = 0;

	(void)fd;
	if (mmap(FAR, touching->length, touching->prot, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 touching->fd, touching->offset) == MAP_FAILED)
		return -errno;
	if (write(touching->input, FAR, 1) < 0)
		ret = -errno;
	if (ret)
		munmap(FAR, touching->length);
	return ret;
}

static void undo_map(int fd, void *arg)
{
	struct touching *touching = arg;

	(void)fd;
	munmap(FAR, touching->length);
}

static unsigned int sweep_map(struct __test_metadata *_metadata, int nth, int fd,
			      const struct bufpool_stats *before, struct touching *touching)
{
	const struct operation operation = {
		.run = run_map_and_touch,
		.undo = undo_map,
		.arg = touching,
	};
	int ends[2];

	EXPECT_EQ(0, pipe2(ends, O_NONBLOCK | O_CLOEXEC));
	touching->input = ends[1];
	return sweep(_metadata, nth, fd, before, &operation);
}

TEST_F(nth, map_and_touch)
{
	struct touching touching = {
		.fd = self->fd,
		.offset = self->rent.offset,
		.length = BLOCK,
		.prot = PROT_READ | PROT_WRITE,
	};

	ASSERT_TRUE(block_fill(self->fd, self->rent.offset, BLOCK, 0x5a));
	EXPECT_LT(1, sweep_map(_metadata, self->nth, self->fd, &self->before, &touching));
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
}

TEST_F(nth, map_and_touch_the_status)
{
	struct touching touching = { .fd = self->fd, .length = PAGE, .prot = PROT_READ };
	struct bufpool_info info;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	touching.offset = info.status_offset;
	/* an area, and three tables */
	EXPECT_LT(4, sweep_map(_metadata, self->nth, self->fd, &self->before, &touching));
}

TEST_F(nth, map_and_touch_a_dma_buf)
{
	struct touching touching = {
		.fd = export_block(self->fd, self->rent.handle),
		.length = BLOCK,
		.prot = PROT_READ | PROT_WRITE,
	};

	ASSERT_LE(0, touching.fd);
	EXPECT_LT(4, sweep_map(_metadata, self->nth, self->fd, &self->before, &touching));
	close(touching.fd);
}

/* Closing cannot fail: whatever happens inside, all is back. */
TEST_F(nth, close)
{
	__u64 before = in_use(self->observer);
	unsigned int round;

	for (round = 1; round < MOST_ROUNDS; round++) {
		struct bufpool_rent rented;
		int fd = pool_open();
		bool failed;

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, rent(fd, BLOCK, &rented));
		ASSERT_TRUE(block_fill(fd, rented.offset, BLOCK, 0xff));
		fail_number(self->nth, round);
		close(fd);
		failed = has_failed(self->nth);
		ASSERT_TRUE(in_use_becomes(self->observer, before));
		if (!failed)
			break;
	}
	EXPECT_GT(MOST_ROUNDS, round);
}

TEST_HARNESS_MAIN
