/* SPDX-License-Identifier: MIT */
/*
 * Text that other users chose, such as the name of a process.
 */
#ifndef BUFPOOLCTL_TEXT_H
#define BUFPOOLCTL_TEXT_H

#include <stddef.h>
#include <stdio.h>

/*
 * How many bytes the UTF-8 character at @text has; 0 where there is none, or only
 * one that controls a terminal.
 */
size_t text_character(const char *text);

/* Undo, in place, what the kernel does to keep a name one word: \ooo, in octal. */
void text_unescape(char *text);

/* Print it such that it stays on its line and commands no terminal. */
void text_print(FILE *to, const char *text);
/* Print it as a JSON string. */
void text_print_json(FILE *to, const char *text);

#endif
