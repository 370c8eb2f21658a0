// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exchange.h"
#include "measure.h"
#include "transport.h"

static const struct transport *transport;
static struct load load;
static pid_t consumer;

/* The consumer adds one for each load. */
static int done = -1;

static void join(void)
{
	if (transport->join)
		transport->join();
}

static noreturn void consume_all(void)
{
	const uint64_t one = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	join();
	for (;;) {
		transport->consume(&load);
		MUST(write(done, &one, sizeof(one)) == sizeof(one));
	}
}

bool exchange_begin(const struct transport *by, const struct load *of)
{
	transport = by;
	load = *of;
	if (!transport->begin(&load))
		return false;
	done = eventfd(0, EFD_CLOEXEC);
	MUST(done >= 0);
	consumer = fork();
	MUST(consumer >= 0);
	if (!consumer)
		consume_all();
	join();
	return true;
}

void exchange_once(void)
{
	uint64_t loads;

	transport->produce(&load);
	MUST(read(done, &loads, sizeof(loads)) == sizeof(loads));
}

void exchange_end(void)
{
	int status;

	MUST(!kill(consumer, SIGKILL));
	MUST(waitpid(consumer, &status, 0) == consumer && WIFSIGNALED(status));
	close(done);
	transport->end(&load);
}
