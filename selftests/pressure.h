/* SPDX-License-Identifier: MIT */
/*
 * Memory pressure, which tests of what the pool does then make themselves.
 */
#ifndef PRESSURE_H
#define PRESSURE_H

#include "bufpool_test.h"

#define SYSCTL_VM	"/proc/sys/vm/"

/* What is not set aside: more than any of the tests has, and little to fill */
#define LEFT_KIB	(64 * KIB)

/* The number in a line of /proc/meminfo or /proc/vmstat. */
static inline __u64 number_in(const char *path, const char *name)
{
	char line[128], *end = NULL;
	size_t len = strlen(name);
	__u64 value = 0;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) || !strchr(": ", line[len]))
			continue;
		value = strtoull(line + len + 1, &end, 10);
		break;
	}
	if (file)
		fclose(file);
	return value;
}

/* Of /proc/meminfo, most of which are numbers of KiB. */
static inline __u64 memory_number(const char *name)
{
	return number_in("/proc/meminfo", name);
}

/* A number of SYSCTL_VM, or 0. */
static inline __u64 vm_number(const char *name)
{
	unsigned long long number = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), SYSCTL_VM "%s", name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

static inline void set_vm_number(const char *name, __u64 number)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), SYSCTL_VM "%s", name);
	snprintf(text, sizeof(text), "%llu", number);
	write_text(path, text);
}

/* What was before set_memory_aside(). */
struct aside {
	__u64 hugepages;
	__u64 boost;
};

/*
 * Set memory aside for huge pages, all but @left KiB, since that takes no time: what
 * is left is used up sooner. That it is in pieces shall not be a shortage, for which
 * the system would reclaim a piece of the largest size and more.
 */
static inline struct aside set_memory_aside(__u64 left)
{
	struct aside before = {
		.hugepages = vm_number("nr_hugepages"),
		.boost = vm_number("watermark_boost_factor"),
	};
	__u64 huge = memory_number("Hugepagesize");
	__u64 available = memory_number("MemAvailable");

	set_vm_number("watermark_boost_factor", 0);
	if (huge && available > left)
		set_vm_number("nr_hugepages",
			      before.hugepages + (available - left) / huge);
	return before;
}

static inline void put_memory_back(const struct aside *before)
{
	set_vm_number("nr_hugepages", before->hugepages);
	set_vm_number("watermark_boost_factor", before->boost);
}

/*
 * Take memory, @step by @step, until that is @enough, but an eighth of the swap stays
 * free, so that no process gets killed for it. To be run in a child, which gives it back
 * by its end. Each page has one byte all over: zram swaps such out
 * without compressing, which is what took longest.
 */
static inline bool take_memory(size_t step, bool (*enough)(void *arg),
			       void *arg)
{
	__u64 least = memory_number("SwapFree") / 8;
	size_t i;

	write_text("/proc/self/oom_score_adj", "1000");
	while (memory_number("SwapFree") > least) {
		char *at = mmap(NULL, step, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				-1, 0);

		if (at == MAP_FAILED)
			break;
		madvise(at, step, MADV_HUGEPAGE);
		for (i = 0; i < step; i += PAGE)
			memset(at + i, 0x5a, PAGE);
		if (enough(arg))
			return true;
	}
	/* The system reclaims in the background, too. */
	return BECOMES(enough(arg));
}

#endif /* PRESSURE_H */
