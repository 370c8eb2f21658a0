// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "../child.h"
#include "../device.h"
#include "../random.h"
#include "coverage.h"
#include "guard.h"
#include "worker.h"

/* Root is bound by no quota; two others share one. */
static const uid_t users[WORKERS] = { 0, 1001, 1001, 1002 };

struct thread {
	struct worker *worker;
	unsigned int role;
	struct coverage coverage;
	pthread_t pthread;
};

static __thread struct world *here;

/*
 * What is to fail in a call may be the kernel's way to a signal handler, and would be the way
 * back, if the handler did not see to that.
 */
static void hear_of_signal(int sig, bool by_kernel)
{
	if (!by_kernel || !here->faulted)
		blame(here, "signal %d", sig);
	world_fail_no_more(here);
}

static void be_interrupted(int sig)
{
	(void)sig;
	if (here)
		world_fail_no_more(here);
}

/* Random numbers for one life of a thread in this round. */
__u64 lottery_of(const struct common *common, unsigned int role, unsigned int life)
{
	__u64 random = common->seed + common->round * 0x9e3779b97f4a7c15ULL +
		       role * 0xbf58476d1ce4e5b9ULL + life * 0x94d049bb133111ebULL;

	random |= 1;
	next_random(&random);
	next_random(&random);
	return random;
}

/* Each thread has some of those that were given; then half are changed ones, half new. */
static void choose_input(const struct world *world, struct input *input, __u64 *random)
{
	unsigned int nr = world->life * LIFE_INPUTS + world->nr_inputs;
	const struct common *common = world->common;
	unsigned int known = __atomic_load_n(&common->nr_corpus, __ATOMIC_ACQUIRE);
	__u64 lot = next_random(random);

	if (nr * ROLES + world->role < common->nr_given) {
		*input = common->corpus[nr * ROLES + world->role];
	} else if (known && lot & 1) {
		*input = common->corpus[(lot >> 8) % known];
		input_mutate(input, &common->corpus[(lot >> 32) % known], random);
	} else {
		input_draw(input, random);
	}
}

/* Keep an input for what it has reached. It may be lost where two are kept at once. */
static void keep_input(struct common *common, const struct input *input)
{
	unsigned int nr = __atomic_load_n(&common->nr_corpus, __ATOMIC_RELAXED);

	if (nr == CORPUS_MOST || common->blind)
		return;
	common->corpus[nr] = *input;
	__atomic_store_n(&common->nr_corpus, nr + 1, __ATOMIC_RELEASE);
	flockfile(stderr);
	input_print(stderr, "# kept ", input);
	funlockfile(stderr);
}

static void live(struct world *world, struct coverage *coverage)
{
	__u64 random = lottery_of(world->common, world->role, world->life);
	struct input input;

	world_begin(world);
	while (world->nr_inputs < LIFE_INPUTS &&
	       !__atomic_load_n(&world->common->stop, __ATOMIC_ACQUIRE)) {
		choose_input(world, &input, &random);
		coverage_begin(coverage);
		world_run(world, &input);
		if (coverage_end(coverage, world->common))
			keep_input(world->common, &input);
	}
	world_end(world);
}

static void *run_thread(void *arg)
{
	struct thread *thread = arg;
	struct common *common = thread->worker->common;
	struct role *role = &common->roles[thread->role];
	struct world *world = calloc(1, sizeof(*world));

	CHECK(world);
	here = world;
	world->common = common;
	world->legacy = thread->worker->legacy;
	world->role = thread->role;
	world->is_root = !users[thread->worker->nr];
	CHECK(!pool_info(world->legacy->clients[0], &world->info));
	world_create(world);
	coverage_enable(&thread->coverage);
	role->pid = getpid();
	__atomic_store_n(&role->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&common->stop, __ATOMIC_ACQUIRE)) {
		role->life = world->life;
		live(world, &thread->coverage);
		world->life++;
	}
	__atomic_store_n(&role->tid, 0, __ATOMIC_RELEASE);
	return NULL;
}

int work(void *arg)
{
	struct worker *worker = arg;
	struct thread threads[THREADS];
	unsigned int i;

	guard_prepare(hear_of_signal, be_interrupted);
	for (i = 0; i < THREADS; i++)
		coverage_open(&threads[i].coverage);
	if (users[worker->nr])
		CHECK(become(users[worker->nr], ONLY_OPEN));
	for (i = 0; i < THREADS; i++) {
		threads[i].worker = worker;
		threads[i].role = worker->nr * THREADS + i;
		CHECK(!pthread_create(&threads[i].pthread, NULL, run_thread, &threads[i]));
	}
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_join(threads[i].pthread, NULL));
	return 0;
}
