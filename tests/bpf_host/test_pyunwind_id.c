/* SPDX-License-Identifier: MIT */
/* The id of a stack, and the checks of its code objects that are part of it. */
#include "python_stack.h"

static uint64_t id_of(uint32_t version, unsigned int n, unsigned int size)
{
	python__begin(version, true);
	frames__push(n, size);
	return take();
}

static void the_same_stack_has_the_same_id(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		uint64_t id = id_of(*v, 20, 120);

		assert_int_not_equal(id, 0);
		assert_int_equal(take(), id);
		assert_int_equal(records_of(CT_STACK), 1); /* sent once */
		assert_int_equal(id_of(*v, 20, 320), id);  /* other frames in memory, same code */
		assert_int_not_equal(id_of(*v, 19, 120), id);
		assert_int_not_equal(id_of(*v, 21, 120), id);
		python__begin(*v, true);
		frames__push(20, 120);
		lay.cookie++;
		layout__store();
		assert_int_not_equal(take(), id);
	}
}

static void one_instruction_makes_another_stack(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		uint64_t id = id_of(*v, 20, 120), seen[20];

		for (unsigned int i = 0; i < 20; i++) {
			frame__at(pushed_at(i, 120), code_at(i), 2 * i + 2);
			seen[i] = take();
			assert_int_not_equal(seen[i], id);
			assert_int_equal(records_of(CT_STACK), 2 + i);
			for (unsigned int k = 0; k < i; k++)
				assert_int_not_equal(seen[i], seen[k]);
			frame__at(pushed_at(i, 120), code_at(i), 2 * i);
			assert_int_equal(take(), id);
			assert_int_equal(records_of(CT_STACK), 2 + i);
		}
	}
}

/* A stack that is cut is not the stack that ends there. */
static void how_it_ends_is_part_of_the_id(void **state)
{
	uint64_t id = id_of(0x030d, 1, 120);

	(void)state;
	python__begin(0x030d, true);
	frames__push(1, 120);
	user__set64(pushed_at(0, 120) + lay.fr_previous, NOWHERE);
	assert_int_not_equal(take(), id);
	assert_int_equal(thread.event.unwind, CT_UNWIND_FRAME_UNREADABLE);
}

/* --- a code object was freed, and another took its place --- */

/* Changes 8 bytes; expects that the check of the code object of frame i of 5 shows it, only that.
 */
static void expect_seen(unsigned int i, uint64_t at)
{
	uint64_t id = take(), value = user__get64(at);
	uint32_t check = code__check(i);

	user__set64(at, value ^ 0x10);
	assert_int_not_equal(take(), id);
	for (unsigned int k = 0; k < 5; k++)
		assert_int_equal(last_stack()->frames[k].check, code__check(4 - k));
	assert_int_not_equal(last_stack()->frames[4 - i].check, check);
	user__set64(at, value);
	assert_int_equal(take(), id);
}

static void every_word_is_looked_at_in_every_frame(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		for (unsigned int i = 0; i < 5; i++) {
			id_of(*v, 5, 120);
			for (unsigned int w = 0; w < CT_CODE_WORDS; w++)
				if (lay.code_words[w] && lay.code_words[w] != lay.code_name &&
				    lay.code_words[w] != lay.code_table)
					expect_seen(i, code_at(i) + lay.code_words[w]);
		}
	}
}

/* Up to 3.11, where a code object has no number: same pointers, other contents. */
static void strings_and_tables_are_looked_at(void **state)
{
	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030b; version++) {
		for (unsigned int i = 0; i < 5; i++) {
			id_of(version, 5, 120);
			expect_seen(i, name_at(i) + lay.str_hash);
			expect_seen(i, file_at(i) + lay.str_hash);
			expect_seen(i, table_at(i) + lay.bytes_data);
			expect_seen(i, table_at(i) + lay.bytes_size);
		}
	}
}

/* Siblings that were forked from one parent number their code objects alike; 3.11 and 3.12 have no
 * hash of a qualified name, nor of a file's. */
static uint32_t check_of_text(uint32_t version, uint64_t at, const char *text)
{
	python__begin(version, true);
	frames__push(5, 120);
	str__make(at, text);
	user__set64(at + lay.str_hash, ~0ul);
	take();
	assert_int_equal(last_stack()->frames[2].check, code__check(2));
	return code__check(2);
}

static void the_text_of_a_string_without_a_hash(void **state)
{
	static const char *const texts[] = {"f",
					    "g",
					    "Late1.__init__",
					    "Late2.__init__",
					    "/a/long/path/to/the/template/of/page_1.html",
					    "/a/long/path/to/the/template/of/page_2.html"};
	uint32_t checks[6];

	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030f; version++) {
		for (int where = 0; where < 2; where++) {
			for (unsigned int i = 0; i < 6; i++)
				checks[i] = check_of_text(version, where ? name_at(2) : file_at(2),
							  texts[i]);
			for (unsigned int i = 0; i < 6; i++)
				for (unsigned int k = 0; k < i; k++)
					assert_int_not_equal(checks[i], checks[k]);
		}
	}
}

/* From 3.12 on the name of a numbered code object is looked at once, that of others each time. */
static void names_of_numbered_code_are_remembered(void **state)
{
	(void)state;
	for (uint32_t version = 0x030c; version <= 0x030f; version++) {
		uint64_t id = id_of(version, 5, 120);
		size_t n = shim.n_reads;

		assert_int_equal(reads_between(NAMES, NAMES + (1 << 20)), 5 + 5 * 2);
		shim.n_reads = 0;
		assert_int_equal(take(), id);
		assert_true(shim.n_reads < n);
		assert_int_equal(reads_between(NAMES, NAMES + (1 << 20)), 0);
		assert_int_equal(reads_between(CODES, CODES + (1 << 20)), 5 + 1);
		thread.execs++; /* another program */
		assert_int_equal(take(), id);
		assert_int_equal(reads_between(NAMES, NAMES + (1 << 20)), 5);
		user__set64(TSTATE + lay.ts_interp, INTERP + 8); /* another interpreter */
		assert_int_equal(take(), id);
		assert_int_equal(reads_between(NAMES, NAMES + (1 << 20)), 10);

		id_of(version, 5, 120);
		user__set32(code_at(2) + lay.code_words[4] + 4, 0); /* the numbers have run out */
		take();
		expect_seen(2, name_at(2) + lay.str_hash);
	}
}

static const uint32_t who_count[] = {0x030d,
				     0x030e,
				     0x030f,
				     0x030d | FREE_THREADED,
				     0x030e | FREE_THREADED,
				     0x030f | FREE_THREADED};

/* An interpreter that counts the code objects that it makes is asked for the count only. */
static void nothing_is_read_again_until_code_is_made(void **state)
{
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < N(who_count); i++) {
		python__begin(who_count[i], true);
		frames__push(5, 120);
		user__set32(count_at(), 70);
		id = take();
		shim.n_reads = 0;
		assert_int_equal(take(), id);
		/* the instruction */
		assert_int_equal(reads_between(CODES, CODES + (1 << 20)), 1);
		user__set64(code_at(2) + lay.code_words[0], 0x7f4444444440);
		user__set32(count_at(), 71);
		assert_int_not_equal(take(), id);
		assert_int_equal(last_stack()->frames[2].check, code__check(2));
		user__set32(count_at(), 0); /* has run over */
		id = take();
		shim.n_reads = 0;
		assert_int_equal(take(), id);
		assert_int_equal(reads_between(CODES, CODES + (1 << 20)), 6);
	}
}

/* The next sub-interpreter begins to count anew, and may have the same memory for all it makes. */
static void another_interpreter_at_the_same_address(void **state)
{
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < N(who_count); i++) {
		for (uint32_t count = 0; count <= 70; count += 70) {
			python__begin(who_count[i], true);
			frames__push(5, 120);
			user__set32(count_at(), count);
			user__set64(INTERP + lay.interp_id, 1);
			id = take();
			str__make(name_at(2), "another");
			user__set64(INTERP + lay.interp_id, 2);
			assert_int_not_equal(take(), id);
			assert_int_equal(last_stack()->frames[2].check, code__check(2));
			/* The main one needs no look. */
			lay.main_interpreter = INTERP;
			layout__store();
			take();
			shim.n_reads = 0;
			take();
			assert_int_equal(
				reads_between(INTERP + lay.interp_id, INTERP + lay.interp_id + 8),
				0);
		}
	}
}

/* 0 is where the count ends: nothing more is known by it, whatever is made. */
static void a_count_that_has_ended(void **state)
{
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < N(who_count); i++) {
		python__begin(who_count[i], true);
		frames__push(5, 120);
		for (unsigned int k = 0; k < 5; k++) /* the numbers end with it */
			user__set32(code_at(k) + lay.code_words[4] + 4, 0);
		user__set32(count_at(), ~0u);
		id = take();
		user__set32(count_at(), 0);
		assert_int_equal(take(), id);
		for (unsigned int k = 0; k < 3; k++) {
			char text[] = {'f', (char)('0' + k), 0};

			str__make(name_at(2), text);
			take();
			assert_int_equal(last_stack()->frames[2].check, code__check(2));
		}
	}
}

/* Up to 3.11 each frame of a function of its own costs three reads: code object, name, table. */
static void few_reads_where_code_has_no_number(void **state)
{
	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030b; version++) {
		for (int hashed = 0; hashed < 2; hashed++) {
			python__begin(version, true);
			frames__push(12, 120);
			for (unsigned int i = 0; i < 12; i++) {
				user__set64(code_at(i) + lay.code_file, file_at(i & 1));
				if (!hashed) {
					user__set64(name_at(i) + lay.str_hash, ~0ul);
					user__set64(file_at(i) + lay.str_hash, ~0ul);
				}
			}
			thread.counted = true; /* without the instruction */
			take();
			for (unsigned int i = 0; i < 12; i++)
				assert_int_equal(last_stack()->frames[11 - i].check,
						 code__check(i));
			shim.n_reads = 0;
			take();
			expect_no_failed_read();
			assert_int_equal(reads_between(CODES, CODES + (1 << 20)), 12);
			/* By way of the kernel's map the hash alone is tried first. */
			assert_int_equal(reads_between(NAMES, NAMES + (1 << 20)),
					 DIRECT && !hashed ? 24 : 12);
			assert_int_equal(reads_between(FILES, FILES + (1 << 20)),
					 DIRECT && !hashed ? 4 : 2);
			assert_int_equal(reads_between(TABLES, TABLES + (1 << 20)), 12);
		}
	}
}

/* Text that ends a little before memory does, or far behind its head. */
static void where_the_text_of_a_string_lies(void **state)
{
	char text[300] = "";
	uint32_t before;

	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030b; version++) {
		for (unsigned int n = 0; n < sizeof(text) - 1; n++) {
			uint64_t at;

			memset(text, 'x', n);
			text[n] = 0;
			python__begin(version, true);
			frames__push(1, 120);
			/* The digest takes in 32 bytes, whatever is behind the text. */
			at = 0x7f5800001000 - lay.str_ascii_data - (n > 32 ? n : 32);
			user__set64(code_at(0) + lay.code_name, at & ~7ul);
			str__make(at & ~7ul, text);
			user__set64((at & ~7ul) + lay.str_hash, ~0ul);
			take();
			assert_int_equal(last_stack()->frames[0].check, code__check(0));
			if (!n)
				continue;
			before = code__check(0);
			*user__at((at & ~7ul) + lay.str_ascii_data + n - 1) = 'y';
			take();
			assert_int_equal(last_stack()->frames[0].check, code__check(0));
			assert_int_not_equal(code__check(0), before);
		}
	}
}

static void a_recursive_function_is_looked_at_once(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(100, 120);
		for (unsigned int i = 0; i < 100; i++)
			frame__make(pushed_at(i, 120), code_at(i & 1), 2,
				    i ? pushed_at(i - 1, 120) : 0, 0);
		thread.counted = true;
		take();
		shim.n_reads = 0;
		take();
		assert_int_equal(reads_between(CODES, CODES + (1 << 20)), 2);
		for (unsigned int i = 0; i < 100; i++)
			assert_int_equal(last_stack()->frames[i].check, code__check(~i & 1));
	}
}

/* The bytes behind a short table are those of another object. */
static void what_is_behind_the_table_does_not_matter(void **state)
{
	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030b; version++) {
		uint64_t id = id_of(version, 40, 120);

		for (unsigned int i = 0; i < 40; i++)
			*user__at(table_at(i) + lay.bytes_data + 5 + i % 40) ^= 0xff;
		assert_int_equal(take(), id);
	}
}

/* At the end of what is mapped. */
static void a_short_table_at_the_end_of_memory(void **state)
{
	const uint64_t table = 0x7f5700001000 - 40;

	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030b; version++) {
		uint32_t check;

		python__begin(version, true);
		frames__push(1, 120);
		bytes__make(table, "abcde", 5);
		user__set64(code_at(0) + lay.code_table, table);
		take();
		check = last_stack()->frames[0].check;
		assert_int_not_equal(check, 0);
		user__set64(table + lay.bytes_size, 6);
		take();
		assert_int_not_equal(last_stack()->frames[0].check, check);
	}
}

static void code_that_can_not_be_read_has_no_digest(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(2, 120);
		user__set64(pushed_at(0, 120) + lay.fr_code, NOWHERE);
		take();
		assert_int_equal(last_stack()->nframes, 2);
		assert_int_equal(last_stack()->frames[0].check, code__check(1));
		assert_int_equal(last_stack()->frames[1].check, 0);
		assert_int_equal(last_stack()->unwind, CT_UNWIND_COMPLETE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_stack_has_the_same_id),
		TEST(one_instruction_makes_another_stack),
		TEST(how_it_ends_is_part_of_the_id),
		TEST(every_word_is_looked_at_in_every_frame),
		TEST(strings_and_tables_are_looked_at),
		TEST(the_text_of_a_string_without_a_hash),
		TEST(names_of_numbered_code_are_remembered),
		TEST(nothing_is_read_again_until_code_is_made),
		TEST(another_interpreter_at_the_same_address),
		TEST(a_count_that_has_ended),
		TEST(few_reads_where_code_has_no_number),
		TEST(where_the_text_of_a_string_lies),
		TEST(a_recursive_function_is_looked_at_once),
		TEST(what_is_behind_the_table_does_not_matter),
		TEST(a_short_table_at_the_end_of_memory),
		TEST(code_that_can_not_be_read_has_no_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
