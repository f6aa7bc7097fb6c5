/* SPDX-License-Identifier: MIT */
/* Copies of other kinds than a write to a small page that is mapped: each witness, each kind. */
#include "witness_task.h"

#define SWAP_CODE 0xffffffff81500100ul
#define WP_CODE	  0xffffffff81501100ul
#define FILE_CODE 0xffffffff81502100ul
#define MM_CODE	  0xffffffff81503100ul
#define OTHER	  0xffffffff81999999ul

static pte_t pte;
static struct vm_area_struct vma;

/* What the kernel's stack shows, innermost first. */
static void stack_is(size_t n, const uint64_t *code)
{
	memcpy(shim.kernel_stack, code, n * sizeof(*code));
	shim.kernel_depth = n;
}

#define STACK(...) stack_is(N(((uint64_t[]){__VA_ARGS__})), (uint64_t[]){__VA_ARGS__})

static int setup_code(void **state)
{
	static const uint64_t at[] = {
		[CT_CODE_FAULT] = MM_CODE,
		[CT_CODE_WP_PAGE] = WP_CODE,
		[CT_CODE_SWAP] = SWAP_CODE,
		[CT_CODE_FILE] = FILE_CODE,
	};

	setup(state);
	for (size_t i = 0; i < CT_CODES; i++)
		cfg_code[i] = i >= N(at) ? (struct ct_range){}
					 : (struct ct_range){at[i] - 0x100, at[i] + 0x100};
	cfg_cold = true;
	shim.lacks = "old->rss_stat.count renamed->compound_info task->rss_stat"; /* 6.12 */
	return 0;
}

#define CODE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_code, teardown)

static void cold_fault(uint64_t addr)
{
	fault__user(addr, &regs, PF_USER | PF_WRITE);
}

/* --- tracepoints: pages that are not mapped --- */

static void file_page_is_a_copy_when_it_is_counted(void **state)
{
	(void)state;
	cold_fault(ADDR);
	STACK(OTHER, MM_CODE, ENTRY);
	alloc(&pages[0]);
	assert_int_equal(shim.n_records, 0); /* the file may have to be read first */
	page__rss(NULL, MM_ANONPAGES);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FILE);
	assert_int_equal(copy_at(0)->addr, ADDR);
	assert_true(copy_at(0)->flags & CT_F_UNCOUNTED);
	page__rss(NULL, MM_ANONPAGES);
	page__free(NULL, &pages[0]); /* later, by the program */
	expect_counts(1, 0, 0);
}

static void file_page_that_has_to_be_waited_for(void **state)
{
	(void)state;
	cold_fault(ADDR);
	STACK(OTHER, MM_CODE, ENTRY);
	alloc(&pages[0]);
	STACK(OTHER, FILE_CODE, MM_CODE, ENTRY);
	alloc(&pages[1]); /* the file's own page */
	page__free(NULL, &pages[0]);
	STACK(OTHER, MM_CODE, ENTRY);
	alloc(&pages[2]); /* and again */
	page__rss(NULL, MM_ANONPAGES);
	expect_counts(1, 0, 0);
	assert_int_equal(shim.n_records, 1);
}

/* Up to 6.1 the counts come late: the page is the proof, and can be taken back. */
static void file_page_of_a_kernel_with_late_counts(void **state)
{
	(void)state;
	shim.lacks = "old->rss_stat.count renamed->compound_info";
	cold_fault(ADDR);
	STACK(OTHER, MM_CODE, ENTRY);
	alloc(&pages[0]);
	expect_counts(1, 0, 0);
	page__free(NULL, &pages[0]);
	expect_counts(1, 1, 0);
	alloc(&pages[1]);
	expect_counts(2, 1, 0);
	assert_int_equal(copy_at(2)->seq, 1);
}

static void first_touches_are_no_copies(void **state)
{
	(void)state;
	cold_fault(ADDR);
	STACK(OTHER, MM_CODE, ENTRY);
	page__alloc(NULL, &pages[0], 0, GFP | GFP_ZERO_BIT);
	page__rss(NULL, MM_ANONPAGES);
	STACK(OTHER, FILE_CODE, MM_CODE, ENTRY); /* a shared mapping: the file's own page */
	alloc(&pages[1]);
	page__rss(NULL, MM_FILEPAGES);
	STACK(OTHER, SWAP_CODE, MM_CODE, ENTRY); /* brought back, and nobody shares it */
	alloc(&pages[2]);
	page__rss(NULL, MM_ANONPAGES);
	cold_fault(ADDR + PAGE_SIZE);
	regs.orig_ax = 45; /* the fault is over: a syscall allocates */
	STACK(OTHER, MM_CODE, ENTRY);
	alloc(&pages[3]);
	page__rss(NULL, MM_ANONPAGES);
	expect_counts(0, 0, 0);
	assert_int_equal(shim.n_records, 0);
}

static void swapped_page_that_others_share(void **state)
{
	(void)state;
	cold_fault(ADDR);
	STACK(OTHER, SWAP_CODE, MM_CODE, ENTRY);
	alloc(&pages[0]);
	page__rss(NULL, MM_ANONPAGES);
	STACK(OTHER, WP_CODE, SWAP_CODE, MM_CODE, ENTRY);
	alloc(&pages[1]);
	expect_counts(1, 0, 0);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FORK);
	assert_int_equal(copy_at(0)->flags & CT_F_UNCOUNTED, 0);
	page__free(NULL, &pages[1]); /* it lost the race */
	expect_counts(1, 1, 0);
	cold_fault(ADDR);
	expect_counts(1, 1, 0); /* nor is it a reuse */
}

static void the_kernel_writes_to_a_file_page(void **state)
{
	(void)state;
	regs.orig_ax = 0;
	fault__kernel_at(ADDR, KIP, PF_WRITE);
	STACK(OTHER, MM_CODE, ENTRY, KIP);
	alloc(&pages[0]);
	page__rss(NULL, MM_ANONPAGES);
	expect_counts(1, 0, 0);
	assert_int_equal(copy_at(0)->syscall, 0);
	fault__kernel_at(ADDR, KIP, PF_WRITE);
	STACK(OTHER, MM_CODE, ENTRY, KIP + 8); /* another fault */
	alloc(&pages[1]);
	page__rss(NULL, MM_ANONPAGES);
	expect_counts(1, 0, 0);
}

static void without_addresses_nothing_is_guessed(void **state)
{
	(void)state;
	cfg_cold = false;
	cold_fault(ADDR);
	STACK(OTHER, MM_CODE, ENTRY);
	alloc(&pages[0]);
	page__rss(NULL, MM_ANONPAGES);
	expect_counts(0, 0, 0);
}

/* --- tracepoints: the huge page of zeroes --- */

static void huge_zero_page_is_one_copy(void **state)
{
	(void)state;
	user_fault(ADDR);
	page__alloc(NULL, &pages[0], HUGE_ORDER, GFP);
	expect_counts(1, 0, 0);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_ZERO);
	assert_int_equal(copy_at(0)->order, HUGE_ORDER);
	assert_true(copy_at(0)->flags & CT_F_UNCOUNTED);
	user_fault(ADDR);
	assert_int_equal(the_thread()->event.order, 0);
	page__alloc(NULL, &pages[0], 3, GFP);
	expect_counts(1, 0, 0);
}

/* Its cgroup has no room: it is split, and a small page copied. */
static void huge_zero_page_that_falls_back(void **state)
{
	(void)state;
	user_fault(ADDR);
	page__alloc(NULL, &pages[0], HUGE_ORDER, GFP);
	page__free(NULL, &pages[0]);
	page__alloc(NULL, &pages[1], 0, GFP | GFP_ZERO_BIT);
	expect_counts(2, 1, 0);
	assert_int_equal(copy_at(2)->order, 0);
	assert_int_equal(copy_at(2)->flags & CT_F_UNCOUNTED, 0);
	page__alloc(NULL, NULL, 0, GFP); /* no memory */
	expect_counts(2, 1, 0);
}

/* --- tracepoints: without a fault --- */

static struct pid pid;

static void copy_in_a_syscall(uint64_t number)
{
	user_fault(ADDR);
	alloc(&pages[0]); /* teaches how copies ask for their page */
	task.thread_pid = &pid;
	pid.level = 0;
	regs.orig_ax = number;
	STACK(OTHER, WP_CODE, MM_CODE, OTHER);
}

static void writes_through_get_user_pages(void **state)
{
	(void)state;
	copy_in_a_syscall(SYS_PROCESS_VM_WRITEV);
	regs.di = 4242;
	alloc(&pages[1]);
	expect_counts(2, 0, 0);
	assert_int_equal(copy_at(1)->victim, 4242);
	assert_int_equal(copy_at(1)->flags, CT_F_KERNEL);
	pid.level = 1; /* the number means nothing here */
	alloc(&pages[2]);
	assert_int_equal(copy_at(2)->victim, CT_VICTIM_UNKNOWN);
	regs.orig_ax = SYS_PTRACE;
	pid.level = 0;
	regs.si = 77;
	alloc(&pages[1]);
	assert_int_equal(copy_at(3)->victim, 77);
	regs.orig_ax = 0; /* read(2) with O_DIRECT */
	alloc(&pages[2]);
	assert_int_equal(copy_at(4)->victim, 0);
	page__free(NULL, &pages[2]); /* it lost the race */
	expect_counts(5, 1, 0);
}

static void pinning_for_reading_is_no_write(void **state)
{
	(void)state;
	copy_in_a_syscall(SYS_PROCESS_VM_READV);
	regs.di = task.tgid;
	page__alloc(NULL, &pages[1], 0, GFP & ~GFP_MOVABLE_BIT);
	expect_counts(2, 0, 0);
	assert_int_equal(copy_at(1)->victim, 0);
	assert_int_equal(copy_at(1)->flags, CT_F_KERNEL | CT_F_UNSHARE);
}

static void other_pages_of_a_syscall(void **state)
{
	(void)state;
	copy_in_a_syscall(0);
	page__alloc(NULL, &pages[1], 0, GFP | 0x1000); /* the page cache asks otherwise */
	page__alloc(NULL, &pages[1], 1, GFP);
	STACK(OTHER, MM_CODE, OTHER);
	alloc(&pages[1]);
	expect_counts(1, 0, 0);
}

/* --- functions --- */

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

static void sharers_and_victims(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);
	struct task_struct other = {.tgid = 555};
	struct mm_struct others = {.owner = &other};

	(void)state;
	pages[1].mapping = (void *)(0x1000ul | PAGE_MAPPING_ANON);
	pages[1]._mapcount.counter = 3 - 1;
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	pages[1]._mapcount.counter = 1 - 1; /* the others have let go of it */
	wp_page__exit(&vmf, 0);
	assert_int_equal(copy_at(0)->sharers, 3);
	assert_int_equal(copy_at(0)->victim, 0);
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	vma.vm_mm = &others;
	vmf.flags = FAULT_FLAG_WRITE;
	wp_page__exit(&vmf, 0);
	assert_int_equal(copy_at(1)->sharers, 0); /* 1 can not be all of it */
	assert_int_equal(copy_at(1)->victim, 555);
	vmf.flags = FAULT_FLAG_UNSHARE;
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[0], 0, GFP);
	wp_page__exit(&vmf, 0);
	assert_true(copy_at(2)->flags & CT_F_UNSHARE);
	pte.pte = vmf.orig_pte.pte; /* and it was its own already */
	wp_page__entry(&vmf);
	wp_page__exit(&vmf, 0);
	expect_counts(3, 0, 0);
}

static void finish_fault_of_a_private_file(void **state)
{
	struct vm_fault vmf = fault_at(&pages[1]);

	(void)state;
	finish__entry((uintptr_t)&vmf);
	finish__return(0); /* a read, or a shared mapping */
	finish__exit(&vmf, 0);
	vmf.cow_page = &pages[2];
	finish__entry((uintptr_t)&vmf);
	finish__return(0x100); /* another thread was faster */
	finish__exit(&vmf, 0x100);
	finish__return(0); /* its entry was not seen */
	expect_counts(0, 0, 0);
	finish__entry((uintptr_t)&vmf);
	finish__return(0);
	expect_counts(1, 0, 0);
	finish__exit(&vmf, 0);
	expect_counts(2, 0, 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(copy_at(i)->origin, CT_ORIGIN_FILE);
		assert_int_equal(copy_at(i)->addr, ADDR);
		assert_true(copy_at(i)->flags & CT_F_UNCOUNTED);
	}
	the_thread()->started = 0;
	finish__exit(&vmf, 0);
	expect_counts(2, 0, 0);
}

static void huge_zero_page_by_function(void **state)
{
	struct vm_fault vmf = fault_at(NULL);

	(void)state;
	huge_wp__entry((uintptr_t)&vmf);
	huge_wp__exit(0x800); /* split */
	huge_wp__entry((uintptr_t)&vmf);
	wp_page__alloc(&pages[0], HUGE_ORDER, GFP);
	page__free(NULL, &pages[0]);
	huge_wp__exit(0); /* another thread was faster */
	expect_counts(0, 0, 0);
	huge_wp__entry((uintptr_t)&vmf);
	wp_page__alloc(&pages[0], HUGE_ORDER, GFP);
	huge_wp__exit(0);
	expect_counts(1, 0, 0);
	assert_int_equal(copy_at(0)->order, HUGE_ORDER);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_ZERO);
	wp_page__alloc(&pages[0], HUGE_ORDER, GFP); /* not in that function */
	assert_int_equal(the_thread()->last_page, 0);
}

/* The same entry of a page table, at three ages of the kernel. */
static void hugetlb_by_function(void **state)
{
	static const uint64_t frame = 0x345 << 21;
	struct hstate h = {.order = 9};
	struct hugetlbfs_sb_info info = {&h};
	struct super_block sb = {&info};
	struct inode inode = {&sb};
	struct file file = {&inode};
	struct vm_fault vmf = fault_at(NULL);
	volatile uint64_t vma_at = (uintptr_t)&vma;

	(void)state;
	vma.vm_file = &file;
	for (uint32_t args = 1; args < 4; args++) {
		volatile uint64_t at = (uintptr_t)&vmf, none = 1;

		cfg_hugetlb_args = args;
		for (uint64_t first = 0; first < 2; first++) { /* a first touch copies nothing */
			pte.pte = first ? 0 : frame | PTE_PRESENT;
			delays.wpcopy_count = 10;
			the_thread()->wpcopy_base = 0;
			if (args == 3)
				hugetlb__args(none, vma_at, ADDR, (uintptr_t)&pte);
			else
				hugetlb__args(args == 1 ? at : none, args == 2 ? at : none, 0, 0);
			pte.pte = (frame + (1 << 21)) | PTE_PRESENT;
			delays.wpcopy_count = 11;
			hugetlb__exit();
			assert_int_equal(the_thread()->wpcopy_base, first);
		}
		expect_counts(args, 0, 0);
		assert_int_equal(copy_at(args - 1)->addr, ADDR);
		assert_int_equal(copy_at(args - 1)->order, 9);
		assert_int_equal(copy_at(args - 1)->flags & (CT_F_HUGETLB | CT_F_KERNEL),
				 CT_F_HUGETLB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CODE_TEST(file_page_is_a_copy_when_it_is_counted),
		CODE_TEST(file_page_that_has_to_be_waited_for),
		CODE_TEST(file_page_of_a_kernel_with_late_counts),
		CODE_TEST(first_touches_are_no_copies),
		CODE_TEST(swapped_page_that_others_share),
		CODE_TEST(the_kernel_writes_to_a_file_page),
		CODE_TEST(without_addresses_nothing_is_guessed),
		CODE_TEST(huge_zero_page_is_one_copy),
		CODE_TEST(huge_zero_page_that_falls_back),
		CODE_TEST(writes_through_get_user_pages),
		CODE_TEST(pinning_for_reading_is_no_write),
		CODE_TEST(other_pages_of_a_syscall),
		TEST(sharers_and_victims),
		TEST(finish_fault_of_a_private_file),
		TEST(huge_zero_page_by_function),
		TEST(hugetlb_by_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
