// SPDX-License-Identifier: MIT
/*
 * fio_bufpool - have fio do its I/O in a rented block
 *
 *   cc -shared -fPIC -o fio_bufpool.so fio_bufpool.c $(pkg-config --cflags --libs libbufpool)
 *   LD_PRELOAD=./fio_bufpool.so fio --iomem=mmap --direct=1 --name=job ...
 *
 * With --iomem=mmap each job of fio's, which is a process of its own (so not with --thread),
 * maps private memory for its buffers, in one piece. This takes the place of that one
 * call. FIO_BUFPOOL_VERBOSE=1 says on standard error what was rented.
 */
#define _GNU_SOURCE
#include <bufpool.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The one block, and which process has it */
static struct bufpool *pool;
static void *block;
static pid_t owner;

static pid_t loader;		/* the process that forks the jobs */
static int busy;		/* what the library maps for itself is no buffer */

static void __attribute__((constructor)) remember_loader(void)
{
	loader = getpid();
}

static int is_for_buffers(void *at, int protection, int flags)
{
	return !at && protection == (PROT_READ | PROT_WRITE) &&
	       flags == (MAP_PRIVATE | MAP_ANONYMOUS) && !busy && loader &&
	       getpid() != loader && getpid() != owner;
}

/* No block, and no buffers: else what fio says would not be about the pool. */
static void *rent_buffers(size_t length)
{
	busy = 1;
	pool = bufpool_open(NULL, 0);
	block = pool ? bufpool_rent(pool, length, BUFPOOL_RENT_IO) : NULL;
	busy = 0;
	if (!block) {
		fprintf(stderr, "fio_bufpool: %zu bytes: %s\n", length, bufpool_strerror(errno));
		return MAP_FAILED;
	}
	owner = getpid();
	if (getenv("FIO_BUFPOOL_VERBOSE"))
		fprintf(stderr, "fio_bufpool: rented %zu bytes\n", bufpool_block_size(pool, block));
	return block;
}

/* The one that programs with large files call */
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset)
{
	if (is_for_buffers(at, protection, flags))
		return rent_buffers(length);
	return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

int munmap(void *at, size_t length)
{
	if (!block || at != block || owner != getpid())
		return syscall(SYS_munmap, at, length);
	block = NULL;
	bufpool_return(pool, at, BUFPOOL_RETURN_REVOKE);
	return bufpool_close(pool);
}
