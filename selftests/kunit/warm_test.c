// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of warm blocks: what is taken out of their middle, and what stays in its order.
 */
#include "unit.h"

/* Blocks of one that is drained and of one that is not, in turn */
#define BLKS	6

struct stack {
	struct bufpool_client *client;
	struct bufpool_warm *warm;
	struct bufpool_slab *slabs[2];		/* the second is drained */
	struct list_head batch;
};

static struct bufpool_blk *blk_of(struct stack *stack, unsigned int nr)
{
	return &stack->slabs[nr % 2]->blks[nr / 2];
}

static void begin(struct kunit *test, struct stack *stack)
{
	struct bufpool_class *class = unit_class();
	unsigned int nr;

	INIT_LIST_HEAD(&stack->batch);
	stack->client = unit_open(test, 1000);
	KUNIT_ASSERT_EQ(test, 0, bufpool_warm_prepare(stack->client, class));
	stack->warm = stack->client->warm[class->nr];
	for (nr = 0; nr < 2; nr++) {
		stack->slabs[nr] = unit_slab(test, class, class->per_slab);
		stack->slabs[nr]->draining = nr;
	}
	spin_lock(&stack->client->lock);
	for (nr = 0; nr < BLKS; nr++) {
		bufpool_client_own(stack->client, blk_of(stack, nr));
		bufpool_warm_push(stack->warm, blk_of(stack, nr));
	}
	bufpool_warm_count(stack->warm, BLKS);
	spin_unlock(&stack->client->lock);
}

static unsigned int claim(struct stack *stack, unsigned int most)
{
	unsigned int nr;

	spin_lock(&stack->client->lock);
	nr = bufpool_warm_claim_draining(stack->warm, &stack->batch, most);
	spin_unlock(&stack->client->lock);
	return nr;
}

static void end(struct stack *stack)
{
	struct bufpool_blk *blk, *next;

	spin_lock(&stack->client->lock);
	while (bufpool_warm_nr(stack->warm)) {
		blk = bufpool_warm_pop(stack->warm);
		bufpool_client_disown(stack->client, blk);
		bufpool_warm_count(stack->warm, -1);
		list_move_tail(&blk->node, &stack->batch);
	}
	bufpool_warm_unlink(stack->warm);
	spin_unlock(&stack->client->lock);
	list_for_each_entry_safe(blk, next, &stack->batch, node)
		list_del_init(&blk->node);
	stack->slabs[1]->draining = false;
	unit_free_slab(stack->slabs[0]);
	unit_free_slab(stack->slabs[1]);
}

static void as_many_as_are_wanted_are_claimed(struct kunit *test)
{
	struct stack stack;
	unsigned int nr;

	begin(test, &stack);
	KUNIT_EXPECT_EQ(test, 0U, claim(&stack, 0));
	KUNIT_EXPECT_EQ(test, 2U, claim(&stack, 2));
	KUNIT_EXPECT_EQ(test, BLKS - 2U, bufpool_warm_nr(stack.warm));
	KUNIT_EXPECT_EQ(test, 1U, claim(&stack, BLKS));
	KUNIT_EXPECT_EQ(test, 0U, claim(&stack, BLKS));
	KUNIT_EXPECT_EQ(test, BLKS / 2U, bufpool_warm_nr(stack.warm));
	for (nr = 1; nr < BLKS; nr += 2) {
		KUNIT_EXPECT_EQ(test, BUFPOOL_BLK_TRANSIT, (int)blk_of(&stack, nr)->state);
		KUNIT_EXPECT_NULL(test, blk_of(&stack, nr)->owner);
	}
	end(&stack);
}

static void others_stay_in_their_order(struct kunit *test)
{
	struct stack stack;
	unsigned int nr;

	begin(test, &stack);
	claim(&stack, BLKS);
	for (nr = 0; nr < BLKS / 2; nr++)
		KUNIT_EXPECT_PTR_EQ(test, blk_of(&stack, BLKS - 2 - 2 * nr),
				    bufpool_warm_peek(stack.warm, nr));
	end(&stack);
}

static void one_with_a_fault_in_it_stays(struct kunit *test)
{
	struct stack stack;

	begin(test, &stack);
	blk_of(&stack, 3)->pins = 1;
	KUNIT_EXPECT_EQ(test, 2U, claim(&stack, BLKS));
	KUNIT_EXPECT_PTR_EQ(test, stack.client, blk_of(&stack, 3)->owner);
	KUNIT_EXPECT_PTR_EQ(test, blk_of(&stack, 3), bufpool_warm_peek(stack.warm, 1));
	blk_of(&stack, 3)->pins = 0;
	end(&stack);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(as_many_as_are_wanted_are_claimed),
	KUNIT_CASE(others_stay_in_their_order),
	KUNIT_CASE(one_with_a_fault_in_it_stays),
	{}
};

struct kunit_suite warm_suite = {
	.name = "bufpool_warm",
	.init = unit_init,
	.exit = unit_exit,
	.test_cases = cases,
};
