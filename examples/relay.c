// SPDX-License-Identifier: MIT
/*
 * relay - copy a file through a pipeline of processes, any of whose workers may be killed
 *
 *   cc relay.c -o relay $(pkg-config --cflags --libs libbufpool)
 *   ./relay [--kill MS] [--workers COUNT] FROM TO
 *
 *   reader --work--> workers --done--> writer
 *      ^------------- notes --------------'
 *
 * The reader fills a block with each part of the file and sends it into the channel "work",
 * with the part's number as its tag. A worker adds a sum to the tag, and sends the block on,
 * into "done". The writer checks the sum and writes the part. No process can touch a block
 * that it has sent, and none copies one.
 *
 * A worker that is killed (by anybody, or by this program, after each MS milliseconds) takes the
 * block with it that it holds: that one goes back to the pool, and nobody says which it was.
 * So the reader remembers each part until the writer notes that it has come. When a worker
 * was lost, and all that it held is gone, whoever started it notes that too, and the reader
 * sends again what has not come. Some of that has only not come yet: then the part comes
 * twice, the tag tells, and the writer drops it.
 */
#define _GNU_SOURCE
#include <bufpool.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PART		65536
#define PARTS_MAX	0xffffffffULL	/* the tag's upper half is for the sum */
#define ON_THE_WAY	16		/* parts that have not come, at the most */
#define WORKERS_MAX	16
#define WORKER_LOST	UINT64_MAX	/* as a note: no part's number */
#define FOR_EVER	1000000000	/* milliseconds */

/* What was done, in memory that all processes share; each field has one writer */
struct tally {
	uint64_t sent;		/* by the reader */
	uint64_t resent;	/* by the reader, beside these */
	uint64_t written;	/* by the writer */
	uint64_t doubled;
	uint64_t damaged;
	uint64_t kills;		/* by this program's first process */
	uint64_t lost;		/* workers that were killed, by whomever */
};

struct relay {
	int from;
	int to;
	uint64_t parts;		/* in the file */
	int work[2];		/* channels: [0] receives, [1] sends */
	int done[2];
	int notes[2];		/* a pipe of numbers */
	pid_t reader;
	pid_t writer;
	pid_t workers[WORKERS_MAX];
	unsigned int nr_workers;
	struct tally *tally;
};

/* What the reader has sent and the writer has not noted */
struct pending {
	uint64_t parts[ON_THE_WAY];
	unsigned int count;
};

static uint32_t sum_of(const unsigned char *bytes, size_t length)
{
	uint32_t sum = 0x811c9dc5;	/* FNV-1a */

	while (length--)
		sum = (sum ^ *bytes++) * 0x01000193;
	return sum;
}

/* Each process is a client of its own, so that what it holds is gone when it is. */
static struct bufpool *open_pool(void)
{
	struct bufpool *pool = bufpool_open(NULL, 0);

	if (!pool)
		err(1, "the pool");
	return pool;
}

static void send_parcel(struct bufpool *pool, int end, const struct bufpool_parcel *parcel)
{
	int ret = bufpool_send(pool, end, parcel, 0);

	if (ret)
		errx(1, "send: %s", bufpool_strerror(-ret));
}

/* False: there will be no more. */
static bool receive_parcel(struct bufpool *pool, int end, struct bufpool_parcel *parcel)
{
	int ret;

	*parcel = (struct bufpool_parcel){ .size = sizeof(*parcel) };
	ret = bufpool_receive(pool, end, parcel, 0);
	if (ret < 0)
		errx(1, "receive: %s", bufpool_strerror(-ret));
	return ret > 0;
}

static void write_note(const struct relay *relay, uint64_t note)
{
	if (write(relay->notes[1], &note, sizeof(note)) != sizeof(note))
		err(1, "note");
}

/* The reader */

static void read_part(const struct relay *relay, struct bufpool *pool, uint64_t part)
{
	struct bufpool_parcel parcel = { .size = sizeof(parcel), .tag = part };
	ssize_t n;

	parcel.block = bufpool_rent(pool, PART, 0);
	if (!parcel.block)
		err(1, "rent");
	n = pread(relay->from, parcel.block, PART, part * PART);
	if (n <= 0)
		err(1, "read");
	parcel.used = n;
	send_parcel(pool, relay->work[1], &parcel);
}

static void send_again(const struct relay *relay, struct bufpool *pool,
		       const struct pending *pending)
{
	unsigned int i;

	for (i = 0; i < pending->count; i++)
		read_part(relay, pool, pending->parts[i]);
	relay->tally->resent += pending->count;
}

static void forget_part(struct pending *pending, uint64_t part)
{
	unsigned int i;

	for (i = 0; i < pending->count; i++)
		if (pending->parts[i] == part)
			pending->parts[i] = pending->parts[--pending->count];
}

static void take_note(const struct relay *relay, struct bufpool *pool, struct pending *pending)
{
	uint64_t note;

	if (read(relay->notes[0], &note, sizeof(note)) != sizeof(note))
		errx(1, "no more notes");
	if (note == WORKER_LOST)
		send_again(relay, pool, pending);
	else
		forget_part(pending, note);
}

static void be_reader(struct relay *relay)
{
	struct bufpool *pool = open_pool();
	struct pending pending = { .count = 0 };
	uint64_t next = 0;

	close(relay->notes[1]);
	while (next < relay->parts || pending.count) {
		if (next == relay->parts || pending.count == ON_THE_WAY) {
			take_note(relay, pool, &pending);
			continue;
		}
		read_part(relay, pool, next);
		relay->tally->sent++;
		pending.parts[pending.count++] = next++;
	}
}

/* A worker */

static void be_worker(struct relay *relay)
{
	struct bufpool *pool = open_pool();
	struct bufpool_parcel parcel;

	while (receive_parcel(pool, relay->work[0], &parcel)) {
		parcel.tag |= (uint64_t)sum_of(parcel.block, parcel.used) << 32;
		send_parcel(pool, relay->done[1], &parcel);
	}
}

/* The writer */

static void write_part(const struct relay *relay, const struct bufpool_parcel *parcel,
		       uint64_t part)
{
	if (parcel->tag >> 32 != sum_of(parcel->block, parcel->used))
		relay->tally->damaged++;
	if (pwrite(relay->to, parcel->block, parcel->used, part * PART) != (ssize_t)parcel->used)
		err(1, "write");
	relay->tally->written++;
	write_note(relay, part);
}

static void be_writer(struct relay *relay)
{
	struct bufpool *pool = open_pool();
	bool *has_come = calloc(relay->parts + 1, sizeof(*has_come));
	struct bufpool_parcel parcel;
	uint64_t part;

	if (!has_come)
		err(1, "memory");
	while (receive_parcel(pool, relay->done[0], &parcel)) {
		part = (uint32_t)parcel.tag;
		if (has_come[part])
			relay->tally->doubled++;
		else
			write_part(relay, &parcel, part);
		has_come[part] = true;
		if (bufpool_return(pool, parcel.block, 0))
			errx(1, "a block was not taken back");
	}
	free(has_come);
}

/* Whoever starts them all */

static void make_channels(struct relay *relay)
{
	struct bufpool *pool = open_pool();
	int ret = bufpool_channel(pool, ON_THE_WAY, relay->work) ?:
		  bufpool_channel(pool, ON_THE_WAY, relay->done);

	if (ret)
		errx(1, "channel: %s", bufpool_strerror(-ret));
	if (pipe2(relay->notes, O_CLOEXEC))
		err(1, "pipe");
	/* channels belong to no client: they are there still */
	bufpool_close(pool);
}

/* Start a process that has only these ends of channels, -1 for none, beside the notes'. */
static pid_t start_process(struct relay *relay, void (*be)(struct relay *relay), int in, int out)
{
	const int ends[] = { relay->work[0], relay->work[1], relay->done[0], relay->done[1] };
	pid_t pid = fork();
	int i;

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < 4; i++)
		if (ends[i] >= 0 && ends[i] != in && ends[i] != out)
			close(ends[i]);
	be(relay);
	_exit(0);
}

static void close_end(int *end)
{
	close(*end);
	*end = -1;
}

/* Of the channels this process keeps what new workers get. */
static void start_all(struct relay *relay)
{
	unsigned int i;

	relay->reader = start_process(relay, be_reader, -1, relay->work[1]);
	close_end(&relay->work[1]);
	relay->writer = start_process(relay, be_writer, relay->done[0], -1);
	close_end(&relay->done[0]);
	for (i = 0; i < relay->nr_workers; i++)
		relay->workers[i] = start_process(relay, be_worker, relay->work[0],
						  relay->done[1]);
}

/* Where it stands among the workers; NULL if it is none. */
static pid_t *find_worker(struct relay *relay, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < relay->nr_workers; i++)
		if (relay->workers[i] == pid)
			return &relay->workers[i];
	return NULL;
}

/* It has been waited for, so that the kernel is done with it and all that it held. */
static void replace_worker(struct relay *relay, pid_t *worker)
{
	if (!worker)
		errx(1, "the reader or the writer was killed");
	relay->tally->lost++;
	*worker = 0;
	/* else all has come */
	if (relay->done[1] >= 0) {
		*worker = start_process(relay, be_worker, relay->work[0], relay->done[1]);
		write_note(relay, WORKER_LOST);
	}
}

static void end_process(struct relay *relay, pid_t pid, int status)
{
	pid_t *worker = find_worker(relay, pid);

	if (WIFSIGNALED(status))
		replace_worker(relay, worker);
	else if (status)
		errx(1, "a process failed");
	else if (worker)
		*worker = 0;
	else if (pid == relay->reader)
		close_end(&relay->done[1]);	/* there need be no new workers */
}

/* True once the writer has ended, which is the last that is needed. */
static bool reap_processes(struct relay *relay)
{
	bool is_over = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		end_process(relay, pid, status);
		is_over |= pid == relay->writer;
	}
	return is_over;
}

/* Not before the last one is gone, and a part has come since, lest nothing ever do. */
static void kill_worker(struct relay *relay)
{
	static uint64_t written = UINT64_MAX;
	pid_t worker = relay->workers[random() % relay->nr_workers];
	struct tally *tally = relay->tally;

	if (worker && tally->kills <= tally->lost && written != tally->written) {
		written = tally->written;
		tally->kills += !kill(worker, SIGKILL);
	}
}

static void supervise(struct relay *relay, long every_ms)
{
	const struct timespec pause = { every_ms / 1000, every_ms % 1000 * 1000000 };
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	while (!reap_processes(relay))
		if (sigtimedwait(&children, NULL, &pause) < 0)
			kill_worker(relay);
}

static void block_child_signals(void)
{
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
}

static void open_files(struct relay *relay, const char *from, const char *to)
{
	struct stat stat;

	relay->from = open(from, O_RDONLY | O_CLOEXEC);
	if (relay->from < 0 || fstat(relay->from, &stat))
		err(1, "%s", from);
	relay->to = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (relay->to < 0)
		err(1, "%s", to);
	relay->parts = (stat.st_size + PART - 1) / PART;
	if (relay->parts > PARTS_MAX)
		errx(1, "%s is too large", from);
}

static uint32_t sum_of_file(int fd)
{
	static unsigned char bytes[PART];
	uint32_t sum = 0;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, bytes, PART, at)) > 0) {
		sum = sum * 31 + sum_of(bytes, n);
		at += n;
	}
	if (n < 0)
		err(1, "read");
	return sum;
}

/* True if all is well. */
static bool report(const struct relay *relay)
{
	const struct tally *tally = relay->tally;
	uint32_t in = sum_of_file(relay->from), out = sum_of_file(relay->to);

	printf("parts:   %llu sent, %llu written, %llu damaged\n",
	       (unsigned long long)tally->sent, (unsigned long long)tally->written,
	       (unsigned long long)tally->damaged);
	printf("workers: %llu killed by this program, %llu lost\n",
	       (unsigned long long)tally->kills, (unsigned long long)tally->lost);
	printf("again:   %llu sent, %llu came twice and were dropped\n",
	       (unsigned long long)tally->resent, (unsigned long long)tally->doubled);
	printf("sums:    %08x in, %08x out: %s\n", in, out, in == out ? "equal" : "different");
	return in == out && !tally->damaged && tally->written == relay->parts;
}

static void refuse_arguments(void)
{
	errx(2, "usage: relay [--kill MS] [--workers COUNT] FROM TO");
}

int main(int argc, char **argv)
{
	struct relay relay = { .nr_workers = 2 };
	long every_ms = FOR_EVER;

	for (; argc > 3; argc -= 2, argv += 2) {
		if (!strcmp(argv[1], "--kill"))
			every_ms = atol(argv[2]);
		else if (!strcmp(argv[1], "--workers"))
			relay.nr_workers = atoi(argv[2]);
		else
			refuse_arguments();
	}
	if (argc != 3 || every_ms < 0 || !relay.nr_workers || relay.nr_workers > WORKERS_MAX)
		refuse_arguments();
	open_files(&relay, argv[1], argv[2]);
	relay.tally = mmap(NULL, sizeof(*relay.tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (relay.tally == MAP_FAILED)
		err(1, "memory");
	signal(SIGPIPE, SIG_IGN);
	block_child_signals();
	make_channels(&relay);
	start_all(&relay);
	supervise(&relay, every_ms);
	return report(&relay) ? 0 : 1;
}
