// SPDX-License-Identifier: MIT
/*
 * libbufpool's table of classes, with providers whose classes are not those of
 * today's kernel.
 */
#include "library_test.h"

#define UNKNOWN_BACKING	7
#define SLAB		BUFPOOL_BACKING_SLAB
#define PAGES		BUFPOOL_BACKING_PAGES

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
	EXPECT_EQ(8192, self->classes.sizes[SLAB].max_pooled);
	EXPECT_EQ(65536, self->classes.sizes[SLAB].largest);
	EXPECT_EQ(0, self->classes.sizes[PAGES].largest);
	EXPECT_EQ(MIB, self->classes.span);
}

TEST_F(classes, a_size_has_the_smallest_that_holds_it)
{
	EXPECT_EQ(0, bufpool_classes_for(&self->classes, SLAB, 1));
	EXPECT_EQ(0, bufpool_classes_for(&self->classes, SLAB, 4096));
	EXPECT_EQ(1, bufpool_classes_for(&self->classes, SLAB, 4097));
	EXPECT_EQ(1, bufpool_classes_for(&self->classes, SLAB, 8192));
	EXPECT_EQ(2, bufpool_classes_for(&self->classes, SLAB, 8193));
	EXPECT_EQ(2, bufpool_classes_for(&self->classes, SLAB, 65536));
	EXPECT_EQ(3, bufpool_classes_for(&self->classes, SLAB, 65537));
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

	ASSERT_EQ(0, bufpool_window_init(&window, &self->classes, 20, MIB,
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

/* Those of pages, in whatever order they are numbered */
static const struct bufpool_class_info with_pages[] = {
	{ .backing = PAGES, .block_size = 4096, .offset = 0, .span = 64 * MIB,
	  .properties = BUFPOOL_CLASS_POOLED },
	{ .backing = SLAB, .block_size = 4096, .offset = 64 * MIB, .span = 64 * MIB,
	  .properties = BUFPOOL_CLASS_POOLED },
	{ .backing = PAGES, .block_size = 4 * MIB, .offset = 128 * MIB, .span = 64 * MIB,
	  .properties = BUFPOOL_CLASS_POOLED },
	{ .backing = SLAB, .block_size = 8192, .offset = 192 * MIB, .span = 64 * MIB },
};

static int describe_with_pages(struct bufpool_provider *provider,
			       struct bufpool_class_info *class)
{
	__u32 nr = class->nr;

	(void)provider;
	*class = with_pages[nr];
	class->nr = nr;
	return 0;
}

static const struct bufpool_provider_ops pages_ops = {
	.describe = describe_with_pages,
	.map = note_map,
};

FIXTURE(pages)
{
	struct bufpool_provider provider;
	struct bufpool_classes classes;
};

FIXTURE_SETUP(pages)
{
	self->provider.ops = &pages_ops;
	ASSERT_EQ(0, bufpool_classes_init(&self->classes, &self->provider,
					  ARRAY_SIZE(with_pages)));
}

FIXTURE_TEARDOWN(pages)
{
}

TEST_F(pages, follow_the_slabs)
{
	const struct bufpool_classes *classes = &self->classes;
	static const unsigned int nrs[] = { 1, 3, 0, 2 };
	unsigned int i, class = 9;

	ASSERT_EQ(4, classes->count);
	ASSERT_EQ(2, classes->nr_slab);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(nrs[i], classes->of[i].nr);
	EXPECT_EQ(4096, classes->sizes[SLAB].max_pooled);
	EXPECT_EQ(8192, classes->sizes[SLAB].largest);
	/* what is larger is not kept by the library */
	EXPECT_EQ(4096, classes->sizes[PAGES].max_pooled);
	EXPECT_EQ(4 * MIB, classes->sizes[PAGES].largest);
	EXPECT_EQ(0, bufpool_classes_for(classes, SLAB, 1));
	EXPECT_EQ(1, bufpool_classes_for(classes, SLAB, 4097));
	EXPECT_EQ(4, bufpool_classes_for(classes, SLAB, 8193));
	EXPECT_EQ(2, bufpool_classes_for(classes, PAGES, 1));
	EXPECT_EQ(3, bufpool_classes_for(classes, PAGES, 4097));
	EXPECT_EQ(4, bufpool_classes_for(classes, PAGES, 4 * MIB + 1));
	EXPECT_EQ(0, bufpool_classes_find(classes, PAGES, 5000, &class));
	EXPECT_EQ(3, class);
	EXPECT_EQ(-EMSGSIZE, bufpool_classes_find(classes, SLAB, 8193, &class));
	EXPECT_EQ(-EINVAL, bufpool_classes_find(classes, PAGES, 0, &class));
}

TEST_F(pages, a_provider_without_them_refuses)
{
	struct bufpool_provider provider = { .ops = &mixed_ops };
	struct bufpool_classes classes;
	unsigned int class;

	ASSERT_EQ(0, bufpool_classes_init(&classes, &provider, ARRAY_SIZE(mixed)));
	EXPECT_EQ(-EINVAL, bufpool_classes_find(&classes, PAGES, 1, &class));
	EXPECT_EQ(-EINVAL, bufpool_classes_find(&classes, PAGES, SIZE_MAX, &class));
}

TEST_F(pages, are_mapped_with_their_first_block)
{
	struct bufpool_window window;
	struct bufpool_place place;
	char *block;

	nr_maps = 0;
	ASSERT_EQ(0, bufpool_window_init(&window, &self->classes, 20, 65536,
					 &self->provider));
	EXPECT_EQ(2, nr_maps);
	EXPECT_EQ(0, bufpool_window_mapped(&window, 3));
	EXPECT_EQ(-EINVAL, bufpool_window_find_offset(&window, 129 * MIB, &place));
	EXPECT_EQ(2, nr_maps);
	/* beyond a few blocks, as the others have less */
	EXPECT_EQ(-ENOMEM, bufpool_window_find_offset(&window, 144 * MIB, &place));
	ASSERT_EQ(0, bufpool_window_find_offset(&window, 128 * MIB, &place));
	EXPECT_EQ(4 * MIB, bufpool_window_mapped(&window, 3));
	EXPECT_EQ(0, bufpool_window_mapped(&window, 2));
	EXPECT_EQ(3, nr_maps);
	EXPECT_EQ(128 * MIB, maps[2].offset);
	block = bufpool_window_address(&window, &place);
	EXPECT_EQ(maps[2].address, block);
	EXPECT_EQ(0, (uintptr_t)block % (4 * MIB));
	EXPECT_EQ(0, bufpool_window_find(&window, block, &place));
	EXPECT_EQ(3, place.class);
	EXPECT_EQ(-EINVAL, bufpool_window_find(&window, block + 4096, &place));
	EXPECT_EQ(0, bufpool_window_find_inside(&window, block + 4 * MIB - 1, &place));
	EXPECT_EQ(-ENOENT, bufpool_window_find(&window, block + 4 * MIB, &place));
	EXPECT_EQ(-ENOENT, bufpool_window_find(&window, block - 4 * MIB, &place));
	EXPECT_EQ(-EINVAL, bufpool_window_find(&window, NULL, &place));
	bufpool_window_destroy(&window);
}

/* The addresses there are anybody's. */
TEST_F(pages, may_lie_where_slabs_could_grow)
{
	struct bufpool_window window;
	struct bufpool_place place;

	nr_maps = 0;
	ASSERT_EQ(0, bufpool_window_init(&window, &self->classes, 24, MIB, &self->provider));
	window.begins[2] = window.base + 4 * MIB;
	window.mapped[2] = MIB;
	EXPECT_EQ(0, bufpool_window_find(&window, window.base + 4096, &place));
	EXPECT_EQ(0, place.class);
	EXPECT_EQ(0, bufpool_window_find(&window, window.base + 4 * MIB + 8192, &place));
	EXPECT_EQ(2, place.class);
	EXPECT_EQ(2, place.index);
	EXPECT_EQ(0, bufpool_window_find(&window, window.base + 5 * MIB, &place));
	EXPECT_EQ(0, place.class);
	window.mapped[2] = 0;
	bufpool_window_destroy(&window);
}

/* What cannot be mapped ------------------------------------------------------------- */

static int refuse_map(struct bufpool_provider *provider, void *address, size_t length,
		      __u64 offset)
{
	(void)provider;
	(void)address;
	(void)length;
	(void)offset;
	return -EAGAIN;
}

static int refuse_stacks(struct bufpool_provider *provider, void *address, unsigned int count,
			 const struct bufpool_info *info)
{
	(void)provider;
	(void)address;
	(void)count;
	(void)info;
	return -EPERM;
}

static const struct bufpool_provider_ops refusing_ops = {
	.describe = describe_with_pages,
	.map = refuse_map,
	.map_stacks = refuse_stacks,
};

/* A kernel says EAGAIN where more may not be locked. */
TEST_F(pages, a_window_that_cannot_be_mapped_is_enomem)
{
	struct bufpool_window window;
	long before = space_kib();

	self->provider.ops = &refusing_ops;
	EXPECT_EQ(-ENOMEM, bufpool_window_init(&window, &self->classes, 24, MIB,
					       &self->provider));
	EXPECT_EQ(before, space_kib());
}

TEST_F(pages, what_cannot_be_mapped_later_leaves_no_addresses)
{
	struct bufpool_window window;
	struct bufpool_place place;
	long before;

	nr_maps = 0;
	ASSERT_EQ(0, bufpool_window_init(&window, &self->classes, 24, MIB, &self->provider));
	before = space_kib();
	self->provider.ops = &refusing_ops;
	/* more of a class, and the first of one of pages */
	EXPECT_EQ(-ENOMEM, bufpool_window_find_offset(&window, 66 * MIB, &place));
	EXPECT_EQ(-ENOMEM, bufpool_window_find_offset(&window, 4096, &place));
	EXPECT_EQ(before, space_kib());
	EXPECT_EQ(0, bufpool_window_mapped(&window, 2));
	self->provider.ops = &pages_ops;
	EXPECT_EQ(0, bufpool_window_find_offset(&window, 66 * MIB, &place));
	EXPECT_EQ(0, bufpool_window_find_offset(&window, 4096, &place));
	bufpool_window_destroy(&window);
}

TEST_F(pages, stacks_that_cannot_be_mapped_leave_no_addresses)
{
	struct bufpool_info info = {
		.page_size = PAGE,
		.nr_classes = 4,
		.nr_stacks = 400,
		.features = BUFPOOL_FEATURE_STACKS,
	};
	long before = space_kib();

	self->provider.ops = &refusing_ops;
	bufpool_provider_map_stacks(&self->provider, &info);
	EXPECT_EQ(0, self->provider.nr_stacks);
	EXPECT_EQ(before, space_kib());
}

/* Whatever a provider says of more classes than handles have room for */
static int describe_endlessly(struct bufpool_provider *provider,
			      struct bufpool_class_info *class)
{
	(void)provider;
	class->backing = class->nr ? PAGES : SLAB;
	class->block_size = 4096;
	class->offset = class->nr * MIB;
	class->span = MIB;
	return class->nr < BUFPOOL_CLASSES_MAX ? 0 : -EIO;
}

TEST(more_classes_than_handles_name_are_passed_over)
{
	static const struct bufpool_provider_ops ops = { .describe = describe_endlessly };
	struct bufpool_provider provider = { .ops = &ops };
	struct bufpool_classes classes;

	EXPECT_EQ(0, bufpool_classes_init(&classes, &provider, BUFPOOL_CLASSES_MAX + 1));
	EXPECT_EQ(BUFPOOL_CLASSES_MAX, classes.count);
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
