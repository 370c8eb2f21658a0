// SPDX-License-Identifier: MIT
/*
 * The module is loaded, with allocations of its beginning failing, one at a time, from the last
 * backwards, until some loads were refused: it is loaded or it is not, and leaves nothing behind.
 * Slab caches and what is before them are not tried: where these fail, Linux 6.1 loses their
 * names, and where it cannot tell its tracer of a module's events it warns.
 */
#include "kmod.h"
#include "nth.h"

#define MANY	1000000U
/* Most of the steps make files in sysfs, without which the module does. */
#define STRIDE	12
/* Before those are fewer without which it does not, up to the last slab cache. */
#define SHORT_STRIDE	5
#define REFUSED	4

static const char *ko(void)
{
	return getenv("BUFPOOL_KO") ?: "./bufpool.ko";
}

/* How many steps it takes to load it; 0 if it cannot be */
static unsigned int steps_to_load(int nth)
{
	char text[16] = "";
	int ret;

	fail_number(nth, MANY);
	ret = module_insert(ko(), "dyndbg=+p");
	CHECK(pread(nth, text, sizeof(text) - 1, 0) > 0);
	fail_number(nth, 0);
	return ret || module_remove("bufpool") ? 0 : MANY - atoi(text);
}

TEST(load)
{
	unsigned int step, first, refused = 0, failures = 0;
	int nth, ret;

	nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, nth);
	ASSERT_TRUE(BECOMES(!module_remove("bufpool")));
	first = steps_to_load(nth);
	for (step = first; step > first / 2 && refused < REFUSED;
	     step -= refused ? SHORT_STRIDE : STRIDE) {
		fail_number(nth, step);
		ret = module_insert(ko(), "dyndbg=+p");
		failures += has_failed(nth);
		refused += ret != 0;
		EXPECT_TRUE(!ret || ret == -ENOMEM) {
			TH_LOG("step %u: %d", step, ret);
		}
		EXPECT_EQ(ret ? -ENOENT : 0, access(POOL_DEVICE, F_OK) ? -errno : 0);
		EXPECT_EQ(ret ? -ENOENT : 0, module_remove("bufpool"));
	}
	TH_LOG("steps %u to %u: %u failures, of which %u refused the load", first, step, failures,
	       refused);
	EXPECT_LT(REFUSED, failures);
	EXPECT_EQ(REFUSED, refused);
	EXPECT_EQ(0, module_insert(ko(), "dyndbg=+p"));
}

TEST_HARNESS_MAIN
