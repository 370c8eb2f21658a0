// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "tasks.h"

#define STACK	32768

/* Longer than anything runs; where the clock counts instructions, idling is free. */
#define SETTLE_US	200000

static pid_t process;
static task_fn *task_call;

/* Tasks that have come to their call; in memory that both processes share. */
static unsigned int *nr_begun;

static void *run(void *nr)
{
	__atomic_fetch_add(nr_begun, 1, __ATOMIC_RELAXED);
	for (;;)
		task_call((uintptr_t)nr);
	return NULL;
}

static noreturn void run_all(unsigned int count)
{
	pthread_attr_t attr;
	pthread_t thread;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	MUST(!pthread_attr_init(&attr));
	MUST(!pthread_attr_setstacksize(&attr, STACK));
	for (i = 0; i < count; i++)
		MUST(!pthread_create(&thread, &attr, run, (void *)(uintptr_t)i));
	for (;;)
		pause();
}

void tasks_start(unsigned int count, task_fn *call)
{
	nr_begun = mmap(NULL, sizeof(*nr_begun), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(nr_begun != MAP_FAILED && count <= TASKS_MAX);
	task_call = call;
	process = fork();
	MUST(process >= 0);
	if (!process)
		run_all(count);
	while (__atomic_load_n(nr_begun, __ATOMIC_RELAXED) < count) {
		tasks_settle();
		MUST(!waitpid(process, NULL, WNOHANG));
	}
	tasks_settle();
}

void tasks_end(void)
{
	int status;

	MUST(!kill(process, SIGKILL));
	MUST(waitpid(process, &status, 0) == process && WIFSIGNALED(status));
	munmap(nr_begun, sizeof(*nr_begun));
}

void tasks_settle(void)
{
	usleep(SETTLE_US);
}
