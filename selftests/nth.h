/* SPDX-License-Identifier: MIT */
/*
 * Every allocation that an operation needs fails once, and every copy but of single
 * words: the first in the first round, the second in the second, until a round
 * passes without a failure. Each time the answer is one of the documented ones, and nothing has
 * changed.
 */
#ifndef NTH_H
#define NTH_H

#include "bufpool_test.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MOST_ROUNDS	400
#define BLOCK		(64 * KIB)

FIXTURE(nth)
{
	int observer;
	int fd;		/* a client that has rented one block */
	int nth;
	struct bufpool_rent rent;
	struct bufpool_stats before;
};

/* The kernel's faults are the debugging kernel's to make. */
static inline void __attribute__((constructor)) need_faults(void)
{
	const char *const knobs[] = {
		"failslab/ignore-gfp-wait", "fail_page_alloc/ignore-gfp-wait",
		"fail_page_alloc/ignore-gfp-highmem", "failslab/cache-filter",
	};
	char path[128];
	size_t i;

	if (access(FAIL_NTH, W_OK))
		skip_all("this kernel cannot inject failures: there is no "
			 FAIL_NTH);
	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", knobs[i]);
		write_text(path, "N");
	}
	write_text("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	/* to tell of each takes longer than all the rest */
	write_text("/sys/kernel/debug/failslab/verbose", "0");
	write_text("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	write_text("/sys/kernel/debug/fail_usercopy/verbose", "0");
}

FIXTURE_SETUP(nth)
{
	self->observer = pool_open();
	ASSERT_LE(0, self->observer);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
	ASSERT_EQ(0, pool_stats(self->fd, &self->before));
	self->nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->nth);
}

FIXTURE_TEARDOWN(nth)
{
	close(self->nth);
	close(self->fd);
	close(self->observer);
}

/* From the next system call on, let the one numbered @number fail. */
static inline void fail_number(int nth, unsigned int number)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", number);

	CHECK(pwrite(nth, text, len, 0) == len);
}

/* End that; whether it came so far. These calls may be hit themselves. */
static inline bool has_failed(int nth)
{
	char text[16] = "";
	int hit = 0;

	if (pread(nth, text, sizeof(text) - 1, 0) < 1)
		hit = 2;
	while (pwrite(nth, "0", 1, 0) != 1)
		hit = 2;
	/* What is left over is a failure that did not happen. */
	return hit == 2 ? false : atoi(text) == 0;
}

/* Something that can be done, and undone when it went well; what it leaves when it did not. */
struct operation {
	int (*run)(int fd, void *arg);
	void (*undo)(int fd, void *arg);
	bool (*is_whole)(int fd, void *arg);
	void *arg;
};

static inline bool is_documented(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT;
}

/* How many rounds it took until the operation passed, 0 if it never did. */
static inline unsigned int sweep(struct __test_metadata *_metadata, int nth, int fd,
				 const struct bufpool_stats *before,
				 const struct operation *operation)
{
	unsigned int round;

	for (round = 1; round < MOST_ROUNDS; round++) {
		bool failed;
		int ret;

		fail_number(nth, round);
		ret = operation->run(fd, operation->arg);
		failed = has_failed(nth);
		if (ret >= 0) {
			if (operation->undo)
				operation->undo(fd, operation->arg);
			/* A failure that did no harm is one all the same. */
			if (!failed)
				return round;
			continue;
		}
		EXPECT_TRUE(is_documented(ret)) {
			TH_LOG("round %u: %d", round, ret);
		}
		EXPECT_TRUE(unchanged(fd, before) &&
			    (!operation->is_whole || operation->is_whole(fd, operation->arg))) {
			TH_LOG("round %u: %d", round, ret);
		}
		if (!failed && ret < 0)
			return 0;
	}
	return 0;
}

#endif /* NTH_H */
