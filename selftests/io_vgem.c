// SPDX-License-Identifier: MIT
/*
 * A graphics driver imports a block by dma-buf: it reads and writes the same memory, and
 * nobody else has the block before the driver has let go of it.
 */
#include "bystander.h"

/* What the calls take, of <drm/drm.h>, which few machines have. */
struct drm_version {
	int version[3];
	size_t name_len;
	char *name;
	size_t date_len;
	char *date;
	size_t desc_len;
	char *desc;
};

struct drm_gem_close {
	__u32 handle;
	__u32 pad;
};

struct drm_prime_handle {
	__u32 handle;
	__u32 flags;
	__s32 fd;
};

#define DRM_CLOEXEC			O_CLOEXEC
#define DRM_RDWR			O_RDWR
#define DRM_IOCTL_VERSION		_IOWR('d', 0x00, struct drm_version)
#define DRM_IOCTL_GEM_CLOSE		_IOW('d', 0x09, struct drm_gem_close)
#define DRM_IOCTL_PRIME_HANDLE_TO_FD	_IOWR('d', 0x2d, struct drm_prime_handle)
#define DRM_IOCTL_PRIME_FD_TO_HANDLE	_IOWR('d', 0x2e, struct drm_prime_handle)

#define LIMIT	(1 * MIB)
#define BLOCK	(64 * KIB)
#define ALL	((int)(LIMIT / BLOCK))
#define MINE	0x11
#define THEIRS	0x22

FIXTURE(vgem)
{
	int fd;
	struct bufpool_rent rent;
	char *at;
	int buffer;
	int card;
	__u32 object;
	struct bystander other;
};

/* Whether that is a device of this driver */
static bool is_driver(int card, const char *driver)
{
	char name[32] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	return !ioctl(card, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver);
}

static int card_open(const char *driver)
{
	char path[32];
	int nr, card;

	for (nr = 0; nr < 8; nr++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", nr);
		card = open(path, O_RDWR | O_CLOEXEC);
		if (card < 0)
			continue;
		if (is_driver(card, driver))
			return card;
		close(card);
	}
	return -1;
}

FIXTURE_SETUP(vgem)
{
	struct drm_prime_handle prime = { .flags = 0 };

	self->card = card_open("vgem");
	if (self->card < 0)
		SKIP_FIXTURE("there is no device of vgem");
	ASSERT_EQ(0, limit_write(LIMIT));
	self->other.fd = pool_open();
	self->other.count = 0;
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	self->at = rent_io_mapped(self->fd, BLOCK, &self->rent);
	ASSERT_NE(NULL, self->at);
	memset(self->at, MINE, BLOCK);
	self->buffer = export_block(self->fd, self->rent.handle);
	ASSERT_LE(0, self->buffer);
	prime.fd = self->buffer;
	ASSERT_EQ(0, ioctl(self->card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
	self->object = prime.handle;
}

FIXTURE_TEARDOWN(vgem)
{
	close(self->buffer);
	close(self->card);
	close(self->fd);
	bystander_ends(&self->other);
	parameters_restore();
}

/* The driver's own object as a dma-buf: the one that it was made of */
static int object_export(int card, __u32 object)
{
	struct drm_prime_handle prime = { .handle = object, .flags = DRM_CLOEXEC | DRM_RDWR };

	return ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime) ? -errno : prime.fd;
}

static int object_close(int card, __u32 object)
{
	struct drm_gem_close close = { .handle = object };

	return ioctl(card, DRM_IOCTL_GEM_CLOSE, &close) ? -errno : 0;
}

TEST_F(vgem, same_memory)
{
	int again = object_export(self->card, self->object);
	char *at;

	ASSERT_LE(0, again);
	at = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_TRUE(filled(at, MINE, BLOCK));
	memset(at, THEIRS, BLOCK);
	EXPECT_TRUE(filled(self->at, THEIRS, BLOCK));
	munmap(at, BLOCK);
	close(again);
}

TEST_F(vgem, returned_while_it_is_imported)
{
	int again = object_export(self->card, self->object);
	char *at;

	ASSERT_LE(0, again);
	at = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, give_up(self->fd, self->rent.handle));
	EXPECT_EQ(SIGBUS, touch(self->at));
	EXPECT_EQ(BLOCK, stats_of(self->fd).quarantined);
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL - 1, self->other.count);
	EXPECT_TRUE(filled(at, MINE, BLOCK));
	memset(at, THEIRS, BLOCK);
	EXPECT_TRUE(bystander_is_unhurt(&self->other));

	/* one by one, all that has it lets go */
	EXPECT_EQ(0, close(again));
	EXPECT_EQ(0, close(self->buffer));
	self->buffer = -1;
	EXPECT_EQ(0, munmap(at, BLOCK));
	EXPECT_EQ(BLOCK, stats_of(self->fd).quarantined);
	EXPECT_EQ(0, object_close(self->card, self->object));
	EXPECT_TRUE(BECOMES(!stats_of(self->fd).quarantined));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL, self->other.count);
}

TEST_F(vgem, client_is_closed)
{
	EXPECT_EQ(0, munmap(self->at, BLOCK));
	EXPECT_EQ(0, close(self->fd));
	self->fd = -1;
	EXPECT_EQ(0, close(self->buffer));
	self->buffer = -1;
	EXPECT_TRUE(BECOMES(stats_of(self->other.fd).quarantined == BLOCK));
	ASSERT_TRUE(bystander_takes_all(&self->other, BLOCK));
	EXPECT_EQ(ALL - 1, self->other.count);
	EXPECT_EQ(0, close(self->card));
	self->card = -1;
	EXPECT_TRUE(BECOMES(!stats_of(self->other.fd).quarantined));
	EXPECT_TRUE(bystander_is_unhurt(&self->other));
}

TEST_HARNESS_MAIN
