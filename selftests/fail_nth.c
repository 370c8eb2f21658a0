// SPDX-License-Identifier: MIT
/*
 * Every call of the device, with each of its allocations and copies failing once.
 */
#include "channel.h"
#include "nth.h"

#include <poll.h>
#include <sys/epoll.h>

#define USER	4711

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

/* A call that says or sets something, and may be repeated */
struct call {
	unsigned long cmd;
	void *arg;
	size_t size;
};

static int run_call(int fd, void *arg)
{
	const struct call *call = arg;
	char copy[512];

	memcpy(copy, call->arg, call->size);
	return pool_ioctl(fd, call->cmd, copy);
}

#define CALL(cmd, type, ...) \
	{ cmd, &(struct type){ .size = sizeof(struct type), __VA_ARGS__ }, sizeof(struct type) }

TEST_F(nth, plain_calls)
{
	struct call calls[] = {
		CALL(BUFPOOL_IOC_INFO, bufpool_info, .flags = 0),
		CALL(BUFPOOL_IOC_STATS, bufpool_stats, .flags = 0),
		CALL(BUFPOOL_IOC_CLASS, bufpool_class_info, .nr = 1),
		CALL(BUFPOOL_IOC_LIMIT, bufpool_limit, .ceiling = ~0ULL),
		CALL(BUFPOOL_IOC_QUOTA, bufpool_quota, .uid = USER),
		CALL(BUFPOOL_IOC_QUOTA, bufpool_quota, .flags = BUFPOOL_QUOTA_SET,
		     .uid = USER + 1, .quota = ~0ULL),
		CALL(BUFPOOL_IOC_TRIM, bufpool_trim, .min_size = 0),
		CALL(BUFPOOL_IOC_CANCEL, bufpool_cancel, .flags = BUFPOOL_CANCEL_OFF),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct operation operation = { .run = run_call, .arg = &calls[i] };

		/* the copies of the smallest are of single words */
		EXPECT_LT(0, sweep(_metadata, self->nth, self->fd, &self->before, &operation)) {
			TH_LOG("call %#lx", calls[i].cmd);
		}
	}
}

static int run_export(int fd, void *arg)
{
	const struct bufpool_rent *rented = arg;
	int ret = export_block(fd, rented->handle);

	if (ret < 0)
		return ret;
	close(ret);
	return 0;
}

TEST_F(nth, export)
{
	const struct operation operation = { .run = run_export, .arg = &self->rent };

	EXPECT_LT(3, sweep(_metadata, self->nth, self->fd, &self->before, &operation));
	/* none is left of those that failed, which would hold it */
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).quarantined));
}

/* What is polled: the client, what tells it alone of returns, and both ends of a channel */
struct polled {
	struct pollfd fds[4];
	int epoll;
};

static int run_poll(int fd, void *arg)
{
	struct polled *polled = arg;

	(void)fd;
	return poll(polled->fds, ARRAY_SIZE(polled->fds), 0) < 0 ? -errno : 0;
}

static void undo_epoll(int fd, void *arg)
{
	struct polled *polled = arg;
	size_t i;

	(void)fd;
	for (i = 0; i < ARRAY_SIZE(polled->fds); i++)
		epoll_ctl(polled->epoll, EPOLL_CTL_DEL, polled->fds[i].fd, NULL);
}

static int run_epoll(int fd, void *arg)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	struct polled *polled = arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(polled->fds); i++) {
		if (epoll_ctl(polled->epoll, EPOLL_CTL_ADD, polled->fds[i].fd, &event)) {
			int ret = -errno;

			undo_epoll(fd, arg);
			return ret;
		}
	}
	return epoll_wait(polled->epoll, &event, 1, 0) < 0 ? -errno : 0;
}

TEST_F(nth, poll)
{
	struct polled polled;
	const struct operation once = { .run = run_poll, .arg = &polled };
	const struct operation lasting = {
		.run = run_epoll,
		.undo = undo_epoll,
		.arg = &polled,
	};
	struct channel channel;

	ASSERT_EQ(0, channel_make(self->fd, 1, &channel));
	polled.epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, polled.epoll);
	polled.fds[0] = (struct pollfd){ self->fd, POLLIN, 0 };
	polled.fds[1] = (struct pollfd){ poller_of(self->fd, PAGE), POLLIN, 0 };
	polled.fds[2] = (struct pollfd){ channel.receives, POLLIN, 0 };
	polled.fds[3] = (struct pollfd){ channel.sends, POLLOUT, 0 };
	ASSERT_LE(0, polled.fds[1].fd);
	EXPECT_LT(1, sweep(_metadata, self->nth, self->fd, &self->before, &once));
	EXPECT_LT(4, sweep(_metadata, self->nth, self->fd, &self->before, &lasting));
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
