/* SPDX-License-Identifier: MIT */
/*
 * A client of the device that nothing stands in front of: each function is one
 * call, and what must not fail ends the program when it does.
 */
#ifndef BENCH_DEVICE_H
#define BENCH_DEVICE_H

#include <stddef.h>

#include <linux/bufpool.h>

/**
 * struct device - a client
 * @fd: descriptor
 * @flags: of each rent of one block
 * @rent: what was rented last
 * @window: where the blocks of one size are
 * @many: what was rented last, of several
 * @handles: of those
 */
struct device {
	int fd;
	unsigned int flags;
	struct bufpool_rent rent;
	char *window;
	struct bufpool_block many[BUFPOOL_MANY_MAX];
	__u64 handles[BUFPOOL_MANY_MAX];
};

void device_open(struct device *device);
void device_close(struct device *device);

int device_call(struct device *device, unsigned long command, void *argument);

void device_rent(struct device *device, size_t size);
void device_rent_waiting(struct device *device, size_t size);
void device_rent_refused(struct device *device, size_t size, int error);
void device_return(struct device *device, unsigned int flags);
void device_rent_many(struct device *device, size_t size, unsigned int count);
void device_return_many(struct device *device, unsigned int count,
			unsigned int flags);
void device_trim(struct device *device);

/* Ask for POLLIN, without waiting. Return: what poll() reports. */
short device_poll(struct device *device);

/* A channel's ends */
struct device_channel {
	int receive_fd;
	int send_fd;
};

void device_channel_make(struct device *device, struct device_channel *channel,
			 unsigned int capacity);
void device_channel_close(const struct device_channel *channel);
void device_send(struct device *device, const struct device_channel *channel,
		 const struct bufpool_message *messages, unsigned int count);
void device_receive(struct device *device, const struct device_channel *channel,
		    struct bufpool_message *messages, unsigned int count);

/* The pool that all clients share. */
struct bufpool_info device_info(struct device *device);
struct bufpool_stats device_stats(struct device *device);

/* Map all blocks of the size that was rented last; and where that one is. */
void device_map(struct device *device);
void device_unmap(struct device *device);
char *device_at(const struct device *device);

/* Have the pool give all that nobody uses to the system. */
void device_give_back(void);

/* One of the module's parameters. */
void device_set(const char *parameter, unsigned long long value);

#endif /* BENCH_DEVICE_H */
