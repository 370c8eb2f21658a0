// SPDX-License-Identifier: MIT
/*
 * capture_dmabuf - have a camera write into rented blocks
 *
 *   cc -o capture_dmabuf capture_dmabuf.c $(pkg-config --cflags --libs libbufpool)
 *   ./capture_dmabuf /dev/video0 FRAMES >frames
 *
 * A block is exported as a dma-buf, which the video device takes in place of memory of its
 * own. What it writes is in the block, and no copy is made. The frames are in whatever
 * format the device has now.
 */
#include <bufpool.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/dma-buf.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>

#define BLOCKS	4

struct capture {
	int device;
	size_t frame;		/* bytes */
	struct bufpool *pool;
	char *blocks[BLOCKS];
	int exports[BLOCKS];
};

static void call(int fd, unsigned long request, void *argument, const char *what)
{
	while (ioctl(fd, request, argument)) {
		if (errno != EINTR)
			err(1, "%s", what);
	}
}

static void open_device(struct capture *capture, const char *path)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_requestbuffers request = {
		.count = BLOCKS,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};

	capture->device = open(path, O_RDWR | O_CLOEXEC);
	if (capture->device < 0)
		err(1, "%s", path);
	call(capture->device, VIDIOC_G_FMT, &format, "format");
	capture->frame = format.fmt.pix.sizeimage;
	call(capture->device, VIDIOC_REQBUFS, &request, "places for buffers");
	if (request.count != BLOCKS)
		errx(1, "the device has %u places for buffers", request.count);
}

static void rent_blocks(struct capture *capture)
{
	int i;

	capture->pool = bufpool_open(NULL, 0);
	if (!capture->pool)
		errx(1, "open: %s", bufpool_strerror(errno));
	for (i = 0; i < BLOCKS; i++) {
		capture->blocks[i] = bufpool_rent(capture->pool, capture->frame, BUFPOOL_RENT_IO);
		if (!capture->blocks[i])
			errx(1, "rent: %s", bufpool_strerror(errno));
		capture->exports[i] = bufpool_export(capture->pool, capture->blocks[i]);
		if (capture->exports[i] < 0)
			errx(1, "export: %s", bufpool_strerror(capture->exports[i]));
	}
}

/* The device may write into this block. */
static void queue_block(struct capture *capture, int nr)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.index = nr,
		.m.fd = capture->exports[nr],
	};

	call(capture->device, VIDIOC_QBUF, &buffer, "queue");
}

/* What the device has written is to be seen here, between the two calls. */
static void sync_block(struct capture *capture, int nr, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_READ };

	call(capture->exports[nr], DMA_BUF_IOCTL_SYNC, &sync, "sync");
}

static void write_frame(struct capture *capture)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};

	call(capture->device, VIDIOC_DQBUF, &buffer, "dequeue");
	if (buffer.flags & V4L2_BUF_FLAG_ERROR)
		errx(1, "a frame is damaged");
	sync_block(capture, buffer.index, DMA_BUF_SYNC_START);
	if (fwrite(capture->blocks[buffer.index], 1, buffer.bytesused, stdout) != buffer.bytesused)
		err(1, "write");
	sync_block(capture, buffer.index, DMA_BUF_SYNC_END);
	queue_block(capture, buffer.index);
}

static void capture_frames(struct capture *capture, int frames)
{
	enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	int i;

	for (i = 0; i < BLOCKS; i++)
		queue_block(capture, i);
	call(capture->device, VIDIOC_STREAMON, &type, "start");
	while (frames--)
		write_frame(capture);
	call(capture->device, VIDIOC_STREAMOFF, &type, "stop");
	if (fflush(stdout))
		err(1, "write");
}

/* Each block is free as soon as its dma-buf is closed here and in the device. */
static int end(struct capture *capture)
{
	int i;

	for (i = 0; i < BLOCKS; i++) {
		close(capture->exports[i]);
		bufpool_return(capture->pool, capture->blocks[i], BUFPOOL_RETURN_REVOKE);
	}
	close(capture->device);
	return bufpool_close(capture->pool) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct capture capture = { .device = -1 };

	if (argc != 3)
		errx(2, "usage: capture_dmabuf DEVICE FRAMES");
	open_device(&capture, argv[1]);
	rent_blocks(&capture);
	capture_frames(&capture, atoi(argv[2]));
	return end(&capture);
}
