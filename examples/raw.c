// SPDX-License-Identifier: MIT
/* Print what sum(1) prints for a file, read through a rented block. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
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
	unsigned char *block;
	unsigned int sum = 0;
	ssize_t n, i;

	if (pool < 0 || file < 0 || ioctl(pool, BUFPOOL_IOC_RENT, &rent))
		err(1, "rent");
	block = mmap(NULL, rent.length, PROT_READ | PROT_WRITE, MAP_SHARED,
		     pool, rent.offset);
	if (block == MAP_FAILED)
		err(1, "mmap");
	while ((n = read(file, block, rent.length)) > 0)
		for (i = 0; i < n; i++)
			sum = ((sum >> 1) + ((sum & 1) << 15) + block[i]) & 0xffff;
	give.handle = rent.handle;
	if (n < 0 || ioctl(pool, BUFPOOL_IOC_RETURN, &give))
		err(1, "read or return");
	printf("%05u\n", sum);
	return 0;
}
