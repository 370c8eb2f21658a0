// SPDX-License-Identifier: MIT
/* What programs do instead: memory from the system, each time anew. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "measure.h"
#include "pages.h"

#define LARGE	(1024 * 1024)
#define HUGE	(2 * LARGE)

static void *map(size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static uint64_t use_map(size_t size, int flags)
{
	uint64_t begin = now();
	char *at = map(size, flags);

	MUST(at != MAP_FAILED);
	pages_touch(at, size);
	munmap(at, size);
	return now() - begin;
}

static uint64_t use_map_4k(void)
{
	return use_map(PAGE, 0);
}

static uint64_t use_map_1m(void)
{
	return use_map(LARGE, 0);
}

static uint64_t use_map_huge(void)
{
	return use_map(HUGE, MAP_HUGETLB);
}

static uint64_t malloc_pair(void)
{
	uint64_t begin = now();
	void *at = malloc(PAGE);

	/* else the compiler sees through it */
	__asm__ volatile("" : "+r"(at));
	MUST(at);
	free(at);
	return now() - begin;
}

static uint64_t use_memfd(void)
{
	uint64_t begin = now();
	int fd = memfd_create("bench", MFD_CLOEXEC);
	char *at;

	MUST(fd >= 0 && !ftruncate(fd, PAGE));
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(at != MAP_FAILED);
	pages_touch(at, PAGE);
	close(fd);
	munmap(at, PAGE);
	return now() - begin;
}

/* Where the kernel has none, nothing is said of them. */
static void measure_huge(void)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "we");
	void *at;

	if (!file)
		return;
	fprintf(file, "2\n");
	fclose(file);
	at = map(HUGE, MAP_HUGETLB);
	if (at == MAP_FAILED)
		return;
	munmap(at, HUGE);
	measure("mmap.huge.2m", use_map_huge, SOME, 1);
}

void peers_measure(void)
{
	measure("malloc.4k", malloc_pair, OFTEN, 1);
	measure("mmap.4k", use_map_4k, SOME, 1);
	measure("mmap.1m", use_map_1m, SOME, 1);
	measure("memfd.4k", use_memfd, SOME, 1);
	measure_huge();
}
