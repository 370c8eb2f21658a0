// SPDX-License-Identifier: MIT
/*
 * Run a command on a terminal of its own, for tests of what needs one.
 *
 * usage: pty COMMAND [ARGUMENT...]
 *
 * What is read here is typed there, and what it prints is printed here. The exit
 * status is the command's, 128 more than the number of a signal that ended it,
 * or 127 where there is no terminal or no command.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CANNOT	127

static int open_master(void)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) || unlockpt(master))
		err(CANNOT, "pty");
	ioctl(master, TIOCSWINSZ, &size);
	return master;
}

static void run(int master, char **argv)
{
	int slave;

	setsid();
	/* the first one that the leader of a session opens is its own */
	slave = open(ptsname(master), O_RDWR);
	if (slave < 0 || dup2(slave, STDIN_FILENO) < 0 ||
	    dup2(slave, STDOUT_FILENO) < 0 || dup2(slave, STDERR_FILENO) < 0)
		err(CANNOT, "pty");
	if (slave > STDERR_FILENO)
		close(slave);
	execvp(argv[0], argv);
	err(CANNOT, "%s", argv[0]);
}

static bool copy(int from, int to)
{
	char buf[4096];
	ssize_t length = read(from, buf, sizeof(buf));

	return length > 0 && write(to, buf, length) == length;
}

/* Until no process has the terminal open any more. */
static void relay(int master)
{
	struct pollfd fds[] = {
		{ .fd = master, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	while (poll(fds, 2, -1) >= 0) {
		if (fds[0].revents && !copy(master, STDOUT_FILENO))
			return;
		if (fds[1].revents && !copy(STDIN_FILENO, master))
			fds[1].fd = -1;
	}
}

int main(int argc, char **argv)
{
	int master = open_master(), status;
	pid_t pid;

	if (argc < 2)
		errx(CANNOT, "usage: pty COMMAND [ARGUMENT...]");
	pid = fork();
	if (pid < 0)
		err(CANNOT, "fork");
	if (!pid)
		run(master, argv + 1);
	relay(master);
	if (waitpid(pid, &status, 0) < 0)
		err(CANNOT, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}
