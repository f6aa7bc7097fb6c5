/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few kernel types and members that are used, relocated by CO-RE: no vmlinux.h to vendor, and
 * the build machine needs no BTF of its own. Names after ___ are flavours: other shapes of the same
 * type.
 */
#ifndef COWTRACE_BPF_KERNEL_H
#define COWTRACE_BPF_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

typedef __u64 u64;
typedef __u32 u32;
typedef __u16 u16;
typedef __u8 u8;
typedef __s64 s64;
typedef __s32 s32;
typedef __s16 s16;

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, sp;
};
struct thread_struct {
	unsigned long fsbase;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs { /* struct user_pt_regs is its beginning */
	unsigned long regs[31], sp, pc;
	int syscallno;
};
struct thread_struct {
	struct {
		unsigned long tp_value; /* since 4.17, 65896545b69f */
	} uw;
};
#else
#error "x86-64 and arm64 only"
#endif

struct percpu_counter {
	s64 count;
	s32 *counters; /* per CPU */
};

struct task_struct;

typedef struct {
	int counter;
} atomic_t;

struct mm_struct {
	void *pgd;	   /* the upper table of pages */
	atomic_t mm_users; /* threads, and who else may change it */
	unsigned long start_stack;
	struct task_struct *owner;	   /* CONFIG_MEMCG */
	struct percpu_counter rss_stat[4]; /* since 6.2, f1a7941243c1 */
};

/* Before 6.2. In the kernel the elements are atomic_long_t: to be read as a whole, because CO-RE
 * takes no number for a struct. */
struct mm_rss_stat___pre62 {
	s64 count[4];
};
struct mm_struct___pre62 {
	struct mm_rss_stat___pre62 rss_stat;
};

struct task_delay_info {
	u32 wpcopy_count; /* since 6.1, 662ce1dc9caf */
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
};

struct list_head {
	struct list_head *next;
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct pid {
	unsigned int level; /* of pid namespaces, 0: the first */
};

struct task_struct {
	int pid, tgid;
	unsigned int flags;
	int exit_code;
	char comm[16];
	void *stack;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct list_head children, sibling;
	u64 start_time; /* ns, CLOCK_MONOTONIC */
	struct signal_struct *signal;
	const struct cred *cred;
	struct task_delay_info *delays;
	struct thread_struct thread;
	struct pid *thread_pid;
};

/* Before 6.2 each task kept its counts of pages back: kmem:rss_stat was late. */
struct task_rss_stat {
	int events;
};
struct task_struct___split {
	struct task_rss_stat rss_stat;
};

struct page {
	void *mapping;
	unsigned long compound_head;
	atomic_t _mapcount;
};

enum pageflags {
	PG_head = 6,
};

struct folio {
	atomic_t _entire_mapcount;
};

/* Seen in 7.3; still compound_head in 6.12. */
struct page___info {
	unsigned long compound_info;
};

struct hstate {
	unsigned int order;
};
struct hugetlbfs_sb_info {
	struct hstate *hstate;
};
struct super_block {
	void *s_fs_info;
};
struct inode {
	struct super_block *i_sb;
};
struct file {
	struct inode *f_inode;
};

struct vm_area_struct {
	struct mm_struct *vm_mm;
	struct file *vm_file;
};

/* include/uapi/linux/bpf.h: asked for to know what this kernel has. */
enum bpf_func_id___loop {
	BPF_FUNC_loop___since_5_17 = 181,
};

/* include/linux/mm_types.h: values unchanged since 5.10 (UNSHARE since 5.19). An enum and not a
 * number: CO-RE does not take the one for the other.
 */
enum fault_flag {
	FAULT_FLAG_WRITE = 0x01,
	FAULT_FLAG_USER = 0x40,
	FAULT_FLAG_UNSHARE = 0x400,
};

typedef struct {
	unsigned long pte;
} pte_t;

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned long real_address; /* byte exact, since 5.18, 824ddc601adc */
	enum fault_flag flags;
	pte_t orig_pte;
	struct page *cow_page;
	struct page *page;
	pte_t *pte;
};

struct vm_fault___pre514 {
	unsigned int flags;
};

struct bpf_array {
	void *pptrs[0]; /* of a per-CPU array: per-CPU pointers */
};

/* The records of events, behind the eight bytes that all of them begin with. */
struct trace_event_raw_mm_page_alloc {
	unsigned long pfn;
	unsigned int order;
	unsigned long gfp_flags;
};
struct trace_event_raw_mm_page_free {
	unsigned long pfn;
};
struct trace_event_raw_rss_stat {
	int member;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* x86_exceptions up to 6.12, exceptions since: not by its name. */
struct fault_event {
	u64 common;
	unsigned long address, ip, error_code;
};

/* include/linux/sched.h, unchanged since 2.6 */
#define PF_EXITING    0x00000004
#define PF_FORKNOEXEC 0x00000040
/* include/linux/mm_types_task.h: members of rss_stat */
#define MM_FILEPAGES  0
#define MM_ANONPAGES  1
#define MM_SHMEMPAGES 3
/* include/linux/gfp_types.h: the first nine bits have been these since 4.4 */
#define GFP_HIGHMEM_BIT 0x02u
#define GFP_MOVABLE_BIT 0x08u
#define GFP_ZERO_BIT	0x100u
/* include/linux/mm_types.h, enum vm_fault_reason: the fault is to be repeated, or failed */
#define VM_FAULT_RETRY 0x400u
#define VM_FAULT_ERROR (0x001u | 0x002u | 0x010u | 0x020u | 0x040u | 0x800u)
/* include/linux/page-flags.h: low bits of page->mapping */
#define PAGE_MAPPING_ANON  0x1UL
#define PAGE_MAPPING_FLAGS 0x3UL
/* arch/x86: page fault error code */
#define PF_PROT_WRITE 0x3
#define PF_WRITE      0x2 /* not present */
#define PF_MASK	      0x7
#define PF_USER	      0x4
/*
 * Where a page table entry keeps its frame, with pages of 4 KiB, and where user addresses end: with
 * four levels of page tables, beyond which a program gets memory only if it asks for it.
 */
#if defined(__TARGET_ARCH_arm64)
#define PTE_PFN_MASK 0x0000fffffffff000UL
#define USER_END     (1UL << 48)
/* Where glibc's thread pointer points to: the address of the thread's DTV is so far behind. */
#define DTV_AT 0
#else
#define PTE_PFN_MASK 0x000ffffffffff000UL
#define USER_END     (1UL << 47)
#define DTV_AT	     8
#endif
#define PTE_PRESENT 0x1UL
/* A huge page that an entry of a page middle directory maps: 2 MiB */
#define HUGE_ORDER 9
#define PAGE_SIZE  4096UL

#endif
