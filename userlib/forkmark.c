// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "forkmark.h"

int bufpool_forkmark_init(struct bufpool_forkmark *mark)
{
	size_t length = sysconf(_SC_PAGESIZE);
	unsigned char *page;
	int ret;

	page = mmap(NULL, length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* EAGAIN: more than RLIMIT_MEMLOCK, under mlockall() */
	if (page == MAP_FAILED)
		return errno == EAGAIN ? -ENOMEM : -errno;
	if (madvise(page, length, MADV_WIPEONFORK)) {
		ret = -errno;
		munmap(page, length);
		return ret;
	}
	*page = 1;
	mark->page = page;
	return 0;
}

void bufpool_forkmark_destroy(struct bufpool_forkmark *mark)
{
	munmap(mark->page, sysconf(_SC_PAGESIZE));
}
