// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the suites share, and the module that they are.
 */
#include <linux/cred.h>
#include <linux/module.h>
#include "unit.h"

static const struct bufpool_config unit_config = {
	.slab_size = SZ_128K,
	.max_pooled = ULONG_MAX,
	.limit = SZ_16M,
	.max_clients = 1024,
	.max_waiters = 1024,
	.warm_blocks = 64,
	.warm_bytes = SZ_4M,
	.trim_ms = 3600000,
};

struct bufpool_pool *unit_pool;

/* The first case makes the pool: some kernels run the suites before the module's init. */
static int unit_need_pool(void)
{
	struct bufpool_pool *pool = unit_pool ?: bufpool_pool_create("kunit", &unit_config);

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	unit_pool = pool;
	return 0;
}

int unit_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct unit), GFP_KERNEL);
	return test->priv ? unit_need_pool() : -ENOMEM;
}

void unit_exit(struct kunit *test)
{
	struct unit *unit = test->priv;

	while (unit && unit->nr_clients)
		bufpool_client_destroy(unit->clients[--unit->nr_clients]);
}

/* Be another user; what is returned is for unit_revert(). */
const struct cred *unit_become(struct kunit *test, unsigned int uid)
{
	struct cred *cred = prepare_creds();

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->euid = KUIDT_INIT(uid);
	return override_creds(cred);
}

void unit_revert(const struct cred *old)
{
	const struct cred *cred = current_cred();

	revert_creds(old);
	put_cred(cred);
}

/* A client of a user, who has a quota whatever this task may do; the case's end closes it. */
struct bufpool_client *unit_open(struct kunit *test, unsigned int uid)
{
	struct unit *unit = test->priv;
	const struct cred *old = unit_become(test, uid);
	struct bufpool_client *client = bufpool_client_create(unit_pool, NULL);

	unit_revert(old);
	KUNIT_ASSERT_FALSE(test, IS_ERR(client));
	client->exempt = false;
	unit->clients[unit->nr_clients++] = client;
	return client;
}

/* A slab that no list has; the caller owns all its blocks. */
struct bufpool_slab *unit_slab(struct kunit *test, struct bufpool_class *class,
			       unsigned int nr_blks)
{
	struct bufpool_slab *slab = bufpool_slab_create(class, NULL, nr_blks);

	KUNIT_ASSERT_FALSE(test, IS_ERR(slab));
	return slab;
}

/* Free such a slab, whichever of its blocks are free. */
void unit_free_slab(struct bufpool_slab *slab)
{
	unsigned int nr;

	spin_lock(&slab->class->lock);
	for (nr = 0; nr < slab->nr_blks; nr++)
		if (slab->blks[nr].state != BUFPOOL_BLK_FREE)
			bufpool_slab_push(slab, &slab->blks[nr]);
	while (slab->dirty != BUFPOOL_NO_BLK)
		bufpool_slab_pop_dirty(slab)->dirty = false;
	spin_unlock(&slab->class->lock);
	slab->nr_free = slab->nr_blks;
	bufpool_slab_destroy(slab);
}

kunit_test_suites(&bytes_suite, &budget_suite, &lru_suite, &classes_suite, &slab_suite,
		  &handle_suite, &place_suite, &kept_suite, &holding_suite, &account_suite,
		  &waitq_suite, &poll_suite, &warm_suite);

static void __exit unit_stop(void)
{
	if (unit_pool)
		bufpool_pool_destroy(unit_pool);
}

module_exit(unit_stop);

MODULE_DESCRIPTION("Unit tests of bufpool");
MODULE_LICENSE("GPL");
