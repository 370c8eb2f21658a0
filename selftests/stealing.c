// SPDX-License-Identifier: MIT
/*
 * A rent that cannot be served takes a bounded number of warm blocks from others
 * before it says so, however many they make warm meanwhile.
 */
#include "bufpool_test.h"

#define ALL		2048		/* pages within the limit */
#define LIMIT		(ALL * PAGE)
#define WARMERS		2		/* processes */
#define CLIENTS		8		/* of each */
#define KEPT		32		/* blocks of each */
#define MAPPINGS	32		/* of each: a steal has to look at all of them */
#define MOST_STEALS	1024		/* in one call that does not wait */
#define CALLS		4

/* So often may the others warm their blocks until a call is without an end. */
#define ROUNDS		2000

/* What the processes of a test share. */
struct warming {
	unsigned int rounds;
	unsigned int calls;
	__u64 steals[CALLS];
	int answers[CALLS];
	__s64 timeout_ns;
	__u32 flags;
	__u64 size;			/* what is not to be had */
};

FIXTURE(stealing)
{
	int fd;
	struct warming *warming;
	struct bufpool_block *blocks;
	pid_t warmers[WARMERS];
};

FIXTURE_VARIANT(stealing)
{
	__u32 flags;
	__s64 timeout_ns;
};

FIXTURE_VARIANT_ADD(stealing, nonblock) { .flags = BUFPOOL_RENT_NONBLOCK };
FIXTURE_VARIANT_ADD(stealing, timed) { .timeout_ns = NSEC_PER_MSEC };

/* A client whose blocks are mapped often; the address of the last mapping. */
static char *open_warmer(int *fd)
{
	char *at = NULL;
	int i;

	*fd = pool_open();
	CHECK(*fd >= 0);
	for (i = 0; i < MAPPINGS; i++) {
		at = map_at(*fd, 0, 2 * LIMIT);
		CHECK(at != MAP_FAILED);
	}
	return at;
}

static void warm_up(int fd, char *at)
{
	struct bufpool_block blocks[KEPT];
	__u64 handles[KEPT];
	int count = rent_many(fd, PAGE, KEPT, blocks), i;

	for (i = 0; i < count; i++) {
		handles[i] = blocks[i].handle;
		if (blocks[i].offset < 2 * LIMIT)
			poke(at + blocks[i].offset, 1);
	}
	if (count > 0)
		give_many(fd, handles, count);
}

static int keep_warm(void *arg)
{
	struct warming *warming = arg;
	char *at[CLIENTS];
	int fds[CLIENTS], i;

	for (i = 0; i < CLIENTS; i++)
		at[i] = open_warmer(fds + i);
	for (;;) {
		for (i = 0; i < CLIENTS; i++)
			warm_up(fds[i], at[i]);
		__atomic_fetch_add(&warming->rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/*
 * Of each slab a block is rented, so none can be freed; the rest is free, more of
 * it than others keep warm, so only the caller has a reason to steal.
 */
FIXTURE_SETUP(stealing)
{
	struct bufpool_info info;
	int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &info));
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	self->warming = shared_alloc(sizeof(*self->warming));
	ASSERT_NE(NULL, self->warming);
	self->warming->flags = variant->flags;
	self->warming->timeout_ns = variant->timeout_ns;
	self->warming->size = info.slab_size / 2;
	self->blocks = calloc(ALL, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	ASSERT_EQ(ALL, drain(self->fd, PAGE, self->blocks, ALL));
	for (i = 0; i < ALL; i++) {
		/* Offsets tell which are in one slab. */
		if (!(self->blocks[i].offset % info.slab_size))
			continue;
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	}
	for (i = 0; i < WARMERS; i++)
		self->warmers[i] = spawn(keep_warm, self->warming);
	ASSERT_TRUE(word_reaches(&self->warming->rounds, 2 * WARMERS));
}

FIXTURE_TEARDOWN(stealing)
{
	int i;

	for (i = 0; i < WARMERS; i++) {
		kill(self->warmers[i], SIGKILL);
		reap(self->warmers[i]);
	}
	close(self->fd);
	parameters_restore();
}

static int rent_in_vain(void *arg)
{
	struct warming *warming = arg;
	struct bufpool_rent rented;
	int fd = pool_open(), i;

	CHECK(fd >= 0);
	for (i = 0; i < CALLS; i++) {
		__u64 before = stats_of(fd).steals;

		warming->answers[i] = rent_with(fd, warming->size, warming->flags,
						warming->timeout_ns, &rented);
		warming->steals[i] = stats_of(fd).steals - before;
		word_set(&warming->calls, i + 1);
	}
	return 0;
}

/* Wait for a call's end, but no longer than the others need for many rounds. */
static bool call_ends(struct warming *warming, unsigned int number)
{
	unsigned int began = word_get(&warming->rounds);

	while (word_get(&warming->calls) < number) {
		if (word_get(&warming->rounds) - began > ROUNDS)
			return word_get(&warming->calls) >= number;
		sleep_ms(1);
	}
	return true;
}

TEST_F(stealing, ends)
{
	int expected = variant->flags ? -EAGAIN : -ETIMEDOUT;
	pid_t pid = spawn(rent_in_vain, self->warming);
	int i;

	for (i = 0; i < CALLS; i++) {
		ASSERT_TRUE(call_ends(self->warming, i + 1)) {
			kill(pid, SIGKILL);
		}
		EXPECT_EQ(expected, self->warming->answers[i]);
		/* A waiter takes so many each time that it looks. */
		if (variant->flags & BUFPOOL_RENT_NONBLOCK)
			EXPECT_GE(MOST_STEALS, self->warming->steals[i]);
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_HARNESS_MAIN
