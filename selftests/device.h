/* SPDX-License-Identifier: MIT */
/*
 * The calls of the device, its mappings, and its counters.
 *
 * Functions that end in a system call return what it returned, or -errno: a test
 * compares that with the one answer it expects.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/bufpool.h>

#include "clock.h"

#define POOL_DEVICE	"/dev/bufpool"

/* Bytes in a page, which is the smallest block. */
#define PAGE		((__u64)sysconf(_SC_PAGESIZE))

static inline int pool_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int pool_open(void)
{
	int fd = open(POOL_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int pool_info(int fd, struct bufpool_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return pool_ioctl(fd, BUFPOOL_IOC_INFO, info);
}

/* A descriptor, or -errno */
static inline int poller_of(int fd, __u64 min_size)
{
	struct bufpool_poller poller = { .size = sizeof(poller), .min_size = min_size };

	return pool_ioctl(fd, BUFPOOL_IOC_POLLER, &poller);
}

/* Which of these events there are just now, or -errno */
static inline int poll_now(int fd, int events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, 0) < 0 ? -errno : pollfd.revents;
}

static inline int cancel(int fd, __u32 flags)
{
	struct bufpool_cancel cancel = { .size = sizeof(cancel), .flags = flags };

	return pool_ioctl(fd, BUFPOOL_IOC_CANCEL, &cancel);
}

/* How many classes have blocks of slabs: the first ones, from a page on. */
static inline unsigned int slab_classes(const struct bufpool_info *info)
{
	return __builtin_ctzll(info->max_rent / info->page_size) + 1;
}

/* Bytes in the blocks of a class, of slabs or, after those, for I/O. */
static inline __u64 class_size(const struct bufpool_info *info, unsigned int class)
{
	unsigned int first_io = slab_classes(info);

	return (__u64)info->page_size << (class < first_io ? class : class - first_io);
}

/* How to rent them. */
static inline __u32 class_flags(const struct bufpool_info *info, unsigned int class)
{
	return class < slab_classes(info) ? 0 : BUFPOOL_RENT_IO;
}

/* The largest block that has at most so many bytes. */
static inline __u64 largest_within(const struct bufpool_info *info, __u64 most)
{
	__u64 size = info->max_rent;

	while (size > most)
		size /= 2;
	return size;
}

/*
 * The largest block of which a test may have several; the largest of all is as large as
 * a small system's memory where pages are large.
 */
static inline __u64 large_block(const struct bufpool_info *info)
{
	return largest_within(info, 32 << 20);
}

static inline int pool_stats(int fd, struct bufpool_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	return pool_ioctl(fd, BUFPOOL_IOC_STATS, stats);
}

/* The same where nothing can be done about a failure: then nothing fits. */
static inline struct bufpool_stats stats_of(int fd)
{
	struct bufpool_stats stats;

	if (pool_stats(fd, &stats))
		memset(&stats, 0xff, sizeof(stats));
	return stats;
}

static inline int rent_with(int fd, __u64 min_size, __u32 flags,
			    __s64 timeout_ns, struct bufpool_rent *rent)
{
	memset(rent, 0, sizeof(*rent));
	rent->size = sizeof(*rent);
	rent->flags = flags;
	rent->min_size = min_size;
	rent->timeout_ns = timeout_ns;
	return pool_ioctl(fd, BUFPOOL_IOC_RENT, rent);
}

/* Never waits: a test that finds the pool empty fails instead of hanging. */
static inline int rent(int fd, __u64 min_size, struct bufpool_rent *rent)
{
	return rent_with(fd, min_size, BUFPOOL_RENT_NONBLOCK, 0, rent);
}

static inline int give_with(int fd, __u64 handle, __u32 flags)
{
	struct bufpool_return give = {
		.size = sizeof(give),
		.flags = flags,
		.handle = handle,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_RETURN, &give);
}

/* The block may stay warm: mapped, with what is in it. */
static inline int give(int fd, __u64 handle)
{
	return give_with(fd, handle, 0);
}

/* Nothing of the client reaches the block any more when this returns. */
static inline int give_up(int fd, __u64 handle)
{
	return give_with(fd, handle, BUFPOOL_RETURN_REVOKE);
}

static inline int rent_many_with(int fd, __u64 min_size, __u32 flags, __u32 count,
				 struct bufpool_block *blocks)
{
	struct bufpool_rent_many many = {
		.size = sizeof(many),
		.flags = BUFPOOL_RENT_NONBLOCK | flags,
		.min_size = min_size,
		.count = count,
		.blocks = (uintptr_t)blocks,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_RENT_MANY, &many);
}

static inline int rent_many(int fd, __u64 min_size, __u32 count,
			    struct bufpool_block *blocks)
{
	return rent_many_with(fd, min_size, 0, count, blocks);
}

static inline int give_many_with(int fd, const __u64 *handles, __u32 count,
				 __u32 flags)
{
	struct bufpool_return_many many = {
		.size = sizeof(many),
		.flags = flags,
		.handles = (uintptr_t)handles,
		.count = count,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_RETURN_MANY, &many);
}

static inline int give_many(int fd, const __u64 *handles, __u32 count)
{
	return give_many_with(fd, handles, count, 0);
}

static inline int give_up_many(int fd, const __u64 *handles, __u32 count)
{
	return give_many_with(fd, handles, count, BUFPOOL_RETURN_REVOKE);
}

/* One by one; whether all were this client's. */
static inline bool give_all(int fd, const struct bufpool_block *blocks,
			    int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (give(fd, blocks[i].handle))
			return false;
	}
	return true;
}

/* Give up warm blocks; how many bytes, or -errno. */
static inline __s64 trim(int fd, __u64 min_size)
{
	struct bufpool_trim args = {
		.size = sizeof(args),
		.min_size = min_size,
	};
	int ret = pool_ioctl(fd, BUFPOOL_IOC_TRIM, &args);

	return ret ? ret : (__s64)args.trimmed;
}

static inline int set_ceiling(int fd, __u64 ceiling)
{
	struct bufpool_limit limit = {
		.size = sizeof(limit),
		.ceiling = ceiling,
	};

	return pool_ioctl(fd, BUFPOOL_IOC_LIMIT, &limit);
}

/* Make a dma-buf of a block. Return: its descriptor, or -errno. */
static inline int export_block(int fd, __u64 handle)
{
	struct bufpool_export args = { .size = sizeof(args), .handle = handle };

	return pool_ioctl(fd, BUFPOOL_IOC_EXPORT, &args);
}

/* Map @length bytes at @offset; MAP_FAILED and errno as mmap() has them. */
static inline void *map_at(int fd, __u64 offset, size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    offset);
}

static inline void *map_block(int fd, const struct bufpool_rent *rent)
{
	return map_at(fd, rent->offset, rent->length);
}

/* What mmap() answers: 0, or -errno; nothing stays mapped. */
static inline int try_map(int fd, __u64 offset, size_t length, int prot,
			  int flags)
{
	void *at = mmap(NULL, length, prot, flags, fd, offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, length);
	return 0;
}

/* The page that says when blocks are short; NULL where it cannot be mapped. */
static inline struct bufpool_status *map_status(int fd)
{
	struct bufpool_info info;
	void *at;

	if (pool_info(fd, &info))
		return NULL;
	at = mmap(NULL, info.page_size, PROT_READ, MAP_SHARED, fd,
		  info.status_offset);
	return at == MAP_FAILED ? NULL : at;
}

/* Rent, and map what was rented; NULL when either fails. */
static inline void *rent_mapped_with(int fd, __u64 min_size, __u32 flags,
				     struct bufpool_rent *out)
{
	void *at;

	if (rent_with(fd, min_size, BUFPOOL_RENT_NONBLOCK | flags, 0, out))
		return NULL;
	at = map_block(fd, out);
	return at == MAP_FAILED ? NULL : at;
}

static inline void *rent_mapped(int fd, __u64 min_size,
				struct bufpool_rent *out)
{
	return rent_mapped_with(fd, min_size, 0, out);
}

static inline bool same_holdings(const struct bufpool_stats *after,
				 const struct bufpool_stats *before)
{
	return after->client_rents == before->client_rents &&
	       after->client_returns == before->client_returns &&
	       after->client_blocks == before->client_blocks &&
	       after->client_bytes == before->client_bytes &&
	       after->client_ceiling == before->client_ceiling &&
	       after->client_warm_rents == before->client_warm_rents &&
	       after->user_held == before->user_held &&
	       after->in_use == before->in_use;
}

/* Whether a call that failed left everything as it was in @before. */
static inline bool unchanged(int fd, const struct bufpool_stats *before)
{
	struct bufpool_stats after;

	return !pool_stats(fd, &after) && same_holdings(&after, before);
}

static inline __u64 in_use(int fd)
{
	struct bufpool_stats stats;

	return pool_stats(fd, &stats) ? ~0ULL : stats.in_use;
}

/* The end of a process is asynchronous. */
static inline bool in_use_becomes(int fd, __u64 want)
{
	return BECOMES(in_use(fd) == want);
}

/* Rent blocks of @min_size until none is left; how many, or -errno. */
static inline int drain_with(int fd, __u64 min_size, __u32 flags,
			     struct bufpool_block *blocks, int max)
{
	int count = 0, ret;

	while (count < max) {
		ret = rent_many_with(fd, min_size, flags,
				     max - count < BUFPOOL_MANY_MAX ?
				     max - count : BUFPOOL_MANY_MAX,
				     blocks + count);
		if (ret == -EAGAIN)
			break;
		if (ret < 0)
			return ret;
		count += ret;
	}
	return count;
}

static inline int drain(int fd, __u64 min_size, struct bufpool_block *blocks,
			int max)
{
	return drain_with(fd, min_size, 0, blocks, max);
}

#endif /* DEVICE_H */
