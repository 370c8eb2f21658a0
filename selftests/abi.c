// SPDX-License-Identifier: MIT
/*
 * The binary interface: what each call makes of every kind of argument.
 */
#include "channel.h"

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
	struct bufpool_class_info class;
	struct bufpool_quota quota;
	struct bufpool_cancel cancel;
	struct bufpool_poller poller;
	struct bufpool_channel channel;
	struct bufpool_send send;
	struct bufpool_receive receive;
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
	struct channel channel;
	struct bufpool_message messages[2];
	struct bufpool_stats before;
};

FIXTURE_VARIANT(call)
{
	unsigned long cmd;
	size_t size;
	size_t first;		/* in its first version, if less */
	__u32 flags;		/* that are defined */
	bool writes;		/* something into the structure */
	bool opens;		/* its value is a descriptor, which is taken for 0 */
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
	.flags = BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_IO,
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
	.flags = BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_IO,
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

FIXTURE_VARIANT_ADD(call, class)
{
	.cmd = BUFPOOL_IOC_CLASS,
	.size = sizeof(struct bufpool_class_info),
	.writes = true,
};

FIXTURE_VARIANT_ADD(call, quota)
{
	.cmd = BUFPOOL_IOC_QUOTA,
	.size = sizeof(struct bufpool_quota),
	.flags = BUFPOOL_QUOTA_SET,
	.writes = true,
};

FIXTURE_VARIANT_ADD(call, cancel)
{
	.cmd = BUFPOOL_IOC_CANCEL,
	.size = sizeof(struct bufpool_cancel),
	.flags = BUFPOOL_CANCEL_OFF,
};

FIXTURE_VARIANT_ADD(call, poller)
{
	.cmd = BUFPOOL_IOC_POLLER,
	.size = sizeof(struct bufpool_poller),
	.flags = BUFPOOL_POLLER_IO,
	.opens = true,
};

FIXTURE_VARIANT_ADD(call, channel)
{
	.cmd = BUFPOOL_IOC_CHANNEL,
	.size = sizeof(struct bufpool_channel),
	.writes = true,
};

FIXTURE_VARIANT_ADD(call, send)
{
	.cmd = BUFPOOL_IOC_SEND,
	.size = sizeof(struct bufpool_send),
	.flags = BUFPOOL_SEND_NONBLOCK | BUFPOOL_SEND_WHOLE,
	.value = 2,
};

FIXTURE_VARIANT_ADD(call, receive)
{
	.cmd = BUFPOOL_IOC_RECEIVE,
	.size = sizeof(struct bufpool_receive),
	.flags = BUFPOOL_RECEIVE_NONBLOCK | BUFPOOL_RECEIVE_MAP,
	.value = 2,
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
	case BUFPOOL_IOC_POLLER:
		arg->poller.min_size = 1;
		break;
	case BUFPOOL_IOC_CHANNEL:
		arg->channel.capacity = 1;
		break;
	}
}

/* The same of a call by a channel: there are messages to be sent, or to be received. */
static bool prepare_transfer(union argument *arg, unsigned long cmd, int fd,
			     struct channel *channel, struct bufpool_message *messages)
{
	bool sends = cmd == BUFPOOL_IOC_SEND;
	struct bufpool_rent rented;
	int i;

	if (!sends && cmd != BUFPOOL_IOC_RECEIVE)
		return true;
	if (channel_make(fd, 2, channel))
		return false;
	for (i = 0; i < 2; i++) {
		if (rent(fd, 1, &rented))
			return false;
		messages[i] = (struct bufpool_message){ .handle = rented.handle };
	}
	/* both have the same layout */
	arg->send.fd = sends ? channel->sends : channel->receives;
	arg->send.count = 2;
	arg->send.messages = (uintptr_t)messages;
	return sends || send_many(fd, channel->sends, messages, 2) == 2;
}

static int call_on(const struct _fixture_variant_call *variant, int fd, void *arg)
{
	int ret = pool_ioctl(fd, variant->cmd, arg);

	if (!variant->opens || ret < 0)
		return ret;
	return close(ret) ? -errno : 0;
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
	ASSERT_TRUE(prepare_transfer(self->arg, variant->cmd, self->fd, &self->channel,
				     self->messages));
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

static size_t first_size(const struct _fixture_variant_call *variant)
{
	return variant->first ? variant->first : variant->size;
}

TEST_F(call, exact_size)
{
	EXPECT_EQ(variant->value, call_on(variant, self->fd, self->arg));
}

TEST_F(call, shorter_is_einval)
{
	const size_t first = first_size(variant);
	const size_t sizes[] = {
		0, 1, 4, 7, 8, first - 8, first - 4, first - 1,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* some first versions are that short */
		if (sizes[i] >= first)
			continue;
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
	EXPECT_EQ(variant->value, call_on(variant, self->fd, self->arg));
	EXPECT_TRUE(filled(self->arg->bytes + variant->size, 0, 64));
}

TEST_F(call, as_long_as_a_page)
{
	self->arg->head.size = sysconf(_SC_PAGESIZE);
	EXPECT_EQ(variant->value, call_on(variant, self->fd, self->arg));
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

/* Only the first bytes can be read, up to the last of the first version. */
TEST_F(call, half_unmapped_is_efault)
{
	size_t page = sysconf(_SC_PAGESIZE), first = first_size(variant), head;
	void *at;

	ASSERT_EQ(0, mprotect(self->arg->bytes + page, page, PROT_NONE));
	for (head = 4; head < first; head += 4) {
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
		EXPECT_EQ(variant->value, call_on(variant, self->fd, self->arg));
	}
}

TEST_F(call, unaligned_argument)
{
	union argument *at = (void *)(self->arg->bytes + 4096 + 1);

	memcpy(at, self->arg, variant->size);
	EXPECT_EQ(variant->value, call_on(variant, self->fd, at));
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
	EXPECT_EQ(variant->value, call_on(variant, self->fd, self->arg));
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
	case BUFPOOL_IOC_CLASS:
		memset(self->arg, 0xff, variant->size);
		self->arg->class.flags = 0;
		self->arg->class.nr = 0;
		break;
	case BUFPOOL_IOC_QUOTA:
		self->arg->quota.quota = 1;
		self->arg->quota.held = NO_HANDLE;
		break;
	case BUFPOOL_IOC_TRIM:
		self->arg->trim.trimmed = NO_HANDLE;
		break;
	case BUFPOOL_IOC_CHANNEL:
		self->arg->channel.receive_fd = -1;
		self->arg->channel.send_fd = INT_MIN;
		break;
	case BUFPOOL_IOC_SEND:
		self->messages[0].offset = NO_HANDLE;
		self->messages[1].length = NO_HANDLE;
		break;
	case BUFPOOL_IOC_RECEIVE:
		memset(self->messages, 0xff, sizeof(self->messages));
		break;
	}
	self->arg->head.size = variant->size;
	EXPECT_EQ(variant->value, call_on(variant, self->fd, self->arg));
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
	if (variant->cmd == BUFPOOL_IOC_RETURN || variant->cmd == BUFPOOL_IOC_SEND ||
	    variant->cmd == BUFPOOL_IOC_RETURN_MANY) {
		EXPECT_EQ(-ENOENT, pool_ioctl(fd, variant->cmd, self->arg));
	} else {
		EXPECT_EQ(variant->value, call_on(variant, fd, self->arg));
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

TEST_HARNESS_MAIN
