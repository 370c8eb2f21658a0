// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "kept.h"
#include "thread.h"

/* Of no pool. (In one that is erased vacant is NULL.) */
static struct bufpool_cache none = {
	.magazines[0].vacant = (struct bufpool *)&none,
	.recent = none.magazines,
};

__thread struct bufpool_magazine *bufpool_mine BUFPOOL_TLS = none.magazines;

/* All caches of the thread, the latest used first */
static __thread struct bufpool_cache *first BUFPOOL_TLS = &none;

/* The thread is in a call, and may hold locks; atomic: its signal handlers look. */
static __thread bool inside BUFPOOL_TLS;

/* What errno was when the call began */
static __thread int errno_outside BUFPOOL_TLS;

/* Its end has been seen, and will not be again: it gets no cache any more. */
static __thread bool ended BUFPOOL_TLS;

/*
 * Which thread has which cache, and which pool that is of. A child of fork() finds the
 * memory erased, and so the lock free, whoever had it.
 */
struct registry {
	pthread_mutex_t lock;
};

static struct registry *registry;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static bool has_key;

/* A barrier to the compiler: the whole call is on one side. */
static void set_inside(bool value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&inside, value, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * Whether the thread has entered any magazine. That may be another than the one it used
 * last: its signal handlers used one since.
 */
static bool is_in_fast_path(void)
{
	struct bufpool_cache *cache;

	for (cache = first; cache != &none; cache = cache->next)
		if (bufpool_cache_is_any_entered(cache))
			return true;
	return false;
}

/*
 * In a child of fork() all that the thread had are erased, and of pools that only close()
 * takes. It may have some of new pools by now.
 */
static void forget_erased(void)
{
	if (!bufpool_cache_is_erased(first))
		return;
	first = &none;
	bufpool_mine = none.magazines;
}

int bufpool_thread_enter(void)
{
	if (__atomic_load_n(&inside, __ATOMIC_RELAXED))
		return -EDEADLK;
	set_inside(true);
	forget_erased();
	if (is_in_fast_path()) {
		set_inside(false);
		return -EDEADLK;
	}
	if (bufpool_mine->cache)
		bufpool_mine->cache->recent = bufpool_mine;
	bufpool_mine = none.magazines;
	errno_outside = errno;
	return 0;
}

void bufpool_thread_leave(void)
{
	bufpool_mine = first->recent;
	errno = errno_outside;
	set_inside(false);
}

/*
 * Take a cache of a pool that has been closed out of the thread's, or NULL. It is not
 * to be freed, as long as there is a thread that a signal handler may have interrupted
 * when it was about to enter it; but what has it used again is as good.
 */
static struct bufpool_cache *take_closed(void)
{
	struct bufpool_cache **at = &first, *cache;

	for (; (cache = *at) != &none; at = &cache->next) {
		if (bufpool_cache_home(cache))
			continue;
		*at = cache->next;
		return cache;
	}
	return NULL;
}

/* Whether it has one */
static bool has_closed(void)
{
	struct bufpool_cache *cache = first;

	while (cache != &none && bufpool_cache_home(cache))
		cache = cache->next;
	return cache != &none;
}

static void free_closed(void)
{
	struct bufpool_cache *cache;

	while ((cache = take_closed()))
		bufpool_cache_free(cache);
}

/* The signals to let in again, if that could be forbidden */
struct signals {
	sigset_t mask;
	bool is_saved;
};

/* No signal handler comes in between: one that never returns would leave it locked. */
static void lock_registry(struct signals *signals)
{
	sigset_t all;

	sigfillset(&all);
	signals->is_saved = !pthread_sigmask(SIG_BLOCK, &all, &signals->mask);
	pthread_mutex_lock(&registry->lock);
}

static void unlock_registry(const struct signals *signals)
{
	pthread_mutex_unlock(&registry->lock);
	if (signals->is_saved)
		pthread_sigmask(SIG_SETMASK, &signals->mask, NULL);
}

static void detach_all(void)
{
	struct bufpool_cache *cache;
	struct bufpool *pool;
	struct signals signals;

	lock_registry(&signals);
	free_closed();
	while ((cache = first) != &none) {
		first = cache->next;
		/* The registry is held, so the pool is not closed meanwhile. */
		pool = bufpool_cache_home(cache);
		bufpool_kept_abandon(pool, cache);
		bufpool_cache_detach(&pool->caches, cache);
	}
	unlock_registry(&signals);
}

/*
 * Destructors of others may use the pool after this one, and again when it would not be
 * called any more.
 */
static void end_thread(void *unused)
{
	(void)unused;
	bufpool_thread_enter();
	ended = true;
	detach_all();
	bufpool_thread_leave();
}

static bool make_registry(void)
{
	struct registry *memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	if (madvise(memory, sizeof(*memory), MADV_WIPEONFORK)) {
		munmap(memory, sizeof(*memory));
		return false;
	}
	registry = memory;
	return true;
}

static void prepare_threads(void)
{
	has_key = make_registry() &&
		  !pthread_atfork(NULL, NULL, forget_erased) &&
		  !pthread_key_create(&at_thread_end, end_thread);
}

bool bufpool_threads_prepare(void)
{
	pthread_once(&once, prepare_threads);
	return has_key;
}

/*
 * Before the program has threads, and locks: where the C library holds its list of handlers
 * while it calls them, who has a lock that one of them takes must not add to it.
 */
static void __attribute__((constructor)) prepare_early(void)
{
	bufpool_threads_prepare();
}

void bufpool_threads_part(struct bufpool *pool)
{
	struct signals signals;

	/* Without caches no thread has anything of it. */
	if (!pool->caches.all)
		return;
	lock_registry(&signals);
	/* A thread that ends puts what it keeps into the depot. */
	bufpool_depot_destroy(&pool->depot);
	bufpool_caches_destroy(&pool->caches);
	unlock_registry(&signals);
}

static void add_cache(struct bufpool_cache *cache)
{
	cache->next = first;
	first = cache;
}

static struct bufpool_cache *find_cache(struct bufpool *pool)
{
	struct bufpool_cache **at = &first, *cache;

	for (; (cache = *at) != &none; at = &cache->next) {
		if (bufpool_cache_home(cache) != pool)
			continue;
		/* The fast paths look at the first only. */
		*at = cache->next;
		add_cache(cache);
		return cache;
	}
	return NULL;
}

struct bufpool_cache *bufpool_thread_cache(struct bufpool *pool)
{
	struct bufpool_cache *cache, *closed;

	if (!pool->caches.all)
		return NULL;
	cache = find_cache(pool);
	if (cache)
		return cache;
	/* Without the destructor its blocks would be lost with the thread. */
	if (ended || pthread_setspecific(at_thread_end, registry))
		return NULL;
	closed = take_closed();
	/* Or each pool that is closed would leave it one more, had of a thread that has ended. */
	cache = bufpool_cache_attach(&pool->caches, closed, has_closed());
	if (closed && cache != closed)
		add_cache(closed);
	if (cache)
		add_cache(cache);
	return cache;
}
