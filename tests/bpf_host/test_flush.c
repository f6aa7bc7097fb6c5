/* SPDX-License-Identifier: MIT */
/* The witness do_wp_page where flushes say whose copy it is. */
#include "witness_task.h"

#define PAGE_AT	   (ADDR & ~0xffful)
#define HUGE_AT	   (ADDR & ~(HUGE_SIZE - 1))
#define PTE_OF(at) (0x8000000000000025 | (at))

static pte_t pte;
static struct vm_area_struct vma;

/* A fault that moves the page from one frame to another. */
static struct vm_fault a_fault(void)
{
	pte.pte = PTE_OF(0x12346000);
	vma.vm_mm = &mm;
	cfg_function = true;
	cfg_flush = true;
	pages[1].mapping = (void *)(0x1000ul | PAGE_MAPPING_ANON);
	pages[1]._mapcount.counter = 2;
	return (struct vm_fault){
		.vma = &vma,
		.real_address = ADDR,
		.flags = FAULT_FLAG_WRITE | FAULT_FLAG_USER,
		.orig_pte = {PTE_OF(0x12345000)},
		.page = &pages[1],
		.pte = &pte,
	};
}

static void flush(struct mm_struct *of, uint64_t at, uint64_t size)
{
	volatile uint64_t number = (uintptr_t)of; /* as the programs are given it */

	flush__seen(number, at, at + size);
}

static void who_flushes_has_made_the_copy(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	wp_page__entry(&vmf);
	flush(&mm, PAGE_AT, 4096);
	pages[1].mapping = NULL; /* freed, by the time that the function returns */
	wp_page__exit(&vmf, 0);
	expect_counts(1, 0, 0);
	assert_int_equal(copy_at(0)->addr, ADDR);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FORK);
	assert_int_equal(copy_at(0)->sharers, 3);
	vmf.page = NULL;
	wp_page__entry(&vmf);
	flush(&mm, PAGE_AT, 4096);
	wp_page__return(0);
	expect_counts(2, 0, 0);
	assert_int_equal(copy_at(1)->origin, CT_ORIGIN_ZERO);
	assert_int_equal(copy_at(1)->sharers, 0);
}

static void who_does_not_has_not(void **state)
{
	struct vm_fault vmf = a_fault();
	struct mm_struct other = {};

	(void)state;
	flush(&mm, PAGE_AT, 4096); /* of something before */
	wp_page__entry(&vmf);
	wp_page__exit(&vmf, 0);
	wp_page__entry(&vmf);
	flush(&mm, PAGE_AT + 4096, 4096);
	flush(&mm, PAGE_AT, HUGE_SIZE);
	flush(&mm, 0, -1ul);
	flush(&other, PAGE_AT, 4096);
	wp_page__exit(&vmf, 0);
	task.flags = PF_MEMALLOC; /* looks for memory to be freed, and finds that page */
	wp_page__entry(&vmf);
	flush(&mm, PAGE_AT, 4096);
	task.flags = 0;
	wp_page__exit(&vmf, 0);
	assert_int_equal(shim.n_records, 0);
	expect_counts(0, 0, 0);
	/* one copy is enough for one fault */
	wp_page__entry(&vmf);
	flush(&mm, PAGE_AT, 4096);
	wp_page__exit(&vmf, 0);
	wp_page__entry(&vmf);
	wp_page__exit(&vmf, 0);
	expect_counts(1, 0, 0);
}

static void a_reuse_flushes_nothing(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	pte = vmf.orig_pte;
	wp_page__entry(&vmf);
	wp_page__exit(&vmf, 0);
	expect_counts(0, 0, 1);
}

static void the_memory_of_another_process(void **state)
{
	struct vm_fault vmf = a_fault();
	struct mm_struct other = {};

	(void)state;
	vma.vm_mm = &other;
	vmf.flags = FAULT_FLAG_WRITE;
	wp_page__entry(&vmf);
	flush(&other, PAGE_AT, 4096);
	wp_page__exit(&vmf, 0);
	expect_counts(1, 0, 0);
}

/* Where struct page is, the old page and its frame say. */
static void the_page_of_a_frame(void **state)
{
	struct page *high = (struct page *)(-1ul << 40);
	struct vm_fault vmf = a_fault();

	(void)state;
	wp_page__entry(&vmf);
	flush(&mm, PAGE_AT, 4096);
	the_thread()->last_page = (uintptr_t)(high + 0x12345);
	wp_page__exit(&vmf, 0);
	assert_ptr_equal((void *)the_thread()->vmemmap, high);
}

static void an_entry_without_return(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	wp_page__entry(&vmf);
	wp_page__entry(&vmf); /* nothing came of the first */
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 0);
	flush(&mm, PAGE_AT, 4096);
	wp_page__entry(&vmf);
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 1);
	wp_page__return(0);
	expect_counts(0, 0, 0);
}

static void huge_zero_page(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	huge_wp__entry((uintptr_t)&vmf);
	flush(&mm, HUGE_AT, HUGE_SIZE);
	huge_wp__exit(0x800); /* split */
	flush(&mm, HUGE_AT, HUGE_SIZE);
	huge_wp__entry((uintptr_t)&vmf);
	flush(&mm, PAGE_AT, 4096);
	huge_wp__exit(0); /* another thread was faster */
	huge_wp__entry((uintptr_t)&vmf);
	huge_wp__exit(0);
	expect_counts(0, 0, 0);
	huge_wp__entry((uintptr_t)&vmf);
	flush(&mm, HUGE_AT, HUGE_SIZE);
	huge_wp__exit(0);
	expect_counts(1, 0, 0);
	assert_int_equal(copy_at(0)->order, HUGE_ORDER);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_ZERO);
}

static void nobody_watches(void **state)
{
	struct vm_fault vmf = a_fault();
	struct task_struct elsewhere = {.pid = 7, .tgid = 7};

	(void)state;
	shim.current = &elsewhere;
	wp_page__entry(&vmf);
	flush(&mm, PAGE_AT, 4096);
	wp_page__exit(&vmf, 0);
	assert_int_equal(shim.n_records, 0);
	assert_int_equal(the_thread()->flushed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_flushes_has_made_the_copy),
		TEST(who_does_not_has_not),
		TEST(a_reuse_flushes_nothing),
		TEST(the_memory_of_another_process),
		TEST(the_page_of_a_frame),
		TEST(an_entry_without_return),
		TEST(huge_zero_page),
		TEST(nobody_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
