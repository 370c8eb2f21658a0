/* SPDX-License-Identifier: MIT */
/*
 * Children of a test.
 *
 * A function that runs in a child process says what went wrong by CHECK(), since
 * the harness's own macros only know the process that runs the test.
 */
#ifndef CHILD_H
#define CHILD_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>

#define CHECK(cond)	check_that(cond, #cond, __FILE__, __LINE__)

static inline void check_that(bool holds, const char *what, const char *file,
			      int line)
{
	if (holds)
		return;
	fprintf(stderr, "# %s:%d: pid %d: not true: %s (errno %d)\n", file,
		line, getpid(), what, errno);
	_exit(1);
}

/* Run @body in a child that does not outlive this process. */
static inline pid_t spawn(int (*body)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(arg));
	}
	return pid;
}

/* The exit status of a child, or the negative number of what killed it. */
static inline int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int in_child(int (*body)(void *arg), void *arg)
{
	return reap(spawn(body, arg));
}

/* Whether a child of this process has ended and was not reaped. */
static inline bool child_has_ended(void)
{
	siginfo_t info = { .si_pid = 0 };

	return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       info.si_pid;
}

/* Become another user, with no more than these capabilities (CAP_TO_MASK()). */
static inline bool become(uid_t uid, __u32 capabilities)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ .effective = capabilities, .permitted = capabilities },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) || setresuid(uid, uid, uid) ||
	    syscall(SYS_capset, &header, data))
		return false;
	/* A change of user forgets it. */
	return !prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Enough to open the device, and nothing that the pool cares for. */
#define ONLY_OPEN	CAP_TO_MASK(CAP_DAC_OVERRIDE)

#endif /* CHILD_H */
