// SPDX-License-Identifier: MIT
/*
 * libbufpool: what it does itself where blocks are sent and received.
 *
 * A provider has channels here, also where the pool's own has none: what is sent is given
 * back to that, and what is received is rented from it.
 */
#include "parcel.h"

#include <sys/resource.h>

#define ROUNDS		2000

FIXTURE(scripted)
{
	struct bufpool *pool;
	struct bufpool_provider_ops ops;
	const struct bufpool_provider_ops *real;
};

static struct {
	int error;			/* what the next calls say */
	int most;			/* so many messages does a call take or give */
	unsigned int calls;
	int end;			/* what the last one was told */
	unsigned int flags, count;
	__s64 timeout_ns;
	struct bufpool_message messages[BUFPOOL_MANY_MAX];
	void (*meanwhile)(void);	/* in it */
} script;

static const struct bufpool_provider_ops *real_ops;

static int note_call(int end, unsigned int count, unsigned int flags, __s64 timeout_ns)
{
	script.calls++;
	script.end = end;
	script.flags = flags;
	script.count = count;
	script.timeout_ns = timeout_ns;
	if (script.meanwhile)
		script.meanwhile();
	if (script.error)
		return script.error;
	return (int)count < script.most ? (int)count : script.most;
}

static int send_scripted(struct bufpool_provider *provider, int end,
			 const struct bufpool_message *messages, unsigned int count,
			 unsigned int flags, __s64 timeout_ns)
{
	int ret = note_call(end, count, flags, timeout_ns), i;

	memcpy(script.messages, messages, count * sizeof(*messages));
	for (i = 0; i < ret; i++)
		if (real_ops->return_many(provider, &messages[i].handle, 1,
					  BUFPOOL_RETURN_REVOKE) != 1)
			return i ? i : -ENOENT;
	return ret;
}

static int receive_scripted(struct bufpool_provider *provider, int end,
			    struct bufpool_message *messages, unsigned int count,
			    unsigned int flags, __s64 timeout_ns)
{
	int ret = note_call(end, count, flags, timeout_ns), i;
	struct bufpool_block got;

	for (i = 0; i < ret; i++) {
		if (real_ops->rent_many(provider, PAGE, 0, 0, &got, 1) != 1)
			return i ? i : -EIO;
		messages[i] = (struct bufpool_message){
			.handle = got.handle,
			.used = i,
			.tag = 100 + i,
			.offset = got.offset,
			.length = got.length,
		};
	}
	return ret;
}

static int channel_scripted(struct bufpool_provider *provider, unsigned int capacity,
			    int *ends)
{
	(void)provider;
	ends[0] = capacity;
	ends[1] = capacity + 1;
	return script.error;
}

/* To receive takes address space in proportion to the limit: 32 bits and valgrind have little. */
FIXTURE_SETUP(scripted)
{
	if (private_chosen())
		ASSERT_EQ(0, setenv("BUFPOOL_PRIVATE_LIMIT", SMALL_LIMIT_TEXT, 1));
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	real_ops = self->pool->provider.ops;
	self->ops = *real_ops;
	self->ops.channel = channel_scripted;
	self->ops.send = send_scripted;
	self->ops.receive = receive_scripted;
	self->pool->provider.ops = &self->ops;
	memset(&script, 0, sizeof(script));
	script.most = INT_MAX;
}

FIXTURE_TEARDOWN(scripted)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
}

TEST_F(scripted, a_channel_has_two_ends)
{
	int ends[2] = { -1, -1 };

	EXPECT_EQ(0, bufpool_channel(self->pool, 7, ends));
	EXPECT_EQ(7, ends[0]);
	EXPECT_EQ(8, ends[1]);
	EXPECT_EQ(-EINVAL, bufpool_channel(self->pool, 7, NULL));
	EXPECT_EQ(-EINVAL, bufpool_channel(NULL, 7, ends));
	script.error = -EMFILE;
	EXPECT_EQ(-EMFILE, bufpool_channel(self->pool, 7, ends));
}

TEST_F(scripted, what_is_sent_is_gone)
{
	void *block = bufpool_rent(self->pool, 3 * PAGE, 0);
	struct bufpool_parcel parcel = parcel_of(block, 5000, 77);
	uint64_t handle;

	ASSERT_NE(NULL, block);
	ASSERT_EQ(0, bufpool_handle(self->pool, block, &handle));
	EXPECT_EQ(0, bufpool_send(self->pool, 42, &parcel, BUFPOOL_SEND_WHOLE));
	EXPECT_EQ(42, script.end);
	EXPECT_EQ(BUFPOOL_SEND_WHOLE, script.flags);
	EXPECT_EQ(0, script.timeout_ns);
	EXPECT_EQ(1, script.count);
	EXPECT_EQ(handle, script.messages[0].handle);
	EXPECT_EQ(5000, script.messages[0].used);
	EXPECT_EQ(77, script.messages[0].tag);
	EXPECT_EQ(-ESTALE, block_error(self->pool, block));
	EXPECT_EQ(-ESTALE, bufpool_send(self->pool, 42, &parcel, 0));
	EXPECT_EQ(1, script.calls);
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(scripted, send_refusals)
{
	char *block = bufpool_rent(self->pool, 4 * PAGE, 0);
	struct bufpool_parcel parcel = parcel_of(block, 1, 0), bad;
	struct {
		struct bufpool_parcel known;
		uint64_t more[2];
	} longer = { .known = parcel };
	unsigned int i;

	ASSERT_NE(NULL, block);
	EXPECT_EQ(-EINVAL, bufpool_send(NULL, 1, &parcel, 0));
	EXPECT_EQ(-EINVAL, bufpool_send(self->pool, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, bufpool_send_many(self->pool, 1, &parcel, 0, 0, 0));
	EXPECT_EQ(-EINVAL, bufpool_send_many(self->pool, 1, &parcel, INT_MAX + 1U, 0, 0));
	EXPECT_EQ(-EINVAL, bufpool_send_timed(self->pool, 1, &parcel, 0, BUFPOOL_FOREVER - 1));
	EXPECT_EQ(-EINVAL, bufpool_send_timed(self->pool, 1, &parcel, 0, INT64_MIN));
	bad = parcel;
	for (bad.size = 0; bad.size < sizeof(bad); bad.size++)
		EXPECT_EQ(-EINVAL, bufpool_send(self->pool, 1, &bad, 0));
	bad.size = sizeof(bad) + 1;
	EXPECT_EQ(-EINVAL, bufpool_send(self->pool, 1, &bad, 0));
	bad.size = SIZE_MAX - (sizeof(size_t) - 1);
	EXPECT_EQ(-E2BIG, bufpool_send(self->pool, 1, &bad, 0));
	bad = parcel_of(NULL, 1, 0);
	EXPECT_EQ(-EINVAL, bufpool_send(self->pool, 1, &bad, 0));
	bad = parcel_of(block + PAGE, 1, 0);
	EXPECT_EQ(-EINVAL, bufpool_send(self->pool, 1, &bad, 0));
	bad = parcel_of(self, 1, 0);
	EXPECT_EQ(-ENOENT, bufpool_send(self->pool, 1, &bad, 0));
	/* a structure newer than the library: what it does not know must be zero */
	longer.known.size = sizeof(longer);
	for (i = 0; i < sizeof(longer.more); i++) {
		((char *)longer.more)[i] = 1;
		EXPECT_EQ(-E2BIG, bufpool_send(self->pool, 1, &longer.known, 0));
		((char *)longer.more)[i] = 0;
	}
	EXPECT_EQ(0, script.calls);
	EXPECT_EQ(0, bufpool_send(self->pool, 1, &longer.known, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* A call that fails leaves the block rented, and kept when it is returned. */
TEST_F(scripted, a_send_that_fails_changes_nothing)
{
	static const int errors[] = {
		-EPIPE, -EAGAIN, -EBUSY, -EBADF, -EINTR, -ECANCELED, -ETIMEDOUT, -EINVAL,
		-ENOTTY, -ENOMEM
	};
	char *block = bufpool_rent(self->pool, PAGE, 0);
	struct bufpool_parcel parcel = parcel_of(block, 1, 0);
	unsigned int i;

	ASSERT_NE(NULL, block);
	memset(block, 9, PAGE);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		script.error = errors[i];
		EXPECT_EQ(errors[i], bufpool_send(self->pool, 1, &parcel, 0));
		EXPECT_EQ(PAGE, bufpool_block_size(self->pool, block));
		EXPECT_TRUE(filled(block, 9, PAGE));
	}
	/* the kernel knows better */
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	block = bufpool_rent(self->pool, PAGE, 0);
	ASSERT_NE(NULL, block);
	script.error = -ESTALE;
	EXPECT_EQ(-ESTALE, send_now(self->pool, 1, block, 0, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
}

TEST_F(scripted, time_limits)
{
	void *block = bufpool_rent(self->pool, 1, 0);
	struct bufpool_parcel parcel = parcel_of(block, 1, 0), got = empty_parcel();

	ASSERT_NE(NULL, block);
	script.error = -EAGAIN;
	EXPECT_EQ(-ETIMEDOUT, bufpool_send_timed(self->pool, 1, &parcel, 0, 0));
	EXPECT_EQ(BUFPOOL_SEND_NONBLOCK, script.flags);
	EXPECT_EQ(-EAGAIN, bufpool_send_timed(self->pool, 1, &parcel, BUFPOOL_SEND_NONBLOCK, 0));
	EXPECT_EQ(-EAGAIN, bufpool_send_timed(self->pool, 1, &parcel, 0, 5));
	EXPECT_EQ(5, script.timeout_ns);
	EXPECT_EQ(0, script.flags);
	EXPECT_EQ(-EAGAIN, bufpool_send_timed(self->pool, 1, &parcel, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(0, script.timeout_ns);
	EXPECT_EQ(0, script.flags);
	EXPECT_EQ(-ETIMEDOUT, bufpool_receive_timed(self->pool, 1, &got, 0, 0));
	EXPECT_EQ(BUFPOOL_RECEIVE_NONBLOCK, script.flags);
	EXPECT_EQ(-EAGAIN, bufpool_receive_timed(self->pool, 1, &got, BUFPOOL_RECEIVE_NONBLOCK, 0));
	EXPECT_EQ(-EAGAIN, bufpool_receive_timed(self->pool, 1, &got, BUFPOOL_RECEIVE_MAP, 7));
	EXPECT_EQ(7, script.timeout_ns);
	EXPECT_EQ(BUFPOOL_RECEIVE_MAP, script.flags);
	EXPECT_EQ(-EINVAL, bufpool_receive_timed(self->pool, 1, &got, 0, BUFPOOL_FOREVER - 1));
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
}

TEST_F(scripted, what_is_not_taken_stays_rented)
{
	struct bufpool_parcel parcels[6];
	void *blocks[6];
	int i;

	ASSERT_EQ(6, bufpool_rent_many(self->pool, PAGE, BUFPOOL_RENT_ALL, blocks, 6));
	for (i = 0; i < 6; i++)
		parcels[i] = parcel_of(blocks[i], i, i);
	script.most = 4;
	EXPECT_EQ(4, bufpool_send_many(self->pool, 1, parcels, 6, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(1, script.calls);
	EXPECT_EQ(2, still_rented(self->pool, blocks, 6));
	EXPECT_EQ(-ESTALE, bufpool_send_many(self->pool, 1, parcels, 6, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(2, bufpool_return_many(self->pool, blocks + 4, 2, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* The next block says why, to a call that begins with it. */
TEST_F(scripted, what_is_refused_ends_the_call)
{
	struct bufpool_parcel parcels[4];
	void *blocks[2];

	ASSERT_EQ(2, bufpool_rent_many(self->pool, PAGE, BUFPOOL_RENT_ALL, blocks, 2));
	parcels[0] = parcel_of(blocks[0], 0, 0);
	parcels[1] = parcel_of(blocks[0], 0, 0);
	parcels[2] = parcel_of(blocks[1], 0, 0);
	parcels[3] = parcel_of(self, 0, 0);
	EXPECT_EQ(1, bufpool_send_many(self->pool, 1, parcels, 4, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(-ESTALE, bufpool_send_many(self->pool, 1, parcels + 1, 3, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(1, bufpool_send_many(self->pool, 1, parcels + 2, 2, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(-ENOENT, bufpool_send_many(self->pool, 1, parcels + 3, 1, 0, BUFPOOL_FOREVER));
	ASSERT_EQ(2, bufpool_rent_many(self->pool, PAGE, BUFPOOL_RENT_ALL, blocks, 2));
	parcels[0] = parcel_of(blocks[0], 0, 0);
	parcels[1] = parcel_of(blocks[1], 0, 0);
	parcels[1].size += 8;
	EXPECT_EQ(1, bufpool_send_many(self->pool, 1, parcels, 2, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(0, bufpool_return(self->pool, blocks[1], 0));
	EXPECT_EQ(0, held(self->pool));
}

/* As a program's own that is compiled with another header */
struct longer {
	struct bufpool_parcel known;
	uint64_t more[3];
};

TEST_F(scripted, the_size_is_the_stride)
{
	struct longer parcels[5];
	void *blocks[5];
	int i;

	ASSERT_EQ(5, bufpool_rent_many(self->pool, PAGE, BUFPOOL_RENT_ALL, blocks, 5));
	memset(parcels, 0, sizeof(parcels));
	for (i = 0; i < 5; i++) {
		parcels[i].known = parcel_of(blocks[i], i, 10 + i);
		parcels[i].known.size = sizeof(*parcels);
	}
	EXPECT_EQ(5, bufpool_send_many(self->pool, 1, &parcels->known, 5, 0, BUFPOOL_FOREVER));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(10 + i, script.messages[i].tag);
	memset(parcels, 0xff, sizeof(parcels));
	for (i = 0; i < 5; i++)
		parcels[i].known.size = sizeof(*parcels);
	script.most = 4;
	EXPECT_EQ(4, bufpool_receive_many(self->pool, 1, &parcels->known, 5, 0,
					  BUFPOOL_FOREVER));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(sizeof(*parcels), parcels[i].known.size);
		EXPECT_EQ(100 + i, parcels[i].known.tag);
		EXPECT_TRUE(filled(parcels[i].more, 0, sizeof(parcels[i].more)));
		EXPECT_EQ(0, bufpool_return(self->pool, parcels[i].known.block, 0));
	}
	/* and nothing has come of the last */
	EXPECT_TRUE(filled(&parcels[4].known.block, 0xff,
			   sizeof(parcels[4]) - offsetof(struct bufpool_parcel, block)));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(scripted, receive_refusals)
{
	struct bufpool_parcel parcels[2] = { empty_parcel(), empty_parcel() }, *parcel = parcels;

	EXPECT_EQ(-EINVAL, bufpool_receive(NULL, 1, parcel, 0));
	EXPECT_EQ(-EINVAL, bufpool_receive(self->pool, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, bufpool_receive_many(self->pool, 1, parcel, 0, 0, 0));
	EXPECT_EQ(-EINVAL, bufpool_receive_many(self->pool, 1, parcel, INT_MAX + 1U, 0, 0));
	for (parcel->size = 0; parcel->size < sizeof(*parcel); parcel->size++)
		EXPECT_EQ(-EINVAL, bufpool_receive(self->pool, 1, parcel, 0));
	parcel->size = sizeof(*parcel) + 1;
	EXPECT_EQ(-EINVAL, bufpool_receive(self->pool, 1, parcel, 0));
	parcel->size = 1 << 20;
	EXPECT_EQ(-E2BIG, bufpool_receive(self->pool, 1, parcel, 0));
	parcel->size = sizeof(*parcel);
	parcels[1].size = 0;
	EXPECT_EQ(-EINVAL, bufpool_receive_many(self->pool, 1, parcels, 2, 0, 0));
	EXPECT_EQ(0, script.calls);
	EXPECT_EQ(0, held(self->pool));
}

/* As if it had been rented here: it is kept, and rented next. */
TEST_F(scripted, what_is_received_is_the_pools)
{
	struct bufpool_parcel parcel = empty_parcel();
	uint64_t handle;
	char *block;

	ASSERT_EQ(1, bufpool_receive(self->pool, 1, &parcel, 0));
	block = parcel.block;
	EXPECT_EQ(PAGE, parcel.length);
	EXPECT_EQ(0, parcel.used);
	EXPECT_EQ(100, parcel.tag);
	EXPECT_EQ(PAGE, bufpool_block_size(self->pool, block));
	EXPECT_EQ(0, bufpool_handle(self->pool, block, &handle));
	memset(block, 3, PAGE);
	EXPECT_EQ(0, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(-ESTALE, bufpool_return(self->pool, block, 0));
	EXPECT_EQ(block, bufpool_rent(self->pool, PAGE, 0));
	EXPECT_EQ(0, return_elsewhere(self->pool, block));
	EXPECT_EQ(0, held(self->pool));
}

TEST_F(scripted, the_end_of_all_is_no_message)
{
	struct bufpool_parcel parcel = empty_parcel(), parcels[3] = { parcel, parcel, parcel };

	script.most = 0;
	EXPECT_EQ(0, bufpool_receive(self->pool, 1, &parcel, 0));
	EXPECT_EQ(NULL, parcel.block);
	EXPECT_EQ(0, bufpool_receive_many(self->pool, 1, parcels, 3, 0, BUFPOOL_FOREVER));
	script.error = -EDQUOT;
	EXPECT_EQ(-EDQUOT, bufpool_receive(self->pool, 1, &parcel, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* More than a call of the provider takes; only the first waits. */
TEST_F(scripted, many_at_once)
{
	static struct bufpool_parcel parcels[600];
	static void *blocks[600];
	int i;

	ASSERT_EQ(600, bufpool_rent_many(self->pool, 1, BUFPOOL_RENT_ALL, blocks, 600));
	for (i = 0; i < 600; i++)
		parcels[i] = parcel_of(blocks[i], 1, i);
	EXPECT_EQ(600, bufpool_send_many(self->pool, 1, parcels, 600, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(3, script.calls);
	EXPECT_EQ(600 - 2 * BUFPOOL_MANY_MAX, script.count);
	EXPECT_EQ(2 * BUFPOOL_MANY_MAX, script.messages[0].tag);
	EXPECT_EQ(BUFPOOL_SEND_NONBLOCK, script.flags);
	for (i = 0; i < 600; i++)
		parcels[i] = empty_parcel();
	EXPECT_EQ(600, bufpool_receive_many(self->pool, 1, parcels, 600, 0, BUFPOOL_FOREVER));
	for (i = 0; i < 600; i++)
		blocks[i] = parcels[i].block;
	EXPECT_EQ(600, bufpool_return_many(self->pool, blocks, 600, 0));
	EXPECT_EQ(0, held(self->pool));
}

/* Where there are no addresses or entries for what may come, nothing is received. */
TEST_F(scripted, a_message_waits_for_address_space)
{
	struct bufpool_parcel parcel = empty_parcel();
	struct rlimit limit, none;

	if (SANITIZED || in_valgrind())
		SKIP(return, "it has address space of its own");
	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &limit));
	none = limit;
	none.rlim_cur = (status_kib("VmSize:") + 64) * 1024;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &none));
	EXPECT_EQ(-ENOMEM, bufpool_receive(self->pool, 1, &parcel, 0));
	EXPECT_EQ(0, script.calls);
	EXPECT_EQ(NULL, parcel.block);
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	EXPECT_EQ(1, bufpool_receive(self->pool, 1, &parcel, 0));
	EXPECT_EQ(0, bufpool_return(self->pool, parcel.block, 0));
}

/* Whatever comes then needs none any more. */
TEST_F(scripted, the_first_message_makes_room_for_all)
{
	struct bufpool_window *window = &self->pool->window;
	struct bufpool_parcel parcel = empty_parcel();
	unsigned int class;
	size_t length;

	ASSERT_EQ(1, bufpool_receive(self->pool, 1, &parcel, 0));
	for (class = 0; class < self->pool->classes.count; class++) {
		struct bufpool_info info;

		ASSERT_EQ(0, info_of(self->pool, &info));
		length = info.limit & ~(bufpool_window_block_size(window, class) - 1);
		EXPECT_LE(length, bufpool_window_mapped(window, class));
		if (length)
			EXPECT_NE(NULL, bufpool_rentals_first(&self->pool->rentals, class));
	}
	EXPECT_EQ(0, bufpool_return(self->pool, parcel.block, 0));
}

/* Races -------------------------------------------------------------------------- */

struct contest {
	struct bufpool *pool;
	void *block;
	pthread_barrier_t barrier;
};

static void *send_in_contest(void *argument)
{
	struct contest *contest = argument;
	struct bufpool_parcel parcel;
	intptr_t won = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&contest->barrier);
		parcel = parcel_of(contest->block, 1, 0);
		won += !bufpool_send(contest->pool, 1, &parcel, 0);
		pthread_barrier_wait(&contest->barrier);
	}
	return (void *)won;
}

/* Of those that send or return a block at once, one does. */
TEST_F(scripted, one_of_several_threads_sends_it)
{
	struct contest contest = { .pool = self->pool };
	pthread_t senders[2];
	int won = 0, i, ret;
	void *count;

	pthread_barrier_init(&contest.barrier, NULL, 3);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&senders[i], NULL, send_in_contest, &contest));
	for (i = 0; i < ROUNDS; i++) {
		contest.block = bufpool_rent(self->pool, 1, 0);
		ASSERT_NE(NULL, contest.block);
		pthread_barrier_wait(&contest.barrier);
		ret = bufpool_return(self->pool, contest.block, 0);
		won += !ret;
		if (ret)
			EXPECT_EQ(-ESTALE, ret);
		pthread_barrier_wait(&contest.barrier);
	}
	for (i = 0; i < 2; i++) {
		pthread_join(senders[i], &count);
		won += (intptr_t)count;
	}
	EXPECT_EQ(ROUNDS, won);
	EXPECT_EQ(0, held(self->pool));
	pthread_barrier_destroy(&contest.barrier);
}

static struct {
	struct bufpool *pool;
	void *block;
	int said;
} other;

static void return_meanwhile(void)
{
	other.said = return_elsewhere(other.pool, other.block);
}

/* As long as the call lasts it is not the program's, whatever comes of it. */
TEST_F(scripted, nobody_returns_it_while_it_is_sent)
{
	void *block = bufpool_rent(self->pool, 1, 0);

	ASSERT_NE(NULL, block);
	other.pool = self->pool;
	other.block = block;
	script.meanwhile = return_meanwhile;
	script.error = -EAGAIN;
	EXPECT_EQ(-EAGAIN, send_now(self->pool, 1, block, 0, 0));
	EXPECT_EQ(-ESTALE, other.said);
	EXPECT_EQ(0, return_elsewhere(self->pool, block));
	EXPECT_EQ(0, held(self->pool));
}

static void *rent_one(void *pool)
{
	return bufpool_rent(pool, 1, 0);
}

/* Of another thread's, and of several at once */
TEST_F(scripted, what_others_rented_is_sent_too)
{
	struct bufpool_parcel parcels[3];
	int i;

	for (i = 0; i < 3; i++) {
		parcels[i] = parcel_of(in_thread(rent_one, self->pool), 1, i);
		ASSERT_NE(NULL, parcels[i].block);
	}
	EXPECT_EQ(3, bufpool_send_many(self->pool, 1, parcels, 3, 0, BUFPOOL_FOREVER));
	EXPECT_EQ(0, held(self->pool));
}

static int child_is_refused(void *argument)
{
	struct bufpool *pool = argument;
	struct bufpool_parcel parcel = empty_parcel();
	int ends[2];

	CHECK(bufpool_channel(pool, 1, ends) == -ECHILD);
	CHECK(bufpool_send(pool, 1, &parcel, 0) == -ECHILD);
	CHECK(bufpool_receive(pool, 1, &parcel, 0) == -ECHILD);
	CHECK(bufpool_close(pool) == 0);
	return 0;
}

TEST_F(scripted, a_child_has_no_pool)
{
	EXPECT_EQ(0, in_child(child_is_refused, self->pool));
}

TEST_F(library, private_pools_have_no_channels)
{
	struct bufpool_parcel parcel = parcel_of(bufpool_rent(self->pool, 1, 0), 1, 0);
	struct bufpool_parcel got = empty_parcel();
	int ends[2];

	if (!private_chosen())
		SKIP(return, "the device has");
	ASSERT_NE(NULL, parcel.block);
	EXPECT_EQ(-EOPNOTSUPP, bufpool_channel(self->pool, 1, ends));
	EXPECT_EQ(-EOPNOTSUPP, bufpool_send(self->pool, 1, &parcel, 0));
	EXPECT_EQ(-EOPNOTSUPP, bufpool_receive(self->pool, 1, &got, 0));
	EXPECT_EQ(0, bufpool_return(self->pool, parcel.block, 0));
}

TEST(a_strict_pool_sees_a_use_after_sending)
{
	static struct bufpool_provider_ops ops;
	struct bufpool *pool;
	void *block, *again;

	ASSERT_EQ(0, setenv("BUFPOOL_STRICT", "1", 1));
	pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, pool);
	memset(&script, 0, sizeof(script));
	script.most = INT_MAX;
	real_ops = pool->provider.ops;
	ops = *real_ops;
	ops.send = send_scripted;
	pool->provider.ops = &ops;
	block = bufpool_rent(pool, PAGE, 0);
	ASSERT_NE(NULL, block);
	script.error = -EAGAIN;
	EXPECT_EQ(-EAGAIN, send_now(pool, 1, block, 0, 0));
	script.error = 0;
	EXPECT_EQ(0, send_now(pool, 1, block, 0, 0));
	again = bufpool_rent(pool, PAGE, 0);
	EXPECT_NE(block, again);
	EXPECT_EQ(-ESTALE, bufpool_return(pool, block, 0));
	EXPECT_EQ(0, bufpool_return(pool, again, 0));
	EXPECT_EQ(0, bufpool_close(pool));
	unsetenv("BUFPOOL_STRICT");
}

TEST_HARNESS_MAIN
