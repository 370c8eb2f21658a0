// SPDX-License-Identifier: MIT
/*
 * What reaches a block from outside the pool: dma-bufs, pipes, and those that look into a
 * process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <linux/dma-buf.h>

#include "../device.h"
#include "call.h"
#include "guard.h"
#include "stamp.h"
#include "verbs.h"

static void close_export(struct exported *exported)
{
	if (exported->at)
		munmap(exported->at, exported->length);
	if (exported->fd >= 0)
		close(exported->fd);
	*exported = (struct exported){ .fd = NO_FD };
}

void do_export(struct world *world, const struct op *op)
{
	struct exported *exported = &world->exports[op->b % EXPORTS];
	struct holding *holding = holding_any(world, op->slot);
	struct bufpool_export arg = { .size = sizeof(arg) };
	char *at;
	int fd;

	close_export(exported);
	if (!holding)
		return;
	arg.handle = holding->handle;
	fd = CALL(world, op, client_of(world, holding)->fd, BUFPOOL_IOC_EXPORT, &arg);
	if (fd < 0)
		return;
	at = mmap(NULL, holding->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*exported = (struct exported){
		.fd = fd,
		.at = at == MAP_FAILED ? NULL : at,
		.length = holding->length,
		.offset = holding->offset,
		.id = is_strong(world, holding) ? client_of(world, holding)->id : 0,
	};
}

/* As long as it is there, nobody else's bytes are. */
static void look_at_export(struct world *world, const struct exported *exported)
{
	struct stamp_look look = {
		.at = exported->at,
		.length = exported->length,
		.to = exported->length,
		.id = exported->id,
		.or_zero = true,
	};

	if (exported->id && stamp_look(&look) == STAMP_FOREIGN)
		blame_foreign(world, &look, "a dma-buf");
}

static void write_export(struct world *world, const struct exported *exported)
{
	if (!exported->id)
		return;
	holding_lose_stamps(world, exported->id, exported->offset);
	stamp_put(exported->at, exported->length, exported->id, 1);
}

void do_use_export(struct world *world, const struct op *op)
{
	struct exported *exported = &world->exports[op->slot % EXPORTS];
	struct dma_buf_sync sync = { .flags = op->b % 8 };

	if (exported->fd < 0)
		return;
	if (op->a % 8 == 0)
		close_export(exported);
	else if (op->a % 8 == 1)
		ioctl(exported->fd, DMA_BUF_IOCTL_SYNC, &sync);
	else if (op->a % 8 == 2)
		ioctl(exported->fd, DMA_BUF_SET_NAME, "fuzz");
	else if (exported->at && op->a % 8 == 3)
		write_export(world, exported);
	else if (exported->at)
		look_at_export(world, exported);
}

/* A pipe gets a page of a block, and keeps it whatever becomes of that. */
void do_splice(struct world *world, const struct op *op)
{
	struct holding *holding = holding_any(world, op->slot);
	struct pipe *pipe = &world->pipe;
	struct iovec page;
	ssize_t ret;

	if (!holding || pipe->nr == SPLICED)
		return;
	if (pipe->ends[0] < 0 && pipe2(pipe->ends, O_CLOEXEC | O_NONBLOCK))
		return;
	holding_check(world, op, holding);
	page.iov_base = holding_reach(world, holding);
	page.iov_len = PAGE;
	if (!page.iov_base)
		return;
	page.iov_base = (char *)page.iov_base + op->a % (holding->length / PAGE) * PAGE;
	ret = vmsplice(pipe->ends[1], &page, 1, SPLICE_F_NONBLOCK);
	if (ret > 0 && !is_for_io(world, holding))
		blame(world, "a pipe has a page of a block that is not for I/O");
	if (ret == (ssize_t)PAGE)
		pipe->ids[pipe->nr++] = is_strong(world, holding) ?
					client_of(world, holding)->id : 0;
}

static void check_page(struct world *world, const char *page, __u64 id)
{
	struct stamp_look look = {
		.at = page,
		.length = PAGE,
		.to = PAGE,
		.id = id,
		.or_zero = true,
	};

	if (id && stamp_look(&look) == STAMP_FOREIGN)
		blame_foreign(world, &look, "a page in a pipe");
}

void do_drain(struct world *world, const struct op *op)
{
	struct pipe *pipe = &world->pipe;
	unsigned int times = 1 + op->a % SPLICED;
	char *page = world->scratch + SCRATCH / 4;

	while (times-- && pipe->nr) {
		if (read(pipe->ends[0], page, PAGE) != (ssize_t)PAGE)
			return;
		check_page(world, page, pipe->ids[0]);
		memmove(pipe->ids, pipe->ids + 1, --pipe->nr * sizeof(*pipe->ids));
	}
	memset(page, 0, PAGE);
}

/* Write what is there already, as a debugger would, or by references to pages. */
void do_write_self(struct world *world, const struct op *op)
{
	struct holding *holding = holding_any(world, op->slot);
	struct stamp stamp;
	struct iovec from = { &stamp, sizeof(stamp) }, to;
	char *at;
	int fd;

	if (!holding || !is_strong(world, holding))
		return;
	at = holding_reach(world, holding);
	if (!at)
		return;
	stamp = (struct stamp){ client_of(world, holding)->id, holding->handle };
	to = (struct iovec){ at, sizeof(stamp) };
	if (op->a % 2) {
		if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) > 0 &&
		    !is_for_io(world, holding))
			blame(world, "references to a block that is not for I/O");
		return;
	}
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pwrite(fd, &stamp, sizeof(stamp), (uintptr_t)at) < 0 && is_plain(world, op))
		blame(world, "a debugger cannot write to block %#llx: errno %d",
		      holding->handle, errno);
	close(fd);
}

/* What another process has mapped is none of the pool's business, but must do no harm. */
void do_read_peer(struct world *world, const struct op *op)
{
	const struct role *peer = &world->common->roles[op->who % ROLES];
	char *at = window_home(world, op->slot % WINDOWS) + op->b % 4096 * PAGE;
	size_t length = 1 + op->c % (SCRATCH / 4);
	struct iovec to = { world->scratch + SCRATCH / 4, length }, from = { at, length };
	char path[32];
	int fd;

	if (op->a % 2) {
		process_vm_readv(peer->pid, &to, 1, &from, 1, 0);
	} else {
		snprintf(path, sizeof(path), "/proc/%d/mem", peer->pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		if (pread(fd, to.iov_base, length, (uintptr_t)at) < 0)
			length = 0;
		close(fd);
	}
	memset(world->scratch, 0, SCRATCH);
}
