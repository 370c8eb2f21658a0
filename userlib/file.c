// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

int bufpool_file_init(struct bufpool_file *file, int fd)
{
	struct stat stat = { 0 };

	if (fstat(fd, &stat))
		return -errno;
	file->fd = fd;
	file->device = stat.st_dev;
	file->inode = stat.st_ino;
	return 0;
}

bool bufpool_file_is_open(const struct bufpool_file *file)
{
	struct stat stat = { 0 };

	return !fstat(file->fd, &stat) && stat.st_dev == file->device &&
	       stat.st_ino == file->inode;
}

void bufpool_file_close(const struct bufpool_file *file)
{
	if (bufpool_file_is_open(file))
		close(file->fd);
}
