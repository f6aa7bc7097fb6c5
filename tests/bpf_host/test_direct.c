/* SPDX-License-Identifier: MIT */
/* Reads by way of the kernel's own map of memory: right, or left to the helper, whatever the page
 * tables say and become. */
#define CT_DIRECT
#include "shim.h"

#define AT    0x7f1234567000ul
#define WORD  0x1122334455667788ul
#define OTHER 0xa5a5a5a5a5a5a5a5ul /* what the memory of others holds */

static struct thread thread;
static struct task_struct task;

static void begin(void)
{
	shim__reset();
	memset(&thread, 0, sizeof(thread));
	shim_mm.mm_users.counter = 1;
	task = (struct task_struct){.mm = &shim_mm};
	user__set64(AT, WORD);
	user__set64(AT + 4088, ~WORD);
	direct__begin(&thread, &task);
}

/* Reads a word; helpers: how many reads by the helper that takes. */
static void expect(uint64_t at, uint64_t want, bool good, size_t helpers)
{
	u64 value = OTHER;

	shim.helper_reads = 0;
	assert_int_equal(thread__read(&thread, at, &value), good);
	assert_int_equal(value, want);
	assert_int_equal(shim.helper_reads, helpers);
}

static void words_of_a_page(void **state)
{
	u64 words[4];

	(void)state;
	begin();
	expect(AT, WORD, true, 0);
	expect(AT + 4088, ~WORD, true, 0);
	assert_int_equal(thread__u32(&thread, AT), (uint32_t)WORD);
	assert_int_equal(thread__u32(&thread, AT + 4), WORD >> 32);
	assert_true(span__read(&thread, words, sizeof(words), AT));
	assert_int_equal(words[0], WORD);
	assert_false(span__read(&thread, words, sizeof(words), AT + 4096 - 24));
	user__set64(AT + 4096, 7);
	expect(AT + 4092, (~WORD >> 32) | 7ul << 32, true, 1); /* it lies on two */
}

static void what_is_not_there(void **state)
{
	(void)state;
	begin();
	expect(AT - 4096, 0, false, 1);
	expect(AT + (1ul << 21), 0, false, 1);
	expect(AT + (1ul << 30), 0, false, 1);
	expect(AT - (1ul << 39), 0, false, 1);
	expect(USER_END + AT, 0, false, 1);
	expect((1ul << 48) + AT, 0, false, 1);
	expect(0xffff888000000000, 0, false, 1); /* the kernel's */
	expect(~7ul, 0, false, 1);
	thread.pgd = 0; /* a thread of the kernel */
	expect(AT, WORD, true, 1);
}

/* Bits of the last entry that are set or cleared; the page is there for the helper all the same. */
static void entries_that_are_not_followed(void **state)
{
	static const struct {
		uint64_t set, clear;
	} cases[] = {
		{0, PTE_PRESENT},			     /* swapped, or to be faulted again */
		{1ul << 8, PTE_PRESENT},		     /* PROT_NONE, NUMA balancing */
		{0, ENTRY_USER},	 {ENTRY_SPECIAL, 0}, /* a device's */
		{1ul << 47, 0}, /* encrypted memory: a bit of the address */
		{CT_DIRECT_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		*shim__entry(AT, 12) |= cases[i].set;
		*shim__entry(AT, 12) &= ~cases[i].clear;
		expect(AT, WORD, true, 1);
		/* Nor in the table above. */
		begin();
		*shim__entry(AT, 21) |= cases[i].set & ~ENTRY_SPECIAL;
		*shim__entry(AT, 21) &= ~(cases[i].clear & ~ENTRY_USER);
		expect(AT, WORD, true,
		       cases[i].set & ENTRY_SPECIAL || cases[i].clear & ENTRY_USER ? 0 : 1);
	}
	begin();
	*shim__entry(AT, 30) |= ENTRY_HUGE; /* a page of 1 GiB */
	expect(AT, WORD, true, 1);
}

/* 512 frames in a row; only that of AT has bytes. */
static void a_huge_page(void **state)
{
	static uint8_t bytes[512][4096];
	uint64_t first;

	(void)state;
	begin();
	while (shim_direct.n_frames % 512)
		shim__frame(0, NULL);
	first = shim_direct.n_frames;
	for (size_t i = 0; i < 512; i++)
		shim__frame((AT & ~HUGE_MASK) + 4096 * i, bytes[i]);
	memcpy(bytes[AT / 4096 % 512], &(uint64_t){~WORD}, 8);
	*shim__entry(AT, 21) =
		first * 4096 | ENTRY_HUGE | 0x67 | 1ul << 12; /* PAT: no part of it */
	expect(AT, ~WORD, true, 0);
	*shim__entry(AT, 21) &= ~ENTRY_USER;
	expect(AT, WORD, true, 1);
}

static void five_levels(void **state)
{
	uint64_t four;

	(void)state;
	begin();
	four = (uintptr_t)shim_mm.pgd;
	cfg_five_levels = shim_direct.five_levels = true;
	shim_mm.pgd = (void *)(SHIM_DIRECT + shim__frame(0, NULL));
	*(uint64_t *)shim__direct_at((uintptr_t)shim_mm.pgd) = (four - SHIM_DIRECT) | 0x67;
	direct__begin(&thread, &task);
	expect(AT, WORD, true, 0);
	expect(AT + (1ul << 40), 0, false, 1);
}

/* --- while it is read --- */

static uint64_t change_at;
static unsigned int change_level; /* 12: the page; 21: the table of its entry */

/* The page goes, and what was its memory is soon that of others. */
static void unmap(uint64_t n)
{
	uint64_t *entry;

	if (n != change_at)
		return;
	if (change_level == 12)
		memset(user__at(AT), 0xa5, 4096);
	entry = shim__entry(AT, 12);
	*shim__entry(AT, change_level) = 0;
	if (change_level == 21)
		memset(entry, 0xa5, 8);
}

static void what_changes_while_it_is_read(void **state)
{
	static const unsigned int levels[] = {12, 21};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bool ended = false;

		change_level = levels[i];
		for (change_at = 1; !ended; change_at++) {
			uint64_t value = WORD;

			begin();
			shim_direct.meanwhile = unmap;
			if (span__open(&thread, AT, 8)) {
				value = span__u64(&thread.span, 0);
				value = span__held(&thread.span) ? value : WORD;
			}
			assert_int_equal(value, WORD);
			ended = shim_direct.loads < change_at;
		}
		assert_true(change_at > 6);
	}
}

static void move_tables(void)
{
	uint64_t *entry = shim__entry(AT, 30);
	uint64_t table = shim__frame(0, NULL);

	memcpy(shim__direct_at(SHIM_DIRECT + table),
	       shim__direct_at(SHIM_DIRECT + (*entry & PTE_PFN_MASK)), 4096);
	memset(shim__direct_at(SHIM_DIRECT + (*entry & PTE_PFN_MASK)), 0, 4096);
	*entry = table | 0x67;
}

/* Tables are remembered while a program runs, and only if nobody else can free them. */
static void tables_are_remembered_for_a_run(void **state)
{
	uint64_t loads;

	(void)state;
	begin();
	expect(AT, WORD, true, 0);
	loads = shim_direct.loads;
	expect(AT + 4088, ~WORD, true, 0);
	assert_int_equal(shim_direct.loads - loads, 5); /* two entries, the word, and they again */
	move_tables();
	direct__begin(&thread, &task);
	expect(AT, WORD, true, 0);
	shim_mm.mm_users.counter = 2;
	direct__begin(&thread, &task);
	expect(AT, WORD, true, 0);
	move_tables();
	expect(AT, WORD, true, 0);
	shim_mm.pgd = (void *)(SHIM_DIRECT + shim__frame(0, NULL)); /* another program by now */
	direct__begin(&thread, &task);
	expect(AT, WORD, true, 1);
}

static int teardown(void **state)
{
	(void)state;
	shim__reset();
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_of_a_page),
		TEST(what_is_not_there),
		TEST(entries_that_are_not_followed),
		TEST(a_huge_page),
		TEST(five_levels),
		TEST(what_changes_while_it_is_read),
		TEST(tables_are_remembered_for_a_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
