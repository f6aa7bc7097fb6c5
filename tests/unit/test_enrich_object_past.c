/* SPDX-License-Identifier: MIT */
/* Objects of processes that have ended, and of debug builds. */
#include "object_world.h"

/* Debug builds: two heads of the debug hooks in what pymalloc has left to malloc. */
static void behind_two_heads(void **state)
{
	uint64_t *head = (uint64_t *)block(2);

	(void)state;
	in_pool(0);
	head[0] = head[2] = 0x3000000000000000;
	head[1] = DEBUG_PAD | 'o';
	object_at(POOL_HEADER + 64 * 2 + 16, &plain, 1);
	write_at(block(2) + 48);
	expect_object("int", block(2) + 16);
	head[3] = DEBUG_PAD | 'r';
	object_at(POOL_HEADER + 64 * 2 + 32, &plain, 1);
	write_at(block(2) + 48);
	expect_object("int", block(2) + 32);
}

static void an_ended_process_has_no_more_objects(void **state)
{
	(void)state;
	in_pool(0);
	process.exited = true;
	object_at(POOL_HEADER + 64 * 2, &plain, 1);
	write_at(block(2) + 16);
	expect_object("-", 0);
	process.exited = false; /* that was no verdict on the type */
	write_at(block(2) + 16);
	expect_object("int", block(2));
}

static void one_more_reference(void)
{
	pool[(POOL_HEADER + 64 * 2) / 8]++;
}

static void another_object(void)
{
	for (unsigned int i = 0; i < 8; i++)
		pool[(POOL_HEADER + 64 * 2) / 8 + i] += 0x100 + i;
	object_at(POOL_HEADER + 64 * 2, &tracked, 1);
}

/* It has ended, and only its parent can be asked, which runs on. */
static void an_ancestor_that_runs_on(void **state)
{
	struct process parent = {.pid = getpid()};

	(void)state;
	process = (struct process){
		.pid = 1, .exited = true, .forked_memory = true, .parent = &parent};
	in_pool(0);
	object_at(POOL_HEADER + 64 * 2, &plain, 1);
	write_at(block(2) + 16);
	assert_false(facts.doubtful);
	expect_object("int", block(2));
	meanwhile = one_more_reference;
	write_at(block(2) + 16);
	assert_false(facts.doubtful);
	expect_object("int", block(2));
	meanwhile = another_object;
	write_at(block(2) + 40);
	assert_true(facts.doubtful);
}

/* Nobody is left to be asked, but the window shows a whole head of keys. */
static void keys_in_the_window(void **state)
{
	uint64_t *keys = (uint64_t *)address_of(POOL_HEADER + 128);

	(void)state;
	process = (struct process){.pid = 1, .exited = true};
	keys[0] = 1;
	keys[1] = 0x0303 | 2 << 16;
	keys[2] = 3;
	keys[3] = 2;
	write_to = (struct insn){.kind = INSN_STORE, .width = 4, .has_base = true, .disp = 12};
	write_at((uintptr_t)keys + 12);
	assert_string_equal(facts.object.field.name, "keys version");
	expect_object("dict keys", (uintptr_t)keys);
	write_to.disp = 16;
	write_at((uintptr_t)keys + 12); /* of something else */
	expect_object("-", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(behind_two_heads),
		TEST(an_ended_process_has_no_more_objects),
		TEST(an_ancestor_that_runs_on),
		TEST(keys_in_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
