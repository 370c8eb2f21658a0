// SPDX-License-Identifier: MIT
/*
 * fanout - hand requests to workers that can touch nothing but what they were sent
 *
 *   cc fanout.c -o fanout $(pkg-config --cflags --libs libbufpool)
 *   ./fanout
 *
 * Each worker is a process, a client and a user of its own (a user namespace of its own,
 * where this program is not root), with two channels: requests come through one, answers
 * leave through the other. Before it sees a request it gives up every descriptor but these
 * and the device's, and every system call but SEND and RECEIVE on that, and exit: not even
 * mmap is needed, as it has mapped the places of all blocks before, and reaches those that
 * it is the owner of. Nor can an answer change behind the server's back: once it is sent,
 * the worker has it no more.
 *
 * Some requests make a worker do what it must not. The server sees that it is gone by the
 * end of its channel, prints what it died of, and goes on with others. Neither it nor
 * they wait for anything that the dead worker had.
 *
 * The server uses the library; the worker has nothing but ioctl and mmap, so that it is
 * plain which calls it makes.
 */
#define _GNU_SOURCE
#include <bufpool.h>
#include <ctype.h>
#include <err.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS		3
#define REQUESTS	12
#define REQUEST		8192	/* bytes */
#define CLASSES_MAX	64
#define FIRST_UID	60000	/* of the workers, where this is root */

/* The worker's descriptors */
#define DEVICE		3
#define REQUESTS_END	4
#define ANSWERS_END	5
#define NO_MORE_ENDS	6

#if defined(__x86_64__)
#define THIS_ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH	AUDIT_ARCH_AARCH64
#else
#error "seccomp has another name for this machine"
#endif

/* What a request wants of the worker; its tag says it, and the rest is an offset. */
enum deed {
	ANSWER,
	TOUCH_ANOTHER,		/* block, which is at the offset */
	TOUCH_SENT,
	OPEN_FILE,
	OPEN_SOCKET,
	RENT_BLOCK,
	KILL_SERVER,
	DEEDS
};

/* Offsets are multiples of a page, of which there are none smaller. */
#define PAGE		4096ULL
#define DEED_OF(tag)	((enum deed)((tag) & (PAGE - 1)))
#define OFFSET_OF(tag)	((tag) & ~(PAGE - 1))

static const char *const deed_names[DEEDS] = {
	[ANSWER] = "answer a request",
	[TOUCH_ANOTHER] = "touch a block that is not its own",
	[TOUCH_SENT] = "touch what it has sent",
	[OPEN_FILE] = "open a file",
	[OPEN_SOCKET] = "open a socket",
	[RENT_BLOCK] = "rent a block",
	[KILL_SERVER] = "kill the server",
};

/* The worker */

static char *places[CLASSES_MAX];	/* of each class's blocks */
static __u64 span;			/* bytes of offsets in each */
static pid_t server;

static void map_class(unsigned int nr)
{
	struct bufpool_class_info class = { .size = sizeof(class), .nr = nr };
	void *at;

	if (ioctl(DEVICE, BUFPOOL_IOC_CLASS, &class))
		err(1, "class");
	if (class.backing != BUFPOOL_BACKING_SLAB)
		return;
	at = mmap(NULL, class.span, PROT_READ | PROT_WRITE, MAP_SHARED, DEVICE, class.offset);
	if (at == MAP_FAILED)
		err(1, "mmap");
	places[nr] = at;
}

/* Memory appears in them as blocks arrive. */
static void map_places(void)
{
	struct bufpool_info info = { .size = sizeof(info) };
	unsigned int nr;

	if (ioctl(DEVICE, BUFPOOL_IOC_INFO, &info))
		err(1, "info");
	span = info.span;
	for (nr = 0; nr < info.nr_classes && nr < CLASSES_MAX; nr++)
		map_class(nr);
}

static char *place_of(__u64 offset)
{
	return places[offset / span] + offset % span;
}

static void become_somebody(unsigned int nr)
{
	uid_t uid = FIRST_UID + nr;

	if (geteuid()) {
		if (unshare(CLONE_NEWUSER))
			err(1, "no user namespace");
	} else if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) {
		err(1, "setuid");
	}
}

#define LOAD(field)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOW_HALF(nr)	LOAD(args[nr])	/* both machines have it first */
#define IF(value, yes, no)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define VERDICT(what)	BPF_STMT(BPF_RET | BPF_K, what)

static void give_up_calls(void)
{
	static struct sock_filter filter[] = {
		LOAD(arch),
		IF(THIS_ARCH, 0, 8),
		LOAD(nr),
		IF(__NR_exit_group, 7, 0),
		IF(__NR_ioctl, 0, 5),
		LOW_HALF(0),
		IF(DEVICE, 0, 3),
		LOW_HALF(1),
		IF(BUFPOOL_IOC_SEND, 2, 0),
		IF(BUFPOOL_IOC_RECEIVE, 1, 0),
		VERDICT(SECCOMP_RET_KILL_PROCESS),
		VERDICT(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(struct sock_filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		err(1, "seccomp");
}

static bool receive_request(struct bufpool_message *message)
{
	struct bufpool_receive receive = {
		.size = sizeof(receive),
		.fd = REQUESTS_END,
		.count = 1,
		.messages = (uintptr_t)message,
	};
	int ret = ioctl(DEVICE, BUFPOOL_IOC_RECEIVE, &receive);

	if (ret < 0)
		_exit(1);
	return ret > 0;
}

static void send_answer(const struct bufpool_message *message)
{
	struct bufpool_send send = {
		.size = sizeof(send),
		.fd = ANSWERS_END,
		.count = 1,
		.messages = (uintptr_t)message,
	};

	if (ioctl(DEVICE, BUFPOOL_IOC_SEND, &send) != 1)
		_exit(1);
}

static void answer(char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		text[i] = toupper((unsigned char)text[i]);
}

static void touch(__u64 offset)
{
	__atomic_store_n(place_of(offset), 1, __ATOMIC_RELAXED);
}

static void do_deed(__u64 tag)
{
	struct bufpool_rent rent = { .size = sizeof(rent), .min_size = REQUEST };

	switch (DEED_OF(tag)) {
	case TOUCH_ANOTHER:
		touch(OFFSET_OF(tag));
		break;
	case OPEN_FILE:
		open("/etc/passwd", O_RDONLY);
		break;
	case OPEN_SOCKET:
		socket(AF_INET, SOCK_STREAM, 0);
		break;
	case RENT_BLOCK:
		ioctl(DEVICE, BUFPOOL_IOC_RENT, &rent);
		break;
	case KILL_SERVER:
		kill(server, SIGKILL);
		break;
	default:
		break;
	}
}

static void serve_requests(void)
{
	struct bufpool_message message;

	while (receive_request(&message)) {
		do_deed(message.tag);
		answer(place_of(message.offset), message.used);
		send_answer(&message);
		if (DEED_OF(message.tag) == TOUCH_SENT)
			touch(message.offset);
	}
	_exit(0);
}

/* By way of numbers that are none of these, as any may be one already. */
static void keep_descriptors(int requests, int answers)
{
	int fds[] = { open("/dev/bufpool", O_RDWR), requests, answers };
	int i;

	for (i = 0; i < 3; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, NO_MORE_ENDS);
	for (i = 0; i < 3; i++)
		if (dup2(fds[i], DEVICE + i) < 0)
			err(1, "descriptors");
	if (close_range(NO_MORE_ENDS, ~0U, 0))
		err(1, "close_range");
}

static void be_worker(unsigned int nr, int requests, int answers)
{
	/* while it may still open the device */
	keep_descriptors(requests, answers);
	become_somebody(nr);
	map_places();
	give_up_calls();
	serve_requests();
}

/* The server */

struct worker {
	pid_t pid;
	int requests;	/* send end */
	int answers;	/* receive end */
};

static void must(const char *what, int ret)
{
	if (ret < 0)
		errx(1, "%s: %s", what, bufpool_strerror(-ret));
}

static struct worker start_worker(struct bufpool *pool)
{
	static unsigned int nr;
	struct worker worker;
	int requests[2], answers[2];

	must("channel", bufpool_channel(pool, REQUESTS, requests));
	must("channel", bufpool_channel(pool, REQUESTS, answers));
	worker = (struct worker){ fork(), requests[1], answers[0] };
	if (worker.pid < 0)
		err(1, "fork");
	if (!worker.pid)
		be_worker(nr, requests[0], answers[1]);
	nr++;
	/* so that the ends are the worker's alone, and gone when it is */
	close(requests[0]);
	close(answers[1]);
	return worker;
}

/* What it has not answered comes to the server as its end. */
static int end_worker(struct worker *worker)
{
	int status;

	close(worker->requests);
	close(worker->answers);
	if (waitpid(worker->pid, &status, 0) != worker->pid)
		err(1, "waitpid");
	return status;
}

static void send_request(struct bufpool *pool, const struct worker *worker, unsigned int nr,
			 uint64_t tag)
{
	struct bufpool_parcel parcel = { .size = sizeof(parcel), .tag = tag };

	parcel.block = bufpool_rent(pool, REQUEST, 0);
	if (!parcel.block)
		err(1, "rent");
	parcel.used = snprintf(parcel.block, REQUEST, "request %u", nr);
	must("send", bufpool_send(pool, worker->requests, &parcel, 0));
}

/* Return: answers that there were, 0 or 1; and whether it is the right one. */
static int take_answer(struct bufpool *pool, const struct worker *worker, unsigned int nr,
		       bool *is_right)
{
	struct bufpool_parcel parcel = { .size = sizeof(parcel) };
	char expected[64];
	int ret = bufpool_receive(pool, worker->answers, &parcel, 0);

	must("receive", ret);
	if (!ret)
		return 0;
	snprintf(expected, sizeof(expected), "REQUEST %u", nr);
	*is_right = parcel.used == strlen(expected) &&
		    !memcmp(parcel.block, expected, parcel.used);
	must("return", bufpool_return(pool, parcel.block, 0));
	return 1;
}

/* All requests are under way before the first answer is looked at. */
static bool hand_out(struct bufpool *pool)
{
	struct worker workers[WORKERS];
	unsigned int i, right = 0;
	bool is_right = false;

	for (i = 0; i < WORKERS; i++)
		workers[i] = start_worker(pool);
	for (i = 0; i < REQUESTS; i++)
		send_request(pool, &workers[i % WORKERS], i, ANSWER);
	for (i = 0; i < REQUESTS; i++)
		right += take_answer(pool, &workers[i % WORKERS], i, &is_right) && is_right;
	for (i = 0; i < WORKERS; i++)
		end_worker(&workers[i]);
	printf("%u workers, %u requests: %u right answers\n", WORKERS, REQUESTS, right);
	return right == REQUESTS;
}

static const char *what_killed(int status)
{
	if (!WIFSIGNALED(status))
		return "nothing";
	return WTERMSIG(status) == SIGBUS ? "SIGBUS" :
	       WTERMSIG(status) == SIGSYS ? "SIGSYS" : strsignal(WTERMSIG(status));
}

/* True if the worker died of it: before it answered, but where the answer is the point. */
static bool misbehave(struct bufpool *pool, enum deed deed, uint64_t offset)
{
	int expected = deed == TOUCH_ANOTHER || deed == TOUCH_SENT ? SIGBUS : SIGSYS;
	struct worker worker = start_worker(pool);
	unsigned int answers = 0;
	bool is_right;
	int status;

	send_request(pool, &worker, deed, deed | offset);
	while (take_answer(pool, &worker, deed, &is_right))
		answers++;
	status = end_worker(&worker);
	printf("a worker that wants to %s: killed by %s\n", deed_names[deed],
	       what_killed(status));
	return WIFSIGNALED(status) && WTERMSIG(status) == expected &&
	       answers == (deed == TOUCH_SENT);
}

int main(void)
{
	struct bufpool *pool = bufpool_open(NULL, 0);
	char *secret = pool ? bufpool_rent(pool, REQUEST, 0) : NULL;
	enum deed deed;
	uint64_t offset;
	bool is_fine;

	if (!secret)
		err(1, "the pool");
	setvbuf(stdout, NULL, _IOLBF, 0);
	server = getpid();
	strcpy(secret, "secret");
	must("offset", bufpool_offset(pool, secret, &offset));
	is_fine = hand_out(pool);
	for (deed = ANSWER + 1; deed < DEEDS; deed++)
		is_fine &= misbehave(pool, deed, deed == TOUCH_ANOTHER ? offset : 0);
	is_fine &= !strcmp(secret, "secret");
	must("return", bufpool_return(pool, secret, 0));
	is_fine &= hand_out(pool);
	printf("the server's own block: as it was; %s\n", is_fine ? "all is well" : "NOT WELL");
	return bufpool_close(pool) || !is_fine;
}
