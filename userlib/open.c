// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "cancel.h"
#include "thread.h"

static int map_reach(struct bufpool *pool, unsigned int shift)
{
	int ret;

	ret = bufpool_window_init(&pool->window, &pool->classes, shift,
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

/*
 * As much of each span as there is address space for. The kernel hands out the
 * blocks at the beginning of a span first. One block of the largest size is the
 * least that is of use.
 */
static int map_window(struct bufpool *pool)
{
	__u64 largest = bufpool_classes_largest(&pool->classes)->block_size;
	unsigned int shift = sizeof(size_t) * CHAR_BIT - 1;
	int ret = -ENOMEM;

	while (pool->classes.span >> shift == 0)
		shift--;
	for (; ret == -ENOMEM && 1ULL << shift >= largest; shift--)
		ret = map_reach(pool, shift);
	return ret;
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
	usable = !pool->is_strict && pool->provider.nr_stacks &&
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

static void unmap_provider(struct bufpool *pool)
{
	if (pool->provider.ops->unmap)
		pool->provider.ops->unmap(&pool->provider);
}

static int set_up(struct bufpool *pool)
{
	struct bufpool_info info;
	int ret;

	ret = pool->provider.ops->info(&pool->provider, &info);
	if (ret)
		return ret;
	ret = bufpool_classes_init(&pool->classes, &pool->provider,
				   info.nr_classes);
	if (ret)
		goto unmap;
	ret = bufpool_forkmark_init(&pool->mark);
	if (ret)
		goto unmap;
	ret = map_window(pool);
	if (ret)
		goto destroy_mark;
	ret = init_kept(pool, &info);
	if (ret)
		goto destroy_map;
	return 0;

destroy_map:
	bufpool_rentals_destroy(&pool->rentals);
	bufpool_window_destroy(&pool->window);
destroy_mark:
	bufpool_forkmark_destroy(&pool->mark);
unmap:
	unmap_provider(pool);
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

struct bufpool *bufpool_fdopen(int fd, unsigned int flags)
{
	struct bufpool_provider provider = { 0 };

	if (flags)
		return bufpool_call_fail(-EINVAL);
	bufpool_provider_kernel_init(&provider, fd);
	return pool_make(&provider);
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
	struct bufpool_provider provider = { 0 };
	int fd = open(device ? device : "/dev/bufpool", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	bufpool_provider_kernel_init(&provider, fd);
	return make_or_close(&provider);
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
	struct bufpool *pool;
	int state;

	if (ret < 0)
		return bufpool_call_fail(ret);
	state = bufpool_cancel_disable();
	pool = ret ? open_private() : open_device(device);
	bufpool_cancel_restore(state);
	return pool;
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
	bufpool_provider_unmap_stacks(&pool->provider);
	bufpool_window_destroy(&pool->window);
	if (pool->provider.shared)
		return_all(pool);
	bufpool_rentals_destroy(&pool->rentals);
	unmap_provider(pool);
}

/*
 * A child does not have the window and the table: something else may be at their
 * addresses.
 */
static void forget_own(struct bufpool *pool)
{
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

	return ret ? ret : pool->provider.fd;
}

const char *bufpool_version(void)
{
	return BUFPOOL_VERSION;
}
