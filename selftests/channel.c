// SPDX-License-Identifier: MIT
/*
 * What a channel does with blocks: they are out of reach for who has sent them, whoever
 * receives them has what was meant and no more, and nothing is lost.
 */
#include "channel_fixture.h"
#include "outside.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

TEST_F(channel, arrives_as_it_was_sent)
{
	struct bufpool_rent received;
	struct bufpool_stats stats;
	char *at;

	memset(self->at, 's', BLOCK);
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	stats = stats_of(self->fd);
	EXPECT_EQ(1, stats.client_sent);
	EXPECT_EQ(0, stats.client_blocks);
	EXPECT_EQ(0, stats.client_bytes);
	EXPECT_EQ(BLOCK, stats.in_channels);
	EXPECT_EQ(0, stats.in_use);
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(7, self->message.tag);
	EXPECT_EQ(BLOCK, self->message.used);
	EXPECT_EQ(self->rented.offset, self->message.offset);
	EXPECT_EQ(BLOCK, self->message.length);
	EXPECT_NE(self->rented.handle, self->message.handle);
	stats = stats_of(self->other);
	EXPECT_EQ(1, stats.client_received);
	EXPECT_EQ(1, stats.client_blocks);
	EXPECT_EQ(BLOCK, stats.client_bytes);
	EXPECT_EQ(0, stats.in_channels);
	EXPECT_EQ(BLOCK, stats.in_use);
	received = rented_by(&self->message);
	at = map_block(self->other, &received);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_TRUE(filled(at, 's', BLOCK));
	EXPECT_EQ(0, give(self->other, received.handle));
	EXPECT_EQ(BLOCK, stats_of(self->other).client_warm_bytes);
}

/* By its handle and by its addresses. */
TEST_F(channel, is_out_of_the_senders_reach)
{
	struct bufpool_rent received;
	char *at;
	int i;

	memset(self->at, 's', BLOCK);
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ESTALE, give(self->fd, self->rented.handle));
		EXPECT_EQ(-ESTALE, SEND(self, BLOCK, 0));
		EXPECT_EQ(SIGBUS, touch(self->at));
		EXPECT_EQ(SIGBUS, touch(self->at + BLOCK - 1));
		if (!i)
			EXPECT_EQ(0, RECEIVE(self));
	}
	received = rented_by(&self->message);
	at = map_block(self->other, &received);
	memset(at, 'r', BLOCK);
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_TRUE(filled(at, 'r', BLOCK));
	EXPECT_EQ(-ENOENT, give(self->fd, received.handle));
}

/* Whoever received it gives it back, and the pool to the system. */
TEST_F(channel, its_slab_may_go)
{
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(0, give_up(self->other, self->message.handle));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	ASSERT_EQ(0, stats_of(self->fd).pinned);
	/* its table goes when nobody can be looking at it */
	sleep_ms(200);
	EXPECT_EQ(-ESTALE, give(self->fd, self->rented.handle));
	EXPECT_EQ(-ESTALE, SEND(self, BLOCK, 0));
}

/* Of several that are sent together some have been touched, and some not. */
TEST_F(channel, only_some_were_touched)
{
	struct bufpool_message batch[3], received[3];
	struct bufpool_rent rented[3];
	char *at[3];
	int i, touched;

	for (touched = 0; touched < 3; touched++) {
		for (i = 0; i < 3; i++) {
			at[i] = rent_mapped(self->fd, BLOCK, &rented[i]);
			ASSERT_NE(NULL, at[i]);
			batch[i] = (struct bufpool_message){ .handle = rented[i].handle };
		}
		EXPECT_EQ(0, touch(at[touched]));
		EXPECT_EQ(3, send_many(self->fd, self->channel.sends, batch, 3));
		EXPECT_EQ(3, receive_many(self->other, self->channel.receives, received, 3));
		for (i = 0; i < 3; i++) {
			EXPECT_EQ(SIGBUS, touch(at[i]));
			EXPECT_EQ(0, give_up(self->other, received[i].handle));
			munmap(at[i], BLOCK);
		}
	}
}

/* One that its sender goes on touching, from another thread, is never another's. */
struct toucher {
	char *at;
	bool stop;
	unsigned int foreign;
};

static void *touch_on(void *arg)
{
	struct toucher *toucher = arg;
	unsigned char value;

	while (!__atomic_load_n(&toucher->stop, __ATOMIC_RELAXED))
		if (!peek(toucher->at, &value) && value == 'r')
			toucher->foreign++;
	return NULL;
}

TEST_F(channel, is_touched_while_it_is_sent)
{
	struct toucher toucher = { .at = self->at };
	struct bufpool_message message;
	struct bufpool_rent received;
	pthread_t thread;
	unsigned int i;
	char *at;

	ASSERT_EQ(0, pthread_create(&thread, NULL, touch_on, &toucher));
	for (i = 0; i < often(2000); i++) {
		ASSERT_EQ(0, SEND(self, BLOCK, 0));
		ASSERT_EQ(0, RECEIVE(self));
		received = rented_by(&self->message);
		at = map_block(self->other, &received);
		ASSERT_NE(MAP_FAILED, at);
		memset(at, 'r', 64);
		munmap(at, BLOCK);
		/* none of it, so that the first owner finds zeroes */
		ASSERT_EQ(0, send_with(self->other, self->channel.sends, received.handle, 0, 0, 0));
		ASSERT_EQ(0, receive_one(self->fd, self->channel.receives, &message));
		self->rented = rented_by(&message);
	}
	__atomic_store_n(&toucher.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, toucher.foreign);
}

static bool tail_is(struct __test_metadata *_metadata, struct _test_data_channel *self,
		    __u64 used, __u32 flags, int byte)
{
	struct bufpool_rent received;
	bool same;
	char *at;

	self->at = rent_mapped(self->fd, BLOCK, &self->rented);
	memset(self->at, 's', BLOCK);
	EXPECT_EQ(0, SEND(self, used, flags));
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(used, self->message.used);
	received = rented_by(&self->message);
	at = map_block(self->other, &received);
	same = (!used || filled(at, 's', used)) &&
	       (used == BLOCK || filled(at + used, byte, BLOCK - used));
	munmap(at, BLOCK);
	munmap(self->at, BLOCK);
	EXPECT_EQ(0, give_up(self->other, received.handle));
	return same;
}

TEST_F(channel, what_is_not_in_use_is_zero)
{
	const __u64 used[] = { 0, 1, 100, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, BLOCK - 1, BLOCK };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(used); i++) {
		EXPECT_TRUE(tail_is(_metadata, self, used[i], 0, 0)) {
			TH_LOG("%llu bytes in use", used[i]);
		}
		EXPECT_TRUE(tail_is(_metadata, self, used[i], BUFPOOL_SEND_WHOLE, 's'));
	}
}

/* A warm block has its client's old bytes, which were not meant, though untouched since. */
TEST_F(channel, old_bytes_of_a_warm_block_stay_behind)
{
	struct bufpool_rent received;
	char *at;

	memset(self->at, 's', BLOCK);
	ASSERT_EQ(0, give(self->fd, self->rented.handle));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rented));
	ASSERT_EQ(1, stats_of(self->fd).client_warm_rents);
	EXPECT_EQ(0, SEND(self, 0, 0));
	EXPECT_EQ(0, RECEIVE(self));
	received = rented_by(&self->message);
	at = map_block(self->other, &received);
	EXPECT_TRUE(filled(at, 0, BLOCK));
}

TEST_F(channel, messages_are_in_order)
{
	struct bufpool_message messages[CAPACITY];
	struct bufpool_rent rented;
	unsigned int round, i;

	for (round = 0; round < 5; round++) {
		/* not all, so that the ring goes round */
		for (i = 0; i < CAPACITY - 1; i++) {
			ASSERT_EQ(0, rent(self->fd, PAGE, &rented));
			ASSERT_EQ(0, send_one(self->fd, self->channel.sends, &rented, i));
		}
		ASSERT_EQ(CAPACITY - 1, receive_many(self->other, self->channel.receives,
						     messages, CAPACITY));
		for (i = 0; i < CAPACITY - 1; i++) {
			EXPECT_EQ(i, messages[i].tag);
			EXPECT_EQ(0, give(self->other, messages[i].handle));
		}
	}
}

TEST_F(channel, full_and_empty)
{
	struct bufpool_message messages[2 * CAPACITY];
	struct bufpool_rent rented[2 * CAPACITY];
	struct pollfd receives = { .fd = self->channel.receives, .events = POLLIN };
	struct pollfd sends = { .fd = self->channel.sends, .events = POLLOUT };
	int i;

	EXPECT_EQ(-EAGAIN, RECEIVE(self));
	EXPECT_EQ(0, poll(&receives, 1, 0));
	EXPECT_EQ(1, poll(&sends, 1, 0));
	for (i = 0; i < 2 * CAPACITY; i++) {
		ASSERT_EQ(0, rent(self->fd, PAGE, &rented[i]));
		messages[i] = (struct bufpool_message){ .handle = rented[i].handle, .tag = i };
	}
	EXPECT_EQ(CAPACITY, send_many(self->fd, self->channel.sends, messages, 2 * CAPACITY));
	EXPECT_EQ(0, poll(&sends, 1, 0));
	EXPECT_EQ(1, poll(&receives, 1, 0));
	EXPECT_EQ(-EAGAIN, send_one(self->fd, self->channel.sends, &rented[CAPACITY], 0));
	EXPECT_EQ(-ETIMEDOUT, send_timed(self->fd, self->channel.sends, messages + CAPACITY, 1, 0,
					 NSEC_PER_MSEC));
	/* who was refused has it still */
	EXPECT_EQ(0, give(self->fd, rented[CAPACITY].handle));
	EXPECT_EQ(2, receive_many(self->other, self->channel.receives, messages, 2));
	EXPECT_EQ(2, send_many(self->fd, self->channel.sends, messages + CAPACITY + 1, 3));
	EXPECT_EQ(CAPACITY, receive_many(self->other, self->channel.receives, messages,
					 2 * CAPACITY));
	EXPECT_EQ(-ETIMEDOUT, receive_timed(self->other, self->channel.receives, messages, 1, 0,
					    NSEC_PER_MSEC));
}

/* Each end's O_NONBLOCK is its own. */
TEST_F(channel, nonblocking_ends)
{
	struct bufpool_message message = { .handle = self->rented.handle };

	ASSERT_EQ(0, fcntl(self->channel.receives, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, receive_many(self->other, self->channel.receives, &message, 1));
	channel_end(&self->channel);
	ASSERT_EQ(0, channel_make(self->fd, 1, &self->channel));
	ASSERT_EQ(0, fcntl(self->channel.sends, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(1, send_many(self->fd, self->channel.sends, &message, 1));
	ASSERT_EQ(0, rent(self->fd, PAGE, &self->rented));
	message.handle = self->rented.handle;
	EXPECT_EQ(-EAGAIN, send_many(self->fd, self->channel.sends, &message, 1));
}

TEST_F(channel, the_receive_end_is_closed)
{
	struct pollfd sends = { .fd = self->channel.sends, .events = POLLOUT };
	struct bufpool_stats before = stats_of(self->fd);
	struct bufpool_rent rented;

	ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	EXPECT_EQ(0, close_end(&self->channel.receives));
	EXPECT_EQ(1, poll(&sends, 1, 0));
	EXPECT_EQ(POLLERR, sends.revents & POLLERR);
	EXPECT_EQ(-EPIPE, send_one(self->fd, self->channel.sends, &rented, 0));
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(0, stats_of(self->fd).in_channels);
	EXPECT_EQ(before.returns + 2, stats_of(self->fd).returns);
	EXPECT_EQ(0, stats_of(self->fd).in_use);
}

TEST_F(channel, the_send_end_is_closed)
{
	struct pollfd receives = { .fd = self->channel.receives, .events = POLLIN };

	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	EXPECT_EQ(0, close_end(&self->channel.sends));
	EXPECT_EQ(1, poll(&receives, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP, receives.revents);
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(1, RECEIVE(self));
	EXPECT_EQ(1, poll(&receives, 1, 0));
	EXPECT_EQ(POLLHUP, receives.revents);
	EXPECT_EQ(0, give(self->other, self->message.handle));
}

TEST_F(channel, both_ends_are_closed)
{
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	EXPECT_EQ(1, stats_of(self->fd).channels);
	EXPECT_EQ(0, close_end(&self->channel.sends));
	EXPECT_EQ(0, close_end(&self->channel.receives));
	EXPECT_EQ(0, stats_of(self->fd).in_channels);
	EXPECT_EQ(0, stats_of(self->fd).channels);
}

/* Whoever sent it may be gone. */
TEST_F(channel, the_senders_client_is_closed)
{
	struct bufpool_rent received;

	memset(self->at, 's', BLOCK);
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	munmap(self->at, BLOCK);
	close(self->fd);
	EXPECT_EQ(0, close_end(&self->channel.sends));
	EXPECT_EQ(0, RECEIVE(self));
	received = rented_by(&self->message);
	self->at = map_block(self->other, &received);
	EXPECT_TRUE(filled(self->at, 's', BLOCK));
	self->fd = pool_open();
}

TEST_F(channel, to_itself)
{
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	EXPECT_EQ(0, receive_one(self->fd, self->channel.receives, &self->message));
	EXPECT_EQ(self->rented.offset, self->message.offset);
	EXPECT_NE(self->rented.handle, self->message.handle);
	EXPECT_EQ(-ESTALE, give(self->fd, self->rented.handle));
	EXPECT_EQ(0, touch(self->at));
	EXPECT_EQ(0, give(self->fd, self->message.handle));
}

/* Mapped at once ------------------------------------------------------------ */

static long nr_faults(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) ? -1 : usage.ru_minflt;
}

/* Send a block there and back, and see how many faults the last touch takes. */
static long faults_of(struct _test_data_channel *self, __u64 size, __u32 flags)
{
	struct bufpool_message message;
	struct bufpool_rent rented;
	long before;
	char *at;
	int i;

	at = rent_mapped_with(self->other, size, flags, &rented);
	if (!at)
		return -1;
	memset(at, 'm', size);
	for (i = 0; i < 2; i++) {
		if (send_one(i ? self->fd : self->other, self->channel.sends, &rented, 0) ||
		    receive_timed(i ? self->other : self->fd, self->channel.receives, &message, 1,
				  BUFPOOL_RECEIVE_NONBLOCK | (i ? BUFPOOL_RECEIVE_MAP : 0), 0) != 1)
			return -1;
		rented = rented_by(&message);
	}
	before = nr_faults();
	for (i = 0; i < (int)(size / PAGE); i++)
		at[i * PAGE]++;
	before = nr_faults() - before;
	if (!filled(at + 1, 'm', PAGE - 1) || at[size - PAGE] != 'n')
		before = -1;
	munmap(at, size);
	give_up(self->other, rented.handle);
	return before;
}

/* Of a few times: the program's own pages may be aged meanwhile, which costs it a fault. */
static long least_faults_of(struct _test_data_channel *self, __u64 size, __u32 flags)
{
	long least = LONG_MAX, faults;
	int i;

	for (i = 0; i < 5 && least > 0; i++) {
		faults = faults_of(self, size, flags);
		if (faults < 0)
			return faults;
		least = faults < least ? faults : least;
	}
	return least;
}

TEST_F(channel, mapped_when_it_is_received)
{
	struct bufpool_info info;
	__u64 size;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	for (size = PAGE; size <= 4 * MIB; size *= 4) {
		EXPECT_EQ(0, size > info.max_rent ? 0 : least_faults_of(self, size, 0)) {
			TH_LOG("a block of %llu bytes", size);
		}
		EXPECT_EQ(0, least_faults_of(self, size, BUFPOOL_RENT_IO)) {
			TH_LOG("a block of %llu bytes for I/O", size);
		}
	}
}

/* While a block is received and mapped its area goes: nothing of it stays behind. */
struct unmapper {
	int fd;
	char *at;
	__u64 offset;
	bool stop;
	unsigned int rounds, left;
};

static void *unmap_on(void *arg)
{
	struct unmapper *unmapper = arg;

	while (!__atomic_load_n(&unmapper->stop, __ATOMIC_RELAXED)) {
		if (mmap(unmapper->at, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 unmapper->fd, unmapper->offset) == MAP_FAILED)
			break;
		if (unmapper->rounds % 2)
			sched_yield();
		munmap(unmapper->at, BLOCK);
		unmapper->left += touch(unmapper->at) != SIGSEGV;
		word_set(&unmapper->rounds, unmapper->rounds + 1);
	}
	return NULL;
}

TEST_F(channel, mapped_while_it_is_unmapped)
{
	struct unmapper unmapper = { .fd = self->fd, .offset = self->rented.offset };
	unsigned int i;
	pthread_t thread;
	char *around;

	/* so that the page table stays */
	around = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, around);
	unmapper.at = around + PAGE;
	ASSERT_EQ(0, munmap(self->at, BLOCK));
	ASSERT_EQ(0, pthread_create(&thread, NULL, unmap_on, &unmapper));
	for (i = 0; i < often(20000) || !word_get(&unmapper.rounds); i++) {
		ASSERT_EQ(0, send_with(self->fd, self->channel.sends, self->rented.handle, 0, 0,
				       0));
		ASSERT_EQ(1, receive_timed(self->fd, self->channel.receives, &self->message, 1,
					   BUFPOOL_RECEIVE_MAP, 0));
		self->rented = rented_by(&self->message);
	}
	__atomic_store_n(&unmapper.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, unmapper.left);
	EXPECT_LT(0, unmapper.rounds);
	munmap(around, 2 * BLOCK);
}

/* Where that does not go it is no error: nothing is mapped, or only a part. */
TEST_F(channel, mapped_in_part)
{
	struct bufpool_rent received;
	char *at;

	memset(self->at, 's', BLOCK);
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	EXPECT_EQ(1, receive_timed(self->other, self->channel.receives, &self->message, 1,
				   BUFPOOL_RECEIVE_MAP, 0));
	received = rented_by(&self->message);
	received.length = PAGE;
	at = map_block(self->other, &received);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_TRUE(filled(at, 's', PAGE));
	EXPECT_EQ(0, send_with(self->other, self->channel.sends, received.handle, BLOCK, 0, 0));
	EXPECT_EQ(1, receive_timed(self->other, self->channel.receives, &self->message, 1,
				   BUFPOOL_RECEIVE_MAP, 0));
	EXPECT_TRUE(filled(at, 's', PAGE));
	/* read-only it is mapped so */
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ));
	EXPECT_EQ(0, send_with(self->other, self->channel.sends, self->message.handle, BLOCK, 0,
			       0));
	EXPECT_EQ(1, receive_timed(self->other, self->channel.receives, &self->message, 1,
				   BUFPOOL_RECEIVE_MAP, 0));
	EXPECT_EQ(SIGSEGV, poke(at, 1));
	EXPECT_TRUE(filled(at, 's', PAGE));
}

/* Blocks of pages --------------------------------------------------------- */

TEST_F(channel, pages_in_a_pipe)
{
	struct outsider outsider;
	struct bufpool_rent rented, received;
	char *at;

	at = rent_shared(self->fd, BLOCK, 'p', &rented, &outsider);
	ASSERT_NE(NULL, at);
	EXPECT_EQ(-EBUSY, send_one(self->fd, self->channel.sends, &rented, 0));
	/* it is the sender's as before */
	EXPECT_TRUE(filled(at, 'p', BLOCK));
	EXPECT_EQ(0, stats_of(self->fd).client_sent);
	EXPECT_EQ(2, stats_of(self->fd).client_blocks);
	EXPECT_EQ(0, stats_of(self->fd).in_channels);
	EXPECT_TRUE(outsider_has(&outsider, 'p'));
	outsider_end(&outsider);
	EXPECT_EQ(0, send_one(self->fd, self->channel.sends, &rented, 0));
	EXPECT_EQ(0, RECEIVE(self));
	received = rented_by(&self->message);
	self->at = map_block(self->other, &received);
	EXPECT_TRUE(filled(self->at, 'p', BLOCK));
	EXPECT_EQ(0, give(self->other, received.handle));
	munmap(at, BLOCK);
}

/* In the middle of a batch */
TEST_F(channel, pages_in_a_pipe_among_others)
{
	struct outsider outsider;
	struct bufpool_rent shared, last;
	struct bufpool_message batch[3];
	char *at;

	at = rent_shared(self->fd, BLOCK, 'p', &shared, &outsider);
	ASSERT_NE(NULL, at);
	ASSERT_NE(NULL, rent_mapped(self->fd, BLOCK, &last));
	batch[0] = (struct bufpool_message){ .handle = self->rented.handle };
	batch[1] = (struct bufpool_message){ .handle = shared.handle };
	batch[2] = (struct bufpool_message){ .handle = last.handle };
	EXPECT_EQ(1, send_many(self->fd, self->channel.sends, batch, 3));
	EXPECT_EQ(-EBUSY, send_many(self->fd, self->channel.sends, batch + 1, 2));
	EXPECT_EQ(1, send_many(self->fd, self->channel.sends, batch + 2, 1));
	EXPECT_TRUE(filled(at, 'p', BLOCK));
	EXPECT_EQ(0, give_up(self->fd, shared.handle));
	EXPECT_EQ(BLOCK, stats_of(self->fd).quarantined);
	outsider_end(&outsider);
}

TEST_F(channel, exported)
{
	int buf = export_block(self->fd, self->rented.handle);

	if (buf == -EOPNOTSUPP)
		SKIP(return, "this kernel has no dma-bufs");
	ASSERT_LE(0, buf);
	EXPECT_EQ(-EBUSY, SEND(self, BLOCK, 0));
	EXPECT_EQ(0, touch(self->at));
	close(buf);
	/* the last word is had by a worker, or a task on its way back to user space */
	while (SEND(self, BLOCK, 0) == -EBUSY)
		sleep_ms(1);
	EXPECT_EQ(0, RECEIVE(self));
}

TEST_HARNESS_MAIN
