// SPDX-License-Identifier: MIT
/* Names of what is gone, of what was replaced, and of what came late. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "base/intern.h"
#include "enrich/image.h"
#include "enrich/names.h"
#include "enrich/stacks.h"
#include "model/facts.h"
#include "proc/tree.h"
#include "python/code.h"
#include "code_world.h"

static struct world w;
static struct intern *strings;
static struct names *names;
static struct stacks *stacks;
static struct image image;
/* One that has ended, with no ancestor; and this one. */
static struct process gone, living;

static int setup(void **state)
{
	(void)state;
	world__build(&w, &py_table__find(0x030c)->offsets);
	image = (struct image){.id = 77, .offsets = w.off};
	gone = (struct process){.pid = 5, .started = 100, .exited = true};
	living = (struct process){.pid = getpid(), .started = 200};
	return intern__new(&strings) ?: names__new(strings, NULL, &names) ?: stacks__new(&stacks);
}

static int teardown(void **state)
{
	(void)state;
	stacks__free(stacks);
	names__free(names);
	intern__free(strings);
	return 0;
}

/* --- records ------------------------------------------------------------------ */

static struct ct_memory *record_of(uint32_t kind, const void *address, uint32_t check)
{
	size_t room = kind == CT_MEMORY_CODE ? CT_MEMORY_CODE_BYTES : CT_MEMORY_TYPE_BYTES;
	struct ct_memory *m = calloc(1, sizeof(*m) + room);

	assert_non_null(m);
	*m = (struct ct_memory){
		.tag = CT_MEMORY, .kind = kind, .addr = (uintptr_t)address, .check = check};
	return m;
}

static void add_chunk(struct ct_memory *m, int i, const void *address, size_t len)
{
	uint32_t at = i ? m->chunks[i - 1].at + m->chunks[i - 1].len : 0;

	m->chunks[i] = (struct ct_chunk){.addr = (uintptr_t)address, .at = at, .len = len};
	memcpy(m->data + at, address, len);
}

static uint32_t type_check(const uint8_t *type)
{
	const char *name = (const char *)(uintptr_t)world__word(type + w.off->type_name);
	__u64 text[CT_TYPE_NAME_WORDS] = {};

	if (world__word(type + w.off->type_flags) & CT_TYPE_HEAP)
		memcpy(text, name, strnlen(name, sizeof(text) - 1));
	return ct_type_digest((uintptr_t)name, world__word(type + w.off->type_basicsize),
			      world__word(type + w.off->type_flags), text);
}

static void send_type(const struct process *p, const uint8_t *type)
{
	struct ct_memory *m = record_of(CT_MEMORY_TYPE, type, type_check(type));
	const char *name = (const char *)(uintptr_t)world__word(type + w.off->type_name);

	add_chunk(m, 0, type, w.off->type_flags + 8);
	add_chunk(m, 1, name, strlen(name) + 1);
	add_chunk(m, 2, w.metatype + w.off->type_flags, 8);
	add_chunk(m, 3, w.metatype + w.off->object_type, 8);
	names__memory(names, p, &image, m);
	free(m);
}

static void send_code(const struct process *p, size_t table)
{
	struct ct_memory *m = record_of(CT_MEMORY_CODE, w.code, world__check(&w));

	add_chunk(m, 0, w.code, 240);
	add_chunk(m, 1, w.file, w.off->str_ascii_data + 6);
	add_chunk(m, 2, w.qualname, w.off->str_ascii_data + 3);
	add_chunk(m, 3, w.table, table);
	names__memory(names, p, &image, m);
	free(m);
}

/* --- types -------------------------------------------------------------------- */

static void expect_type(const struct process *p, const uint32_t *check, const char *name)
{
	const struct type_fact *type = names__type(names, p, &image, (uintptr_t)w.str_type, check);

	assert_string_equal(type ? type->name : "-", name);
}

static void a_type_of_a_process_that_is_gone(void **state)
{
	uint32_t check = type_check(w.str_type), other = check + 1;
	struct process sibling = gone;

	(void)state;
	expect_type(&gone, &check, "-");
	assert_false(names__knows_type(names, &gone, &image, (uintptr_t)w.str_type, check));
	send_type(&gone, w.str_type);
	assert_true(names__knows_type(names, &gone, &image, (uintptr_t)w.str_type, check));
	expect_type(&gone, &check, "str");
	expect_type(&gone, &other, "-");
	expect_type(&gone, NULL, "str");
	sibling.pid++;
	expect_type(&sibling, &check, "-");
	sibling = gone; /* its pid, used again */
	sibling.started++;
	expect_type(&sibling, &check, "-");
}

/* Freed, and another one made in its place: each copy has the name of its time. */
static void a_type_that_was_replaced(void **state)
{
	uint32_t first = type_check(w.str_type), second;

	(void)state;
	send_type(&gone, w.str_type);
	world__type(&w, w.str_type, "later", 0);
	second = type_check(w.str_type);
	send_type(&gone, w.str_type);
	expect_type(&gone, &first, "str");
	expect_type(&gone, &second, "later");
	expect_type(&gone, NULL, "later");
	/* Without records, from the process: only the one that is there now. */
	expect_type(&living, &first, "-");
	expect_type(&living, &second, "later");
}

/* What is no type can become one. */
static void a_type_in_place_of_something(void **state)
{
	uint32_t check = type_check(w.str_type);

	(void)state;
	put_u64(w.str_type, w.off->type_flags, 0);
	expect_type(&living, NULL, "-");
	world__type(&w, w.str_type, "str", WORLD_STR);
	expect_type(&living, &check, "str");
	expect_type(&living, NULL, "str");
}

/* A child with another type at that address; its memory is this process's, but for that. */
static pid_t changed_child(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		world__type(&w, w.str_type, "childs", WORLD_STR | CT_TYPE_HEAP);
		world__str(&w, w.qualname, "other");
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void an_ancestor_has_it_still(void **state)
{
	uint32_t before = type_check(w.str_type), code = world__check(&w);
	pid_t pid = changed_child();
	struct process child = {
		.pid = pid, .started = 300, .forked_memory = true, .parent = &living};

	(void)state;
	expect_type(&child, NULL, "childs");
	expect_type(&child, &before, "str");
	assert_string_equal(names__code(names, &child, &image, (uintptr_t)w.code, code)->function,
			    "K.f");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Facts of one copy point to several; a hostile process makes up addresses meanwhile. */
static void what_was_handed_out_stays(void **state)
{
	const struct type_fact *type;

	(void)state;
	type = names__type(names, &living, &image, (uintptr_t)w.str_type, NULL);
	assert_non_null(type);
	for (uint64_t i = 1; i <= 33000; i++)
		assert_null(names__type(names, &living, &image, 0x7000000000 + 64 * i, NULL));
	assert_string_equal(type->name, "str");
	expect_type(&living, NULL, "str");
}

/* --- code objects ------------------------------------------------------------- */

static void expect_code(const struct process *p, uint32_t check, const char *function,
			uint8_t missing)
{
	const struct code_entry *entry = names__code(names, p, &image, (uintptr_t)w.code, check);

	assert_int_equal(entry->missing, missing);
	assert_string_equal(entry->function ?: "-", function);
}

static void a_code_object_of_a_process_that_is_gone(void **state)
{
	uint32_t check = world__check(&w);

	(void)state;
	expect_code(&gone, check, "-", CT_MISSING_PROCESS_GONE);
	send_code(&gone, w.off->bytes_data + 4);
	expect_code(&gone, check, "K.f", CT_MISSING_NONE);
	expect_code(&gone, check + 1, "-", CT_MISSING_PROCESS_GONE);
	expect_code(&living, check + 1, "-", CT_MISSING_INVALID);
	/* Known to all that share the image; not to others. */
	memset(w.code, 0, sizeof(w.code));
	expect_code(&living, check, "K.f", CT_MISSING_NONE);
	image.id++;
	expect_code(&gone, check, "-", CT_MISSING_PROCESS_GONE);
}

/* The rest of a table that was cut is read of the process, if it still is that code object. */
static void a_code_object_that_was_cut(void **state)
{
	uint32_t check = world__check(&w), second = w.off->code_adaptive + 8;
	const struct code_entry *entry;

	(void)state;
	send_code(&gone, w.off->bytes_data + 2);
	entry = names__code(names, &gone, &image, (uintptr_t)w.code, check);
	assert_string_equal(entry->function, "K.f");
	assert_int_equal(py_code__line(entry->code, w.off, second - 2), 7);
	assert_int_equal(py_code__line(entry->code, w.off, second), 0);
	world__str(&w, w.qualname, "other");
	entry = names__code(names, &living, &image, (uintptr_t)w.code, check);
	assert_int_equal(py_code__line(entry->code, w.off, second), 0);
	world__str(&w, w.qualname, "K.f");
	entry = names__code(names, &living, &image, (uintptr_t)w.code, check);
	assert_int_equal(py_code__line(entry->code, w.off, second), 8);
}

/* --- stacks ------------------------------------------------------------------- */

/* f() called by f(), through the frame that checks what an inlined __init__ returns. */
static void send_stack(const struct process *p, uint64_t id, const uint8_t *trampoline)
{
	static struct ct_stack record;
	uint32_t start = w.off->code_adaptive;

	record = (struct ct_stack){.tag = CT_STACK, .id = id, .nframes = 2};
	record.frames[0] = (struct ct_frame){
		.code = (uintptr_t)w.code, .offset = start, .check = world__check(&w)};
	record.frames[1] = record.frames[0];
	record.frames[1].offset += 8;
	if (trampoline) {
		record.frames[2] = record.frames[1];
		record.frames[1] = (struct ct_frame){.code = (uintptr_t)trampoline};
		record.nframes++;
	}
	stacks__add(stacks, names, p, &image, &record);
}

static void expect_stack(const struct stack_fact *fact, bool named)
{
	assert_int_equal(fact->n, 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(fact->frames[i].function ?: "-", named ? "K.f" : "-");
		assert_int_equal(fact->frames[i].line, named ? 7 + i : 0);
		assert_int_equal(fact->frames[i].missing,
				 named ? CT_MISSING_NONE : CT_MISSING_PROCESS_GONE);
	}
}

static void names_that_come_after_the_stack(void **state)
{
	const struct stack_entry *entry;
	const struct stack_fact *fact;

	(void)state;
	assert_false(stacks__knows(stacks, 9));
	assert_null(stacks__find(stacks, names, &gone, &image, 9));
	send_stack(&gone, 9, NULL);
	assert_true(stacks__knows(stacks, 9));
	entry = stacks__find(stacks, names, &gone, &image, 9);
	fact = entry->fact;
	expect_stack(fact, false);
	assert_int_equal(entry->n_codes, 0);
	send_code(&gone, w.off->bytes_data + 4);
	memset(w.code, 0, sizeof(w.code));
	entry = stacks__find(stacks, names, &gone, &image, 9);
	assert_ptr_equal(entry->fact, fact);
	expect_stack(fact, true);
	assert_int_equal(entry->n_codes, 2);
	assert_int_equal(entry->codes[0].address, (uintptr_t)w.code);
}

/* A copy of a process that lives shows the stack that one which is gone has shown before. */
static void names_from_another_process(void **state)
{
	(void)state;
	send_stack(&gone, 9, NULL);
	expect_stack(stacks__find(stacks, names, &gone, &image, 9)->fact, false);
	expect_stack(stacks__find(stacks, names, NULL, NULL, 9)->fact, false);
	expect_stack(stacks__find(stacks, names, &living, &image, 9)->fact, true);
}

static void frames_that_python_hides(void **state)
{
	static struct world other;
	struct ct_memory *m;

	(void)state;
	world__build(&w, &py_table__find(0x030d)->offsets);
	image.offsets = w.off;
	world__build(&other, w.off);
	put_u32(other.code, w.off->code_firsttraceable, 8);
	put_u64(other.code, w.off->code_filename, 0); /* its names are not needed */
	m = record_of(CT_MEMORY_CODE, other.code, 0);
	add_chunk(m, 0, other.code, 240);
	names__memory(names, &gone, &image, m);
	free(m);
	send_code(&gone, w.off->bytes_data + 4);
	send_stack(&gone, 9, other.code);
	expect_stack(stacks__find(stacks, names, &gone, &image, 9)->fact, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_type_of_a_process_that_is_gone),
		TEST(a_type_that_was_replaced),
		TEST(a_type_in_place_of_something),
		TEST(an_ancestor_has_it_still),
		TEST(what_was_handed_out_stays),
		TEST(a_code_object_of_a_process_that_is_gone),
		TEST(a_code_object_that_was_cut),
		TEST(names_that_come_after_the_stack),
		TEST(names_from_another_process),
		TEST(frames_that_python_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
