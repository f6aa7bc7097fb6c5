/* SPDX-License-Identifier: MIT */
#include "witness_task.h"

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

/* Before 6.2 the counter is one number. */
static void a_counter_without_parts(void **state)
{
	struct mm_struct___pre62 old = {};
	struct task_struct child = child_of(200, 200, (void *)&old);

	(void)state;
	shim.lacks = "renamed->compound_info";
	old.rss_stat.count[MM_FILEPAGES] = 1;
	old.rss_stat.count[MM_ANONPAGES] = 77;
	thread__fork(&task, &child);
	assert_int_equal(shim.records[0].fork.anon_pages, 77);
}

static void vfork_and_threads(void **state)
{
	struct task_struct vforked = child_of(200, 200, &mm), other = child_of(102, 100, &mm);
	struct task_struct third = child_of(103, 100, &mm);

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
	the_thread()->tls_at[0] = the_thread()->tls_at[1] = ADDR;
	thread__exec(&task);
	assert_int_equal(shim.n_records, 1);
	assert_int_equal(rec->tag, CT_EXEC);
	assert_int_equal(rec->pid, 100);
	assert_int_equal(rec->uid, 33);
	assert_string_equal(rec->comm, "worker");
	assert_int_equal(the_thread()->layout, 0);
	assert_int_equal(the_thread()->tss_key, 0);
	assert_int_equal(the_thread()->tls_at[0], 0);
	assert_int_equal(the_thread()->tls_at[1], 0);
	assert_int_equal(the_thread()->execs, 1);
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
	shim.lacks = "delays->wpcopy_count renamed->compound_info"; /* before 6.1 */
	task.mm = NULL;						    /* before 6.16 */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(children_are_followed),
		TEST(a_counter_below_zero_is_none),
		TEST(a_counter_without_parts),
		TEST(vfork_and_threads),
		TEST(exec_forgets_the_python),
		TEST(the_command_starts),
		TEST(exit_settles_and_reports_the_last_thread),
		TEST(exit_of_a_killed_group_on_an_old_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
