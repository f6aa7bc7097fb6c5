/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "event/decode.h"

static const struct {
	uint32_t tag;
	size_t size;
} kinds[] = {
	{CT_COPY, sizeof(struct ct_copy)},
	{CT_FIXUP, sizeof(struct ct_fixup)},
	{CT_STACK, offsetof(struct ct_stack, frames)},
	{CT_FORK, sizeof(struct ct_fork)},
	{CT_EXEC, sizeof(struct ct_exec)},
	{CT_EXIT, sizeof(struct ct_exit)},
	{CT_ADOPT, sizeof(struct ct_adopt)},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t size_of(uint32_t tag)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i].tag == tag)
			return kinds[i].size;
	return 0;
}

/* From memory that ends where the record ends, so that a sanitizer sees a look behind it. */
static int decode(const union event *e, size_t size)
{
	const union event *out = (void *)kinds;
	void *data = malloc(size ? size : 1);
	int err;

	assert_non_null(data);
	memcpy(data, e, size);
	err = event__decode(data, size, &out);
	if (err)
		assert_ptr_equal(out, kinds);
	else
		assert_ptr_equal(out, data);
	free(data);
	return err;
}

static void records_of_the_right_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KINDS; i++) {
		for (size_t size = 0; size <= sizeof(union event); size++) {
			union event e = {.tag = kinds[i].tag};

			assert_int_equal(decode(&e, size), size == kinds[i].size ? 0 : -EINVAL);
		}
	}
}

static void unknown_tags(void **state)
{
	static const uint32_t tags[] = {0, CT_ADOPT + 1, 0x100, UINT32_MAX};

	(void)state;
	for (size_t t = 0; t < sizeof(tags) / sizeof(tags[0]); t++) {
		for (size_t i = 0; i < N_KINDS; i++) {
			union event e = {.tag = tags[t]};

			assert_int_equal(decode(&e, kinds[i].size), -EINVAL);
		}
	}
}

static void misaligned_data(void **state)
{
	static _Alignas(8) char data[sizeof(union event) + 8];
	const union event *out = NULL;
	uint32_t tag = CT_FIXUP;

	(void)state;
	for (unsigned int shift = 0; shift <= 8; shift++) {
		memset(data, 0, sizeof(data));
		memcpy(data + shift, &tag, sizeof(tag));
		assert_int_equal(event__decode(data + shift, sizeof(struct ct_fixup), &out),
				 shift % 8 ? -EINVAL : 0);
	}
}

#define EXPECT(err, tag_, change)                                                                  \
	do {                                                                                       \
		union event e = {.tag = (tag_)};                                                   \
		change;                                                                            \
		assert_int_equal(decode(&e, size_of(tag_)), err);                                  \
	} while (0)

static void indices_of_a_copy(void **state)
{
	(void)state;
	EXPECT(0, CT_COPY, e.copy.layout = CT_MAX_LAYOUTS - 1);
	EXPECT(-EINVAL, CT_COPY, e.copy.layout = CT_MAX_LAYOUTS);
	EXPECT(-EINVAL, CT_COPY, e.copy.layout = UINT32_MAX);
	EXPECT(0, CT_COPY, e.copy.origin = CT_ORIGIN_MAX - 1);
	EXPECT(-EINVAL, CT_COPY, e.copy.origin = CT_ORIGIN_MAX);
	EXPECT(-EINVAL, CT_COPY, e.copy.origin = UINT8_MAX);
	EXPECT(0, CT_COPY, e.copy.unwind = CT_UNWIND_MAX - 1);
	EXPECT(-EINVAL, CT_COPY, e.copy.unwind = CT_UNWIND_MAX);
	EXPECT(-EINVAL, CT_COPY, e.copy.unwind = UINT8_MAX);
	EXPECT(0, CT_COPY, e.copy.src_reg = 31);
	EXPECT(-EINVAL, CT_COPY, e.copy.src_reg = 32);
	EXPECT(-EINVAL, CT_COPY, e.copy.src_reg = UINT8_MAX);
	EXPECT(0, CT_COPY, e.copy.pool_szidx = 31);
	EXPECT(-EINVAL, CT_COPY, e.copy.pool_szidx = 32);
	EXPECT(-EINVAL, CT_COPY, e.copy.pool_szidx = UINT8_MAX);
	EXPECT(0, CT_COPY, e.copy.type_word = CT_WINDOW_WORDS - 1);
	EXPECT(-EINVAL, CT_COPY, e.copy.type_word = CT_WINDOW_WORDS);
	EXPECT(-EINVAL, CT_COPY, e.copy.type_word = UINT8_MAX);
	EXPECT(0, CT_COPY, e.copy.order = CT_MAX_ORDER);
	EXPECT(-EINVAL, CT_COPY, e.copy.order = CT_MAX_ORDER + 1);
	EXPECT(-EINVAL, CT_COPY, e.copy.order = UINT8_MAX);
	/* no indices: whatever they hold */
	EXPECT(0, CT_COPY, e.copy.flags = UINT16_MAX);
	EXPECT(0, CT_COPY, e.copy.syscall = INT16_MIN);
	EXPECT(0, CT_COPY, memset(e.copy.window, 0xff, sizeof(e.copy.window)));
}

static void indices_of_the_others(void **state)
{
	(void)state;
	EXPECT(0, CT_FIXUP, e.fixup.kind = CT_FIXUP_ORIGIN_FILE);
	EXPECT(-EINVAL, CT_FIXUP, e.fixup.kind = CT_FIXUP_ORIGIN_FILE + 1);
	EXPECT(-EINVAL, CT_FIXUP, e.fixup.kind = UINT32_MAX);
	EXPECT(0, CT_STACK, e.stack.layout = CT_MAX_LAYOUTS - 1);
	EXPECT(-EINVAL, CT_STACK, e.stack.layout = CT_MAX_LAYOUTS);
	EXPECT(0, CT_STACK, e.stack.unwind = CT_UNWIND_MAX - 1);
	EXPECT(-EINVAL, CT_STACK, e.stack.unwind = CT_UNWIND_MAX);
}

static void stacks_have_the_frames_that_they_say(void **state)
{
	const size_t head = offsetof(struct ct_stack, frames), one = sizeof(struct ct_frame);

	(void)state;
	for (size_t n = 0; n <= CT_MAX_FRAMES; n++) {
		union event e = {.stack = {.tag = CT_STACK, .nframes = n}};

		for (size_t has = 0; has <= CT_MAX_FRAMES; has++)
			assert_int_equal(decode(&e, head + has * one), has == n ? 0 : -EINVAL);
	}
	for (size_t n = CT_MAX_FRAMES + 1; n <= UINT16_MAX; n++) {
		union event e = {.stack = {.tag = CT_STACK, .nframes = n}};

		assert_int_equal(decode(&e, sizeof(e.stack)), -EINVAL);
	}
}

static void names_end_in_their_field(void **state)
{
	(void)state;
#define NAME(tag, member)                                                                          \
	EXPECT(-EINVAL, tag, memset(e.member, 'x', CT_COMM_LEN));                                  \
	EXPECT(0, tag, memset(e.member, 'x', CT_COMM_LEN - 1));                                    \
	EXPECT(0, tag, memset(e.member + 1, 'x', CT_COMM_LEN - 1))
	NAME(CT_FORK, fork.comm);
	NAME(CT_EXEC, exec.comm);
	NAME(CT_EXIT, exit.comm);
	NAME(CT_ADOPT, adopt.comm);
}

/* --- memory: a record with room behind it ------------------------------------ */

#define MEMORY_MAX (sizeof(struct ct_memory) + CT_MEMORY_LONG_CODE_BYTES)

/* Of that size, from a block that ends there. */
static int decode_memory(const struct ct_memory *m, size_t size)
{
	const union event *out = NULL;
	void *data = calloc(1, size);
	int err;

	assert_non_null(data);
	memcpy(data, m, size < sizeof(*m) ? size : sizeof(*m));
	err = event__decode(data, size, &out);
	assert_ptr_equal(out, err ? NULL : data);
	free(data);
	return err;
}

static size_t memory_size(uint32_t kind)
{
	static const size_t rooms[CT_MEMORY_KINDS] = {
		[CT_MEMORY_CODE] = CT_MEMORY_CODE_BYTES,
		[CT_MEMORY_TYPE] = CT_MEMORY_TYPE_BYTES,
		[CT_MEMORY_LONG_CODE] = CT_MEMORY_LONG_CODE_BYTES,
	};

	assert_true(kind < CT_MEMORY_KINDS && rooms[kind]);
	return sizeof(struct ct_memory) + rooms[kind];
}

static void memory_of_the_right_size(void **state)
{
	(void)state;
	for (uint32_t kind = 0; kind <= CT_MEMORY_KINDS; kind++) {
		struct ct_memory m = {.tag = CT_MEMORY, .kind = kind};
		bool known = kind < CT_MEMORY_KINDS;

		for (size_t size = 4; size <= MEMORY_MAX + 8; size++)
			assert_int_equal(decode_memory(&m, size),
					 known && size == memory_size(kind) ? 0 : -EINVAL);
	}
}

#define EXPECT_MEMORY(err, change)                                                                 \
	do {                                                                                       \
		for (m.kind = 0; m.kind < CT_MEMORY_KINDS; m.kind++) {                             \
			size_t room = memory_size(m.kind) - sizeof(m);                             \
                                                                                                   \
			(void)room;                                                                \
			memset(m.chunks, 0, sizeof(m.chunks));                                     \
			m.layout = 0;                                                              \
			change;                                                                    \
			assert_int_equal(decode_memory(&m, memory_size(m.kind)), err);             \
		}                                                                                  \
	} while (0)

static void pieces_of_memory(void **state)
{
	struct ct_memory m = {.tag = CT_MEMORY};

	(void)state;
	EXPECT_MEMORY(0, m.layout = CT_MAX_LAYOUTS - 1);
	EXPECT_MEMORY(-EINVAL, m.layout = CT_MAX_LAYOUTS);
	for (int i = 0; i < CT_MEMORY_CHUNKS; i++) {
		struct ct_chunk *c = &m.chunks[i];

		EXPECT_MEMORY(0, c->len = room);
		EXPECT_MEMORY(-EINVAL, c->len = room + 1);
		EXPECT_MEMORY(0, (c->at = 1, c->len = room - 1));
		EXPECT_MEMORY(-EINVAL, (c->at = 1, c->len = room));
		EXPECT_MEMORY(0, c->at = room);
		EXPECT_MEMORY(-EINVAL, (c->at = room, c->len = 1));
		EXPECT_MEMORY(-EINVAL, c->at = room + 1);
		EXPECT_MEMORY(-EINVAL, (c->at = UINT32_MAX, c->len = 2));
		EXPECT_MEMORY(-EINVAL, (c->at = 2, c->len = UINT32_MAX));
		EXPECT_MEMORY(0, (c->addr = UINT64_MAX - 8, c->len = 8));
		EXPECT_MEMORY(-EINVAL, (c->addr = UINT64_MAX - 8, c->len = 9));
		/* any address */
		EXPECT_MEMORY(0, c->addr = UINT64_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_the_right_size),
		cmocka_unit_test(unknown_tags),
		cmocka_unit_test(misaligned_data),
		cmocka_unit_test(indices_of_a_copy),
		cmocka_unit_test(indices_of_the_others),
		cmocka_unit_test(stacks_have_the_frames_that_they_say),
		cmocka_unit_test(names_end_in_their_field),
		cmocka_unit_test(memory_of_the_right_size),
		cmocka_unit_test(pieces_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
