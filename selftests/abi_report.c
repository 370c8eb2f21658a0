// SPDX-License-Identifier: MIT
/*
 * What the calls report: INFO, the status page, and the counters of STATS.
 */
#include "abi.h"

static int touch_in_child(void *at)
{
	return touch(at);
}

TEST_F(client, info_is_coherent)
{
	const struct bufpool_info *info = &self->info;

	EXPECT_EQ(sizeof(*info), info->size);
	EXPECT_EQ(BUFPOOL_ABI_VERSION, info->abi_version);
	EXPECT_EQ(sysconf(_SC_PAGESIZE), info->page_size);
	EXPECT_EQ(0, info->__reserved);
	EXPECT_EQ(BUFPOOL_FEATURE_STACKS | BUFPOOL_FEATURE_WAITING_OF, info->features);
	ASSERT_LT(0, info->nr_classes);
	EXPECT_LE(info->page_size, info->max_rent);
	EXPECT_EQ(0, info->max_rent & (info->max_rent - 1));
	EXPECT_EQ(info->max_rent_io, class_size(info, info->nr_classes - 1));
	EXPECT_LE(info->page_size, info->max_pooled);
	EXPECT_LE(info->max_pooled, info->max_rent);
	EXPECT_EQ(0, info->max_pooled & (info->max_pooled - 1));
	EXPECT_LE(info->page_size, info->slab_size);
	EXPECT_EQ(0, info->slab_size & (info->slab_size - 1));
	EXPECT_LE(info->slab_size, info->limit);
	EXPECT_LE(info->limit, info->span);
	EXPECT_EQ(0, info->span % info->max_rent);
	EXPECT_EQ(0, info->span % info->max_rent_io);
}

/* Bits of a class: max_pooled bounds those for I/O, too, where it was set. */
static __u64 properties(const struct bufpool_info *info, unsigned int class)
{
	bool pooled = class_size(info, class) <= info->max_pooled ||
		      (class >= slab_classes(info) && info->max_pooled == info->max_rent);

	return pooled ? BUFPOOL_CLASS_POOLED : 0;
}

/* Every class that INFO counts is described, and no other. */
TEST_F(client, classes_are_described)
{
	struct bufpool_class_info class = { .size = sizeof(class) };

	for (; class.nr < self->info.nr_classes; class.nr++) {
		ASSERT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_CLASS, &class));
		EXPECT_EQ(sizeof(class), class.size);
		EXPECT_EQ(class.nr < slab_classes(&self->info) ? BUFPOOL_BACKING_SLAB :
			  BUFPOOL_BACKING_PAGES, class.backing);
		EXPECT_EQ(class_size(&self->info, class.nr), class.block_size);
		EXPECT_EQ(class.nr * self->info.span, class.offset);
		EXPECT_EQ(self->info.span, class.span);
		EXPECT_EQ(properties(&self->info, class.nr), class.properties);
	}
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_CLASS, &class));
	class.nr = ~0U;
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_CLASS, &class));
}

/* What programs were compiled with before there was a status page. */
TEST_F(client, info_without_the_status)
{
	struct bufpool_info info = {
		.size = offsetof(struct bufpool_info, status_offset),
		.status_offset = 0x5a,
	};

	EXPECT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_INFO, &info));
	EXPECT_EQ(self->info.span, info.span);
	EXPECT_EQ(0x5a, info.status_offset);
}

/* And before there were blocks for I/O. */
TEST_F(client, info_without_blocks_for_io)
{
	struct bufpool_info info = {
		.size = offsetof(struct bufpool_info, max_rent_io),
		.max_rent_io = 0x5a,
	};

	EXPECT_EQ(0, pool_ioctl(self->fd, BUFPOOL_IOC_INFO, &info));
	EXPECT_EQ(self->info.nr_stacks, info.nr_stacks);
	EXPECT_EQ(0x5a, info.max_rent_io);
}

/* One page, which is not among the blocks, and of which nothing else is known. */
TEST_F(client, status_can_be_read)
{
	struct bufpool_status *status = map_status(self->fd);
	const unsigned char *bytes = (const void *)status;
	size_t i, set = 0;

	ASSERT_NE(NULL, status);
	EXPECT_LE(self->info.nr_classes * self->info.span,
		  self->info.status_offset);
	EXPECT_EQ(0, word_get(&status->waiting));
	for (i = sizeof(*status); i < self->info.page_size; i++)
		set += bytes[i] != 0;
	EXPECT_EQ(0, set);
	munmap(status, self->info.page_size);
}

TEST_F(client, status_is_read_only)
{
	const __u64 at = self->info.status_offset;
	const size_t size = self->info.page_size;
	struct bufpool_status *status = map_status(self->fd);

	EXPECT_EQ(-EINVAL, try_map(self->fd, at, size, PROT_READ | PROT_WRITE,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at, size, PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at, size, PROT_READ, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at, size, PROT_READ | PROT_EXEC,
				   MAP_SHARED));
	ASSERT_NE(NULL, status);
	EXPECT_EQ(-1, mprotect(status, size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(status, size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(SIGSEGV, poke(status, 1));
	EXPECT_EQ(0, word_get(&status->waiting));
	munmap(status, size);
}

TEST_F(client, status_is_one_page)
{
	const __u64 at = self->info.status_offset;
	const size_t size = self->info.page_size;

	EXPECT_EQ(0, try_map(self->fd, at, 1, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at, 2 * size, PROT_READ,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at + size, size, PROT_READ,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, at - size, size, PROT_READ,
				   MAP_SHARED));
}

/* Like the blocks: the mapping stays, and a child does not get it. */
TEST_F(client, status_outlives_the_descriptor)
{
	int fd = pool_open();
	struct bufpool_status *status = map_status(fd);

	ASSERT_NE(NULL, status);
	close(fd);
	EXPECT_EQ(0, touch(status));
	EXPECT_EQ(SIGSEGV, in_child(touch_in_child, status));
	EXPECT_EQ(0, touch(status));
	munmap(status, self->info.page_size);
}

TEST_F(client, stats_of_a_new_client)
{
	const struct bufpool_stats *stats = &self->before;

	EXPECT_EQ(0, stats->client_rents);
	EXPECT_EQ(0, stats->client_returns);
	EXPECT_EQ(0, stats->client_blocks);
	EXPECT_EQ(0, stats->client_bytes);
	EXPECT_EQ(~0ULL, stats->client_ceiling);
	EXPECT_EQ(0, stats->client_warm_blocks);
	EXPECT_EQ(0, stats->client_warm_bytes);
	EXPECT_EQ(0, stats->client_warm_rents);
	EXPECT_EQ(0, stats->user_held);
	EXPECT_EQ(~0ULL, stats->user_quota);
	EXPECT_EQ(0, stats->user_quarantined);
	EXPECT_EQ(0, stats->quarantined);
	EXPECT_LE(1, stats->clients);
	EXPECT_EQ(0, stats->waiting);
	EXPECT_LE(stats->in_use + stats->warm, stats->pinned);
	EXPECT_LE(stats->pinned, stats->limit);
	EXPECT_LE(stats->reused, stats->rents);
	EXPECT_LE(stats->returns, stats->rents);
	EXPECT_EQ(self->info.limit, stats->limit);
}

/* 30 rents, 10 returns: exact counters, and none left at the end. */
TEST_F(client, stats_are_exact)
{
	const struct bufpool_stats *before = &self->before;
	struct bufpool_block blocks[30];
	struct bufpool_stats after;
	__u64 length;
	int i;

	ASSERT_EQ(30, rent_many(self->fd, 1, 30, blocks));
	length = blocks[0].length;
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, give(self->fd, blocks[i].handle));

	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(30, after.client_rents);
	EXPECT_EQ(10, after.client_returns);
	EXPECT_EQ(20, after.client_blocks);
	EXPECT_EQ(20 * length, after.client_bytes);
	EXPECT_EQ(30, after.rents - before->rents);
	EXPECT_EQ(10, after.returns - before->returns);
	EXPECT_EQ(20 * length, after.in_use - before->in_use);
	EXPECT_EQ(10, after.client_warm_blocks);
	EXPECT_EQ(10 * length, after.client_warm_bytes);
	EXPECT_EQ(10 * length, after.warm - before->warm);
	/* whole slabs */
	EXPECT_LE(30 * length, after.user_held - before->user_held);
	EXPECT_EQ(after.user_held, after.pinned - after.idle);
	EXPECT_LE(after.in_use + after.warm, after.pinned);
	EXPECT_LE(after.pinned, after.limit);

	for (i = 10; i < 30; i++)
		ASSERT_EQ(0, give(self->fd, blocks[i].handle));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(30, after.client_returns);
	EXPECT_EQ(0, after.client_blocks);
	EXPECT_EQ(0, after.client_bytes);
	EXPECT_EQ(before->in_use, after.in_use);
}

TEST_F(client, reused_counts_second_rentals)
{
	struct bufpool_stats after;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, rent(self->fd, 1, &self->rent));
		ASSERT_EQ(0, give(self->fd, self->rent.handle));
	}
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_LE(4, after.reused - self->before.reused);
	EXPECT_GE(5, after.reused - self->before.reused);
}

TEST_F(client, stats_count_clients)
{
	struct bufpool_stats after;
	int other = pool_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(self->before.clients + 1, after.clients);
	close(other);
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(self->before.clients, after.clients);
}

TEST_HARNESS_MAIN
