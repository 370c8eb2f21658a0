// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "measure.h"

/* Offsets that each size has; BUFPOOL_IOC_INFO would say the same. */
#define SPAN	(512ULL << 30)

void device_open(struct device *device)
{
	device->fd = open("/dev/bufpool", O_RDWR | O_CLOEXEC);
	MUST(device->fd >= 0);
}

void device_close(struct device *device)
{
	MUST(!close(device->fd));
}

int device_call(struct device *device, unsigned long command, void *argument)
{
	return ioctl(device->fd, command, argument);
}

static int rent(struct device *device, size_t size, unsigned int flags)
{
	device->rent.size = sizeof(device->rent);
	device->rent.flags = device->flags | flags;
	device->rent.min_size = size;
	return device_call(device, BUFPOOL_IOC_RENT, &device->rent);
}

void device_rent(struct device *device, size_t size)
{
	MUST(!rent(device, size, BUFPOOL_RENT_NONBLOCK));
}

void device_rent_waiting(struct device *device, size_t size)
{
	MUST(!rent(device, size, 0));
}

void device_rent_refused(struct device *device, size_t size, int error)
{
	MUST(rent(device, size, BUFPOOL_RENT_NONBLOCK) == -1 && errno == error);
}

void device_return(struct device *device, unsigned int flags)
{
	struct bufpool_return give = {
		.size = sizeof(give),
		.flags = flags,
		.handle = device->rent.handle,
	};

	MUST(!device_call(device, BUFPOOL_IOC_RETURN, &give));
}

void device_rent_many(struct device *device, size_t size, unsigned int count)
{
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.flags = BUFPOOL_RENT_NONBLOCK,
		.min_size = size,
		.count = count,
		.blocks = (uintptr_t)device->many,
	};
	int ret = device_call(device, BUFPOOL_IOC_RENT_MANY, &many);

	MUST(ret == (int)count);
}

void device_return_many(struct device *device, unsigned int count,
			unsigned int flags)
{
	struct bufpool_return_many many = {
		.size = sizeof(many),
		.flags = flags,
		.handles = (uintptr_t)device->handles,
		.count = count,
	};
	int ret = device_call(device, BUFPOOL_IOC_RETURN_MANY, &many);

	MUST(ret == (int)count);
}

void device_trim(struct device *device)
{
	struct bufpool_trim trim = { .size = sizeof(trim) };

	MUST(!device_call(device, BUFPOOL_IOC_TRIM, &trim));
}

void device_channel_make(struct device *device, struct device_channel *channel,
			 unsigned int capacity)
{
	struct bufpool_channel make = { .size = sizeof(make), .capacity = capacity };

	MUST(!device_call(device, BUFPOOL_IOC_CHANNEL, &make));
	*channel = (struct device_channel){ make.receive_fd, make.send_fd };
}

void device_channel_close(const struct device_channel *channel)
{
	MUST(!close(channel->receive_fd) && !close(channel->send_fd));
}

void device_send(struct device *device, const struct device_channel *channel,
		 const struct bufpool_message *messages, unsigned int count)
{
	struct bufpool_send send = {
		.size = sizeof(send),
		.flags = BUFPOOL_SEND_NONBLOCK,
		.fd = channel->send_fd,
		.count = count,
		.messages = (uintptr_t)messages,
	};
	int ret = device_call(device, BUFPOOL_IOC_SEND, &send);

	MUST(ret == (int)count);
}

void device_receive(struct device *device, const struct device_channel *channel,
		    struct bufpool_message *messages, unsigned int count)
{
	struct bufpool_receive receive = {
		.size = sizeof(receive),
		.flags = BUFPOOL_RECEIVE_NONBLOCK,
		.fd = channel->receive_fd,
		.count = count,
		.messages = (uintptr_t)messages,
	};
	int ret = device_call(device, BUFPOOL_IOC_RECEIVE, &receive);

	MUST(ret == (int)count);
}

short device_poll(struct device *device)
{
	struct pollfd poll_fd = { .fd = device->fd, .events = POLLIN };

	MUST(poll(&poll_fd, 1, 0) >= 0);
	return poll_fd.revents;
}

struct bufpool_info device_info(struct device *device)
{
	struct bufpool_info info = { .size = sizeof(info) };

	MUST(!device_call(device, BUFPOOL_IOC_INFO, &info));
	return info;
}

struct bufpool_stats device_stats(struct device *device)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	MUST(!device_call(device, BUFPOOL_IOC_STATS, &stats));
	return stats;
}

void device_map(struct device *device)
{
	void *at = mmap(NULL, SPAN, PROT_READ | PROT_WRITE, MAP_SHARED,
			device->fd, device->rent.offset & ~(SPAN - 1));

	MUST(at != MAP_FAILED);
	device->window = at;
}

void device_unmap(struct device *device)
{
	munmap(device->window, SPAN);
}

char *device_at(const struct device *device)
{
	return device->window + (device->rent.offset & (SPAN - 1));
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
}

void device_give_back(void)
{
	write_text("/sys/class/misc/bufpool/trim", "1");
}

void device_set(const char *parameter, unsigned long long value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/module/bufpool/parameters/%s",
		 parameter);
	snprintf(text, sizeof(text), "%llu", value);
	write_text(path, text);
}
