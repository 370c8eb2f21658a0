// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stddef.h>

#include "pool.h"

static const struct {
	int error;
	const char *text;
} errors[] = {
	{ 0, "no error" },
	{ EAGAIN, "nothing is free now, or a channel full or empty, and the call was not to wait" },
	{ EACCES, "the user may not open the device: it takes the group bufpool" },
	{ EBADF, "a descriptor that is not open any more, or the other end of a channel" },
	{ EBUSY, "dma-bufs or the kernel's I/O have the block, or as many dma-bufs as may" },
	{ ECANCELED, "the pool's calls are not to wait any more (bufpool_cancel)" },
	{ ECHILD, "the pool is of the process that forked this one: open another" },
	{ EDEADLK, "the signal handler interrupted a call of the same thread" },
	{ EDQUOT, "over the client's ceiling, the user's quota or the pool's limit" },
	{ EEXIST, "the block is this pool's already" },
	{ EFBIG, "the private pool is larger than a file may be (RLIMIT_FSIZE)" },
	{ EINTR, "a signal handler interrupted the wait" },
	{ EINVAL, "NULL, a pointer into a block, a size of 0, or an unknown flag" },
	{ EMFILE, "the process has as many descriptors open as it may" },
	{ EMSGSIZE, "larger than the largest block" },
	{ ENOENT, "no block of this pool, or no device: is the module loaded?" },
	{ ENOMEM, "no memory, or no address space" },
	{ ENOTTY, "not the device, or a module that is too old" },
	{ EOPNOTSUPP, "a private pool has no dma-bufs and no channels, or the kernel no dma-bufs" },
	{ EPIPE, "the channel has no receive end any more" },
	{ ESTALE, "the block has been returned, or sent" },
	{ ETIMEDOUT, "waited as long as was asked" },
	{ E2BIG, "a structure does not begin with its size, or what follows is too new" },
};

const char *bufpool_strerror(int error)
{
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (errors[i].error == error || errors[i].error == -(long)error)
			return errors[i].text;
	return "no error of this library's: see strerror(3)";
}
