// SPDX-License-Identifier: MIT
/* Slabs and blocks of each class. Text is last in a list. */
#include <getopt.h>
#include <stdlib.h>

#include "array.h"
#include "class.h"
#include "cli.h"
#include "commands.h"
#include "out.h"

#define COLUMN(_kind, _name, _label)	\
	{ #_name, _label, _kind, offsetof(struct class, _name) }

static const struct column columns[] = {
	COLUMN(KIND_BYTES, block_size, "block"),
	COLUMN(KIND_COUNT, slabs, "slabs"),
	COLUMN(KIND_COUNT, idle_slabs, "idle"),
	COLUMN(KIND_COUNT, free, "free"),
	COLUMN(KIND_COUNT, out, "out"),
	COLUMN(KIND_COUNT, waiting, "waiting"),
	COLUMN(KIND_TEXT, backing, "backing"),
};

void classes_run(int argc, char **argv)
{
	struct list list = {
		.name = "classes",
		.columns = columns,
		.count = ARRAY_SIZE(columns),
		.width = 7,
	};
	struct class *classes;
	size_t count, i;

	cli_option(argc, argv, "");
	cli_arguments(argc, 0);
	count = class_read_all(&classes);
	out_list_begin(&list);
	for (i = 0; i < count; i++)
		out_list_row(&list, &classes[i]);
	out_list_end(&list);
	free(classes);
}
