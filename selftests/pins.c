// SPDX-License-Identifier: MIT
/*
 * A block leaves its client while a thread of that is in the middle of a fault in it: once
 * another has it, that client reads nothing of what is in there.
 */
#include "effort.h"
#include "keeper.h"

#include <pthread.h>

#define BLOCK		(32 * PAGE)	/* all that the pool has room for */
#define SECRET		0xa5

/**
 * struct scene - what victim and thief share
 * @leave: what the victim does with a block so that the thief gets it
 * @stop: both are to end
 * @thefts: how often the thief got the block
 * @faults: how many touches of the victim's ended in SIGBUS
 * @leaks: how many found what only the thief writes
 */
struct scene {
	bool (*leave)(int fd, const struct bufpool_rent *rented, struct bufpool_stack *stack);
	unsigned int stop;
	unsigned int thefts;
	unsigned int faults;
	unsigned int leaks;
};

/* What the victim's threads share. */
struct victim {
	struct scene *scene;
	char *at;		/* NULL before the first rent */
};

static void *touch_always(void *arg)
{
	struct victim *victim = arg;
	struct scene *scene = victim->scene;

	while (!word_get(&scene->stop)) {
		char *at = __atomic_load_n(&victim->at, __ATOMIC_ACQUIRE);
		unsigned char value = 0;

		if (!at)
			continue;
		if (peek(at + BLOCK / 2, &value))
			__atomic_add_fetch(&scene->faults, 1, __ATOMIC_RELAXED);
		else if (value == SECRET)
			__atomic_add_fetch(&scene->leaks, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* It stays warm, and mapped, until it is stolen. */
static bool leave_warm(int fd, const struct bufpool_rent *rented, struct bufpool_stack *stack)
{
	(void)stack;
	return !give(fd, rented->handle);
}

/* The victim gives it up itself. */
static bool leave_and_trim(int fd, const struct bufpool_rent *rented, struct bufpool_stack *stack)
{
	(void)stack;
	return !give(fd, rented->handle) && trim(fd, 0) >= 0;
}

/* It is kept, until it is taken. */
static bool leave_kept(int fd, const struct bufpool_rent *rented, struct bufpool_stack *stack)
{
	const struct bufpool_block block = { .offset = rented->offset };

	(void)fd;
	return push(stack, entry_of(&block));
}

/* The stack of the blocks' class. */
static struct bufpool_stack *stack_of(int fd)
{
	return map_stack(fd, __builtin_ctzll(BLOCK / PAGE));
}

/* Rent, and let the block go to the thief. */
static int rent_and_touch(void *arg)
{
	struct victim victim = { .scene = arg };
	struct bufpool_rent rented;
	__u64 offset = ~0ULL;
	pthread_t thread;
	int fd = pool_open();
	struct bufpool_stack *stack = stack_of(fd);

	CHECK(fd >= 0 && stack != MAP_FAILED);
	CHECK(!pthread_create(&thread, NULL, touch_always, &victim));
	while (!word_get(&victim.scene->stop)) {
		if (rent(fd, BLOCK, &rented))
			continue;
		if (rented.offset != offset) {
			char *at = map_block(fd, &rented);

			CHECK(at != MAP_FAILED);
			offset = rented.offset;
			at = __atomic_exchange_n(&victim.at, at, __ATOMIC_ACQ_REL);
			if (at)
				munmap(at, BLOCK);
		}
		CHECK(victim.scene->leave(fd, &rented, stack));
	}
	CHECK(!pthread_join(thread, NULL));
	return 0;
}

static int steal_and_write(void *arg)
{
	struct scene *scene = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	while (!word_get(&scene->stop)) {
		if (rent(fd, BLOCK, &rented))
			continue;
		CHECK(block_fill(fd, rented.offset, BLOCK, SECRET));
		usleep(200);
		CHECK(!give_up(fd, rented.handle));
		__atomic_add_fetch(&scene->thefts, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

FIXTURE(pins)
{
	struct scene *scene;
};

FIXTURE_VARIANT(pins)
{
	bool (*leave)(int fd, const struct bufpool_rent *rented, struct bufpool_stack *stack);
};

FIXTURE_VARIANT_ADD(pins, stolen) { .leave = leave_warm };
FIXTURE_VARIANT_ADD(pins, trimmed) { .leave = leave_and_trim };
FIXTURE_VARIANT_ADD(pins, taken) { .leave = leave_kept };

FIXTURE_SETUP(pins)
{
	self->scene = shared_alloc(sizeof(*self->scene));
	ASSERT_NE(NULL, self->scene);
	self->scene->leave = variant->leave;
	ASSERT_EQ(0, limit_write(BLOCK));
}

FIXTURE_TEARDOWN(pins)
{
	limit_restore();
}

TEST_F(pins, is_not_read_by_a_fault_on_its_way)
{
	struct effort effort = effort_begin(often(500), 1);
	struct scene *scene = self->scene;
	pid_t victim = spawn(rent_and_touch, scene), thief = spawn(steal_and_write, scene);

	while (effort_goes_on(&effort, word_get(&scene->thefts)) &&
	       !child_has_ended())
		sleep_ms(1);
	word_set(&scene->stop, 1);
	EXPECT_EQ(0, reap(victim));
	EXPECT_EQ(0, reap(thief));
	TH_LOG("%u thefts, %u faults, %u leaks", scene->thefts, scene->faults,
	       scene->leaks);
	EXPECT_EQ(0, scene->leaks);
}

TEST_HARNESS_MAIN
