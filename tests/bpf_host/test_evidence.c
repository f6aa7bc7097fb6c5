/* SPDX-License-Identifier: MIT */
#include "shim.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define BASE 0x7f0000010000ul /* a page of the traced process */
#define CODE 0x555500001000ul

static struct thread thread;
static struct ct_pylayout lay;
static struct task_struct task;
static struct signal_struct signals;
static struct pt_regs regs;

/* --- reading around an address --- */

static void fill_page(uint64_t page)
{
	for (unsigned int i = 0; i < 4096; i++)
		*user__at(page + i) = (uint8_t)(1 + (page / 4096 + i) % 255);
}

static uint8_t byte_at(uint64_t address)
{
	return (uint8_t)(1 + ((address & ~4095ul) / 4096 + (address & 4095)) % 255);
}

static void expect_around(uint32_t size, uint64_t from, uint64_t must, bool good)
{
	uint8_t buf[72 + 64];

	memset(buf, 0xee, sizeof(buf));
	shim.n_reads = 0;
	assert_int_equal(read_around(buf, size, from, must), good);
	for (uint32_t i = 0; good && i < size; i++)
		if (buf[i] != (user__page(from + i) ? byte_at(from + i) : 0))
			fail_msg("%u bytes at %lx: byte %u is %u", size, from, i, buf[i]);
	for (size_t i = size; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xee);
}

static void around_a_page(void **state)
{
	(void)state;
	shim__reset();
	fill_page(BASE);
	for (uint64_t addr = BASE; addr < BASE + 4096; addr++) {
		expect_around(72, (addr & ~7ul) - CT_WINDOW_BEFORE, addr, true);
		expect_around(CT_INSN_LEN, addr, addr, true);
	}
	expect_around(72, BASE - 8 - CT_WINDOW_BEFORE, BASE - 1, false);
	expect_around(CT_INSN_LEN, BASE - 1, BASE - 1, false);
	expect_around(72, BASE + 4096 - CT_WINDOW_BEFORE, BASE + 4096, false);
	fill_page(BASE + 4096); /* both: nothing is cut */
	for (uint64_t addr = BASE + 4000; addr < BASE + 4200; addr++) {
		expect_around(72, (addr & ~7ul) - CT_WINDOW_BEFORE, addr, true);
		expect_around(CT_INSN_LEN, addr, addr, true);
	}
}

static void around_the_ends_of_memory(void **state)
{
	(void)state;
	shim__reset();
	expect_around(72, 0ul - CT_WINDOW_BEFORE, 0, false);
	expect_around(72, 16 - CT_WINDOW_BEFORE, 16, false);
	expect_around(CT_INSN_LEN, ~0ul - 3, ~0ul - 3, false);
	expect_around(72, ~7ul - CT_WINDOW_BEFORE, ~0ul, false);
}

/* --- pymalloc pools --- */

struct pool_header {
	uint32_t count, pad;
	uint64_t free, next, previous;
	uint32_t arena, szidx, next_offset, max_next_offset;
};

_Static_assert(sizeof(struct pool_header) == 48, "struct pool_header");

#define POOL 0x7f0000100000ul

static struct pool_header good_pool(uint32_t size, uint32_t szidx)
{
	return (struct pool_header){.count = 1,
				    .free = POOL + 96,
				    .arena = 3,
				    .szidx = szidx,
				    .next_offset = 48,
				    .max_next_offset = size - 16 * (szidx + 1)};
}

static unsigned int pool_flags(struct pool_header h, uint64_t addr)
{
	shim__reset();
	user__write(POOL, &h, sizeof(h));
	thread.event = (struct ct_copy){.addr = addr};
	evidence__pool(&thread, &lay);
	return thread.event.flags;
}

static void pools(void **state)
{
	static const uint32_t sizes[] = {4096, 16384};

	(void)state;
	for (size_t i = 0; i < N(sizes); i++) {
		lay.pool_size = sizes[i];
		for (uint32_t szidx = 0; szidx < 32; szidx++) {
			struct pool_header h = good_pool(sizes[i], szidx);

			assert_int_equal(pool_flags(h, POOL + 48), CT_F_POOL);
			assert_int_equal(thread.event.pool_szidx, szidx);
			assert_int_equal(thread.event.pool_free, POOL + 96);
			h.count = (sizes[i] - 48) / (16 * (szidx + 1));
			assert_int_equal(pool_flags(h, POOL + 48), CT_F_POOL);
			h.count++;
			assert_int_equal(pool_flags(h, POOL + 48), 0);
		}
		assert_int_equal(pool_flags(good_pool(sizes[i], 3), POOL),
				 CT_F_POOL | CT_F_POOL_HEADER);
		assert_int_equal(pool_flags(good_pool(sizes[i], 3), POOL + 47),
				 CT_F_POOL | CT_F_POOL_HEADER);
		assert_int_equal(pool_flags(good_pool(sizes[i], 3), POOL + sizes[i] - 1),
				 CT_F_POOL);
		assert_int_equal(pool_flags(good_pool(sizes[i], 3), POOL + sizes[i]), 0);
		assert_int_equal(pool_flags(good_pool(sizes[i], 3), POOL - 1), 0);
	}
}

static void no_pool(void **state)
{
	struct pool_header h;

	(void)state;
	lay.pool_size = 16384;
#define NO_POOL(change)                                                                            \
	h = good_pool(16384, 3);                                                                   \
	change;                                                                                    \
	assert_int_equal(pool_flags(h, POOL + 100), 0)
	NO_POOL(h.count = 0);
	NO_POOL(h.count = ~0u);
	NO_POOL(h = good_pool(16384, 32));
	NO_POOL(h.szidx = ~0u); /* a block of 0 bytes: not to be divided by */
	NO_POOL(h.szidx = ~0u; h.max_next_offset = 16384);
	NO_POOL(h.szidx = 0x10000003);
	NO_POOL(h.max_next_offset -= 16);
	NO_POOL(h.max_next_offset = ~0u);
	NO_POOL(h.next_offset = 16385);
	NO_POOL(h.next_offset = ~0u);
	NO_POOL(memset(&h, 0, sizeof(h)));
	NO_POOL(memset(&h, 0xff, sizeof(h)));
	h = good_pool(16384, 3);
	h.next_offset = 16384; /* a full pool */
	assert_int_equal(pool_flags(h, POOL + 100), CT_F_POOL);
	lay.pool_size = 0; /* a Python without pymalloc */
	assert_int_equal(pool_flags(good_pool(16384, 3), POOL + 100), 0);
	assert_int_equal(shim.n_reads, 0);
}

/* --- what looks like a reference count --- */

static struct ct_copy good_count(void)
{
	struct ct_copy ev = {
		.addr = POOL + 0x40,
		.flags = CT_F_WINDOW | CT_F_CODE,
		.code = {0x48, 0x83, 0x00, 0x01}, /* add qword [rax], 1 */
	};

	ev.window[3] = 1;
	ev.window[4] = 0x555555900000;
	return ev;
}

static void plausible_counts(void **state)
{
	struct ct_copy ev = good_count();

	(void)state;
	lay.pool_size = 16384;
	assert_true(refcount__plausible(&ev, &lay));
	ev.window[3] = 1u << 30;
	assert_true(refcount__plausible(&ev, &lay));
	ev.window[4] = 0x10000;
	assert_true(refcount__plausible(&ev, &lay));
#define IMPLAUSIBLE(change)                                                                        \
	ev = good_count();                                                                         \
	change;                                                                                    \
	assert_false(refcount__plausible(&ev, &lay))
	IMPLAUSIBLE(ev.flags = CT_F_WINDOW);
	IMPLAUSIBLE(ev.flags = CT_F_CODE);
	IMPLAUSIBLE(ev.addr += 8);
	IMPLAUSIBLE(ev.addr += 1);
	IMPLAUSIBLE(ev.addr = POOL); /* where a pool's count of blocks is */
	IMPLAUSIBLE(ev.window[3] = 0);
	IMPLAUSIBLE(ev.window[3] = (1u << 30) + 1);
	IMPLAUSIBLE(ev.window[3] = 0xffffffff);	    /* immortal */
	IMPLAUSIBLE(ev.window[3] = 0x7f0000100080); /* the link of a free block */
	IMPLAUSIBLE(ev.window[3] = ~0ul);
	IMPLAUSIBLE(ev.window[4] = 0);
	IMPLAUSIBLE(ev.window[4] = 0xfff0);
	IMPLAUSIBLE(ev.window[4] = 0x555555900008);
	IMPLAUSIBLE(ev.window[4] = 0xffff888000000000);
	IMPLAUSIBLE(memcpy(ev.code, "\x48\x83\x40\x08\x01", 5)); /* add qword [rax + 8], 1 */
	IMPLAUSIBLE(memcpy(ev.code, "\x48\x89\x14\xc8", 4));	 /* mov [rax + rcx * 8], rdx */
	lay.pool_size = 0;
	IMPLAUSIBLE((void)0);
	lay.pool_size = 16384;
	lay.flags = CT_PY_FREE_THREADED; /* the count is elsewhere */
	IMPLAUSIBLE((void)0);
	lay.flags = 0;
}

/* --- all of it --- */

static void expect_task(const struct ct_copy *ev)
{
	assert_int_equal(ev->tag, CT_COPY);
	assert_int_equal(ev->pid, 100);
	assert_int_equal(ev->tid, 101);
	assert_int_equal(ev->ip, CODE);
	assert_int_equal(ev->sp, 0x7ffe12345678);
	assert_int_equal(ev->thread_pointer, 0x7f0000000740);
}

static int setup_task(void **state)
{
	uint32_t slot = 1;

	(void)state;
	shim__reset();
	memset(&thread, 0, sizeof(thread));
	signals = (struct signal_struct){.live = {1}};
	task = (struct task_struct){.pid = 101,
				    .tgid = 100,
				    .thread.fsbase = 0x7f0000000740,
				    .signal = &signals,
				    .mm = &shim_mm};
	regs = (struct pt_regs){.ip = CODE, .sp = 0x7ffe12345678, .orig_ax = 45, .cx = 77};
	lay = (struct ct_pylayout){.pool_size = 16384,
				   .object_type = 8,
				   .type_name = 24,
				   .type_basicsize = 32,
				   .type_flags = 168};
	bpf_map_update_elem(&layouts, &slot, &lay, BPF_ANY);
	thread.layout = 1;
	user__write(CODE, "\x48\x89\x08", 3); /* mov [rax], rcx */
	return 0;
}

static void a_write_of_the_program(void **state)
{
	const struct ct_copy *ev = &thread.event;
	struct pool_header h = good_pool(16384, 3);

	(void)state;
	user__write(POOL, &h, sizeof(h));
	user__set64(POOL + 0x1008, 0x1122334455667788);
	evidence__take(&thread, &task, POOL + 0x100c, &regs, false);
	expect_task(ev);
	assert_int_equal(ev->addr, POOL + 0x100c);
	assert_int_equal(ev->syscall, -1);
	assert_int_equal(ev->flags, CT_F_CODE | CT_F_SRC | CT_F_WINDOW | CT_F_POOL);
	assert_int_equal(ev->src_reg, 1);
	assert_int_equal(ev->src, 77);
	assert_memory_equal(ev->code, "\x48\x89\x08", 3);
	assert_int_equal(ev->window[3], 0x1122334455667788);
	assert_int_equal(ev->pool_szidx, 3);
}

static void a_write_of_the_kernel(void **state)
{
	(void)state;
	user__set64(BASE, 5);
	evidence__take(&thread, &task, BASE, &regs, true);
	expect_task(&thread.event);
	assert_int_equal(thread.event.flags, CT_F_KERNEL | CT_F_WINDOW);
	signals.live.counter = 2;
	evidence__take(&thread, &task, BASE, &regs, true);
	assert_int_equal(thread.event.flags, CT_F_KERNEL | CT_F_WINDOW | CT_F_THREADS);
	cfg_function = true; /* takes nothing back */
	evidence__take(&thread, &task, BASE, &regs, true);
	assert_int_equal(thread.event.flags, CT_F_KERNEL | CT_F_WINDOW);
	cfg_function = false;
	assert_int_equal(thread.event.syscall, 45);
	assert_int_equal(thread.event.window[3], 5);
	regs.orig_ax = -1ul;
	evidence__take(&thread, &task, BASE, &regs, true);
	assert_int_equal(thread.event.syscall, -1);
}

#define TYPE 0x555555900000ul /* a static one, its own type */

static void type__make(void)
{
	user__set64(TYPE + lay.object_type, TYPE);
	user__set64(TYPE + lay.type_basicsize, 32);
	user__set64(TYPE + lay.type_flags, TYPE_READY | TYPE_SUBCLASS);
}

/* Two reads suffice for what is most of all copies. */
static void the_common_case_is_cheap(void **state)
{
	(void)state;
	type__make();
	user__set64(BASE + 64, 3);
	user__set64(BASE + 72, TYPE);
	for (int i = 0; i < 2; i++) {
		shim.n_reads = 0;
		evidence__take(&thread, &task, BASE + 64, &regs, false);
		assert_int_equal(thread.event.flags, CT_F_CODE | CT_F_SRC | CT_F_WINDOW);
		assert_int_equal(thread.event.type_word, 4);
		assert_true(thread.counted);
	}
	assert_int_equal(shim.n_reads, 2);
}

/* Of the kernel too; what was found for the last copy is forgotten. */
static void types_of_any_write(void **state)
{
	uint32_t check;

	(void)state;
	type__make();
	user__set64(BASE + 72, TYPE);
	evidence__take(&thread, &task, BASE + 64, &regs, true);
	assert_int_equal(thread.event.type_word, 4);
	check = ct_type_digest(0, 32, TYPE_READY | TYPE_SUBCLASS, (__u64[CT_TYPE_NAME_WORDS]){});
	assert_int_equal(thread.event.type_check, check);
	assert_false(thread.counted);
	evidence__take(&thread, &task, BASE + 256, &regs, false);
	assert_int_equal(thread.event.type_word, 0);
	assert_int_equal(thread.event.type_check, 0);
	evidence__take(&thread, &task, BASE + 64, &regs, false);
	assert_int_equal(thread.event.type_word, 4);
	thread.layout = 0; /* no Python */
	evidence__take(&thread, &task, BASE + 64, &regs, false);
	assert_int_equal(thread.event.type_word, 0);
	assert_int_equal(thread.event.type_check, 0);
}

static void nothing_can_be_read(void **state)
{
	(void)state;
	user__unmap(CODE);
	thread.event.flags = 0xffff; /* of the last copy */
	evidence__take(&thread, &task, BASE, &regs, false);
	expect_task(&thread.event);
	assert_int_equal(thread.event.flags, 0);
}

static int teardown(void **state)
{
	(void)state;
	shim__reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(around_a_page),
		cmocka_unit_test(around_the_ends_of_memory),
		cmocka_unit_test(pools),
		cmocka_unit_test(no_pool),
		cmocka_unit_test(plausible_counts),
		cmocka_unit_test_setup(a_write_of_the_program, setup_task),
		cmocka_unit_test_setup(a_write_of_the_kernel, setup_task),
		cmocka_unit_test_setup(the_common_case_is_cheap, setup_task),
		cmocka_unit_test_setup(types_of_any_write, setup_task),
		cmocka_unit_test_setup(nothing_can_be_read, setup_task),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
