// SPDX-License-Identifier: MIT
/*
 * A pool for this process alone, for machines without the device
 *
 * A block is rented, *warm* (free, with what was in it) or *cold* (free, without
 * memory), or its number is higher than any that was rented. The pool holds the
 * memory of what is rented and warm, and no more than its limit. In
 * each kind the lowest number goes first, so that all shown blocks lie together.
 *
 * Who waits is in one queue, in order of arrival. A block that comes back goes to
 * the first who waits for its size, the room for another one to the first of all.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "cancel.h"
#include "longer.h"
#include "memory.h"
#include "provider.h"

#define MAX_RENT	((size_t)4 << 20)
#define MAX_POOLED	((size_t)1 << 20)
#define INDEX_BITS	27
#define GENERATION_BITS	32

/* How many larger sizes may serve instead. */
#define LARGER_CLASSES	2

/* Warm bytes that are kept, but for small limits. */
#define IDLE_BYTES	((__u64)64 << 20)

/* How many blocks go to others before their memory goes to who waits longest. */
#define PATIENCE	64

/* As good as no limit, and within a 32-bit time_t: 36 years. */
#define FOREVER_NS	((__s64)1 << 60)

#define NSEC_PER_SEC	1000000000

/* One block, from its first rental on */
struct block {
	__u32 generation;	/* of the last rental; they begin with 1 */
	bool rented;
};

struct class {
	struct block *blocks;
	size_t nr_blocks;	/* those that have been rented */
	size_t room;		/* entries in @blocks */
	struct bufpool_indexset warm;
	struct bufpool_indexset cold;
};

/* A block that was found for somebody. */
struct grant {
	unsigned int class;
	size_t index;
	bool zero;		/* it must be overwritten with zeroes */
};

/* A thread that waits; on its own stack. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	pthread_cond_t served;
	struct grant grant;	/* (in) class, zero; (out) all */
	unsigned int passed;	/* blocks that went to who came later */
	int result;		/* -EINPROGRESS until it is out of the queue */
};

TAILQ_HEAD(waiters, waiter);

struct bufpool_private {
	/* written under @lock, read at any time */
	struct bufpool_status status __attribute__((aligned(8)));

	pthread_mutex_t lock;		/* of everything below */
	pthread_condattr_t monotonic;
	struct bufpool_memory memory;
	struct class classes[BUFPOOL_MEMORY_CLASSES];
	struct waiters waiters;
	struct bufpool_stats stats;
};

/* Handles -------------------------------------------------------------------- */

static __u64 handle_of(struct bufpool_private *private,
		       const struct grant *grant)
{
	__u64 place = (__u64)grant->class << INDEX_BITS | grant->index;
	struct block *block = &private->classes[grant->class].blocks[grant->index];

	return place << GENERATION_BITS | block->generation;
}

/* 0, -ENOENT or -ESTALE */
static int find(struct bufpool_private *private, __u64 handle,
		struct grant *grant)
{
	__u64 place = handle >> GENERATION_BITS;
	__u32 generation = handle;
	struct block *block;

	grant->class = place >> INDEX_BITS;
	grant->index = place & ((1UL << INDEX_BITS) - 1);
	if (grant->class >= private->memory.nr_classes ||
	    grant->index >= private->classes[grant->class].nr_blocks)
		return -ENOENT;
	block = &private->classes[grant->class].blocks[grant->index];
	if (!generation || generation > block->generation)
		return -ENOENT;
	return block->rented && generation == block->generation ? 0 : -ESTALE;
}

/* Finding a block -------------------------------------------------------------- */

static size_t size_of(const struct bufpool_private *private, unsigned int class)
{
	return bufpool_memory_block_size(&private->memory, class);
}

static unsigned int class_for(const struct bufpool_private *private, size_t size)
{
	unsigned int class = 0;

	while (size_of(private, class) < size)
		class++;
	return class;
}

static __u64 held(const struct bufpool_private *private)
{
	return private->stats.in_use + private->stats.warm;
}

/* The block is in no set any more. */
static void begin_rental(struct bufpool_private *private,
			 const struct grant *grant, bool warm)
{
	struct block *block = &private->classes[grant->class].blocks[grant->index];
	struct bufpool_stats *stats = &private->stats;

	stats->rents++;
	stats->reused += block->generation > 0;
	stats->client_warm_rents += warm;
	stats->client_blocks++;
	stats->in_use += size_of(private, grant->class);
	/* After 2^32 rentals, what was stale long ago is no more known. */
	if (!++block->generation)
		block->generation = 1;
	block->rented = true;
}

static void end_rental(struct bufpool_private *private, const struct grant *grant)
{
	private->classes[grant->class].blocks[grant->index].rented = false;
	private->stats.returns++;
	private->stats.client_blocks--;
	private->stats.in_use -= size_of(private, grant->class);
}

static void add_warm(struct bufpool_private *private, const struct grant *grant)
{
	bufpool_indexset_add(&private->classes[grant->class].warm, grant->index);
	private->stats.warm += size_of(private, grant->class);
}

static void remove_warm(struct bufpool_private *private, unsigned int class,
			size_t index)
{
	bufpool_indexset_remove(&private->classes[class].warm, index);
	private->stats.warm -= size_of(private, class);
}

static int take_warm(struct bufpool_private *private, unsigned int class,
		     bool zero, struct grant *grant)
{
	struct bufpool_indexset *warm = &private->classes[class].warm;

	if (!warm->count)
		return -EAGAIN;
	*grant = (struct grant){ class, bufpool_indexset_lowest(warm), zero };
	remove_warm(private, class, grant->index);
	begin_rental(private, grant, true);
	return 0;
}

/* Everything that a block more will ever need. */
static int reserve(struct class *class, size_t end)
{
	struct block *blocks, *old = class->blocks;
	size_t room = class->room ? class->room : 64;

	if (bufpool_indexset_reserve(&class->warm, end) ||
	    bufpool_indexset_reserve(&class->cold, end))
		return -ENOMEM;
	if (end <= class->room)
		return 0;
	while (room < end)
		room *= 2;
	blocks = bufpool_longer(old, class->room * sizeof(*blocks),
				room * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	class->blocks = blocks;
	class->room = room;
	bufpool_free_shorter(old);
	return 0;
}

static int take_new(struct bufpool_private *private, struct grant *grant)
{
	struct class *class = &private->classes[grant->class];

	grant->index = class->nr_blocks;
	if (reserve(class, grant->index + 1) ||
	    bufpool_memory_show(&private->memory, grant->class, grant->index))
		return -ENOMEM;
	class->nr_blocks++;
	return 0;
}

static int take_cold(struct bufpool_private *private, struct grant *grant)
{
	struct bufpool_indexset *cold = &private->classes[grant->class].cold;

	grant->index = bufpool_indexset_lowest(cold);
	/* Somebody may have touched it, after it was given back. */
	grant->zero = bufpool_memory_is_shown(&private->memory, grant->class,
					      grant->index);
	if (!grant->zero && bufpool_memory_show(&private->memory, grant->class,
						grant->index))
		return -ENOMEM;
	bufpool_indexset_remove(cold, grant->index);
	return 0;
}

/* A block that is not warm, within the limit. */
static int grow(struct bufpool_private *private, unsigned int class,
		struct grant *grant)
{
	size_t size = size_of(private, class);
	int ret;

	if (held(private) + size > private->stats.limit)
		return -EAGAIN;
	*grant = (struct grant){ .class = class };
	if (private->classes[class].cold.count)
		ret = take_cold(private, grant);
	else
		ret = take_new(private, grant);
	if (!ret)
		begin_rental(private, grant, false);
	return ret;
}

/* Warm or rented blocks become cold; they are in no set. */
static void cool(struct bufpool_private *private, const struct bufpool_run *run,
		 bool must)
{
	size_t i;

	bufpool_memory_discard(&private->memory, run, must);
	for (i = 0; i < run->count; i++)
		bufpool_indexset_add(&private->classes[run->class].cold,
				     run->first + i);
}

static void cool_highest(struct bufpool_private *private, unsigned int class)
{
	struct bufpool_run run = { .class = class, .count = 1 };

	run.first = bufpool_indexset_highest(&private->classes[class].warm);
	remove_warm(private, class, run.first);
	cool(private, &run, false);
}

static unsigned int warmest_class(const struct bufpool_private *private)
{
	unsigned int class, warmest = 0;
	__u64 bytes, most = 0;

	for (class = 0; class < private->memory.nr_classes; class++) {
		bytes = (__u64)private->classes[class].warm.count *
			size_of(private, class);
		if (bytes > most) {
			most = bytes;
			warmest = class;
		}
	}
	return warmest;
}

/* Give up warm blocks for @size bytes more, if that suffices. */
static bool make_room(struct bufpool_private *private, size_t size)
{
	struct bufpool_stats *stats = &private->stats;

	if (stats->in_use + size > stats->limit)
		return false;
	while (held(private) + size > stats->limit) {
		cool_highest(private, warmest_class(private));
		stats->steals++;
	}
	return true;
}

/* 0, -EAGAIN, -EDQUOT or -ENOMEM */
static int take(struct bufpool_private *private, unsigned int class, bool zero,
		struct grant *grant)
{
	size_t size = size_of(private, class);
	unsigned int larger;
	int ret;

	if (size > private->stats.limit)
		return -EDQUOT;
	ret = take_warm(private, class, zero, grant);
	if (ret == -EAGAIN)
		ret = grow(private, class, grant);
	for (larger = class + 1;
	     ret == -EAGAIN && larger < private->memory.nr_classes &&
	     larger <= class + LARGER_CLASSES; larger++)
		ret = take_warm(private, larger, zero, grant);
	if (ret == -EAGAIN && make_room(private, size))
		ret = grow(private, class, grant);
	return ret;
}

/* Waiting ---------------------------------------------------------------------- */

static void set_waiting(struct bufpool_private *private, int more)
{
	private->stats.waiting += more;
	__atomic_store_n(&private->status.waiting, private->stats.waiting,
			 __ATOMIC_RELAXED);
}

static void leave(struct bufpool_private *private, struct waiter *waiter,
		  int result)
{
	TAILQ_REMOVE(&private->waiters, waiter, link);
	set_waiting(private, -1);
	waiter->result = result;
}

static void serve(struct bufpool_private *private, struct waiter *waiter,
		  int result)
{
	leave(private, waiter, result);
	pthread_cond_signal(&waiter->served);
}

/* There is room that was not there before. */
static void serve_first(struct bufpool_private *private)
{
	struct waiter *first;
	int ret;

	while ((first = TAILQ_FIRST(&private->waiters))) {
		ret = take(private, first->grant.class, first->grant.zero,
			   &first->grant);
		if (ret == -EAGAIN)
			return;
		serve(private, first, ret);
	}
}

static struct waiter *first_for(struct bufpool_private *private,
				unsigned int class)
{
	struct waiter *waiter;

	TAILQ_FOREACH(waiter, &private->waiters, link) {
		if (waiter->grant.class == class)
			return waiter;
	}
	return NULL;
}

/* Give a block that came back to who waits for its size. */
static bool hand_over(struct bufpool_private *private,
		      const struct grant *grant)
{
	struct waiter *first = TAILQ_FIRST(&private->waiters);
	struct waiter *waiter = first_for(private, grant->class);

	if (!waiter)
		return false;
	if (waiter != first && first->passed++ >= PATIENCE)
		return false;
	waiter->grant.index = grant->index;
	begin_rental(private, grant, true);
	serve(private, waiter, 0);
	return true;
}

static struct timespec deadline_after(__s64 timeout_ns)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ns / NSEC_PER_SEC;
	at.tv_nsec += timeout_ns % NSEC_PER_SEC;
	if (at.tv_nsec >= NSEC_PER_SEC) {
		at.tv_sec++;
		at.tv_nsec -= NSEC_PER_SEC;
	}
	return at;
}

static void sleep_until_served(struct bufpool_private *private,
			       struct waiter *waiter, __s64 timeout_ns)
{
	bool forever = !timeout_ns || timeout_ns > FOREVER_NS;
	struct timespec deadline = deadline_after(forever ? 0 : timeout_ns);
	int ret = 0;

	while (waiter->result == -EINPROGRESS && ret != ETIMEDOUT) {
		if (forever)
			pthread_cond_wait(&waiter->served, &private->lock);
		else
			ret = pthread_cond_timedwait(&waiter->served,
						     &private->lock, &deadline);
	}
}

static int wait_for(struct bufpool_private *private, unsigned int class,
		    bool zero, __s64 timeout_ns, struct grant *grant)
{
	struct waiter waiter = {
		.grant = { .class = class, .zero = zero },
		.result = -EINPROGRESS,
	};
	int state;

	pthread_cond_init(&waiter.served, &private->monotonic);
	TAILQ_INSERT_TAIL(&private->waiters, &waiter, link);
	set_waiting(private, 1);
	private->stats.waits++;

	/* As the device, and nobody else could take it off the queue. */
	state = bufpool_cancel_disable();
	sleep_until_served(private, &waiter, timeout_ns);
	bufpool_cancel_restore(state);

	if (waiter.result == -EINPROGRESS) {
		leave(private, &waiter, -ETIMEDOUT);
		/* The next one may want less. */
		serve_first(private);
	}
	pthread_cond_destroy(&waiter.served);
	*grant = waiter.grant;
	return waiter.result;
}

/* The operations ----------------------------------------------------------------- */

static int private_info(struct bufpool_provider *provider,
			struct bufpool_info *info)
{
	struct bufpool_private *private = provider->private;
	size_t page_size = size_of(private, 0);

	*info = (struct bufpool_info){
		.size = sizeof(*info),
		.abi_version = BUFPOOL_ABI_VERSION,
		.page_size = page_size,
		.nr_classes = private->memory.nr_classes,
		.max_pooled = MAX_POOLED,
		.max_rent = MAX_RENT,
		.limit = private->stats.limit,
		.slab_size = page_size,
		.span = private->memory.span,
	};
	return 0;
}

static int private_map(struct bufpool_provider *provider, void *address,
		       size_t length, __u64 offset)
{
	return bufpool_memory_map(&provider->private->memory, address, length,
				  offset);
}

/* Take one, in its turn. */
static int take_in_turn(struct bufpool_private *private, unsigned int class,
			bool zero, struct grant *grant)
{
	if (TAILQ_EMPTY(&private->waiters))
		return take(private, class, zero, grant);
	if (size_of(private, class) > private->stats.limit)
		return -EDQUOT;
	/* It helps nobody who waits, unless that is for this size. */
	if (!first_for(private, class))
		return take_warm(private, class, zero, grant);
	return -EAGAIN;
}

static int rent_locked(struct bufpool_private *private, unsigned int class,
		       unsigned int flags, __s64 timeout_ns,
		       struct grant *grants, unsigned int count)
{
	bool zero = flags & BUFPOOL_RENT_ZERO;
	unsigned int done = 1;
	int ret;

	ret = take_in_turn(private, class, zero, grants);
	if (ret == -EAGAIN && !(flags & BUFPOOL_RENT_NONBLOCK))
		ret = wait_for(private, class, zero, timeout_ns, grants);
	if (ret)
		return ret;
	while (done < count &&
	       !take_in_turn(private, class, zero, &grants[done]))
		done++;
	return done;
}

static void describe(struct bufpool_private *private, const struct grant *grants,
		     struct bufpool_block *blocks, unsigned int count)
{
	size_t size;

	for (; count; count--, grants++, blocks++) {
		size = size_of(private, grants->class);
		blocks->handle = handle_of(private, grants);
		blocks->offset = grants->class * private->memory.span +
				 grants->index * size;
		blocks->length = size;
	}
}

/* Without the lock: nobody else has these blocks. */
static void zero_grants(const struct bufpool_private *private,
			const struct grant *grants, unsigned int count)
{
	for (; count; count--, grants++) {
		if (grants->zero)
			memset(bufpool_memory_address(&private->memory,
						      grants->class,
						      grants->index),
			       0, size_of(private, grants->class));
	}
}

static int private_rent_many(struct bufpool_provider *provider, size_t min_size,
			     unsigned int flags, __s64 timeout_ns,
			     struct bufpool_block *blocks, unsigned int count)
{
	struct bufpool_private *private = provider->private;
	struct grant grants[BUFPOOL_MANY_MAX];
	int ret;

	if (flags & ~(BUFPOOL_RENT_ZERO | BUFPOOL_RENT_NONBLOCK) || !min_size ||
	    timeout_ns < 0 || !count || count > BUFPOOL_MANY_MAX)
		return -EINVAL;
	if (min_size > MAX_RENT)
		return -EMSGSIZE;

	pthread_mutex_lock(&private->lock);
	ret = rent_locked(private, class_for(private, min_size), flags,
			  timeout_ns, grants, count);
	if (ret > 0)
		describe(private, grants, blocks, ret);
	pthread_mutex_unlock(&private->lock);
	if (ret > 0)
		zero_grants(private, grants, ret);
	return ret;
}

static __u64 idle_bytes(const struct bufpool_private *private)
{
	__u64 quarter = private->stats.limit / 4;

	return quarter < IDLE_BYTES ? quarter : IDLE_BYTES;
}

static int give_back(struct bufpool_private *private, __u64 handle,
		     unsigned int flags)
{
	struct bufpool_run run = { .count = 1 };
	struct grant grant;
	int ret;

	ret = find(private, handle, &grant);
	if (ret)
		return ret;
	end_rental(private, &grant);
	if (!flags && size_of(private, grant.class) <= MAX_POOLED) {
		if (hand_over(private, &grant))
			return 0;
		if (TAILQ_EMPTY(&private->waiters)) {
			add_warm(private, &grant);
			if (private->stats.warm > idle_bytes(private))
				cool_highest(private, grant.class);
			return 0;
		}
	}
	run.class = grant.class;
	run.first = grant.index;
	cool(private, &run, flags);
	serve_first(private);
	return 0;
}

static int private_return_many(struct bufpool_provider *provider,
			       const __u64 *handles, unsigned int count,
			       unsigned int flags)
{
	struct bufpool_private *private = provider->private;
	unsigned int done;
	int ret = 0;

	if (flags & ~(BUFPOOL_RETURN_CLEAR | BUFPOOL_RETURN_REVOKE) || !count ||
	    count > BUFPOOL_MANY_MAX)
		return -EINVAL;

	pthread_mutex_lock(&private->lock);
	for (done = 0; done < count; done++) {
		ret = give_back(private, handles[done], flags);
		if (ret)
			break;
	}
	pthread_mutex_unlock(&private->lock);
	return done ? (int)done : ret;
}

/* All warm blocks of one class, in runs; how many bytes. */
static __u64 cool_class(struct bufpool_private *private, unsigned int class)
{
	struct bufpool_indexset *warm = &private->classes[class].warm;
	struct bufpool_run run = { .class = class };
	__u64 before = private->stats.warm;

	while (warm->count) {
		run.first = bufpool_indexset_lowest(warm);
		for (run.count = 0;
		     bufpool_indexset_has(warm, run.first + run.count);
		     run.count++)
			remove_warm(private, class, run.first + run.count);
		cool(private, &run, false);
	}
	return before - private->stats.warm;
}

static int private_trim(struct bufpool_provider *provider, __u64 min_size,
			__u64 *trimmed)
{
	struct bufpool_private *private = provider->private;
	unsigned int class;

	*trimmed = 0;
	pthread_mutex_lock(&private->lock);
	for (class = 0; class < private->memory.nr_classes; class++) {
		if (size_of(private, class) >= min_size)
			*trimmed += cool_class(private, class);
	}
	pthread_mutex_unlock(&private->lock);
	return 0;
}

static __u64 count_warm(const struct bufpool_private *private)
{
	unsigned int class;
	__u64 count = 0;

	for (class = 0; class < private->memory.nr_classes; class++)
		count += private->classes[class].warm.count;
	return count;
}

/* The pool has one client, and its user no other pool. */
static int private_stats(struct bufpool_provider *provider,
			 struct bufpool_stats *stats)
{
	struct bufpool_private *private = provider->private;

	pthread_mutex_lock(&private->lock);
	*stats = private->stats;
	stats->client_warm_blocks = count_warm(private);
	pthread_mutex_unlock(&private->lock);

	stats->size = sizeof(*stats);
	stats->client_rents = stats->rents;
	stats->client_returns = stats->returns;
	stats->client_bytes = stats->in_use;
	stats->client_ceiling = ~0ULL;
	stats->client_warm_bytes = stats->warm;
	stats->user_held = stats->in_use + stats->warm;
	stats->user_quota = ~0ULL;
	stats->clients = 1;
	stats->pinned = stats->user_held;
	return 0;
}

static void private_close(struct bufpool_provider *provider)
{
	struct bufpool_private *private = provider->private;
	unsigned int class;

	for (class = 0; class < private->memory.nr_classes; class++) {
		bufpool_indexset_destroy(&private->classes[class].warm);
		bufpool_indexset_destroy(&private->classes[class].cold);
		free(private->classes[class].blocks);
	}
	bufpool_memory_destroy(&private->memory);
	/* In a child the lock is as some thread of the parent had it. */
	free(private);
}

static const struct bufpool_provider_ops private_ops = {
	.info = private_info,
	.map = private_map,
	.rent_many = private_rent_many,
	.return_many = private_return_many,
	.trim = private_trim,
	.stats = private_stats,
	.close = private_close,
};

/* Making one ----------------------------------------------------------------------- */

static int parse_bytes(const char *text, __u64 *bytes)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9')
		return -EINVAL;
	if (!*end)
		return 0;
	unit = strchr(units, *end);
	if (!unit || end[1] ||
	    __builtin_mul_overflow(*bytes, 1024ULL << 10 * (unit - units), bytes))
		return -EINVAL;
	return 0;
}

/* An eighth of the memory, as the module has it, unless the environment says. */
static int choose_limit(struct bufpool_private *private)
{
	const char *text = secure_getenv("BUFPOOL_PRIVATE_LIMIT");
	__u64 page_size = size_of(private, 0);
	__u64 most = page_size << INDEX_BITS;
	__u64 limit = sysconf(_SC_PHYS_PAGES) / 8 * page_size;
	int ret;

	if (text) {
		ret = parse_bytes(text, &limit);
		if (ret)
			return ret;
		if (limit < page_size)
			return -EINVAL;
	}
	private->stats.limit = limit < most ? limit : most;
	return 0;
}

/* What the limit allows is within a span, since the lowest numbers go first. */
static void choose_layout(struct bufpool_private *private)
{
	struct bufpool_memory *memory = &private->memory;

	memory->nr_classes = class_for(private, MAX_RENT) + 1;
	memory->span = MAX_RENT;
	while (memory->span < private->stats.limit)
		memory->span *= 2;
}

static int set_up(struct bufpool_private *private)
{
	int ret;

	private->memory.page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	ret = choose_limit(private);
	if (ret)
		return ret;
	choose_layout(private);
	TAILQ_INIT(&private->waiters);
	pthread_mutex_init(&private->lock, NULL);
	pthread_condattr_init(&private->monotonic);
	pthread_condattr_setclock(&private->monotonic, CLOCK_MONOTONIC);
	return bufpool_memory_init(&private->memory);
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
		.fd = -ENOTTY,
		.status = &private->status,
		.private = private,
	};
	return 0;
}
