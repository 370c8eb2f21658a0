// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "array.h"
#include "clock.h"
#include "fail.h"
#include "terminal.h"
#include "text.h"

#define ESC		"\033"
/* The other screen, without a cursor; and back. */
#define ENTER		ESC "[?1049h" ESC "[?25l"
#define LEAVE		ESC "[?25h" ESC "[?1049l"
#define HOME		ESC "[H"
#define END_LINE	ESC "[K"
#define CLEAR_REST	ESC "[J"

static struct termios found;
static bool is_open;
static int signals = -1;

bool terminal_is_there(void)
{
	const char *name = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && name &&
	       strcmp(name, "dumb");
}

static void take_signals(void)
{
	static const int numbers[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH,
	};
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		fail(STATUS_FAILED, "signalfd: %s", strerror(errno));
}

static void put(const char *text)
{
	fputs(text, stdout);
}

void terminal_open(void)
{
	struct termios raw;

	if (signals < 0) {
		take_signals();
		atexit(terminal_close);
		/* what is on the other screen goes with it */
		fail_first = terminal_close;
	}
	if (tcgetattr(STDIN_FILENO, &found))
		fail(STATUS_FAILED, "terminal: %s", strerror(errno));
	raw = found;
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	is_open = true;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	put(ENTER);
	fflush(stdout);
}

void terminal_close(void)
{
	if (!is_open)
		return;
	is_open = false;
	put(LEAVE);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &found);
}

static struct winsize size(void)
{
	struct winsize size;

	/* a serial line does not know its size */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row ||
	    !size.ws_col) {
		size.ws_row = 24;
		size.ws_col = 80;
	}
	return size;
}

/* Print the beginning of a line. Return: where the next one begins. */
static const char *draw_line(const char *line, unsigned int columns)
{
	const char *at = line;
	size_t length = strcspn(line, "\n");

	while (columns-- && at < line + length)
		at += text_character(at) ?: 1;
	fwrite(line, 1, at - line, stdout);
	put(END_LINE);
	line += length;
	return *line ? line + 1 : line;
}

void terminal_draw(const char *frame)
{
	struct winsize screen = size();
	unsigned int row;

	put(HOME);
	for (row = 0; row < screen.ws_row && *frame; row++) {
		if (row)
			put("\r\n");
		frame = draw_line(frame, screen.ws_col);
	}
	if (row < screen.ws_row)
		put("\r\n" CLEAR_REST);
	fflush(stdout);
}

/* Characters that were typed and not taken yet */
static struct {
	char text[64];
	size_t taken;
	size_t count;
} typed;

/* Return: false where the terminal is gone, which reads as the end of a file. */
static bool read_typed(void)
{
	ssize_t count = read(STDIN_FILENO, typed.text, sizeof(typed.text));

	typed.taken = 0;
	typed.count = count > 0 ? count : 0;
	/* what begins with ESC and goes on comes from one key, with no character */
	if (count > 1 && typed.text[0] == *ESC)
		typed.count = 0;
	return count > 0;
}

static bool take_typed(char *key)
{
	if (typed.taken == typed.count)
		return false;
	*key = typed.text[typed.taken++];
	return true;
}

static enum terminal_event read_key(char *key)
{
	if (!read_typed())
		return TERMINAL_QUIT;
	return take_typed(key) ? TERMINAL_KEY : TERMINAL_REDRAW;
}

static void stop(void)
{
	terminal_close();
	raise(SIGSTOP);
	terminal_open();
}

static enum terminal_event read_signal(void)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return TERMINAL_REDRAW;
	if (info.ssi_signo == SIGTSTP)
		stop();
	else if (info.ssi_signo != SIGWINCH)
		return TERMINAL_QUIT;
	return TERMINAL_REDRAW;
}

enum terminal_event terminal_wait(__u64 when, char *key)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	__u64 left = clock_left(when);
	int ret;

	if (take_typed(key))
		return TERMINAL_KEY;
	ret = poll(fds, ARRAY_SIZE(fds), left < INT_MAX ? left : INT_MAX);
	if (!ret)
		return TERMINAL_TIMEOUT;
	if (fds[0].revents)
		return read_signal();
	return fds[1].revents ? read_key(key) : TERMINAL_REDRAW;
}

static void put_question(unsigned int row, const char *question,
			 const char *answer)
{
	printf(ESC "[%u;1H%s: ", row, question);
	text_print(stdout, answer);
	put(END_LINE);
	fflush(stdout);
}

/* Return: whether more is to come. */
static bool edit(char *answer, size_t size, char key)
{
	size_t length = strlen(answer);

	if (key == '\n' || key == '\r')
		return false;
	if (key == '\b' || key == 0x7f) {
		if (length)
			answer[length - 1] = '\0';
	} else if (length + 1 < size) {
		answer[length] = key;
		answer[length + 1] = '\0';
	}
	return true;
}

enum terminal_event terminal_ask(unsigned int row, const char *question,
				 char *answer, size_t size)
{
	enum terminal_event event;
	char key;

	memset(answer, 0, size);
	do {
		put_question(row, question, answer);
		event = terminal_wait(UINT64_MAX, &key);
		if (event == TERMINAL_QUIT)
			return event;
		if (event == TERMINAL_KEY && key == *ESC)
			return TERMINAL_REDRAW;
	} while (event != TERMINAL_KEY || edit(answer, size, key));
	return TERMINAL_KEY;
}
