// SPDX-License-Identifier: MIT
/* What the pool is, and how it is set up. */
#include "array.h"
#include "budget.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "module.h"
#include "out.h"

struct info {
	char version[32];
	struct module_version module_version;
	__u64 abi_version;
	__u64 page_size;
	__u64 slab_size;
	__u64 max_pooled;
	__u64 max_rent;
	__u64 max_rent_io;
	__u64 stacks;
	__u64 limit;
	__u64 quota;
	__u64 max_clients;
	__u64 max_waiters;
	__u64 floor;
	__u64 warm_blocks;
	__u64 warm_bytes;
	__u64 trim_ms;
	struct sizes block_sizes;
	struct sizes io_block_sizes;
};

#define COLUMN(_kind, _name)	\
	{ #_name, NULL, _kind, offsetof(struct info, _name) }

static const struct column columns[] = {
	COLUMN(KIND_WORD, version),
	COLUMN(KIND_WORD, module_version),
	COLUMN(KIND_COUNT, abi_version),
	COLUMN(KIND_SIZES, block_sizes),
	COLUMN(KIND_SIZES, io_block_sizes),
	COLUMN(KIND_BYTES, page_size),
	COLUMN(KIND_BYTES, slab_size),
	COLUMN(KIND_BYTES, max_pooled),
	COLUMN(KIND_BYTES, max_rent),
	COLUMN(KIND_BYTES, max_rent_io),
	COLUMN(KIND_COUNT, stacks),
	COLUMN(KIND_BYTES, limit),
	COLUMN(KIND_BYTES, quota),
	COLUMN(KIND_COUNT, max_clients),
	COLUMN(KIND_COUNT, max_waiters),
	COLUMN(KIND_BYTES, floor),
	COLUMN(KIND_COUNT, warm_blocks),
	COLUMN(KIND_BYTES, warm_bytes),
	COLUMN(KIND_COUNT, trim_ms),
};

static void add_size(struct sizes *sizes, __u64 bytes)
{
	if (sizes->count < ARRAY_SIZE(sizes->bytes))
		sizes->bytes[sizes->count++] = bytes;
}

/* The block sizes of each backing; one that is not known is passed over. */
static void fill_sizes(struct info *info, int fd, const struct bufpool_info *from)
{
	struct bufpool_class_info class;
	__u32 nr;

	for (nr = 0; nr < from->nr_classes; nr++) {
		device_class(fd, from, nr, &class);
		if (class.backing == BUFPOOL_BACKING_SLAB)
			add_size(&info->block_sizes, class.block_size);
		else if (class.backing == BUFPOOL_BACKING_PAGES)
			add_size(&info->io_block_sizes, class.block_size);
	}
}

static void fill_device(struct info *info)
{
	struct bufpool_info from;
	int fd = device_open();

	device_info(fd, &from);
	info->abi_version = from.abi_version;
	info->page_size = from.page_size;
	info->slab_size = from.slab_size;
	info->max_pooled = from.max_pooled;
	info->max_rent = from.max_rent;
	info->max_rent_io = from.max_rent_io;
	info->stacks = from.nr_stacks;
	info->limit = from.limit;
	fill_sizes(info, fd, &from);
}

static void fill_parameters(struct info *info)
{
	info->quota = quota_read();
	info->max_clients = parameter_read("max_clients");
	info->max_waiters = parameter_read("max_waiters");
	info->floor = parameter_read("floor");
	info->warm_blocks = parameter_read("warm_blocks");
	info->warm_bytes = parameter_read("warm_bytes");
	info->trim_ms = parameter_read("trim_ms");
}

void info_run(int argc, char **argv)
{
	struct info info = { .version = BUFPOOL_VERSION };

	cli_option(argc, argv, "");
	cli_arguments(argc, 0);
	info.module_version = module_version();
	fill_device(&info);
	fill_parameters(&info);
	out_record(columns, ARRAY_SIZE(columns), &info);
}
