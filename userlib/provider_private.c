// SPDX-License-Identifier: MIT
/*
 * A pool for this process alone, for machines without the device
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "class.h"
#include "queue.h"
#include "stock.h"
#include "watch.h"

struct bufpool_private {
	struct bufpool_queue queue;	/* its lock is the pool's */
	struct bufpool_stock stock;
	struct bufpool_thief thief;
};

static struct bufpool_queue *lock(struct bufpool_private *private)
{
	pthread_mutex_lock(&private->queue.lock);
	return &private->queue;
}

static void unlock(struct bufpool_queue *queue)
{
	bufpool_queue_update_watchers(queue);
	pthread_mutex_unlock(&queue->lock);
}

static int private_info(struct bufpool_provider *provider,
			struct bufpool_info *info)
{
	const struct bufpool_stock *stock = &provider->private->stock;
	size_t page_size = bufpool_stock_block_size(stock, 0);

	*info = (struct bufpool_info){
		.size = sizeof(*info),
		.abi_version = BUFPOOL_ABI_VERSION,
		.page_size = page_size,
		.nr_classes = stock->memory.nr_classes,
		.max_pooled = BUFPOOL_STOCK_MAX_POOLED,
		.max_rent = BUFPOOL_STOCK_MAX_RENT,
		.max_rent_io = BUFPOOL_STOCK_MAX_RENT_IO,
		.limit = stock->stats.limit,
		.slab_size = page_size,
		.span = stock->memory.span,
		.features = BUFPOOL_FEATURE_STACKS | BUFPOOL_FEATURE_WAITING_OF,
		.nr_stacks = BUFPOOL_SETS_MAX * stock->memory.nr_classes,
	};
	return 0;
}

static int private_describe(struct bufpool_provider *provider,
			    struct bufpool_class_info *class)
{
	const struct bufpool_stock *stock = &provider->private->stock;

	class->backing = bufpool_stock_is_io(stock, class->nr) ?
			 BUFPOOL_BACKING_PAGES : BUFPOOL_BACKING_SLAB;
	class->block_size = bufpool_stock_block_size(stock, class->nr);
	class->offset = bufpool_memory_offset(&stock->memory, class->nr);
	class->span = stock->memory.span;
	class->properties = class->block_size <= BUFPOOL_STOCK_MAX_POOLED ?
			    BUFPOOL_CLASS_POOLED : 0;
	return 0;
}

static int private_map(struct bufpool_provider *provider, void *address,
		       size_t length, __u64 offset)
{
	struct bufpool_memory *memory = &provider->private->stock.memory;

	memory->window = provider->window;
	return bufpool_memory_map(memory, address, length, offset);
}

static int private_map_stacks(struct bufpool_provider *provider, void *address,
			      unsigned int count, const struct bufpool_info *info)
{
	(void)count;
	provider->private->thief = (struct bufpool_thief){
		.pages = address,
		.page_size = info->page_size,
		.nr_classes = info->nr_classes,
	};
	return 0;
}

static int private_open_stack(struct bufpool_provider *provider, unsigned int nr)
{
	struct bufpool_private *private = provider->private;
	struct bufpool_queue *queue = lock(private);
	int ret = bufpool_thief_open(&private->thief, nr);

	unlock(queue);
	return ret;
}

static void count_refusal(struct bufpool_stats *stats, int error)
{
	stats->refused_again += error == -EAGAIN;
	stats->refused_quota += error == -EDQUOT;
	stats->refused_memory += error == -ENOMEM;
	stats->timeouts += error == -ETIMEDOUT;
}

static int rent_locked(struct bufpool_private *private, unsigned int class,
		       unsigned int flags, __s64 timeout_ns,
		       struct bufpool_grant *grants, unsigned int count)
{
	bool zero = flags & BUFPOOL_RENT_ZERO;
	unsigned int done = 1;
	int ret;

	ret = bufpool_queue_take(&private->queue, class, zero, grants);
	if (ret == -EAGAIN && !(flags & BUFPOOL_RENT_NONBLOCK))
		ret = bufpool_queue_wait(&private->queue, class, zero, timeout_ns,
					 grants);
	if (ret) {
		count_refusal(&private->stock.stats, ret);
		return ret;
	}
	while (done < count &&
	       !bufpool_queue_take(&private->queue, class, zero, &grants[done]))
		done++;
	return done;
}

static void describe_grants(const struct bufpool_stock *stock,
			    const struct bufpool_grant *grants,
			    struct bufpool_block *blocks, unsigned int count)
{
	size_t size;

	for (; count; count--, grants++, blocks++) {
		size = bufpool_stock_block_size(stock, grants->class);
		blocks->handle = bufpool_stock_handle(stock, grants);
		blocks->offset = bufpool_memory_offset(&stock->memory,
						       grants->class) +
				 grants->index * size;
		blocks->length = size;
	}
}

/* Without the lock: no other thread has these blocks. */
static void zero_grants(const struct bufpool_stock *stock,
			const struct bufpool_grant *grants, unsigned int count)
{
	size_t size;
	void *block;

	for (; count; count--, grants++) {
		if (!grants->zero)
			continue;
		block = bufpool_memory_address(&stock->memory, grants->class,
					       grants->index);
		size = bufpool_stock_block_size(stock, grants->class);
		bufpool_watch_allow(block, size);
		memset(block, 0, size);
	}
}

static int private_rent_many(struct bufpool_provider *provider, size_t min_size,
			     unsigned int flags, __s64 timeout_ns,
			     struct bufpool_block *blocks, unsigned int count)
{
	struct bufpool_private *private = provider->private;
	struct bufpool_stock *stock = &private->stock;
	struct bufpool_grant grants[BUFPOOL_MANY_MAX];
	struct bufpool_queue *queue;
	int ret;

	if (flags & ~(BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK | BUFPOOL_RENT_IO) ||
	    !min_size || timeout_ns < 0 || !count || count > BUFPOOL_MANY_MAX)
		return -EINVAL;
	ret = bufpool_stock_class_for(stock, min_size, flags & BUFPOOL_RENT_IO);
	if (ret < 0)
		return ret;

	queue = lock(private);
	ret = rent_locked(private, ret, flags, timeout_ns, grants, count);
	if (ret > 0)
		describe_grants(stock, grants, blocks, ret);
	unlock(queue);
	if (ret > 0)
		zero_grants(stock, grants, ret);
	return ret;
}

static int give_back(struct bufpool_private *private, __u64 handle,
		     unsigned int flags)
{
	struct bufpool_grant grant;
	int ret = bufpool_stock_find(&private->stock, handle, &grant);

	if (!ret)
		bufpool_queue_return(&private->queue, &grant, flags);
	return ret;
}

static int private_return_many(struct bufpool_provider *provider,
			       const __u64 *handles, unsigned int count,
			       unsigned int flags)
{
	struct bufpool_private *private = provider->private;
	struct bufpool_queue *queue;
	unsigned int done;
	int ret = 0;

	if (flags & ~(BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE) || !count ||
	    count > BUFPOOL_MANY_MAX)
		return -EINVAL;

	queue = lock(private);
	for (done = 0; done < count; done++) {
		ret = give_back(private, handles[done], flags);
		if (ret)
			break;
	}
	unlock(queue);
	return done ? (int)done : ret;
}

static int private_trim(struct bufpool_provider *provider, __u64 min_size,
			__u64 *trimmed)
{
	struct bufpool_private *private = provider->private;
	struct bufpool_queue *queue = lock(private);

	bufpool_queue_recall(queue, min_size);
	*trimmed = bufpool_stock_trim(&private->stock, min_size);
	unlock(queue);
	return 0;
}

static int private_cancel(struct bufpool_provider *provider, bool is_cancelled,
			  bool is_free)
{
	struct bufpool_private *private = provider->private;
	struct bufpool_queue *queue;

	bufpool_queue_set_cancelled(&private->queue, is_cancelled);
	if (is_free) {
		queue = lock(private);
		bufpool_queue_wake_cancelled(queue);
		unlock(queue);
	}
	return 0;
}

static int private_poller(struct bufpool_provider *provider,
			  const struct bufpool_class *class, unsigned int flags)
{
	struct bufpool_queue *queue = lock(provider->private);
	int ret = bufpool_queue_watch(queue, class->nr);

	(void)flags;
	unlock(queue);
	return ret;
}

/* The pool has one client, and its user no other pool. */
static int private_stats(struct bufpool_provider *provider,
			 struct bufpool_stats *stats)
{
	struct bufpool_private *private = provider->private;
	struct bufpool_queue *queue = lock(private);

	*stats = private->stock.stats;
	stats->client_warm_blocks = bufpool_stock_count_warm(&private->stock);
	stats->waiting = private->queue.status.waiting;
	stats->waits = private->queue.waits;
	bufpool_queue_count_kept(&private->queue, &stats->client_kept_blocks,
				 &stats->client_kept_bytes);
	stats->kept = stats->client_kept_bytes;
	unlock(queue);

	stats->size = sizeof(*stats);
	stats->client_rents = stats->rents;
	stats->client_returns = stats->returns;
	stats->client_bytes = stats->in_use;
	stats->client_ceiling = ~0ULL;
	stats->client_warm_bytes = stats->warm;
	stats->client_refused_again = stats->refused_again;
	stats->client_refused_quota = stats->refused_quota;
	stats->client_refused_memory = stats->refused_memory;
	stats->client_timeouts = stats->timeouts;
	stats->user_held = stats->in_use + stats->warm;
	stats->user_quota = ~0ULL;
	stats->clients = 1;
	stats->pinned = stats->user_held;
	return 0;
}

static void private_close(struct bufpool_provider *provider)
{
	struct bufpool_private *private = provider->private;

	bufpool_queue_destroy(&private->queue);
	bufpool_thief_destroy(&private->thief);
	bufpool_stock_destroy(&private->stock);
	/* In a child the lock is as some thread of the parent had it. */
	free(private);
}

static const struct bufpool_provider_ops private_ops = {
	.info = private_info,
	.describe = private_describe,
	.map = private_map,
	.map_stacks = private_map_stacks,
	.open_stack = private_open_stack,
	.rent_many = private_rent_many,
	.return_many = private_return_many,
	.cancel = private_cancel,
	.poller = private_poller,
	.trim = private_trim,
	.stats = private_stats,
	.close = private_close,
};

static int parse_bytes(const char *text, __u64 *bytes)
{
	static const char units[] = "KMG";
	const char *unit;
	int saved = errno;
	char *end;

	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9')
		return -EINVAL;
	errno = saved;
	if (!*end)
		return 0;
	unit = strchr(units, *end);
	if (!unit || end[1] ||
	    __builtin_mul_overflow(*bytes, 1024ULL << 10 * (unit - units), bytes))
		return -EINVAL;
	return 0;
}

/* An eighth of the memory, as the module has it, unless the environment says. */
static int choose_limit(__u64 *limit)
{
	const char *text = secure_getenv("BUFPOOL_PRIVATE_LIMIT");
	__u64 page_size = sysconf(_SC_PAGESIZE);
	__u64 most = page_size << BUFPOOL_HANDLE_INDEX_BITS;
	int ret;

	*limit = sysconf(_SC_PHYS_PAGES) / 8 * page_size;
	if (text) {
		ret = parse_bytes(text, limit);
		if (ret)
			return ret;
		if (*limit < page_size)
			return -EINVAL;
	}
	if (*limit > most)
		*limit = most;
	return 0;
}

static int set_up(struct bufpool_private *private)
{
	__u64 limit;
	int ret;

	ret = choose_limit(&limit);
	if (ret)
		return ret;
	bufpool_queue_init(&private->queue, &private->stock, &private->thief);
	return bufpool_stock_init(&private->stock, limit);
}

int bufpool_provider_private_init(struct bufpool_provider *provider)
{
	struct bufpool_private *private = calloc(1, sizeof(*private));
	int ret;

	if (!private)
		return -ENOMEM;
	ret = set_up(private);
	if (ret) {
		free(private);
		return ret;
	}
	*provider = (struct bufpool_provider){
		.ops = &private_ops,
		.file.fd = -ENOTTY,
		.status = &private->queue.status,
		.waiting_by_class = true,
		.private = private,
	};
	return 0;
}
