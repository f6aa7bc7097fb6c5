// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "proc/mem.h"
#include "python/object.h"
#include "python_fake.h"
#include "code_world.h"

struct fake_type fake_metatype;

static struct fake_type str_type;

static int setup(void **state)
{
	(void)state;
	fake_metatype = fake_type("type", FAKE_TYPE | FAKE_GC);
	fake_metatype.basic_size = 920;
	fake_metatype.item_size = 40;
	str_type = fake_type("str", FAKE_STR);
	return 0;
}

static int read_type(const void *address, struct py_type **out)
{
	struct mem_source mem = mem__of(getpid());

	return py_type__read(&mem, fake_offsets(), (uintptr_t)address, out);
}

static void test_type(void **state)
{
	struct fake_type t = fake_type("Klass", FAKE_GC | 1 << 4);
	struct py_type *type;

	(void)state;
	t.basic_size = 24;
	t.item_size = 8;
	assert_int_equal(read_type(&t, &type), 0);
	assert_int_equal(type->address, (uintptr_t)&t);
	assert_string_equal(type->name, "Klass");
	assert_true(type->has_gc);
	assert_true(type->preheader);
	assert_false(type->is_type);
	assert_int_equal(type->basic_size, 24);
	assert_int_equal(type->item_size, 8);
	py_type__free(type);
	assert_int_equal(read_type(&fake_metatype, &type), 0);
	assert_true(type->is_type);
	assert_false(type->preheader);
	py_type__free(type);
	py_type__free(NULL);
}

/* One thing wrong at a time. */
static void test_not_a_type(void **state)
{
	const struct fake_type good = fake_type("Klass", 0);
	struct fake_type t, unready = fake_type("meta", FAKE_TYPE), plain = fake_type("int", 0);
	struct py_type *type = (void *)&t;

	(void)state;
	unready.flags &= ~FAKE_READY;
#define REJECTED(error, change)                                                                    \
	t = good;                                                                                  \
	change;                                                                                    \
	assert_int_equal(read_type(&t, &type), error);                                             \
	assert_ptr_equal(type, &t)
	REJECTED(-EINVAL, t.flags = 0);
	REJECTED(-EINVAL, t.basic_size = 15);
	REJECTED(-EINVAL, t.basic_size = 1ull << 40);
	REJECTED(-EINVAL, t.item_size = -1);
	REJECTED(-EINVAL, t.type = NULL);
	REJECTED(-EINVAL, t.type = &plain);
	REJECTED(-EINVAL, t.type = &unready);
	REJECTED(-EINVAL, t.type = (void *)((char *)&fake_metatype + 1));
	REJECTED(-EFAULT, t.type = (void *)0x7000);
	REJECTED(-EINVAL, t.name = NULL);
	REJECTED(-EFAULT, t.name = (void *)0x7000);
	assert_int_equal(read_type(NULL, &type), -EINVAL);
	assert_int_equal(read_type((char *)&good + 4, &type), -EINVAL);
	assert_int_equal(read_type((void *)0x7000, &type), -EFAULT);
	assert_int_equal(read_type((void *)0xfffffffffffffff8, &type), -EINVAL);
}

static void test_type_names(void **state)
{
	char *big = malloc(100001);
	struct fake_type t = fake_type(big, 0);
	struct py_type *type;

	(void)state;
	memset(big, 'x', 100000);
	big[100000] = '\0';
	assert_int_equal(read_type(&t, &type), 0);
	assert_true(strlen(type->name) <= NAME_MAX_BYTES);
	assert_string_equal(type->name + strlen(type->name) - 4, "x\xe2\x80\xa6");
	py_type__free(type);
	t.name = "bad \xff\xc3 end";
	assert_int_equal(read_type(&t, &type), 0);
	assert_string_equal(type->name, "bad \xef\xbf\xbd\xef\xbf\xbd end");
	py_type__free(type);
	free(big);
}

static ssize_t read_str(const struct fake_str *s, char *dst, size_t size)
{
	struct mem_source mem = mem__of(getpid());

	return py_str__read(&mem, fake_offsets(), (uintptr_t)s, dst, size);
}

struct str_case {
	const char *data;
	unsigned int length, kind;
	bool ascii;
	const char *text;
};

static const struct str_case str_cases[] = {
	{"", 0, 1, true, ""},
	{"abc", 3, 1, true, "abc"},
	{"a\0b", 3, 1, true,
	 "a\xef\xbf\xbd"
	 "b"},
	{"\xe9\xff", 2, 1, false, "\xc3\xa9\xc3\xbf"},
	{"\x16\x4e\x4c\x75", 2, 2, false, "\xe4\xb8\x96\xe7\x95\x8c"},
	{"\x00\xd8"
	 "a\x00\xff\xdf",
	 3, 2, false,
	 "\xef\xbf\xbd"
	 "a\xef\xbf\xbd"},
	{"\x00\xf6\x01\x00", 1, 4, false, "\xf0\x9f\x98\x80"},
	{"\x00\x00\x11\x00\xff\xff\xff\xff", 2, 4, false, "\xef\xbf\xbd\xef\xbf\xbd"},
	/* An ASCII string with high bytes is damaged: whatever it gives is valid UTF-8. */
	{"\xff", 1, 1, true, "\xc3\xbf"},
};

static void test_str(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(str_cases) / sizeof(str_cases[0]); i++) {
		const struct str_case *c = &str_cases[i];
		struct fake_str s = {.type = &str_type, .length = c->length};
		char text[64];

		s.state = FAKE_STATE(c->kind, 1, c->ascii);
		memcpy(s.data + (c->ascii ? 0 : 16), c->data, c->length * c->kind);
		assert_int_equal(read_str(&s, text, sizeof(text)), strlen(c->text));
		assert_string_equal(text, c->text);
	}
}

/* A string that claims to be huge costs no more than what fits. */
static void test_str_cut(void **state)
{
	struct fake_str s = {.type = &str_type, .state = FAKE_STATE(1, 1, 1)};
	char text[16];

	(void)state;
	memset(s.data, 'x', sizeof(s.data));
	s.length = 1ull << 60;
	assert_int_equal(read_str(&s, text, sizeof(text)), 15);
	assert_string_equal(text, "xxxxxxxxxxxx\xe2\x80\xa6");
	s.length = 15;
	assert_int_equal(read_str(&s, text, sizeof(text)), 15);
	assert_string_equal(text, "xxxxxxxxxxxxxxx");
	s.length = 16;
	assert_int_equal(read_str(&s, text, sizeof(text)), 15);
	assert_string_equal(text, "xxxxxxxxxxxx\xe2\x80\xa6");
}

static void test_not_a_str(void **state)
{
	struct fake_type other = fake_type("int", 0);
	const struct fake_str good = {.type = &str_type, .length = 1, .state = FAKE_STATE(1, 1, 1)};
	struct fake_str s;
	char text[16];

	(void)state;
#define NOT_STR(change)                                                                            \
	s = good;                                                                                  \
	change;                                                                                    \
	assert_int_equal(read_str(&s, text, sizeof(text)), -EINVAL)
	NOT_STR(s.type = &other);
	NOT_STR(s.type = NULL);
	NOT_STR(s.state = FAKE_STATE(1, 0, 1)); /* not compact, and no characters */
	NOT_STR(s.state = FAKE_STATE(0, 1, 0)); /* not ready: wchar_t of 3.11 and before */
	NOT_STR(s.state = FAKE_STATE(3, 1, 0));
	NOT_STR(s.state = FAKE_STATE(2, 1, 1));
	NOT_STR(s.length = -1);
	assert_int_equal(read_str(NULL, text, sizeof(text)), -EINVAL);
	assert_int_equal(read_str((void *)0x7000, text, sizeof(text)), -EFAULT);
}

/* Characters that are not mapped: an error, not half a name. */
static void test_str_unmapped(void **state)
{
	long page = sysconf(_SC_PAGESIZE);
	char *mem =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fake_str *s = (void *)(mem + page - 48);
	char text[64];

	(void)state;
	assert_ptr_not_equal(mem, MAP_FAILED);
	assert_int_equal(munmap(mem + page, page), 0);
	s->type = &str_type;
	s->state = FAKE_STATE(1, 1, 1);
	s->length = 8;
	memcpy(s->data, "12345678", 8);
	assert_int_equal(read_str(s, text, sizeof(text)), 8);
	s->length = 9;
	assert_int_equal(read_str(s, text, sizeof(text)), -EFAULT);
	munmap(mem, page);
}

/* --- the structures of every version ------------------------------------------ */

static struct world w;

static void for_each_version(void (*test)(void))
{
	const struct py_offsets *versions[WORLD_VERSIONS];
	size_t n = world__versions(versions);

	assert_true(n >= 11); /* 3.8 to 3.15, 3.13t to 3.15t */
	for (size_t i = 0; i < n; i++) {
		world__build(&w, versions[i]);
		test();
	}
}

static void expect_str(const struct mem_source *mem, const char *text)
{
	char got[64];

	assert_int_equal(py_str__read(mem, w.off, (uintptr_t)w.name, got, sizeof(got)),
			 strlen(text));
	assert_string_equal(got, text);
}

static void check_strings(void)
{
	struct mem_source mem = mem__of(getpid());
	const struct py_offsets *off = w.off;
	static const uint16_t two[] = {0x4e16, 0x754c};
	char text[8];

	expect_str(&mem, "f");
	put_u64(w.name, off->str_length, 2);
	put_u32(w.name, off->str_state, world__state(&w, 2, true, false) | 1); /* interned */
	memcpy(w.name + off->str_compact_data, two, sizeof(two));
	expect_str(&mem, "\xe4\xb8\x96\xe7\x95\x8c");
	/* A subclass of str: the characters are elsewhere. */
	put_u32(w.name, off->str_state, world__state(&w, 1, false, true));
	put_pointer(w.name, off->str_compact_data, "xy");
	expect_str(&mem, "xy");
	/* 3.11 and before: still wchar_t, kind 0. */
	put_u32(w.name, off->str_state, world__state(&w, 0, false, false));
	assert_int_equal(py_str__read(&mem, off, (uintptr_t)w.name, text, sizeof(text)), -EINVAL);
}

static void test_strings(void **state)
{
	(void)state;
	for_each_version(check_strings);
}

/* Only as far as it was read before. */
static void check_part_of_a_string(void)
{
	struct mem_chunk chunk = world__chunk(w.file, w.off->str_ascii_data + 3);
	struct mem_source mem = {.n_chunks = 1, .chunks = &chunk};
	char text[16];
	bool cut;

#define PART() py_str__read_part(&mem, w.off, (uintptr_t)w.file, text, sizeof(text), &cut)
	assert_int_equal(PART(), 6);
	assert_string_equal(text, "app\xe2\x80\xa6");
	assert_true(cut);
	chunk.len += 3;
	assert_int_equal(PART(), 6);
	assert_string_equal(text, "app.py");
	assert_false(cut);
	chunk.len = w.off->str_ascii_data;
	assert_int_equal(PART(), -ESRCH);
	chunk.len = w.off->str_state;
	assert_int_equal(PART(), -ESRCH);
	/* Half a character is none. */
	chunk.len = w.off->str_compact_data + 5;
	put_u32(w.file, w.off->str_state, world__state(&w, 2, true, false));
	memcpy(w.file + w.off->str_compact_data, "a\0b\0c\0", 6);
	assert_int_equal(PART(), 5);
	assert_string_equal(text, "ab\xe2\x80\xa6");
}

static void test_part_of_a_string(void **state)
{
	(void)state;
	for_each_version(check_part_of_a_string);
}

static void check_types(void)
{
	struct mem_source mem = mem__of(getpid());
	const struct py_offsets *off = w.off;
	__u64 name[CT_TYPE_NAME_WORDS] = {};
	char text[] = "a_long_name_of_a_type";
	struct py_type *type;
	uint32_t check;

	put_u64(w.str_type, off->type_flags, WORLD_READY | WORLD_STR | CT_TYPE_HEAP);
#define READ_TYPE() py_type__read(&mem, off, (uintptr_t)w.str_type, &type)
	assert_int_equal(READ_TYPE(), 0);
	assert_string_equal(type->name, "str");
	check = type->check;
	memcpy(name, "str", 3);
	assert_int_equal(check,
			 ct_type_digest(world__word(w.str_type + off->type_name), off->object_head,
					WORLD_READY | WORLD_STR | CT_TYPE_HEAP, name));
	py_type__free(type);
	put_u64(w.str_type, off->type_flags, WORLD_READY | WORLD_STR | CT_TYPE_HEAP | 1 << 19);
	assert_int_equal(READ_TYPE(), 0); /* its version tag is assigned */
	assert_int_equal(type->check, check);
	py_type__free(type);
	put_pointer(w.str_type, off->type_name, "other");
	assert_int_equal(READ_TYPE(), 0);
	assert_int_not_equal(type->check, check);
	py_type__free(type);
	/* Another name in the same place shows in its first 15 bytes. */
	put_pointer(w.str_type, off->type_name, text);
	assert_int_equal(READ_TYPE(), 0);
	check = type->check;
	py_type__free(type);
	for (size_t i = 0; i < strlen(text); i++) {
		text[i]++;
		assert_int_equal(READ_TYPE(), 0);
		assert_int_equal(type->check == check, i >= 15);
		py_type__free(type);
		text[i]--;
	}
	/* The name of a static type need not be readable where the kernel side looks. */
	put_u64(w.str_type, off->type_flags, WORLD_READY | WORLD_STR);
	assert_int_equal(READ_TYPE(), 0);
	check = type->check;
	py_type__free(type);
	text[0]++;
	assert_int_equal(READ_TYPE(), 0);
	assert_int_equal(type->check, check);
	py_type__free(type);
	put_u64(w.str_type, off->type_basicsize, off->object_head - 1);
	assert_int_equal(READ_TYPE(), -EINVAL);
}

static void test_types(void **state)
{
	(void)state;
	for_each_version(check_types);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type),
		cmocka_unit_test(test_not_a_type),
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_str),
		cmocka_unit_test(test_str_cut),
		cmocka_unit_test(test_not_a_str),
		cmocka_unit_test(test_str_unmapped),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_part_of_a_string),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
