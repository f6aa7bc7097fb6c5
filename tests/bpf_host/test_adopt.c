/* SPDX-License-Identifier: MIT */
#include "witness_task.h"

/* init, the root of a service, its worker and a thread of that, and a stranger. */
static struct task_struct init_task, service, worker, thread, stranger;

static void task__make(struct task_struct *t, uint32_t pid, struct task_struct *parent)
{
	*t = (struct task_struct){.pid = pid,
				  .tgid = pid,
				  .flags = PF_FORKNOEXEC,
				  .comm = "worker",
				  .mm = &mm,
				  .real_parent = parent,
				  .group_leader = t,
				  .start_time = 1000 + pid,
				  .signal = &signals,
				  .cred = &cred,
				  .delays = &delays};
	t->children.next = &t->children;
}

static struct mm_struct own;

static int begin(void **state)
{
	int err = setup(state);

	adopting = true;
	adoption = counting + 1;
	orphans = 0;
	own = mm;
	task__make(&init_task, 1, &init_task);
	task__make(&service, 500, &init_task);
	task__make(&worker, 40, &service); /* pids have gone round */
	task__make(&thread, 41, &service);
	task__make(&stranger, 600, &init_task);
	worker.mm = &own;
	thread.tgid = 40;
	thread.group_leader = &worker;
	return err;
}

/* What the daemon does when the last pass is over and it has found every Python. */
static void begin_to_count(void)
{
	counting = adoption;
	adopting = false;
}

static int end(void **state)
{
	adopting = false;
	adoption = counting = 0;
	return teardown(state);
}

/* As if it had come with this adoption. */
static void the_thread_joins(void)
{
	the_thread()->adoption = adoption;
	the_thread()->joining = 1;
}

static void want(uint32_t pid)
{
	uint8_t yes = 1;

	bpf_map_update_elem(&wanted, &pid, &yes, BPF_ANY);
}

static bool is_wanted(uint32_t pid)
{
	return bpf_map_lookup_elem(&wanted, &pid);
}

static const struct ct_adopt *adopted_at(size_t i)
{
	assert_true(i < shim.n_records);
	assert_ptr_equal(shim.records[i].ring, &meta);
	assert_int_equal(shim.records[i].size, sizeof(struct ct_adopt));
	assert_int_equal(shim.records[i].tag, CT_ADOPT);
	return &shim.records[i].adopt;
}

static void who_is_wanted_is_adopted_once(void **state)
{
	const struct ct_adopt *rec;

	(void)state;
	want(500);
	assert_int_equal(adopt__task(&service), 1);
	rec = adopted_at(0);
	assert_int_equal(rec->pid, 500);
	assert_int_equal(rec->ppid, 1);
	assert_int_equal(rec->uid, 33);
	assert_int_equal(rec->started, 1500);
	assert_string_equal(rec->comm, "worker");
	assert_int_equal(thread__of(&service)->started, 1);
	assert_int_equal(thread__of(&service)->joining, 1);
	assert_int_equal(proc(500)->kernel_copies, 0);
	assert_int_equal(adopt__task(&service), 0);
	assert_int_equal(shim.n_records, 1);
}

static void all_below_are_adopted_in_any_order(void **state)
{
	(void)state;
	want(500);
	assert_int_equal(adopt__task(&thread), 1); /* a thread that is not the first one */
	assert_int_equal(adopted_at(0)->pid, 40);
	assert_int_equal(adopted_at(0)->ppid, 500);
	assert_int_equal(adopted_at(0)->started, 1040);
	assert_int_equal(adopt__task(&worker), 1);
	assert_int_equal(adopt__task(&service), 1);
	assert_int_equal(shim.n_records, 2); /* one for each process */
	assert_int_equal(adopt__task(&stranger), 0);
	assert_int_equal(adopt__task(&init_task), 0);
	assert_null(thread__of(&stranger));
}

static void what_it_began_with(void **state)
{
	struct task_struct vforked, executed;

	(void)state;
	want(500);
	task__make(&vforked, 41, &service); /* runs in the memory of its parent */
	task__make(&executed, 42, &service);
	executed.mm = &own;
	executed.flags = 0;
	adopt__task(&worker);
	adopt__task(&vforked);
	adopt__task(&executed);
	assert_int_equal(adopted_at(0)->forked, 1);
	assert_int_equal(adopted_at(1)->forked, 0);
	assert_int_equal(adopted_at(2)->forked, 0);
}

/* It will come by itself, or has been here. */
static void who_ends_is_not_adopted_by_others(void **state)
{
	(void)state;
	want(500);
	worker.flags |= PF_EXITING;
	assert_int_equal(adopt__task(&worker), 0);
	assert_null(thread__of(&worker));
	adopt__orphans(&worker);
	thread__exit(&worker);
	assert_int_equal(adopted_at(0)->pid, 40);
	assert_int_equal(shim.records[1].tag, CT_EXIT);
	assert_int_equal(proc(40)->kernel_copies, 0);
}

static void no_memory_for_one(void **state)
{
	(void)state;
	want(500);
	shim.no_storage = true;
	assert_int_equal(adopt__task(&service), -1);
	assert_int_equal(shim.n_records, 0);
	shim.no_storage = false;
	assert_int_equal(adopt__task(&service), 1);
}

static void who_forks_is_adopted_first(void **state)
{
	struct task_struct child;

	(void)state;
	want(500);
	task__make(&child, 700, &worker);
	adopt__running(&worker);
	thread__fork(&worker, &child);
	assert_int_equal(adopted_at(0)->pid, 40);
	assert_int_equal(shim.records[1].tag, CT_FORK);
	assert_int_equal(shim.records[1].fork.pid, 700);
	assert_int_equal(thread__of(&child)->started, 1);
	assert_int_equal(thread__of(&child)->joining, 1); /* its first copies may not count yet */
	assert_int_equal(adopt__task(&child), 0);
	adopt__running(&stranger);
	assert_null(thread__of(&stranger));
	begin_to_count();
	task__make(&child, 701, &stranger);
	want(600);
	adopt__running(&stranger); /* it is over */
	assert_null(thread__of(&stranger));
}

/* The pass has seen the child before its parent's program came to tell of it. */
static void a_child_that_was_adopted_is_not_forked_too(void **state)
{
	struct task_struct child;

	(void)state;
	want(500);
	adopt__task(&worker);
	task__make(&child, 700, &worker);
	assert_int_equal(adopt__task(&child), 1);
	thread__fork(&worker, &child);
	assert_int_equal(shim.n_records, 2);
	assert_int_equal(adopted_at(1)->pid, 700);
	assert_int_equal(thread__of(&child)->started, 1);
}

/* A parent ends between two passes: nothing but this leads to its children. */
static void orphans_are_wanted_by(const char *lacks)
{
	struct task_struct a, b;

	shim.lacks = lacks;
	want(500);
	task__make(&a, 700, &worker);
	task__make(&b, 701, &worker);
	worker.children.next = &a.sibling;
	a.sibling.next = &b.sibling;
	b.sibling.next = &worker.children;
	adopt__task(&a);
	adopt__orphans(&worker);
	assert_false(is_wanted(700)); /* it is traced already */
	assert_true(is_wanted(701));
	assert_int_equal(orphans, 1);
	b.real_parent = &init_task;
	assert_int_equal(adopt__task(&b), 1);
	stranger.children.next = &init_task.sibling;
	adopt__orphans(&stranger);
	assert_int_equal(orphans, 1);
}

static void orphans_are_wanted(void **state)
{
	(void)state;
	orphans_are_wanted_by("");
}

/* Up to 5.16. */
static void orphans_are_wanted_without_bpf_loop(void **state)
{
	(void)state;
	orphans_are_wanted_by("BPF_FUNC_loop___since_5_17");
}

/* The depth that is looked at is a bound, and init ends it. */
static void far_below(void **state)
{
	static struct task_struct chain[MAX_ANCESTORS + 1];

	(void)state;
	want(500);
	for (int i = 0; i <= MAX_ANCESTORS; i++)
		task__make(&chain[i], 1000 + i, i ? &chain[i - 1] : &service);
	assert_int_equal(adopt__task(&chain[MAX_ANCESTORS]), 0);
	assert_int_equal(adopt__task(&chain[MAX_ANCESTORS - 2]), 1);
	assert_int_equal(adopt__task(&chain[MAX_ANCESTORS]), 1); /* the next pass */
}

static void nothing_counts_until_all_are_there(void **state)
{
	(void)state;
	the_thread_joins();
	user_fault(ADDR);
	assert_int_equal(the_thread()->pending, PENDING_NONE);
	alloc(&pages[0]);
	fault__kernel(ADDR, &regs, PF_PROT_WRITE);
	alloc(&pages[0]);
	expect_counts(0, 0, 0);
	assert_int_equal(the_thread()->joining, 1);
}

/*
 * It was inside a fault when counting began: the kernel counts that at its end, cowtrace not. So
 * the kernel's count begins where the first own one does.
 */
static void the_kernels_count_begins_with_the_first_fault(void **state)
{
	(void)state;
	the_thread_joins();
	alloc(&pages[0]); /* of the fault it was in */
	delays.wpcopy_count = 1001;
	begin_to_count();
	expect_counts(0, 0, 0);
	user_fault(ADDR);
	assert_int_equal(the_thread()->joining, 0);
	alloc(&pages[1]);
	delays.wpcopy_count = 1002;
	expect_counts(1, 0, 0);
	thread__exit(&task);
	assert_int_equal(proc(100)->kernel_copies, 1);
}

static void a_thread_that_never_faults_again(void **state)
{
	(void)state;
	the_thread_joins();
	delays.wpcopy_count = 1001;
	begin_to_count();
	thread__exit(&task);
	assert_int_equal(proc(100)->kernel_copies, 0);
	assert_int_equal(proc(100)->kernel_unknown, 0);
}

static void do_wp_page_that_began_before(void **state)
{
	struct vm_area_struct vma = {.vm_mm = &mm};
	pte_t now = {.pte = 0x5000};
	struct vm_fault vmf = {.vma = &vma,
			       .real_address = ADDR,
			       .flags = FAULT_FLAG_WRITE | FAULT_FLAG_USER,
			       .orig_pte = {.pte = 0x4000},
			       .pte = &now};

	(void)state;
	cfg_function = true;
	the_thread_joins();
	the_thread()->last_page = 77; /* of another fault */
	wp_page__entry(&vmf);
	begin_to_count();
	wp_page__alloc(&pages[0], 0, GFP);
	wp_page__exit(&vmf, 0);
	expect_counts(0, 0, 0);
	wp_page__entry(&vmf);
	wp_page__alloc(&pages[1], 0, GFP);
	wp_page__exit(&vmf, 0);
	expect_counts(1, 0, 0);
	assert_int_equal(the_thread()->wpcopy_base, 1000);
}

/* --- while others are traced already --- */

/* The thread of the fixture has been traced since an earlier adoption. */
static void who_was_there_before_goes_on_being_counted(void **state)
{
	(void)state;
	the_thread_joins();
	begin_to_count();
	adopting = true;
	adoption++;
	delays.wpcopy_count = 1000;
	user_fault(ADDR);
	alloc(&pages[0]);
	delays.wpcopy_count = 1001;
	expect_counts(1, 0, 0);
	assert_int_equal(the_thread()->adoption, counting);
}

static void what_they_fork_counts_at_once(void **state)
{
	struct task_struct child;

	(void)state;
	want(500);
	assert_int_equal(adopt__task(&service), 1);
	assert_int_equal(adopt__task(&worker), 1);
	begin_to_count();
	adopting = true;
	adoption++;
	want(600);
	task__make(&child, 700, &worker);
	/* The pass meets it before its parent comes to tell of it: not its business. */
	assert_int_equal(adopt__task(&child), 0);
	assert_null(thread__of(&child));
	thread__fork(&worker, &child);
	assert_int_equal(shim.n_records, 3);
	assert_int_equal(shim.records[2].tag, CT_FORK);
	assert_int_equal(shim.records[2].fork.pid, 700);
	assert_true(thread__counts(thread__of(&child)));
	assert_int_equal(thread__of(&child)->joining, 0);
	assert_int_equal(proc(700)->adoption, 1);
	/* The one that is new does not count yet, and what it forks neither. */
	assert_int_equal(adopt__task(&stranger), 1);
	assert_int_equal(proc(600)->adoption, 2);
	assert_false(thread__counts(thread__of(&stranger)));
	task__make(&child, 701, &stranger);
	thread__fork(&stranger, &child);
	assert_false(thread__counts(thread__of(&child)));
	assert_int_equal(thread__of(&child)->joining, 1);
	begin_to_count();
	assert_true(thread__counts(thread__of(&child)));
	assert_true(thread__counts(thread__of(&stranger)));
}

/* Who is above those that are traced, and whatever else is below it. */
static void a_parent_of_theirs(void **state)
{
	struct task_struct sister, child;

	(void)state;
	want(40);
	assert_int_equal(adopt__task(&worker), 1);
	begin_to_count();
	adopting = true;
	adoption++;
	want(500);
	task__make(&sister, 41, &service);
	task__make(&child, 42, &worker);
	assert_int_equal(adopt__task(&child), 0);
	assert_int_equal(adopt__task(&sister), 1);
	assert_int_equal(adopt__task(&service), 1);
	assert_int_equal(adopt__task(&worker), 0);
	assert_int_equal(proc(40)->adoption, 1);
	assert_int_equal(proc(41)->adoption, 2);
}

/* The daemon has not forgotten the one that had this pid when it ended. */
static void a_pid_that_came_back(void **state)
{
	struct ct_proc ended = {.adoption = 1, .reuses = 7};
	struct task_struct child;
	uint32_t pid = 700;

	(void)state;
	want(500);
	adopt__task(&worker);
	begin_to_count();
	bpf_map_update_elem(&procs, &pid, &ended, BPF_ANY);
	adopting = true;
	adoption++;
	task__make(&child, 700, &worker);
	thread__fork(&worker, &child);
	assert_int_equal(shim.records[1].tag, CT_FORK);
	assert_int_equal(proc(700)->reuses, 0);
	/* One that nobody traced is adopted when it is forgotten. */
	want(600);
	stranger.pid = stranger.tgid = 700;
	assert_int_equal(adopt__task(&stranger), 0);
}

#define ADOPT(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADOPT(who_is_wanted_is_adopted_once),
		ADOPT(all_below_are_adopted_in_any_order),
		ADOPT(what_it_began_with),
		ADOPT(who_ends_is_not_adopted_by_others),
		ADOPT(no_memory_for_one),
		ADOPT(who_forks_is_adopted_first),
		ADOPT(a_child_that_was_adopted_is_not_forked_too),
		ADOPT(orphans_are_wanted),
		ADOPT(orphans_are_wanted_without_bpf_loop),
		ADOPT(far_below),
		ADOPT(nothing_counts_until_all_are_there),
		ADOPT(the_kernels_count_begins_with_the_first_fault),
		ADOPT(a_thread_that_never_faults_again),
		ADOPT(do_wp_page_that_began_before),
		ADOPT(who_was_there_before_goes_on_being_counted),
		ADOPT(what_they_fork_counts_at_once),
		ADOPT(a_parent_of_theirs),
		ADOPT(a_pid_that_came_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
