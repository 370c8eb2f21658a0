// SPDX-License-Identifier: MIT
#include <err.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "affinity.h"
#include "team.h"

/* A batch takes so long that reading the clock after it costs nothing. */
#define BATCH_SECONDS 0.0005
#define WARMUP_SECONDS 0.03

struct team {
	const struct workload *workload;
	double seconds;
	size_t count;			/* 0: as many as fit in seconds */
	/*
	 * A thread alone answers for what else the program does, as for its
	 * consumer; of several each answers for itself.
	 */
	clockid_t cpu_clock;
	pthread_barrier_t warm;
};

struct member {
	struct team *team;
	unsigned int index;
	pthread_t thread;
	double pair_seconds;
	double cpu_seconds;
	size_t pairs;
};

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/*
 * Pairs in a batch. By the thread's own time: an interruption must not make
 * batches short.
 */
static size_t calibrate(const struct workload *workload)
{
	size_t pairs = WORKLOAD_BURST;
	double start;

	for (;; pairs *= 2) {
		start = now(CLOCK_THREAD_CPUTIME_ID);
		workload->run(pairs);
		if (now(CLOCK_THREAD_CPUTIME_ID) - start >= BATCH_SECONDS)
			return pairs;
	}
}

/* Returns how long it took. */
static double run_batches(const struct workload *workload, size_t batch,
			  double seconds, size_t *pairs)
{
	double start = now(CLOCK_MONOTONIC), elapsed;

	*pairs = 0;
	do {
		workload->run(batch);
		*pairs += batch;
		elapsed = now(CLOCK_MONOTONIC) - start;
	} while (elapsed < seconds);
	return elapsed;
}

static void measure(struct member *member)
{
	struct team *team = member->team;
	size_t batch = calibrate(team->workload);
	double elapsed, cpu;

	run_batches(team->workload, batch, WARMUP_SECONDS, &member->pairs);
	pthread_barrier_wait(&team->warm);
	cpu = now(team->cpu_clock);
	elapsed = run_batches(team->workload, batch, team->seconds,
			      &member->pairs);
	member->cpu_seconds = now(team->cpu_clock) - cpu;
	member->pair_seconds = elapsed / member->pairs;
}

static void *work(void *argument)
{
	struct member *member = argument;
	const struct workload *workload = member->team->workload;

	affinity_pin(member->index);
	workload_thread_begin();
	if (member->team->count)
		workload->run(member->team->count);
	else
		measure(member);
	if (workload->finish)
		workload->finish();
	workload_thread_end();
	return NULL;
}

static void *consume(void *argument)
{
	struct member *member = argument;

	affinity_pin(member->index);
	workload_thread_begin();
	member->team->workload->consume();
	workload_thread_end();
	return NULL;
}

static void start(struct member *member, struct team *team, unsigned int index,
		  void *(*function)(void *))
{
	member->team = team;
	member->index = index;
	if (pthread_create(&member->thread, NULL, function, member))
		errx(1, "pthread_create failed");
}

struct team_result team_measure(const struct workload *workload,
				unsigned int threads, double seconds)
{
	struct team team = {
		.workload = workload,
		.seconds = seconds,
		.cpu_clock = threads > 1 ? CLOCK_THREAD_CPUTIME_ID :
					   CLOCK_PROCESS_CPUTIME_ID,
	};
	struct member *members = calloc(threads, sizeof(*members));
	struct team_result result = { 0 };
	struct member consumer;
	size_t pairs = 0;
	double cpu = 0;
	unsigned int i;

	if (!members)
		err(1, "calloc");
	pthread_barrier_init(&team.warm, NULL, threads);
	for (i = 0; i < threads; i++)
		start(&members[i], &team, i, work);
	if (workload->consume)
		start(&consumer, &team, threads, consume);
	for (i = 0; i < threads; i++) {
		pthread_join(members[i].thread, NULL);
		result.wall_ns += members[i].pair_seconds * 1e9 / threads;
		cpu += members[i].cpu_seconds;
		pairs += members[i].pairs;
	}
	if (workload->consume)
		pthread_join(consumer.thread, NULL);
	result.cpu_ns = cpu * 1e9 / pairs;

	pthread_barrier_destroy(&team.warm);
	free(members);
	return result;
}

void team_count(const struct workload *workload, size_t count)
{
	struct team team = { .workload = workload, .count = count };
	struct member member;

	start(&member, &team, 0, work);
	pthread_join(member.thread, NULL);
}
