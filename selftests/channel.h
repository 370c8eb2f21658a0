/* SPDX-License-Identifier: MIT */
/*
 * Channels, for tests.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "bufpool_test.h"

/**
 * struct channel - both ends of one, as this process has them; -1 where it has not
 */
struct channel {
	int receives;
	int sends;
};

/* Return: 0 or -errno. */
static inline int channel_make(int fd, __u32 capacity, struct channel *channel)
{
	struct bufpool_channel arg = { .size = sizeof(arg), .capacity = capacity };
	int ret = pool_ioctl(fd, BUFPOOL_IOC_CHANNEL, &arg);

	*channel = (struct channel){ arg.receive_fd, arg.send_fd };
	return ret;
}

static inline int close_end(int *end)
{
	int fd = *end;

	*end = -1;
	return fd < 0 ? 0 : close(fd);
}

static inline void channel_end(struct channel *channel)
{
	close_end(&channel->receives);
	close_end(&channel->sends);
}

/* Return: how many, or -errno. */
static inline int send_timed(int fd, int end, const struct bufpool_message *messages,
			     unsigned int count, __u32 flags, __s64 timeout_ns)
{
	struct bufpool_send arg = {
		.size = sizeof(arg),
		.flags = flags,
		.fd = end,
		.count = count,
		.messages = (uintptr_t)messages,
		.timeout_ns = timeout_ns,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_SEND, &arg);
}

static inline int receive_timed(int fd, int end, struct bufpool_message *messages,
				unsigned int count, __u32 flags, __s64 timeout_ns)
{
	struct bufpool_receive arg = {
		.size = sizeof(arg),
		.flags = flags,
		.fd = end,
		.count = count,
		.messages = (uintptr_t)messages,
		.timeout_ns = timeout_ns,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_RECEIVE, &arg);
}

static inline int send_many(int fd, int end, const struct bufpool_message *messages,
			    unsigned int count)
{
	return send_timed(fd, end, messages, count, 0, 0);
}

static inline int receive_many(int fd, int end, struct bufpool_message *messages,
			       unsigned int count)
{
	return receive_timed(fd, end, messages, count, 0, 0);
}

/* Send one, without waiting for room. Return: 0 or -errno. */
static inline int send_with(int fd, int end, __u64 handle, __u64 used, __u64 tag, __u32 flags)
{
	struct bufpool_message message = { .handle = handle, .used = used, .tag = tag };
	int ret = send_timed(fd, end, &message, 1, flags | BUFPOOL_SEND_NONBLOCK, 0);

	return ret < 0 ? ret : ret == 1 ? 0 : -EIO;
}

static inline int send_one(int fd, int end, const struct bufpool_rent *rented, __u64 tag)
{
	return send_with(fd, end, rented->handle, rented->length, tag, 0);
}

/* Receive one, without waiting. Return: 0, -errno, or 1 where there is an end of it. */
static inline int receive_one(int fd, int end, struct bufpool_message *message)
{
	int ret = receive_timed(fd, end, message, 1, BUFPOOL_RECEIVE_NONBLOCK, 0);

	return ret < 0 ? ret : !ret;
}

/* What a message names, as RENT would say it. */
static inline struct bufpool_rent rented_by(const struct bufpool_message *message)
{
	return (struct bufpool_rent){
		.handle = message->handle,
		.offset = message->offset,
		.length = message->length,
	};
}

#endif /* CHANNEL_H */
