// SPDX-License-Identifier: MIT
/*
 * What a channel refuses: messages that are bad, arrays that are not there, blocks beyond
 * the ceiling, ends that cannot be had; and what was done before it stays done, and is said.
 */
#include "channel_fixture.h"

#include <pthread.h>
#include <sys/resource.h>

/* What is bad within a batch ends it, and the next call says why. */
TEST_F(channel, batches_end_at_what_is_bad)
{
	const struct {
		bool is_first;	/* the one that was sent already, with the first message */
		__u64 flip;	/* bits of a good handle */
		__u64 used;
		int err;
	} bad[] = {
		{ .is_first = true, .err = -ESTALE },
		{ .flip = 1ULL << 40, .err = -ENOENT },
		{ .flip = ~0ULL, .err = -ENOENT },
		{ .used = BLOCK + 1, .err = -EINVAL },
		{ .used = ~0ULL, .err = -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct bufpool_rent second;
		struct bufpool_message batch[3];

		ASSERT_EQ(0, rent(self->fd, BLOCK, &second));
		batch[0] = (struct bufpool_message){ .handle = self->rented.handle };
		batch[2] = batch[0];
		batch[1] = (struct bufpool_message){
			.handle = (bad[i].is_first ? self->rented : second).handle ^ bad[i].flip,
			.used = bad[i].used,
		};
		ASSERT_EQ(1, send_many(self->fd, self->channel.sends, batch, 3));
		EXPECT_EQ(bad[i].err, send_many(self->fd, self->channel.sends, batch + 1, 2)) {
			TH_LOG("bad message %u", i);
		}
		self->rented = second;
		EXPECT_EQ(0, RECEIVE(self));
		EXPECT_EQ(-EAGAIN, RECEIVE(self));
		EXPECT_EQ(0, give(self->other, self->message.handle));
	}
}

/* What another client rents is none of the sender's. */
TEST_F(channel, a_foreign_handle)
{
	EXPECT_EQ(-ENOENT, send_with(self->other, self->channel.sends, self->rented.handle, 0, 0,
				     0));
	EXPECT_EQ(0, touch(self->at));
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
}

TEST_F(channel, arrays_that_are_not_there)
{
	struct bufpool_message *messages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct bufpool_message *last = (void *)messages + PAGE - 2 * sizeof(*last);
	struct bufpool_rent rented[3];
	int i;

	ASSERT_NE(MAP_FAILED, messages);
	ASSERT_EQ(0, munmap((void *)messages + PAGE, PAGE));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rent(self->fd, PAGE, &rented[i]));
	for (i = 0; i < 2; i++)
		last[i] = (struct bufpool_message){ .handle = rented[i].handle, .tag = i };
	/* of two chunks the first is sent */
	EXPECT_EQ(-EFAULT, send_many(self->fd, self->channel.sends, last, 3));
	EXPECT_EQ(-EFAULT, send_many(self->fd, self->channel.sends, (void *)messages + PAGE, 1));
	EXPECT_EQ(2, send_many(self->fd, self->channel.sends, last, 2));
	EXPECT_EQ(0, send_one(self->fd, self->channel.sends, &rented[2], 2));

	EXPECT_EQ(-EFAULT, receive_many(self->other, self->channel.receives,
					(void *)messages + PAGE, 1));
	EXPECT_EQ(-EFAULT, receive_many(self->other, self->channel.receives, (void *)last + 8 +
					sizeof(*last), 3));
	/* what could be told */
	EXPECT_EQ(2, receive_many(self->other, self->channel.receives, last, 3));
	EXPECT_EQ(0, last[0].tag);
	EXPECT_EQ(1, last[1].tag);
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(2, self->message.tag);
	munmap(messages, PAGE);
}

/* In calls of many messages, what went well before the array ended is done, and said. */
TEST_F(channel, arrays_that_end)
{
	const int more = 64;
	struct bufpool_message *messages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct bufpool_rent rented;
	struct channel channel;
	int sent, received, i;

	ASSERT_NE(MAP_FAILED, messages);
	ASSERT_EQ(0, munmap((char *)messages + PAGE, PAGE));
	messages = (struct bufpool_message *)((char *)messages + PAGE) - more;
	ASSERT_EQ(0, channel_make(self->fd, 4 * more, &channel));
	for (i = 0; i < more; i++) {
		ASSERT_EQ(0, rent(self->fd, PAGE, &rented));
		messages[i] = (struct bufpool_message){ .handle = rented.handle };
	}
	sent = send_many(self->fd, channel.sends, messages, 2 * more);
	EXPECT_EQ(more, sent);
	EXPECT_EQ((__u64)more, stats_of(self->fd).client_sent);
	for (i = 0; i < more; i++) {
		ASSERT_EQ(0, rent(self->fd, PAGE, &rented));
		ASSERT_EQ(0, send_one(self->fd, channel.sends, &rented, 0));
	}
	received = receive_many(self->other, channel.receives, messages, 2 * more);
	EXPECT_EQ(more, received);
	EXPECT_EQ((__u64)more, stats_of(self->other).client_received);
	EXPECT_EQ(more * PAGE, stats_of(self->other).in_channels);
	channel_end(&channel);
}

/* Memory of the program that has to be fetched first, as it was never touched or is read-only. */
TEST_F(channel, arrays_that_are_not_there_yet)
{
	struct bufpool_message *messages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct bufpool_message *at = (void *)messages + PAGE - 24;

	EXPECT_EQ(0, SEND(self, 1, 0));
	EXPECT_EQ(0, receive_one(self->other, self->channel.receives, at));
	EXPECT_EQ(7, at->tag);
	ASSERT_EQ(0, send_with(self->other, self->channel.sends, at->handle, 0, 8, 0));
	ASSERT_EQ(0, mprotect(messages, 2 * PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, receive_one(self->other, self->channel.receives, at));
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(8, self->message.tag);
	munmap(messages, 2 * PAGE);
}

/* No fewer than there are, though the array's second page is yet to be touched. */
TEST_F(channel, arrays_that_are_there_in_part)
{
	struct bufpool_message *messages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct bufpool_message *at = (void *)messages + PAGE - 2 * sizeof(*at);
	unsigned int i;

	ASSERT_NE(MAP_FAILED, messages);
	for (i = 0; i < CAPACITY; i++) {
		ASSERT_EQ(0, rent(self->fd, PAGE, &self->rented));
		ASSERT_EQ(0, send_one(self->fd, self->channel.sends, &self->rented, i));
	}
	EXPECT_EQ(CAPACITY, receive_many(self->other, self->channel.receives, at, CAPACITY));
	for (i = 0; i < CAPACITY; i++)
		EXPECT_EQ(i, at[i].tag);
	munmap(messages, 2 * PAGE);
}

/* A message is told into the very block that it is about. */
TEST_F(channel, the_array_is_in_the_block)
{
	struct bufpool_message *inside = (void *)self->at;

	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	EXPECT_EQ(-EFAULT, receive_one(self->fd, self->channel.receives, inside));
	EXPECT_EQ(0, RECEIVE(self));
}

TEST_F(channel, over_the_ceiling)
{
	struct bufpool_rent rented;

	ASSERT_EQ(0, rent(self->other, BLOCK, &rented));
	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	ASSERT_EQ(0, set_ceiling(self->other, 2 * BLOCK - 1));
	EXPECT_EQ(-EDQUOT, RECEIVE(self));
	EXPECT_EQ(BLOCK, stats_of(self->fd).in_channels);
	/* what it does not use makes room */
	ASSERT_EQ(0, give(self->other, rented.handle));
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(BLOCK, stats_of(self->other).client_bytes);
	EXPECT_EQ(0, stats_of(self->other).client_warm_bytes);
}

/* Of several the first that is too much stays, and those behind it. */
TEST_F(channel, a_batch_is_over_the_ceiling)
{
	struct bufpool_message messages[3];
	struct bufpool_rent rented;
	int i;

	EXPECT_EQ(0, SEND(self, BLOCK, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rent(self->fd, BLOCK, &rented));
		ASSERT_EQ(0, send_one(self->fd, self->channel.sends, &rented, 8 + i));
	}
	ASSERT_EQ(0, set_ceiling(self->other, 2 * BLOCK));
	EXPECT_EQ(2, receive_many(self->other, self->channel.receives, messages, 3));
	EXPECT_EQ(-EDQUOT, receive_many(self->other, self->channel.receives, messages + 2, 1));
	EXPECT_EQ(0, give_up(self->other, messages[0].handle));
	EXPECT_EQ(1, receive_many(self->other, self->channel.receives, messages + 2, 3));
	EXPECT_EQ(9, messages[2].tag);
}

static unsigned int nr_descriptors(void)
{
	unsigned int nr = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

/* Where there are no descriptors for both ends there is no channel, and none is lost. */
TEST_F(channel, one_descriptor_is_too_few)
{
	struct rlimit before, few;
	struct channel channel;
	int next = dup(self->fd);

	ASSERT_LE(0, next);
	close(next);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	few = before;
	few.rlim_cur = next + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_EQ(-EMFILE, channel_make(self->fd, 1, &channel));
	EXPECT_EQ(-EMFILE, channel_make(self->fd, 1, &channel));
	EXPECT_EQ(next, dup(self->fd));
	EXPECT_EQ(-EMFILE, channel_make(self->fd, 1, &channel));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	close(next);
	EXPECT_EQ(1, stats_of(self->fd).channels);
}

/* One that cannot be told of is none. */
TEST_F(channel, cannot_be_told)
{
	struct bufpool_channel *arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int before = nr_descriptors();
	int last;

	ASSERT_NE(MAP_FAILED, arg);
	*arg = (struct bufpool_channel){ .size = sizeof(*arg), .capacity = 1 };
	ASSERT_EQ(0, mprotect(arg, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_CHANNEL, arg));
	/* files go when a task is on its way back to user space */
	EXPECT_EQ(1, stats_of(self->fd).channels);
	EXPECT_EQ(before, nr_descriptors());
	/* nor are numbers of descriptors used up */
	last = dup(self->fd);
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_CHANNEL, arg));
	EXPECT_EQ(last + 1, dup(self->fd));
	close(last);
	close(last + 1);
}

/* Where several threads share descriptors a call holds a file, and lets go of it. */
static void *sleep_on(void *arg)
{
	while (!word_get(arg))
		sleep_ms(1);
	return NULL;
}

TEST_F(channel, a_refused_call_holds_no_end)
{
	unsigned int stop = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_on, &stop));
	EXPECT_EQ(-EBADF, send_one(self->fd, self->channel.receives, &self->rented, 0));
	EXPECT_EQ(-EAGAIN, RECEIVE(self));
	EXPECT_EQ(0, close_end(&self->channel.receives));
	EXPECT_EQ(-EPIPE, SEND(self, BLOCK, 0));
	EXPECT_EQ(0, close_end(&self->channel.sends));
	EXPECT_EQ(0, stats_of(self->fd).channels);
	word_set(&stop, 1);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
