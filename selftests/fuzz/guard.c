// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include "guard.h"

static __thread sigjmp_buf guard_env;
static __thread int guard_armed;
static void (*guard_stray)(int sig, bool by_kernel);

static void guard_signalled(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!__atomic_load_n(&guard_armed, __ATOMIC_RELAXED))
		guard_stray(sig, info->si_code == SI_KERNEL);
	else
		siglongjmp(guard_env, sig);
}

/*
 * @stray: hears of a signal that nobody has asked for; one that comes from no access is
 *	@by_kernel
 * @interrupted: called by SIGUSR1
 */
void guard_prepare(void (*stray)(int sig, bool by_kernel), void (*interrupted)(int sig))
{
	/* the mask stays as it is, so that a jump has none to restore */
	struct sigaction action = {
		.sa_sigaction = guard_signalled,
		.sa_flags = SA_NODEFER | SA_SIGINFO,
	};
	struct sigaction interrupt = { .sa_handler = interrupted };

	guard_stray = stray;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGUSR1, &interrupt, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The signal that ended @body, or 0. */
int guard(void (*body)(void *arg), void *arg)
{
	int sig = sigsetjmp(guard_env, 0);

	if (!sig) {
		__atomic_store_n(&guard_armed, 1, __ATOMIC_RELAXED);
		body(arg);
	}
	__atomic_store_n(&guard_armed, 0, __ATOMIC_RELAXED);
	return sig;
}

static void peek(void *arg)
{
	(void)__atomic_load_n((const unsigned char *)arg, __ATOMIC_RELAXED);
}

int guard_peek(const void *at)
{
	return guard(peek, (void *)at);
}
