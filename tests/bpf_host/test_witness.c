/* SPDX-License-Identifier: MIT */
/* The witness that is made of tracepoints. */
#include "witness_task.h"

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

/* Its page may be written to: the CPU has not seen that yet. */
static void a_reuse_that_faults_again_is_one(void **state)
{
	static uint8_t page[4096];
	uint64_t twice = DIRECT ? 0 : 1; /* else nothing tells it from another one */

	(void)state;
	shim__direct_map(ADDR & ~4095ul, page);
	user_fault(ADDR);
	user_fault(ADDR);
	expect_counts(0, 0, twice);
	user_fault(ADDR + 8); /* another write, and another instruction */
	expect_counts(0, 0, twice + 1);
	regs.ip += 2;
	user_fault(ADDR + 8);
	expect_counts(0, 0, twice + 2);
	alloc(&pages[0]);
	user_fault(ADDR + 8); /* after a copy */
	expect_counts(1, 0, twice + 2);
#ifdef CT_DIRECT
	*shim__entry(ADDR, 12) &= ~2ul; /* the page has been shared since */
	user_fault(ADDR + 8);
	expect_counts(1, 0, 3);
	alloc(&pages[1]);
	expect_counts(2, 0, 3);
#endif
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
	wp_page__entry(NULL);
	thread__exec(&stranger);
	thread__exit(&stranger);
	expect_counts(0, 0, 0);
	assert_int_equal(shim.n_records, 0);
}

/* Two attempts in one fault: the first was given up before it had a page. */
static void what_the_kernel_begins_again_is_counted_once(void **state)
{
	(void)state;
	the_thread()->wpcopy_base = 1000;
	user_fault(ADDR);
	delays.wpcopy_count++; /* given up */
	alloc(&pages[0]);
	delays.wpcopy_count++;
	user_fault(ADDR);
	alloc(&pages[0]);
	delays.wpcopy_count++;
	expect_counts(2, 0, 0);
	delays.wpcopy_count++; /* no fault that we saw: it stays in the count */
	user_fault(ADDR);
	thread__exit(&task);
	assert_int_equal(proc(100)->kernel_copies, 3);
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

static void copy_when(uint64_t now)
{
	shim.now = now;
	user_fault(ADDR);
	alloc(&pages[0]);
}

static void the_daemon_is_woken_when_much_waits(void **state)
{
	(void)state;
	woken_at = 0;
	shim.waiting = cfg_wakeup_bytes;
	copy_when(5 * WAKEUP_NS);
	assert_int_equal(shim.wakeups, 0);
	shim.waiting++;
	copy_when(5 * WAKEUP_NS);
	assert_int_equal(shim.wakeups, 1);
	copy_when(5 * WAKEUP_NS + WAKEUP_NS / 2); /* it has been told */
	assert_int_equal(shim.wakeups, 1);
	copy_when(7 * WAKEUP_NS);
	assert_int_equal(shim.wakeups, 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_allocation_in_the_fault_is_a_copy),
		TEST(a_fault_without_a_copy_is_a_reuse),
		TEST(a_reuse_that_faults_again_is_one),
		TEST(other_allocations_are_no_copies),
		TEST(nothing_is_seen_before_the_start),
		TEST(what_the_kernel_begins_again_is_counted_once),
		TEST(the_loser_of_a_race_is_retracted),
		TEST(a_free_after_the_fault_is_no_retraction),
		TEST(a_page_of_a_file),
		TEST(what_finds_no_room_is_counted),
		TEST(the_daemon_is_woken_when_much_waits),
		TEST(a_syscall_writes),
		TEST(an_allocation_elsewhere_in_the_syscall),
		TEST(deep_kernel_stacks),
		TEST(who_looks_settles_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
