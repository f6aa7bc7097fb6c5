/* SPDX-License-Identifier: MIT */
/* What is sent of a code object when it is first seen. */
#include "python_stack.h"

static uint32_t room_of(const struct ct_memory *rec)
{
	return rec->kind == CT_MEMORY_LONG_CODE ? CT_MEMORY_LONG_CODE_BYTES : CT_MEMORY_CODE_BYTES;
}

/* Which code object each CT_MEMORY record is of, in order. */
static const struct ct_memory *memory_at(size_t i)
{
	for (size_t k = 0; k < shim.n_records; k++) {
		const struct shim_record *r = &shim.records[k];

		if (r->tag != CT_MEMORY || i--)
			continue;
		assert_ptr_equal(r->ring, &meta);
		assert_true(r->submitted);
		assert_int_equal(r->size, sizeof(struct ct_memory) + room_of(&r->memory));
		return &r->memory;
	}
	fail_msg("no such record");
	return NULL;
}

/* A chunk is what the process has there. */
static void expect_chunk(const struct ct_memory *rec, unsigned int chunk, uint64_t addr,
			 uint32_t len)
{
	const struct ct_chunk *c = &rec->chunks[chunk];
	uint8_t there[CT_MEMORY_LONG_CODE_BYTES];

	assert_int_equal(c->addr, addr);
	assert_int_equal(c->len, len);
	assert_true(c->at + c->len <= room_of(rec));
	for (unsigned int k = 0; k < chunk; k++)
		assert_true(!len || rec->chunks[k].at + rec->chunks[k].len <= c->at);
	assert_true(user__copy(there, addr, len));
	assert_memory_equal(rec->data + c->at, there, len);
}

static void expect_code(const struct ct_memory *rec, unsigned int n)
{
	char text[32];

	assert_int_equal(rec->tag, CT_MEMORY);
	assert_int_equal(rec->pid, 100);
	assert_int_equal(rec->addr, code_at(n));
	assert_int_equal(rec->layout, SLOT);
	assert_int_equal(rec->check, code__check(n));
	assert_int_equal(rec->kind, CT_MEMORY_CODE);
	assert_int_equal(rec->pad, 0);
	expect_chunk(rec, 0, code_at(n), CT_CODE_READ_MAX);
	expect_chunk(rec, 1, file_at(n),
		     lay.str_ascii_data + snprintf(text, sizeof(text), "/srv/file_%u.py", n));
	expect_chunk(rec, 2, name_at(n),
		     lay.str_ascii_data + snprintf(text, sizeof(text), "function_%u", n));
	expect_chunk(rec, 3, table_at(n), lay.bytes_data + 5 + n % 40);
}

static void each_code_object_is_sent_once_before_its_stack(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(40, 120);
		take();
		expect_pushed(last_stack(), 40); /* the last record */
		assert_int_equal(shim.n_records, 41);
		for (unsigned int i = 0; i < 40; i++)
			expect_code(memory_at(i), 39 - i);
		take();
		assert_int_equal(shim.n_records, 41);
		frames__push(41, 120); /* another stack, with one new code object */
		take();
		assert_int_equal(shim.n_records, 43);
		expect_code(memory_at(40), 40);
		/* another process of the same program knows them all, this stack too */
		thread.event.pid = 101;
		take();
		assert_int_equal(shim.n_records, 43);
	}
}

/* In the place of an old one: under its own check. */
static void a_reused_address_is_sent_again(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(3, 120);
		take();
		code__make(1);
		user__set64(code_at(1) + lay.code_words[5], 0x4242000042);
		take();
		assert_int_equal(shim.n_records, 4 + 2);
		expect_code(memory_at(3), 1);
	}
}

/* How many bytes of the name are sent if it has that length, kind and state. */
static uint32_t name_sent(uint64_t length, uint32_t kind, uint32_t ascii)
{
	const struct ct_chunk *c;

	shim__reset();
	python__begin(0x030d, true);
	frames__push(1, 120);
	for (uint64_t i = 0; i < 8192; i += 8)
		user__set64(NAMES + 4096 + i, i);
	user__set64(code_at(0) + lay.code_name, NAMES + 4096);
	user__set64(NAMES + 4096 + lay.str_length, length);
	user__set32(NAMES + 4096 + lay.str_state, (kind | 8 | ascii) << lay.str_kind_shift);
	take();
	assert_int_equal(memory_at(0)->chunks[0].len, CT_CODE_READ_MAX);
	c = &memory_at(0)->chunks[2];
	expect_chunk(memory_at(0), 2, NAMES + 4096, c->len);
	expect_chunk(memory_at(0), 3, table_at(0), lay.bytes_data + 5);
	return c->len;
}

static void strings_are_cut_to_their_room(void **state)
{
	const uint32_t room = CODE_TABLE_AT - CODE_NAME_AT;

	(void)state;
	assert_int_equal(name_sent(0, 1, 16), 40);
	assert_int_equal(name_sent(10, 1, 16), 50);
	assert_int_equal(name_sent(10, 1, 0), 66); /* Latin-1 */
	assert_int_equal(name_sent(10, 2, 0), 76);
	assert_int_equal(name_sent(10, 4, 0), 96);
	assert_int_equal(name_sent(room - 40, 1, 16), room);
	assert_int_equal(name_sent(room - 39, 1, 16), room);
	assert_int_equal(name_sent(~0ull, 7, 0), room);
	assert_int_equal(name_sent(1ull << 63, 7, 16), room);
	assert_int_equal(name_sent(1ull << 61, 4, 0), room);
}

static void tables_are_cut_to_their_room(void **state)
{
	static const uint64_t sizes[] = {
		0, 1, 1000, CODE_TABLE_ROOM - 32, 2000, 30000, 1ull << 32, 1ull << 63, ~0ull};
	const uint32_t room = CODE_LONG_TABLE_ROOM;

	(void)state;
	for (size_t i = 0; i < N(sizes); i++) {
		python__begin(0x030d, true);
		frames__push(1, 120);
		for (uint64_t at = 0; at < 32768; at += 8)
			user__set64(TABLES + 4096 + at, at);
		user__set64(code_at(0) + lay.code_table, TABLES + 4096);
		user__set64(TABLES + 4096 + lay.bytes_size, sizes[i]);
		take();
		assert_int_equal(memory_at(0)->kind, sizes[i] > CODE_TABLE_ROOM - 32
							     ? CT_MEMORY_LONG_CODE
							     : CT_MEMORY_CODE);
		expect_chunk(memory_at(0), 3, TABLES + 4096,
			     sizes[i] < room - 32 ? 32 + sizes[i] : room);
	}
}

/* Of a long table with a page that is not there the start is sent. */
static void a_long_table_with_a_hole(void **state)
{
	const uint64_t table = 0x7f5700000000;

	(void)state;
	python__begin(0x030d, true);
	frames__push(1, 120);
	for (uint64_t at = 0; at < 4096; at += 8)
		user__set64(table + at, at);
	user__set64(code_at(0) + lay.code_table, table);
	user__set64(table + lay.bytes_size, 5000);
	take();
	assert_int_equal(memory_at(0)->kind, CT_MEMORY_LONG_CODE);
	expect_chunk(memory_at(0), 3, table, CODE_TABLE_ROOM);
}

/* The last object before what is not mapped. */
static void a_code_object_at_the_end_of_memory(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		const uint64_t page = 0x7f5700000000;
		const struct ct_memory *rec;
		uint64_t code;

		python__begin(*v, true);
		frames__push(1, 120);
		code = page + 4096 - lay.code_size;
		for (unsigned int i = 0; i < lay.code_size; i += 8)
			user__set64(code + i, user__get64(code_at(0) + i));
		user__set64(pushed_at(0, 120) + lay.fr_code, code);
		take();
		rec = memory_at(0);
		expect_chunk(rec, 0, code, lay.code_size);
		expect_chunk(rec, 1, file_at(0), rec->chunks[1].len);
		assert_true(rec->chunks[1].len > lay.str_ascii_data);
		expect_chunk(rec, 2, name_at(0), rec->chunks[2].len);
		expect_chunk(rec, 3, table_at(0), lay.bytes_data + 5);
	}
}

static void what_can_not_be_read_is_empty(void **state)
{
	static const uint64_t bad[] = {0, 8, NOWHERE, 0xffff888000000000, ~0ull, ~63ull};

	(void)state;
	EACH_PYTHON
	{
		for (size_t i = 0; i < N(bad); i++) {
			python__begin(*v, true);
			frames__push(1, 120);
			user__set64(code_at(0) + lay.code_file, bad[i]);
			user__set64(code_at(0) + lay.code_name, bad[i]);
			user__set64(code_at(0) + lay.code_table, bad[i]);
			take();
			assert_int_equal(memory_at(0)->chunks[0].len, CT_CODE_READ_MAX);
			for (unsigned int c = 1; c < CT_MEMORY_CHUNKS; c++) {
				assert_int_equal(memory_at(0)->chunks[c].addr, bad[i]);
				assert_int_equal(memory_at(0)->chunks[c].len, 0);
			}
		}
		python__begin(*v, true);
		frames__push(1, 120);
		user__set64(pushed_at(0, 120) + lay.fr_code, NOWHERE);
		take();
		for (unsigned int c = 0; c < CT_MEMORY_CHUNKS; c++)
			assert_int_equal(memory_at(0)->chunks[c].len, 0);
	}
}

static void a_lost_record_is_sent_with_the_next_stack(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(3, 120);
	shim.meta_full = true;
	assert_int_equal(take(), 0);
	assert_int_equal(counter(CT_COUNT_META_LOST), 3 + 1);
	assert_int_equal(shim.n_records, 0);
	shim.meta_full = false;
	take();
	assert_int_equal(shim.n_records, 3 + 1);
	expect_code(memory_at(0), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_code_object_is_sent_once_before_its_stack),
		TEST(a_reused_address_is_sent_again),
		TEST(strings_are_cut_to_their_room),
		TEST(tables_are_cut_to_their_room),
		TEST(a_long_table_with_a_hole),
		TEST(a_code_object_at_the_end_of_memory),
		TEST(what_can_not_be_read_is_empty),
		TEST(a_lost_record_is_sent_with_the_next_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
