// SPDX-License-Identifier: MIT
/*
 * The module is loaded, with each allocation of its own beginning failing once: it is loaded
 * or it is not, and leaves nothing behind. What the kernel allocates before that is not tried:
 * Linux 6.1 warns when it cannot tell its tracer of a module's events.
 */
#include "kmod.h"
#include "nth.h"

#define MANY		1000000U
#define MOST_LOADS	1000
/* The last steps before the module's own, which are to make files of it in sysfs */
#define BEFORE		20

static const char *ko(void)
{
	return getenv("BUFPOOL_KO") ?: "./bufpool.ko";
}

/* How many steps it takes until the module looks at its parameters, which are refused */
static unsigned int steps_to_the_beginning(int nth)
{
	char text[16] = "";

	fail_number(nth, MANY);
	CHECK(module_insert(ko(), "slab_size=1") == -EINVAL);
	CHECK(pread(nth, text, sizeof(text) - 1, 0) > 0);
	fail_number(nth, 0);
	return MANY - atoi(text);
}

TEST(load)
{
	unsigned int first, round, refused = 0;
	bool failed = true;
	int nth, ret;

	nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, nth);
	ASSERT_TRUE(BECOMES(!module_remove("bufpool")));
	first = steps_to_the_beginning(nth) - BEFORE;
	for (round = 0; failed && round < MOST_LOADS; round++) {
		fail_number(nth, first + round);
		ret = module_insert(ko(), "dyndbg=+p");
		failed = has_failed(nth);
		refused += ret != 0;
		EXPECT_EQ(ret ? -ENOENT : 0, access(POOL_DEVICE, F_OK) ? -errno : 0);
		EXPECT_EQ(ret ? -ENOENT : 0, module_remove("bufpool"));
		EXPECT_TRUE(!ret || (failed && ret == -ENOMEM)) {
			TH_LOG("step %u: %d", first + round, ret);
		}
	}
	TH_LOG("%u loads, the first with step %u failing; %u refused", round, first, refused);
	EXPECT_GT(MOST_LOADS, round);
	EXPECT_LT(BEFORE + 10, refused);
	EXPECT_EQ(0, module_insert(ko(), "dyndbg=+p"));
}

TEST_HARNESS_MAIN
