// SPDX-License-Identifier: MIT
/* How each block size does. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

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

static __u64 read_one(__u64 block_size, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CLASSES_PATH "/%llu/%s",
		 block_size, name);
	return attribute_read(path);
}

static void fill(struct class *class, __u64 block_size)
{
	class->block_size = block_size;
	class->slabs = read_one(block_size, "slabs");
	class->idle_slabs = read_one(block_size, "idle_slabs");
	class->free = read_one(block_size, "free");
	class->out = read_one(block_size, "out");
	class->waiting = read_one(block_size, "waiting");
}

static int compare(const void *a, const void *b)
{
	__u64 left = *(const __u64 *)a, right = *(const __u64 *)b;

	return left < right ? -1 : left > right;
}

static void find_sizes(struct sizes *sizes)
{
	DIR *dir = opendir(CLASSES_PATH);
	struct dirent *entry;
	__u64 bytes;

	if (!dir)
		fail_access(CLASSES_PATH);
	sizes->count = 0;
	while ((entry = readdir(dir)) != NULL) {
		bytes = strtoull(entry->d_name, NULL, 10);
		if (bytes && sizes->count < ARRAY_SIZE(sizes->bytes))
			sizes->bytes[sizes->count++] = bytes;
	}
	closedir(dir);
	qsort(sizes->bytes, sizes->count, sizeof(sizes->bytes[0]), compare);
}

void classes_run(int argc, char **argv)
{
	struct list list = {
		.name = "classes",
		.columns = columns,
		.count = ARRAY_SIZE(columns),
		.width = 7,
	};
	struct sizes sizes;
	struct class class;
	unsigned int i;

	cli_option(argc, argv, "");
	cli_arguments(argc, 0);
	find_sizes(&sizes);
	out_list_begin(&list);
	for (i = 0; i < sizes.count; i++) {
		fill(&class, sizes.bytes[i]);
		out_list_row(&list, &class);
	}
	out_list_end(&list);
}
