// SPDX-License-Identifier: MIT
/*
 * The life of a thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "../clock.h"
#include "../device.h"
#include "faults.h"
#include "verbs.h"
#include "world.h"

/* How many operations there have been. */
__u64 done_by(const struct common *common)
{
	__u64 done = 0;
	unsigned int i;

	for (i = 0; i < ROLES; i++)
		done += __atomic_load_n(&common->roles[i].done, __ATOMIC_RELAXED);
	return done;
}

/* Say what led to it, and what is wrong, and end. */
void blame(struct world *world, const char *format, ...)
{
	const struct common *common = world->common;
	unsigned int i;
	va_list args;

	flockfile(stderr);
	for (i = 0; i < world->nr_inputs; i++)
		input_print(stderr, "# failed ", &world->inputs[i]);
	op_print(stderr, "# in: ", &common->roles[world->role].op);
	fprintf(stderr, "# BUFPOOL_SEED=%llu, round %u, process %u, thread %u, life %u, input %u: ",
		common->seed, common->round, world->role / THREADS, world->role % THREADS,
		world->life, world->nr_inputs);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	fflush(stderr);
	_exit(1);
}

/* Bytes are where they should not be. */
void blame_foreign(struct world *world, const struct stamp_look *look, const char *what)
{
	blame(world, "byte %llu of %llu of %s, not of client %llu%s: client %llu, handle %#llx",
	      look->where, look->length, what, look->id, look->or_zero ? " or zero" : "",
	      look->found.id, look->found.handle);
}

static void make_scratch(struct world *world)
{
	char *at = mmap(NULL, PAGE + SCRATCH + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (at == MAP_FAILED || fd < 0 || ftruncate(fd, PAGE))
		blame(world, "no memory");
	world->read_only = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (world->read_only == MAP_FAILED ||
	    mmap(at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    mprotect(at + PAGE, SCRATCH, PROT_READ | PROT_WRITE))
		blame(world, "no memory");
	close(fd);
	world->scratch = at + PAGE;
	memset(world->scratch, 0, SCRATCH);
}

/* What lasts from life to life. */
void world_create(struct world *world)
{
	make_scratch(world);
	world->fail_nth = faults_open();
	world->epoll = NO_FD;
}

static void share_legacy(struct world *world)
{
	const struct legacy *legacy = world->legacy;
	unsigned int i;

	for (i = OWN_CLIENTS; i < CLIENTS; i++)
		client_adopt(world, i, dup(legacy->clients[i - OWN_CLIENTS]),
			     legacy->ids[i - OWN_CLIENTS]);
	for (i = OWN_CHANNELS; i < CHANNELS; i++) {
		world->channels[i].receives = dup(legacy->channels[i - OWN_CHANNELS].receives);
		world->channels[i].sends = dup(legacy->channels[i - OWN_CHANNELS].sends);
	}
}

void world_begin(struct world *world)
{
	unsigned int i;

	world->nr_inputs = 0;
	world->fails = 0;
	world->forked = false;
	memset(world->held, 0, sizeof(world->held));
	memset(world->windows, 0, sizeof(world->windows));
	memset(&world->keeper, 0, sizeof(world->keeper));
	memset(world->exports, 0, sizeof(world->exports));
	for (i = 0; i < CLIENTS; i++)
		world->clients[i].fd = NO_FD;
	for (i = 0; i < CHANNELS; i++)
		world->channels[i] = (struct ends){ NO_FD, NO_FD };
	for (i = 0; i < EXPORTS; i++)
		world->exports[i].fd = NO_FD;
	for (i = 0; i < POLLERS; i++)
		world->pollers[i] = NO_FD;
	world->pipe.nr = 0;
	world->pipe.ends[0] = NO_FD;
	world->pipe.ends[1] = NO_FD;
	share_legacy(world);
	for (i = 0; i < OWN_CLIENTS; i++)
		client_open(world, i);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = NO_FD;
}

/* What each process leaves, an operation may: the kernel takes care of the rest. */
void world_end(struct world *world)
{
	unsigned int i;

	for (i = 0; i < EXPORTS; i++) {
		if (world->exports[i].at)
			munmap(world->exports[i].at, world->exports[i].length);
		close_one(&world->exports[i].fd);
	}
	for (i = 0; i < CLIENTS; i++)
		client_close(world, i);
	munmap(window_home(world, 0), (WINDOWS + 1) * WINDOW_ROOM);
	for (i = 0; i < CHANNELS; i++) {
		close_one(&world->channels[i].receives);
		close_one(&world->channels[i].sends);
	}
	for (i = 0; i < POLLERS; i++)
		close_one(&world->pollers[i]);
	close_one(&world->pipe.ends[0]);
	close_one(&world->pipe.ends[1]);
	close_one(&world->epoll);
}

/*
 * Without a signal, whose frame could be what fails, and so without anything that may wait
 * for ever. What fails is a call, not a touch, whose signal would have a frame.
 */
static void run_failing(struct world *world, const struct op *op)
{
	struct op plain = *op;
	sigset_t signals, before;

	plain.twist = 0;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	world->faulted = true;
	verb_run(world, &plain);
	world->faulted = false;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void run_op(struct world *world, const struct op *op)
{
	struct role *role = &world->common->roles[world->role];
	bool fails = world->fails && world->fail_nth >= 0 && verb_may_fail(op->verb);

	role->op = *op;
	if (fails)
		run_failing(world, op);
	else
		verb_run(world, op);
	if (fails)
		world->fails = 0;
	__atomic_add_fetch(&role->done, 1, __ATOMIC_RELAXED);
}

/* Around what is to fail in an operation that is. */
void world_fail(struct world *world)
{
	if (world->faulted)
		faults_begin(world->fail_nth, world->fails);
}

/* errno stays as it is */
void world_fail_no_more(struct world *world)
{
	int number = errno;

	if (world->faulted)
		faults_end(world->fail_nth);
	errno = number;
}

/* Up to its end, or that of the round. */
void world_run(struct world *world, const struct input *input)
{
	unsigned int i;

	world->inputs[world->nr_inputs++] = *input;
	for (i = 0; i < input->nr && !word_get(&world->common->stop); i++)
		run_op(world, &input->ops[i]);
}
