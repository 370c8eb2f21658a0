// SPDX-License-Identifier: MIT
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block.h"
#include "holders.h"

#define HOLDERS	4
#define UID	1000

#define CGROUP	"/sys/fs/cgroup/slow"

static pid_t holders[HOLDERS];
static enum holders_kind current_kind;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static void make_cgroup(void)
{
	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+cpu");
	if (mkdir(CGROUP, 0755) && access(CGROUP, F_OK))
		err(1, CGROUP);
	write_text(CGROUP "/cpu.max", "100000 1000000");
}

/* In the child. */
static void slow_down(enum holders_kind kind)
{
	struct sched_param param = {};

	if (kind == HOLDERS_THROTTLED)
		write_text(CGROUP "/cgroup.procs", "0");
	else if (sched_setscheduler(0, SCHED_IDLE, &param))
		err(1, "SCHED_IDLE");
}

static void hold(enum holders_kind kind, size_t size)
{
	struct bufpool_rent rent;
	int fd;

	slow_down(kind);
	if (setresgid(UID, UID, UID) || setresuid(UID, UID, UID))
		err(1, "user %d", UID);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = block_open();
	for (;;)
		if (!block_rent(fd, size, &rent))
			block_return(fd, &rent);
}

void holders_start(enum holders_kind kind, size_t size)
{
	unsigned int i;

	current_kind = kind;
	if (kind == HOLDERS_NONE)
		return;
	if (kind == HOLDERS_THROTTLED)
		make_cgroup();
	for (i = 0; i < HOLDERS; i++) {
		holders[i] = fork();
		if (holders[i] < 0)
			err(1, "fork");
		if (!holders[i])
			hold(kind, size);
	}
}

void holders_stop(void)
{
	unsigned int i;
	int status;

	if (current_kind == HOLDERS_NONE)
		return;
	/* exiting takes CPU time, too */
	if (current_kind == HOLDERS_THROTTLED)
		write_text(CGROUP "/cpu.max", "max 1000000");
	for (i = 0; i < HOLDERS; i++) {
		kill(holders[i], SIGKILL);
		if (waitpid(holders[i], &status, 0) < 0 || !WIFSIGNALED(status))
			errx(1, "a holder ended by itself");
	}
}
