// SPDX-License-Identifier: MIT
/*
 * Linked into programs that say what was run of them: what they have counted is written
 * at their ends of which the compiler knows nothing, too.
 */
#include <gcov.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

/* What the linker has callers of _exit() call, by --wrap. */
void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

/* Limits are for what the program does, and it has done that. */
static void __attribute__((destructor)) lift_limits(void)
{
	static const int limits[] = { RLIMIT_NOFILE, RLIMIT_AS };
	struct rlimit limit;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		if (getrlimit(limits[i], &limit))
			continue;
		limit.rlim_cur = limit.rlim_max;
		setrlimit(limits[i], &limit);
	}
}

static void end_by(int number)
{
	__gcov_dump();
	signal(number, SIG_DFL);
	raise(number);
}

static void __attribute__((constructor)) catch_ends(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };
	struct sigaction action;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!sigaction(numbers[i], NULL, &action) && action.sa_handler == SIG_DFL)
			signal(numbers[i], end_by);
}
