/* SPDX-License-Identifier: MIT */
/*
 * Stamps: what a client writes into its blocks, at both ends of some pages, so that
 * bytes that come where they should not say whose they are.
 */
#ifndef FUZZ_STAMP_H
#define FUZZ_STAMP_H

#include <stdbool.h>

#include <linux/types.h>

/**
 * struct stamp - what is written
 * @id: of the client, which no other has or had; or 0
 * @handle: of the rental
 */
struct stamp {
	__u64 id;
	__u64 handle;
};

/**
 * struct stamp_look - a look at stamps
 * @at: the block
 * @length: its bytes
 * @from: of these, look at those from here on
 * @to: up to here
 * @id: what must be there
 * @handle: and which rental's, or 0 for any
 * @or_zero: nothing may be there instead
 * @found: what was there and should not be
 * @where: at which byte
 */
struct stamp_look {
	const char *at;
	__u64 length;
	__u64 from;
	__u64 to;
	__u64 id;
	__u64 handle;
	bool or_zero;
	struct stamp found;
	__u64 where;
};

enum stamp_verdict {
	STAMP_FINE,
	STAMP_FAULTED,		/* a touch raised a signal */
	STAMP_FOREIGN,
};

int stamp_put(char *at, __u64 length, __u64 id, __u64 handle);
enum stamp_verdict stamp_look(struct stamp_look *look);

#endif /* FUZZ_STAMP_H */
