// SPDX-License-Identifier: MIT
/*
 * Addresses of the kernel's own memory are bad ones, in each place where a call takes one:
 * nothing is written there, or read.
 */
#include "channel_fixture.h"

/*
 * Memory of the kernel that is there, can be written, and is none the worse for it: where its
 * messages are. Or 0.
 */
static __u64 kernel_memory(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char line[256], name[128];
	__u64 address, found = 0;

	while (symbols && !found && fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%llx %*c %127s", &address, name) == 2 &&
		    !strcmp(name, "__log_buf"))
			found = address;
	if (symbols)
		fclose(symbols);
	return found;
}

static __u64 memory;	/* which all tests hand over */

static void __attribute__((constructor)) need_symbols(void)
{
	memory = kernel_memory();
	if (!memory)
		skip_all("this kernel does not say where its memory is");
}

/* Every call, for what it is told by, */
TEST_F(channel, no_call_takes_arguments_there)
{
	unsigned int nr;

	for (nr = _IOC_NR(BUFPOOL_IOC_INFO); nr <= _IOC_NR(BUFPOOL_IOC_RECEIVE); nr++)
		EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, _IO(BUFPOOL_IOC_TYPE, nr),
					      (void *)(uintptr_t)memory)) {
			TH_LOG("call %u", nr);
		}
}

/* for blocks */
TEST_F(channel, no_blocks_are_told_of_there)
{
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.flags = BUFPOOL_RENT_NONBLOCK,
		.min_size = PAGE,
		.count = 2,
		.blocks = memory,
	};
	struct bufpool_block blocks[2];
	int i;

	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, &many));
	/* warm ones come by a shorter way */
	ASSERT_EQ(2, rent_many(self->fd, PAGE, 2, blocks));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, give(self->fd, blocks[i].handle));
	ASSERT_EQ(2, stats_of(self->fd).client_warm_blocks);
	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RENT_MANY, &many));
	EXPECT_EQ(1, stats_of(self->fd).client_blocks);
}

/* and handles, */
TEST_F(channel, no_handles_are_read_there)
{
	struct bufpool_return_many many = {
		.size = sizeof(many),
		.count = 2,
		.handles = memory,
	};

	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_RETURN_MANY, &many));
}

/* and messages. */
TEST_F(channel, no_messages_are_told_of_there)
{
	struct bufpool_receive receive = {
		.size = sizeof(receive),
		.flags = BUFPOOL_RECEIVE_NONBLOCK,
		.fd = self->channel.receives,
		.count = 1,
		.messages = memory,
	};

	EXPECT_EQ(0, SEND(self, 1, 0));
	EXPECT_EQ(-EFAULT, pool_ioctl(self->other, BUFPOOL_IOC_RECEIVE, &receive));
	EXPECT_EQ(0, RECEIVE(self));
	EXPECT_EQ(self->rented.offset, self->message.offset);
}

TEST_F(channel, no_messages_are_read_there)
{
	struct bufpool_send send = {
		.size = sizeof(send),
		.flags = BUFPOOL_SEND_NONBLOCK,
		.fd = self->channel.sends,
		.count = 1,
		.messages = memory,
	};

	EXPECT_EQ(-EFAULT, pool_ioctl(self->fd, BUFPOOL_IOC_SEND, &send));
}

TEST_HARNESS_MAIN
