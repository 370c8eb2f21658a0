/* SPDX-License-Identifier: MIT */
/*
 * The terminal, while one program has all of its screen.
 *
 * However the program ends, by exit(3) or by a signal that can be caught, the
 * terminal is left as it was found. Signals are read from a descriptor, so no
 * handler interrupts the drawing.
 */
#ifndef BUFPOOLCTL_TERMINAL_H
#define BUFPOOLCTL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

enum terminal_event {
	TERMINAL_TIMEOUT,
	TERMINAL_REDRAW,
	TERMINAL_KEY,
	TERMINAL_QUIT,
};

/* Whether there is one, for input and for output, that has a cursor. */
bool terminal_is_there(void);

void terminal_open(void);
void terminal_close(void);

/* Show a text of lines; what does not fit is cut off. */
void terminal_draw(const char *frame);

/*
 * Wait until clock_now() is @when, a key or a signal comes. A key that sends more than
 * its character, such as an arrow, is none. @key is set for TERMINAL_KEY.
 */
enum terminal_event terminal_wait(__u64 when, char *key);

/*
 * Ask for a line of text, in one row of the frame. Return: TERMINAL_KEY where it was
 * answered, TERMINAL_REDRAW where it was left with Escape, or TERMINAL_QUIT.
 */
enum terminal_event terminal_ask(unsigned int row, const char *question,
				 char *answer, size_t size);

#endif
