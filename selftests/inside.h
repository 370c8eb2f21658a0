/* SPDX-License-Identifier: MIT */
/*
 * What the pool shows of itself in files.
 */
#ifndef INSIDE_H
#define INSIDE_H

#include "bufpool_test.h"

#define SYSFS		"/sys/class/misc/bufpool/"
#define CLASSES		SYSFS "classes/"
#define DEBUGFS		"/sys/kernel/debug/bufpool/clients"

#define NOT_A_NUMBER	(~0ULL - 1)

/* The text of a file, however long; how many bytes, or -errno. */
static inline ssize_t file_read(const char *path, char *text, size_t size)
{
	ssize_t done = 0, ret = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (done < (ssize_t)size - 1) {
		ret = read(fd, text + done, size - 1 - done);
		if (ret <= 0)
			break;
		done += ret;
	}
	if (ret < 0)
		done = -errno;
	close(fd);
	text[done < 0 ? 0 : done] = '\0';
	return done;
}

/* The number that is the one line of a file, or NOT_A_NUMBER. */
static inline __u64 file_number(const char *directory, const char *name)
{
	char path[256], text[64], again[64];
	__u64 number;
	ssize_t len;

	snprintf(path, sizeof(path), "%s%s", directory, name);
	len = file_read(path, text, sizeof(text));
	if (len < 0)
		return NOT_A_NUMBER;
	number = strtoull(text, NULL, 10);
	len = snprintf(again, sizeof(again), "%llu\n", number);
	return strcmp(text, again) ? NOT_A_NUMBER : number;
}

static inline __u64 pool_number(const char *name)
{
	return file_number(SYSFS, name);
}

/* The same of a class, whose directory is called by what its blocks are, and their size. */
static inline __u64 class_number_of(const char *prefix, __u64 block_size, const char *name)
{
	char directory[128];

	snprintf(directory, sizeof(directory), CLASSES "%s%llu/", prefix, block_size);
	return file_number(directory, name);
}

static inline __u64 class_number(__u64 block_size, const char *name)
{
	return class_number_of("", block_size, name);
}

/* Whether a class's file comes to say @want. */
static inline bool class_number_becomes(__u64 block_size, const char *name,
					__u64 want)
{
	return BECOMES(class_number(block_size, name) == want);
}

/* A block size whose class has no slab yet, so that its blocks are new; or 0. */
static inline __u64 fresh_class(const struct bufpool_info *info)
{
	__u64 size = info->page_size;

	for (; size <= info->slab_size / 2; size *= 2)
		if (!class_number(size, "slabs"))
			return size;
	return 0;
}

/* The number after "bufpool-NAME:", which is there once; or NOT_A_NUMBER. */
static inline __u64 client_number(int fd, const char *name)
{
	char path[64], text[4096], key[64], *found, *end;
	__u64 number;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (file_read(path, text, sizeof(text)) < 0)
		return NOT_A_NUMBER;
	snprintf(key, sizeof(key), "\nbufpool-%s:\t", name);
	found = strstr(text, key);
	if (!found || strstr(found + 1, key))
		return NOT_A_NUMBER;
	number = strtoull(found + strlen(key), &end, 10);
	return *end == '\n' ? number : NOT_A_NUMBER;
}

/* sysfs --------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "limit", offsetof(struct bufpool_stats, limit) },
	{ "in_use", offsetof(struct bufpool_stats, in_use) },
	{ "warm", offsetof(struct bufpool_stats, warm) },
	{ "pinned", offsetof(struct bufpool_stats, pinned) },
	{ "waiting", offsetof(struct bufpool_stats, waiting) },
	{ "clients", offsetof(struct bufpool_stats, clients) },
	{ "rents", offsetof(struct bufpool_stats, rents) },
	{ "reused", offsetof(struct bufpool_stats, reused) },
	{ "returns", offsetof(struct bufpool_stats, returns) },
	{ "waits", offsetof(struct bufpool_stats, waits) },
	{ "steals", offsetof(struct bufpool_stats, steals) },
	{ "scrubs", offsetof(struct bufpool_stats, scrubs) },
	{ "slabs_created", offsetof(struct bufpool_stats, slabs_created) },
	{ "slabs_destroyed", offsetof(struct bufpool_stats, slabs_destroyed) },
	{ "refused_waiters", offsetof(struct bufpool_stats, refused_waiters) },
	{ "refused_clients", offsetof(struct bufpool_stats, refused_clients) },
	{ "idle", offsetof(struct bufpool_stats, idle) },
	{ "quarantined", offsetof(struct bufpool_stats, quarantined) },
	{ "channels", offsetof(struct bufpool_stats, channels) },
	{ "in_channels", offsetof(struct bufpool_stats, in_channels) },
	{ "sent", offsetof(struct bufpool_stats, sent) },
	{ "received", offsetof(struct bufpool_stats, received) },
};

#define NR_NUMBERS	ARRAY_SIZE(numbers)

static const char *const class_numbers[] = {
	"slabs", "idle_slabs", "free", "out", "waiting",
};

#define NR_CLASS_NUMBERS	ARRAY_SIZE(class_numbers)

FIXTURE(pool)
{
	int fd;
	struct bufpool_info info;
};

FIXTURE_SETUP(pool)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(pool)
{
	close(self->fd);
}

/*
 * A full pool, and a child that waits for the block which fills it. If it gets
 * that it gives it back and rents it again, which needs no waiting.
 */
struct queue {
	__u64 size;
	__s64 timeout_ns;
	int expect;
};

static inline struct queue queue_in_vain(__u64 size)
{
	return (struct queue){
		.size = size,
		.timeout_ns = NSEC_PER_MSEC,
		.expect = -ETIMEDOUT,
	};
}

static inline int stand_in_line(void *arg)
{
	struct queue *queue = arg;
	struct bufpool_rent rented;
	int fd = pool_open();

	CHECK(fd >= 0);
	CHECK(rent_with(fd, queue->size, 0, queue->timeout_ns, &rented) ==
	      queue->expect);
	if (!queue->expect) {
		CHECK(!give(fd, rented.handle));
		CHECK(!rent(fd, queue->size, &rented));
	}
	return 0;
}

#endif /* INSIDE_H */
