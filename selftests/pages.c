// SPDX-License-Identifier: MIT
/*
 * Blocks for I/O: of which sizes there are, and that they are blocks as any.
 */
#include "outside.h"

#include <poll.h>

#define LARGE	(64 * MIB)

FIXTURE(pages)
{
	int fd;
	struct bufpool_info info;
};

FIXTURE_SETUP(pages)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(pages)
{
	close(self->fd);
}

static int class_info(int fd, __u32 nr, struct bufpool_class_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->nr = nr;
	return pool_ioctl(fd, BUFPOOL_IOC_CLASS, info);
}

/* From a page to the largest, each twice the one before. */
TEST_F(pages, classes_go_by_size_in_each_backing)
{
	__u64 next = PAGE, largest[2] = { 0 };
	struct bufpool_class_info info;
	__u32 nr, backing = BUFPOOL_BACKING_SLAB;

	EXPECT_LE(LARGE, self->info.max_rent_io);
	for (nr = 0; nr < self->info.nr_classes; nr++) {
		ASSERT_EQ(0, class_info(self->fd, nr, &info));
		if (info.backing != backing) {
			ASSERT_EQ(BUFPOOL_BACKING_PAGES, info.backing);
			backing = info.backing;
			next = PAGE;
		}
		EXPECT_EQ(next, info.block_size);
		EXPECT_EQ(nr * self->info.span, info.offset);
		largest[backing] = info.block_size;
		next *= 2;
	}
	EXPECT_EQ(self->info.max_rent, largest[BUFPOOL_BACKING_SLAB]);
	EXPECT_EQ(self->info.max_rent_io, largest[BUFPOOL_BACKING_PAGES]);
	EXPECT_EQ(-EINVAL, class_info(self->fd, nr, &info));
}

/* The span of a class that has blocks of pages. */
static bool is_for_io(int fd, const struct bufpool_info *pool, __u64 offset)
{
	struct bufpool_class_info info;

	return !class_info(fd, offset / pool->span, &info) &&
	       info.backing == BUFPOOL_BACKING_PAGES;
}

/* Written by the program and read by the kernel, and zero for the next. */
TEST_F(pages, every_size_is_rented_written_and_zero_again)
{
	struct bufpool_rent rented;
	__u64 size;
	char *at;

	for (size = 1; size <= self->info.max_rent_io; size = size < PAGE ? PAGE : size * 2) {
		ASSERT_EQ(0, rent_io(self->fd, size, &rented))
			TH_LOG("%llu bytes", size);
		EXPECT_EQ(size < PAGE ? PAGE : size, rented.length);
		EXPECT_TRUE(is_for_io(self->fd, &self->info, rented.offset));
		at = map_block(self->fd, &rented);
		ASSERT_NE(MAP_FAILED, at);
		EXPECT_TRUE(filled(at, 0, rented.length));
		memset(at, 0x5a, rented.length);
		EXPECT_EQ(0, give_up(self->fd, rented.handle));
		EXPECT_EQ(-ESTALE, give_up(self->fd, rented.handle));
		EXPECT_EQ(SIGBUS, touch(at));
		EXPECT_EQ(SIGBUS, touch(at + rented.length - 1));
		EXPECT_EQ(0, munmap(at, rented.length));
	}
	EXPECT_EQ(-EMSGSIZE, rent_io(self->fd, self->info.max_rent_io + 1, &rented));
	EXPECT_EQ(-EINVAL, rent_io(self->fd, 0, &rented));
}

/* One is rented, kept warm, and rented again, however large it is. */
TEST_F(pages, a_returned_block_stays_warm)
{
	struct bufpool_rent first, second;
	__u64 sizes[] = { PAGE, 2 * MIB, LARGE };
	unsigned int i;
	char *at;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		at = rent_io_mapped(self->fd, sizes[i], &first);
		ASSERT_NE(NULL, at);
		at[0] = 'w';
		at[sizes[i] - 1] = 'x';
		ASSERT_EQ(0, give(self->fd, first.handle));
		EXPECT_EQ(sizes[i], stats_of(self->fd).client_warm_bytes);
		ASSERT_EQ(0, rent_io(self->fd, sizes[i], &second));
		EXPECT_EQ(first.offset, second.offset);
		EXPECT_EQ('w', at[0]);
		EXPECT_EQ('x', at[sizes[i] - 1]);
		EXPECT_EQ(0, give_up(self->fd, second.handle));
		munmap(at, sizes[i]);
	}
}

/* A block of one kind serves no rent of the other. */
TEST_F(pages, backings_do_not_mix)
{
	struct bufpool_rent slab, io;

	ASSERT_EQ(0, rent(self->fd, PAGE, &slab));
	ASSERT_EQ(0, give_up(self->fd, slab.handle));
	ASSERT_EQ(0, rent_io(self->fd, PAGE, &io));
	EXPECT_TRUE(is_for_io(self->fd, &self->info, io.offset));
	ASSERT_EQ(0, give_up(self->fd, io.handle));
	ASSERT_EQ(0, rent(self->fd, PAGE, &slab));
	EXPECT_FALSE(is_for_io(self->fd, &self->info, slab.offset));
	EXPECT_EQ(0, give_up(self->fd, slab.handle));
}

TEST_F(pages, the_kernel_reaches_a_block_only_while_it_is_rented)
{
	struct outsider outsider;
	struct bufpool_rent rented;
	struct iovec to, from;
	char copy[64];
	char *at;

	at = rent_io_mapped(self->fd, 4 * PAGE, &rented);
	ASSERT_NE(NULL, at);
	memset(at, 'k', rented.length);
	to = (struct iovec){ .iov_base = copy, .iov_len = sizeof(copy) };
	from = (struct iovec){ .iov_base = at + PAGE, .iov_len = sizeof(copy) };
	EXPECT_EQ(sizeof(copy), process_vm_readv(getpid(), &to, 1, &from, 1, 0));
	EXPECT_TRUE(filled(copy, 'k', sizeof(copy)));
	ASSERT_EQ(0, outsider_take(&outsider, at, rented.length));
	EXPECT_TRUE(outsider_has(&outsider, 'k'));
	outsider_end(&outsider);

	ASSERT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(-1, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-EFAULT, outsider_take(&outsider, at, rented.length));
	outsider_end(&outsider);
	munmap(at, rented.length);
}

TEST_F(pages, a_poller_tells_of_blocks_for_io)
{
	struct bufpool_poller poller = {
		.size = sizeof(poller),
		.flags = BUFPOOL_POLLER_IO,
		.min_size = self->info.max_rent_io,
	};
	struct pollfd poll_fd = { .events = POLLIN };

	poll_fd.fd = pool_ioctl(self->fd, BUFPOOL_IOC_POLLER, &poller);
	ASSERT_LE(0, poll_fd.fd);
	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	close(poll_fd.fd);
	poller.flags = ~BUFPOOL_POLLER_IO;
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_POLLER, &poller));
	poller.flags = 0;
	EXPECT_EQ(-EMSGSIZE, pool_ioctl(self->fd, BUFPOOL_IOC_POLLER, &poller));
}

static int touch_and_wait(void *arg)
{
	unsigned char *at = arg;
	unsigned int *word = (void *)(at + PAGE);
	unsigned char value;

	CHECK(!peek(at, &value) && value == 'f');
	at[0] = 'c';
	word_set(word, 1);
	CHECK(BECOMES(touch(at) == SIGBUS));
	return 0;
}

/* Where MADV_DOFORK lets a child have the mapping, too, it loses it likewise. */
TEST_F(pages, a_child_that_inherits_a_mapping_loses_the_block)
{
	struct bufpool_rent rented;
	char *at;
	pid_t pid;

	at = rent_io_mapped(self->fd, 2 * PAGE, &rented);
	ASSERT_NE(NULL, at);
	at[0] = 'f';
	if (madvise(at, rented.length, MADV_DOFORK)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "this kernel refuses MADV_DOFORK for it");
	}
	pid = spawn(touch_and_wait, at);
	EXPECT_TRUE(word_reaches((unsigned int *)(at + PAGE), 1));
	EXPECT_EQ('c', at[0]);
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(SIGBUS, touch(at));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, stats_of(self->fd).quarantined);
	munmap(at, rented.length);
}

/* Words of processes that look at each other's steps */
struct steps {
	unsigned int ready;
	unsigned int lost;
	int fd;
	__u64 offset;
	unsigned char *at[BUFPOOL_MAPPINGS_MAX];
};

static int inherit_all(void *arg)
{
	struct steps *steps = arg;
	int i;

	CHECK(try_map(steps->fd, steps->offset, PAGE, PROT_READ, MAP_SHARED) == -ENOMEM);
	for (i = 0; i < BUFPOOL_MAPPINGS_MAX; i++)
		CHECK(!touch(steps->at[i]));
	word_set(&steps->ready, 1);
	CHECK(word_reaches(&steps->lost, 1));
	for (i = 0; i < BUFPOOL_MAPPINGS_MAX; i++)
		CHECK(touch(steps->at[i]) == SIGBUS);
	return 0;
}

/* A child that inherits mappings makes them more than there may be; all are revoked. */
TEST_F(pages, twice_as_many_mappings_as_there_may_be)
{
	struct steps *steps = shared_alloc(sizeof(*steps));
	struct bufpool_rent rented;
	pid_t pid;
	int i;

	ASSERT_NE(NULL, steps);
	ASSERT_EQ(0, rent_io(self->fd, PAGE, &rented));
	steps->fd = self->fd;
	steps->offset = rented.offset;
	for (i = 0; i < BUFPOOL_MAPPINGS_MAX; i++) {
		steps->at[i] = map_block(self->fd, &rented);
		ASSERT_NE(MAP_FAILED, steps->at[i]);
		if (madvise(steps->at[i], PAGE, MADV_DOFORK))
			SKIP(return, "this kernel refuses MADV_DOFORK for it");
	}
	pid = spawn(inherit_all, steps);
	EXPECT_TRUE(word_reaches(&steps->ready, 1));
	EXPECT_EQ(-ENOMEM, try_map(self->fd, rented.offset, PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	for (i = 0; i < BUFPOOL_MAPPINGS_MAX; i++)
		EXPECT_EQ(SIGBUS, touch(steps->at[i]));
	word_set(&steps->lost, 1);
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(0, munmap(steps->at[0], PAGE));
	EXPECT_EQ(0, try_map(self->fd, rented.offset, PAGE, PROT_READ, MAP_SHARED));
}

TEST_HARNESS_MAIN
