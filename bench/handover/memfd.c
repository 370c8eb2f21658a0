// SPDX-License-Identifier: MIT
/*
 * A new memfd for each message, passed by SCM_RIGHTS. The producer unmaps and closes it, and
 * the consumer has to trust that it does: only F_SEAL_WRITE, at some more cost, makes sure.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"
#include "pages.h"
#include "transport.h"

static int ends[2];

/* One descriptor with one byte */
struct envelope {
	char byte;
	struct iovec bytes;
	long control[CMSG_SPACE(sizeof(int)) / sizeof(long)];	/* aligned as its header */
	struct msghdr message;
};

static void envelope_make(struct envelope *envelope)
{
	memset(envelope, 0, sizeof(*envelope));
	envelope->bytes = (struct iovec){ &envelope->byte, 1 };
	envelope->message = (struct msghdr){
		.msg_iov = &envelope->bytes,
		.msg_iovlen = 1,
		.msg_control = envelope->control,
		.msg_controllen = sizeof(envelope->control),
	};
}

static void send_descriptor(int fd)
{
	struct envelope envelope;
	struct cmsghdr *header;

	envelope_make(&envelope);
	header = CMSG_FIRSTHDR(&envelope.message);
	*header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(fd)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	MUST(sendmsg(ends[1], &envelope.message, 0) == 1);
}

static int receive_descriptor(void)
{
	struct envelope envelope;
	int fd;

	envelope_make(&envelope);
	MUST(recvmsg(ends[0], &envelope.message, MSG_CMSG_CLOEXEC) == 1);
	MUST(envelope.message.msg_controllen >= CMSG_LEN(sizeof(fd)));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&envelope.message)), sizeof(fd));
	return fd;
}

static char *map(int fd, size_t size, int protection)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	MUST(at != MAP_FAILED);
	return at;
}

static bool begin(const struct load *load)
{
	(void)load;
	return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

static void produce(const struct load *load)
{
	unsigned int i;
	char *at;
	int fd;

	for (i = 0; i < load->count; i++) {
		fd = memfd_create("message", MFD_CLOEXEC);
		MUST(fd >= 0 && !ftruncate(fd, load->size));
		at = map(fd, load->size, PROT_READ | PROT_WRITE);
		pages_touch(at, load->touched);
		munmap(at, load->size);
		send_descriptor(fd);
		close(fd);
	}
}

static void consume(const struct load *load)
{
	unsigned int i;
	char *at;
	int fd;

	for (i = 0; i < load->count; i++) {
		fd = receive_descriptor();
		at = map(fd, load->size, PROT_READ);
		MUST(pages_are_touched(at, load->touched));
		munmap(at, load->size);
		close(fd);
	}
}

static void end(const struct load *load)
{
	(void)load;
	close(ends[0]);
	close(ends[1]);
}

const struct transport transport_memfd = {
	.name = "memfd",
	.begin = begin,
	.produce = produce,
	.consume = consume,
	.end = end,
};
