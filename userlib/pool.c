// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pool.h"

int bufpool_pool_check(const struct bufpool *pool)
{
	if (!pool)
		return -EINVAL;
	if (bufpool_forkmark_erased(&pool->mark))
		return -ECHILD;
	return 0;
}

static int map_reach(struct bufpool *pool, const struct bufpool_info *info,
		     size_t reach)
{
	int ret;

	ret = bufpool_window_init(&pool->window, info, reach, &pool->provider);
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
static int map(struct bufpool *pool, const struct bufpool_info *info)
{
	size_t largest = (size_t)info->page_size << (info->nr_classes - 1);
	size_t reach = info->span < SIZE_MAX ? info->span : SIZE_MAX;
	int ret = -ENOMEM;

	for (reach -= reach % largest; reach; reach -= reach % largest) {
		ret = map_reach(pool, info, reach);
		if (ret != -ENOMEM)
			break;
		reach /= 2;
	}
	return ret;
}

static int set_up(struct bufpool *pool, int fd)
{
	struct bufpool_info info;
	int ret;

	bufpool_provider_kernel_init(&pool->provider, fd);
	ret = pool->provider.ops->info(&pool->provider, &info);
	if (ret)
		return ret;
	ret = bufpool_forkmark_init(&pool->mark);
	if (ret)
		return ret;
	ret = map(pool, &info);
	if (ret)
		goto destroy_mark;
	return 0;

destroy_mark:
	bufpool_forkmark_destroy(&pool->mark);
	return ret;
}

struct bufpool *bufpool_fdopen(int fd, unsigned int flags)
{
	struct bufpool *pool;
	int ret;

	if (flags) {
		ret = -EINVAL;
		goto fail;
	}
	pool = calloc(1, sizeof(*pool));
	if (!pool) {
		ret = -ENOMEM;
		goto fail;
	}
	ret = set_up(pool, fd);
	if (ret)
		goto free_pool;
	return pool;

free_pool:
	free(pool);
fail:
	errno = -ret;
	return NULL;
}

struct bufpool *bufpool_open(const char *device, unsigned int flags)
{
	struct bufpool *pool;
	int fd, saved;

	fd = open(device ? device : "/dev/bufpool", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	pool = bufpool_fdopen(fd, flags);
	if (!pool)
		goto close_fd;
	return pool;

close_fd:
	saved = errno;
	close(fd);
	errno = saved;
	return NULL;
}

static void return_all(struct bufpool *pool)
{
	const struct bufpool_provider_ops *ops = pool->provider.ops;
	struct bufpool_place cursor = { 0 };
	__u64 handles[BUFPOOL_MANY_MAX];
	unsigned int count, done;
	int ret;

	while ((count = bufpool_rentals_drain(&pool->rentals, &cursor, handles,
					      BUFPOOL_MANY_MAX))) {
		for (done = 0; done < count; done += ret) {
			ret = ops->return_many(&pool->provider, handles + done,
					       count - done, 0);
			/* Returned by somebody else: nothing is left to do. */
			if (ret < 0)
				ret = 1;
		}
	}
}

int bufpool_close(struct bufpool *pool)
{
	int ret = bufpool_pool_check(pool);

	if (ret == -EINVAL)
		return ret;
	if (ret == -ECHILD) {
		/*
		 * The window and the table are not in this process: something
		 * else may be at their addresses.
		 */
		bufpool_rentals_forget(&pool->rentals);
	} else {
		bufpool_window_destroy(&pool->window);
		return_all(pool);
		bufpool_rentals_destroy(&pool->rentals);
	}
	pool->provider.ops->close(&pool->provider);
	bufpool_forkmark_destroy(&pool->mark);
	free(pool);
	return 0;
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
