// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers of bytes, as people write them.
 */
#include "unit.h"

static void numbers_and_suffixes(struct kunit *test)
{
	static const struct {
		const char *text;
		unsigned long bytes;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "4096\n", 4096 }, { "010", 10 },
		{ "64K", SZ_64K }, { "64k", SZ_64K }, { "64KiB\n", SZ_64K }, { "1mib", SZ_1M },
		{ "2G", SZ_2G }, { "3T", 3UL << 40 }, { "5P", 5UL << 50 }, { "15E", 15UL << 60 },
		{ "18446744073709551615", ULONG_MAX },
	};
	unsigned long bytes;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ_MSG(test, 0, bufpool_bytes_parse(good[i].text, &bytes), "%s",
				    good[i].text);
		KUNIT_EXPECT_EQ_MSG(test, good[i].bytes, bytes, "%s", good[i].text);
	}
}

static void anything_else_is_einval(struct kunit *test)
{
	static const char *const bad[] = {
		"", "\n", "K", "-1", "+1", " 1", "1 ", "0x10", "1KB", "1Ki", "1KiBs", "1Q", "1\n\n",
		"1.5M",
	};
	unsigned long bytes;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, bufpool_bytes_parse(bad[i], &bytes), "'%s'",
				    bad[i]);
}

static void too_large_is_erange(struct kunit *test)
{
	static const char *const large[] = {
		"18446744073709551616", "99999999999999999999", "16E", "18014398509481984K",
	};
	unsigned long bytes;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(large); i++)
		KUNIT_EXPECT_EQ_MSG(test, -ERANGE, bufpool_bytes_parse(large[i], &bytes), "%s",
				    large[i]);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(numbers_and_suffixes),
	KUNIT_CASE(anything_else_is_einval),
	KUNIT_CASE(too_large_is_erange),
	{}
};

struct kunit_suite bytes_suite = {
	.name = "bufpool_bytes",
	.test_cases = cases,
};
