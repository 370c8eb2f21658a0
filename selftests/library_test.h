/* SPDX-License-Identifier: MIT */
/*
 * What the tests of libbufpool have in common.
 *
 * Each runs against the device or, with BUFPOOL_PROVIDER=private in the
 * environment, against a private pool; library_device.c and library_private.c
 * have what is about one of them.
 */
#ifndef LIBRARY_TEST_H
#define LIBRARY_TEST_H

#define ANY_PROVIDER
#include "bufpool_test.h"

#include <bufpool.h>
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <thread.h>
#if __has_include("valgrind/valgrind.h")
#include <valgrind/valgrind.h>
#endif

/* Not one of the bits of this version */
#define BAD_FLAG	0x80000000U

/* A limit that a test soon uses up. */
#define SMALL_LIMIT	(16 * MIB)
#define SMALL_LIMIT_TEXT	"16M"

/* Sanitizers have memory of their own, which grows, and locks that a fork may find held. */
#ifdef __has_feature
#define SANITIZES_MEMORY	__has_feature(memory_sanitizer)
#else
#define SANITIZES_MEMORY	0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SANITIZES_MEMORY
#define SANITIZED	1
#else
#define SANITIZED	0
#endif

/* It has mappings, signals and descriptors of its own. */
static inline bool in_valgrind(void)
{
#if __has_include("valgrind/valgrind.h")
	return RUNNING_ON_VALGRIND;
#else
	return false;
#endif
}

/*
 * How often to do what takes a call in a virtual machine: without those, more
 * often is as quick.
 */
static inline unsigned int native(unsigned int times)
{
	return private_chosen() ? times * (SANITIZED ? 5 : 20) : times;
}

/* Where a magazine of a cache that is alone sees who waits */
static inline const __u32 *waiting_for(const struct bufpool *pool,
				       const struct bufpool_magazine *magazine)
{
	unsigned int class = magazine - magazine->cache->magazines;

	return bufpool_provider_waiting(&pool->provider, pool->classes.of[class].nr);
}

/* Whether another thread has begun to end rentals of this cache. */
static inline bool cache_is_shared(const struct bufpool_cache *cache)
{
	const struct bufpool_magazine *magazine = cache->magazines;

	return __atomic_load_n(&magazine->waiting, __ATOMIC_ACQUIRE) !=
	       waiting_for(bufpool_cache_home(cache), magazine);
}

/* What a touch of a block raises that is not there any more. */
static inline int gone_signal(void)
{
	return private_chosen() ? SIGSEGV : SIGBUS;
}

/* The errors of functions that return a pointer or a size, as -errno. */

static inline int open_error(const char *device, unsigned int flags)
{
	errno = 0;
	return bufpool_open(device, flags) ? 0 : -errno;
}

static inline int rent_error(struct bufpool *pool, size_t min_size,
			     unsigned int flags)
{
	errno = 0;
	return bufpool_rent(pool, min_size, flags) ? 0 : -errno;
}

static inline int timed_error(struct bufpool *pool, size_t min_size,
			      unsigned int flags, int64_t timeout_ns)
{
	errno = 0;
	return bufpool_rent_timed(pool, min_size, flags, timeout_ns) ? 0 : -errno;
}

static inline int size_error(struct bufpool *pool, const void *block)
{
	errno = 0;
	return bufpool_block_size(pool, block) ? 0 : -errno;
}

static inline int adopt_error(struct bufpool *pool, __u64 handle, __u64 offset)
{
	errno = 0;
	return bufpool_adopt(pool, handle, offset) ? 0 : -errno;
}

/* What every call that takes a block says of this one; 0 where they differ. */
static inline int block_error(struct bufpool *pool, void *block)
{
	uint64_t value;
	int ret = bufpool_return(pool, block, 0);

	if (bufpool_return_many(pool, &block, 1, 0) != ret ||
	    size_error(pool, block) != ret ||
	    bufpool_handle(pool, block, &value) != ret ||
	    bufpool_offset(pool, block, &value) != ret)
		return 0;
	return ret;
}

static inline int info_of(struct bufpool *pool, struct bufpool_info *info)
{
	*info = (struct bufpool_info){ .size = sizeof(*info) };
	return bufpool_info(pool, info);
}

/* With nothing kept for later */
static inline int trimmed_stats(struct bufpool *pool, struct bufpool_stats *stats)
{
	*stats = (struct bufpool_stats){ .size = sizeof(*stats) };
	return bufpool_trim(pool, 0, NULL) ?: bufpool_stats(pool, stats);
}

/* How many blocks the program holds. */
static inline int held(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return trimmed_stats(pool, &stats) ? -1 : (int)stats.client_blocks;
}

/* Whether a call that failed left everything as it was in @before. */
static inline bool untouched(struct bufpool *pool,
			     const struct bufpool_stats *before)
{
	struct bufpool_stats after = { .size = sizeof(after) };

	return !trimmed_stats(pool, &after) && same_holdings(&after, before);
}

/* Whether a block of one pool is unknown to the other. */
static inline bool are_apart(struct bufpool *pool, struct bufpool *other)
{
	void *block = bufpool_rent(pool, 1, 0);

	return block && held(pool) == 1 && !held(other) &&
	       block_error(other, block) == -ENOENT &&
	       !bufpool_return(pool, block, 0);
}

/* The next descriptor that open() gives. */
static inline int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static inline int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* Mappings of this process */
static inline int count_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	int c, count = 0;

	while (file && (c = getc(file)) != EOF)
		count += c == '\n';
	if (file)
		fclose(file);
	return count;
}

/* A number of /proc/self/status, in KiB. */
static inline long status_kib(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = atol(line + strlen(name));
	if (file)
		fclose(file);
	return value;
}

/* Address space in KiB; as nothing where something besides takes some */
static inline long space_kib(void)
{
	return SANITIZED || in_valgrind() ? 0 : status_kib("VmSize:");
}

/* Bytes that malloc() has given, where it can tell */
static inline size_t allocated(void)
{
#if defined(__GLIBC__) && !SANITIZED
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}

/* So often: what is lost each time is more than the heap changes otherwise. */
#define MANY_TIMES	64

/* Whether something has been lost each of these times; none is smaller than 32 bytes. */
static inline bool has_lost(size_t before, size_t after)
{
	return after >= before + MANY_TIMES * 32;
}

/* How many blocks the provider has rented to the pool, with what is kept. */
static inline int rented_of(struct bufpool *pool)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	return bufpool_stats(pool, &stats) ? -1 : (int)stats.client_blocks;
}

static inline void *in_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	void *result = NULL;

	if (!pthread_create(&thread, NULL, body, argument))
		pthread_join(thread, &result);
	return result;
}

static inline void *return_job(void *argument)
{
	void **job = argument;

	job[2] = (void *)(intptr_t)bufpool_return(job[0], job[1], 0);
	return job;
}

/* What a thread of its own says of returning @block. */
static inline int return_elsewhere(struct bufpool *pool, void *block)
{
	void *job[3] = { pool, block };

	return in_thread(return_job, job) ? (intptr_t)job[2] : -EIO;
}

/* A thread that does something between two barriers. */
struct idler {
	struct bufpool *pool;
	size_t size;
	void *block;
	pthread_barrier_t barrier;
};

FIXTURE(library)
{
	struct bufpool *pool;
	struct bufpool_info info;
	struct bufpool_stats before;
};

FIXTURE_SETUP(library)
{
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(0, info_of(self->pool, &self->info));
	ASSERT_EQ(0, trimmed_stats(self->pool, &self->before));
}

FIXTURE_TEARDOWN(library)
{
	if (self->pool)
		EXPECT_EQ(0, bufpool_close(self->pool));
}

/* For pools that are opened after this */
static inline int small_limit(void)
{
	return private_chosen() ?
	       setenv("BUFPOOL_PRIVATE_LIMIT", SMALL_LIMIT_TEXT, 1) :
	       limit_write(SMALL_LIMIT);
}

/* The pool holds all that the limit allows, in a few large blocks. */
FIXTURE(exhausted)
{
	struct bufpool *pool;
	size_t size;
	void *block;		/* one of them */
};

FIXTURE_SETUP(exhausted)
{
	struct bufpool_info info;
	void *block;

	ASSERT_EQ(0, small_limit());
	self->pool = bufpool_open(NULL, 0);
	ASSERT_NE(NULL, self->pool);
	ASSERT_EQ(0, info_of(self->pool, &info));
	self->size = largest_within(&info, SMALL_LIMIT / 4);
	while ((block = bufpool_rent(self->pool, self->size,
				     BUFPOOL_RENT_NONBLOCK)))
		self->block = block;
	ASSERT_EQ(EAGAIN, errno);
	ASSERT_NE(NULL, self->block);
}

FIXTURE_TEARDOWN(exhausted)
{
	EXPECT_EQ(0, bufpool_close(self->pool));
	if (!private_chosen())
		limit_restore();
}

#endif /* LIBRARY_TEST_H */
