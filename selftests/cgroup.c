// SPDX-License-Identifier: MIT
/*
 * Memory cgroups: who is charged for slabs, and what is refused, given back, and left.
 */
#include "box.h"
#include "channel.h"
#include "effort.h"
#include "keeper.h"
#include "pressure.h"
#include "processor.h"
#include "tenant.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#define ALICE	4711
#define BOB	4712
#define LIMIT	(64 * MIB)
#define MAX	(16 * MIB)	/* of a box */
#define BLOCK	(1 * MIB)
#define MOST	(LIMIT / BLOCK)
/* What the kernel charges a box for besides, and ahead; and ahead only, on two processors */
#define SLACK	(2 * MIB)
#define ADVANCE	(2 * 64 * PAGE)

#define A	"a"
#define B	"b"

FIXTURE(cgroup)
{
	int fd;				/* of root's, in no box */
	struct bufpool_info info;
	struct bufpool_block *blocks;
	struct bufpool_rent rent;
};

FIXTURE_SETUP(cgroup)
{
	if (!boxes_are_possible())
		SKIP_FIXTURE("this kernel has no memory cgroups, of version 2");
	ASSERT_TRUE(box_create(A, MAX));
	ASSERT_TRUE(box_create(B, MAX));
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_EQ(0, parameter_write("quota", LONG_MAX));
	/* nothing goes with time */
	ASSERT_EQ(0, parameter_write("trim_ms", 3600000));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	self->blocks = calloc(LIMIT / PAGE, sizeof(*self->blocks));
	ASSERT_NE(NULL, self->blocks);
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
}

FIXTURE_TEARDOWN(cgroup)
{
	box_leave();
	close(self->fd);
	EXPECT_TRUE(box_remove(A));
	EXPECT_TRUE(box_remove(B));
	parameters_restore();
}

/* Rent until there is no more. Return: how many blocks; @err gets why not more. */
static int rent_all(int fd, __u64 size, struct bufpool_block *blocks, int most, int *err)
{
	struct bufpool_rent rented;
	int count = 0;

	for (*err = 0; count < most; count++) {
		*err = rent(fd, size, &rented);
		if (*err)
			break;
		blocks[count] = (struct bufpool_block){
			.handle = rented.handle,
			.offset = rented.offset,
			.length = rented.length,
		};
	}
	return count;
}

static __u64 killed_in(const char *box)
{
	return box_read(box, "memory.events", "oom_kill");
}

/* As much as its bound, and nobody else has less for it. */
TEST_F(cgroup, a_box_holds_what_it_may)
{
	int fd, count, err;

	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	count = rent_all(fd, BLOCK, self->blocks, MOST, &err);
	EXPECT_EQ(-ENOMEM, err);
	TH_LOG("%d MiB of %llu, charged %llu KiB", count, MAX / MIB, box_charged(A) / KIB);
	EXPECT_GE(MAX / BLOCK, count);
	EXPECT_LE((MAX - SLACK) / BLOCK, count);
	EXPECT_GE(MAX, box_charged(A));
	EXPECT_LE(count * BLOCK, box_charged(A));
	/* One that would wait is told as well. */
	EXPECT_EQ(-ENOMEM, rent_with(fd, BLOCK, 0, 0, &self->rent));
	EXPECT_EQ(2, stats_of(fd).client_refused_memory);
	EXPECT_EQ(0, killed_in(A));
	ASSERT_TRUE(box_leave());
	EXPECT_EQ(MOST - count, rent_all(self->fd, BLOCK, self->blocks, MOST, &err));
	EXPECT_EQ(-EAGAIN, err);
	close(fd);
}

/* With small blocks, too, up to the last page; and others' do not become small for it. */
TEST_F(cgroup, a_box_is_full_to_the_last_pages)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	int fd, count, err;
	__u64 created;

	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	count = rent_all(fd, PAGE, self->blocks, LIMIT / PAGE, &err);
	EXPECT_EQ(-ENOMEM, err);
	TH_LOG("%llu KiB of %llu, charged %llu KiB", count * PAGE / KIB, MAX / KIB,
	       box_charged(A) / KIB);
	EXPECT_LE(MAX - SLACK, count * PAGE);
	EXPECT_GE(MAX, box_charged(A));
	ASSERT_TRUE(box_leave());
	created = stats_of(self->fd).slabs_created;
	ASSERT_EQ(pages, rent_many(self->fd, PAGE, pages, self->blocks));
	EXPECT_EQ(created + 1, stats_of(self->fd).slabs_created);
	close(fd);
}

/* What is unused in a box is for nobody else, and comes back to it at once. */
TEST_F(cgroup, idle_slabs_are_for_their_box_alone)
{
	int fd, other, err, i;
	__u64 created;

	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	ASSERT_EQ(4, rent_all(fd, BLOCK, self->blocks, 4, &err));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, give_up(fd, self->blocks[i].handle));
	EXPECT_EQ(4 * BLOCK, stats_of(fd).idle);
	EXPECT_EQ(0, stats_of(fd).user_held);
	created = stats_of(fd).slabs_created;
	ASSERT_EQ(4, rent_all(fd, BLOCK, self->blocks, 4, &err));
	EXPECT_EQ(created, stats_of(fd).slabs_created);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, give_up(fd, self->blocks[i].handle));

	/* the same user, in another box; another one, in none */
	ASSERT_TRUE(box_enter(B));
	other = open_for(ALICE);
	ASSERT_EQ(4, rent_all(other, BLOCK, self->blocks, 4, &err));
	EXPECT_EQ(created + 4, stats_of(fd).slabs_created);
	EXPECT_LE(4 * BLOCK, box_charged(B));
	ASSERT_TRUE(box_leave());
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	EXPECT_EQ(created + 5, stats_of(fd).slabs_created);
	EXPECT_LE(4 * BLOCK, box_charged(A));
	close(other);

	/* with the last client of the box it is gone */
	close(fd);
	EXPECT_TRUE(BECOMES(stats_of(self->fd).pinned == self->rent.length));
	EXPECT_TRUE(BECOMES(box_charged(A) <= ADVANCE));
}

/* Of every size, for I/O and not. */
TEST_F(cgroup, idle_slabs_go_with_the_last_client)
{
	const __u32 flags[] = { BUFPOOL_RENT_NONBLOCK, BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_IO };
	__u64 size, created;
	unsigned int i;
	int fd;

	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	created = stats_of(fd).slabs_created;
	for (size = PAGE; size <= BLOCK; size *= 2)
		for (i = 0; i < ARRAY_SIZE(flags); i++) {
			ASSERT_EQ(0, rent_with(fd, size, flags[i], 0, &self->rent));
			ASSERT_EQ(0, give_up(fd, self->rent.handle));
			created++;
		}
	EXPECT_EQ(created, stats_of(fd).slabs_created);
	EXPECT_TRUE(BECOMES(stats_of(fd).idle == stats_of(fd).pinned));
	EXPECT_LT(0, stats_of(fd).idle);
	close(fd);
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).pinned));
}

/* What is idle outside is no way around a box, and neither is the reserve. */
TEST_F(cgroup, a_box_gets_nothing_that_is_charged_to_nobody)
{
	char path[96], text[32];
	int fd, err, count;

	ASSERT_EQ(MOST / 4, rent_all(self->fd, BLOCK, self->blocks, MOST / 4, &err));
	for (count = 0; count < (int)MOST / 4; count++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[count].handle));
	snprintf(path, sizeof(path), "/sys/class/misc/bufpool/classes/%llu/reserve", BLOCK);
	snprintf(text, sizeof(text), "%llu", 8 * BLOCK);
	ASSERT_EQ(0, write_text(path, text));
	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	count = rent_all(fd, BLOCK, self->blocks, MOST, &err);
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_GE(MAX / BLOCK, count);
	EXPECT_GE(MAX, box_charged(A));
	EXPECT_LE(count * BLOCK, box_charged(A));
	close(fd);
	ASSERT_TRUE(box_leave());
	ASSERT_EQ(0, write_text(path, "0"));
}

/* Who rents is charged, whoever opened the device. */
TEST_F(cgroup, a_passed_descriptor_is_charged_to_who_rents)
{
	int fd = open_for(ALICE), count, err;

	ASSERT_EQ(0, rent(fd, BLOCK, &self->rent));
	ASSERT_TRUE(box_enter(A));
	EXPECT_GE(ADVANCE, box_charged(A));
	count = rent_all(fd, BLOCK, self->blocks, MOST, &err);
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_GE(MAX / BLOCK, count);
	EXPECT_LE((MAX - SLACK) / BLOCK, count);
	EXPECT_LE(count * BLOCK, box_charged(A));
	/* of the same account */
	EXPECT_EQ((count + 1) * BLOCK, stats_of(fd).user_held);
	ASSERT_TRUE(box_leave());
	EXPECT_EQ(0, rent(fd, BLOCK, &self->rent));
	close(fd);
	EXPECT_TRUE(BECOMES(box_charged(A) <= ADVANCE));
}

/* A box goes while its slabs are in use; they serve on, and go with their client. */
TEST_F(cgroup, a_box_may_go_before_its_slabs)
{
	const unsigned int pages = self->info.slab_size / PAGE;
	__u64 pinned = stats_of(self->fd).pinned;
	unsigned int i;
	int fd;

	for (i = 0; i < often(20); i++) {
		ASSERT_TRUE(box_create(A, MAX));
		ASSERT_TRUE(box_enter(A));
		fd = open_for(ALICE);
		ASSERT_EQ(pages, rent_many(fd, 1, pages, self->blocks));
		ASSERT_TRUE(block_fill(fd, self->blocks[0].offset, PAGE, i + 1));
		ASSERT_TRUE(box_leave());
		ASSERT_TRUE(box_remove(A));
		EXPECT_EQ(0, rent(fd, BLOCK, &self->rent));
		ASSERT_EQ(0, give(fd, self->rent.handle));
		ASSERT_TRUE(give_all(fd, self->blocks, pages / 2));
		ASSERT_EQ(pages, rent_many(fd, 1, pages, self->blocks + pages));
		close(fd);
		EXPECT_TRUE(BECOMES(stats_of(self->fd).user_held == 0));
	}
	/* but for what is idle, and charged to no box */
	EXPECT_TRUE(BECOMES(stats_of(self->fd).pinned <=
			    pinned + BLOCK + 2 * self->info.slab_size));
}

/* One quota for a user, in however many boxes; what is unused in one makes room in another. */
TEST_F(cgroup, boxes_of_a_user_share_a_quota)
{
	int fd, other, err, i;

	ASSERT_EQ(0, parameter_write("quota", 4 * BLOCK));
	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	ASSERT_EQ(3, rent_all(fd, BLOCK, self->blocks, 3, &err));
	ASSERT_TRUE(box_enter(B));
	other = open_for(ALICE);
	EXPECT_EQ(1, rent_all(other, BLOCK, self->blocks + 3, MOST, &err));
	EXPECT_EQ(-EDQUOT, err);
	/* warm in the first box */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, give(fd, self->blocks[i].handle));
	ASSERT_EQ(3, stats_of(fd).client_warm_blocks);
	EXPECT_EQ(3, rent_all(other, BLOCK, self->blocks, MOST, &err));
	EXPECT_EQ(-EDQUOT, err);
	close(other);
	close(fd);
}

#define BOXES_MANY	16

/* Likewise of many boxes, whichever it is unused in; where programs keep blocks, too. */
TEST_F(cgroup, what_is_unused_is_found_in_any_box)
{
	int fds[BOXES_MANY], err, i;
	struct bufpool_rent rented;
	char name[16];

	ASSERT_NE(MAP_FAILED, map_stack(self->fd, 0));
	ASSERT_EQ(0, parameter_write("quota", 2 * BLOCK));
	for (i = 0; i < BOXES_MANY; i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		ASSERT_TRUE(box_create(name, MAX));
		ASSERT_TRUE(box_enter(name));
		fds[i] = open_for(ALICE);
		if (i)
			continue;
		ASSERT_EQ(2, rent_all(fds[0], BLOCK, self->blocks, MOST, &err));
		ASSERT_EQ(-EDQUOT, err);
		ASSERT_EQ(0, give(fds[0], self->blocks[0].handle));
		ASSERT_EQ(0, give(fds[0], self->blocks[1].handle));
	}
	/* the last has made room twice */
	EXPECT_EQ(0, rent(fds[BOXES_MANY - 1], BLOCK, &rented));
	EXPECT_EQ(0, rent(fds[BOXES_MANY - 1], BLOCK, &rented));
	EXPECT_EQ(-EDQUOT, rent(fds[BOXES_MANY - 1], BLOCK, &rented));
	ASSERT_TRUE(box_leave());
	for (i = 0; i < BOXES_MANY; i++) {
		close(fds[i]);
		snprintf(name, sizeof(name), "many-%d", i);
		EXPECT_TRUE(box_remove(name));
	}
}

/* One's own unused blocks make room where the box is full. */
TEST_F(cgroup, warm_blocks_make_room_in_a_full_box)
{
	const __u64 half = BLOCK / 2;
	int fd, count, err, i;

	ASSERT_EQ(0, parameter_write("warm_bytes", LIMIT));
	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	count = rent_all(fd, half, self->blocks, 2 * MOST, &err);
	ASSERT_EQ(-ENOMEM, err);
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, give(fd, self->blocks[i].handle));
	ASSERT_EQ(8, stats_of(fd).client_warm_blocks);
	EXPECT_LE(3, rent_all(fd, BLOCK, self->blocks + count, MOST, &err));
	EXPECT_EQ(0, killed_in(A));
	close(fd);
}

static int use_memory(void *arg)
{
	const size_t *bytes = arg;
	char *at = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	size_t i;

	CHECK(at != MAP_FAILED);
	for (i = 0; i < *bytes; i += PAGE)
		at[i] = 1;
	return 0;
}

/* What a box does not use goes when it is short of memory, and nobody is killed for it. */
TEST_F(cgroup, pressure_in_a_box_takes_what_is_unused)
{
	size_t bytes = MAX * 3 / 4;
	int fd, count, err, i;

	ASSERT_EQ(0, parameter_write("warm_bytes", LIMIT));
	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	count = rent_all(fd, BLOCK, self->blocks, MOST, &err);
	ASSERT_EQ(-ENOMEM, err);
	/* one half idle, and the other warm, but for one that is in use */
	for (i = 0; i < count / 2; i++)
		ASSERT_EQ(0, give_up(fd, self->blocks[i].handle));
	for (; i < count - 1; i++)
		ASSERT_EQ(0, give(fd, self->blocks[i].handle));
	ASSERT_TRUE(block_fill(fd, self->blocks[count - 1].offset, BLOCK, 0x5a));
	EXPECT_EQ(0, in_child(use_memory, &bytes));
	EXPECT_EQ(0, killed_in(A));
	TH_LOG("%d MiB before, %llu MiB after", count, stats_of(fd).pinned / MIB);
	EXPECT_GE(MAX - bytes + SLACK, stats_of(fd).pinned);
	EXPECT_EQ(BLOCK, stats_of(fd).client_bytes);
	close(fd);
}

/* Nor does it stay warm with a client that is outside, and that the box cannot take it from. */
TEST_F(cgroup, pressure_in_a_box_takes_what_was_rented_by_another_client)
{
	size_t bytes = MAX * 3 / 4;
	int fd, count, err, i;

	ASSERT_EQ(0, parameter_write("warm_bytes", LIMIT));
	fd = open_for(ALICE);
	ASSERT_TRUE(box_enter(A));
	count = rent_all(fd, BLOCK, self->blocks, MOST, &err);
	ASSERT_EQ(-ENOMEM, err);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, give(fd, self->blocks[i].handle));
	EXPECT_EQ(0, in_child(use_memory, &bytes));
	EXPECT_EQ(0, killed_in(A));
	EXPECT_GE(MAX - bytes + SLACK, stats_of(fd).pinned);
	close(fd);
}

/* What an account has in a cgroup is seen in debugfs. */
TEST_F(cgroup, each_box_is_seen)
{
	__u64 cgroup, uid, bytes, charged, id;
	bool found = false;
	char line[128];
	struct stat st;
	FILE *stream;
	int fd;

	ASSERT_TRUE(box_enter(A));
	fd = open_for(ALICE);
	ASSERT_EQ(0, rent(fd, BLOCK, &self->rent));
	ASSERT_EQ(0, stat(BOXES "bufpool-" A, &st));
	id = st.st_ino;
	stream = fopen("/sys/kernel/debug/bufpool/cgroups", "re");
	if (!stream)
		SKIP(return, "there is no debugfs in /sys/kernel/debug");
	while (fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "%llu %llu %llu %llu", &cgroup, &uid, &bytes, &charged) != 4 ||
		    cgroup != id)
			continue;
		EXPECT_EQ(ALICE, uid);
		EXPECT_EQ(BLOCK, bytes);
		EXPECT_EQ(BLOCK, charged);
		found = true;
	}
	fclose(stream);
	EXPECT_TRUE(found);
	close(fd);
}

/* Slabs that are idle count as memory that the system could have. */
TEST_F(cgroup, idle_slabs_are_reclaimable)
{
	__u64 before = memory_number("KReclaimable"), idle;
	int err, i;

	ASSERT_EQ(MOST / 2, rent_all(self->fd, BLOCK, self->blocks, MOST / 2, &err));
	for (i = 0; i < (int)MOST / 2; i++)
		ASSERT_EQ(0, give_up(self->fd, self->blocks[i].handle));
	idle = memory_number("KReclaimable");
	EXPECT_LE(before * KIB + (MOST / 2 - 2) * BLOCK, idle * KIB);
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	EXPECT_GE(idle * KIB - (MOST / 2 - 2) * BLOCK, memory_number("KReclaimable") * KIB);
}

/* Waiting ----------------------------------------------------------------------- */

#define ROUNDS	100		/* in which a waiter is served, whoever comes by */
#define MANY	100000		/* that would be too many */

struct wait_in_a_box {
	int fd;
	unsigned int *served;
	unsigned int *stop;
};

static int wait_for_a_block(void *arg)
{
	struct wait_in_a_box *wait = arg;
	struct bufpool_rent rented;

	CHECK(pin(0, 0) && schedule_as(0, SCHED_OTHER, 0));
	CHECK(!rent_with(wait->fd, BLOCK, 0, 0, &rented));
	word_set(wait->served, 1);
	CHECK(word_reaches(wait->stop, 1));
	return 0;
}

/* Rent, waiting, and return what there is, before all others that could run. */
static int rent_and_return(void *arg)
{
	struct wait_in_a_box *wait = arg;
	struct bufpool_rent rented;
	unsigned int round;

	CHECK(be_alone_on(0));
	for (round = 1; round < MANY && !word_get(wait->stop); round++) {
		if (!rent_with(wait->fd, BLOCK, 0, 1000 * NSEC_PER_MSEC, &rented))
			CHECK(!give_up(wait->fd, rented.handle));
		word_set(wait->served, round);
	}
	return 0;
}

/* Rent pages in a box. Return: how many */
static int rent_pages(int fd, struct bufpool_block *blocks, int most)
{
	int count = 0, ret;

	while (count < most) {
		ret = rent_many(fd, 1, BUFPOOL_MANY_MAX, blocks + count);
		if (ret <= 0)
			break;
		count += ret;
	}
	return count;
}

/* Return a block in each slab, and rent again. Return: in how many there is one, or -1 */
static int slabs_that_go_on(int fd, const struct bufpool_block *blocks, int count, int step)
{
	struct bufpool_rent rented;
	int i, again = 0;

	for (i = 0; i < count; i += step)
		if (give_up(fd, blocks[i].handle))
			return -1;
	while (!rent(fd, 1, &rented))
		again++;
	return again;
}

/* Who has more than a waiter gives up half of that, in however many boxes it is. */
TEST_F(cgroup, boxes_of_a_user_give_up_half_together)
{
	const int pages = self->info.slab_size / PAGE, each = 8 * MIB / PAGE;
	unsigned int *words = shared_alloc(2 * sizeof(*words));
	struct wait_in_a_box bob = { .served = words, .stop = words + 1 };
	struct bufpool_block *more = self->blocks + 2 * each;
	int fds[2], again, err, i;
	pid_t pid;

	ASSERT_NE(NULL, words);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(box_enter(i ? B : A));
		fds[i] = open_for(ALICE);
		ASSERT_EQ(each, rent_pages(fds[i], self->blocks + i * each, each));
	}
	ASSERT_TRUE(box_leave());
	ASSERT_EQ(MOST - 16, rent_all(self->fd, BLOCK, more, MOST, &err));
	bob.fd = open_for(BOB);
	pid = spawn(wait_for_a_block, &bob);
	ASSERT_TRUE(BECOMES(stats_of(self->fd).waiting == 1));
	sleep_ms(50);
	for (again = 0, i = 0; i < 2; i++) {
		ASSERT_TRUE(box_enter(i ? B : A));
		again += slabs_that_go_on(fds[i], self->blocks + i * each, each, pages);
	}
	ASSERT_TRUE(box_leave());
	TH_LOG("%d of %d slabs go on", again, 2 * each / pages);
	EXPECT_LE(2 * each / pages * 3 / 8, again);
	EXPECT_GE(2 * each / pages * 5 / 8, again);
	kill(pid, SIGKILL);
	reap(pid);
	close(bob.fd);
	close(fds[0]);
	close(fds[1]);
}

/* A slab that only one box could use as it is goes to whose turn it is, all the same. */
TEST_F(cgroup, a_box_is_no_way_past_a_turn)
{
	unsigned int *words = shared_alloc(3 * sizeof(*words));
	struct wait_in_a_box alice = { .served = words, .stop = words + 2 };
	struct wait_in_a_box bob = { .served = words + 1, .stop = words };
	pid_t pids[2];
	int err;

	ASSERT_NE(NULL, words);
	ASSERT_EQ(MOST - 1, rent_all(self->fd, BLOCK, self->blocks, MOST - 1, &err));
	ASSERT_TRUE(box_enter(A));
	bob.fd = open_for(BOB);
	ASSERT_EQ(0, rent(bob.fd, BLOCK, &self->rent));
	ASSERT_TRUE(box_enter(B));
	alice.fd = open_for(ALICE);
	pids[0] = spawn(wait_for_a_block, &alice);
	ASSERT_TRUE(BECOMES(stats_of(self->fd).waiting == 1));
	ASSERT_TRUE(box_enter(A));
	ASSERT_TRUE(be_alone_on(0));
	ASSERT_EQ(0, give_up(bob.fd, self->rent.handle));
	pids[1] = spawn(rent_and_return, &bob);
	EXPECT_EQ(0, reap(pids[1]));
	TH_LOG("served after %u rounds of another", word_get(words + 1));
	EXPECT_GE(ROUNDS, word_get(words + 1));
	EXPECT_EQ(1, word_get(words));
	word_set(words + 2, 1);
	EXPECT_EQ(0, reap(pids[0]));
	close(alice.fd);
	close(bob.fd);
}

/* What else a program has the pool make it pays for as well. */
#define MANY_THINGS	500
/* 64 for each processor are too few */
#define MANY_CHANGES	512

/**
 * struct maker - a process in a box of its own
 * @make: makes one thing; how, or -errno
 * @fd: for which client; that was opened in no box
 * @done: all are made
 * @stop: they may go
 */
struct maker {
	int (*make)(int fd, unsigned int nr);
	int fd;
	unsigned int done;
	unsigned int stop;
};

/* Change so many of a box's statistics that no kernel puts off adding them up until later. */
static bool change_statistics(void)
{
	unsigned int i;
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	for (i = 0; i < MANY_CHANGES; i++) {
		page[0] = 1;
		if (madvise(page, PAGE, MADV_DONTNEED))
			return false;
	}
	return !munmap(page, PAGE);
}

static int make_many(void *arg)
{
	const struct rlimit descriptors = { .rlim_cur = 4096, .rlim_max = 4096 };
	struct maker *maker = arg;
	unsigned int nr;

	CHECK(!setrlimit(RLIMIT_NOFILE, &descriptors));
	CHECK(box_enter(A));
	for (nr = 0; nr < MANY_THINGS; nr++)
		CHECK(maker->make(maker->fd, nr) >= 0);
	CHECK(change_statistics());
	word_set(&maker->done, 1);
	CHECK(word_reaches(&maker->stop, 1));
	return 0;
}

/* Have many things made in a box. Return: bytes that it is charged for each of them, or -1. */
static __s64 cost_of(int fd, int (*make)(int fd, unsigned int nr))
{
	struct maker *maker = shared_alloc(sizeof(*maker));
	__u64 bytes;
	pid_t pid;

	if (!maker || !box_remove(A) || !box_create(A, MAX))
		return -1;
	maker->make = make;
	maker->fd = fd;
	pid = spawn(make_many, maker);
	if (!BECOMES(word_get(&maker->done) || child_has_ended()))
		return -1;
	bytes = box_read(A, "memory.stat", "kernel");
	word_set(&maker->stop, 1);
	return reap(pid) ? -1 : (__s64)bytes / MANY_THINGS;
}

static int make_file(int fd, unsigned int nr)
{
	(void)fd;
	(void)nr;
	return eventfd(0, EFD_CLOEXEC);
}

static int make_client(int fd, unsigned int nr)
{
	(void)fd;
	(void)nr;
	return pool_open();
}

static int make_poller(int fd, unsigned int nr)
{
	(void)nr;
	return poller_of(fd, 1);
}

static int make_channel(int fd, unsigned int nr)
{
	struct channel channel;

	(void)nr;
	return channel_make(fd, 64, &channel);
}

static int make_stack(int fd, unsigned int nr)
{
	struct bufpool_stack *stack = map_stack(fd, nr);

	if (stack == MAP_FAILED)
		return -errno;
	/* made by a touch, and there without its mapping */
	if (stack->top)
		return -EIO;
	return munmap(stack, PAGE);
}

/* More than for as many other files */
TEST_F(cgroup, clients_cost_who_opens_them)
{
	__s64 file = cost_of(self->fd, make_file), client = cost_of(self->fd, make_client);

	ASSERT_LT(0, file);
	TH_LOG("%lld bytes, and %lld for a file", client, file);
	EXPECT_LE(file + 512, client);
}

TEST_F(cgroup, pollers_cost_who_makes_them)
{
	__s64 file = cost_of(self->fd, make_file), poller = cost_of(self->fd, make_poller);

	ASSERT_LT(0, file);
	TH_LOG("%lld bytes, and %lld for a file", poller, file);
	EXPECT_LE(file + 32, poller);
}

TEST_F(cgroup, channels_cost_who_makes_them)
{
	__s64 file = cost_of(self->fd, make_file), channel = cost_of(self->fd, make_channel);

	ASSERT_LT(0, file);
	TH_LOG("%lld bytes, and %lld for a file", channel, file);
	EXPECT_LE(2 * file + 64 * (__s64)sizeof(struct bufpool_message) / 2, channel);
}

TEST_F(cgroup, stacks_cost_who_touches_them)
{
	__s64 stack = cost_of(self->fd, make_stack);

	TH_LOG("%lld bytes", stack);
	EXPECT_LE((__s64)PAGE, stack);
}

TEST_HARNESS_MAIN
