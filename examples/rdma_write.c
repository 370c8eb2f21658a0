// SPDX-License-Identifier: MIT
/*
 * rdma_write - send a file from one rented block into another by RDMA
 *
 *   cc -o rdma_write rdma_write.c $(pkg-config --cflags --libs libbufpool libibverbs)
 *   rdma link add rxe0 type rxe netdev eth0		# where there is no RDMA device
 *   ./rdma_write rxe0 receive PORT >copy &
 *   ./rdma_write rxe0 send HOST PORT FILE
 *
 * Each side registers its block with its RDMA device, which from then on reads and writes
 * it by itself. The sender's device writes into the receiver's block; a TCP connection
 * only says where that is, and when there is something in it. Without a device, rxe makes one
 * of a network interface (RoCE v2); it needs an IPv4 address.
 */
#define _GNU_SOURCE
#include <bufpool.h>
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#define CHUNK	(1024 * 1024)
#define PORT	1		/* of the RDMA device, which has one */

/* What one side tells the other, in the order of its bytes: both are of one kind. */
struct address {
	union ibv_gid gid;
	uint64_t at;
	uint32_t qp;
	uint32_t key;
};

struct side {
	struct bufpool *pool;
	char *block;
	struct ibv_context *device;
	struct ibv_mr *region;
	struct ibv_cq *done;
	struct ibv_qp *qp;
	int gid_index;
	int tcp;
	struct address here;
	struct address there;
};

/* Addresses of IPv4 are ten zero bytes, two of ones, and the address. */
static void find_gid(struct side *side)
{
	static const unsigned char ipv4[12] = { [10] = 0xff, [11] = 0xff };
	int i;

	for (i = 0; !ibv_query_gid(side->device, PORT, i, &side->here.gid); i++) {
		if (!memcmp(side->here.gid.raw, ipv4, sizeof(ipv4))) {
			side->gid_index = i;
			return;
		}
	}
	errx(1, "the device has no IPv4 address");
}

static void open_device(struct side *side, const char *name)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	int i;

	for (i = 0; devices && devices[i]; i++) {
		if (!strcmp(ibv_get_device_name(devices[i]), name))
			side->device = ibv_open_device(devices[i]);
	}
	if (!side->device)
		errx(1, "there is no RDMA device %s", name);
	ibv_free_device_list(devices);
	find_gid(side);
}

static void rent_block(struct side *side)
{
	side->pool = bufpool_open(NULL, 0);
	if (!side->pool)
		errx(1, "open: %s", bufpool_strerror(errno));
	side->block = bufpool_rent(side->pool, CHUNK, BUFPOOL_RENT_IO);
	if (!side->block)
		errx(1, "rent: %s", bufpool_strerror(errno));
}

static void make_queues(struct side *side)
{
	struct ibv_qp_init_attr init = {
		.cap = { .max_send_wr = 1, .max_send_sge = 1, .max_recv_wr = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_pd *domain = ibv_alloc_pd(side->device);

	if (!domain)
		err(1, "protection domain");
	side->region = ibv_reg_mr(domain, side->block, CHUNK,
				  IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	if (!side->region)
		err(1, "register the block");
	side->done = ibv_create_cq(side->device, 1, NULL, NULL, 0);
	init.send_cq = side->done;
	init.recv_cq = side->done;
	side->qp = side->done ? ibv_create_qp(domain, &init) : NULL;
	if (!side->qp)
		err(1, "queues");
	side->here.at = (uintptr_t)side->block;
	side->here.qp = side->qp->qp_num;
	side->here.key = side->region->rkey;
}

static void send_all(int fd, const void *from, size_t length)
{
	if (send(fd, from, length, MSG_NOSIGNAL) != (ssize_t)length)
		err(1, "send");
}

static void receive_all(int fd, void *to, size_t length)
{
	if (recv(fd, to, length, MSG_WAITALL) != (ssize_t)length)
		errx(1, "the other side is gone");
}

/* Init, ready to receive, ready to send: what each takes is in ibv_modify_qp(3). */
static void connect_queues(struct side *side)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = side->there.qp,
		.ah_attr = {
			.is_global = 1,
			.port_num = PORT,
			.grh = {
				.dgid = side->there.gid,
				.sgid_index = side->gid_index,
				.hop_limit = 64,
			},
		},
		.min_rnr_timer = 12,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
	};

	if (ibv_modify_qp(side->qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			  IBV_QP_ACCESS_FLAGS))
		err(1, "init");
	attr.qp_state = IBV_QPS_RTR;
	if (ibv_modify_qp(side->qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			  IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			  IBV_QP_MIN_RNR_TIMER))
		err(1, "ready to receive");
	attr.qp_state = IBV_QPS_RTS;
	if (ibv_modify_qp(side->qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			  IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC))
		err(1, "ready to send");
}

/* Tell each other who we are; when both have said that they are ready they are. */
static void meet(struct side *side)
{
	char ready = 'r';

	send_all(side->tcp, &side->here, sizeof(side->here));
	receive_all(side->tcp, &side->there, sizeof(side->there));
	connect_queues(side);
	send_all(side->tcp, &ready, 1);
	receive_all(side->tcp, &ready, 1);
}

static void write_there(struct side *side, size_t length)
{
	struct ibv_sge piece = {
		.addr = (uintptr_t)side->block,
		.length = length,
		.lkey = side->region->lkey,
	};
	struct ibv_send_wr work = {
		.sg_list = &piece,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = side->there.at, .rkey = side->there.key },
	};
	struct ibv_send_wr *bad;
	struct ibv_wc result;
	int n;

	if (ibv_post_send(side->qp, &work, &bad))
		err(1, "post");
	do {
		n = ibv_poll_cq(side->done, 1, &result);
	} while (!n);
	if (n < 0 || result.status != IBV_WC_SUCCESS)
		errx(1, "write: %s", n < 0 ? "poll" : ibv_wc_status_str(result.status));
}

/* How much is in the receiver's block, until that is nothing */
static void send_file(struct side *side, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t length;
	ssize_t n;

	if (fd < 0)
		err(1, "%s", path);
	do {
		n = read(fd, side->block, CHUNK);
		if (n < 0)
			err(1, "read");
		if (n)
			write_there(side, n);
		length = n;
		send_all(side->tcp, &length, sizeof(length));
		receive_all(side->tcp, &length, sizeof(length));
	} while (n);
	close(fd);
}

static void receive_file(struct side *side)
{
	uint32_t length;

	do {
		receive_all(side->tcp, &length, sizeof(length));
		if (fwrite(side->block, 1, length, stdout) != length)
			err(1, "write");
		send_all(side->tcp, &length, sizeof(length));
	} while (length);
	if (fflush(stdout))
		err(1, "write");
}

static int wait_for_sender(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1))
		err(1, "port %d", port);
	return accept(fd, NULL, NULL);
}

static int connect_to(const char *host, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		errx(2, "%s is no IPv4 address", host);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", host);
	return fd;
}

/* The device is done with the block when it is registered no more. */
static int end(struct side *side)
{
	ibv_destroy_qp(side->qp);
	ibv_dereg_mr(side->region);
	bufpool_return(side->pool, side->block, 0);
	return bufpool_close(side->pool) ? 1 : 0;
}

int main(int argc, char **argv)
{
	bool sends = argc == 6 && !strcmp(argv[2], "send");
	struct side side = { .device = NULL };

	if (!sends && !(argc == 4 && !strcmp(argv[2], "receive")))
		errx(2, "usage: rdma_write DEVICE receive PORT | send HOST PORT FILE");
	open_device(&side, argv[1]);
	rent_block(&side);
	make_queues(&side);
	side.tcp = sends ? connect_to(argv[3], atoi(argv[4])) : wait_for_sender(atoi(argv[3]));
	if (side.tcp < 0)
		err(1, "connection");
	meet(&side);
	if (sends)
		send_file(&side, argv[5]);
	else
		receive_file(&side);
	return end(&side);
}
