// SPDX-License-Identifier: MIT
/*
 * A block that something outside the pool still reaches, when its client has it no more, is
 * nobody's: whichever way it left, for as long as that lasts, and at the user's expense.
 */
#include "outside.h"
#include "channel.h"
#include "parameters.h"
#include "probe.h"
#include "random.h"
#include "tenant.h"
#include "tracing.h"

#include <pthread.h>

#define BLOCK		(16 * PAGE)

FIXTURE(outside)
{
	int fd;
	struct bufpool_rent rented;
	struct outsider outsider;
	char *at;
};

FIXTURE_SETUP(outside)
{
	ASSERT_EQ(0, limit_write(MIB));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->at = rent_shared(self->fd, BLOCK, 'o', &self->rented, &self->outsider);
	ASSERT_NE(NULL, self->at);
}

FIXTURE_TEARDOWN(outside)
{
	outsider_end(&self->outsider);
	close(self->fd);
	parameters_restore();
}

static __u64 quarantined(int fd)
{
	return stats_of(fd).quarantined;
}

/* The last block that is free, once it is: not in the instant in which the worker looks at it. */
static int rent_the_last(int fd, struct bufpool_rent *rented)
{
	int tries = 10, ret;

	do
		ret = rent_io(fd, BLOCK, rented);
	while (ret == -EAGAIN && --tries);
	return ret;
}

/* Nobody gets the block as long as it is quarantined, and then somebody does, zeroed. */
#define EXPECT_QUARANTINED_UNTIL_READ_AS(self, byte) do {				\
	int __fd = pool_open();								\
	struct bufpool_rent __rented;							\
	unsigned int __nr;								\
											\
	ASSERT_LE(0, __fd);								\
	EXPECT_EQ(BLOCK, quarantined(__fd));						\
	for (__nr = 0; !rent_io(__fd, BLOCK, &__rented); __nr++) {			\
		EXPECT_NE((self)->rented.offset, __rented.offset);			\
		EXPECT_TRUE(block_fill(__fd, __rented.offset, BLOCK, 'x'));		\
	}										\
	EXPECT_EQ(MIB / BLOCK - 1, __nr);						\
	EXPECT_EQ(MIB, stats_of(__fd).pinned);						\
	EXPECT_TRUE(outsider_has(&(self)->outsider, byte));				\
	EXPECT_EQ(0, rent_the_last(__fd, &__rented));					\
	EXPECT_EQ((self)->rented.offset, __rented.offset);				\
	EXPECT_EQ(0, quarantined(__fd));						\
	EXPECT_TRUE(block_is_zero(__fd, __rented.offset, BLOCK));			\
	close(__fd);									\
} while (0)

#define EXPECT_QUARANTINED_UNTIL_READ(self) EXPECT_QUARANTINED_UNTIL_READ_AS(self, 'o')

TEST_F(outside, returned)
{
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_EQ(0, stats_of(self->fd).client_bytes);
	EXPECT_EQ(0, stats_of(self->fd).in_use);
	EXPECT_QUARANTINED_UNTIL_READ(self);
}

TEST_F(outside, trimmed)
{
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	EXPECT_EQ(0, quarantined(self->fd));
	EXPECT_EQ(BLOCK, trim(self->fd, 0));
	EXPECT_QUARANTINED_UNTIL_READ(self);
}

TEST_F(outside, stolen)
{
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	EXPECT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	EXPECT_QUARANTINED_UNTIL_READ(self);
}

/* The renter that needs room takes it from its client, in vain. */
TEST_F(outside, taken_for_another)
{
	struct bufpool_rent rented;
	int fd = pool_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	while (!rent_io(fd, BLOCK, &rented))
		EXPECT_NE(self->rented.offset, rented.offset);
	EXPECT_EQ(BLOCK, quarantined(fd));
	close(fd);
	EXPECT_QUARANTINED_UNTIL_READ(self);
}

/* No entry of a page table is left where a channel has refused it, but what it was found by. */
TEST_F(outside, zeroed_after_a_channel_has_refused_it)
{
	struct bufpool_rent again;
	struct channel channel;

	ASSERT_EQ(0, channel_make(self->fd, 1, &channel));
	EXPECT_EQ(-EBUSY, send_one(self->fd, channel.sends, &self->rented, 0));
	EXPECT_EQ(0, give(self->fd, self->rented.handle));
	ASSERT_EQ(0, rent_with(self->fd, BLOCK,
			       BUFPOOL_RENT_IO | BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK, 0,
			       &again));
	EXPECT_EQ(self->rented.offset, again.offset);
	EXPECT_EQ(0, give_up(self->fd, again.handle));
	EXPECT_QUARANTINED_UNTIL_READ_AS(self, 0);
	channel_end(&channel);
}

TEST_F(outside, closed)
{
	EXPECT_EQ(0, munmap(self->at, self->rented.length));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_QUARANTINED_UNTIL_READ(self);
	self->fd = pool_open();
}

/* What a stack of the client has is taken back from there. */
TEST_F(outside, kept)
{
	struct bufpool_stack *stack;
	struct bufpool_info info;
	__u64 class;

	ASSERT_EQ(0, pool_info(self->fd, &info));
	class = self->rented.offset / info.span;
	stack = map_at(self->fd, info.stacks_offset + class * PAGE, PAGE);
	ASSERT_NE(MAP_FAILED, stack);
	stack->entries[0] = (self->rented.offset % info.span) / BUFPOOL_STACK_UNIT;
	__atomic_store_n(&stack->top, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(BLOCK, trim(self->fd, 0));
	EXPECT_EQ(-ESTALE, give(self->fd, self->rented.handle));
	EXPECT_QUARANTINED_UNTIL_READ(self);
	munmap(stack, PAGE);
}

/* One who is killed while its block is in a pipe that others have. */
struct victim {
	unsigned int ready;
	struct outsider outsider;
	struct bufpool_rent rented;
};

static void rent_for_outsider(struct victim *victim)
{
	struct iovec vec;
	int fd = pool_open();
	char *at = rent_io_mapped(fd, BLOCK, &victim->rented);

	CHECK(at);
	memset(at, 'o', BLOCK);
	vec = (struct iovec){ .iov_base = at, .iov_len = BLOCK };
	CHECK(vmsplice(victim->outsider.ends[1], &vec, 1, 0) == BLOCK);
	word_set(&victim->ready, 1);
}

static int rent_and_hang(void *arg)
{
	rent_for_outsider(arg);
	for (;;)
		pause();
	return 0;
}

/* The new program has neither the descriptor nor the mapping. */
static int rent_and_execute(void *arg)
{
	rent_for_outsider(arg);
	execl("/bin/sleep", "sleep", "1000", NULL);
	return 1;
}

/* Have a child rent the block, and let the pipe have it. Return: what it says of that. */
static struct victim *begin_victim(int fd, struct outsider *outsider, __u64 handle,
				   int (*body)(void *arg), pid_t *pid)
{
	struct victim *victim = shared_alloc(sizeof(*victim));

	if (!victim || give_up(fd, handle) || !outsider_has(outsider, 'o') ||
	    !BECOMES(!quarantined(fd)))
		return NULL;
	victim->outsider = *outsider;
	*pid = spawn(body, victim);
	outsider->bytes = BLOCK;
	return word_reaches(&victim->ready, 1) ? victim : NULL;
}

TEST_F(outside, killed)
{
	struct victim *victim;
	pid_t pid;

	victim = begin_victim(self->fd, &self->outsider, self->rented.handle, rent_and_hang, &pid);
	ASSERT_NE(NULL, victim);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, reap(pid));
	self->rented = victim->rented;
	EXPECT_TRUE(BECOMES(quarantined(self->fd) == BLOCK));
	EXPECT_QUARANTINED_UNTIL_READ(self);
}

TEST_F(outside, executed)
{
	struct victim *victim;
	pid_t pid;

	victim = begin_victim(self->fd, &self->outsider, self->rented.handle, rent_and_execute,
			      &pid);
	ASSERT_NE(NULL, victim);
	self->rented = victim->rented;
	EXPECT_TRUE(BECOMES(quarantined(self->fd) == BLOCK));
	EXPECT_QUARANTINED_UNTIL_READ(self);
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, reap(pid));
}

/* A worker sees it, too: nobody asks for anything. */
TEST_F(outside, comes_back_by_itself)
{
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	sleep_ms(50);
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	EXPECT_TRUE(outsider_has(&self->outsider, 'o'));
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
	EXPECT_EQ(0, stats_of(self->fd).user_held);
}

static int wait_for_block(void *arg)
{
	int fd = *(int *)arg;
	struct bufpool_rent rented;

	CHECK(!rent_with(fd, MIB, BUFPOOL_RENT_IO, 0, &rented));
	CHECK(!give_up(fd, rented.handle));
	return 0;
}

/* A waiter that needs all of the pool gets it when the last reference is gone. */
TEST_F(outside, a_waiter_gets_what_was_quarantined)
{
	pid_t pid;

	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	pid = spawn(wait_for_block, &self->fd);
	EXPECT_TRUE(BECOMES(stats_of(self->fd).waiting == 1));
	sleep_ms(100);
	EXPECT_FALSE(child_has_ended());
	EXPECT_TRUE(outsider_has(&self->outsider, 'o'));
	EXPECT_EQ(0, reap(pid));
}

#define LOOKS		TRACING "events/workqueue/workqueue_execute_start/enable"

/* How often the worker looks in a while in which nothing changes. */
static int looks_in_a_while(void)
{
	CHECK(trace_forget(TRACING "trace"));
	sleep_ms(2000);
	return trace_count(TRACING "trace", "function bufpool_quarantine_work");
}

/* The worker looks less and less often, but not as long as somebody waits for what it may find. */
TEST_F(outside, is_looked_at_often_while_somebody_waits)
{
	int alone, awaited;
	pid_t pid;

	if (access(LOOKS, W_OK))
		SKIP(return, "cannot trace: %s", strerror(errno));
	ASSERT_EQ(0, write_text(LOOKS, "1"));
	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	alone = looks_in_a_while();
	pid = spawn(wait_for_block, &self->fd);
	EXPECT_TRUE(BECOMES(stats_of(self->fd).waiting == 1));
	awaited = looks_in_a_while();
	ASSERT_EQ(0, write_text(LOOKS, "0"));
	EXPECT_LT(0, alone);
	EXPECT_LT(2 * alone, awaited);
	EXPECT_TRUE(outsider_has(&self->outsider, 'o'));
	EXPECT_EQ(0, reap(pid));
}

/*
 * Some look all the time, and the worker does often, as somebody waits: nobody's look makes the
 * block be forgotten, and when the reference ends the waiter has it.
 */
struct lookers {
	int fd;
	unsigned int stop;
};

static void *look_always(void *arg)
{
	struct lookers *lookers = arg;
	struct bufpool_rent rented;

	while (!word_get(&lookers->stop))
		if (!rent_io(lookers->fd, MIB, &rented))
			give_up(lookers->fd, rented.handle);
	return NULL;
}

TEST_F(outside, not_forgotten_by_those_who_look)
{
	struct lookers lookers = { .fd = self->fd };
	unsigned int rounds = often(16), round, i;
	pthread_t threads[3];
	pid_t pid;

	for (round = 0; round < rounds; round++) {
		lookers.stop = 0;
		EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
		pid = spawn(wait_for_block, &self->fd);
		EXPECT_TRUE(BECOMES(stats_of(self->fd).waiting == 1));
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, look_always, &lookers));
		sleep_ms(500);
		word_set(&lookers.stop, 1);
		for (i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		EXPECT_EQ(BLOCK, quarantined(self->fd));
		EXPECT_TRUE(outsider_has(&self->outsider, 'o'));
		EXPECT_EQ(0, reap(pid));
		EXPECT_EQ(0, quarantined(self->fd));
		outsider_end(&self->outsider);
		munmap(self->at, BLOCK);
		self->at = rent_shared(self->fd, BLOCK, 'o', &self->rented, &self->outsider);
		ASSERT_NE(NULL, self->at);
	}
}

/* One that pins all that it may is at its quota by that, and others have the rest. */
static int pin_all(void *arg)
{
	struct outsider *outsiders = arg;
	struct bufpool_rent rented;
	unsigned int nr = 0;
	int fd;

	CHECK(become(5007, ONLY_OPEN));
	fd = pool_open();
	CHECK(fd >= 0);
	while (rent_shared(fd, BLOCK, 'p', &rented, &outsiders[nr])) {
		CHECK(!give_up(fd, rented.handle));
		nr++;
	}
	CHECK(nr == MIB / 2 / BLOCK);
	CHECK(rent_io(fd, BLOCK, &rented) == -EDQUOT);
	CHECK(rent(fd, BLOCK, &rented) == -EDQUOT);
	CHECK(stats_of(fd).user_held == MIB / 2);
	CHECK(stats_of(fd).user_quarantined == MIB / 2);
	CHECK(!stats_of(fd).client_bytes);
	CHECK(outsider_has(&outsiders[0], 'p'));
	CHECK(!rent_io(fd, BLOCK, &rented));
	CHECK(stats_of(fd).user_quarantined == MIB / 2 - BLOCK);
	return 0;
}

TEST_F(outside, who_pins_is_charged)
{
	struct outsider outsiders[MIB / BLOCK + 1];

	EXPECT_EQ(0, give_up(self->fd, self->rented.handle));
	EXPECT_TRUE(outsider_has(&self->outsider, 'o'));
	ASSERT_EQ(0, parameter_write("quota", MIB / 2));
	EXPECT_EQ(0, in_child(pin_all, outsiders));
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
}

/* Outsiders have what was sent to them; the next owner finds zeroes. */
TEST_F(outside, cleared)
{
	EXPECT_EQ(0, give_with(self->fd, self->rented.handle, BUFPOOL_RETURN_CLEAR));
	EXPECT_QUARANTINED_UNTIL_READ(self);
}

/* Zeroes, too, where there is no next owner, and the memory is the system's. */
TEST_F(outside, cleared_before_the_system_has_it)
{
	int probe = open(PROBE_DEVICE, O_RDWR | O_CLOEXEC);
	struct bufpool_rent others[2];
	__u64 pfn;

	if (probe < 0)
		SKIP(return, "there is no " PROBE_DEVICE);
	pfn = pfn_of(probe, self->at);
	ASSERT_NE(0, pfn);
	EXPECT_FALSE(pfn_is_zero(probe, pfn));
	ASSERT_EQ(0, rent_io(self->fd, BLOCK, &others[0]));
	ASSERT_EQ(0, rent_io(self->fd, BLOCK, &others[1]));
	/* more is pinned than may be, so none of it stays when it comes back */
	ASSERT_EQ(0, limit_write(2 * BLOCK));
	EXPECT_EQ(0, give_with(self->fd, self->rented.handle, BUFPOOL_RETURN_CLEAR));
	EXPECT_EQ(3 * BLOCK, stats_of(self->fd).pinned);
	EXPECT_TRUE(outsider_has(&self->outsider, 'o'));
	EXPECT_TRUE(BECOMES(stats_of(self->fd).pinned == 2 * BLOCK));
	EXPECT_TRUE(pfn_is_zero(probe, pfn));
	close(probe);
}

TEST_HARNESS_MAIN
