// SPDX-License-Identifier: MIT
/*
 * demo FILE - a file goes through the pool, from one process to another
 *
 * A reader process fills blocks with the file and sends their handles through a
 * pipe. The threads of this process take the blocks over, check that each has
 * arrived as it was filled, feed them to sha256sum in order, and return them. At
 * most IN_FLIGHT blocks exist at a time, so they are used over and over. The
 * bytes themselves are never sent: both processes are one client of the pool.
 */
#define _GNU_SOURCE
#include <bufpool.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK		65536
#define IN_FLIGHT	8
#define WORKERS		4
#define HEX		64	/* digits of a SHA-256 */

/* What the reader says about one block; smaller than PIPE_BUF, so it stays whole. */
struct chunk {
	__u64 sequence;
	__u64 handle;
	__u64 offset;
	__u64 length;
	__u64 sum;
};

struct pipe {
	int in;		/* read from here */
	int out;	/* write to here */
};

struct work {
	struct bufpool *pool;
	int chunks;	/* from the reader */
	int credits;	/* to the reader: one byte for a block that came back */
	int digest;	/* to sha256sum */

	pthread_mutex_t lock;
	pthread_cond_t turn;
	__u64 next;		/* @lock: the chunk that is to be fed next */
	__u64 blocks;	/* @lock */
	__u64 damaged;	/* @lock: arrived differently */
	__u64 in_use;	/* @lock: the most bytes seen */
	__u64 pinned;	/* @lock: the same */
};

static void pipe_open(struct pipe *pipe)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		err(1, "pipe");
	pipe->in = fds[0];
	pipe->out = fds[1];
}

static void write_all(int fd, const char *bytes, size_t length)
{
	ssize_t n;

	for (; length; bytes += n, length -= n) {
		n = write(fd, bytes, length);
		if (n < 0)
			err(1, "write");
	}
}

static __u64 sum_of(const unsigned char *bytes, size_t length)
{
	__u64 sum = 0xcbf29ce484222325;	/* FNV-1a */

	while (length--)
		sum = (sum ^ *bytes++) * 0x100000001b3;
	return sum;
}

/* The reader process: only ioctl and mmap. */

static void reader_rent(int device, struct chunk *chunk)
{
	struct bufpool_rent rent = { .size = sizeof(rent), .min_size = CHUNK };

	if (ioctl(device, BUFPOOL_IOC_RENT, &rent))
		err(1, "rent");
	chunk->handle = rent.handle;
	chunk->offset = rent.offset;
}

static void reader_return(int device, __u64 handle)
{
	struct bufpool_return give = { .size = sizeof(give), .handle = handle };

	if (ioctl(device, BUFPOOL_IOC_RETURN, &give))
		err(1, "return");
}

/* False at the end of the file. */
static bool reader_fill(int device, int file, struct chunk *chunk)
{
	unsigned char *block;
	ssize_t n;

	block = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		     chunk->offset);
	if (block == MAP_FAILED)
		err(1, "mmap");
	n = read(file, block, CHUNK);
	if (n < 0)
		err(1, "read");
	chunk->length = n;
	chunk->sum = sum_of(block, n);
	munmap(block, CHUNK);
	return n > 0;
}

static void reader(int device, int file, int chunks, int credits)
{
	struct chunk chunk = { 0 };
	char credit;

	while (read(credits, &credit, 1) == 1) {
		reader_rent(device, &chunk);
		if (!reader_fill(device, file, &chunk)) {
			reader_return(device, chunk.handle);
			_exit(0);
		}
		write_all(chunks, (char *)&chunk, sizeof(chunk));
		chunk.sequence++;
	}
	_exit(1);
}

/* sha256sum, in a process of its own */

/* Start it on what @in has; where to read its result. */
static int digest_start(int in)
{
	struct pipe result;

	pipe_open(&result);
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		dup2(in, STDIN_FILENO);
		dup2(result.out, STDOUT_FILENO);
		execlp("sha256sum", "sha256sum", NULL);
		err(127, "sha256sum");
	}
	close(in);
	close(result.out);
	return result.in;
}

static void digest_read(int result, char *hex)
{
	size_t have = 0;
	ssize_t n;

	for (; have < HEX; have += n) {
		n = read(result, hex + have, HEX - have);
		if (n <= 0)
			errx(1, "sha256sum gave no result");
	}
	hex[HEX] = 0;
	close(result);
}

static void digest_file(const char *path, char *hex)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		err(1, "%s", path);
	digest_read(digest_start(file), hex);
}

/* The workers: only the library. */

static struct bufpool_stats stats_read(int device)
{
	struct bufpool_stats stats = { .size = sizeof(stats) };

	if (ioctl(device, BUFPOOL_IOC_STATS, &stats))
		err(1, "stats");
	return stats;
}

static void work_watch(struct work *work)
{
	struct bufpool_stats stats = stats_read(bufpool_fd(work->pool));

	if (stats.in_use > work->in_use)
		work->in_use = stats.in_use;
	if (stats.pinned > work->pinned)
		work->pinned = stats.pinned;
}

/* Wait for the turn of this chunk, and pass it on. */
static void work_feed(struct work *work, const struct chunk *chunk,
		      const void *block, bool damaged)
{
	pthread_mutex_lock(&work->lock);
	while (work->next != chunk->sequence)
		pthread_cond_wait(&work->turn, &work->lock);
	work_watch(work);
	write_all(work->digest, block, chunk->length);
	work->next++;
	work->blocks++;
	work->damaged += damaged;
	pthread_cond_broadcast(&work->turn);
	pthread_mutex_unlock(&work->lock);
}

static void *worker(void *argument)
{
	struct work *work = argument;
	struct chunk chunk;
	void *block;

	while (read(work->chunks, &chunk, sizeof(chunk)) == sizeof(chunk)) {
		block = bufpool_adopt(work->pool, chunk.handle, chunk.offset);
		if (!block)
			err(1, "adopt");
		work_feed(work, &chunk, block,
			  sum_of(block, chunk.length) != chunk.sum);
		if (bufpool_return(work->pool, block, 0))
			errx(1, "a block was not taken back");
		write_all(work->credits, "", 1);
	}
	return NULL;
}

static void work_run(struct work *work)
{
	pthread_t threads[WORKERS];
	int i;

	for (i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, worker, work))
			errx(1, "no thread");
	for (i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
}

/* What a person wants to see */

static void print_size(__u64 bytes)
{
	if (bytes >= 1 << 20 && !(bytes & ((1 << 20) - 1)))
		printf(" %llu MiB", bytes >> 20);
	else
		printf(" %llu KiB", bytes >> 10);
}

static void print_class(int device, unsigned int nr)
{
	struct bufpool_class_info class = { .size = sizeof(class), .nr = nr };

	if (ioctl(device, BUFPOOL_IOC_CLASS, &class))
		err(1, "class");
	/* what the blocks below are made of; other kinds are passed over */
	if (class.backing == BUFPOOL_BACKING_SLAB)
		print_size(class.block_size);
}

static void print_pool(int device)
{
	struct bufpool_info info = { .size = sizeof(info) };
	unsigned int nr;

	if (ioctl(device, BUFPOOL_IOC_INFO, &info))
		err(1, "info");
	printf("blocks of:");
	for (nr = 0; nr < info.nr_classes; nr++)
		print_class(device, nr);
	printf("\nlimit:    ");
	print_size(info.limit);
	printf("\n");
}

static void print_bytes(const char *when, __u64 in_use, __u64 pinned)
{
	printf("%s", when);
	print_size(in_use);
	printf(" in use,");
	print_size(pinned);
	printf(" pinned\n");
}

/* Start the reader process; it ends when the file does, or this process. */
static pid_t reader_start(int device, const char *path, struct work *work)
{
	struct pipe chunks, credits;
	pid_t child;
	int file;

	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		err(1, "%s", path);
	pipe_open(&chunks);
	pipe_open(&credits);
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		close(chunks.in);
		close(credits.out);
		reader(device, file, chunks.out, credits.in);
	}
	close(file);
	close(chunks.out);
	/* credits.in stays: the reader may be done before the last credit. */
	work->chunks = chunks.in;
	work->credits = credits.out;
	return child;
}

/* Push the file through the pool, and say what came out. */
static void work_through(struct work *work, int device, const char *path,
			 char *hex)
{
	static const char credits[IN_FLIGHT];
	struct pipe bytes;
	int result, status;
	pid_t child;

	/* Before the library, whose mappings the child would not have. */
	child = reader_start(device, path, work);
	pipe_open(&bytes);
	result = digest_start(bytes.in);
	work->digest = bytes.out;
	work->pool = bufpool_fdopen(device, 0);
	if (!work->pool)
		err(1, "bufpool_fdopen");

	write_all(work->credits, credits, sizeof(credits));
	work_run(work);

	close(bytes.out);
	digest_read(result, hex);
	if (waitpid(child, &status, 0) != child || status)
		errx(1, "the reader failed");
}

/* True if every block arrived as it left. */
static bool demo(int device, const char *path, char *hex)
{
	struct work work = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turn = PTHREAD_COND_INITIALIZER,
	};
	struct bufpool_stats before, after;

	before = stats_read(device);
	print_bytes("before:   ", before.in_use, before.pinned);
	work_through(&work, device, path, hex);
	after = stats_read(device);
	print_bytes("at most:  ", work.in_use, work.pinned);
	print_bytes("after:    ", after.in_use, after.pinned);
	printf("chunks:    %llu, of which %llu arrived damaged\n", work.blocks,
	       work.damaged);
	printf("rented:    %llu, of which %llu had been used before\n",
	       after.client_rents - before.client_rents,
	       after.reused - before.reused);
	bufpool_close(work.pool);
	return !work.damaged;
}

int main(int argc, char **argv)
{
	char through[HEX + 1], direct[HEX + 1];
	bool whole, equal;
	int device;

	if (argc != 2)
		errx(2, "usage: demo FILE");
	device = open("/dev/bufpool", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/bufpool");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);

	print_pool(device);
	whole = demo(device, argv[1], through);
	digest_file(argv[1], direct);
	equal = whole && !strcmp(through, direct);
	printf("the pool:  %s\nsha256sum: %s\n%s\n", through, direct,
	       equal ? "equal" : "different");
	return equal ? 0 : 1;
}
