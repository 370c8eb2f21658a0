// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "reserve.h"

static int set_up(char *base, size_t length)
{
	/* EINVAL: a kernel without huge pages */
	if (munlock(base, length) ||
	    madvise(base, length, MADV_DONTFORK) ||
	    madvise(base, length, MADV_DONTDUMP) ||
	    (madvise(base, length, MADV_NOHUGEPAGE) && errno != EINVAL))
		return -errno;
	return 0;
}

int bufpool_reserve_at(void *base, size_t length)
{
	/* Before Linux 4.17 the address is a wish. */
	void *start = mmap(base, length, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			   -1, 0);
	int ret;

	if (start == MAP_FAILED)
		return -ENOMEM;
	ret = start == base ? set_up(start, length) : -ENOMEM;
	if (ret)
		munmap(start, length);
	return ret;
}

int bufpool_reserve(size_t length, size_t align, void **base)
{
	char *start, *first;
	size_t whole;
	int ret;

	if (__builtin_mul_overflow(length, 2, &whole) ||
	    __builtin_add_overflow(whole, align, &whole))
		return -ENOMEM;

	start = mmap(NULL, whole, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		/*
		 * EAGAIN: more than RLIMIT_MEMLOCK, under mlockall()
		 * EINVAL: more than valgrind has
		 */
		return errno == EAGAIN || errno == EINVAL ? -ENOMEM : -errno;

	ret = set_up(start, whole);
	if (ret) {
		munmap(start, whole);
		return ret;
	}

	first = (char *)(((uintptr_t)start + align - 1) & ~(align - 1));
	if (first != start)
		munmap(start, first - start);
	munmap(first + length, start + whole - (first + length));
	*base = first;
	return 0;
}
