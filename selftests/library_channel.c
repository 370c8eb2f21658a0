// SPDX-License-Identifier: MIT
/*
 * libbufpool: blocks that go from pool to pool through the device's channels.
 */
#include "parcel.h"
#include "message.h"

#define CAPACITY	4

/* How long processes are killed, each when its turn comes */
#define KILLING_MS	2000

static void close_ends(const int *ends)
{
	close(ends[0]);
	close(ends[1]);
}

FIXTURE(channel)
{
	struct bufpool *sender, *receiver;
	int ends[2];
	struct bufpool_stats before;
};

FIXTURE_SETUP(channel)
{
	self->sender = bufpool_open(NULL, 0);
	self->receiver = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->sender);
	ASSERT_NE(NULL, self->receiver);
	ASSERT_EQ(0, trimmed_stats(self->sender, &self->before));
	ASSERT_EQ(0, bufpool_channel(self->sender, CAPACITY, self->ends));
}

FIXTURE_TEARDOWN(channel)
{
	struct bufpool_stats after;

	close_ends(self->ends);
	EXPECT_EQ(0, bufpool_close(self->receiver));
	ASSERT_EQ(0, trimmed_stats(self->sender, &after));
	EXPECT_EQ(self->before.in_use, after.in_use);
	EXPECT_EQ(0, after.in_channels);
	EXPECT_EQ(0, after.channels);
	EXPECT_EQ(0, bufpool_close(self->sender));
}

/* A block with @byte in all of it */
static char *rent_filled(struct bufpool *pool, size_t size, unsigned int flags, int byte)
{
	char *block = bufpool_rent(pool, size, flags);

	if (block)
		memset(block, byte, bufpool_block_size(pool, block));
	return block;
}

TEST_F(channel, what_is_sent_arrives)
{
	const size_t sizes[] = { PAGE, 3 * PAGE, 100 * PAGE };
	struct bufpool_parcel parcel;
	char *blocks[3];
	unsigned char byte;
	size_t size;
	int i;

	for (i = 0; i < 3; i++) {
		blocks[i] = rent_filled(self->sender, sizes[i], 0, i + 1);
		ASSERT_NE(NULL, blocks[i]);
		ASSERT_EQ(0, send_now(self->sender, self->ends[1], blocks[i], 100 + i, ~0ULL - i));
		EXPECT_EQ(-ESTALE, block_error(self->sender, blocks[i]));
		EXPECT_EQ(SIGBUS, peek(blocks[i], &byte));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, receive_now(self->receiver, self->ends[0], &parcel));
		EXPECT_EQ(sizeof(parcel), parcel.size);
		EXPECT_EQ(100 + i, parcel.used);
		EXPECT_EQ(~0ULL - i, parcel.tag);
		size = bufpool_block_size(self->receiver, parcel.block);
		EXPECT_EQ(size, parcel.length);
		EXPECT_LE(sizes[i], size);
		EXPECT_TRUE(filled(parcel.block, i + 1, 100 + i));
		EXPECT_TRUE(filled((char *)parcel.block + 100 + i, 0, size - 100 - i));
		EXPECT_EQ(0, bufpool_return(self->receiver, parcel.block, 0));
		EXPECT_EQ(-ESTALE, block_error(self->receiver, parcel.block));
	}
	EXPECT_EQ(-EAGAIN, receive_now(self->receiver, self->ends[0], &parcel));
	EXPECT_EQ(0, held(self->sender));
	EXPECT_EQ(0, held(self->receiver));
}

TEST_F(channel, all_of_a_block_arrives_where_that_is_meant)
{
	struct bufpool_parcel parcel = parcel_of(rent_filled(self->sender, PAGE, 0, 5), 1, 0);

	ASSERT_NE(NULL, parcel.block);
	ASSERT_EQ(0, bufpool_send(self->sender, self->ends[1], &parcel, BUFPOOL_SEND_WHOLE));
	ASSERT_EQ(1, receive_now(self->receiver, self->ends[0], &parcel));
	EXPECT_EQ(1, parcel.used);
	EXPECT_TRUE(filled(parcel.block, 5, PAGE));
}

TEST_F(channel, blocks_for_io_arrive)
{
	struct bufpool_parcel parcel;
	struct bufpool_info info;
	size_t size, most;
	char *block;

	ASSERT_EQ(0, info_of(self->sender, &info));
	if (!info.max_rent_io)
		SKIP(return, "there are no blocks for I/O");
	most = info.max_rent_io < info.limit / 4 ? info.max_rent_io : info.limit / 4;
	for (size = PAGE; size <= most; size *= 4) {
		block = rent_filled(self->sender, size, BUFPOOL_RENT_IO, 6);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, send_now(self->sender, self->ends[1], block, size - 10, 0));
		parcel = empty_parcel();
		ASSERT_EQ(1, bufpool_receive(self->receiver, self->ends[0], &parcel,
					     BUFPOOL_RECEIVE_MAP));
		EXPECT_EQ(size, parcel.length);
		EXPECT_TRUE(filled(parcel.block, 6, size - 10));
		EXPECT_TRUE(filled((char *)parcel.block + size - 10, 0, 10));
		EXPECT_EQ(0, bufpool_return(self->receiver, parcel.block, 0));
	}
}

TEST_F(channel, refusals)
{
	char *block = rent_filled(self->sender, PAGE, 0, 1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), none = dup(null), ends[2];
	struct bufpool_parcel parcel = parcel_of(block, 1, 0), got = empty_parcel();

	ASSERT_NE(NULL, block);
	close(none);
	EXPECT_EQ(-EINVAL, bufpool_channel(self->sender, 0, ends));
	EXPECT_EQ(-EINVAL, bufpool_channel(self->sender, BUFPOOL_CHANNEL_MAX + 1, ends));
	EXPECT_EQ(-EINVAL, bufpool_send(self->sender, self->ends[1], &parcel, BAD_FLAG));
	EXPECT_EQ(-EINVAL, bufpool_send(self->sender, null, &parcel, 0));
	EXPECT_EQ(-EBADF, bufpool_send(self->sender, none, &parcel, 0));
	EXPECT_EQ(-EBADF, bufpool_send(self->sender, -1, &parcel, 0));
	EXPECT_EQ(-EBADF, bufpool_send(self->sender, self->ends[0], &parcel, 0));
	EXPECT_EQ(-ENOENT, bufpool_send(self->receiver, self->ends[1], &parcel, 0));
	parcel.used = PAGE + 1;
	EXPECT_EQ(-EINVAL, bufpool_send(self->sender, self->ends[1], &parcel, 0));
	parcel.used = SIZE_MAX;
	EXPECT_EQ(-EINVAL, bufpool_send(self->sender, self->ends[1], &parcel, 0));
	EXPECT_EQ(-EINVAL, bufpool_receive(self->receiver, self->ends[0], &got, BAD_FLAG));
	EXPECT_EQ(-EINVAL, bufpool_receive(self->receiver, null, &got, 0));
	EXPECT_EQ(-EBADF, bufpool_receive(self->receiver, none, &got, 0));
	EXPECT_EQ(-EBADF, bufpool_receive(self->receiver, self->ends[1], &got, 0));
	EXPECT_TRUE(filled(block, 1, PAGE));
	EXPECT_EQ(0, bufpool_return(self->sender, block, 0));
	close(null);
}

TEST_F(channel, a_full_one_takes_a_part)
{
	struct bufpool_parcel parcels[CAPACITY + 2], got[CAPACITY + 2];
	void *blocks[CAPACITY + 2];
	int i;

	for (i = 0; i < CAPACITY + 2; i++) {
		blocks[i] = rent_filled(self->sender, PAGE, 0, i);
		ASSERT_NE(NULL, blocks[i]);
		parcels[i] = parcel_of(blocks[i], PAGE, i);
		got[i] = empty_parcel();
	}
	EXPECT_EQ(CAPACITY, bufpool_send_many(self->sender, self->ends[1], parcels,
					      CAPACITY + 2, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(2, still_rented(self->sender, blocks, CAPACITY + 2));
	EXPECT_TRUE(filled(blocks[CAPACITY], CAPACITY, PAGE));
	EXPECT_EQ(-EAGAIN, send_now(self->sender, self->ends[1], blocks[CAPACITY], 0, 0));
	EXPECT_EQ(-ETIMEDOUT, bufpool_send_timed(self->sender, self->ends[1],
						 &parcels[CAPACITY], 0, 0));
	EXPECT_EQ(-ETIMEDOUT, bufpool_send_timed(self->sender, self->ends[1],
						 &parcels[CAPACITY], 0, 1000000));
	EXPECT_EQ(CAPACITY, bufpool_receive_many(self->receiver, self->ends[0], got,
						 CAPACITY + 2, 0, BUFPOOL_FOREVER));
	for (i = 0; i < CAPACITY; i++) {
		EXPECT_EQ(i, got[i].tag);
		EXPECT_TRUE(filled(got[i].block, i, PAGE));
	}
	EXPECT_EQ(2, bufpool_send_many(self->sender, self->ends[1], parcels + CAPACITY, 2,
				       0, BUFPOOL_FOREVER));
	EXPECT_EQ(0, held(self->sender));
	/* and what is in the channel comes back with its end, in the teardown */
}

TEST_F(channel, an_end_of_all)
{
	struct bufpool_parcel parcel, untouched = empty_parcel();

	ASSERT_EQ(0, send_now(self->sender, self->ends[1],
			      rent_filled(self->sender, PAGE, 0, 1), 1, 1));
	close(self->ends[1]);
	EXPECT_EQ(1, receive_now(self->receiver, self->ends[0], &parcel));
	EXPECT_EQ(0, bufpool_return(self->receiver, parcel.block, 0));
	parcel = untouched;
	EXPECT_EQ(0, bufpool_receive(self->receiver, self->ends[0], &parcel, 0));
	EXPECT_EQ(0, memcmp(&parcel, &untouched, sizeof(parcel)));
	EXPECT_EQ(0, bufpool_receive_timed(self->receiver, self->ends[0], &parcel, 0, 0));
	self->ends[1] = dup(self->ends[0]);
}

TEST_F(channel, nobody_receives_any_more)
{
	char *block = rent_filled(self->sender, PAGE, 0, 4);

	ASSERT_NE(NULL, block);
	close(self->ends[0]);
	EXPECT_EQ(-EPIPE, send_now(self->sender, self->ends[1], block, 1, 1));
	EXPECT_TRUE(filled(block, 4, PAGE));
	EXPECT_EQ(0, bufpool_return(self->sender, block, 0));
	self->ends[0] = dup(self->ends[1]);
}

/* What is kept, and what the kernel has kept warm, is sent as it is; and kept there. */
TEST_F(channel, kept_and_warm_blocks)
{
	struct bufpool_parcel parcel;
	char *block;
	int i;

	for (i = 0; i < 100; i++) {
		block = rent_filled(self->sender, PAGE, 0, i);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, bufpool_return(self->sender, block, i % 3 ? 0 : BUFPOOL_RETURN_CLEAR));
		block = rent_filled(self->sender, PAGE, 0, i + 1);
		ASSERT_NE(NULL, block);
		ASSERT_EQ(0, send_now(self->sender, self->ends[1], block, PAGE, i));
		EXPECT_EQ(-ESTALE, bufpool_return(self->sender, block, 0));
		ASSERT_EQ(1, receive_now(self->receiver, self->ends[0], &parcel));
		EXPECT_TRUE(filled(parcel.block, i + 1, PAGE));
		ASSERT_EQ(0, bufpool_return(self->receiver, parcel.block, 0));
		block = bufpool_rent(self->receiver, PAGE, 0);
		EXPECT_EQ(parcel.block, block);
		ASSERT_EQ(0, bufpool_return(self->receiver, block, 0));
	}
	EXPECT_EQ(0, held(self->sender));
	EXPECT_EQ(0, held(self->receiver));
}

/* There and back, and to itself */
TEST_F(channel, a_block_is_sent_on)
{
	struct bufpool *pools[] = { self->sender, self->receiver, self->receiver, self->sender };
	struct bufpool_parcel parcel = { .block = rent_filled(self->sender, PAGE, 0, 7) };
	int i;

	ASSERT_NE(NULL, parcel.block);
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, send_now(pools[i % 4], self->ends[1], parcel.block, PAGE, i));
		ASSERT_EQ(1, receive_now(pools[(i + 1) % 4], self->ends[0], &parcel));
		EXPECT_EQ(i, parcel.tag);
		EXPECT_TRUE(filled(parcel.block, 7, PAGE));
	}
	EXPECT_EQ(0, bufpool_return(pools[0], parcel.block, 0));
}

TEST_F(channel, many_go_at_once)
{
	static struct bufpool_parcel parcels[600];
	static void *blocks[600];
	int ends[2], i;

	ASSERT_EQ(0, bufpool_channel(self->sender, BUFPOOL_CHANNEL_MAX, ends));
	ASSERT_EQ(600, bufpool_rent_many(self->sender, 1, BUFPOOL_RENT_ALL, blocks, 600));
	for (i = 0; i < 600; i++) {
		memset(blocks[i], i, PAGE);
		parcels[i] = parcel_of(blocks[i], PAGE, i);
	}
	EXPECT_EQ(600, bufpool_send_many(self->sender, ends[1], parcels, 600, 0,
					 BUFPOOL_FOREVER));
	EXPECT_EQ(0, held(self->sender));
	EXPECT_EQ(600, bufpool_receive_many(self->receiver, ends[0], parcels, 600, 0,
					    BUFPOOL_FOREVER));
	for (i = 0; i < 600; i++) {
		blocks[i] = parcels[i].block;
		EXPECT_EQ(i, parcels[i].tag);
		EXPECT_TRUE(filled(blocks[i], i & 0xff, PAGE));
	}
	EXPECT_EQ(600, bufpool_return_many(self->receiver, blocks, 600, 0));
	close_ends(ends);
}

TEST_F(channel, an_exported_block_waits_for_its_dma_bufs)
{
	char *block = rent_filled(self->sender, PAGE, 0, 2);
	struct bufpool_parcel parcel;
	int dmabuf;

	ASSERT_NE(NULL, block);
	dmabuf = bufpool_export(self->sender, block);
	if (dmabuf == -EOPNOTSUPP)
		SKIP(return, "the kernel has no dma-bufs");
	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(-EBUSY, send_now(self->sender, self->ends[1], block, PAGE, 0));
	EXPECT_TRUE(filled(block, 2, PAGE));
	close(dmabuf);
	while (send_now(self->sender, self->ends[1], block, PAGE, 0) == -EBUSY)
		sleep_ms(1);
	ASSERT_EQ(1, receive_now(self->receiver, self->ends[0], &parcel));
	EXPECT_TRUE(filled(parcel.block, 2, PAGE));
}

TEST_F(channel, a_message_over_the_ceiling_waits)
{
	struct bufpool_parcel parcel;

	ASSERT_EQ(0, send_now(self->sender, self->ends[1],
			      rent_filled(self->sender, PAGE, 0, 3), PAGE, 8));
	ASSERT_EQ(0, set_ceiling(bufpool_fd(self->receiver), 0));
	EXPECT_EQ(-EDQUOT, receive_now(self->receiver, self->ends[0], &parcel));
	ASSERT_EQ(0, set_ceiling(bufpool_fd(self->receiver), ~0ULL));
	ASSERT_EQ(1, receive_now(self->receiver, self->ends[0], &parcel));
	EXPECT_EQ(8, parcel.tag);
	EXPECT_TRUE(filled(parcel.block, 3, PAGE));
}

/* Waiting ------------------------------------------------------------------------- */

struct wait {
	struct bufpool *pool;
	int end;
	int64_t timeout_ns;
	struct bufpool_parcel parcel;
	int said;
	unsigned int tid;
};

static struct wait wait_with(struct bufpool *pool, int end, int64_t timeout_ns)
{
	return (struct wait){ .pool = pool, .end = end, .timeout_ns = timeout_ns };
}

static void *receive_waiting(void *argument)
{
	struct wait *wait = argument;

	wait->parcel = empty_parcel();
	word_set(&wait->tid, gettid());
	wait->said = bufpool_receive_timed(wait->pool, wait->end, &wait->parcel, 0,
					   wait->timeout_ns);
	return NULL;
}

static void *send_waiting(void *argument)
{
	struct wait *wait = argument;

	word_set(&wait->tid, gettid());
	wait->said = bufpool_send_timed(wait->pool, wait->end, &wait->parcel, 0,
					wait->timeout_ns);
	return NULL;
}

/* Begin a wait in a thread; whether it sleeps then. */
static bool begin_waiting(pthread_t *thread, void *(*body)(void *), struct wait *wait)
{
	wait->tid = 0;
	return !pthread_create(thread, NULL, body, wait) &&
	       BECOMES(word_get(&wait->tid) && task_sleeps(getpid(), wait->tid));
}

static bool fill_up(struct bufpool *pool, int end)
{
	void *block;
	int ret;

	do {
		block = bufpool_rent(pool, PAGE, 0);
		ret = send_now(pool, end, block, 1, 0);
	} while (!ret);
	return ret == -EAGAIN && !bufpool_return(pool, block, 0);
}

TEST_F(channel, a_receiver_waits)
{
	struct wait wait = wait_with(self->receiver, self->ends[0], BUFPOOL_FOREVER);
	pthread_t thread;

	ASSERT_TRUE(begin_waiting(&thread, receive_waiting, &wait));
	ASSERT_EQ(0, send_now(self->sender, self->ends[1],
			      rent_filled(self->sender, PAGE, 0, 1), 1, 44));
	pthread_join(thread, NULL);
	EXPECT_EQ(1, wait.said);
	EXPECT_EQ(44, wait.parcel.tag);
	ASSERT_TRUE(begin_waiting(&thread, receive_waiting, &wait));
	close(self->ends[1]);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, wait.said);
	self->ends[1] = dup(self->ends[0]);
}

TEST_F(channel, a_sender_waits)
{
	struct wait wait = wait_with(self->sender, self->ends[1], BUFPOOL_FOREVER);
	struct bufpool_parcel parcel;
	pthread_t thread;

	ASSERT_TRUE(fill_up(self->sender, self->ends[1]));
	wait.parcel = parcel_of(rent_filled(self->sender, PAGE, 0, 1), 1, 0);
	ASSERT_TRUE(begin_waiting(&thread, send_waiting, &wait));
	EXPECT_EQ(-ESTALE, bufpool_return(self->sender, wait.parcel.block, 0));
	EXPECT_EQ(1, receive_now(self->receiver, self->ends[0], &parcel));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, wait.said);
	wait.parcel = parcel_of(rent_filled(self->sender, PAGE, 0, 1), 1, 0);
	ASSERT_TRUE(begin_waiting(&thread, send_waiting, &wait));
	close(self->ends[0]);
	pthread_join(thread, NULL);
	EXPECT_EQ(-EPIPE, wait.said);
	EXPECT_EQ(0, bufpool_return(self->sender, wait.parcel.block, 0));
	self->ends[0] = dup(self->ends[1]);
}

TEST_F(channel, cancel_ends_waits)
{
	struct wait receive = wait_with(self->receiver, self->ends[0], BUFPOOL_FOREVER);
	struct wait send = wait_with(self->sender, -1, BUFPOOL_FOREVER);
	pthread_t thread;
	int full[2];

	ASSERT_TRUE(begin_waiting(&thread, receive_waiting, &receive));
	EXPECT_EQ(0, bufpool_cancel(self->receiver, 1));
	pthread_join(thread, NULL);
	EXPECT_EQ(-ECANCELED, receive.said);
	ASSERT_EQ(0, bufpool_channel(self->sender, 1, full));
	ASSERT_TRUE(fill_up(self->sender, full[1]));
	send.end = full[1];
	send.parcel = parcel_of(rent_filled(self->sender, PAGE, 0, 1), 1, 0);
	ASSERT_TRUE(begin_waiting(&thread, send_waiting, &send));
	EXPECT_EQ(0, bufpool_cancel(self->sender, 1));
	pthread_join(thread, NULL);
	EXPECT_EQ(-ECANCELED, send.said);
	EXPECT_EQ(-ECANCELED, bufpool_send(self->sender, full[1], &send.parcel, 0));
	EXPECT_EQ(0, bufpool_cancel(self->sender, 0));
	EXPECT_EQ(-EAGAIN, send_now(self->sender, full[1], send.parcel.block, 1, 0));
	EXPECT_EQ(0, bufpool_return(self->sender, send.parcel.block, 0));
	close_ends(full);
}

static void ignore(int number)
{
	(void)number;
}

static bool handle_with(int flags)
{
	struct sigaction action = { .sa_handler = ignore, .sa_flags = flags };

	return !sigaction(SIGUSR1, &action, NULL);
}

TEST_F(channel, signals_interrupt_waits)
{
	struct wait wait = wait_with(self->receiver, self->ends[0], 200000000);
	__u64 began;
	pthread_t thread;

	ASSERT_TRUE(handle_with(0));
	ASSERT_TRUE(begin_waiting(&thread, receive_waiting, &wait));
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	EXPECT_EQ(-EINTR, wait.said);
	/* restarted, it has the time that is left */
	ASSERT_TRUE(handle_with(SA_RESTART));
	began = now_ms();
	ASSERT_TRUE(begin_waiting(&thread, receive_waiting, &wait));
	while (now_ms() < began + 150) {
		pthread_kill(thread, SIGUSR1);
		sleep_ms(10);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(-ETIMEDOUT, wait.said);
	EXPECT_LE(began + 199, now_ms());
	EXPECT_GT(began + 10000, now_ms());
}

/* Other processes ------------------------------------------------------------------ */

/* A pool of its own, whose blocks go back with every byte one more */
static int add_one(int from, int to)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	struct bufpool_parcel parcel = empty_parcel();
	unsigned char *at;
	size_t i;
	int ret;

	CHECK(pool);
	while ((ret = bufpool_receive(pool, from, &parcel, 0)) == 1) {
		for (at = parcel.block, i = 0; i < parcel.used; i++)
			at[i]++;
		CHECK(bufpool_send(pool, to, &parcel, 0) == 0);
	}
	CHECK(ret == 0);
	CHECK(bufpool_close(pool) == 0);
	return 0;
}

struct pair {
	int there[2], back[2];
};

static int add_one_in_child(void *argument)
{
	struct pair *pair = argument;

	close(pair->there[1]);
	close(pair->back[0]);
	return add_one(pair->there[0], pair->back[1]);
}

/* Send @count blocks there and see them come back. */
static int exchange(struct bufpool *pool, const struct pair *pair, int count)
{
	struct bufpool_parcel parcel;
	char *block;
	int i;

	for (i = 0; i < count; i++) {
		block = rent_filled(pool, PAGE, 0, i);
		if (!block || send_now(pool, pair->there[1], block, PAGE, i))
			return -1;
		parcel = empty_parcel();
		if (bufpool_receive(pool, pair->back[0], &parcel, 0) != 1 ||
		    parcel.tag != (__u64)i ||
		    !filled(parcel.block, (i + 1) & 0xff, PAGE) ||
		    bufpool_return(pool, parcel.block, 0))
			return -1;
	}
	return 0;
}

TEST_F(channel, a_child_has_the_ends)
{
	struct pair pair;
	pid_t child;

	ASSERT_EQ(0, bufpool_channel(self->sender, CAPACITY, pair.there));
	ASSERT_EQ(0, bufpool_channel(self->sender, CAPACITY, pair.back));
	child = spawn(add_one_in_child, &pair);
	close(pair.there[0]);
	close(pair.back[1]);
	EXPECT_EQ(0, exchange(self->sender, &pair, 300));
	close(pair.there[1]);
	EXPECT_EQ(0, reap(child));
	close(pair.back[0]);
}

static int add_one_with_what_comes(void *argument)
{
	int socket = *(int *)argument, from = receive_descriptor(socket);

	return add_one(from, receive_descriptor(socket));
}

TEST_F(channel, ends_are_passed_on_in_messages)
{
	struct pair pair;
	int sockets[2];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	child = spawn(add_one_with_what_comes, &sockets[1]);
	ASSERT_EQ(0, bufpool_channel(self->sender, CAPACITY, pair.there));
	ASSERT_EQ(0, bufpool_channel(self->sender, CAPACITY, pair.back));
	ASSERT_TRUE(send_descriptor(sockets[0], pair.there[0]));
	ASSERT_TRUE(send_descriptor(sockets[0], pair.back[1]));
	close(pair.there[0]);
	close(pair.back[1]);
	EXPECT_EQ(0, exchange(self->sender, &pair, 20));
	close(pair.there[1]);
	EXPECT_EQ(0, reap(child));
	close(pair.back[0]);
	close_ends(sockets);
}

static int __attribute__((noreturn)) send_for_ever(void *argument)
{
	int end = *(int *)argument;
	struct bufpool *pool = bufpool_open(NULL, 0);
	struct bufpool_parcel parcels[8];
	void *blocks[8];
	int i, ret, done;

	CHECK(pool);
	for (;;) {
		CHECK(bufpool_rent_many(pool, PAGE, BUFPOOL_RENT_ALL, blocks, 8) == 8);
		for (i = 0; i < 8; i++) {
			memset(blocks[i], getpid(), PAGE);
			parcels[i] = parcel_of(blocks[i], PAGE, getpid());
		}
		for (done = 0; done < 8; done += ret) {
			ret = bufpool_send_many(pool, end, parcels + done, 8 - done, 0,
						BUFPOOL_FOREVER);
			CHECK(ret > 0);
		}
	}
}

static int __attribute__((noreturn)) receive_for_ever(void *argument)
{
	int end = *(int *)argument;
	struct bufpool *pool = bufpool_open(NULL, 0);
	struct bufpool_parcel parcel = empty_parcel();

	CHECK(pool);
	for (;;) {
		CHECK(bufpool_receive(pool, end, &parcel, 0) == 1);
		CHECK(filled(parcel.block, parcel.tag & 0xff, PAGE));
		CHECK(bufpool_return(pool, parcel.block, 0) == 0);
	}
}

/* Whoever dies in the middle of it, others go on, and nothing is left behind. */
TEST_F(channel, senders_and_receivers_are_killed)
{
	int (*const bodies[])(void *) = { send_for_ever, receive_for_ever };
	__u64 end = now_ms() + KILLING_MS;
	pid_t children[6];
	int round, i;

	for (i = 0; i < 6; i++)
		children[i] = spawn(bodies[i % 2], &self->ends[!(i % 2)]);
	for (round = 0; round < 6 || now_ms() < end; round++) {
		sleep_ms(5);
		i = round % 6;
		EXPECT_EQ(0, kill(children[i], SIGKILL));
		EXPECT_EQ(-SIGKILL, reap(children[i]));
		children[i] = spawn(bodies[i % 2], &self->ends[!(i % 2)]);
	}
	for (i = 0; i < 6; i++) {
		kill(children[i], SIGKILL);
		EXPECT_EQ(-SIGKILL, reap(children[i]));
	}
}

TEST_HARNESS_MAIN
