// SPDX-License-Identifier: MIT
/*
 * Programs that keep blocks and use them again, while others take them: no block is ever
 * had by two, and none is lost. BUFPOOL_STRESS_SECONDS is how long it lasts;
 * BUFPOOL_SEED repeats what can be repeated.
 */
#include "effort.h"
#include "keeper.h"

#define BLOCK		(4 * PAGE)
#define ALL		20		/* blocks within the limit: fewer than all would have */
#define OWNERS		3
#define THIEVES		2
#define HELD		3		/* blocks that an owner uses at a time */
#define REFILL		6		/* and rents at once */
#define GREED		8		/* and a thief */
#define NUMBERS		4096		/* of blocks that an owner reaches */
#define STEALS		2000

struct race {
	unsigned int stop;
	struct {
		unsigned int rounds;
		unsigned int pops;
		unsigned int empty;
		unsigned int rents;
	} owners[OWNERS];
	struct {
		unsigned int rents;
	} thieves[THIEVES];
};

struct runner {
	struct race *race;
	unsigned int nr;
	__u64 seed;
};

/* An owner, with what it uses just now. */
struct owner {
	int fd;
	struct bufpool_stack *stack;
	unsigned char *blocks;		/* all that it may reach, by number */
	__u64 seed;
	__u32 held[HELD];
	__u64 stamps[HELD];
	unsigned int count;
};

/* A stamp at both ends of a block */
static void stamp(unsigned char *at, __u64 value)
{
	__atomic_store_n((__u64 *)at, value, __ATOMIC_RELAXED);
	__atomic_store_n((__u64 *)(at + BLOCK - sizeof(value)), value, __ATOMIC_RELAXED);
}

static bool is_stamped(const unsigned char *at, __u64 value)
{
	return __atomic_load_n((__u64 *)at, __ATOMIC_RELAXED) == value &&
	       __atomic_load_n((__u64 *)(at + BLOCK - sizeof(value)),
			       __ATOMIC_RELAXED) == value;
}

static bool begin(struct owner *owner)
{
	struct bufpool_block first;

	if (rent_many(owner->fd, BLOCK, 1, &first) != 1)
		return false;
	owner->stack = map_stack(owner->fd, first.handle >> 59);
	owner->blocks = map_at(owner->fd, (first.handle >> 59) << 39, NUMBERS * BLOCK);
	return !give_up(owner->fd, first.handle) && owner->stack != MAP_FAILED &&
	       owner->blocks != MAP_FAILED;
}

static void use(struct owner *owner, __u32 number)
{
	unsigned int i = owner->count++;

	CHECK(number < NUMBERS * BLOCK / BUFPOOL_STACK_UNIT);
	owner->held[i] = number;
	owner->stamps[i] = next_random(&owner->seed);
	/* a block that is not the owner's is SIGBUS here */
	stamp(owner->blocks + (size_t)number * BUFPOOL_STACK_UNIT, owner->stamps[i]);
}

/* Put back a block that nobody else can have had meanwhile. */
static void keep_one(struct owner *owner)
{
	unsigned int i = next_random(&owner->seed) % owner->count;
	__u32 number = owner->held[i];

	CHECK(is_stamped(owner->blocks + (size_t)number * BUFPOOL_STACK_UNIT, owner->stamps[i]));
	owner->count--;
	owner->held[i] = owner->held[owner->count];
	owner->stamps[i] = owner->stamps[owner->count];
	CHECK(push(owner->stack, number));
}

/* Rent several at once, one to be used, and keep the others. */
static void refill(struct owner *owner, struct race *race, unsigned int nr)
{
	struct bufpool_block blocks[REFILL];
	int count = rent_many(owner->fd, BLOCK, REFILL, blocks);

	if (count <= 0) {
		race->owners[nr].empty++;
		return;
	}
	race->owners[nr].rents += count;
	while (--count)
		CHECK(push(owner->stack, entry_of(&blocks[count])));
	use(owner, entry_of(&blocks[0]));
}

static int own(void *arg)
{
	struct runner *runner = arg;
	struct race *race = runner->race;
	struct owner owner = { .fd = pool_open(), .seed = runner->seed };
	unsigned int nr = runner->nr;
	__u32 number;

	CHECK(owner.fd >= 0);
	while (!begin(&owner))
		sleep_ms(1);
	while (!word_get(&race->stop)) {
		race->owners[nr].rounds++;
		if (owner.count == HELD ||
		    (owner.count && next_random(&owner.seed) % 2)) {
			keep_one(&owner);
		} else if (pop(owner.stack, &number)) {
			race->owners[nr].pops++;
			use(&owner, number);
		} else {
			refill(&owner, race, nr);
		}
	}
	while (owner.count)
		keep_one(&owner);
	/* all that it has is in its stack, once nobody takes any of it */
	CHECK(BECOMES(stats_of(owner.fd).client_blocks ==
		      stats_of(owner.fd).client_kept_blocks));
	return 0;
}

/* Take as much as there is, and give it back. */
static int steal(void *arg)
{
	struct runner *runner = arg;
	struct race *race = runner->race;
	struct bufpool_block blocks[GREED];
	int fd = pool_open(), count, i;
	unsigned char *at;

	CHECK(fd >= 0);
	while (!word_get(&race->stop)) {
		count = rent_many(fd, BLOCK, GREED, blocks);
		for (i = 0; i < count; i++) {
			at = map_at(fd, blocks[i].offset, BLOCK);
			CHECK(at != MAP_FAILED);
			CHECK(filled(at, 0, BLOCK));
			stamp(at, runner->seed);
			CHECK(is_stamped(at, runner->seed));
			munmap(at, BLOCK);
			race->thieves[runner->nr].rents++;
		}
		for (i = 0; i < count; i++)
			CHECK(!give_up(fd, blocks[i].handle));
	}
	return 0;
}

FIXTURE(kept_race)
{
	int fd;
	struct race *race;
};

FIXTURE_SETUP(kept_race)
{
	ASSERT_EQ(0, limit_write(ALL * BLOCK));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->race = shared_alloc(sizeof(*self->race));
	ASSERT_NE(NULL, self->race);
}

FIXTURE_TEARDOWN(kept_race)
{
	close(self->fd);
	parameters_restore();
}

TEST_F_TIMEOUT(kept_race, each_block_has_one_owner, A_DAY)
{
	struct effort effort = effort_begin(often(STEALS), 1);
	struct runner runners[OWNERS + THIEVES];
	pid_t pids[OWNERS + THIEVES];
	__u64 seed = random_seed(), before = stats_of(self->fd).steals;
	unsigned int i;

	for (i = 0; i < OWNERS + THIEVES; i++) {
		runners[i] = (struct runner){
			.race = self->race,
			.nr = i < OWNERS ? i : i - OWNERS,
			.seed = next_random(&seed) | 1,
		};
		pids[i] = spawn(i < OWNERS ? own : steal, &runners[i]);
		ASSERT_LT(0, pids[i]);
	}
	while (effort_goes_on(&effort, stats_of(self->fd).steals - before) &&
	       !child_has_ended())
		sleep_ms(10);
	word_set(&self->race->stop, 1);
	for (i = 0; i < OWNERS + THIEVES; i++)
		EXPECT_EQ(0, reap(pids[i]));
	for (i = 0; i < OWNERS; i++) {
		EXPECT_LT(0, self->race->owners[i].pops);
		TH_LOG("owner %u: %u rounds, %u pops, %u rents, %u times nothing", i,
		       self->race->owners[i].rounds, self->race->owners[i].pops,
		       self->race->owners[i].rents, self->race->owners[i].empty);
	}
	for (i = 0; i < THIEVES; i++) {
		EXPECT_LT(0, self->race->thieves[i].rents);
		TH_LOG("thief %u: %u rents", i, self->race->thieves[i].rents);
	}
	EXPECT_TRUE(in_use_becomes(self->fd, 0));
	EXPECT_EQ(0, stats_of(self->fd).kept);
}

TEST_HARNESS_MAIN
