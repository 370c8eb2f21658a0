// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crowd.h"
#include "device.h"
#include "full.h"
#include "measure.h"
#include "pages.h"

/* Descriptors of this program beside those of the clients. */
#define MORE_FILES	100

static int fds[CROWD_MAX];
static unsigned int nr_clients;

/* The client whose turn it is. */
static unsigned int turn;

/* Where the clients are registered, if they are. */
static int epoll_fd = -1;
static bool is_armed;

static struct device member(unsigned int nr)
{
	return (struct device){ .fd = fds[nr] };
}

static unsigned int next_turn(void)
{
	turn = (turn + 1) % nr_clients;
	return turn;
}

void crowd_join(unsigned int count)
{
	struct rlimit limit = { CROWD_MAX + MORE_FILES, CROWD_MAX + MORE_FILES };
	struct device client;

	/* a user that may not raise it finds it raised */
	setrlimit(RLIMIT_NOFILE, &limit);
	MUST(count <= CROWD_MAX);
	while (nr_clients < count) {
		device_open(&client);
		fds[nr_clients++] = client.fd;
	}
}

void crowd_leave(void)
{
	if (epoll_fd >= 0)
		close(epoll_fd);
	epoll_fd = -1;
	is_armed = false;
	while (nr_clients)
		MUST(!close(fds[--nr_clients]));
	turn = 0;
}

void crowd_keep_warm(void)
{
	struct device client;
	unsigned int i;

	for (i = 0; i < nr_clients; i++) {
		client = member(i);
		full_give();
		device_rent(&client, PAGE);
		device_return(&client, 0);
	}
}

void crowd_keep_warm_at(unsigned long long offset)
{
	struct device client = member(next_turn());
	unsigned int count = 0;

	/* its own warm block comes first, if it has one */
	do {
		MUST(count < BUFPOOL_MANY_MAX);
		device_rent(&client, PAGE);
		client.handles[count++] = client.rent.handle;
	} while (client.rent.offset != offset);
	device_return_many(&client, count, 0);
}

void crowd_register(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	unsigned int i;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	MUST(epoll_fd >= 0);
	for (i = 0; i < nr_clients; i++)
		MUST(!epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[i], &event));
}

void crowd_arm(void)
{
	crowd_register();
	is_armed = true;
}

void crowd_rearm(void)
{
	struct device client;

	if (!is_armed)
		return;
	client = member(next_turn());
	device_poll(&client);
}
