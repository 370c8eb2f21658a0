/* SPDX-License-Identifier: MIT */
/*
 * Boxes: memory cgroups that a test's processes can be put into.
 */
#ifndef BOX_H
#define BOX_H

#include "bufpool_test.h"

#define BOXES		"/sys/fs/cgroup/"
#define BOX_LOOKS	2000

static inline void box_path(char *path, size_t size, const char *box, const char *file)
{
	snprintf(path, size, BOXES "bufpool-%s/%s", box, file);
}

static inline int box_write(const char *box, const char *file, const char *text)
{
	char path[128];

	box_path(path, sizeof(path), box, file);
	return write_text(path, text);
}

static inline int box_write_number(const char *box, const char *file, __u64 number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", number);
	return box_write(box, file, text);
}

/* A file's first number, or that of a line that begins with @name. */
static inline __u64 box_read(const char *box, const char *file, const char *name)
{
	char path[128], line[128];
	size_t length = name ? strlen(name) : 0;
	__u64 number = 0;
	FILE *stream;

	box_path(path, sizeof(path), box, file);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream)) {
		if (name && (strncmp(line, name, length) || line[length] != ' '))
			continue;
		number = strtoull(line + length, NULL, 10);
		break;
	}
	if (stream)
		fclose(stream);
	return number;
}

/* Bytes that a box is charged for. */
static inline __u64 box_charged(const char *box)
{
	return box_read(box, "memory.current", NULL);
}

static inline bool box_create(const char *box, __u64 max)
{
	char path[128];

	write_text(BOXES "cgroup.subtree_control", "+memory");
	box_path(path, sizeof(path), box, "");
	if (mkdir(path, 0755) && errno != EEXIST)
		return false;
	/* there may be no swap */
	box_write(box, "memory.swap.max", "0");
	return !box_write_number(box, "memory.max", max);
}

/* Its last process may take a moment to leave. Return: whether it is gone. */
static inline bool box_remove(const char *box)
{
	char path[128];
	int i;

	box_path(path, sizeof(path), box, "");
	for (i = 0; i < BOX_LOOKS; i++) {
		if (!rmdir(path) || errno == ENOENT)
			return true;
		sleep_ms(1);
	}
	return false;
}

/* The current process is in a box from here on. */
static inline bool box_enter(const char *box)
{
	return !box_write(box, "cgroup.procs", "0");
}

static inline bool box_leave(void)
{
	return !write_text(BOXES "cgroup.procs", "0");
}

static inline bool boxes_are_possible(void)
{
	char line[256] = "";
	FILE *stream = fopen(BOXES "cgroup.controllers", "re");
	bool possible;

	possible = stream && fgets(line, sizeof(line), stream) && strstr(line, "memory");
	if (stream)
		fclose(stream);
	return possible;
}

#endif /* BOX_H */
