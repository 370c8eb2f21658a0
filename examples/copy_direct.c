// SPDX-License-Identifier: MIT
/*
 * copy_direct - copy a file past the page cache, through one rented block
 *
 *   cc -o copy_direct copy_direct.c $(pkg-config --cflags --libs libbufpool)
 *   ./copy_direct FROM TO
 *
 * BUFPOOL_RENT_IO makes a block that the kernel can take hold of for O_DIRECT. It is
 * aligned to its own size, which is enough for any device.
 */
#define _GNU_SOURCE
#include <bufpool.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK	(1024 * 1024)
/* Direct writes are of whole sectors; no device has larger ones. */
#define SECTOR	4096

static int open_direct(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* What is beyond the end of the file is in the last sector, and cut off afterwards. */
static void write_chunk(int to, const char *block, size_t length, off_t at)
{
	size_t whole = (length + SECTOR - 1) / SECTOR * SECTOR;
	ssize_t done = pwrite(to, block, whole, at);

	if (done < 0)
		err(1, "write");
	if ((size_t)done != whole)
		errx(1, "a short write");
}

static off_t copy(int from, int to, char *block)
{
	off_t at = 0;
	ssize_t n;

	for (;;) {
		n = pread(from, block, CHUNK, at);
		if (n < 0)
			err(1, "read");
		if (!n)
			return at;
		write_chunk(to, block, n, at);
		at += n;
	}
}

int main(int argc, char **argv)
{
	struct bufpool *pool;
	int from, to;
	char *block;
	off_t size;

	if (argc != 3)
		errx(2, "usage: copy_direct FROM TO");
	from = open_direct(argv[1], O_RDONLY);
	to = open_direct(argv[2], O_WRONLY | O_CREAT | O_TRUNC);
	pool = bufpool_open(NULL, 0);
	if (!pool)
		errx(1, "open: %s", bufpool_strerror(errno));
	block = bufpool_rent(pool, CHUNK, BUFPOOL_RENT_IO);
	if (!block)
		errx(1, "rent: %s", bufpool_strerror(errno));
	size = copy(from, to, block);
	if (ftruncate(to, size) || fsync(to))
		err(1, "%s", argv[2]);
	bufpool_return(pool, block, 0);
	return bufpool_close(pool) ? 1 : 0;
}
