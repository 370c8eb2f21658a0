// SPDX-License-Identifier: MIT
/* Copy a file to standard output through a rented block. */
#include <err.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/bufpool.h>

int main(int argc, char **argv)
{
	struct bufpool_rent rent = { .size = sizeof(rent), .min_size = 65536 };
	struct bufpool_return give = { .size = sizeof(give) };
	int pool = open("/dev/bufpool", O_RDWR | O_CLOEXEC);
	int file = argc == 2 ? open(argv[1], O_RDONLY) : STDIN_FILENO;
	void *block;
	ssize_t n;

	if (pool < 0 || file < 0 || ioctl(pool, BUFPOOL_IOC_RENT, &rent))
		err(1, "rent");
	block = mmap(NULL, rent.length, PROT_READ | PROT_WRITE, MAP_SHARED,
		     pool, rent.offset);
	if (block == MAP_FAILED)
		err(1, "mmap");
	while ((n = read(file, block, rent.length)) > 0)
		if (write(STDOUT_FILENO, block, n) != n)
			err(1, "write");
	give.handle = rent.handle;
	if (n < 0 || ioctl(pool, BUFPOOL_IOC_RETURN, &give))
		err(1, "read or return");
	return 0;
}
