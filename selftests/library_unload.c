// SPDX-License-Identifier: MIT
/*
 * libbufpool as a plugin has it: loaded by dlopen(3), used by threads, and
 * unloaded while those still run. What the library leaves behind in a thread would
 * call code that is gone when the thread ends.
 */
#define ANY_PROVIDER
#include "bufpool_test.h"

#include <bufpool.h>
#include <dlfcn.h>
#include <pthread.h>

#define THREADS	4
#define ROUNDS	20

struct plugin {
	void *library;
	struct bufpool *(*open)(const char *device, unsigned int flags);
	int (*close)(struct bufpool *pool);
	void *(*rent)(struct bufpool *pool, size_t min_size, unsigned int flags);
	int (*give)(struct bufpool *pool, void *block, unsigned int flags);
	struct bufpool *pool;
	pthread_barrier_t barrier;
	int failures;
};

static bool load(struct plugin *plugin)
{
	plugin->library = dlopen("libbufpool.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!plugin->library) {
		fprintf(stderr, "# %s\n", dlerror());
		return false;
	}
	*(void **)&plugin->open = dlsym(plugin->library, "bufpool_open");
	*(void **)&plugin->close = dlsym(plugin->library, "bufpool_close");
	*(void **)&plugin->rent = dlsym(plugin->library, "bufpool_rent");
	*(void **)&plugin->give = dlsym(plugin->library, "bufpool_return");
	return plugin->open && plugin->close && plugin->rent && plugin->give;
}

/* End after the library has gone. */
static void *use_and_outlive(void *argument)
{
	struct plugin *plugin = argument;
	void *block = plugin->rent(plugin->pool, 1, 0);

	if (!block || plugin->give(plugin->pool, block, 0))
		__atomic_add_fetch(&plugin->failures, 1, __ATOMIC_RELAXED);
	pthread_barrier_wait(&plugin->barrier);
	pthread_barrier_wait(&plugin->barrier);
	return NULL;
}

static void use_and_unload(struct __test_metadata *_metadata)
{
	struct plugin plugin = { 0 };
	pthread_t threads[THREADS];
	int i;

	ASSERT_TRUE(load(&plugin));
	plugin.pool = plugin.open(NULL, 0);
	ASSERT_NE(NULL, plugin.pool);
	ASSERT_EQ(0, pthread_barrier_init(&plugin.barrier, NULL, THREADS + 1));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, use_and_outlive,
					    &plugin));
	pthread_barrier_wait(&plugin.barrier);
	EXPECT_EQ(0, plugin.close(plugin.pool));
	EXPECT_EQ(0, dlclose(plugin.library));
	pthread_barrier_wait(&plugin.barrier);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, plugin.failures);
}

TEST(threads_outlive_the_library)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		use_and_unload(_metadata);
}

TEST_HARNESS_MAIN
