// SPDX-License-Identifier: MIT
/* Slabs and blocks of each class. */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

#include "access.h"
#include "array.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "out.h"
#include "paths.h"

#define CLASSES_PATH	CLASS_PATH "/classes"

struct class {
	__u64 block_size;
	__u64 slabs;
	__u64 idle_slabs;
	__u64 free;
	__u64 out;
	__u64 waiting;
};

#define COLUMN(_kind, _name, _label)	\
	{ #_name, _label, _kind, offsetof(struct class, _name) }

static const struct column columns[] = {
	COLUMN(KIND_BYTES, block_size, "block"),
	COLUMN(KIND_COUNT, slabs, "slabs"),
	COLUMN(KIND_COUNT, idle_slabs, "idle"),
	COLUMN(KIND_COUNT, free, "free"),
	COLUMN(KIND_COUNT, out, "out"),
	COLUMN(KIND_COUNT, waiting, "waiting"),
};

static __u64 read_one(const char *directory, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CLASSES_PATH "/%s/%s", directory, name);
	return attribute_read(path);
}

/* The name of a directory begins with the bytes in a block. */
static __u64 block_size_of(const char *directory)
{
	return strtoull(directory, NULL, 10);
}

static void fill(struct class *class, const char *directory)
{
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

static int compare(const struct dirent **a, const struct dirent **b)
{
	__u64 left = block_size_of((*a)->d_name);
	__u64 right = block_size_of((*b)->d_name);

	return left < right ? -1 : left > right;
}

static void print_class(struct list *list, struct dirent *entry)
{
	struct class class;

	fill(&class, entry->d_name);
	out_list_row(list, &class);
	free(entry);
}

void classes_run(int argc, char **argv)
{
	struct list list = {
		.name = "classes",
		.columns = columns,
		.count = ARRAY_SIZE(columns),
		.width = 7,
	};
	struct dirent **entries;
	int count, i;

	cli_option(argc, argv, "");
	cli_arguments(argc, 0);
	count = scandir(CLASSES_PATH, &entries, is_class, compare);
	if (count < 0)
		access_fail(CLASSES_PATH);
	out_list_begin(&list);
	for (i = 0; i < count; i++)
		print_class(&list, entries[i]);
	out_list_end(&list);
	free(entries);
}
