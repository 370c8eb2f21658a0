// SPDX-License-Identifier: MIT
/*
 * Races: processes rent blocks for I/O, have a disk read into them and pipes keep them, and
 * give them up, close their client or are killed in the middle of that. Every block is full
 * of a byte of its owner's until it goes, and zero when it comes; what the disk has is found
 * only where its owner asked for it.
 *
 * BUFPOOL_STRESS_SECONDS is how long it lasts; BUFPOOL_SEED repeats what can be repeated.
 */
#include "bystander.h"
#include "effort.h"
#include "gate.h"

#include <sys/uio.h>
#include <linux/aio_abi.h>

#define LIMIT		(4 * MIB)
#define WORKERS		4
#define HELD		12
#define READS		8
#define MOST		(128 * KIB)
#define ON_DISK		0xd1

struct worker {
	__u64 seed;
	int byte;		/* what is in its blocks: never ON_DISK */
	int disk;
	unsigned int *stop;
	unsigned int *rounds;
};

struct held {
	struct bufpool_rent rent;
	char *at;		/* NULL: none */
};

/* What a worker has while it runs. */
struct run {
	struct worker *worker;
	int fd;
	aio_context_t aio;
	int reads;		/* that have not ended */
	int pipe[2];
	size_t piped;		/* bytes in there */
	struct held held[HELD];
};

static void client_open(struct run *run)
{
	run->fd = pool_open();
	CHECK(run->fd >= 0);
}

/* Nothing of a block is anybody else's while it is held. */
static void check_held(struct run *run, const struct held *held)
{
	CHECK(filled(held->at, run->worker->byte, held->rent.length));
}

static void forget(struct held *held)
{
	munmap(held->at, held->rent.length);
	held->at = NULL;
}

static void rent_one(struct run *run, struct held *held)
{
	__u64 size = PAGE << next_random(&run->worker->seed) % 6;

	held->at = rent_io_mapped(run->fd, size < MOST ? size : MOST, &held->rent);
	if (!held->at)
		return;
	CHECK(filled(held->at, 0, held->rent.length));
	memset(held->at, run->worker->byte, held->rent.length);
}

/* By one of the flags, which both take it from every mapping */
static void give_one(struct run *run, struct held *held)
{
	__u32 flags = next_random(&run->worker->seed) % 2 ? BUFPOOL_RETURN_REVOKE :
		      BUFPOOL_RETURN_CLEAR;

	CHECK(!give_with(run->fd, held->rent.handle, flags));
	forget(held);
}

/* The reads that have ended; wait for @least. */
static void reap_reads(struct run *run, int least)
{
	struct io_event events[READS];
	int i, nr;

	nr = syscall(SYS_io_getevents, run->aio, least, READS, events, NULL);
	CHECK(nr >= least);
	for (i = 0; i < nr; i++)
		CHECK(events[i].res > 0);
	run->reads -= nr;
}

/* When this returns the disk has the block's pages, whenever it reads. */
static void start_read(struct run *run, struct held *held)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = run->worker->disk,
		.aio_buf = (uintptr_t)held->at,
		.aio_nbytes = held->rent.length,
	};
	struct iocb *iocbs = &iocb;

	if (run->reads == READS)
		reap_reads(run, 1);
	CHECK(syscall(SYS_io_submit, run->aio, 1, &iocbs) == 1);
	run->reads++;
}

static void read_and_give(struct run *run, struct held *held)
{
	check_held(run, held);
	start_read(run, held);
	give_one(run, held);
	reap_reads(run, 0);
}

static void read_and_look(struct run *run, struct held *held)
{
	start_read(run, held);
	reap_reads(run, run->reads);
	CHECK(filled(held->at, ON_DISK, held->rent.length));
	give_one(run, held);
}

/* What a pipe got before is what comes out, whosever the memory would have been since. */
static void empty_pipe(struct run *run)
{
	char buffer[4096];
	ssize_t n;

	while (run->piped) {
		n = read(run->pipe[0], buffer, sizeof(buffer));
		CHECK(n > 0 && filled(buffer, run->worker->byte, n));
		run->piped -= n;
	}
}

static void pipe_and_give(struct run *run, struct held *held)
{
	struct iovec vec = { held->at, held->rent.length };
	ssize_t n;

	check_held(run, held);
	n = vmsplice(run->pipe[1], &vec, 1, SPLICE_F_NONBLOCK);
	CHECK(n > 0 || errno == EAGAIN);
	if (n > 0)
		run->piped += n;
	CHECK(!give_up(run->fd, held->rent.handle));
	forget(held);
}

static void close_client(struct run *run)
{
	int i;

	for (i = 0; i < HELD; i++) {
		if (!run->held[i].at)
			continue;
		check_held(run, &run->held[i]);
		if (next_random(&run->worker->seed) % 2)
			start_read(run, &run->held[i]);
		forget(&run->held[i]);
	}
	close(run->fd);
	client_open(run);
}

static void one_round(struct run *run)
{
	struct held *held = &run->held[next_random(&run->worker->seed) % HELD];

	if (!held->at) {
		rent_one(run, held);
		return;
	}
	switch (next_random(&run->worker->seed) % 16) {
	case 0:
		close_client(run);
		break;
	case 1:
	case 2:
		read_and_look(run, held);
		break;
	case 3:
	case 4:
	case 5:
		empty_pipe(run);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		pipe_and_give(run, held);
		break;
	case 10:
	case 11:
		check_held(run, held);
		give_one(run, held);
		break;
	default:
		read_and_give(run, held);
	}
}

static int work(void *arg)
{
	struct worker *worker = arg;
	struct run run = { .worker = worker };

	CHECK(!syscall(SYS_io_setup, READS, &run.aio));
	CHECK(!pipe2(run.pipe, O_CLOEXEC));
	client_open(&run);
	while (!word_get(worker->stop)) {
		one_round(&run);
		__atomic_add_fetch(worker->rounds, 1, __ATOMIC_RELAXED);
	}
	empty_pipe(&run);
	return 0;
}

FIXTURE(io_race)
{
	struct gate gate;
	int observer;
	unsigned int *words;	/* stop, rounds */
	struct worker workers[WORKERS];
	pid_t pids[WORKERS];
	__u64 seed;
};

/* As much as the largest block has, which may be larger than was asked for. */
static bool fill_disk(int fd)
{
	bool done;
	void *at;

	if (posix_memalign(&at, PAGE, 4 * MOST))
		return false;
	memset(at, ON_DISK, 4 * MOST);
	done = pwrite(fd, at, 4 * MOST, 0) == (ssize_t)(4 * MOST);
	free(at);
	return done;
}

FIXTURE_SETUP(io_race)
{
	if (gate_is_impossible())
		SKIP_FIXTURE("%s", gate_is_impossible());
	ASSERT_EQ(0, limit_write(LIMIT));
	ASSERT_TRUE(gate_make(&self->gate));
	ASSERT_TRUE(fill_disk(self->gate.fd));
	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	self->words = shared_alloc(2 * sizeof(*self->words));
	ASSERT_NE(NULL, self->words);
	self->seed = random_seed();
}

FIXTURE_TEARDOWN(io_race)
{
	close(self->observer);
	gate_end(&self->gate);
	parameters_restore();
}

static void start_worker(struct _test_data_io_race *self, int nr)
{
	self->workers[nr] = (struct worker){
		.seed = next_random(&self->seed),
		.byte = nr + 1,
		.disk = self->gate.fd,
		.stop = &self->words[0],
		.rounds = &self->words[1],
	};
	self->pids[nr] = spawn(work, &self->workers[nr]);
}

/* Only what was killed ends early. */
static bool kill_worker(struct _test_data_io_race *self, int nr)
{
	kill(self->pids[nr], SIGKILL);
	gate_open();
	return reap(self->pids[nr]) == -SIGKILL;
}

TEST_F(io_race, nobody_is_hurt)
{
	struct effort effort = effort_begin(often(20000), 1);
	unsigned int killed = 0;
	int nr;

	for (nr = 0; nr < WORKERS; nr++)
		start_worker(self, nr);
	while (effort_goes_on(&effort, word_get(&self->words[1])) && !child_has_ended()) {
		ASSERT_EQ(0, gate_shut());
		sleep_ms(next_random(&self->seed) % 20);
		if (next_random(&self->seed) % 4 == 0) {
			nr = next_random(&self->seed) % WORKERS;
			EXPECT_TRUE(kill_worker(self, nr));
			start_worker(self, nr);
			killed++;
		}
		ASSERT_EQ(0, gate_open());
		sleep_ms(next_random(&self->seed) % 20);
	}
	word_set(&self->words[0], 1);
	for (nr = 0; nr < WORKERS; nr++)
		EXPECT_EQ(0, reap(self->pids[nr]));
	TH_LOG("%u rounds, %u killed", word_get(&self->words[1]), killed);
	EXPECT_TRUE(BECOMES(!stats_of(self->observer).quarantined));
	EXPECT_TRUE(in_use_becomes(self->observer, 0));
}

TEST_HARNESS_MAIN
