// SPDX-License-Identifier: MIT
/*
 * Blocks that leave their client while a transfer to or from a disk is in the middle of
 * them: the transfer goes on, and nobody else has the memory until it has ended.
 */
#include "bystander.h"
#include "gate.h"
#include "uring.h"

#include <pthread.h>

#define LIMIT	(1 * MIB)
#define BLOCK	(64 * KIB)
#define ALL	((int)(LIMIT / BLOCK))
#define ON_DISK	0xd1
#define MINE	0x11

FIXTURE(io_revoke)
{
	struct gate gate;
	struct uring ring;
	int fd;
	struct bufpool_rent rent;
	char *at;
	struct bystander other;
};

static bool fill_disk(int fd, int byte)
{
	void *at;
	bool done;

	if (posix_memalign(&at, PAGE, BLOCK))
		return false;
	memset(at, byte, BLOCK);
	done = pwrite(fd, at, BLOCK, 0) == (ssize_t)BLOCK;
	free(at);
	return done;
}

static bool disk_is_filled(int fd, int byte)
{
	void *at;
	bool is;

	if (posix_memalign(&at, PAGE, BLOCK))
		return false;
	is = pread(fd, at, BLOCK, 0) == (ssize_t)BLOCK && filled(at, byte, BLOCK);
	free(at);
	return is;
}

static __u64 quarantined(int fd)
{
	return stats_of(fd).quarantined;
}

FIXTURE_SETUP(io_revoke)
{
	if (gate_is_impossible())
		SKIP_FIXTURE("%s", gate_is_impossible());
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_TRUE(gate_make(&self->gate));
	ASSERT_TRUE(fill_disk(self->gate.fd, ON_DISK));
	ASSERT_EQ(0, uring_make(&self->ring));
	self->other.fd = pool_open();
	self->other.count = 0;
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->at = rent_io_mapped(self->fd, BLOCK, &self->rent);
	ASSERT_NE(NULL, self->at);
	memset(self->at, MINE, BLOCK);
	ASSERT_EQ(0, gate_shut());
}

FIXTURE_TEARDOWN(io_revoke)
{
	gate_open();
	close(self->ring.fd);
	close(self->fd);
	bystander_ends(&self->other);
	gate_end(&self->gate);
	parameters_restore();
}

/* The transfer stands at the gate, with the block's pages. */
static bool start(struct _test_data_io_revoke *self, __u8 opcode)
{
	return !uring_start(&self->ring, opcode, self->gate.fd, self->at, BLOCK, 0) &&
	       BECOMES(gate_in_flight(&self->gate) == 1);
}

/*
 * The client has lost the block, and all the others are taken. Then the transfer goes on:
 * nobody is hurt, and the block is free.
 */
static void others_are_safe(struct __test_metadata *_metadata, struct _test_data_io_revoke *self)
{
	struct bystander *other = &self->other;

	EXPECT_EQ(BLOCK, quarantined(other->fd));
	EXPECT_EQ(BLOCK, stats_of(other->fd).user_quarantined);
	ASSERT_TRUE(bystander_takes_all(other, BLOCK));
	EXPECT_EQ(ALL - 1, other->count);
	EXPECT_EQ(BLOCK, quarantined(other->fd));
	EXPECT_EQ(0, gate_open());
	EXPECT_TRUE(BECOMES(!gate_in_flight(&self->gate)));
	EXPECT_TRUE(BECOMES(!quarantined(other->fd)));
	EXPECT_TRUE(bystander_is_unhurt(other));
	ASSERT_TRUE(bystander_takes_all(other, BLOCK));
	EXPECT_EQ(ALL, other->count);
}

/* The kernel lets go of the pages a moment after it has said that it is done. */
TEST_F(io_revoke, a_read_into_a_rented_block)
{
	ASSERT_TRUE(start(self, IORING_OP_READ));
	EXPECT_TRUE(filled(self->at, MINE, BLOCK));
	ASSERT_EQ(0, gate_open());
	EXPECT_EQ(BLOCK, uring_wait(&self->ring));
	EXPECT_TRUE(filled(self->at, ON_DISK, BLOCK));
	EXPECT_EQ(0, quarantined(self->fd));
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
}

TEST_F(io_revoke, a_write_from_a_rented_block)
{
	ASSERT_TRUE(start(self, IORING_OP_WRITE));
	ASSERT_EQ(0, gate_open());
	EXPECT_EQ(BLOCK, uring_wait(&self->ring));
	EXPECT_TRUE(disk_is_filled(self->gate.fd, MINE));
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
}

TEST_F(io_revoke, revoked_while_it_is_read_into)
{
	ASSERT_TRUE(start(self, IORING_OP_READ));
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(-ESTALE, give_up(self->fd, self->rent.handle));
	others_are_safe(_metadata, self);
	EXPECT_EQ(BLOCK, uring_wait(&self->ring));
	EXPECT_EQ(SIGBUS, touch(self->at));
}

/* What is written is what was in the block when it was returned. */
TEST_F(io_revoke, revoked_while_it_is_written_from)
{
	ASSERT_TRUE(start(self, IORING_OP_WRITE));
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	others_are_safe(_metadata, self);
	EXPECT_EQ(BLOCK, uring_wait(&self->ring));
	EXPECT_TRUE(disk_is_filled(self->gate.fd, MINE));
}

/* It stays warm, with its client; others get it when the transfer has ended. */
TEST_F(io_revoke, returned_while_it_is_read_into)
{
	struct bufpool_rent again;

	ASSERT_TRUE(start(self, IORING_OP_READ));
	EXPECT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(1, stats_of(self->fd).client_warm_blocks);
	EXPECT_EQ(0, quarantined(self->fd));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(0, stats_of(self->fd).client_warm_blocks);
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(-EAGAIN, rent_io(self->fd, BLOCK, &again));
	others_are_safe(_metadata, self);
}

TEST_F(io_revoke, cleared_while_it_is_read_into)
{
	ASSERT_TRUE(start(self, IORING_OP_READ));
	EXPECT_EQ(0, give_with(self->fd, self->rent.handle, BUFPOOL_RETURN_CLEAR));
	others_are_safe(_metadata, self);
}

/* It is zeroed when nothing reaches it any more, and not in the middle of a write. */
TEST_F(io_revoke, cleared_while_it_is_written_from)
{
	ASSERT_TRUE(start(self, IORING_OP_WRITE));
	EXPECT_EQ(0, give_with(self->fd, self->rent.handle, BUFPOOL_RETURN_CLEAR));
	others_are_safe(_metadata, self);
	EXPECT_EQ(BLOCK, uring_wait(&self->ring));
	EXPECT_TRUE(disk_is_filled(self->gate.fd, MINE));
}

TEST_F(io_revoke, client_is_closed)
{
	ASSERT_TRUE(start(self, IORING_OP_READ));
	EXPECT_EQ(0, munmap(self->at, BLOCK));
	EXPECT_EQ(0, close(self->fd));
	self->fd = -1;
	others_are_safe(_metadata, self);
	EXPECT_EQ(BLOCK, uring_wait(&self->ring));
}

/* What a process that is to be killed tells its parent. */
struct victim {
	const struct gate *gate;
	unsigned int ready;
};

static int read_and_hang(void *arg)
{
	struct victim *victim = arg;
	struct bufpool_rent rent;
	struct uring ring;
	int fd = pool_open();
	char *at;

	CHECK(fd >= 0 && !uring_make(&ring));
	at = rent_io_mapped(fd, BLOCK, &rent);
	CHECK(at);
	CHECK(!uring_start(&ring, IORING_OP_READ, victim->gate->fd, at, BLOCK, 0));
	CHECK(BECOMES(gate_in_flight(victim->gate) == 1));
	word_set(&victim->ready, 1);
	pause();
	return 0;
}

/* The ring of a killed process waits for its transfers, after all else is gone. */
TEST_F(io_revoke, process_is_killed)
{
	struct victim *victim = shared_alloc(sizeof(*victim));
	pid_t pid;

	ASSERT_NE(NULL, victim);
	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	victim->gate = &self->gate;
	pid = spawn(read_and_hang, victim);
	ASSERT_TRUE(word_reaches(&victim->ready, 1));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, reap(pid));
	EXPECT_TRUE(BECOMES(quarantined(self->fd) == BLOCK));
	others_are_safe(_metadata, self);
}

static int read_in_a_call(void *arg)
{
	struct victim *victim = arg;
	struct bufpool_rent rent;
	int fd = pool_open();
	char *at;

	CHECK(fd >= 0);
	at = rent_io_mapped(fd, BLOCK, &rent);
	CHECK(at);
	CHECK(pread(victim->gate->fd, at, BLOCK, 0) == (ssize_t)BLOCK);
	pause();
	return 0;
}

/* A read that is a call of its own lets nobody end before it has. */
TEST_F(io_revoke, process_is_killed_in_a_call)
{
	struct victim victim = { .gate = &self->gate };
	pid_t pid;

	ASSERT_EQ(0, give_up(self->fd, self->rent.handle));
	pid = spawn(read_in_a_call, &victim);
	ASSERT_TRUE(BECOMES(gate_in_flight(&self->gate) == 1));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL - 1, self->other.count);
	EXPECT_EQ(0, gate_open());
	EXPECT_EQ(-SIGKILL, reap(pid));
	EXPECT_TRUE(bystander_is_unhurt(&self->other));
	EXPECT_TRUE(BECOMES(stats_of(self->fd).in_use == (ALL - 1) * BLOCK));
	EXPECT_EQ(0, quarantined(self->fd));
}

/* A ring keeps a registered block, and can read into it as long as it likes. */
TEST_F(io_revoke, registered_with_a_ring)
{
	int ret = uring_register(&self->ring, self->at, BLOCK), i;

	if (ret == -EOPNOTSUPP)
		SKIP(return, "this kernel registers no memory that is mapped from a file");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, gate_open());
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL - 1, self->other.count);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, uring_start(&self->ring, IORING_OP_READ_FIXED, self->gate.fd,
					 self->at, BLOCK, 0));
		EXPECT_EQ(BLOCK, uring_wait(&self->ring));
		EXPECT_TRUE(bystander_is_unhurt(&self->other));
	}
	EXPECT_EQ(BLOCK, quarantined(self->fd));
	EXPECT_EQ(0, uring_unregister(&self->ring));
	EXPECT_TRUE(BECOMES(!quarantined(self->fd)));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL, self->other.count);
}

/* Nothing new reaches a block that is in quarantine. */
TEST_F(io_revoke, returned_before_a_transfer_begins)
{
	ASSERT_EQ(0, gate_open());
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(-1, pread(self->gate.fd, self->at, BLOCK, 0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, uring_start(&self->ring, IORING_OP_READ, self->gate.fd, self->at, BLOCK, 0));
	EXPECT_EQ(-EFAULT, uring_wait(&self->ring));
	EXPECT_EQ(-EFAULT, uring_register(&self->ring, self->at, BLOCK));
	EXPECT_TRUE(bystander_is_unhurt(&self->other));
}

TEST_HARNESS_MAIN
