// SPDX-License-Identifier: MIT
#include <errno.h>
#include <time.h>

#include "cancel.h"
#include "queue.h"
#include "stack.h"

/* How many blocks pass the first waiter before their memory goes to it. */
#define PATIENCE	64

/* When waiters look again for what threads keep */
#define KEPT_NS		((__s64)50 * 1000 * 1000)

/* As good as no limit, and within a 32-bit time_t: 36 years. */
#define FOREVER_NS	((__s64)1 << 60)

#define NSEC_PER_SEC	1000000000

/* A thread that waits; on its own stack. */
struct bufpool_waiter {
	TAILQ_ENTRY(bufpool_waiter) link;
	pthread_cond_t served;
	unsigned int class;		/* that it waits for */
	struct bufpool_grant grant;	/* (in) class, zero; (out) all */
	unsigned int passed;		/* blocks that went to later waiters */
	int result;			/* -EINPROGRESS until it is out of the queue */
};

void bufpool_queue_init(struct bufpool_queue *queue, struct bufpool_stock *stock,
			struct bufpool_thief *thief)
{
	TAILQ_INIT(&queue->waiters);
	pthread_mutex_init(&queue->lock, NULL);
	pthread_condattr_init(&queue->monotonic);
	pthread_condattr_setclock(&queue->monotonic, CLOCK_MONOTONIC);
	queue->stock = stock;
	queue->thief = thief;
}

static void add_to(__u32 *count, int more)
{
	__atomic_store_n(count, *count + more, __ATOMIC_RELAXED);
}

/* A waiter more, or less, for a class: a block of the next larger ones is as good. */
static void add_waiting(struct bufpool_queue *queue, unsigned int class, int more)
{
	unsigned int end = class + BUFPOOL_STOCK_LARGER + 1;

	add_to(&queue->status.waiting, more);
	for (; class < end && class < queue->stock->memory.nr_classes; class++)
		add_to(&queue->status.waiting_of[class], more);
}

static void waiter_enlist(struct bufpool_queue *queue, struct bufpool_waiter *waiter)
{
	pthread_cond_init(&waiter->served, &queue->monotonic);
	TAILQ_INSERT_TAIL(&queue->waiters, waiter, link);
	add_waiting(queue, waiter->class, 1);
	queue->waits++;
}

static void waiter_leave(struct bufpool_queue *queue, struct bufpool_waiter *waiter,
			 int result)
{
	TAILQ_REMOVE(&queue->waiters, waiter, link);
	add_waiting(queue, waiter->class, -1);
	waiter->result = result;
}

static void waiter_serve(struct bufpool_queue *queue, struct bufpool_waiter *waiter,
			 int result)
{
	waiter_leave(queue, waiter, result);
	pthread_cond_signal(&waiter->served);
}

/* There is room that was not there before: serve waiters while it lasts. */
static void serve(struct bufpool_queue *queue)
{
	struct bufpool_waiter *first;
	int ret;

	while ((first = TAILQ_FIRST(&queue->waiters))) {
		ret = bufpool_stock_take(queue->stock, first->class,
					 first->grant.zero, &first->grant);
		if (ret == -EAGAIN)
			return;
		waiter_serve(queue, first, ret);
	}
}

static struct bufpool_waiter *first_for(const struct bufpool_queue *queue,
					unsigned int class)
{
	struct bufpool_waiter *waiter;

	TAILQ_FOREACH(waiter, &queue->waiters, link) {
		if (waiter->class == class)
			return waiter;
	}
	return NULL;
}

/* Give a block that came back to the first waiter for its size, if there is one. */
static bool hand_over(struct bufpool_queue *queue, const struct bufpool_grant *grant)
{
	struct bufpool_waiter *first = TAILQ_FIRST(&queue->waiters);
	struct bufpool_waiter *waiter = first_for(queue, grant->class);

	if (!waiter)
		return false;
	if (waiter != first && first->passed++ >= PATIENCE)
		return false;
	waiter->grant.index = grant->index;
	bufpool_stock_begin(queue->stock, grant, true);
	waiter_serve(queue, waiter, 0);
	return true;
}

static bool is_pooled(const struct bufpool_stock *stock,
		      const struct bufpool_grant *grant)
{
	return bufpool_stock_block_size(stock, grant->class) <=
	       BUFPOOL_STOCK_MAX_POOLED;
}

void bufpool_queue_return(struct bufpool_queue *queue,
			  const struct bufpool_grant *grant, unsigned int flags)
{
	struct bufpool_stock *stock = queue->stock;

	bufpool_stock_end(stock, grant);
	if (!flags && is_pooled(stock, grant)) {
		if (hand_over(queue, grant))
			return;
		if (bufpool_queue_is_empty(queue)) {
			bufpool_stock_keep(stock, grant);
			return;
		}
	}
	bufpool_stock_cool(stock, grant, flags);
	serve(queue);
}

/* Take up to @most blocks back from a stack. Return: whether there were any */
static bool recall_from(struct bufpool_queue *queue, unsigned int nr,
			unsigned int most)
{
	struct bufpool_stack *stack = bufpool_thief_stack(queue->thief, nr);
	unsigned int class = nr % queue->thief->nr_classes, count, i;
	size_t units = bufpool_stock_block_size(queue->stock, class) / BUFPOOL_STACK_UNIT;
	__u32 entries[BUFPOOL_THIEF_BATCH];

	count = bufpool_thief_take(stack, most, entries);
	for (i = 0; i < count; i++) {
		struct bufpool_grant grant = {
			.class = class,
			.index = entries[i] / units,
		};

		/* A program may write into its stacks what it likes. */
		if (entries[i] % units == 0 &&
		    bufpool_stock_is_rented(queue->stock, &grant))
			bufpool_queue_return(queue, &grant, 0);
	}
	return count;
}

/* For recall_some() */
#define ANY_CLASS	BUFPOOL_CLASSES_MAX

/*
 * Take blocks of a class back from the next stack that has some: half of them, so that its
 * owner goes on. Return: false where no stack has any
 */
static bool recall_some(struct bufpool_queue *queue, unsigned int class)
{
	struct bufpool_thief *thief = queue->thief;
	unsigned int looks, count;

	for (looks = 0; looks < thief->nr_used; looks++) {
		unsigned int nr = thief->used[thief->next++ % thief->nr_used];

		if (class != ANY_CLASS && nr % thief->nr_classes != class)
			continue;
		count = bufpool_stack_count(bufpool_thief_stack(thief, nr));
		if (count && recall_from(queue, nr, (count + 1) / 2))
			return true;
	}
	return false;
}

void bufpool_queue_count_kept(const struct bufpool_queue *queue, __u64 *blocks,
			      __u64 *bytes)
{
	const struct bufpool_thief *thief = queue->thief;
	unsigned int i, nr, count;

	*blocks = 0;
	*bytes = 0;
	for (i = 0; i < thief->nr_used; i++) {
		nr = thief->used[i];
		count = bufpool_stack_count(bufpool_thief_stack(thief, nr));
		*blocks += count;
		*bytes += count * bufpool_stock_block_size(queue->stock,
							   nr % thief->nr_classes);
	}
}

/* Whether all that threads keep would make room for a block of a class. */
static bool would_do(const struct bufpool_queue *queue, unsigned int class)
{
	const struct bufpool_stock *stock = queue->stock;
	__u64 blocks, bytes;

	bufpool_queue_count_kept(queue, &blocks, &bytes);
	return stock->stats.in_use + bufpool_stock_block_size(stock, class) <=
	       stock->stats.limit + bytes;
}

void bufpool_queue_recall(struct bufpool_queue *queue, __u64 min_size)
{
	struct bufpool_thief *thief = queue->thief;
	unsigned int i, nr, left;

	for (i = 0; i < thief->nr_used; i++) {
		nr = thief->used[i];
		if (bufpool_stock_block_size(queue->stock, nr % thief->nr_classes) <
		    min_size)
			continue;
		/* its owner may push meanwhile, without an end */
		left = BUFPOOL_STACK_MAX / BUFPOOL_THIEF_BATCH;
		while (left-- && recall_from(queue, nr, BUFPOOL_THIEF_BATCH))
			;
	}
}

/* Take one that no thread keeps. */
static int take_free(struct bufpool_queue *queue, unsigned int class, bool zero,
		     struct bufpool_grant *grant)
{
	struct bufpool_stock *stock = queue->stock;

	if (bufpool_queue_is_empty(queue))
		return bufpool_stock_take(stock, class, zero, grant);
	if (bufpool_stock_block_size(stock, class) > stock->stats.limit)
		return -EDQUOT;
	/* It helps no waiter, unless one is for this size. */
	if (!first_for(queue, class))
		return bufpool_stock_take_warm(stock, class, zero, grant);
	return -EAGAIN;
}

int bufpool_queue_take(struct bufpool_queue *queue, unsigned int class, bool zero,
		       struct bufpool_grant *grant)
{
	int ret;

	do {
		ret = take_free(queue, class, zero, grant);
		/* for waiters, they do that themselves */
	} while (ret == -EAGAIN && bufpool_queue_is_empty(queue) &&
		 would_do(queue, class) && recall_some(queue, ANY_CLASS));
	return ret;
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

static bool is_earlier(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/*
 * A block of its own class is for a waiter as it is; room is for the first of all, and so
 * is what makes room, but not in vain: threads go on with what they keep.
 */
static bool recall_for(struct bufpool_queue *queue, const struct bufpool_waiter *waiter)
{
	if (recall_some(queue, waiter->class))
		return true;
	return waiter == TAILQ_FIRST(&queue->waiters) && would_do(queue, waiter->class) &&
	       recall_some(queue, ANY_CLASS);
}

static void look_again(struct bufpool_queue *queue, struct bufpool_waiter *waiter)
{
	while (waiter->result == -EINPROGRESS && recall_for(queue, waiter))
		serve(queue);
}

static void sleep_until_served(struct bufpool_queue *queue,
			       struct bufpool_waiter *waiter, __s64 timeout_ns)
{
	bool forever = !timeout_ns || timeout_ns > FOREVER_NS;
	struct timespec deadline = deadline_after(forever ? FOREVER_NS : timeout_ns);
	struct timespec look = deadline_after(KEPT_NS), *next;
	int ret = 0;

	while (waiter->result == -EINPROGRESS) {
		next = is_earlier(&look, &deadline) ? &look : &deadline;
		ret = pthread_cond_timedwait(&waiter->served, &queue->lock, next);
		if (ret != ETIMEDOUT)
			continue;
		if (next == &deadline)
			return;
		look_again(queue, waiter);
		look = deadline_after(KEPT_NS);
	}
}

int bufpool_queue_wait(struct bufpool_queue *queue, unsigned int class, bool zero,
		       __s64 timeout_ns, struct bufpool_grant *grant)
{
	struct bufpool_waiter waiter = {
		.class = class,
		.grant = { .class = class, .zero = zero },
		.result = -EINPROGRESS,
	};
	int state;

	waiter_enlist(queue, &waiter);
	look_again(queue, &waiter);
	/* As the device; and no other thread could take it off the queue. */
	state = bufpool_cancel_disable();
	sleep_until_served(queue, &waiter, timeout_ns);
	bufpool_cancel_restore(state);

	if (waiter.result == -EINPROGRESS) {
		waiter_leave(queue, &waiter, -ETIMEDOUT);
		/* The next one may want less. */
		serve(queue);
	}
	pthread_cond_destroy(&waiter.served);
	*grant = waiter.grant;
	return waiter.result;
}
