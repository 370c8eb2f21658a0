// SPDX-License-Identifier: MIT
/*
 * What the pool shows of itself in files, and what is written there, with each allocation and
 * copy failing once.
 */
#include "channel.h"
#include "inside.h"
#include "nth.h"

#include <glob.h>

struct text {
	const char *path;
	char bytes[64 * 1024];
	ssize_t length;
};

static int run_read(int fd, void *arg)
{
	struct text *text = arg;
	ssize_t ret = file_read(text->path, text->bytes, sizeof(text->bytes));

	(void)fd;
	return ret < 0 ? ret : 0;
}

static int run_write(int fd, void *arg)
{
	struct text *text = arg;
	int file = open(text->path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	(void)fd;
	if (file < 0)
		return -errno;
	if (write(file, text->bytes, text->length) < 0)
		ret = -errno;
	close(file);
	return ret;
}

/* It says what it said. */
static bool is_as_before(int fd, void *arg)
{
	struct text *text = arg;
	char now[64];

	(void)fd;
	return file_read(text->path, now, sizeof(now)) == text->length &&
	       !memcmp(now, text->bytes, text->length);
}

/* How many files of a pattern can be read */
static size_t sweep_files(struct __test_metadata *_metadata, int nth, int fd,
			  const struct bufpool_stats *before, const char *pattern)
{
	static struct text text;
	const struct operation operation = { .run = run_read, .arg = &text };
	size_t i, count = 0;
	glob_t found;

	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++) {
		text.path = found.gl_pathv[i];
		if (run_read(-1, &text))
			continue;
		count++;
		EXPECT_LT(1, sweep(_metadata, nth, fd, before, &operation)) {
			TH_LOG("%s", text.path);
		}
	}
	globfree(&found);
	return count;
}

/* The same, for a client of the fixture */
#define SWEEP_FILES(pattern) \
	sweep_files(_metadata, self->nth, self->fd, &self->before, pattern)

TEST_F(nth, sysfs)
{
	EXPECT_LE(NR_NUMBERS, SWEEP_FILES(SYSFS "[a-z]*"));
}

TEST_F(nth, a_class_in_sysfs)
{
	EXPECT_LE(NR_CLASS_NUMBERS, SWEEP_FILES(CLASSES "4096/*"));
}

TEST_F(nth, parameters)
{
	EXPECT_LE(ARRAY_SIZE(parameters), SWEEP_FILES(POOL_PARAMETERS "*"));
}

TEST_F(nth, debugfs)
{
	EXPECT_LE(3, SWEEP_FILES("/sys/kernel/debug/bufpool/*"));
}

TEST_F(nth, fdinfo)
{
	struct channel channel;

	ASSERT_EQ(0, channel_make(self->fd, 1, &channel));
	ASSERT_LE(0, poller_of(self->fd, PAGE));
	ASSERT_LE(0, export_block(self->fd, self->rent.handle));
	EXPECT_LE(6, SWEEP_FILES("/proc/self/fdinfo/*"));
}

/* A parameter that could not be set is as it was. */
TEST_F(nth, set_parameters)
{
	static struct text text;
	const struct operation operation = {
		.run = run_write,
		.is_whole = is_as_before,
		.arg = &text,
	};
	char path[64];
	size_t i;

	text.path = path;
	for (i = 0; i < ARRAY_SIZE(parameters); i++) {
		snprintf(path, sizeof(path), POOL_PARAMETERS "%s", parameters[i]);
		text.length = file_read(path, text.bytes, sizeof(text.bytes));
		ASSERT_LT(0, text.length);
		EXPECT_LT(1, sweep(_metadata, self->nth, self->fd, &self->before, &operation)) {
			TH_LOG("%s", path);
		}
	}
}

static void drop_reserve(int fd, void *arg)
{
	struct text *text = arg;

	(void)fd;
	CHECK(!write_text(text->path, "0"));
}

/* A reserve may take slabs, each of which may fail. */
TEST_F(nth, set_a_reserve)
{
	static struct text text = {
		.path = CLASSES "65536/reserve",
		.bytes = "4M",
		.length = 2,
	};
	const struct operation operation = {
		.run = run_write,
		.undo = drop_reserve,
		.arg = &text,
	};

	EXPECT_LT(2, sweep(_metadata, self->nth, self->fd, &self->before, &operation));
}

TEST_HARNESS_MAIN
