// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stddef.h>

#include <linux/bufpool.h>

#include "errnos.h"

#define MOST	9

/* Besides those of every call with a structure */
static const struct {
	unsigned long call;
	int numbers[MOST];
} documented[] = {
	{ BUFPOOL_IOC_INFO, { 0 } },
	{ BUFPOOL_IOC_CLASS, { 0 } },
	{ BUFPOOL_IOC_RENT, { EMSGSIZE, EAGAIN, ETIMEDOUT, EINTR, ECANCELED, EDQUOT, ENOMEM } },
	{ BUFPOOL_IOC_RENT_MANY, { EMSGSIZE, EAGAIN, ETIMEDOUT, EINTR, ECANCELED, EDQUOT,
				   ENOMEM } },
	{ BUFPOOL_IOC_RETURN, { ENOENT, ESTALE } },
	{ BUFPOOL_IOC_RETURN_MANY, { ENOENT, ESTALE } },
	{ BUFPOOL_IOC_LIMIT, { EPERM } },
	{ BUFPOOL_IOC_STATS, { 0 } },
	{ BUFPOOL_IOC_TRIM, { 0 } },
	{ BUFPOOL_IOC_QUOTA, { EPERM, ENOMEM } },
	{ BUFPOOL_IOC_CANCEL, { 0 } },
	{ BUFPOOL_IOC_POLLER, { EMSGSIZE, EDQUOT, EMFILE, ENFILE, ENOMEM } },
	{ BUFPOOL_IOC_EXPORT, { ENOENT, ESTALE, EBUSY, EMFILE, ENFILE, ENOMEM, EOPNOTSUPP } },
	{ BUFPOOL_IOC_CHANNEL, { EDQUOT, EMFILE, ENFILE, ENOMEM } },
	{ BUFPOOL_IOC_SEND, { EBADF, EPIPE, ENOENT, ESTALE, EBUSY, EAGAIN, ETIMEDOUT, EINTR,
			      ECANCELED } },
	{ BUFPOOL_IOC_RECEIVE, { EBADF, EAGAIN, ETIMEDOUT, EINTR, ECANCELED, EDQUOT } },
	{ ERRNOS_OPEN, { EDQUOT, ENOMEM, EMFILE, ENFILE } },
	/* the last two are of MAP_LOCKED */
	{ ERRNOS_MMAP, { EINVAL, ENOMEM, EACCES, EOVERFLOW, EAGAIN, EPERM } },
	{ ERRNOS_MAPPED, { EINVAL, ENOMEM, EACCES, EFAULT, EAGAIN } },
};

static bool is_among(const int *numbers, int number)
{
	unsigned int i;

	for (i = 0; i < MOST; i++) {
		if (numbers[i] && numbers[i] == number)
			return true;
	}
	return false;
}

static bool is_of_structure(int number)
{
	return number == EFAULT || number == EINVAL || number == E2BIG;
}

/*
 * @faulted: something in it is made to fail, which is one of two errors
 */
bool errnos_has(unsigned long call, int number, bool faulted)
{
	size_t i;

	if (faulted && (number == ENOMEM || number == EFAULT))
		return true;
	for (i = 0; i < sizeof(documented) / sizeof(*documented); i++) {
		if (documented[i].call == call)
			return (call < ERRNOS_MAPPED && is_of_structure(number)) ||
			       is_among(documented[i].numbers, number);
	}
	/* there is no such call */
	return number == ENOTTY;
}
