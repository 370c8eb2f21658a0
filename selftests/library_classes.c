// SPDX-License-Identifier: MIT
/*
 * libbufpool's table of classes, with providers whose classes are not those of
 * today's kernel.
 */
#include "library_test.h"

#define UNKNOWN_BACKING	7

/* Classes of two backings, and a size that is missing */
static const struct bufpool_class_info mixed[] = {
	{ .backing = UNKNOWN_BACKING, .block_size = 4096, .offset = 0,
	  .span = MIB },
	{ .backing = BUFPOOL_BACKING_SLAB, .block_size = 4096,
	  .offset = 2 * MIB, .span = MIB, .properties = BUFPOOL_CLASS_POOLED },
	{ .backing = BUFPOOL_BACKING_SLAB, .block_size = 8192,
	  .offset = 8 * MIB, .span = 2 * MIB, .properties = BUFPOOL_CLASS_POOLED },
	{ .backing = UNKNOWN_BACKING, .block_size = 2 * MIB,
	  .offset = 10 * MIB, .span = 4 * MIB },
	{ .backing = BUFPOOL_BACKING_SLAB, .block_size = 65536,
	  .offset = 4 * MIB, .span = 4 * MIB },
};

static int describe_mixed(struct bufpool_provider *provider,
			  struct bufpool_class_info *class)
{
	__u32 nr = class->nr;

	(void)provider;
	if (nr >= ARRAY_SIZE(mixed))
		return -EINVAL;
	*class = mixed[nr];
	class->nr = nr;
	return 0;
}

static int describe_unknown(struct bufpool_provider *provider,
			    struct bufpool_class_info *class)
{
	int ret = describe_mixed(provider, class);

	class->backing = UNKNOWN_BACKING;
	return ret;
}

/* Where each offset was mapped */
static struct {
	__u64 offset;
	void *address;
} maps[ARRAY_SIZE(mixed)];
static unsigned int nr_maps;

static int note_map(struct bufpool_provider *provider, void *address,
		    size_t length, __u64 offset)
{
	(void)provider;
	(void)length;
	if (nr_maps == ARRAY_SIZE(maps))
		return -ENOSPC;
	maps[nr_maps].offset = offset;
	maps[nr_maps++].address = address;
	return 0;
}

static const struct bufpool_provider_ops mixed_ops = {
	.describe = describe_mixed,
	.map = note_map,
};

static const struct bufpool_provider_ops unknown_ops = {
	.describe = describe_unknown,
};

FIXTURE(classes)
{
	struct bufpool_provider provider;
	struct bufpool_classes classes;
};

FIXTURE_SETUP(classes)
{
	self->provider.ops = &mixed_ops;
	ASSERT_EQ(0, bufpool_classes_init(&self->classes, &self->provider,
					  ARRAY_SIZE(mixed)));
}

FIXTURE_TEARDOWN(classes)
{
}

TEST_F(classes, of_an_unknown_backing_are_passed_over)
{
	const struct bufpool_class *of = self->classes.of;

	ASSERT_EQ(3, self->classes.count);
	EXPECT_EQ(4096, of[0].block_size);
	EXPECT_EQ(8192, of[1].block_size);
	EXPECT_EQ(65536, of[2].block_size);
	EXPECT_EQ(1, of[0].nr);
	EXPECT_EQ(2, of[1].nr);
	EXPECT_EQ(4, of[2].nr);
	EXPECT_EQ(8192, self->classes.max_pooled);
	EXPECT_EQ(MIB, self->classes.span);
}

TEST_F(classes, a_size_has_the_smallest_that_holds_it)
{
	EXPECT_EQ(0, bufpool_classes_for(&self->classes, 1));
	EXPECT_EQ(0, bufpool_classes_for(&self->classes, 4096));
	EXPECT_EQ(1, bufpool_classes_for(&self->classes, 4097));
	EXPECT_EQ(1, bufpool_classes_for(&self->classes, 8192));
	EXPECT_EQ(2, bufpool_classes_for(&self->classes, 8193));
	EXPECT_EQ(2, bufpool_classes_for(&self->classes, 65536));
	EXPECT_EQ(3, bufpool_classes_for(&self->classes, 65537));
}

TEST_F(classes, an_offset_has_the_class_of_its_span)
{
	EXPECT_EQ(3, bufpool_classes_at(&self->classes, 0));
	EXPECT_EQ(0, bufpool_classes_at(&self->classes, 2 * MIB));
	EXPECT_EQ(0, bufpool_classes_at(&self->classes, 3 * MIB - 1));
	EXPECT_EQ(3, bufpool_classes_at(&self->classes, 3 * MIB));
	EXPECT_EQ(2, bufpool_classes_at(&self->classes, 8 * MIB - 1));
	EXPECT_EQ(1, bufpool_classes_at(&self->classes, 8 * MIB));
	EXPECT_EQ(3, bufpool_classes_at(&self->classes, 10 * MIB));
}

TEST_F(classes, a_window_has_those_that_are_known)
{
	struct bufpool_place place, second = { .class = 2, .index = 1 };
	struct bufpool_window window;
	__u64 offset = 4 * MIB + 65536;
	char *block;

	ASSERT_EQ(0, bufpool_window_init(&window, &self->classes, 20,
					 &self->provider));
	EXPECT_EQ(3, nr_maps);
	EXPECT_EQ(2 * MIB, maps[0].offset);
	EXPECT_EQ(8 * MIB, maps[1].offset);
	EXPECT_EQ(4 * MIB, maps[2].offset);
	EXPECT_EQ(window.base + 2 * MIB, maps[2].address);

	block = bufpool_window_address(&window, &second);
	EXPECT_EQ(window.base + 2 * MIB + 65536, block);
	EXPECT_EQ(offset, bufpool_window_offset(&window, &second));
	EXPECT_EQ((4ULL << 27 | 1) << 32 | 9,
		  bufpool_window_handle(&window, &second, 9));
	ASSERT_EQ(0, bufpool_window_find_offset(&window, offset, &place));
	EXPECT_EQ(2, place.class);
	EXPECT_EQ(1, place.index);
	EXPECT_EQ(-EINVAL, bufpool_window_find_offset(&window, offset + 4096, &place));
	EXPECT_EQ(-EINVAL, bufpool_window_find_offset(&window, 0, &place));
	EXPECT_EQ(-ENOMEM, bufpool_window_find_offset(&window, 5 * MIB, &place));
	EXPECT_EQ(-EINVAL, bufpool_window_find(&window, block + 4096, &place));
	EXPECT_EQ(-ENOENT, bufpool_window_find(&window, window.base + 3 * MIB,
					       &place));
	bufpool_window_destroy(&window);
}

TEST(without_a_known_class_there_is_no_pool)
{
	struct bufpool_provider provider = { .ops = &unknown_ops };
	struct bufpool_classes classes;

	EXPECT_EQ(-ENOTTY, bufpool_classes_init(&classes, &provider,
						ARRAY_SIZE(mixed)));
}

TEST(an_error_of_the_provider_is_passed_on)
{
	struct bufpool_provider provider = { .ops = &mixed_ops };
	struct bufpool_classes classes;

	EXPECT_EQ(-EINVAL, bufpool_classes_init(&classes, &provider,
						ARRAY_SIZE(mixed) + 1));
}

TEST_HARNESS_MAIN
