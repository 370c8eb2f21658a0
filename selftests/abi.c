// SPDX-License-Identifier: MIT
/*
 * The binary interface: what each call makes of every kind of argument, and
 * one test for each row of the errno table.
 */
#include "bufpool_test.h"

/* A structure, and room behind it for what longer structures have. */
union argument {
	struct bufpool_info info;
	struct bufpool_rent rent;
	struct bufpool_return give;
	struct bufpool_rent_many rent_many;
	struct bufpool_return_many give_many;
	struct bufpool_limit limit;
	struct bufpool_stats stats;
	struct bufpool_trim trim;
	struct {
		__u32 size;
		__u32 flags;
	} head;
	unsigned char bytes[3 * 4096];
};

/* Every test of this fixture is run for every ioctl. */
FIXTURE(call)
{
	int fd;
	union argument *arg;
	struct bufpool_block held[3];
	struct bufpool_block many[2];
	__u64 handles[2];
	struct bufpool_stats before;
};

FIXTURE_VARIANT(call)
{
	unsigned long cmd;
	size_t size;
	size_t first;		/* in its first version, if less */
	__u32 flags;		/* that are defined */
	bool writes;		/* something into the structure */
	int value;		/* of a call that succeeds */
};

FIXTURE_VARIANT_ADD(call, info)
{
	.cmd = BUFPOOL_IOC_INFO,
	.size = sizeof(struct bufpool_info),
	.first = offsetof(struct bufpool_info, status_offset),
	.writes = true,
};

FIXTURE_VARIANT_ADD(call, rent)
{
	.cmd = BUFPOOL_IOC_RENT,
	.size = sizeof(struct bufpool_rent),
	.first = offsetof(struct bufpool_rent, wait_id),
	.flags = BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK,
	.writes = true,
};

FIXTURE_VARIANT_ADD(call, give)
{
	.cmd = BUFPOOL_IOC_RETURN,
	.size = sizeof(struct bufpool_return),
	.flags = BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE,
};

FIXTURE_VARIANT_ADD(call, rent_many)
{
	.cmd = BUFPOOL_IOC_RENT_MANY,
	.size = sizeof(struct bufpool_rent_many),
	.first = offsetof(struct bufpool_rent_many, wait_id),
	.flags = BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK,
	.value = 2,
};

FIXTURE_VARIANT_ADD(call, give_many)
{
	.cmd = BUFPOOL_IOC_RETURN_MANY,
	.size = sizeof(struct bufpool_return_many),
	.flags = BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE,
	.value = 2,
};

FIXTURE_VARIANT_ADD(call, limit)
{
	.cmd = BUFPOOL_IOC_LIMIT,
	.size = sizeof(struct bufpool_limit),
};

FIXTURE_VARIANT_ADD(call, stats)
{
	.cmd = BUFPOOL_IOC_STATS,
	.size = sizeof(struct bufpool_stats),
	.first = offsetof(struct bufpool_stats, refused_again),
	.writes = true,
};

FIXTURE_VARIANT_ADD(call, trim)
{
	.cmd = BUFPOOL_IOC_TRIM,
	.size = sizeof(struct bufpool_trim),
	.writes = true,
};

/* An argument with which the call succeeds. */
static void prepare(union argument *arg, unsigned long cmd, size_t size,
		    const __u64 *handles, struct bufpool_block *blocks)
{
	memset(arg, 0, size);
	arg->head.size = size;
	switch (cmd) {
	case BUFPOOL_IOC_RENT:
		arg->rent.min_size = 1;
		break;
	case BUFPOOL_IOC_RETURN:
		arg->give.handle = handles[0];
		break;
	case BUFPOOL_IOC_RENT_MANY:
		arg->rent_many.min_size = 1;
		arg->rent_many.count = 2;
		arg->rent_many.blocks = (uintptr_t)blocks;
		break;
	case BUFPOOL_IOC_RETURN_MANY:
		arg->give_many.handles = (uintptr_t)handles;
		arg->give_many.count = 2;
		break;
	case BUFPOOL_IOC_LIMIT:
		arg->limit.ceiling = 64 * MIB;
		break;
	}
}

FIXTURE_SETUP(call)
{
	int i;

	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	/* Two are rented, and one is warm. */
	ASSERT_EQ(3, rent_many(self->fd, 1, 3, self->held));
	for (i = 0; i < 2; i++)
		self->handles[i] = self->held[i].handle;
	ASSERT_EQ(0, give(self->fd, self->held[2].handle));
	self->arg = shared_alloc(sizeof(*self->arg));
	ASSERT_NE(NULL, self->arg);
	prepare(self->arg, variant->cmd, variant->size, self->handles,
		self->many);
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(call)
{
	close(self->fd);
	munmap(self->arg, sizeof(*self->arg));
}

/* A call that failed has changed nothing, nor what is warm. */
static bool harmless(int fd, const struct bufpool_stats *before)
{
	return unchanged(fd, before) &&
	       stats_of(fd).client_warm_bytes == before->client_warm_bytes;
}

TEST_F(call, exact_size)
{
	EXPECT_EQ(variant->value,
		  pool_ioctl(self->fd, variant->cmd, self->arg));
}

TEST_F(call, shorter_is_einval)
{
	const size_t first = variant->first ? variant->first : variant->size;
	const size_t sizes[] = {
		0, 1, 4, 7, 8, first - 8, first - 4, first - 1,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->arg->head.size = sizes[i];
		EXPECT_EQ(-EINVAL,
			  pool_ioctl(self->fd, variant->cmd, self->arg)) {
			TH_LOG("size %zu", sizes[i]);
		}
	}
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

TEST_F(call, longer_with_zeroes)
{
	self->arg->head.size = variant->size + 8;
	EXPECT_EQ(variant->value,
		  pool_ioctl(self->fd, variant->cmd, self->arg));
	EXPECT_TRUE(filled(self->arg->bytes + variant->size, 0, 64));
}

TEST_F(call, as_long_as_a_page)
{
	self->arg->head.size = sysconf(_SC_PAGESIZE);
	EXPECT_EQ(variant->value,
		  pool_ioctl(self->fd, variant->cmd, self->arg));
}

TEST_F(call, longer_with_something_is_e2big)
{
	const size_t extra[] = { 1, 2, 4, 7, 8, 9, 64, 1000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(extra); i++) {
		prepare(self->arg, variant->cmd, variant->size, self->handles,
			self->many);
		self->arg->head.size = variant->size + extra[i];
		self->arg->bytes[variant->size + extra[i] - 1] = 1;
		EXPECT_EQ(-E2BIG,
			  pool_ioctl(self->fd, variant->cmd, self->arg)) {
			TH_LOG("%zu bytes more", extra[i]);
		}
		self->arg->bytes[variant->size + extra[i] - 1] = 0;
	}
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

TEST_F(call, longer_than_a_page_is_e2big)
{
	const __u32 sizes[] = {
		sysconf(_SC_PAGESIZE) + 1, 2 * sysconf(_SC_PAGESIZE),
		INT_MAX, 1U << 31, UINT_MAX,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->arg->head.size = sizes[i];
		EXPECT_EQ(-E2BIG,
			  pool_ioctl(self->fd, variant->cmd, self->arg)) {
			TH_LOG("size %u", sizes[i]);
		}
	}
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

TEST_F(call, bad_pointer_is_efault)
{
	void *const bad[] = {
		NULL, (void *)8, (void *)-4096L, (void *)-8L,
		(void *)(1UL << (sizeof(long) * 8 - 1)),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EFAULT,
			  pool_ioctl(self->fd, variant->cmd, bad[i])) {
			TH_LOG("pointer %p", bad[i]);
		}
	}
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

TEST_F(call, unmapped_memory_is_efault)
{
	ASSERT_EQ(0, mprotect(self->arg, sizeof(*self->arg), PROT_NONE));
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, variant->cmd, self->arg));
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

/* Only the first bytes can be read, up to the structure's last. */
TEST_F(call, half_unmapped_is_efault)
{
	size_t page = sysconf(_SC_PAGESIZE), head;
	void *at;

	ASSERT_EQ(0, mprotect(self->arg->bytes + page, page, PROT_NONE));
	for (head = 4; head < variant->size; head += 4) {
		at = self->arg->bytes + page - head;
		memcpy(at, self->arg, head);
		EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, variant->cmd, at)) {
			TH_LOG("%zu bytes", head);
		}
	}
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

/* Memory that can be read is enough where nothing is written. */
TEST_F(call, read_only_memory)
{
	ASSERT_EQ(0, mprotect(self->arg, sizeof(*self->arg), PROT_READ));
	if (variant->writes) {
		EXPECT_EQ(-EFAULT,
			  pool_ioctl(self->fd, variant->cmd, self->arg));
		EXPECT_TRUE(harmless(self->fd, &self->before));
	} else {
		EXPECT_EQ(variant->value,
			  pool_ioctl(self->fd, variant->cmd, self->arg));
	}
}

TEST_F(call, unaligned_argument)
{
	union argument *at = (void *)(self->arg->bytes + 4096 + 1);

	memcpy(at, self->arg, variant->size);
	EXPECT_EQ(variant->value, pool_ioctl(self->fd, variant->cmd, at));
}

TEST_F(call, unknown_flag_is_einval)
{
	int bit;

	for (bit = 0; bit < 32; bit++) {
		if (variant->flags & 1U << bit)
			continue;
		self->arg->head.flags = 1U << bit | variant->flags;
		EXPECT_EQ(-EINVAL,
			  pool_ioctl(self->fd, variant->cmd, self->arg)) {
			TH_LOG("bit %d", bit);
		}
	}
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

TEST_F(call, every_known_flag)
{
	self->arg->head.flags = variant->flags;
	EXPECT_EQ(variant->value,
		  pool_ioctl(self->fd, variant->cmd, self->arg));
}

/* What a call is to fill in may hold anything before. */
TEST_F(call, out_fields_are_not_read)
{
	switch (variant->cmd) {
	case BUFPOOL_IOC_INFO:
		memset(self->arg, 0xff, variant->size);
		self->arg->info.flags = 0;
		self->arg->info.__reserved = 0;
		break;
	case BUFPOOL_IOC_RENT:
		self->arg->rent.handle = NO_HANDLE;
		self->arg->rent.offset = NO_HANDLE;
		self->arg->rent.length = NO_HANDLE;
		break;
	case BUFPOOL_IOC_RENT_MANY:
		memset(self->many, 0xff, sizeof(self->many));
		break;
	case BUFPOOL_IOC_STATS:
		memset(self->arg, 0xff, variant->size);
		self->arg->stats.flags = 0;
		break;
	case BUFPOOL_IOC_TRIM:
		self->arg->trim.trimmed = NO_HANDLE;
		break;
	}
	self->arg->head.size = variant->size;
	EXPECT_EQ(variant->value,
		  pool_ioctl(self->fd, variant->cmd, self->arg));
}

/* The same words with a size or a direction in them are other commands. */
TEST_F(call, other_encoding_is_enotty)
{
	unsigned int nr = _IOC_NR(variant->cmd);

	EXPECT_EQ(-ENOTTY,
		  pool_ioctl(self->fd,
			     _IOWR(BUFPOOL_IOC_TYPE, nr, struct bufpool_rent),
			     self->arg));
	EXPECT_EQ(-ENOTTY, pool_ioctl(self->fd, _IO(BUFPOOL_IOC_TYPE - 1, nr),
				      self->arg));
	EXPECT_TRUE(harmless(self->fd, &self->before));
}

/* The way a descriptor was opened says what may be mapped, not rented. */
TEST_F(call, read_only_descriptor)
{
	int fd = open(POOL_DEVICE, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	if (variant->cmd == BUFPOOL_IOC_RETURN ||
	    variant->cmd == BUFPOOL_IOC_RETURN_MANY) {
		EXPECT_EQ(-ENOENT, pool_ioctl(fd, variant->cmd, self->arg));
	} else {
		EXPECT_EQ(variant->value,
			  pool_ioctl(fd, variant->cmd, self->arg));
	}
	close(fd);
}

TEST_F(call, path_descriptor_is_ebadf)
{
	int fd = open(POOL_DEVICE, O_PATH | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, pool_ioctl(fd, variant->cmd, self->arg));
	close(fd);
}

TEST_F(call, closed_descriptor_is_ebadf)
{
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(-EBADF, pool_ioctl(fd, variant->cmd, self->arg));
}

/* One client, for what is not the same for every ioctl. */
FIXTURE(client)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_rent rent;
	struct bufpool_stats before;
};

FIXTURE_SETUP(client)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(client)
{
	close(self->fd);
}

static int touch_in_child(void *at)
{
	return touch(at);
}

TEST_F(client, unknown_command_is_enotty)
{
	union argument arg = { .head.size = sizeof(struct bufpool_info) };
	unsigned int nr;

	for (nr = _IOC_NR(BUFPOOL_IOC_CLASS) + 1; nr < 256; nr++)
		EXPECT_EQ(-ENOTTY,
			  pool_ioctl(self->fd, _IO(BUFPOOL_IOC_TYPE, nr), &arg));
	EXPECT_EQ(-ENOTTY, pool_ioctl(self->fd, 0, &arg));
	EXPECT_EQ(-ENOTTY, pool_ioctl(self->fd, 0xffffffffUL, &arg));
	EXPECT_EQ(-ENOTTY, pool_ioctl(self->fd, TCGETS, &arg));
}

TEST_F(client, info_is_coherent)
{
	const struct bufpool_info *info = &self->info;

	EXPECT_EQ(sizeof(*info), info->size);
	EXPECT_EQ(BUFPOOL_ABI_VERSION, info->abi_version);
	EXPECT_EQ(sysconf(_SC_PAGESIZE), info->page_size);
	EXPECT_EQ(0, info->__reserved);
	EXPECT_EQ(0, info->features);
	ASSERT_LT(0, info->nr_classes);
	EXPECT_EQ(info->max_rent,
		  (__u64)info->page_size << (info->nr_classes - 1));
	EXPECT_LE(info->page_size, info->max_pooled);
	EXPECT_LE(info->max_pooled, info->max_rent);
	EXPECT_EQ(0, info->max_pooled & (info->max_pooled - 1));
	EXPECT_LE(info->page_size, info->slab_size);
	EXPECT_EQ(0, info->slab_size & (info->slab_size - 1));
	EXPECT_LE(info->slab_size, info->limit);
	EXPECT_LE(info->limit, info->span);
	EXPECT_EQ(0, info->span % info->max_rent);
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
	EXPECT_EQ(30 * length, after.user_held - before->user_held);
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

TEST_F(client, reserved_is_einval)
{
	struct bufpool_block blocks[1];
	struct bufpool_info info = { .size = sizeof(info), .__reserved = 1 };
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = 1,
		.count = 1,
		.blocks = (uintptr_t)blocks,
		.__reserved = 1U << 31,
	};
	struct bufpool_return_many back = {
		.size = sizeof(back),
		.count = 1,
		.handles = (uintptr_t)&blocks[0].handle,
		.__reserved = 1,
	};

	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_INFO, &info));
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, &many));
	ASSERT_EQ(1, rent_many(self->fd, 1, 1, blocks));
	EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN_MANY, &back));
	EXPECT_EQ(0, give(self->fd, blocks[0].handle));
}

TEST_F(client, size_nothing_is_einval)
{
	struct bufpool_block block;

	EXPECT_EQ(-EINVAL, rent(self->fd, 0, &self->rent));
	EXPECT_EQ(-EINVAL, rent_many(self->fd, 0, 1, &block));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, size_over_max_rent_is_emsgsize)
{
	const __u64 sizes[] = {
		self->info.max_rent + 1, 2 * self->info.max_rent,
		1ULL << 32, (1ULL << 32) + 1, 1ULL << 62, INT64_MAX,
		1ULL << 63, (1ULL << 63) + 1, UINT64_MAX - 4095, UINT64_MAX,
	};
	struct bufpool_block block;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-EMSGSIZE, rent(self->fd, sizes[i], &self->rent)) {
			TH_LOG("size %llu", sizes[i]);
		}
		EXPECT_EQ(-EMSGSIZE, rent_many(self->fd, sizes[i], 1, &block));
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, size_max_rent)
{
	ASSERT_EQ(0, rent(self->fd, self->info.max_rent, &self->rent));
	EXPECT_EQ(self->info.max_rent, self->rent.length);
}

TEST_F(client, timeout_negative_is_einval)
{
	const __s64 timeouts[] = { -1, INT64_MIN, -1000000000LL };
	struct bufpool_block block;
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = 1,
		.count = 1,
		.blocks = (uintptr_t)&block,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		EXPECT_EQ(-EINVAL, rent_with(self->fd, 1, 0, timeouts[i],
					     &self->rent));
		EXPECT_EQ(-EINVAL, rent_with(self->fd, 1,
					     BUFPOOL_RENT_NONBLOCK,
					     timeouts[i], &self->rent));
		many.timeout_ns = timeouts[i];
		EXPECT_EQ(-EINVAL, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY,
					      &many));
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, timeout_is_not_needed)
{
	EXPECT_EQ(0, rent_with(self->fd, 1, 0, 1, &self->rent));
	EXPECT_EQ(0, rent_with(self->fd, 1, 0, INT64_MAX, &self->rent));
}

TEST_F(client, many_count_out_of_range_is_einval)
{
	const __u32 counts[] = {
		0, BUFPOOL_MANY_MAX + 1, INT_MAX, 1U << 31, UINT_MAX,
	};
	struct bufpool_block *blocks = calloc(512, sizeof(*blocks));
	size_t i;

	ASSERT_NE(NULL, blocks);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(-EINVAL, rent_many(self->fd, 1, counts[i], blocks));
		EXPECT_EQ(-EINVAL, give_many(self->fd, &blocks->handle,
					     counts[i]));
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(client, many_largest_count)
{
	struct bufpool_block *blocks;
	__u64 handles[BUFPOOL_MANY_MAX];
	int i, j, count;

	blocks = calloc(BUFPOOL_MANY_MAX, sizeof(*blocks));
	ASSERT_NE(NULL, blocks);
	count = rent_many(self->fd, 1, BUFPOOL_MANY_MAX, blocks);
	ASSERT_EQ(BUFPOOL_MANY_MAX, count);
	for (i = 0; i < count; i++) {
		EXPECT_EQ(self->info.page_size, blocks[i].length);
		for (j = 0; j < i; j++) {
			ASSERT_NE(blocks[j].handle, blocks[i].handle);
			ASSERT_NE(blocks[j].offset, blocks[i].offset);
		}
		handles[i] = blocks[i].handle;
	}
	EXPECT_EQ(count, give_many(self->fd, handles, count));
	EXPECT_EQ(self->before.in_use, in_use(self->fd));
}

/* An array that cannot be written, wholly or from some place on. */
TEST_F(client, rent_many_bad_array_is_efault)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct bufpool_block *const bad[] = {
		NULL, (void *)-4096L, (void *)-1L,
	};
	char *pages = shared_alloc(2 * page);
	size_t i;

	ASSERT_NE(NULL, pages);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EFAULT, rent_many(self->fd, 1, 8, bad[i]));
	ASSERT_EQ(0, mprotect(pages + page, page, PROT_READ));
	for (i = 0; i < 8 * sizeof(struct bufpool_block); i += 8) {
		EXPECT_EQ(-EFAULT, rent_many(self->fd, 1, 8,
					     (void *)(pages + page - i))) {
			TH_LOG("%zu bytes can be written", i);
		}
	}
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

/* Handles that can be read only in part: so many come back, or none. */
TEST_F(client, return_many_bad_array)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *pages = shared_alloc(2 * page);
	struct bufpool_block blocks[8];
	struct bufpool_stats stats;
	__u64 *handles;
	int i, ret;

	ASSERT_NE(NULL, pages);
	ASSERT_EQ(8, rent_many(self->fd, 1, 8, blocks));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	EXPECT_EQ(-EFAULT, give_many(self->fd, NULL, 8));
	EXPECT_EQ(-EFAULT, give_many(self->fd, (void *)-4096L, 8));
	EXPECT_TRUE(unchanged(self->fd, &self->before));

	handles = (void *)(pages + page - 4 * sizeof(*handles));
	for (i = 0; i < 4; i++)
		handles[i] = blocks[i].handle;
	ASSERT_EQ(0, mprotect(pages + page, page, PROT_NONE));
	ret = give_many(self->fd, handles, 8);
	if (ret < 0) {
		EXPECT_EQ(-EFAULT, ret);
		EXPECT_TRUE(unchanged(self->fd, &self->before));
	} else {
		EXPECT_LE(1, ret);
		EXPECT_GE(4, ret);
		ASSERT_EQ(0, pool_stats(self->fd, &stats));
		EXPECT_EQ((__u64)(8 - ret), stats.client_blocks);
	}
}

/* An array that overlaps the argument itself must not do harm. */
TEST_F(client, rent_many_array_over_the_argument)
{
	struct bufpool_block blocks[4] = { 0 };
	struct bufpool_rent_many *many = (void *)blocks;
	struct bufpool_stats stats;

	many->size = sizeof(*many);
	many->min_size = 1;
	many->count = 4;
	many->blocks = (uintptr_t)blocks;
	ASSERT_EQ(4, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, many));
	ASSERT_EQ(0, pool_stats(self->fd, &stats));
	EXPECT_EQ(4, stats.client_blocks);
	EXPECT_EQ(0, give(self->fd, blocks[3].handle));
}

TEST_F(client, read_write_lseek_are_refused)
{
	char buf[16] = "";

	EXPECT_EQ(-1, read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 4096, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(client, write_only_descriptor)
{
	int fd = open(POOL_DEVICE, O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, rent(fd, 1, &self->rent));
	EXPECT_EQ(-EACCES, try_map(fd, self->rent.offset, self->rent.length,
				   PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(0, give(fd, self->rent.handle));
	close(fd);
}

TEST_F(client, errno_enoent)
{
	EXPECT_EQ(-ENOENT, give(self->fd, NO_HANDLE));
}

TEST_F(client, errno_estale)
{
	ASSERT_EQ(0, rent(self->fd, 1, &self->rent));
	ASSERT_EQ(0, give(self->fd, self->rent.handle));
	EXPECT_EQ(-ESTALE, give(self->fd, self->rent.handle));
}

TEST_F(client, errno_edquot)
{
	struct bufpool_stats before;

	ASSERT_EQ(0, set_ceiling(self->fd, 64 * KIB));
	ASSERT_EQ(0, rent(self->fd, 64 * KIB, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &before));
	EXPECT_EQ(64 * KIB, before.client_ceiling);
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_TRUE(unchanged(self->fd, &before));
}

/* Waiting cannot help: the call must not try. */
TEST_F(client, errno_edquot_does_not_wait)
{
	ASSERT_EQ(0, set_ceiling(self->fd, 4 * KIB));
	EXPECT_EQ(-EDQUOT, rent_with(self->fd, 64 * KIB, 0, 0, &self->rent));
	EXPECT_EQ(-EDQUOT, rent_with(self->fd, 64 * KIB, 0,
				     1000 * NSEC_PER_MSEC, &self->rent));
}

TEST_F(client, ceiling_may_be_below_what_is_held)
{
	struct bufpool_block blocks[4];

	ASSERT_EQ(4, rent_many(self->fd, 1, 4, blocks));
	ASSERT_EQ(0, set_ceiling(self->fd, 2 * blocks[0].length));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, give(self->fd, blocks[0].handle));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, give(self->fd, blocks[1].handle));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, give(self->fd, blocks[2].handle));
	EXPECT_EQ(0, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
}

TEST_F(client, ceiling_nothing)
{
	ASSERT_EQ(0, set_ceiling(self->fd, 0));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 1, &self->rent));
}

TEST_F(client, ceiling_cuts_rent_many)
{
	struct bufpool_block blocks[8];

	ASSERT_EQ(0, set_ceiling(self->fd, 3 * self->info.page_size));
	EXPECT_EQ(3, rent_many(self->fd, 1, 8, blocks));
	EXPECT_EQ(-EDQUOT, rent_many(self->fd, 1, 8, blocks));
}

/* The ceiling is the client's, and not the descriptor's nor everybody's. */
TEST_F(client, ceiling_is_the_clients)
{
	int same = dup(self->fd), other = pool_open();
	struct bufpool_rent rented;

	ASSERT_LE(0, same);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, set_ceiling(self->fd, 0));
	EXPECT_EQ(-EDQUOT, rent(same, 1, &rented));
	EXPECT_EQ(0, rent(other, 1, &rented));
	close(same);
	close(other);
}

TEST_F(client, ceiling_may_be_raised_by_root)
{
	ASSERT_EQ(0, set_ceiling(self->fd, 0));
	EXPECT_EQ(0, set_ceiling(self->fd, 64 * KIB));
	EXPECT_EQ(0, rent(self->fd, 1, &self->rent));
	EXPECT_EQ(0, set_ceiling(self->fd, ~0ULL));
	EXPECT_EQ(0, rent(self->fd, 64 * KIB, &self->rent));
}

/* Anybody may lower a ceiling; raising it is for the privileged. */
static int raise_ceiling_as_nobody(void *arg)
{
	int fd = *(int *)arg;
	struct bufpool_stats before;

	CHECK(!setgid(65534));
	CHECK(!setuid(65534));
	CHECK(!set_ceiling(fd, 64 * KIB));
	CHECK(!set_ceiling(fd, 64 * KIB));
	CHECK(!set_ceiling(fd, 32 * KIB));
	CHECK(!pool_stats(fd, &before));
	CHECK(set_ceiling(fd, 32 * KIB + 1) == -EPERM);
	CHECK(set_ceiling(fd, 64 * KIB) == -EPERM);
	CHECK(set_ceiling(fd, ~0ULL) == -EPERM);
	CHECK(unchanged(fd, &before));
	return 0;
}

TEST_F(client, errno_eperm)
{
	if (geteuid())
		SKIP(return, "needs root, to become somebody else");
	EXPECT_EQ(0, in_child(raise_ceiling_as_nobody, &self->fd));
}

/* A pool in which nothing is free, and a client that would like some. */
#define FULL_LIMIT	(4 * MIB)
#define FULL_BLOCK	(1 * MIB)

FIXTURE(full)
{
	int owner;
	int fd;
	struct bufpool_block blocks[8];
	struct bufpool_rent rent;
	struct bufpool_stats before;
	int count;
};

FIXTURE_SETUP(full)
{
	self->owner = pool_open();
	ASSERT_LE(0, self->owner);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, limit_write(FULL_LIMIT));
	self->count = drain(self->owner, FULL_BLOCK, self->blocks,
			    ARRAY_SIZE(self->blocks));
	ASSERT_LT(0, self->count);
	ASSERT_GT((int)ARRAY_SIZE(self->blocks), self->count);
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
}

FIXTURE_TEARDOWN(full)
{
	close(self->owner);
	close(self->fd);
	limit_restore();
}

TEST_F(full, errno_eagain_by_flag)
{
	EXPECT_EQ(-EAGAIN, rent(self->fd, FULL_BLOCK, &self->rent));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, FULL_BLOCK,
				     BUFPOOL_RENT_NONBLOCK,
				     1000 * NSEC_PER_MSEC, &self->rent));
	EXPECT_EQ(-EAGAIN, rent_many(self->fd, FULL_BLOCK, 4, self->blocks));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, errno_eagain_by_descriptor)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, FULL_BLOCK, 0, 0, &self->rent));
	EXPECT_EQ(-EAGAIN, rent_with(self->fd, FULL_BLOCK, 0,
				     1000 * NSEC_PER_MSEC, &self->rent));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, errno_etimedout)
{
	__u64 start = now_ms();
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.min_size = FULL_BLOCK,
		.timeout_ns = 50 * NSEC_PER_MSEC,
		.count = 1,
		.blocks = (uintptr_t)self->blocks,
	};

	EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, FULL_BLOCK, 0,
					50 * NSEC_PER_MSEC, &self->rent));
	EXPECT_LE(50, now_ms() - start);
	EXPECT_EQ(-ETIMEDOUT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY,
					 &many));
	EXPECT_LE(100, now_ms() - start);
	EXPECT_EQ(-ETIMEDOUT, rent_with(self->fd, FULL_BLOCK, 0, 1,
					&self->rent));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, waits_are_counted)
{
	struct bufpool_stats after;

	ASSERT_EQ(-ETIMEDOUT, rent_with(self->fd, FULL_BLOCK, 0,
					NSEC_PER_MSEC, &self->rent));
	ASSERT_EQ(-EAGAIN, rent(self->fd, FULL_BLOCK, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &after));
	EXPECT_EQ(self->before.waits + 1, after.waits);
}

/* What a waiter that is disturbed by a signal is to see. */
struct disturbed {
	int fd;
	int sa_flags;
	__s64 timeout_ns;
	int answer;		/* what the rent is to answer */
	unsigned int ready;
	unsigned int handled;
};

static struct disturbed *disturbed;

static void count_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&disturbed->handled, 1, __ATOMIC_RELEASE);
}

static int wait_disturbed(void *arg)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct bufpool_rent rented;
	int ret;

	disturbed = arg;
	action.sa_flags = disturbed->sa_flags;
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	word_set(&disturbed->ready, 1);
	ret = rent_with(disturbed->fd, FULL_BLOCK, 0, disturbed->timeout_ns,
			&rented);
	CHECK(disturbed->handled == 1);
	CHECK(ret == disturbed->answer);
	return 0;
}

static struct disturbed *disturb(int fd, pid_t *pid, int sa_flags,
				 __s64 timeout_ns, int answer)
{
	struct disturbed *d = shared_alloc(sizeof(*d));

	if (!d)
		return NULL;
	d->fd = fd;
	d->sa_flags = sa_flags;
	d->timeout_ns = timeout_ns;
	d->answer = answer;
	*pid = spawn(wait_disturbed, d);
	if (!word_reaches(&d->ready, 1) || !task_sleeps(*pid, *pid))
		return NULL;
	kill(*pid, SIGUSR1);
	return d;
}

TEST_F(full, errno_eintr)
{
	pid_t pid;

	ASSERT_NE(NULL, disturb(self->fd, &pid, 0, 0, -EINTR));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

/* A timeout that began anew at every signal would never end. */
TEST_F(full, errno_eintr_with_a_timeout)
{
	pid_t pid;

	ASSERT_NE(NULL, disturb(self->fd, &pid, SA_RESTART, INT64_MAX, -EINTR));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(unchanged(self->fd, &self->before));
}

TEST_F(full, restarts_after_a_signal)
{
	struct disturbed *d;
	pid_t pid;

	d = disturb(self->fd, &pid, SA_RESTART, 0, 0);
	ASSERT_NE(NULL, d);
	ASSERT_TRUE(word_reaches(&d->handled, 1));
	ASSERT_TRUE(task_sleeps(pid, pid));
	ASSERT_EQ(0, give(self->owner, self->blocks[0].handle));
	EXPECT_EQ(0, reap(pid));
}

TEST_HARNESS_MAIN
