/* SPDX-License-Identifier: MIT */
/*
 * Calls of the device, which an operation's twist makes wrong.
 */
#ifndef FUZZ_CALL_H
#define FUZZ_CALL_H

#include "world.h"

int call(struct world *world, const struct op *op, int fd, unsigned long cmd, void *arg,
	 size_t size);

/* With a structure whose first field is its size. */
#define CALL(_world, _op, _fd, _cmd, _arg)					\
	call(_world, _op, _fd, _cmd, _arg, sizeof(*(_arg)))

__u64 pick_size(const struct world *world, __u32 from);
__s64 pick_timeout(const struct world *world, __u32 from, __u32 *flags, __u32 nonblock);
__u64 wild_pointer(const struct world *world, __u32 from);

#endif /* FUZZ_CALL_H */
