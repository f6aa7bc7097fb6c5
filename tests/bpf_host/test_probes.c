/* SPDX-License-Identifier: MIT */
/* The witnesses made of kprobes, and wp_page_copy. */
#include "witness_task.h"

static pte_t pte;
static struct vm_area_struct vma;

/* A fault that moves the page from one frame to another. */
static struct vm_fault a_fault(void)
{
	pte.pte = 0x8000000012346867;
	vma.vm_mm = &mm;
	cfg_function = true;
	pages[1].mapping = (void *)(0x1000ul | PAGE_MAPPING_ANON);
	return (struct vm_fault){
		.vma = &vma,
		.real_address = ADDR,
		.flags = FAULT_FLAG_WRITE | FAULT_FLAG_USER,
		.orig_pte = {0x8000000012345025},
		.page = &pages[1],
		.pte = &pte,
	};
}

static void probe(struct vm_fault *vmf, struct page *allocated)
{
	wp_page__entry(vmf);
	if (allocated)
		wp_page__alloc(allocated, 0, GFP);
	wp_page__return(0);
}

static void the_return_judges_what_the_entry_was_given(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	probe(&vmf, &pages[0]);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(copy_at(0)->addr, ADDR);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FORK);
	expect_counts(1, 0, 0);
	probe(&vmf, NULL); /* another thread made the copy */
	expect_counts(1, 0, 0);
	pte = vmf.orig_pte;
	probe(&vmf, NULL);
	expect_counts(1, 0, 1);
	vmf.flags = FAULT_FLAG_UNSHARE; /* nothing is written, and it is copied all the same */
	pte.pte = 0x8000000012346867;
	probe(&vmf, &pages[0]);
	expect_counts(2, 0, 1);
	assert_true(copy_at(1)->flags & CT_F_UNSHARE);
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 0);
}

static void a_return_without_entry(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	wp_page__return(0);
	probe(&vmf, &pages[0]);
	wp_page__return(0); /* not the same one again */
	expect_counts(1, 0, 0);
	shim.current = &(struct task_struct){.pid = 5, .tgid = 5};
	wp_page__return(0);
	expect_counts(1, 0, 0);
}

/* Before 5.18 a fault does not say its address, before 5.14 its flags are a number. */
static void what_old_kernels_do_not_tell(void **state)
{
	struct vm_fault vmf = a_fault();
	struct vm_fault___pre514 old = {.flags = FAULT_FLAG_WRITE};

	(void)state;
	shim.lacks = "old->rss_stat.count old->flags renamed->compound_info vmf->real_address";
	fault__begin(ADDR + 3);
	probe(&vmf, &pages[0]);
	assert_int_equal(copy_at(0)->addr, ADDR + 3);
	fault__begin(ADDR + 5);
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	wp_page__exit(&vmf, 0);
	assert_int_equal(copy_at(1)->addr, ADDR + 5);
	shim.lacks = "old->rss_stat.count renamed->compound_info vmf->real_address";
	assert_int_equal(fault__flags((void *)&old), FAULT_FLAG_WRITE);
	shim.current = &(struct task_struct){.pid = 5, .tgid = 5};
	fault__begin(ADDR); /* not traced */
}

/* The kernel has no room to wait for one more return. */
static void an_entry_without_return(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 0);
	probe(&vmf, &pages[2]);
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 1);
	assert_int_equal(proc(100)->lost, 1);
	expect_counts(1, 0, 0);
	/* no page came, or it was freed: nothing is lost */
	wp_page__entry(&vmf);
	probe(&vmf, NULL);
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	page__free(NULL, &pages[0]);
	probe(&vmf, NULL);
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 1);
	/* the last one shows when the thread ends */
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	thread__exit(&task);
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 2);
}

static void calls_are_counted_when_they_return(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	page_copy__entry(&vmf);
	assert_int_equal(shim.n_reads, 0); /* the page is left alone until it is copied */
	expect_counts(0, 0, 0);
	page_copy__exit();
	page_copy__exit();
	expect_counts(1, 0, 0);
	assert_int_equal(copy_at(0)->addr, ADDR);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FORK);
	vmf.page = NULL;
	page_copy__entry(&vmf);
	page_copy__exit();
	assert_int_equal(copy_at(1)->origin, CT_ORIGIN_ZERO);
	pte = vmf.orig_pte; /* the loser of a race: a call all the same */
	page_copy__entry(&vmf);
	page_copy__exit();
	expect_counts(3, 0, 0);
	vmf.flags = FAULT_FLAG_UNSHARE;
	page_copy__entry(&vmf);
	page_copy__exit();
	expect_counts(4, 0, 0);
	assert_true(copy_at(3)->flags & CT_F_UNSHARE);
	the_thread()->started = 0;
	vmf = a_fault();
	page_copy__entry(&vmf);
	page_copy__exit();
	expect_counts(4, 0, 0);
}

static void a_call_without_return_is_lost(void **state)
{
	struct vm_fault vmf = a_fault();

	(void)state;
	page_copy__entry(&vmf);
	page_copy__entry(&vmf);
	page_copy__exit();
	expect_counts(1, 0, 0);
	assert_int_equal(lost_for(CT_LOST_PROBE_MISSED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_return_judges_what_the_entry_was_given),
		TEST(a_return_without_entry),
		TEST(what_old_kernels_do_not_tell),
		TEST(an_entry_without_return),
		TEST(calls_are_counted_when_they_return),
		TEST(a_call_without_return_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
