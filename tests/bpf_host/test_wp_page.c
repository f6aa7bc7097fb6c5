/* SPDX-License-Identifier: MIT */
/* The witness do_wp_page. */
#include "witness_task.h"

static pte_t pte;
static struct vm_area_struct vma;

/* A fault that moves the page from one frame to another. */
static struct vm_fault fault_at(struct page *page)
{
	pte.pte = 0x8000000012346867;
	vma.vm_mm = &mm;
	cfg_function = true;
	return (struct vm_fault){
		.vma = &vma,
		.real_address = ADDR,
		.flags = FAULT_FLAG_WRITE | FAULT_FLAG_USER,
		.orig_pte = {0x8000000012345025},
		.page = page,
		.pte = &pte,
	};
}

/* The whole of do_wp_page, with an allocation in it or none. */
static void wp_page(struct vm_fault *vmf, struct page *allocated)
{
	wp_page__entry(vmf);
	if (allocated)
		wp_page__alloc(allocated, 0, GFP);
	wp_page__exit(vmf, 0);
}

static void another_frame_is_a_copy(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	pages[1].mapping = (void *)(0x1000ul | PAGE_MAPPING_ANON);
	wp_page(&vmf, &pages[0]);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(copy_at(0)->addr, ADDR);
	assert_int_equal(copy_at(0)->ip, IP);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FORK);
	assert_int_equal(copy_at(0)->syscall, -1);
	assert_int_equal(copy_at(0)->flags & CT_F_KERNEL, 0);
	expect_counts(1, 0, 0);
	vmf.flags = FAULT_FLAG_WRITE;
	regs.orig_ax = 45;
	wp_page(&vmf, &pages[0]);
	assert_int_equal(copy_at(1)->syscall, 45);
	assert_int_equal(copy_at(1)->flags & CT_F_KERNEL, CT_F_KERNEL);
	assert_int_equal(copy_at(1)->seq, 1);
	expect_counts(2, 0, 0);
}

static void origins(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	pages[1].mapping = (void *)0x1000ul;
	wp_page(&vmf, &pages[0]);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FILE);
	pages[1].mapping = (void *)0x1003ul;
	wp_page(&vmf, &pages[0]);
	assert_int_equal(copy_at(1)->origin, CT_ORIGIN_KSM);
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP | GFP_ZERO_BIT);
	wp_page__exit(&vmf, 0);
	assert_int_equal(copy_at(2)->origin, CT_ORIGIN_ZERO);
	vmf.page = NULL;
	wp_page(&vmf, &pages[0]);
	assert_int_equal(copy_at(3)->origin, CT_ORIGIN_ZERO);
	/* what the old page was is looked at before it can be freed */
	vmf.page = &pages[1];
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	pages[1].mapping = NULL;
	wp_page__exit(&vmf, 0);
	assert_int_equal(copy_at(4)->origin, CT_ORIGIN_KSM);
}

static void the_same_frame_is_a_reuse(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	pte.pte = 0x0000000012345867; /* only other bits */
	wp_page(&vmf, NULL);
	expect_counts(0, 0, 1);
	wp_page(&vmf, &pages[0]); /* allocated, and not used */
	expect_counts(0, 0, 2);
	/* nothing has happened: the fault comes again, or ends the program */
	wp_page__entry(&vmf);
	wp_page__exit(&vmf, VM_FAULT_RETRY);
	wp_page__entry(&vmf);
	wp_page__exit(&vmf, 2); /* SIGBUS */
	expect_counts(0, 0, 2);
	assert_int_equal(shim.n_records, 0);
}

static void what_the_kernel_begins_again_is_counted_once(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	the_thread()->wpcopy_base = 1000;
	delays.wpcopy_count = 1005;
	wp_page__entry(&vmf);
	delays.wpcopy_count++;
	wp_page__exit(&vmf, VM_FAULT_RETRY);
	assert_int_equal(the_thread()->wpcopy_base, 1001);
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	delays.wpcopy_count++;
	wp_page__exit(&vmf, 0);
	expect_counts(1, 0, 0);
	thread__exit(&task);
	assert_int_equal(proc(100)->kernel_copies, 6);
}

static void others_made_the_copy(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	wp_page(&vmf, NULL);
	wp_page__alloc(&pages[0], 0, GFP); /* of something before */
	wp_page(&vmf, NULL);
	wp_page__entry(&vmf); /* the loser of a race frees its own */
	wp_page__alloc(&pages[0], 0, GFP);
	page__free(NULL, &pages[0]);
	wp_page__exit(&vmf, 0);
	assert_int_equal(shim.n_records, 0);
	expect_counts(0, 0, 0);
	/* of two allocations the last is the copy: freeing the other changes nothing */
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[2], 0, GFP);
	wp_page__alloc(&pages[0], 0, GFP);
	page__free(NULL, &pages[2]);
	wp_page__exit(&vmf, 0);
	assert_int_equal(shim.n_records, 1);
	page__free(NULL, &pages[0]); /* later: no retraction */
	assert_int_equal(shim.n_records, 1);
	expect_counts(1, 0, 0);
}

/* Page tables, and more than one page: not where a page is copied to. */
static void other_allocations(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP_MOVABLE_BIT);
	wp_page__alloc(&pages[0], 1, GFP);
	wp_page__exit(&vmf, 0);
	assert_int_equal(shim.n_records, 0);
	wp_page__entry(&vmf); /* pinned for long: not movable */
	wp_page__alloc(&pages[0], 0, GFP_HIGHMEM_BIT);
	wp_page__exit(&vmf, 0);
	assert_int_equal(shim.n_records, 1);
}

static void no_write_no_copy(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	vmf.flags = FAULT_FLAG_USER;
	wp_page(&vmf, &pages[0]);
	vmf = fault_at(&pages[1]);
	vmf.pte = NULL; /* never mapped */
	wp_page(&vmf, &pages[0]);
	vmf = fault_at(&pages[1]);
	the_thread()->started = 0;
	wp_page(&vmf, &pages[0]);
	assert_int_equal(shim.n_records, 0);
	expect_counts(0, 0, 0);
}

/* Makes the word at `at` point to a type, in a process that is known to run Python. */
static void type__put(uint64_t at)
{
	const uint64_t type = 0x555555900000;
	struct ct_pylayout lay = {
		.object_type = 8, .type_name = 24, .type_basicsize = 32, .type_flags = 168};

	bpf_map_update_elem(&layouts, &(uint32_t){1}, &lay, BPF_ANY);
	the_thread()->layout = 1;
	user__set64(at, type);
	user__set64(type + 8, type);
	user__set64(type + 32, 16);
	user__set64(type + 168, TYPE_READY | TYPE_SUBCLASS);
}

/* process_vm_writev: the address means nothing in the memory of the task that writes. */
static void the_memory_of_another_process(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);
	struct mm_struct other = {};

	(void)state; /* record 0 is of the type that happens to lie there */
	user__set64(ADDR & ~7ul, 5);
	vma.vm_mm = &other;
	vmf.flags = FAULT_FLAG_WRITE;
	regs.orig_ax = 311;
	type__put((ADDR & ~7ul) + 8);
	wp_page(&vmf, &pages[0]);
	assert_int_equal(copy_at(1)->flags, CT_F_KERNEL);
	assert_int_equal(copy_at(1)->type_word, 0);
	assert_int_equal(copy_at(1)->syscall, 311);
}

static struct page *head_of(struct page *page)
{
	struct page_image image = {};

	page__read(&image, page);
	return page__head(page, PAGE_WORD(&image, u64, page__info_offset()));
}

static void heads_of_compound_pages(void **state)
{
	uint64_t mask = -64ul * 8;
	union {
		struct page page;
		struct page___info info;
	} tail;

	(void)state;
	pages[1].compound_head = (unsigned long)&pages[0] | 1;
	assert_ptr_equal(head_of(&pages[1]), &pages[0]);
	pages[1].compound_head = (unsigned long)&pages[0];
	assert_ptr_equal(head_of(&pages[1]), &pages[1]);
	/* since the member is called compound_info */
	shim.lacks = "";
	tail.info.compound_info = (unsigned long)&pages[0] | 1;
	assert_ptr_equal(head_of(&tail.page), &pages[0]);
	tail.info.compound_info = (unsigned long)&pages[0];
	assert_ptr_equal(head_of(&tail.page), &tail);
	tail.info.compound_info =
		mask | 1; /* a mask that leads to it; bit 0 of no address is set */
	assert_int_equal((unsigned long)head_of(&tail.page), (unsigned long)&tail & mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_frame_is_a_copy),	 TEST(origins),
		TEST(the_same_frame_is_a_reuse), TEST(what_the_kernel_begins_again_is_counted_once),
		TEST(others_made_the_copy),	 TEST(other_allocations),
		TEST(no_write_no_copy),		 TEST(the_memory_of_another_process),
		TEST(heads_of_compound_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
