// SPDX-License-Identifier: MIT
/*
 * The module comes and goes while its files are open and read.
 */
#include <linux/kernel-page-flags.h>

#include "channel.h"
#include "inside.h"
#include "kmod.h"
#include "outside.h"
#include "pressure.h"
#include "probe.h"

#define PINNED_UNLOADS	8
#define PINNED		(16 * MIB)
#define NR_PINNED	64

#define HARD_OFFLINE	"/sys/devices/system/memory/hard_offline_page"
#define PAGE_FLAGS	"/proc/kpageflags"
#define BROKEN		(64 * KIB)
#define NR_OTHERS	64
#define FULL		16		/* blocks in a pool that is full */

static int module_unload(void)
{
	return module_remove("bufpool");
}

static int module_load(void)
{
	const char *ko = getenv("BUFPOOL_KO");

	return module_insert(ko ? ko : "./bufpool.ko", "dyndbg=+p");
}

/* A reader of the module's files may be on its way out. */
static int module_unload_soon(void)
{
	int ret;

	BECOMES((ret = module_unload()) != -EAGAIN && ret != -EBUSY);
	return ret;
}

/* Why the module cannot be unloaded and loaded again, or NULL. */
static const char *module_is_fixed(void)
{
	const char *ko = getenv("BUFPOOL_KO");

	if (access(ko ? ko : "./bufpool.ko", R_OK))
		return "no module to load: set BUFPOOL_KO";
	return pool_number("clients") ? "others use the module" : NULL;
}

FIXTURE(module)
{
	unsigned int *looks;
};

FIXTURE_SETUP(module)
{
	if (module_is_fixed())
		SKIP_FIXTURE("%s", module_is_fixed());
	self->looks = shared_alloc(sizeof(*self->looks));
	ASSERT_NE(NULL, self->looks);
}

FIXTURE_TEARDOWN(module)
{
	munmap(self->looks, sizeof(*self->looks));
}

/* Files that were open before the module went belong to no pool afterwards. */
TEST_F(module, sysfs_open_at_unload)
{
	int fds[NR_NUMBERS + NR_CLASS_NUMBERS], nr = 0;
	char path[PATH_MAX], text[32];
	unsigned int i;

	for (i = 0; i < NR_NUMBERS; i++) {
		snprintf(path, sizeof(path), SYSFS "%s", numbers[i].name);
		fds[nr++] = open(path, O_RDONLY | O_CLOEXEC);
	}
	for (i = 0; i < NR_CLASS_NUMBERS; i++) {
		snprintf(path, sizeof(path), CLASSES "%llu/%s", PAGE,
			 class_numbers[i]);
		fds[nr++] = open(path, O_RDONLY | O_CLOEXEC);
	}
	while (nr--) {
		ASSERT_LE(0, fds[nr]);
		EXPECT_LT(0, pread(fds[nr], text, sizeof(text), 0));
	}

	ASSERT_EQ(0, module_unload());
	for (i = 0; i < NR_NUMBERS + NR_CLASS_NUMBERS; i++) {
		EXPECT_EQ(-1, pread(fds[i], text, sizeof(text), 0));
		EXPECT_EQ(ENODEV, errno);
	}
	EXPECT_EQ(-1, access(SYSFS, F_OK));
	ASSERT_EQ(0, module_load());
	for (i = 0; i < NR_NUMBERS + NR_CLASS_NUMBERS; i++) {
		EXPECT_EQ(-1, pread(fds[i], text, sizeof(text), 0));
		EXPECT_EQ(ENODEV, errno);
		close(fds[i]);
	}
	EXPECT_EQ(0, pool_number("clients"));
}

/* An open table keeps the module, and nothing of it stays behind. */
TEST_F(module, debugfs_open_at_unload)
{
	char text[4096];
	int fd;

	if (access(DEBUGFS, R_OK))
		SKIP(return, "cannot read " DEBUGFS);
	fd = open(DEBUGFS, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EAGAIN, module_unload());
	EXPECT_LT(0, read(fd, text, sizeof(text)));
	close(fd);
	ASSERT_EQ(0, module_unload_soon());
	EXPECT_EQ(-1, access("/sys/kernel/debug/bufpool", F_OK));
	ASSERT_EQ(0, module_load());
}

/* Look at everything until killed. */
static int look_on(void *arg)
{
	char text[4096], path[PATH_MAX];
	unsigned int *looks = arg, i;

	for (;;) {
		for (i = 0; i < NR_NUMBERS; i++)
			pool_number(numbers[i].name);
		for (i = 0; i < NR_CLASS_NUMBERS; i++) {
			snprintf(path, sizeof(path), CLASSES "%llu/%s", PAGE,
				 class_numbers[i]);
			file_read(path, text, sizeof(text));
		}
		file_read(DEBUGFS, text, sizeof(text));
		__atomic_add_fetch(looks, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

TEST_F(module, looking_while_it_comes_and_goes)
{
	pid_t child[2];
	int i;

	for (i = 0; i < 2; i++)
		child[i] = spawn(look_on, self->looks);
	for (i = 1; i <= 3; i++) {
		EXPECT_TRUE(word_reaches(self->looks, 4 * i));
		EXPECT_EQ(0, module_unload_soon());
		EXPECT_EQ(0, module_load());
	}
	for (i = 0; i < 2; i++) {
		kill(child[i], SIGKILL);
		EXPECT_EQ(-SIGKILL, reap(child[i]));
	}
}

/* What pipes have of blocks they keep, as it was, and the module goes. */
TEST_F(module, pages_in_a_pipe_at_unload)
{
	__u64 before = memory_number("MemFree");
	struct outsider outsiders[NR_PINNED];
	struct bufpool_rent rented;
	int fd, i, nr;
	char *at;

	for (i = 0; i < PINNED_UNLOADS; i++) {
		fd = pool_open();
		ASSERT_LE(0, fd);
		for (nr = 0; nr < NR_PINNED; nr++) {
			at = rent_shared(fd, PINNED / NR_PINNED, 'u', &rented, &outsiders[nr]);
			ASSERT_NE(NULL, at);
			EXPECT_EQ(0, give_up(fd, rented.handle));
			munmap(at, rented.length);
		}
		EXPECT_EQ(PINNED, stats_of(fd).quarantined);
		close(fd);
		ASSERT_EQ(0, module_unload_soon());
		while (nr--) {
			EXPECT_TRUE(outsider_has(&outsiders[nr], 'u'));
			outsider_end(&outsiders[nr]);
		}
		ASSERT_EQ(0, module_load());
	}
	/* a module that comes and goes takes some, and not all comes back at once */
	EXPECT_GT(PINNED_UNLOADS / 2 * PINNED / KIB + memory_number("MemFree"), before);
}

/* Have the system take a page frame for broken. Return: whether it does. */
static bool frame_break(__u64 pfn)
{
	__u64 flags = 0;
	char text[32];
	int fd;

	fd = open(HARD_OFFLINE, O_WRONLY | O_CLOEXEC);
	/* it says that it can do nothing about it, but remembers */
	CHECK(write(fd, text, snprintf(text, sizeof(text), "0x%llx", pfn * PAGE)));
	close(fd);
	fd = open(PAGE_FLAGS, O_RDONLY | O_CLOEXEC);
	CHECK(pread(fd, &flags, sizeof(flags), pfn * sizeof(flags)) == sizeof(flags));
	close(fd);
	return flags & 1ULL << KPF_HWPOISON;
}

/* Blocks with a page that breaks, which the pool has until it is made anew */
FIXTURE(broken)
{
	int fd;
	int probe;
	struct bufpool_rent rent;
};

FIXTURE_VARIANT(broken)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(broken, slab)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(broken, pages)
{
	.flags = BUFPOOL_RENT_IO,
};

FIXTURE_SETUP(broken)
{
	if (module_is_fixed())
		SKIP_FIXTURE("%s", module_is_fixed());
	if (access(HARD_OFFLINE, W_OK) || access(PAGE_FLAGS, R_OK))
		SKIP_FIXTURE("this kernel takes no memory for broken");
	self->probe = open(PROBE_DEVICE, O_RDWR | O_CLOEXEC);
	if (self->probe < 0)
		SKIP_FIXTURE("there is no " PROBE_DEVICE);
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(broken)
{
	close(self->probe);
	close(self->fd);
	parameters_restore();
	EXPECT_EQ(0, module_unload_soon());
	EXPECT_EQ(0, module_load());
	EXPECT_EQ(0, pool_number("quarantined"));
}

/* Rent a block whose last page breaks. Return: its offset. */
static __u64 rent_broken(int fd, int probe, __u32 flags, struct bufpool_rent *rented)
{
	char *at;

	CHECK(!rent_with(fd, BROKEN, flags, 0, rented));
	at = map_block(fd, rented);
	CHECK(at != MAP_FAILED);
	memset(at, 'b', rented->length);
	CHECK(frame_break(pfn_of(probe, at + rented->length - PAGE)));
	munmap(at, rented->length);
	return rented->offset;
}

/* Whether none of many others is it. */
static bool is_laid_aside(int fd, __u32 flags, __u64 offset)
{
	struct bufpool_rent rented;
	unsigned int i;

	for (i = 0; i < NR_OTHERS; i++) {
		CHECK(!rent_with(fd, BROKEN, flags, 0, &rented));
		if (rented.offset == offset)
			return false;
	}
	return true;
}

TEST_F(broken, is_rented_to_nobody_when_it_is_returned)
{
	struct bufpool_rent rented;
	__u64 offset = rent_broken(self->fd, self->probe, variant->flags, &rented);

	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(BROKEN, stats_of(self->fd).quarantined);
	EXPECT_TRUE(is_laid_aside(self->fd, variant->flags, offset));
}

TEST_F(broken, is_rented_to_nobody_when_its_owner_ends)
{
	struct bufpool_rent rented;
	int owner = pool_open();
	__u64 offset;

	ASSERT_LE(0, owner);
	offset = rent_broken(owner, self->probe, variant->flags, &rented);
	close(owner);
	EXPECT_EQ(BROKEN, stats_of(self->fd).quarantined);
	EXPECT_TRUE(is_laid_aside(self->fd, variant->flags, offset));
}

/* The quarantine looks at all that has references again and again. */
TEST_F(broken, stays_aside_when_what_reached_it_has_ended)
{
	struct bufpool_rent rented;
	__u64 offset = rent_broken(self->fd, self->probe, variant->flags, &rented);
	int dmabuf = export_block(self->fd, rented.handle);

	ASSERT_LE(0, dmabuf);
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	close(dmabuf);
	EXPECT_EQ(BROKEN, stats_of(self->fd).quarantined);
	EXPECT_TRUE(is_laid_aside(self->fd, variant->flags, offset));
}

/* What is not in use of it cannot be made zero for a receiver; but all of it can be meant. */
TEST_F(broken, is_laid_aside_when_it_was_sent)
{
	struct bufpool_rent rented;
	struct channel channel;
	__u64 offset;

	ASSERT_EQ(0, channel_make(self->fd, 1, &channel));
	offset = rent_broken(self->fd, self->probe, variant->flags, &rented);
	EXPECT_EQ(-EBUSY, send_with(self->fd, channel.sends, rented.handle, 0, 0, 0));
	EXPECT_EQ(0, send_with(self->fd, channel.sends, rented.handle, 0, 0,
			       BUFPOOL_SEND_WHOLE));
	channel_end(&channel);
	EXPECT_TRUE(BECOMES(stats_of(self->fd).quarantined == BROKEN));
	EXPECT_TRUE(is_laid_aside(self->fd, variant->flags, offset));
}

/* What is broken of it is not written to; so it is not zero, but dirty as before. */
TEST_F(broken, is_laid_aside_when_it_was_to_be_zero)
{
	struct bufpool_rent rented;
	__u64 offset = rent_broken(self->fd, self->probe, variant->flags, &rented);

	EXPECT_EQ(0, give(self->fd, rented.handle));
	ASSERT_EQ(0, rent_with(self->fd, BROKEN, variant->flags | BUFPOOL_RENT_ZERO, 0, &rented));
	EXPECT_EQ(offset, rented.offset);
	EXPECT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(BROKEN, stats_of(self->fd).quarantined);
	EXPECT_TRUE(is_laid_aside(self->fd, variant->flags, offset));
}

/* The rest of it is as who returned it wants it, when the system has it. */
TEST_F(broken, is_cleared_as_far_as_it_goes)
{
	struct bufpool_rent rented;
	__u64 pfn;
	char *at;

	rent_broken(self->fd, self->probe, variant->flags, &rented);
	at = map_block(self->fd, &rented);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ('b', at[PAGE]);
	/* where the system's own allocator writes nothing when it has it */
	pfn = pfn_of(self->probe, at + PAGE);
	ASSERT_NE(0, pfn);
	munmap(at, rented.length);
	EXPECT_EQ(0, give_with(self->fd, rented.handle, BUFPOOL_RETURN_CLEAR));
	EXPECT_FALSE(pfn_is_zero(self->probe, pfn));
	close(self->fd);
	EXPECT_EQ(0, module_unload_soon());
	EXPECT_TRUE(pfn_is_zero(self->probe, pfn));
	EXPECT_EQ(0, module_load());
	self->fd = pool_open();
}

/* Free blocks, until the page of one breaks before it is zeroed. Return: its offset, or 0. */
static __u64 break_free(int fd, int probe, __u32 flags)
{
	unsigned int tries = 32;
	struct bufpool_rent rented;
	__u64 pfn;
	char *at;

	while (tries--) {
		CHECK(!rent_with(fd, BROKEN, flags, 0, &rented));
		at = map_block(fd, &rented);
		CHECK(at != MAP_FAILED);
		memset(at, 'b', rented.length);
		pfn = pfn_of(probe, at + rented.length - PAGE);
		munmap(at, rented.length);
		CHECK(!give_up(fd, rented.handle) && frame_break(pfn));
		if (!pfn_is_zero(probe, pfn))
			return rented.offset;
	}
	return 0;
}

static void give_dirty(int fd, __u32 flags)
{
	struct bufpool_rent rented;

	CHECK(!rent_with(fd, BROKEN, flags, 0, &rented));
	CHECK(block_fill(fd, rented.offset, rented.length, 'd'));
	CHECK(!give_up(fd, rented.handle));
}

/* Its bytes are another owner's still. */
TEST_F(broken, is_rented_to_nobody_when_it_breaks_while_it_is_free)
{
	__u64 offset = break_free(self->fd, self->probe, variant->flags);

	ASSERT_NE(0, offset);
	EXPECT_TRUE(is_laid_aside(self->fd, variant->flags, offset));
	EXPECT_LT(0, stats_of(self->fd).quarantined);
}

TEST_F(broken, is_rented_to_nobody_when_all_free_blocks_have_been_zeroed)
{
	__u64 offset = break_free(self->fd, self->probe, variant->flags), scrubs;

	ASSERT_NE(0, offset);
	/* one more, behind it */
	scrubs = stats_of(self->fd).scrubs;
	give_dirty(self->fd, variant->flags);
	ASSERT_TRUE(BECOMES(stats_of(self->fd).scrubs > scrubs));
	EXPECT_TRUE(is_laid_aside(self->fd, variant->flags, offset));
	EXPECT_LT(0, stats_of(self->fd).quarantined);
}

/* Who wanted a block of half the size, and was about to get it, may hold as much as before. */
TEST_F(broken, is_not_charged_to_who_wanted_a_smaller_one)
{
	struct bufpool_block blocks[FULL + 1], rented[FULL];
	const __u32 flags = variant->flags | BUFPOOL_RENT_NONBLOCK;
	int renter = pool_open(), count, i;

	ASSERT_LE(0, renter);
	ASSERT_EQ(0, set_ceiling(renter, FULL * BROKEN));
	ASSERT_EQ(0, limit_write(FULL * BROKEN));
	ASSERT_EQ(FULL, drain_with(self->fd, BROKEN, variant->flags, blocks, FULL + 1));
	for (i = 0; i < FULL; i += 2)
		ASSERT_EQ(0, give_up(self->fd, blocks[i].handle));
	ASSERT_NE(0, break_free(self->fd, self->probe, variant->flags));
	count = drain_with(renter, BROKEN / 2, variant->flags, rented, FULL);
	EXPECT_LT(0, count);
	/* what is in no slab with others goes back to the system, and smaller ones are made */
	if (!(variant->flags & BUFPOOL_RENT_IO))
		EXPECT_LT(0, stats_of(self->fd).quarantined);
	ASSERT_TRUE(give_all(renter, rented, count));
	for (i = 1; i < FULL; i += 2)
		ASSERT_EQ(0, give_up(self->fd, blocks[i].handle));
	ASSERT_EQ(0, limit_write(2 * FULL * BROKEN));
	for (i = 0; i < FULL; i++)
		EXPECT_EQ(0, rent_with(renter, BROKEN, flags, 0, &self->rent));
	EXPECT_EQ(-EDQUOT, rent_with(renter, BROKEN, flags, 0, &self->rent));
	close(renter);
}

TEST_HARNESS_MAIN
