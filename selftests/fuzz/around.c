// SPDX-License-Identifier: MIT
/*
 * What goes on around the calls: files of the kernel, parameters, children, descriptors
 * that are handed on, and failures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "../device.h"
#include "guard.h"
#include "verbs.h"

#define SYSFS		"/sys/class/misc/bufpool/"
#define PARAMETERS	"/sys/module/bufpool/parameters/"

/* To be read with whatever is in them. */
static const char *const files[] = {
	"/sys/kernel/debug/bufpool/clients", "/sys/kernel/debug/bufpool/accounts",
	"/sys/kernel/debug/bufpool/channels", "/sys/kernel/debug/bufpool/cgroups",
	SYSFS "in_use", SYSFS "kept", SYSFS "quota", SYSFS "quarantined",
	SYSFS "classes/4096/free", SYSFS "classes/4096/waiting", SYSFS "classes/io-4096/out",
	"/proc/self/smaps", "/proc/self/numa_maps", PARAMETERS "limit",
};

#define NR_FILES	(sizeof(files) / sizeof(*files))

void do_look(struct world *world, const struct op *op)
{
	const char *path = files[op->b % NR_FILES];
	char name[64];
	int fd;

	if (op->a % 2) {
		snprintf(name, sizeof(name), "/proc/self/fdinfo/%d",
			 world->clients[op->who % CLIENTS].fd);
		path = name;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (read(fd, world->scratch, SCRATCH) > 0)
		;
	close(fd);
	memset(world->scratch, 0, SCRATCH);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

/* What root may say of all; each round begins with what was before. */
static const struct {
	const char *path;
	const char *texts[6];
} settings[] = {
	{ PARAMETERS "limit", { "8M", "16M", "64M", "128K", "0", "limit" } },
	{ PARAMETERS "quota", { "0", "8M", "4M", "256K", "-1", "" } },
	{ PARAMETERS "share", { "0", "1M", "8M", "4K", "x", "99999999999999999999" } },
	{ PARAMETERS "floor", { "0", "1M", "128K", "64M", "1", "\n" } },
	{ PARAMETERS "warm_blocks", { "0", "1", "16", "512", "-1", "100000" } },
	{ PARAMETERS "warm_bytes", { "0", "64K", "1M", "16M", "-1", "1K" } },
	{ PARAMETERS "trim_ms", { "1", "10", "1000", "100", "-1", "0" } },
	{ PARAMETERS "max_clients", { "32", "64", "1000", "100", "0", "-1" } },
	{ PARAMETERS "max_waiters", { "1", "2", "16", "1000", "0", "-1" } },
	{ SYSFS "classes/4096/reserve", { "0", "4096", "128K", "1M", "-1", "1" } },
	{ SYSFS "classes/65536/reserve", { "0", "64K", "128K", "1M", "99G", "x" } },
	{ SYSFS "trim", { "1", "1", "0", "1", "", "2" } },
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(*settings))

void do_set(struct world *world, const struct op *op)
{
	unsigned int nr = op->a % NR_SETTINGS;

	if (world->is_root)
		write_file(settings[nr].path, settings[nr].texts[op->b % 6]);
}

/* A child shares the clients, and nothing that is mapped, unless mm was told otherwise. */
static void be_a_child(struct world *world, const struct op *op)
{
	const struct window *window = &world->windows[op->slot % WINDOWS];
	char *const arguments[] = { "fuzzer", NULL };
	char *const environment[] = { "BUFPOOL_TEST_HOLD=1", NULL };
	struct bufpool_rent rented;
	int fd = world->clients[op->who % CLIENTS].fd;

	if (window->intact && !is_offset_for_io(world, window->offset) &&
	    !guard_peek(window->at))
		_exit(2);
	if (fd >= 0 && !rent(fd, 1 + op->b % 65536, &rented) && op->c & 1)
		give(fd, rented.handle);
	if (op->a % 128 == 0)
		execve("/proc/self/exe", arguments, environment);
	_exit(0);
}

void do_fork(struct world *world, const struct op *op)
{
	pid_t pid;
	int status;

	/* a process costs as much as a thousand calls: one in a life at most */
	if (op->a % 32 || world->forked)
		return;
	world->forked = true;
	/* what the child rents is the client's as well */
	pid = fork();
	if (!pid)
		be_a_child(world, op);
	if (pid < 0)
		return;
	while (waitpid(pid, &status, 0) != pid) {
		if (errno != EINTR)
			return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		blame(world, "a child can touch what its parent has mapped");
	if (WIFSIGNALED(status))
		blame(world, "a child has ended by signal %d", WTERMSIG(status));
}

/**
 * struct parcel - what goes with a descriptor
 * @id: of the client; or 0 where it is an end of a channel
 * @sends: which end
 */
struct parcel {
	__u64 id;
	bool sends;
};

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void message_make(struct msghdr *message, struct iovec *iovec, struct parcel *parcel,
			 union control *control)
{
	memset(control, 0, sizeof(*control));
	*iovec = (struct iovec){ parcel, sizeof(*parcel) };
	*message = (struct msghdr){
		.msg_iov = iovec,
		.msg_iovlen = 1,
		.msg_control = control->bytes,
		.msg_controllen = sizeof(control->bytes),
	};
}

static bool post(const struct world *world, struct parcel *parcel, int fd)
{
	union control control;
	struct msghdr message;
	struct iovec iovec;

	message_make(&message, &iovec, parcel, &control);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	return sendmsg(world->legacy->post[0], &message, MSG_DONTWAIT) >= 0;
}

/* Hand a descriptor to whoever wants it: the client is no more this thread's alone. */
void do_pass(struct world *world, const struct op *op)
{
	struct client *client = &world->clients[op->who % CLIENTS];
	struct ends *ends = &world->channels[op->who % CHANNELS];
	struct parcel parcel;

	memset(&parcel, 0, sizeof(parcel));
	if (op->a % 4) {
		parcel.sends = op->a & 4;
		post(world, &parcel, parcel.sends ? ends->sends : ends->receives);
		return;
	}
	parcel.id = client->id;
	if (client->fd < 0)
		return;
	client->weak = true;
	post(world, &parcel, client->fd);
}

static void adopt(struct world *world, const struct op *op, const struct parcel *parcel, int fd)
{
	struct ends *ends = &world->channels[OWN_CHANNELS + op->slot % (CHANNELS - OWN_CHANNELS)];
	int *end = parcel->sends ? &ends->sends : &ends->receives;

	if (parcel->id) {
		client_adopt(world, OWN_CLIENTS + op->slot % (CLIENTS - OWN_CLIENTS), fd,
			     parcel->id);
		return;
	}
	if (*end >= 0)
		close(*end);
	*end = fd;
}

void do_adopt(struct world *world, const struct op *op)
{
	union control control;
	struct msghdr message;
	struct parcel parcel;
	struct iovec iovec;
	int fd;

	message_make(&message, &iovec, &parcel, &control);
	if (recvmsg(world->legacy->post[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
	    sizeof(parcel) || message.msg_controllen < CMSG_LEN(sizeof(fd)))
		return;
	memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
	adopt(world, op, &parcel, fd);
}

/* Something in the next operation is to fail. */
void do_fault(struct world *world, const struct op *op)
{
	world->fails = 1 + op->a % 24;
}

void do_yield(struct world *world, const struct op *op)
{
	(void)world;
	if (op->a % 16)
		sched_yield();
	else
		usleep(1 + op->b % 1000);
}
