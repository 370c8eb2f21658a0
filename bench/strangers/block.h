/* SPDX-License-Identifier: MIT */
/* A block of the device, by its bare calls. */
#ifndef BENCH_BLOCK_H
#define BENCH_BLOCK_H

#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include <linux/bufpool.h>

static inline int block_open(void)
{
	int fd = open("/dev/bufpool", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "/dev/bufpool");
	return fd;
}

/* Without waiting. Return: 0, or -1 with errno. */
static inline int block_rent(int fd, size_t size, struct bufpool_rent *rent)
{
	*rent = (struct bufpool_rent){
		.size = sizeof(*rent),
		.flags = BUFPOOL_RENT_NONBLOCK,
		.min_size = size,
	};
	return ioctl(fd, BUFPOOL_IOC_RENT, rent);
}

static inline void block_return(int fd, const struct bufpool_rent *rent)
{
	struct bufpool_return give = {
		.size = sizeof(give),
		.handle = rent->handle,
	};

	if (ioctl(fd, BUFPOOL_IOC_RETURN, &give))
		err(1, "return");
}

#endif /* BENCH_BLOCK_H */
