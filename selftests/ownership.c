// SPDX-License-Identifier: MIT
/*
 * Ownership: which client may return which block, and that no two own the same.
 */
#include "bufpool_test.h"
#include "message.h"

FIXTURE(owners)
{
	int one;
	int other;
	struct bufpool_rent rent;
	struct bufpool_stats before;
};

FIXTURE_SETUP(owners)
{
	self->one = pool_open();
	ASSERT_LE(0, self->one);
	self->other = pool_open();
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, rent(self->one, 64 * KIB, &self->rent));
	ASSERT_EQ(0, pool_stats(self->one, &self->before));
}

FIXTURE_TEARDOWN(owners)
{
	close(self->one);
	close(self->other);
}

TEST_F(owners, second_return_is_estale)
{
	ASSERT_EQ(0, give(self->one, self->rent.handle));
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
}

/* Rent with @fd until the block at @offset is got, at most all of @blocks. */
static int rent_until(int fd, __u64 offset, struct bufpool_block *blocks,
		      int max)
{
	int i;

	for (i = 0; i < max; i++) {
		if (rent_many(fd, 64 * KIB, 1, &blocks[i]) != 1)
			break;
		if (blocks[i].offset == offset)
			return i;
	}
	return -1;
}

TEST_F(owners, second_return_is_estale_when_another_has_it)
{
	struct bufpool_block blocks[256];
	struct bufpool_stats stats;
	int got;

	ASSERT_EQ(0, give_up(self->one, self->rent.handle));
	got = rent_until(self->other, self->rent.offset, blocks, 256);
	if (got < 0)
		SKIP(return, "the block did not come back");
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
	ASSERT_EQ(0, pool_stats(self->other, &stats));
	EXPECT_EQ(got + 1, stats.client_blocks);
	EXPECT_EQ(0, give(self->other, blocks[got].handle));
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
}

/* A handle is for one rental, and the next one of the same block is another. */
TEST_F(owners, old_handle_is_estale_after_renting_again)
{
	struct bufpool_block blocks[256];
	int got;

	ASSERT_EQ(0, give(self->one, self->rent.handle));
	got = rent_until(self->one, self->rent.offset, blocks, 256);
	if (got < 0)
		SKIP(return, "the block did not come back");
	EXPECT_NE(self->rent.handle, blocks[got].handle);
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
	EXPECT_EQ(0, give(self->one, blocks[got].handle));
}

TEST_F(owners, a_thousand_rentals_have_a_thousand_handles)
{
	__u64 handles[1000];
	int i, j;

	for (i = 0; i < 1000; i++) {
		struct bufpool_rent rented;

		ASSERT_EQ(0, rent(self->other, 1, &rented));
		handles[i] = rented.handle;
		ASSERT_EQ(0, give(self->other, rented.handle));
	}
	for (i = 0; i < 1000; i++) {
		for (j = 0; j < i; j++)
			ASSERT_NE(handles[j], handles[i]);
	}
	EXPECT_EQ(-ESTALE, give(self->other, handles[999]));
}

TEST_F(owners, foreign_handle_is_enoent)
{
	EXPECT_EQ(-ENOENT, give(self->other, self->rent.handle));
	EXPECT_TRUE(unchanged(self->one, &self->before));
	EXPECT_EQ(0, give(self->one, self->rent.handle));
}

/* What another client has returned is not this one's to know. */
TEST_F(owners, foreign_old_handle_is_enoent)
{
	ASSERT_EQ(0, give(self->one, self->rent.handle));
	EXPECT_EQ(-ENOENT, give(self->other, self->rent.handle));
}

TEST_F(owners, foreign_handle_stops_return_many)
{
	struct bufpool_block mine[3];
	__u64 handles[4];
	int i;

	ASSERT_EQ(3, rent_many(self->other, 1, 3, mine));
	for (i = 0; i < 3; i++)
		handles[i + i / 2] = mine[i].handle;
	handles[2] = self->rent.handle;

	EXPECT_EQ(2, give_many(self->other, handles, 4));
	EXPECT_EQ(-ENOENT, give_many(self->other, handles + 2, 2));
	EXPECT_EQ(1, give_many(self->other, handles + 3, 1));
	EXPECT_EQ(0, give(self->one, self->rent.handle));
}

TEST_F(owners, return_many_stops_at_a_duplicate)
{
	struct bufpool_block mine[3];
	__u64 handles[4];
	struct bufpool_stats stats;

	ASSERT_EQ(3, rent_many(self->other, 1, 3, mine));
	handles[0] = mine[0].handle;
	handles[1] = mine[1].handle;
	handles[2] = mine[0].handle;
	handles[3] = mine[2].handle;
	EXPECT_EQ(2, give_many(self->other, handles, 4));
	EXPECT_EQ(-ESTALE, give_many(self->other, handles + 2, 2));
	ASSERT_EQ(0, pool_stats(self->other, &stats));
	EXPECT_EQ(1, stats.client_blocks);
	EXPECT_EQ(1, give_many(self->other, handles + 3, 1));
}

/* Nor does a handle depend on what it named: that is gone here, with its table. */
TEST_F(owners, handle_outlives_its_slab)
{
	ASSERT_EQ(0, give_up(self->one, self->rent.handle));
	ASSERT_EQ(0, write_text("/sys/class/misc/bufpool/trim", "1"));
	ASSERT_EQ(0, stats_of(self->one).pinned);
	/* the table goes when nobody can be looking at it */
	sleep_ms(200);
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
	EXPECT_EQ(-ESTALE, give_many(self->one, &self->rent.handle, 1));
}

/* A client that never returned anything has no stale handles. */
TEST_F(owners, never_rented_is_enoent)
{
	__u64 seed = random_seed();
	int bit, i;

	EXPECT_EQ(-ENOENT, give(self->one, 0));
	EXPECT_EQ(-ENOENT, give(self->one, NO_HANDLE));
	for (bit = 0; bit < 64; bit++) {
		EXPECT_EQ(-ENOENT, give(self->one, 1ULL << bit));
		EXPECT_EQ(-ENOENT, give(self->one, ~(1ULL << bit)));
		EXPECT_EQ(-ENOENT, give(self->one, NO_HANDLE << bit));
		EXPECT_EQ(-ENOENT, give(self->one, NO_HANDLE >> bit));
	}
	for (i = 0; i < 1000; i++)
		EXPECT_EQ(-ENOENT, give(self->one, next_random(&seed)));
	EXPECT_TRUE(unchanged(self->one, &self->before));
}

/* What differs from a good handle anywhere is not one. */
TEST_F(owners, changed_handle_is_enoent)
{
	int bit, second;

	for (bit = 0; bit < 64; bit++) {
		EXPECT_EQ(-ENOENT, give(self->one,
					self->rent.handle ^ 1ULL << bit)) {
			TH_LOG("bit %d of %#llx", bit, self->rent.handle);
		}
		for (second = 0; second < bit; second++)
			EXPECT_EQ(-ENOENT,
				  give(self->one, self->rent.handle ^
				       1ULL << bit ^ 1ULL << second));
	}
	EXPECT_TRUE(unchanged(self->one, &self->before));
	EXPECT_EQ(0, give(self->one, self->rent.handle));
}

/* The upper bits are the class, and the smallest is 0: no other is taken for one that is not. */
TEST_F(owners, handle_of_another_class_is_enoent)
{
	struct bufpool_rent smallest;
	__u64 class;

	ASSERT_EQ(0, rent(self->one, 1, &smallest));
	for (class = 1; class < 32; class++)
		EXPECT_EQ(-ENOENT, give(self->one, smallest.handle ^ class << 59));
	EXPECT_EQ(0, give(self->one, smallest.handle));
}

/* The offset and addresses in and beside the block are no handles. */
TEST_F(owners, an_offset_is_not_a_handle)
{
	const __u64 inside[] = {
		self->rent.offset, self->rent.offset + 1,
		self->rent.offset + PAGE,
		self->rent.offset + self->rent.length - 1,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(inside); i++) {
		if (inside[i] != self->rent.handle)
			EXPECT_EQ(-ENOENT, give(self->one, inside[i]));
	}
	EXPECT_TRUE(unchanged(self->one, &self->before));
}

TEST_F(owners, closed_descriptor_is_ebadf)
{
	int fd = self->one;

	self->one = -1;
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(-EBADF, give(fd, self->rent.handle));
}

/* The blocks of a client that is gone have no owner. */
TEST_F(owners, handle_of_a_closed_client_is_enoent)
{
	ASSERT_EQ(0, close(self->one));
	self->one = pool_open();
	ASSERT_LE(0, self->one);
	EXPECT_EQ(-ENOENT, give(self->one, self->rent.handle));
	EXPECT_EQ(-ENOENT, give(self->other, self->rent.handle));
}

TEST_F(owners, duplicate_is_the_same_client)
{
	int same = dup(self->one);

	ASSERT_LE(0, same);
	EXPECT_EQ(0, close(self->one));
	self->one = same;
	EXPECT_TRUE(unchanged(same, &self->before));
	EXPECT_TRUE(block_fill(same, self->rent.offset, self->rent.length, 1));
	EXPECT_EQ(0, give(same, self->rent.handle));
}

/* Open the path of a descriptor: that is a new client, not a duplicate. */
TEST_F(owners, reopened_is_another_client)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->one);
	again = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, again);
	EXPECT_EQ(-ENOENT, give(again, self->rent.handle));
	close(again);
	EXPECT_TRUE(unchanged(self->one, &self->before));
}

struct sent {
	int socket;
	struct bufpool_rent rent;
};

static int return_what_was_sent(void *arg)
{
	struct sent *sent = arg;
	int fd = receive_descriptor(sent->socket);
	void *at;

	CHECK(fd >= 0);
	at = map_block(fd, &sent->rent);
	CHECK(at != MAP_FAILED);
	CHECK(filled(at, 0x5a, sent->rent.length));
	CHECK(!give_up(fd, sent->rent.handle));
	CHECK(touch(at) == SIGBUS);
	return 0;
}

TEST_F(owners, descriptor_in_a_message_is_the_same_client)
{
	struct sent sent = { .rent = self->rent };
	int ends[2];
	pid_t pid;

	ASSERT_TRUE(block_fill(self->one, self->rent.offset,
			       self->rent.length, 0x5a));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	sent.socket = ends[1];
	pid = spawn(return_what_was_sent, &sent);
	ASSERT_TRUE(send_descriptor(ends[0], self->one));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
}

/* A descriptor that is only in a message still is the client's. */
TEST_F(owners, descriptor_on_its_way_keeps_the_blocks)
{
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	ASSERT_TRUE(send_descriptor(ends[0], self->one));
	ASSERT_EQ(0, close(self->one));
	EXPECT_EQ(self->before.in_use, in_use(self->other));
	self->one = receive_descriptor(ends[1]);
	ASSERT_LE(0, self->one);
	EXPECT_EQ(0, give(self->one, self->rent.handle));
}

/* When it is never received, they come back. */
TEST_F(owners, descriptor_lost_on_its_way_gives_the_blocks_back)
{
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	ASSERT_TRUE(send_descriptor(ends[0], self->one));
	ASSERT_EQ(0, close(self->one));
	self->one = -1;
	close(ends[0]);
	close(ends[1]);
	EXPECT_TRUE(in_use_becomes(self->other,
				   self->before.in_use - self->rent.length));
}

static int return_in_child(void *arg)
{
	struct sent *sent = arg;

	CHECK(!give(sent->socket, sent->rent.handle));
	return 0;
}

TEST_F(owners, child_is_the_same_client)
{
	struct sent sent = { .socket = self->one, .rent = self->rent };

	EXPECT_EQ(0, in_child(return_in_child, &sent));
	EXPECT_EQ(-ESTALE, give(self->one, self->rent.handle));
}

/* Live blocks: distinct, not overlapping, whatever is rented and returned. */
#define LIVE	64

static bool overlap(const struct bufpool_rent *a, const struct bufpool_rent *b)
{
	return a->length && b->length &&
	       a->offset < b->offset + b->length &&
	       b->offset < a->offset + a->length;
}

TEST_F(owners, live_blocks_never_overlap)
{
	struct bufpool_rent live[LIVE] = { 0 };
	__u64 seed = random_seed();
	int round, i, slot;

	for (round = 0; round < 1500; round++) {
		__u64 size = 1 + (next_random(&seed) & (256 * KIB - 1)) %
				 (1 + (next_random(&seed) & 0xffff));

		slot = next_random(&seed) % LIVE;
		if (live[slot].length) {
			ASSERT_EQ(0, give(slot & 1 ? self->one : self->other,
					  live[slot].handle));
			live[slot].length = 0;
			continue;
		}
		ASSERT_EQ(0, rent(slot & 1 ? self->one : self->other, size,
				  &live[slot]));
		ASSERT_LE(size, live[slot].length);
		for (i = 0; i < LIVE; i++) {
			if (i == slot)
				continue;
			ASSERT_FALSE(overlap(&live[i], &live[slot]));
			ASSERT_FALSE(live[i].length &&
				     live[i].handle == live[slot].handle);
		}
	}
}

/* Not only the numbers, also the memory is distinct. */
TEST_F(owners, live_blocks_do_not_share_memory)
{
	struct bufpool_block blocks[LIVE];
	int i, *at;

	ASSERT_EQ(LIVE, rent_many(self->one, 1, LIVE, blocks));
	for (i = 0; i < LIVE; i++) {
		at = map_at(self->one, blocks[i].offset, blocks[i].length);
		ASSERT_NE(MAP_FAILED, at);
		*at = i + 1;
		munmap(at, blocks[i].length);
	}
	for (i = 0; i < LIVE; i++) {
		at = map_at(self->one, blocks[i].offset, blocks[i].length);
		ASSERT_NE(MAP_FAILED, at);
		EXPECT_EQ(i + 1, *at);
		munmap(at, blocks[i].length);
	}
}

TEST_HARNESS_MAIN
