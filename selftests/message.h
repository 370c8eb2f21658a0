/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that are passed on in messages.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static inline bool send_descriptor(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = "";
	struct iovec iov = { .iov_base = (char *)"", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(socket, &msg, 0) == 1;
}

static inline int receive_descriptor(int socket)
{
	int fd;
	char byte, control[CMSG_SPACE(sizeof(fd))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(socket, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

#endif /* MESSAGE_H */
