/* SPDX-License-Identifier: MIT */
/*
 * A disk whose transfers stand still until a test lets them go on.
 *
 * It is memory (zram) below two linear mappings of the device mapper. The lower one is
 * suspended while the gate is shut: what the upper one passes on waits there, with all
 * the pages that it is about, and the upper one counts it as in flight.
 */
#ifndef GATE_H
#define GATE_H

#include "bufpool_test.h"

#include <sys/sysmacros.h>
#include <linux/dm-ioctl.h>

#define GATE_BYTES	(16 * MIB)
#define GATE_CONTROL	"/dev/mapper/control"
#define ZRAM_CONTROL	"/sys/class/zram-control/"

/* One call of the device mapper, with room for a table of one line. */
struct gate_call {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char line[64];
};

/**
 * struct gate - the disk
 * @zram: number of the zram device, or -1
 * @lower: device number of the mapping that is suspended
 * @upper: of the one that is used
 * @fd: the disk, O_DIRECT
 */
struct gate {
	int zram;
	dev_t lower;
	dev_t upper;
	int fd;
};

static inline int gate_ioctl(unsigned long cmd, const char *name, __u32 flags,
			     struct gate_call *call)
{
	int fd = open(GATE_CONTROL, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	call->head.version[0] = DM_VERSION_MAJOR;
	call->head.data_size = sizeof(*call);
	call->head.data_start = offsetof(struct gate_call, target);
	call->head.flags = flags;
	snprintf(call->head.name, sizeof(call->head.name), "%s", name);
	ret = ioctl(fd, cmd, call) ? -errno : 0;
	close(fd);
	return ret;
}

/* Make a mapping of all of @below; its device number, or 0 */
static inline dev_t gate_map(const char *name, dev_t below)
{
	struct gate_call create = { .line = "" };
	struct gate_call load = {
		.head.target_count = 1,
		.target = {
			.length = GATE_BYTES / 512,
			.target_type = "linear",
		},
	};
	struct gate_call resume = { .line = "" };

	snprintf(load.line, sizeof(load.line), "%u:%u 0", major(below), minor(below));
	if (gate_ioctl(DM_DEV_CREATE, name, 0, &create) ||
	    gate_ioctl(DM_TABLE_LOAD, name, 0, &load) ||
	    gate_ioctl(DM_DEV_SUSPEND, name, 0, &resume))
		return 0;
	return makedev(resume.head.dev >> 8 & 0xfff,
		       (resume.head.dev & 0xff) | (resume.head.dev >> 12 & 0xfff00));
}

/* From now on transfers wait. */
static inline int gate_shut(void)
{
	struct gate_call call = { .line = "" };

	return gate_ioctl(DM_DEV_SUSPEND, "bufpool-lower",
			  DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG, &call);
}

/* Those that waited go on. */
static inline int gate_open(void)
{
	struct gate_call call = { .line = "" };

	return gate_ioctl(DM_DEV_SUSPEND, "bufpool-lower", 0, &call);
}

static inline void gate_unmap(const char *name)
{
	struct gate_call call = { .line = "" };

	BECOMES(gate_ioctl(DM_DEV_REMOVE, name, 0, &call) != -EBUSY);
}

/* A new zram device: its number, or -1 */
static inline int gate_add_zram(void)
{
	char text[64] = "", path[64];
	int fd = open(ZRAM_CONTROL "hot_add", O_RDONLY | O_CLOEXEC), nr;

	if (fd < 0)
		return -1;
	nr = read(fd, text, sizeof(text) - 1) > 0 ? atoi(text) : -1;
	close(fd);
	snprintf(path, sizeof(path), "/sys/block/zram%d/disksize", nr);
	snprintf(text, sizeof(text), "%llu", GATE_BYTES);
	return write_text(path, text) ? -1 : nr;
}

static inline void gate_remove_zram(int nr)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nr);
	BECOMES(write_text(ZRAM_CONTROL "hot_remove", text) != -EBUSY);
}

static inline dev_t gate_zram_dev(int nr)
{
	struct stat stat_of;
	char path[32];

	snprintf(path, sizeof(path), "/dev/zram%d", nr);
	return stat(path, &stat_of) ? 0 : stat_of.st_rdev;
}

/* How many transfers are under way, or wait at the gate. */
static inline unsigned int gate_in_flight(const struct gate *gate)
{
	unsigned int reads = 0, writes = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/inflight", major(gate->upper),
		 minor(gate->upper));
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%u %u", &reads, &writes) != 2)
		reads = 0;
	fclose(file);
	return reads + writes;
}

/* Why there can be none here, or NULL */
static inline const char *gate_is_impossible(void)
{
	if (access(GATE_CONTROL, F_OK))
		return "there is no device mapper: dm-mod";
	return access(ZRAM_CONTROL "hot_add", F_OK) ? "there is no zram" : NULL;
}

/* Make it, open; whether that went well */
static inline bool gate_make(struct gate *gate)
{
	char path[32];

	gate->lower = 0;
	gate->upper = 0;
	gate->fd = -1;
	gate->zram = gate_add_zram();
	if (gate->zram < 0)
		return false;
	gate->lower = gate_map("bufpool-lower", gate_zram_dev(gate->zram));
	if (gate->lower)
		gate->upper = gate_map("bufpool-upper", gate->lower);
	snprintf(path, sizeof(path), "/dev/dm-%u", minor(gate->upper));
	if (gate->upper)
		gate->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	return gate->fd >= 0;
}

static inline void gate_end(struct gate *gate)
{
	if (gate->lower)
		gate_open();
	if (gate->fd >= 0)
		close(gate->fd);
	gate_unmap("bufpool-upper");
	gate_unmap("bufpool-lower");
	if (gate->zram >= 0)
		gate_remove_zram(gate->zram);
}

#endif /* GATE_H */
