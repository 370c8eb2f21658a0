// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "barrier.h"
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
	struct bufpool_waiter *previous;
	struct bufpool_waiter *next;
	unsigned int class;		/* that it waits for */
	struct bufpool_grant grant;	/* (in) class, zero; (out) all */
	unsigned int passed;		/* blocks that went to later waiters */
	int result;			/* atomic; -EINPROGRESS until it is out of the queue */
};

void bufpool_queue_init(struct bufpool_queue *queue, struct bufpool_stock *stock,
			struct bufpool_thief *thief)
{
	pthread_mutex_init(&queue->lock, NULL);
	queue->stock = stock;
	queue->thief = thief;
}

static void add_to(__u32 *count, int more)
{
	__atomic_store_n(count, *count + more, __ATOMIC_RELAXED);
}

/* Somebody more, or less, wants a block of a class: one of the next larger ones is as good. */
static void add_waiting_of(struct bufpool_queue *queue, unsigned int class, int more)
{
	unsigned int end = bufpool_stock_larger_end(queue->stock, class);

	for (; class < end; class++)
		add_to(&queue->status.waiting_of[class], more);
}

static void add_waiting(struct bufpool_queue *queue, unsigned int class, int more)
{
	add_to(&queue->status.waiting, more);
	add_waiting_of(queue, class, more);
}

static void waiter_enlist(struct bufpool_queue *queue, struct bufpool_waiter *waiter)
{
	struct bufpool_waiters *waiters = &queue->waiters;

	waiter->previous = waiters->last;
	*(waiters->last ? &waiters->last->next : &waiters->first) = waiter;
	waiters->last = waiter;
	add_waiting(queue, waiter->class, 1);
	queue->waits++;
}

static void waiter_leave(struct bufpool_queue *queue, struct bufpool_waiter *waiter,
			 int result)
{
	struct bufpool_waiters *waiters = &queue->waiters;

	*(waiter->previous ? &waiter->previous->next : &waiters->first) = waiter->next;
	*(waiter->next ? &waiter->next->previous : &waiters->last) = waiter->previous;
	add_waiting(queue, waiter->class, -1);
	__atomic_store_n(&waiter->result, result, __ATOMIC_RELEASE);
}

static void waiter_serve(struct bufpool_queue *queue, struct bufpool_waiter *waiter,
			 int result)
{
	waiter_leave(queue, waiter, result);
	/* It cannot go before it has the lock. */
	syscall(SYS_futex, &waiter->result, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* There is room that was not there before: serve waiters while it lasts. */
static void serve(struct bufpool_queue *queue)
{
	struct bufpool_waiter *first;
	int ret;

	while ((first = queue->waiters.first)) {
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

	for (waiter = queue->waiters.first; waiter; waiter = waiter->next)
		if (waiter->class == class)
			return waiter;
	return NULL;
}

/* Give a block that came back to the first waiter for its size, if there is one. */
static bool hand_over(struct bufpool_queue *queue, const struct bufpool_grant *grant)
{
	struct bufpool_waiter *first = queue->waiters.first;
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
	return waiter == queue->waiters.first && would_do(queue, waiter->class) &&
	       recall_some(queue, ANY_CLASS);
}

static void look_again(struct bufpool_queue *queue, struct bufpool_waiter *waiter)
{
	while (waiter->result == -EINPROGRESS && recall_for(queue, waiter))
		serve(queue);
}

/* Signals for what a thread does itself come in no wait: their handlers do not count. */
static bool is_synchronous(int nr)
{
	return nr == SIGSEGV || nr == SIGBUS || nr == SIGFPE || nr == SIGILL ||
	       nr == SIGTRAP || nr == SIGSYS || nr == SIGABRT;
}

/*
 * Whether a signal handler that was run leaves calls interrupted. The kernel ends this wait
 * for every handler, as it has a time limit, and does not tell which one that was: so none
 * does where no handler of the program would.
 */
static bool is_interruption(void)
{
	struct sigaction action;
	int nr;

	for (nr = 1; nr < _NSIG; nr++)
		if (!is_synchronous(nr) && !sigaction(nr, NULL, &action) &&
		    action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
		    !(action.sa_flags & SA_RESTART))
			return true;
	return false;
}

/* Without the lock, until it is served or that time has come. 0 or -errno */
static int sleep_until(struct bufpool_queue *queue, struct bufpool_waiter *waiter,
		       const struct timespec *at)
{
	/* This is what a kernel of 32 bits takes, whatever the program's time_t. */
	long time[2] = { at->tv_sec, at->tv_nsec };
	int ret;

	bufpool_queue_update_watchers(queue);
	pthread_mutex_unlock(&queue->lock);
	ret = syscall(SYS_futex, &waiter->result, FUTEX_WAIT_BITSET_PRIVATE, -EINPROGRESS,
		      time, NULL, FUTEX_BITSET_MATCH_ANY) ? -errno : 0;
	if (ret == -EINTR && !is_interruption())
		ret = 0;
	pthread_mutex_lock(&queue->lock);
	return ret;
}

/* 0 where it has been served; or why it waits no more */
static int sleep_until_served(struct bufpool_queue *queue,
			      struct bufpool_waiter *waiter, __s64 timeout_ns)
{
	bool forever = !timeout_ns || timeout_ns > FOREVER_NS;
	struct timespec deadline = deadline_after(forever ? FOREVER_NS : timeout_ns);
	struct timespec look = deadline_after(KEPT_NS), *next;
	int ret = 0;

	while (waiter->result == -EINPROGRESS) {
		if (__atomic_load_n(&queue->is_cancelled, __ATOMIC_RELAXED))
			return -ECANCELED;
		if (ret == -EINTR)
			return ret;
		next = is_earlier(&look, &deadline) ? &look : &deadline;
		ret = sleep_until(queue, waiter, next);
		if (ret != -ETIMEDOUT)
			continue;
		if (next == &deadline && waiter->result == -EINPROGRESS)
			return ret;
		look_again(queue, waiter);
		look = deadline_after(KEPT_NS);
	}
	return 0;
}

int bufpool_queue_wait(struct bufpool_queue *queue, unsigned int class, bool zero,
		       __s64 timeout_ns, struct bufpool_grant *grant)
{
	struct bufpool_waiter waiter = {
		.class = class,
		.grant = { .class = class, .zero = zero },
		.result = -EINPROGRESS,
	};
	int ret;

	waiter_enlist(queue, &waiter);
	look_again(queue, &waiter);
	ret = sleep_until_served(queue, &waiter, timeout_ns);
	if (ret) {
		waiter_leave(queue, &waiter, ret);
		/* The next one may want less. */
		serve(queue);
	}
	*grant = waiter.grant;
	return waiter.result;
}

void bufpool_queue_set_cancelled(struct bufpool_queue *queue, bool is_cancelled)
{
	__atomic_store_n(&queue->is_cancelled, is_cancelled, __ATOMIC_RELAXED);
}

void bufpool_queue_wake_cancelled(struct bufpool_queue *queue)
{
	while (queue->is_cancelled && queue->waiters.first)
		waiter_serve(queue, queue->waiters.first, -ECANCELED);
}

/* Watchers ------------------------------------------------------------------- */

/* Whether a rent would find something, with what threads keep */
static bool is_there(const struct bufpool_queue *queue, unsigned int class)
{
	return class < queue->stock->memory.nr_classes && bufpool_queue_is_empty(queue) &&
	       would_do(queue, class);
}

static void watcher_tell(const struct bufpool_watcher *watcher, bool is_ready)
{
	const struct bufpool_file *end = &watcher->ends[is_ready];
	int state = bufpool_cancel_disable();
	char byte = 0;
	ssize_t done = 1;

	if (bufpool_file_is_open(end))
		done = is_ready ? write(end->fd, &byte, 1) : read(end->fd, &byte, 1);
	/* the pipe is never full, and never empty */
	(void)done;
	bufpool_cancel_restore(state);
}

static void watcher_update(struct bufpool_queue *queue, unsigned int class)
{
	struct bufpool_watcher *watcher = &queue->watchers[class];
	bool is_ready = is_there(queue, class);

	if (!watcher->is_made || watcher->is_ready == is_ready)
		return;
	watcher->is_ready = is_ready;
	watcher_tell(watcher, is_ready);
}

void bufpool_queue_update_watchers(struct bufpool_queue *queue)
{
	unsigned int class;

	for (class = 0; queue->nr_watchers && class < BUFPOOL_CLASSES_MAX; class++)
		watcher_update(queue, class);
}

/* 0 or -errno: @ends of a pipe */
static int make_pipe(struct bufpool_file *ends)
{
	int fds[2];
	int ret, state;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	ret = bufpool_file_init(&ends[0], fds[0]) ?: bufpool_file_init(&ends[1], fds[1]);
	if (ret) {
		state = bufpool_cancel_disable();
		close(fds[0]);
		close(fds[1]);
		bufpool_cancel_restore(state);
	}
	return ret;
}

/*
 * Nothing tells when a thread keeps a block. So none does from now on: it is for each
 * class as if somebody waited.
 */
static void stop_keeping(struct bufpool_queue *queue)
{
	unsigned int class;

	for (class = 0; class < queue->stock->memory.nr_classes; class++)
		add_to(&queue->status.waiting_of[class], 1);
	/*
	 * Who opens a stack from now on has seen this. Who has one looks when it has pushed, or
	 * has entered a magazine, and the maker of the poller waits for it.
	 */
	if (!queue->thief->nr_used)
		return;
	bufpool_barriers_pass();
	bufpool_queue_recall(queue, 0);
}

static int make_watcher(struct bufpool_queue *queue, unsigned int class)
{
	struct bufpool_watcher *watcher = &queue->watchers[class];
	int ret = make_pipe(watcher->ends);

	if (ret)
		return ret;
	if (!queue->nr_watchers++)
		stop_keeping(queue);
	watcher->is_made = true;
	watcher_update(queue, class);
	return 0;
}

int bufpool_queue_watch(struct bufpool_queue *queue, unsigned int class)
{
	struct bufpool_watcher *watcher = &queue->watchers[class];
	int ret = watcher->is_made ? 0 : make_watcher(queue, class);

	if (ret)
		return ret;
	ret = -EBADF;
	if (bufpool_file_is_open(&watcher->ends[0]))
		ret = fcntl(watcher->ends[0].fd, F_DUPFD_CLOEXEC, 0);
	return ret == -1 ? -errno : ret;
}

void bufpool_queue_destroy(struct bufpool_queue *queue)
{
	struct bufpool_watcher *watcher = queue->watchers;

	for (; watcher < queue->watchers + BUFPOOL_CLASSES_MAX; watcher++) {
		if (!watcher->is_made)
			continue;
		bufpool_file_close(&watcher->ends[0]);
		bufpool_file_close(&watcher->ends[1]);
	}
}
