// SPDX-License-Identifier: MIT
/*
 * Programs whose personality makes what can be read executable can map blocks all
 * the same, and the mapping is not executable.
 */
#include "bufpool_test.h"

#include <sys/personality.h>

#define BLOCK	(64 * KIB)

FIXTURE(personality)
{
	int fd;
	struct bufpool_info info;
	struct bufpool_rent rent;
};

FIXTURE_SETUP(personality)
{
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
	ASSERT_EQ(0, rent(self->fd, BLOCK, &self->rent));
}

FIXTURE_TEARDOWN(personality)
{
	close(self->fd);
}

/* What /proc says may be done with the mapping at an address, such as rw-s. */
static bool permissions_are(const void *at, const char *want)
{
	char line[256], permissions[8];
	unsigned long start;
	bool found = false;
	FILE *file = fopen("/proc/self/maps", "re");

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%lx-%*x %7s", &start, permissions) == 2 &&
			start == (unsigned long)at;
	if (file)
		fclose(file);
	return found && !strcmp(permissions, want);
}

TEST_F(personality, maps_a_block)
{
	char *at;

	ASSERT_LE(0, personality(READ_IMPLIES_EXEC));
	at = map_block(self->fd, &self->rent);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_TRUE(permissions_are(at, "rw-s"));
	EXPECT_EQ(0, poke(at, 1));
	EXPECT_EQ(0, poke(at + BLOCK - 1, 1));
	/* Nor can it be made so. */
	EXPECT_EQ(-1, mprotect(at, BLOCK, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, mprotect(at, BLOCK, PROT_READ));
	EXPECT_TRUE(permissions_are(at, "r--s"));
}

TEST_F(personality, maps_the_status_page)
{
	void *at;

	ASSERT_LE(0, personality(READ_IMPLIES_EXEC));
	at = map_status(self->fd);
	ASSERT_NE(NULL, at);
	EXPECT_TRUE(permissions_are(at, "r--s"));
	EXPECT_EQ(0, touch(at));
}

/* A program that asks for it, and has no such excuse, is told. */
TEST_F(personality, asking_is_refused)
{
	int prot = PROT_READ | PROT_WRITE | PROT_EXEC;

	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK, prot,
				   MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->info.status_offset,
				   self->info.page_size, PROT_READ | PROT_EXEC,
				   MAP_SHARED));
}

/* Other rules hold under it, too. */
TEST_F(personality, private_is_refused)
{
	ASSERT_LE(0, personality(READ_IMPLIES_EXEC));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->rent.offset, BLOCK,
				   PROT_READ, MAP_PRIVATE));
}

TEST_HARNESS_MAIN
