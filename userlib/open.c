// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "cancel.h"
#include "reserve.h"
#include "thread.h"

/* As much of each class is mapped at first as all blocks of one size could be, or this. */
#define FIRST_MAX	((__u64)1 << 30)

/* So much more may the limit be, some day: a power of two */
#define LIMIT_RAISED	16

/* The smallest power of two of at least @bytes, which is not 0, and at most @most */
static __u64 power_within(__u64 bytes, __u64 most)
{
	__u64 power = 1;

	while (power < bytes && power < most)
		power <<= 1;
	return power;
}

static int map_reach(struct bufpool *pool, unsigned int shift, __u64 first)
{
	int ret;

	if (first > 1ULL << shift)
		first = 1ULL << shift;
	ret = bufpool_window_init(&pool->window, &pool->classes, shift, first,
				  &pool->provider);
	if (ret)
		return ret;
	ret = bufpool_rentals_init(&pool->rentals, &pool->window);
	if (ret)
		goto destroy_window;
	return 0;

destroy_window:
	bufpool_window_destroy(&pool->window);
	return ret;
}

static void unmap_reach(struct bufpool *pool)
{
	bufpool_rentals_destroy(&pool->rentals);
	bufpool_window_destroy(&pool->window);
}

/*
 * As much of each span as is in proportion to the limit; or, where there is no address
 * space for that, half of what there is space for. The kernel hands out the blocks at the
 * beginning of a span first. One block of the largest size is the least that is of use.
 */
static int map_window(struct bufpool *pool, __u64 limit)
{
	__u64 largest = pool->classes.sizes[BUFPOOL_BACKING_SLAB].largest;
	__u64 power = power_within(limit > largest ? limit : largest, pool->classes.span);
	__u64 reach = power < pool->classes.span / LIMIT_RAISED ?
		      power * LIMIT_RAISED : pool->classes.span;
	__u64 first = power < FIRST_MAX ? power : FIRST_MAX;
	unsigned int shift = BUFPOOL_SPACE_SHIFT;
	int ret;

	while (reach >> shift == 0)
		shift--;
	ret = map_reach(pool, shift, first);
	if (ret != -ENOMEM)
		return ret;
	while (ret == -ENOMEM && 1ULL << --shift >= largest)
		ret = map_reach(pool, shift, first);
	if (ret || 1ULL << shift <= largest)
		return ret;
	unmap_reach(pool);
	return map_reach(pool, shift - 1, first);
}

/* 0 or -errno: what is kept for the next rent, and whether anything is */
static int init_kept(struct bufpool *pool, const struct bufpool_info *info)
{
	const char *strict = secure_getenv("BUFPOOL_STRICT");
	struct bufpool_caches *caches = &pool->caches;
	bool usable;
	int ret;

	pool->is_strict = strict && strcmp(strict, "1") == 0;
	caches->home = pool;
	caches->rentals = &pool->rentals;
	caches->provider = &pool->provider;
	bufpool_provider_map_stacks(&pool->provider, info);
	bufpool_quarantine_init(&pool->quarantine, &pool->classes);
	bufpool_watch_init(&pool->watch, &pool->rentals);
	usable = !pool->is_strict && !pool->watch.is_on && pool->provider.nr_stacks &&
		 bufpool_threads_prepare();
	ret = bufpool_caches_init(caches, usable);
	if (ret) {
		bufpool_provider_unmap_stacks(&pool->provider);
		return ret;
	}
	pool->depot.caches = caches;
	bufpool_depot_init(&pool->depot);
	return 0;
}

static void map_status(struct bufpool *pool, const struct bufpool_info *info)
{
	if (pool->provider.ops->map_status)
		pool->provider.ops->map_status(&pool->provider, info);
}

static void unmap_status(struct bufpool *pool)
{
	if (pool->provider.ops->unmap_status)
		pool->provider.ops->unmap_status(&pool->provider);
}

static int set_up(struct bufpool *pool)
{
	struct bufpool_info info;
	int ret;

	ret = pool->provider.ops->info(&pool->provider, &info);
	if (ret)
		return ret;
	map_status(pool, &info);
	ret = bufpool_classes_init(&pool->classes, &pool->provider,
				   info.nr_classes);
	if (ret)
		goto unmap;
	ret = bufpool_forkmark_init(&pool->mark);
	if (ret)
		goto unmap;
	ret = map_window(pool, info.limit);
	if (ret)
		goto destroy_mark;
	ret = init_kept(pool, &info);
	if (ret)
		goto destroy_map;
	return 0;

destroy_map:
	unmap_reach(pool);
destroy_mark:
	bufpool_forkmark_destroy(&pool->mark);
unmap:
	unmap_status(pool);
	return ret;
}

/* Return: a pool, which owns the provider now; or NULL, and the caller owns it */
static struct bufpool *pool_make(const struct bufpool_provider *provider)
{
	struct bufpool *pool = calloc(1, sizeof(*pool));
	int ret;

	if (!pool)
		return bufpool_call_fail(-ENOMEM);
	pool->provider = *provider;
	ret = set_up(pool);
	if (ret) {
		free(pool);
		return bufpool_call_fail(ret);
	}
	return pool;
}

/* What has been refused on the way to a pool is no error of the call. */
static struct bufpool *end_open(struct bufpool *pool, int saved)
{
	if (pool)
		errno = saved;
	return pool;
}

struct bufpool *bufpool_fdopen(int fd, unsigned int flags)
{
	struct bufpool_provider provider;
	int saved = errno, ret;

	if (flags)
		return bufpool_call_fail(-EINVAL);
	ret = bufpool_provider_kernel_init(&provider, fd);
	return ret ? bufpool_call_fail(ret) : end_open(pool_make(&provider), saved);
}

/* Make a pool, or close the provider. */
static struct bufpool *make_or_close(struct bufpool_provider *provider)
{
	struct bufpool *pool = pool_make(provider);
	int saved = errno;

	if (!pool) {
		provider->ops->close(provider);
		errno = saved;
	}
	return pool;
}

static struct bufpool *open_device(const char *device)
{
	struct bufpool_provider provider;
	int fd = open(device ? device : "/dev/bufpool", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return NULL;
	ret = bufpool_provider_kernel_init(&provider, fd);
	if (!ret)
		return make_or_close(&provider);
	close(fd);
	return bufpool_call_fail(ret);
}

static struct bufpool *open_private(void)
{
	struct bufpool_provider provider;
	int ret;

	ret = bufpool_provider_private_init(&provider);
	return ret ? bufpool_call_fail(ret) : make_or_close(&provider);
}

/* 1 for a private pool, 0 for the device, or -EINVAL */
static int wants_private(const char *device, unsigned int flags)
{
	const char *name;

	if (flags & ~BUFPOOL_OPEN_PRIVATE || (flags && device))
		return -EINVAL;
	if (flags || device)
		return !!flags;
	name = secure_getenv("BUFPOOL_PROVIDER");
	if (!name || !strcmp(name, "kernel"))
		return 0;
	return strcmp(name, "private") ? -EINVAL : 1;
}

struct bufpool *bufpool_open(const char *device, unsigned int flags)
{
	int ret = wants_private(device, flags);
	int saved = errno, state;
	struct bufpool *pool;

	if (ret < 0)
		return bufpool_call_fail(ret);
	state = bufpool_cancel_disable();
	pool = ret ? open_private() : open_device(device);
	bufpool_cancel_restore(state);
	return end_open(pool, saved);
}

static void return_all(struct bufpool *pool)
{
	struct bufpool_place cursor = { 0 };
	__u64 handles[BUFPOOL_MANY_MAX];
	unsigned int count;

	while ((count = bufpool_rentals_drain(&pool->rentals, &cursor, handles,
					      BUFPOOL_MANY_MAX)))
		bufpool_provider_give(&pool->provider, handles, count);
}

/* Destroy what only the process has that opened the pool. */
static void destroy_own(struct bufpool *pool)
{
	bufpool_threads_part(pool);
	bufpool_watch_destroy(&pool->watch);
	bufpool_provider_unmap_stacks(&pool->provider);
	bufpool_window_destroy(&pool->window);
	if (pool->provider.shared)
		return_all(pool);
	bufpool_rentals_destroy(&pool->rentals);
	unmap_status(pool);
}

/*
 * A child does not have the window and the table: something else may be at their
 * addresses.
 */
static void forget_own(struct bufpool *pool)
{
	bufpool_watch_destroy(&pool->watch);
	bufpool_rentals_forget(&pool->rentals);
	bufpool_caches_forget(&pool->caches);
}

static void pool_destroy(struct bufpool *pool, bool is_child)
{
	if (is_child)
		forget_own(pool);
	else
		destroy_own(pool);
	pool->provider.ops->close(&pool->provider);
	bufpool_forkmark_destroy(&pool->mark);
	free(pool);
}

int bufpool_close(struct bufpool *pool)
{
	int ret = bufpool_pool_check(pool);
	int state;

	if (ret == -EINVAL)
		return ret;
	if (bufpool_thread_enter())
		return -EDEADLK;
	state = bufpool_cancel_disable();
	pool_destroy(pool, ret == -ECHILD);
	bufpool_cancel_restore(state);
	return bufpool_call_end(0);
}

int bufpool_fd(struct bufpool *pool)
{
	int ret = bufpool_pool_check(pool);

	return ret ? ret : pool->provider.file.fd;
}

const char *bufpool_version(void)
{
	return BUFPOOL_VERSION;
}
