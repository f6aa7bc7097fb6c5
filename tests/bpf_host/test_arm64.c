/* SPDX-License-Identifier: MIT */
/* The kernel side of arm64: registers, instructions, the thread pointer and what hangs on it. */
#define __TARGET_ARCH_arm64
#include "shim.h"
#include "insn/decode.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define CODE   0xaaaaaaab1000ul
#define DATA   0xffff80001000ul
#define TP     0xffff90000740ul
#define SELF   (TP - 1856) /* glibc 2.36 */
#define TSTATE 0xaaaab0001000ul
#define STATE  0xaaaab0000000ul /* _PyRuntime */

static struct insn_decoder *decoder;
static struct thread thread;
static struct task_struct task;
static struct signal_struct signals;
static struct pt_regs regs;
static struct ct_pylayout lay;

static void put(uint64_t addr, uint64_t value)
{
	user__set64(addr, value);
}

static int setup(void **state)
{
	uint32_t slot = 1;

	(void)state;
	shim__reset();
	memset(&thread, 0, sizeof(thread));
	signals = (struct signal_struct){.live = {1}};
	task = (struct task_struct){
		.pid = 101, .tgid = 100, .thread.uw.tp_value = TP, .signal = &signals};
	regs = (struct pt_regs){.pc = CODE, .sp = 0xfffff0001000, .syscallno = -1};
	for (int i = 0; i < 31; i++)
		regs.regs[i] = 1000 + i;
	lay = (struct ct_pylayout){.self_below = TP - SELF,
				   .ts_size = 64,
				   .ts_thread_id = 8,
				   .runtime = STATE,
				   .object_type = 8,
				   .type_name = 24,
				   .type_basicsize = 32,
				   .type_flags = 168};
	bpf_map_update_elem(&layouts, &slot, &lay, BPF_ANY);
	return 0;
}

/* --- the instruction --- */

static void a_write(void **state)
{
	const struct ct_copy *ev = &thread.event;

	(void)state;
	user__write(CODE, "\x60\x02\x00\xf9", 4); /* str x0, [x19] */
	put(DATA, 0x1122334455667788);
	evidence__take(&thread, &task, DATA + 4, &regs, false);
	assert_int_equal(ev->ip, CODE);
	assert_int_equal(ev->sp, 0xfffff0001000);
	assert_int_equal(ev->thread_pointer, TP);
	assert_int_equal(ev->syscall, -1);
	assert_int_equal(ev->flags & (CT_F_SRC | CT_F_CODE | CT_F_WINDOW | CT_F_KERNEL),
			 CT_F_SRC | CT_F_CODE | CT_F_WINDOW);
	assert_int_equal(ev->src_reg, 0);
	assert_int_equal(ev->src, 1000);
	assert_int_equal(ev->window[CT_WINDOW_BEFORE / 8], 0x1122334455667788);
}

static void a_write_of_the_kernel(void **state)
{
	(void)state;
	regs.syscallno = 63;
	evidence__take(&thread, &task, DATA, &regs, true);
	assert_int_equal(thread.event.syscall, 63);
	assert_int_equal(thread.event.flags & (CT_F_KERNEL | CT_F_SRC), CT_F_KERNEL);
}

/* The guess at the register, and at a store right at a pointer, against the decoder: any word. */
static void any_instruction(void **state)
{
	uint64_t x = 88172645463325252ull;
	size_t stored = 0, plain = 0;

	(void)state;
	for (size_t i = 0; i < 1000000; i++) {
		struct insn insn;
		uint32_t word;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		word = ((uint32_t)x & ~0x0a000000u) | 0x08000000u;
		insn_decoder__decode(decoder, (const uint8_t *)&word, 4, &insn);
		if (insn.source == INSN_SRC_REG) {
			if (code__register((const uint8_t *)&word) != insn.src_reg)
				fail_msg("%08x: register", word);
			stored++;
		}
		if (insn.source != INSN_SRC_NONE && code__is_plain((const uint8_t *)&word)) {
			if (!insn.has_base || insn.has_index || insn.disp)
				fail_msg("%08x: plain", word);
			plain++;
		}
	}
	assert_true(stored > 10000 && plain > 1000);
}

static void each_register(void **state)
{
	(void)state;
	for (uint32_t reg = 0; reg < 32; reg++) {
		struct ct_copy ev = {.code = {reg, 0, 0, 0xf9}}; /* str reg, [x0] */

		evidence__source(&ev, &regs);
		if (reg == 31) { /* the zero register is none of the kernel's */
			assert_int_equal(ev.flags, 0);
			continue;
		}
		assert_int_equal(ev.flags, CT_F_SRC);
		assert_int_equal(ev.src_reg, reg);
		assert_int_equal(ev.src, 1000 + reg);
	}
}

/* --- the thread pointer --- */

/* What the kernel has saved may be that of the program before: a fork tells, an exec forgets. */
static void the_thread_pointer(void **state)
{
	struct thread parent = {}, child = {};
	struct task_struct born = {.thread.uw.tp_value = TP + 64};

	(void)state;
	task.thread.uw.tp_value = 1;
	assert_int_equal(thread__pointer(&parent, &task), 1);
	thread__learn_pointer(&parent, &child, &born, true);
	assert_int_equal(thread__pointer(&parent, &task), TP + 64);
	assert_int_equal(thread__pointer(&child, &born), TP + 64);
	/* a thread has one of its own */
	born.thread.uw.tp_value = TP + 128;
	thread__learn_pointer(&parent, &child, &born, false);
	assert_int_equal(thread__pointer(&parent, &task), TP + 64);
	assert_int_equal(thread__pointer(&child, &born), TP + 128);
}

/* Python's name of the thread lies below the thread pointer, and so do the values of its keys. */
static void the_thread_state(void **state)
{
	(void)state;
	thread.event.thread_pointer = TP;
	put(TSTATE + 8, SELF);
	assert_true(tstate__load(&thread, &lay, TSTATE));
	put(TSTATE + 8, TP);
	assert_false(tstate__load(&thread, &lay, TSTATE));

	lay.flags = CT_PY_TSS_GLIBC;
	lay.rt_tss_key = 4;
	lay.pthread_specific = 272;
	put(STATE, 1 | 5ul << 32); /* initialised, key 5 */
	put(SELF + 272 + 16 * 5 + 8, TSTATE);
	assert_int_equal(tstate__by_key(&thread, &lay), TSTATE);
}

static void a_thread_local_variable(void **state)
{
	(void)state;
	assert_int_equal(tls__address(TP, 0, 24), TP + 24);
	put(TP, DATA); /* the thread's DTV */
	put(DATA + 16 * 3, 0xffff12340000);
	assert_int_equal(tls__address(TP, 3, 40), 0xffff12340028);
	put(DATA + 16 * 3, ~0ul);
	assert_int_equal(tls__address(TP, 3, 40), 0);
}

static int open_decoder(void **state)
{
	(void)state;
	return insn_decoder__new(INSN_ARM64, &decoder);
}

static int close_decoder(void **state)
{
	(void)state;
	insn_decoder__free(decoder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_write, setup),
		cmocka_unit_test_setup(a_write_of_the_kernel, setup),
		cmocka_unit_test_setup(any_instruction, setup),
		cmocka_unit_test_setup(each_register, setup),
		cmocka_unit_test_setup(the_thread_pointer, setup),
		cmocka_unit_test_setup(the_thread_state, setup),
		cmocka_unit_test_setup(a_thread_local_variable, setup),
	};

	return cmocka_run_group_tests(tests, open_decoder, close_decoder);
}
