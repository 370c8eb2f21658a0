/* SPDX-License-Identifier: MIT */
/*
 * A mark that a child of fork() finds erased
 */
#ifndef BUFPOOL_FORKMARK_H
#define BUFPOOL_FORKMARK_H

#include <stdbool.h>

/*
 * One page that the kernel wipes in the child (MADV_WIPEONFORK): seeing
 * whether this is still the process that made it costs one load.
 */
struct bufpool_forkmark {
	unsigned char *page;
};

/* 0 or -errno */
int bufpool_forkmark_init(struct bufpool_forkmark *mark);

/* In the child too */
void bufpool_forkmark_destroy(struct bufpool_forkmark *mark);

static inline bool bufpool_forkmark_erased(const struct bufpool_forkmark *mark)
{
	return !__atomic_load_n(mark->page, __ATOMIC_RELAXED);
}

#endif /* BUFPOOL_FORKMARK_H */
