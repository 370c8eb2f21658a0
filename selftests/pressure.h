/* SPDX-License-Identifier: MIT */
/*
 * Memory pressure, which tests of what the pool does then make themselves.
 */
#ifndef PRESSURE_H
#define PRESSURE_H

#include "bufpool_test.h"

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

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

static inline void set_nr_hugepages(__u64 count)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", count);
	write_text(NR_HUGEPAGES, text);
}

/*
 * Set memory aside for huge pages, all but some, since that takes no time: what
 * is left is used up sooner. Says how many there were before.
 */
static inline __u64 set_memory_aside(void)
{
	__u64 before = memory_number("HugePages_Total");
	__u64 huge = memory_number("Hugepagesize");
	__u64 available = memory_number("MemAvailable");

	if (huge && available > LEFT_KIB)
		set_nr_hugepages(before + (available - LEFT_KIB) / huge);
	return before;
}

/*
 * Take memory, @step by @step, until that is @enough, but not more than there is
 * and half of the swap on top, so that no process gets killed for it. To be run in
 * a child, which gives it back by its end. Each page has one byte all over: zram
 * swaps such out without compressing, which is what took longest.
 */
static inline bool take_memory(size_t step, bool (*enough)(void *arg),
			       void *arg)
{
	__u64 most = (memory_number("MemAvailable") +
		      memory_number("SwapFree") / 2) * KIB;
	__u64 taken;
	size_t i;

	write_text("/proc/self/oom_score_adj", "1000");
	for (taken = 0; taken < most; taken += step) {
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
	return false;
}

#endif /* PRESSURE_H */
