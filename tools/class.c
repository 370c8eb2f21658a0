// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "class.h"
#include "device.h"
#include "fail.h"
#include "paths.h"

#define CLASSES_PATH	CLASS_PATH "/classes"

static __u64 read_one(const char *directory, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CLASSES_PATH "/%s/%s", directory, name);
	return attribute_read(path);
}

/* A directory is called SIZE, or BACKING-SIZE. Return: bytes in the prefix, without the dash. */
static size_t prefix_of(const char *directory)
{
	const char *dash = strchr(directory, '-');

	return dash ? dash - directory : 0;
}

static __u64 block_size_of(const char *directory)
{
	size_t prefix = prefix_of(directory);

	return strtoull(directory + prefix + !!prefix, NULL, 10);
}

static void fill_backing(struct class *class, const char *directory)
{
	int length = prefix_of(directory);

	snprintf(class->backing, sizeof(class->backing), "%.*s", length ?: 4,
		 length ? directory : "slab");
}

static void fill(struct class *class, const char *directory)
{
	fill_backing(class, directory);
	class->block_size = block_size_of(directory);
	class->slabs = read_one(directory, "slabs");
	class->idle_slabs = read_one(directory, "idle_slabs");
	class->free = read_one(directory, "free");
	class->out = read_one(directory, "out");
	class->waiting = read_one(directory, "waiting");
}

static int is_class(const struct dirent *entry)
{
	return block_size_of(entry->d_name) != 0;
}

static int compare_backings(const char *a, const char *b)
{
	size_t left = prefix_of(a), right = prefix_of(b);

	return strncmp(a, b, left < right ? left : right) ?: (int)left - (int)right;
}

static int compare(const struct dirent **a, const struct dirent **b)
{
	__u64 left = block_size_of((*a)->d_name);
	__u64 right = block_size_of((*b)->d_name);

	return compare_backings((*a)->d_name, (*b)->d_name) ?:
	       (left < right ? -1 : left > right);
}

size_t class_read_all(struct class **classes)
{
	struct dirent **entries;
	int count, i;

	count = scandir(CLASSES_PATH, &entries, is_class, compare);
	if (count < 0)
		access_fail(CLASSES_PATH);
	*classes = calloc(count + 1, sizeof(**classes));
	if (!*classes)
		fail_memory();
	for (i = 0; i < count; i++) {
		fill(&(*classes)[i], entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return count;
}
