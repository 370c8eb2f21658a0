/* SPDX-License-Identifier: MIT */
/* System calls that a program forbids itself */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SECCOMP_CALLS_MAX	80

/*
 * What happens with these system calls, and with all others, from now on:
 * SECCOMP_RET_*. Return: 0 or -1, as prctl()
 */
static inline int restrict_calls(const int *calls, unsigned int count, unsigned int with_these,
				 unsigned int with_others)
{
	struct sock_filter filter[1 + 2 * SECCOMP_CALLS_MAX + 1] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { .len = 1, .filter = filter };
	unsigned int i;

	if (count > SECCOMP_CALLS_MAX) {
		errno = E2BIG;
		return -1;
	}
	for (i = 0; i < count; i++) {
		filter[program.len++] = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		filter[program.len++] = (struct sock_filter)
			BPF_STMT(BPF_RET | BPF_K, with_these);
	}
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, with_others);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static inline int forbid_call(int call, int error)
{
	return restrict_calls(&call, 1, SECCOMP_RET_ERRNO | error, SECCOMP_RET_ALLOW);
}

/* The same of the calls only that have this value as one of their arguments, by its lower half. */
static inline int forbid_call_with(int call, unsigned int argument, __u32 value, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[argument])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
