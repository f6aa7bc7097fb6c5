/* SPDX-License-Identifier: MIT */
#include "shim.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define ADDR  0x7f0000012345ul
#define IP    0x555500001000ul
#define KIP   0xffffffff81234567ul /* where the kernel wrote to user memory */
#define ENTRY 0xffffffff82000800ul /* in the kernel's page fault entry */
#define GFP   GFP_MOVABLE_BIT

static struct task_struct task;
static struct signal_struct signals;
static struct task_delay_info delays;
static struct cred cred;
static struct mm_struct mm;
static struct pt_regs regs;
static struct page pages[4];

static struct thread *the_thread(void)
{
	return thread__of(&task);
}

static const struct ct_proc *proc(uint32_t pid)
{
	struct ct_proc *p = bpf_map_lookup_elem(&procs, &pid);

	assert_non_null(p);
	return p;
}

static int setup(void **state)
{
	struct ct_proc zero = {};
	uint32_t pid = 100;

	(void)state;
	shim__reset();
	memset(pages, 0, sizeof(pages));
	signals = (struct signal_struct){};
	delays = (struct task_delay_info){.wpcopy_count = 1000};
	cred = (struct cred){.uid = {33}};
	mm = (struct mm_struct){};
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
	bpf_task_storage_get(&threads, &task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	the_thread()->started = 1;
	bpf_map_update_elem(&procs, &pid, &zero, BPF_ANY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shim__reset();
	return 0;
}

/* A write fault of the program on a page that is present and protected. */
static void user_fault(uint64_t addr)
{
	fault__user(addr, &regs, PF_USER | PF_PROT_WRITE);
}

/* Inside the syscall 45, as the kernel's stack shows it. */
static void kernel_fault(uint64_t addr)
{
	struct pt_regs kernel = {.ip = KIP};

	regs.orig_ax = 45;
	regs.ip = IP + 2;
	shim.kernel_stack[0] = 0xffffffff81000001;
	shim.kernel_stack[1] = ENTRY;
	shim.kernel_stack[2] = KIP;
	shim.kernel_stack[3] = 0xffffffff81000002;
	shim.kernel_depth = 4;
	fault__kernel(addr, &kernel, PF_PROT_WRITE);
}

static void alloc(struct page *page)
{
	page__alloc(NULL, page, 0, GFP);
}

static void expect_counts(uint64_t copies, uint64_t retracts, uint64_t reuses)
{
	assert_int_equal(counter(CT_COUNT_COPIES), copies);
	assert_int_equal(counter(CT_COUNT_RETRACTS), retracts);
	assert_int_equal(counter(CT_COUNT_REUSES), reuses);
	assert_int_equal(proc(100)->reuses, reuses);
}

static const struct ct_copy *copy_at(size_t i)
{
	assert_true(i < shim.n_records);
	assert_ptr_equal(shim.records[i].ring, &copies);
	assert_int_equal(shim.records[i].size, sizeof(struct ct_copy));
	assert_int_equal(shim.records[i].tag, CT_COPY);
	return &shim.records[i].copy;
}

static void expect_fixup(size_t i, uint64_t seq, uint32_t kind)
{
	const struct ct_fixup *f = &shim.records[i].fixup;

	assert_true(i < shim.n_records);
	assert_ptr_equal(shim.records[i].ring, &copies);
	assert_int_equal(shim.records[i].size, sizeof(*f));
	assert_int_equal(f->tag, CT_FIXUP);
	assert_int_equal(f->pid, 100);
	assert_int_equal(f->tid, 101);
	assert_int_equal(f->seq, seq);
	assert_int_equal(f->kind, kind);
}

/* --- tracepoints: pending, confirmed, reused --- */

static void an_allocation_in_the_fault_is_a_copy(void **state)
{
	const struct ct_copy *ev;

	(void)state;
	user_fault(ADDR);
	assert_int_equal(shim.n_records, 0);
	alloc(&pages[0]);
	assert_int_equal(shim.n_records, 1);
	ev = copy_at(0);
	assert_int_equal(ev->pid, 100);
	assert_int_equal(ev->tid, 101);
	assert_int_equal(ev->addr, ADDR);
	assert_int_equal(ev->ip, IP);
	assert_int_equal(ev->seq, 0);
	assert_int_equal(ev->time, 1);
	assert_int_equal(ev->origin, CT_ORIGIN_FORK);
	assert_int_equal(ev->syscall, -1);
	assert_int_equal(ev->unwind, CT_UNWIND_NO_PYTHON);
	expect_counts(1, 0, 0);
	alloc(&pages[1]); /* the fault is over */
	user_fault(ADDR + 4096);
	page__alloc(NULL, &pages[1], 0, GFP | GFP_ZERO_BIT);
	assert_int_equal(shim.n_records, 2);
	assert_int_equal(copy_at(1)->seq, 1);
	assert_int_equal(copy_at(1)->origin, CT_ORIGIN_ZERO);
	expect_counts(2, 0, 0);
}

static void a_fault_without_a_copy_is_a_reuse(void **state)
{
	(void)state;
	user_fault(ADDR);
	expect_counts(0, 0, 0); /* not known yet */
	user_fault(ADDR + 4096);
	expect_counts(0, 0, 1);
	alloc(&pages[0]);
	user_fault(ADDR + 8192);
	expect_counts(1, 0, 1);
	/* a read fault, and one on a page that is not there: neither is pending */
	fault__user(ADDR, &regs, PF_USER);
	expect_counts(1, 0, 2);
	fault__user(ADDR, &regs, PF_USER | 2);
	alloc(&pages[1]);
	expect_counts(1, 0, 2);
	assert_int_equal(shim.n_records, 1);
}

static void other_allocations_are_no_copies(void **state)
{
	(void)state;
	user_fault(ADDR);
	page__alloc(NULL, &pages[0], 1, GFP);
	page__alloc(NULL, &pages[0], 0, 0);
	page__alloc(NULL, &pages[0], 0, GFP_ZERO_BIT);
	assert_int_equal(shim.n_records, 0);
	/* the program went on: in a syscall, in another fault, at its end */
	regs.orig_ax = 9;
	alloc(&pages[0]);
	regs.orig_ax = -1ul;
	regs.ip = IP + 4;
	alloc(&pages[0]);
	regs.ip = IP;
	task.flags = PF_EXITING;
	alloc(&pages[0]);
	task.flags = 0;
	assert_int_equal(shim.n_records, 0);
	expect_counts(0, 0, 0);
	user_fault(ADDR);
	expect_counts(0, 0, 1);
}

static void nothing_is_seen_before_the_start(void **state)
{
	struct task_struct stranger = {.pid = 5, .tgid = 5};

	(void)state;
	the_thread()->started = 0;
	user_fault(ADDR);
	alloc(&pages[0]);
	kernel_fault(ADDR);
	alloc(&pages[0]);
	page__free(NULL, &pages[0]);
	page__rss(NULL, MM_FILEPAGES);
	expect_counts(0, 0, 0);
	shim.current = &stranger; /* not traced */
	fault__user(ADDR, &regs, PF_USER | PF_PROT_WRITE);
	fault__kernel(ADDR, &regs, PF_PROT_WRITE);
	alloc(&pages[0]);
	page__free(NULL, &pages[0]);
	page__rss(NULL, MM_FILEPAGES);
	wp_page__entry();
	thread__exec(&stranger);
	thread__exit(&stranger);
	expect_counts(0, 0, 0);
	assert_int_equal(shim.n_records, 0);
}

/* --- corrections --- */

static void the_loser_of_a_race_is_retracted(void **state)
{
	(void)state;
	user_fault(ADDR);
	alloc(&pages[0]);
	page__free(NULL, &pages[1]); /* another page */
	assert_int_equal(shim.n_records, 1);
	page__free(NULL, &pages[0]);
	assert_int_equal(shim.n_records, 2);
	expect_fixup(1, 0, CT_FIXUP_RETRACT);
	expect_counts(1, 1, 0);
	page__free(NULL, &pages[0]); /* once */
	assert_int_equal(shim.n_records, 2);
	user_fault(ADDR);
	alloc(&pages[0]);
	assert_int_equal(copy_at(2)->seq, 1);
	expect_counts(2, 1, 0);
}

/* The copy is freed later, by the program: it was a copy. */
static void a_free_after_the_fault_is_no_retraction(void **state)
{
	(void)state;
	user_fault(ADDR);
	alloc(&pages[0]);
	regs.orig_ax = 11;
	page__free(NULL, &pages[0]);
	assert_int_equal(shim.n_records, 1);
	expect_counts(1, 0, 0);
	regs.orig_ax = -1ul; /* and in the next fault nobody knows the page any more */
	user_fault(ADDR);
	page__free(NULL, &pages[0]);
	expect_counts(1, 0, 0);
}

static void a_page_of_a_file(void **state)
{
	(void)state;
	user_fault(ADDR);
	page__rss(NULL, MM_FILEPAGES); /* nothing was copied */
	assert_int_equal(shim.n_records, 0);
	alloc(&pages[0]);
	page__rss(NULL, MM_ANONPAGES);
	assert_int_equal(shim.n_records, 1);
	page__rss(NULL, MM_FILEPAGES);
	assert_int_equal(shim.n_records, 2);
	expect_fixup(1, 0, CT_FIXUP_ORIGIN_FILE);
	user_fault(ADDR);
	alloc(&pages[0]);
	page__rss(NULL, MM_SHMEMPAGES);
	expect_fixup(3, 1, CT_FIXUP_ORIGIN_FILE);
	user_fault(ADDR);
	alloc(&pages[0]);
	regs.ip++; /* after the fault */
	page__rss(NULL, MM_FILEPAGES);
	assert_int_equal(shim.n_records, 5);
	expect_counts(3, 0, 0);
}

/* --- losses --- */

static void what_finds_no_room_is_counted(void **state)
{
	(void)state;
	shim.copies_full = true;
	user_fault(ADDR);
	alloc(&pages[0]);
	expect_counts(1, 0, 0);
	assert_int_equal(lost_for(CT_LOST_RING_FULL), 1);
	assert_int_equal(proc(100)->lost, 1);
	page__free(NULL, &pages[0]); /* it was no copy: nothing has been lost */
	expect_counts(1, 1, 0);
	assert_int_equal(lost_for(CT_LOST_RING_FULL), 0);
	assert_int_equal(proc(100)->lost, 0);
	user_fault(ADDR);
	alloc(&pages[0]);
	shim.copies_full = false;
	page__rss(NULL, MM_FILEPAGES); /* a correction of what is not there is not sent */
	assert_int_equal(shim.n_records, 0);
	assert_int_equal(counter(CT_COUNT_FIXUPS_LOST), 0);
	user_fault(ADDR);
	alloc(&pages[0]);
	assert_int_equal(copy_at(0)->seq, 2); /* numbers are not used again */
	shim.copies_full = true;
	page__free(NULL, &pages[0]);
	assert_int_equal(counter(CT_COUNT_FIXUPS_LOST), 1);
	assert_int_equal(lost_for(CT_LOST_RING_FULL), 1);
	expect_counts(3, 2, 0);
}

static void the_daemon_is_woken_when_much_waits(void **state)
{
	(void)state;
	shim.waiting = cfg_wakeup_bytes;
	user_fault(ADDR);
	alloc(&pages[0]);
	assert_int_equal(shim.wakeups, 0);
	shim.waiting++;
	user_fault(ADDR);
	alloc(&pages[0]);
	assert_int_equal(shim.wakeups, 1);
}

/* --- writes of the kernel --- */

static void a_syscall_writes(void **state)
{
	(void)state;
	kernel_fault(ADDR);
	alloc(&pages[0]);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(copy_at(0)->flags & CT_F_KERNEL, CT_F_KERNEL);
	assert_int_equal(copy_at(0)->flags & CT_F_CODE, 0);
	assert_int_equal(copy_at(0)->syscall, 45);
	assert_int_equal(copy_at(0)->ip, IP + 2);
	page__free(NULL, &pages[0]);
	expect_fixup(1, 0, CT_FIXUP_RETRACT);
	expect_counts(1, 1, 0);
	/* addresses of the kernel's own, and reads, are not ours */
	kernel_fault(0xffff888000001000);
	alloc(&pages[0]);
	fault__kernel(ADDR, &(struct pt_regs){.ip = KIP}, 1);
	alloc(&pages[0]);
	expect_counts(1, 1, 0);
	assert_int_equal(shim.n_records, 2);
}

static void an_allocation_elsewhere_in_the_syscall(void **state)
{
	static const struct {
		uint64_t stack[4];
		size_t depth;
	} others[] = {
		{{0xffffffff81000001, 0xffffffff81000002, KIP}, 3}, /* no fault entry */
		{{ENTRY, KIP + 1, KIP}, 3},			    /* another fault */
		{{ENTRY}, 1},
		{{ENTRY + 0x100, KIP}, 2}, /* just behind the entry */
		{{ENTRY - 0x101, KIP}, 2},
		{{0}, 0},
	};

	(void)state;
	for (size_t i = 0; i < N(others); i++) {
		kernel_fault(ADDR);
		expect_counts(0, 0, i);
		memcpy(shim.kernel_stack, others[i].stack, sizeof(others[i].stack));
		shim.kernel_depth = others[i].depth;
		alloc(&pages[0]);
		expect_counts(0, 0, i + 1); /* it was a reuse, and it is over */
		shim.kernel_depth = 0;
		alloc(&pages[0]);
	}
	assert_int_equal(shim.n_records, 0);
	/* the entry at the first and at the last of its addresses; without knowing where it is */
	for (int i = 0; i < 3; i++) {
		kernel_fault(ADDR);
		shim.kernel_stack[1] = i ? cfg_fault_entry_end - 1 : cfg_fault_entry_start;
		if (i == 2)
			shim.kernel_depth = cfg_fault_entry_start = 0;
		alloc(&pages[0]);
		assert_int_equal(shim.n_records, i + 1);
	}
}

/* The deepest stack that is kept: the entry is found up to its last but one word. */
static void deep_kernel_stacks(void **state)
{
	(void)state;
	for (size_t at = 0; at < KERNEL_STACK_DEPTH; at++) {
		kernel_fault(ADDR);
		for (size_t i = 0; i < KERNEL_STACK_DEPTH; i++)
			shim.kernel_stack[i] = 0xffffffff81000000 + i;
		shim.kernel_depth = KERNEL_STACK_DEPTH;
		shim.kernel_stack[at] = ENTRY;
		if (at + 1 < KERNEL_STACK_DEPTH)
			shim.kernel_stack[at + 1] = KIP;
		alloc(&pages[0]);
		assert_int_equal(shim.n_records,
				 at + 1 < KERNEL_STACK_DEPTH ? at + 1 : KERNEL_STACK_DEPTH - 1);
	}
}

static void who_looks_settles_nothing(void **state)
{
	(void)state;
	kernel_fault(ADDR);
	/* a read of user memory elsewhere in the kernel, not a write */
	fault__kernel(ADDR + 4096, &(struct pt_regs){.ip = KIP + 64}, 0);
	expect_counts(0, 0, 0);
	alloc(&pages[0]);
	expect_counts(1, 0, 0);
	/* the same instruction faults again: the first time it had reused its page */
	kernel_fault(ADDR);
	kernel_fault(ADDR + 4096);
	expect_counts(1, 0, 1);
	/* a fault of the program ends what its syscall had begun, and the other way round */
	regs.orig_ax = -1ul;
	user_fault(ADDR);
	expect_counts(1, 0, 2);
	kernel_fault(ADDR);
	expect_counts(1, 0, 3);
}

/* --- fork, exec, exit --- */

static struct task_struct child_of(uint32_t pid, uint32_t tgid, struct mm_struct *memory)
{
	struct task_struct child = task;

	child.pid = pid;
	child.tgid = tgid;
	child.mm = memory;
	memcpy(child.comm, "child", 6);
	return child;
}

static void children_are_followed(void **state)
{
	struct mm_struct other = mm;
	struct task_struct child = child_of(200, 200, &other);
	const struct ct_fork *rec = &shim.records[0].fork;
	uint32_t pid = 200;

	(void)state;
	the_thread()->layout = 3;
	the_thread()->tss_key = 6;
	other.rss_stat[MM_ANONPAGES].count = 64;
	shim.areas[0].part = 7;
	shim.areas[1].part = -9;
	shim.areas[2].part = 30;
	thread__fork(&task, &child);
	assert_int_equal(shim.n_records, 1);
	assert_ptr_equal(shim.records[0].ring, &meta);
	assert_int_equal(shim.records[0].size, sizeof(*rec));
	assert_int_equal(rec->tag, CT_FORK);
	assert_int_equal(rec->pid, 200);
	assert_int_equal(rec->ppid, 100);
	assert_int_equal(rec->uid, 33);
	assert_int_equal(rec->anon_pages, 64 + 7 - 9 + 30); /* all parts of the counter */
	assert_int_equal(rec->layout, 3);
	assert_int_equal(rec->vm_shared, 0);
	assert_string_equal(rec->comm, "child");
	assert_int_equal(thread__of(&child)->started, 1);
	assert_int_equal(thread__of(&child)->layout, 3);
	assert_int_equal(thread__of(&child)->tss_key, 0); /* made anew */
	assert_int_equal(proc(200)->reuses, 0);
	assert_int_equal(*(uint32_t *)bpf_map_lookup_elem(&proc_layouts, &pid), 3);
}

static void a_counter_below_zero_is_none(void **state)
{
	struct mm_struct other = mm;
	struct task_struct child = child_of(200, 200, &other);

	(void)state;
	other.rss_stat[MM_ANONPAGES].count = 3;
	shim.areas[1].part = -4;
	thread__fork(&task, &child);
	assert_int_equal(shim.records[0].fork.anon_pages, 0);
}

static void vfork_and_threads(void **state)
{
	struct task_struct vforked = child_of(200, 200, &mm), other = child_of(102, 100, &mm);

	(void)state;
	thread__fork(&task, &vforked);
	assert_int_equal(shim.records[0].fork.vm_shared, 1);
	assert_int_equal(shim.records[0].fork.anon_pages, 0);
	thread__fork(&task, &other);
	assert_int_equal(shim.n_records, 1); /* a thread is no process */
	assert_int_equal(thread__of(&other)->started, 1);
	the_thread()->started = 0; /* the launcher's own */
	vforked.pid = vforked.tgid = 201;
	thread__fork(&task, &vforked);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(thread__of(&vforked)->started, 0);
	shim.no_storage = true;
	other.pid = 103;
	struct task_struct third = other;
	thread__fork(&task, &third);
	assert_int_equal(lost_for(CT_LOST_NO_MEMORY), 1);
	assert_int_equal(proc(100)->lost, 1);
}

static void exec_forgets_the_python(void **state)
{
	const struct ct_exec *rec = &shim.records[0].exec;
	uint32_t pid = 100, slot = 3;

	(void)state;
	bpf_map_update_elem(&proc_layouts, &pid, &slot, BPF_ANY);
	user_fault(ADDR);
	assert_int_equal(the_thread()->layout, 3);
	the_thread()->tss_key = 6;
	thread__exec(&task);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(rec->tag, CT_EXEC);
	assert_int_equal(rec->pid, 100);
	assert_int_equal(rec->uid, 33);
	assert_string_equal(rec->comm, "worker");
	assert_int_equal(the_thread()->layout, 0);
	assert_int_equal(the_thread()->tss_key, 0);
	assert_null(bpf_map_lookup_elem(&proc_layouts, &pid));
	alloc(&pages[0]); /* of the new program */
	expect_counts(0, 0, 0);
}

/* The first exec is that of the command: from here on copies count, the kernel's too. */
static void the_command_starts(void **state)
{
	(void)state;
	the_thread()->started = 0;
	thread__exec(&task);
	assert_int_equal(the_thread()->started, 1);
	assert_int_equal(the_thread()->wpcopy_base, 1000);
	delays.wpcopy_count = 1023;
	thread__exec(&task);
	assert_int_equal(the_thread()->wpcopy_base, 1000);
	thread__exit(&task);
	assert_int_equal(proc(100)->kernel_copies, 23);
	assert_int_equal(proc(100)->kernel_unknown, 0);
}

static void exit_settles_and_reports_the_last_thread(void **state)
{
	const struct ct_exit *rec = &shim.records[0].exit;
	uint32_t pid = 100, slot = 3;

	(void)state;
	bpf_map_update_elem(&proc_layouts, &pid, &slot, BPF_ANY);
	user_fault(ADDR);
	signals.live.counter = 1;
	shim.areas[2].part = 11;
	thread__exit(&task);
	expect_counts(0, 0, 1);
	assert_int_equal(shim.n_records, 0);
	assert_int_equal(the_thread()->started, 0);
	thread__exit(&task); /* once */
	user_fault(ADDR);
	alloc(&pages[0]);
	expect_counts(0, 0, 1);
	assert_int_equal(proc(100)->kernel_copies, 1000);

	the_thread()->started = 1;
	signals.live.counter = 0;
	task.exit_code = 0x300;
	task.delays = NULL;
	thread__exit(&task);
	assert_int_equal(proc(100)->kernel_copies, 1000);
	assert_int_equal(proc(100)->kernel_unknown, 1);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(rec->tag, CT_EXIT);
	assert_int_equal(rec->pid, 100);
	assert_int_equal(rec->status, 0x300);
	assert_int_equal(rec->anon_pages, 511);
	assert_string_equal(rec->comm, "worker");
	assert_null(bpf_map_lookup_elem(&proc_layouts, &pid));
}

static void exit_of_a_killed_group_on_an_old_kernel(void **state)
{
	(void)state;
	shim.lacks = "delays->wpcopy_count"; /* before 6.1 */
	task.mm = NULL;			     /* before 6.16 */
	task.exit_code = 0x100;
	signals.group_exit_code = 9;
	thread__exit(&task);
	assert_int_equal(shim.records[0].exit.status, 9);
	assert_true(shim.records[0].exit.anon_pages == ~0ul);
	assert_int_equal(proc(100)->kernel_copies, 0);
	assert_int_equal(proc(100)->kernel_unknown, 1);
	shim.meta_full = true;
	the_thread()->started = 1;
	thread__exit(&task);
	assert_int_equal(counter(CT_COUNT_META_LOST), 1);
}

/* --- do_wp_page --- */

static pte_t pte;

static struct vm_fault wp_fault(struct page *page)
{
	pte.pte = 0x8000000012346867; /* another frame than before, and other bits */
	return (struct vm_fault){
		.address = ADDR & ~4095ul,
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
	wp_page__entry();
	if (allocated)
		alloc(allocated);
	wp_page__exit(vmf);
}

static void fexit_another_frame_is_a_copy(void **state)
{
	struct vm_fault vmf = wp_fault(&pages[1]);

	(void)state;
	cfg_fexit = true;
	pages[1].mapping = (void *)(0x1000ul | PAGE_MAPPING_ANON);
	wp_page(&vmf, &pages[0]);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(copy_at(0)->addr, ADDR);
	assert_int_equal(copy_at(0)->origin, CT_ORIGIN_FORK);
	assert_int_equal(copy_at(0)->syscall, -1);
	expect_counts(1, 0, 0);
	vmf.flags = FAULT_FLAG_WRITE;
	regs.orig_ax = 45;
	wp_page(&vmf, &pages[0]);
	assert_int_equal(copy_at(1)->syscall, 45);
	assert_int_equal(copy_at(1)->flags & CT_F_KERNEL, CT_F_KERNEL);
	assert_int_equal(copy_at(1)->seq, 1);
	expect_counts(2, 0, 0);
}

static void fexit_the_same_frame_is_a_reuse(void **state)
{
	struct vm_fault vmf = wp_fault(&pages[1]);

	(void)state;
	cfg_fexit = true;
	pte.pte = 0x0000000012345867; /* only other bits */
	wp_page(&vmf, NULL);
	expect_counts(0, 0, 1);
	assert_int_equal(shim.n_records, 0);
}

static void fexit_others_made_the_copy(void **state)
{
	struct vm_fault vmf = wp_fault(&pages[1]);

	(void)state;
	cfg_fexit = true;
	wp_page(&vmf, NULL);
	alloc(&pages[0]); /* of something before */
	wp_page(&vmf, NULL);
	wp_page__entry(); /* the loser of a race frees its own */
	alloc(&pages[0]);
	page__free(NULL, &pages[0]);
	wp_page__exit(&vmf);
	assert_int_equal(shim.n_records, 0);
	expect_counts(0, 0, 0);
	/* of two allocations the last is the copy: freeing the other changes nothing */
	wp_page__entry();
	alloc(&pages[2]);
	alloc(&pages[0]);
	page__free(NULL, &pages[2]);
	wp_page__exit(&vmf);
	assert_int_equal(shim.n_records, 1);
	expect_counts(1, 0, 0);
	page__free(NULL, &pages[0]); /* later */
	assert_int_equal(shim.n_records, 1);
}

static void fexit_no_write_no_copy(void **state)
{
	struct vm_fault vmf = wp_fault(&pages[1]);

	(void)state;
	cfg_fexit = true;
	vmf.flags = FAULT_FLAG_USER | FAULT_FLAG_UNSHARE;
	wp_page(&vmf, &pages[0]);
	vmf.flags |= FAULT_FLAG_WRITE;
	wp_page(&vmf, &pages[0]);
	vmf = wp_fault(&pages[1]);
	vmf.pte = NULL; /* never mapped: the fault is tried again */
	wp_page(&vmf, &pages[0]);
	vmf = wp_fault(&pages[1]);
	the_thread()->started = 0;
	wp_page(&vmf, &pages[0]);
	assert_int_equal(shim.n_records, 0);
	expect_counts(0, 0, 0);
}

static void origins_of_pages(void **state)
{
	(void)state;
	pages[0].mapping = (void *)0x1000ul;
	assert_int_equal(page__origin(&pages[0]), CT_ORIGIN_FILE);
	pages[0].mapping = (void *)0x1001ul;
	assert_int_equal(page__origin(&pages[0]), CT_ORIGIN_FORK);
	pages[0].mapping = (void *)0x1003ul;
	assert_int_equal(page__origin(&pages[0]), CT_ORIGIN_KSM);
	assert_int_equal(page__origin(NULL), CT_ORIGIN_ZERO);
	/* inside a compound page its head knows */
	pages[1].mapping = (void *)0x1003ul;
	pages[0].mapping = (void *)0x1001ul;
	pages[1].compound_head = (unsigned long)&pages[0] | 1;
	assert_int_equal(page__origin(&pages[1]), CT_ORIGIN_FORK);
	pages[1].compound_head = (unsigned long)&pages[0];
	assert_int_equal(page__origin(&pages[1]), CT_ORIGIN_KSM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_allocation_in_the_fault_is_a_copy),
		TEST(a_fault_without_a_copy_is_a_reuse),
		TEST(other_allocations_are_no_copies),
		TEST(nothing_is_seen_before_the_start),
		TEST(the_loser_of_a_race_is_retracted),
		TEST(a_free_after_the_fault_is_no_retraction),
		TEST(a_page_of_a_file),
		TEST(what_finds_no_room_is_counted),
		TEST(the_daemon_is_woken_when_much_waits),
		TEST(a_syscall_writes),
		TEST(an_allocation_elsewhere_in_the_syscall),
		TEST(deep_kernel_stacks),
		TEST(who_looks_settles_nothing),
		TEST(children_are_followed),
		TEST(a_counter_below_zero_is_none),
		TEST(vfork_and_threads),
		TEST(exec_forgets_the_python),
		TEST(the_command_starts),
		TEST(exit_settles_and_reports_the_last_thread),
		TEST(exit_of_a_killed_group_on_an_old_kernel),
		TEST(fexit_another_frame_is_a_copy),
		TEST(fexit_the_same_frame_is_a_reuse),
		TEST(fexit_others_made_the_copy),
		TEST(fexit_no_write_no_copy),
		TEST(origins_of_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
