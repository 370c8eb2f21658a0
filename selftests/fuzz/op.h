/* SPDX-License-Identifier: MIT */
/*
 * Operations, and inputs, which are some operations one after the other.
 *
 * Everything that an operation does follows from its few bytes and from what the thread
 * that runs it has. In text, which a corpus consists of and which is printed of what
 * failed, it is a line "VERB WHO SLOT TWIST A B C", all numbers hexadecimal; an empty line
 * ends an input.
 */
#ifndef FUZZ_OP_H
#define FUZZ_OP_H

#include <stdbool.h>
#include <stdio.h>

#include <linux/types.h>

/**
 * struct op - one operation
 * @verb: its number in verbs[]
 * @who: which client, or end, or descriptor
 * @slot: which block, or window
 * @twist: from TWIST_FIRST on, how its call is made wrong
 * @a: what it is about, where sizes, flags and numbers come from
 * @b: more of that
 * @c: and more
 */
struct op {
	__u8 verb;
	__u8 who;
	__u8 slot;
	__u8 twist;
	__u32 a;
	__u32 b;
	__u32 c;
};

/* Of an operation that is drawn by lot one in eight has a twist. */
#define TWIST_FIRST	224

#define INPUT_OPS	32

struct input {
	unsigned int nr;
	struct op ops[INPUT_OPS];
};

void op_draw(struct op *op, __u64 *random);
void op_print(FILE *to, const char *prefix, const struct op *op);
void input_draw(struct input *input, __u64 *random);
void input_mutate(struct input *input, const struct input *other, __u64 *random);
void input_print(FILE *to, const char *prefix, const struct input *input);
bool input_read(FILE *from, struct input *input);

#endif /* FUZZ_OP_H */
