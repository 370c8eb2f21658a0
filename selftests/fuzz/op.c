// SPDX-License-Identifier: MIT
/*
 * Operations and inputs: drawn by lot, changed, written and read.
 */
#include <string.h>

#include "../random.h"
#include "op.h"
#include "verbs.h"

void op_draw(struct op *op, __u64 *random)
{
	__u64 lot = next_random(random);

	op->verb = verb_draw(lot >> 32);
	op->who = lot;
	op->slot = lot >> 8;
	op->twist = lot >> 16;
	if (op->twist < TWIST_FIRST)
		op->twist = 0;
	lot = next_random(random);
	op->a = lot;
	op->b = lot >> 32;
	op->c = next_random(random);
}

void op_print(FILE *to, const char *prefix, const struct op *op)
{
	fprintf(to, "%s%s %x %x %x %x %x %x\n", prefix, verb_name(op->verb), op->who,
		op->slot, op->twist, op->a, op->b, op->c);
}

void input_draw(struct input *input, __u64 *random)
{
	unsigned int i;

	input->nr = INPUT_OPS;
	for (i = 0; i < input->nr; i++)
		op_draw(&input->ops[i], random);
}

static void tweak(struct op *op, __u64 *random)
{
	__u64 lot = next_random(random);

	switch (lot >> 32 & 7) {
	case 0:
		op->who = lot;
		break;
	case 1:
		op->slot = lot;
		break;
	case 2:
		op->twist = lot & 1 ? 0 : TWIST_FIRST + (lot >> 8) % (256 - TWIST_FIRST);
		break;
	case 3:
		op->a = lot;
		break;
	case 4:
		op->a ^= 1U << lot % 32;
		break;
	case 5:
		op->b = lot;
		break;
	case 6:
		op->b ^= 1U << lot % 32;
		break;
	default:
		op->c = lot;
	}
}

/* Put an operation where there is room for it, or in the place of another. */
static void insert(struct input *input, unsigned int at, const struct op *op)
{
	if (input->nr < INPUT_OPS) {
		memmove(&input->ops[at + 1], &input->ops[at],
			(input->nr - at) * sizeof(*op));
		input->nr++;
	}
	input->ops[at] = *op;
}

static void mutate_once(struct input *input, const struct input *other, __u64 *random)
{
	__u64 lot = next_random(random);
	unsigned int at = (lot >> 8) % input->nr;
	struct op op;

	switch (lot & 7) {
	case 0:
		op_draw(&op, random);
		insert(input, at, &op);
		break;
	case 1:
		op = input->ops[(lot >> 32) % input->nr];
		insert(input, at, &op);
		break;
	case 2:
		insert(input, at, &other->ops[(lot >> 32) % other->nr]);
		break;
	case 3:
		op = input->ops[at];
		input->ops[at] = input->ops[(lot >> 32) % input->nr];
		input->ops[(lot >> 32) % input->nr] = op;
		break;
	case 4:
		if (input->nr > 1)
			memmove(&input->ops[at], &input->ops[at + 1],
				(--input->nr - at) * sizeof(op));
		break;
	default:
		tweak(&input->ops[at], random);
	}
}

/* Change an input a little; @other is one to take operations from. */
void input_mutate(struct input *input, const struct input *other, __u64 *random)
{
	unsigned int times = 1 + next_random(random) % 6;

	while (times--)
		mutate_once(input, other, random);
}

void input_print(FILE *to, const char *prefix, const struct input *input)
{
	unsigned int i;

	for (i = 0; i < input->nr; i++)
		op_print(to, prefix, &input->ops[i]);
	fprintf(to, "%s\n", prefix);
}

static bool op_read(const char *line, struct op *op)
{
	unsigned int who, slot, twist;
	char name[32];
	int verb;

	if (sscanf(line, "%31s %x %x %x %x %x %x", name, &who, &slot, &twist, &op->a,
		   &op->b, &op->c) != 7)
		return false;
	verb = verb_find(name);
	op->verb = verb;
	op->who = who;
	op->slot = slot;
	op->twist = twist;
	return verb >= 0;
}

/* Read the next one; whether there is one. What is no operation is passed over. */
bool input_read(FILE *from, struct input *input)
{
	char line[128];

	input->nr = 0;
	while (fgets(line, sizeof(line), from)) {
		if (*line == '\n' && input->nr)
			break;
		if (input->nr < INPUT_OPS && op_read(line, &input->ops[input->nr]))
			input->nr++;
	}
	return input->nr;
}
