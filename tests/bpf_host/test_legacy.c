/* SPDX-License-Identifier: MIT */
/* The second build of the programs, for kernels before 5.15: threads are found by their ids. */
#define CT_LEGACY
#include "witness_task.h"

/* The end of it is where the kernel puts the user's registers. */
static union {
	char bytes[KERNEL_STACK_SIZE];
	struct {
		char below[KERNEL_STACK_SIZE - sizeof(struct pt_regs)];
		struct pt_regs regs;
	};
} stack;

static void run_on_the_stack(void)
{
	stack.regs = (struct pt_regs){.ip = IP, .sp = 0x7ffc00000000, .orig_ax = -1ul};
	task.stack = &stack;
}

static void the_registers_are_at_the_end_of_the_stack(void **state)
{
	(void)state;
	run_on_the_stack();
	assert_ptr_equal(task__regs(&task), &stack.regs);
	user_fault(ADDR);
	alloc(&pages[0]);
	assert_int_equal(copy_at(0)->ip, IP);
	assert_int_equal(copy_at(0)->pid, 100);
	assert_int_equal(copy_at(0)->tid, 101);
	expect_counts(1, 0, 0);
	stack.regs.orig_ax = 9; /* a syscall by now */
	user_fault(ADDR);
	alloc(&pages[0]);
	expect_counts(1, 0, 0);
}

static void a_thread_begins_with_zeroes_and_is_forgotten(void **state)
{
	struct task_struct child = {
		.pid = 102, .tgid = 102, .mm = &mm, .signal = &signals, .cred = &cred};
	struct thread *t;

	(void)state;
	run_on_the_stack();
	user_fault(ADDR);
	thread__fork(&task, &child);
	t = thread__of(&child);
	assert_non_null(t);
	assert_ptr_not_equal(t, the_thread());
	assert_int_equal(t->started, 1);
	assert_int_equal(t->pending, PENDING_NONE);
	assert_int_equal(t->copies, 0);
	assert_ptr_equal(thread__create(&child), t); /* not made anew */
	shim.current = &child;
	thread__exit(&child);
	assert_null(thread__of(&child));
	assert_non_null(the_thread());
}

static void no_room_for_a_thread(void **state)
{
	struct task_struct child = {.pid = 102, .tgid = 102, .mm = &mm, .cred = &cred};

	(void)state;
	shim.no_storage = true;
	thread__fork(&task, &child);
	assert_null(thread__of(&child));
	assert_int_equal(lost_for(CT_LOST_NO_MEMORY), 1);
}

/* What may be given no pointers looks up the current thread and the layout. */
static void functions_that_are_checked_once(void **state)
{
	struct ct_pylayout lay = {
		.object_type = 8, .type_name = 24, .type_basicsize = 32, .type_flags = 168};
	const uint64_t type = 0x555555900000;

	(void)state;
	user__set64(type + 8, type);
	user__set64(type + 32, 16);
	user__set64(type + 168, TYPE_READY | TYPE_SUBCLASS);
	the_thread()->layout = 3;
	the_thread()->event.window[5] = type;
	bpf_map_update_elem(&layouts, &(uint32_t){3}, &lay, BPF_ANY);
	assert_true(type__try(the_thread(), &lay, 5));
	assert_int_equal(the_thread()->event.type_word, 5);
	assert_false(type__try(the_thread(), &lay, 6));
	shim.current = &(struct task_struct){.pid = 5, .tgid = 5}; /* not traced */
	assert_false(type__try__once(3, 5));
	shim.current = &task;
	assert_false(type__try__once(CT_MAX_LAYOUTS, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_registers_are_at_the_end_of_the_stack),
		TEST(a_thread_begins_with_zeroes_and_is_forgotten),
		TEST(no_room_for_a_thread),
		TEST(functions_that_are_checked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
