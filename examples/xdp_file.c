// SPDX-License-Identifier: MIT
/*
 * xdp_file - send a file from one network interface to another in frames of AF_XDP, which
 * are in a rented block
 *
 *   cc -o xdp_file xdp_file.c $(pkg-config --cflags --libs libbufpool libxdp libbpf)
 *   ./xdp_file receive IF-A >copy &
 *   ./xdp_file send IF-B FILE
 *
 * The block is the socket's umem: 2,048 frames of 2 KiB. The kernel writes those that arrive
 * at queue 0 of the interface into it, and reads those to be sent from it. Frames are of a
 * local type, so that nobody else takes them. Nothing is sent twice: a receiver that is
 * too slow misses frames, and says so.
 */
#include <bufpool.h>
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#define FRAMES		2048
#define FRAME		2048
#define BLOCK		(FRAMES * FRAME)
#define PAYLOAD		1024
#define LOCAL_TYPE	0x88b5

/* A frame; one without a payload is the last. */
struct frame {
	struct ethhdr ethernet;
	uint32_t number;
	uint32_t length;
	char payload[PAYLOAD];
} __attribute__((__packed__));

struct port {
	struct bufpool *pool;
	char *block;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completed;
	struct xsk_ring_cons received;
	struct xsk_ring_prod sent;
};

static void rent_block(struct port *port)
{
	port->pool = bufpool_open(NULL, 0);
	if (!port->pool)
		errx(1, "open: %s", bufpool_strerror(errno));
	port->block = bufpool_rent(port->pool, BLOCK, BUFPOOL_RENT_IO);
	if (!port->block)
		errx(1, "rent: %s", bufpool_strerror(errno));
}

static void open_port(struct port *port, const char *interface)
{
	struct xsk_umem_config umem = {
		/* a frame may be here before the kernel has said that its place is free */
		.fill_size = 2 * FRAMES,
		.comp_size = FRAMES,
		.frame_size = FRAME,
	};
	struct xsk_socket_config config = {
		.rx_size = FRAMES,
		.tx_size = FRAMES,
		.libbpf_flags = XSK_LIBBPF_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY,
	};
	int ret;

	rent_block(port);
	ret = xsk_umem__create(&port->umem, port->block, BLOCK, &port->fill, &port->completed,
			       &umem);
	if (ret)
		errx(1, "umem: %s", strerror(-ret));
	ret = xsk_socket__create(&port->socket, interface, 0, port->umem, &port->received,
				 &port->sent, &config);
	if (ret)
		errx(1, "%s: %s", interface, strerror(-ret));
}

/* The kernel is done with the block when the umem is gone. */
static int close_port(struct port *port)
{
	xsk_socket__delete(port->socket);
	xsk_umem__delete(port->umem);
	bufpool_return(port->pool, port->block, 0);
	return bufpool_close(port->pool) ? 1 : 0;
}

/* What comes to queue 0 goes to the socket; until this process ends. */
static void redirect(struct port *port, const char *interface)
{
	int map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "sockets", 4, 4, 1, NULL), program, zero = 0;
	/* return bpf_redirect_map(&map, context->rx_queue_index, XDP_PASS) */
	struct bpf_insn code[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ .code = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);
	int fd = xsk_socket__fd(port->socket);

	program = bpf_prog_load(BPF_PROG_TYPE_XDP, "redirect", "MIT", code,
				sizeof(code) / sizeof(*code), NULL);
	if (map < 0 || program < 0 || bpf_map_update_elem(map, &zero, &fd, 0) ||
	    bpf_link_create(program, if_nametoindex(interface), BPF_XDP, &options) < 0)
		err(1, "program");
}

static void give_frames(struct port *port)
{
	uint32_t at, i;

	if (xsk_ring_prod__reserve(&port->fill, FRAMES, &at) != FRAMES)
		errx(1, "the ring is too small");
	for (i = 0; i < FRAMES; i++)
		*xsk_ring_prod__fill_addr(&port->fill, at + i) = (uint64_t)i * FRAME;
	xsk_ring_prod__submit(&port->fill, FRAMES);
}

/* Hand one frame back to the kernel, whatever place in it the data began at. */
static void give_frame(struct port *port, uint64_t address)
{
	uint32_t at;

	if (xsk_ring_prod__reserve(&port->fill, 1, &at) != 1)
		errx(1, "no place for a frame");
	*xsk_ring_prod__fill_addr(&port->fill, at) = address / FRAME * FRAME;
	xsk_ring_prod__submit(&port->fill, 1);
}

/* Whether there are more to come */
static int take_frame(struct port *port, uint32_t at, uint32_t *expected)
{
	uint64_t address = xsk_ring_cons__rx_desc(&port->received, at)->addr;
	struct frame *frame = xsk_umem__get_data(port->block, address);
	uint32_t length;

	if (frame->ethernet.h_proto != htons(LOCAL_TYPE)) {
		give_frame(port, address);
		return 1;
	}
	length = ntohl(frame->length);
	if (ntohl(frame->number) != (*expected)++ || length > PAYLOAD)
		errx(1, "a frame is missing");
	if (fwrite(frame->payload, 1, length, stdout) != length)
		err(1, "write");
	give_frame(port, address);
	return length != 0;
}

static void receive_file(struct port *port)
{
	struct pollfd poller = { .fd = xsk_socket__fd(port->socket), .events = POLLIN };
	uint32_t at, expected = 0;
	int more = 1;

	while (more) {
		if (!xsk_ring_cons__peek(&port->received, 1, &at)) {
			poll(&poller, 1, -1);
			continue;
		}
		more = take_frame(port, at, &expected);
		xsk_ring_cons__release(&port->received, 1);
	}
	if (fflush(stdout))
		err(1, "write");
}

/* Send one frame, and wait until the kernel has read it. */
static void send_frame(struct port *port, uint32_t number, uint32_t length)
{
	uint64_t address = (uint64_t)number % FRAMES * FRAME;
	struct frame *frame = xsk_umem__get_data(port->block, address);
	struct xdp_desc *desc;
	uint32_t at;

	memset(frame->ethernet.h_dest, 0xff, ETH_ALEN);
	memset(frame->ethernet.h_source, 0x02, ETH_ALEN);
	frame->ethernet.h_proto = htons(LOCAL_TYPE);
	frame->number = htonl(number);
	frame->length = htonl(length);
	if (xsk_ring_prod__reserve(&port->sent, 1, &at) != 1)
		errx(1, "no place for a frame");
	desc = xsk_ring_prod__tx_desc(&port->sent, at);
	desc->addr = address;
	desc->len = offsetof(struct frame, payload) + length;
	xsk_ring_prod__submit(&port->sent, 1);
	while (!xsk_ring_cons__peek(&port->completed, 1, &at)) {
		if (sendto(xsk_socket__fd(port->socket), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
		    errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)
			err(1, "send");
	}
	xsk_ring_cons__release(&port->completed, 1);
}

static void send_file(struct port *port, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t number = 0;
	struct frame *frame;
	ssize_t n;

	if (fd < 0)
		err(1, "%s", path);
	do {
		frame = xsk_umem__get_data(port->block, (uint64_t)number % FRAMES * FRAME);
		n = read(fd, frame->payload, PAYLOAD);
		if (n < 0)
			err(1, "read");
		send_frame(port, number++, n);
	} while (n);
	close(fd);
}

int main(int argc, char **argv)
{
	int sends = argc == 4 && !strcmp(argv[1], "send");
	struct port port = { .block = NULL };

	if (!sends && !(argc == 3 && !strcmp(argv[1], "receive")))
		errx(2, "usage: xdp_file receive INTERFACE | send INTERFACE FILE");
	open_port(&port, argv[2]);
	if (sends) {
		send_file(&port, argv[3]);
	} else {
		give_frames(&port);
		redirect(&port, argv[2]);
		receive_file(&port);
	}
	return close_port(&port);
}
