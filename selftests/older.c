// SPDX-License-Identifier: MIT
/*
 * Run a program that has an older module before it: one that does not know some calls.
 *
 * usage: older CALL[,CALL...] PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <linux/bufpool.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct call {
	const char *name;
	unsigned int command;
	int error;
} calls[] = {
	{ "class", BUFPOOL_IOC_CLASS, ENOTTY },
	{ "quota", BUFPOOL_IOC_QUOTA, ENOTTY },
	{ "stats", BUFPOOL_IOC_STATS, E2BIG },
	{ "rent", BUFPOOL_IOC_RENT_MANY, EINVAL },
	{ "info", BUFPOOL_IOC_INFO, ENOTTY },
	{ }
};

/* From here on the program's calls of this kind are what the module does not know. */
static int forget(const struct call *call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->command, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | call->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int forget_all(char *names)
{
	const struct call *call;
	char *name;

	for (name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		for (call = calls; call->name && strcmp(call->name, name); call++)
			;
		if (!call->name || forget(call))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3 || forget_all(argv[1])) {
		fprintf(stderr, "usage: older CALL[,CALL...] PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
