/* SPDX-License-Identifier: MIT */
/* A traced task that runs in user mode, and what is known of its copies. */
#ifndef COWTRACE_TESTS_WITNESS_TASK_H
#define COWTRACE_TESTS_WITNESS_TASK_H

#include "shim.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define ADDR  0x7f0000012345ul
#define IP    0x555500001000ul
#define KIP   0xffffffff81234567ul /* where the kernel wrote to user memory */
#define ENTRY 0xffffffff82000800ul /* in the kernel's page fault entry */
#define GFP   (GFP_MOVABLE_BIT | GFP_HIGHMEM_BIT)

static struct task_struct task;
static struct signal_struct signals;
static struct task_delay_info delays;
static struct cred cred;
static struct mm_struct mm;
static struct pt_regs regs;
static struct page pages[4];

static inline struct thread *the_thread(void)
{
	return thread__of(&task);
}

static inline const struct ct_proc *proc(uint32_t pid)
{
	struct ct_proc *p = bpf_map_lookup_elem(&procs, &pid);

	assert_non_null(p);
	return p;
}

static inline int setup(void **state)
{
	struct ct_proc zero = {};
	uint32_t pid = 100;

	(void)state;
	shim__reset();
	memset(pages, 0, sizeof(pages));
	signals = (struct signal_struct){};
	delays = (struct task_delay_info){.wpcopy_count = 1000};
	cred = (struct cred){.uid = {33}};
	mm = (struct mm_struct){.pgd = shim_mm.pgd};
	mm.rss_stat[MM_ANONPAGES].count = 500;
	mm.rss_stat[MM_ANONPAGES].counters = &shim.areas[0].part;
	task = (struct task_struct){.pid = 101,
				    .tgid = 100,
				    .comm = "worker",
				    .mm = &mm,
				    .signal = &signals,
				    .cred = &cred,
				    .delays = &delays};
	regs = (struct pt_regs){.ip = IP, .orig_ax = -1ul};
	shim.current = &task;
	shim.regs = &regs;
	cfg_fault_entry_start = ENTRY - 0x100;
	cfg_fault_entry_end = ENTRY + 0x100;
	thread__create(&task);
	the_thread()->started = 1;
	bpf_map_update_elem(&procs, &pid, &zero, BPF_ANY);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	shim__reset();
	return 0;
}

static inline void expect_counts(uint64_t sent, uint64_t retracts, uint64_t reuses)
{
	assert_int_equal(counter(CT_COUNT_COPIES), sent);
	assert_int_equal(counter(CT_COUNT_RETRACTS), retracts);
	assert_int_equal(counter(CT_COUNT_REUSES), reuses);
	assert_int_equal(proc(100)->reuses, reuses);
}

static inline const struct ct_copy *copy_at(size_t i)
{
	assert_true(i < shim.n_records);
	assert_ptr_equal(shim.records[i].ring, &copies);
	assert_int_equal(shim.records[i].size, sizeof(struct ct_copy));
	assert_int_equal(shim.records[i].tag, CT_COPY);
	return &shim.records[i].copy;
}

/* A write fault of the program on a page that is present and protected. */
static inline void user_fault(uint64_t addr)
{
	fault__user(addr, &regs, PF_USER | PF_PROT_WRITE);
}

static inline void alloc(struct page *page)
{
	page__alloc(NULL, page, 0, GFP);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
