// SPDX-License-Identifier: MIT
#include <errno.h>
#include <time.h>

#include "cancel.h"
#include "queue.h"

/* How many blocks pass the first waiter before their memory goes to it. */
#define PATIENCE	64

/* As good as no limit, and within a 32-bit time_t: 36 years. */
#define FOREVER_NS	((__s64)1 << 60)

#define NSEC_PER_SEC	1000000000

/* A thread that waits; on its own stack. */
struct bufpool_waiter {
	TAILQ_ENTRY(bufpool_waiter) link;
	pthread_cond_t served;
	struct bufpool_grant grant;	/* (in) class, zero; (out) all */
	unsigned int passed;		/* blocks that went to later waiters */
	int result;			/* -EINPROGRESS until it is out of the queue */
};

void bufpool_queue_init(struct bufpool_queue *queue, struct bufpool_stock *stock)
{
	TAILQ_INIT(&queue->waiters);
	pthread_mutex_init(&queue->lock, NULL);
	pthread_condattr_init(&queue->monotonic);
	pthread_condattr_setclock(&queue->monotonic, CLOCK_MONOTONIC);
	queue->stock = stock;
}

static void add_waiting(struct bufpool_queue *queue, int more)
{
	__atomic_store_n(&queue->status.waiting, queue->status.waiting + more,
			 __ATOMIC_RELAXED);
}

static void waiter_enlist(struct bufpool_queue *queue, struct bufpool_waiter *waiter)
{
	pthread_cond_init(&waiter->served, &queue->monotonic);
	TAILQ_INSERT_TAIL(&queue->waiters, waiter, link);
	add_waiting(queue, 1);
	queue->waits++;
}

static void waiter_leave(struct bufpool_queue *queue, struct bufpool_waiter *waiter,
			 int result)
{
	TAILQ_REMOVE(&queue->waiters, waiter, link);
	add_waiting(queue, -1);
	waiter->result = result;
}

static void waiter_serve(struct bufpool_queue *queue, struct bufpool_waiter *waiter,
			 int result)
{
	waiter_leave(queue, waiter, result);
	pthread_cond_signal(&waiter->served);
}

void bufpool_queue_serve(struct bufpool_queue *queue)
{
	struct bufpool_waiter *first;
	int ret;

	while ((first = TAILQ_FIRST(&queue->waiters))) {
		ret = bufpool_stock_take(queue->stock, first->grant.class,
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
		if (waiter->grant.class == class)
			return waiter;
	}
	return NULL;
}

bool bufpool_queue_has(const struct bufpool_queue *queue, unsigned int class)
{
	return first_for(queue, class);
}

bool bufpool_queue_hand_over(struct bufpool_queue *queue,
			     const struct bufpool_grant *grant)
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

static void sleep_until_served(struct bufpool_queue *queue,
			       struct bufpool_waiter *waiter, __s64 timeout_ns)
{
	bool forever = !timeout_ns || timeout_ns > FOREVER_NS;
	struct timespec deadline = deadline_after(forever ? 0 : timeout_ns);
	int ret = 0;

	while (waiter->result == -EINPROGRESS && ret != ETIMEDOUT) {
		if (forever)
			pthread_cond_wait(&waiter->served, &queue->lock);
		else
			ret = pthread_cond_timedwait(&waiter->served,
						     &queue->lock, &deadline);
	}
}

int bufpool_queue_wait(struct bufpool_queue *queue, unsigned int class, bool zero,
		       __s64 timeout_ns, struct bufpool_grant *grant)
{
	struct bufpool_waiter waiter = {
		.grant = { .class = class, .zero = zero },
		.result = -EINPROGRESS,
	};
	int state;

	waiter_enlist(queue, &waiter);
	/* As the device; and no other thread could take it off the queue. */
	state = bufpool_cancel_disable();
	sleep_until_served(queue, &waiter, timeout_ns);
	bufpool_cancel_restore(state);

	if (waiter.result == -EINPROGRESS) {
		waiter_leave(queue, &waiter, -ETIMEDOUT);
		/* The next one may want less. */
		bufpool_queue_serve(queue);
	}
	pthread_cond_destroy(&waiter.served);
	*grant = waiter.grant;
	return waiter.result;
}
