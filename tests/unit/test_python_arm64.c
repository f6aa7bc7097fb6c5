/* SPDX-License-Identifier: MIT */
/* What is told of a CPython on arm64: by its code, and by the places that differ from x86-64. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/types.h>
#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "elf/elf.h"
#include "patched_copy.h"
#include "proc/mem.h"
#include "python/libc.h"
#include "python/tls_code.h"
#include "python/version.h"
#include "python_world.h"

PATCHABLE_FUNCTION(accessor);
PATCHABLE_FUNCTION(Py_GetVersion);
PATCHABLE_FUNCTION(version_text);

#define MRS_X0	     0xd53bd040
#define MRS_X1	     0xd53bd041
#define BTI_C	     0xd503245f
#define PACIASP	     0xd503233f
#define AUTIASP	     0xd50323bf
#define NOP	     0xd503201f
#define PUSH_FRAME   0xa9bf7bfd
#define SET_FRAME    0x910003fd
#define POP_FRAME    0xa8c17bfd
#define RET	     0xd65f03c0
#define ADRP_X0	     0xb0001fe0 /* 0x3fd pages further on */
#define PAGES	     0x3fd000ull
#define LDR_X0_X0    0xf9400000
#define LDR_X0_X0_8  0xf9400400
#define LDR_X0_X1_X0 0xf8606820
#define ADD_X0_24    0x91006000
#define BLR_X2	     0xd63f0040

struct shape {
	const char *name;
	uint32_t code[16];
	int err;
	uint64_t word_at; /* from the page of the function */
	int64_t plus;
};

static const struct shape shapes[] = {
	{"executable (3.13.5)", {BTI_C, MRS_X0, 0x91400000, ADD_X0_24, LDR_X0_X0, RET}, 0, 0, 24},
	{"executable, relaxed (3.14)", {BTI_C, MRS_X0, NOP, ADD_X0_24, LDR_X0_X0, RET}, 0, 0, 24},
	{"executable with a frame pointer (3.15)",
	 {BTI_C, MRS_X0, PACIASP, PUSH_FRAME, NOP, ADD_X0_24, SET_FRAME, POP_FRAME, AUTIASP,
	  LDR_X0_X0, RET},
	 0,
	 0,
	 24},
	{"executable, far away", {MRS_X0, 0x91400400, ADD_X0_24, LDR_X0_X0, RET}, 0, 0, 4096 + 24},
	{"library, by a descriptor (3.13.5 to 3.15)",
	 {PACIASP, MRS_X1, PUSH_FRAME, SET_FRAME, ADRP_X0, 0xf9405802, 0x9102c000, BLR_X2,
	  LDR_X0_X1_X0, POP_FRAME, AUTIASP, RET},
	 0,
	 PAGES + 176 + 8,
	 0},
	{"library, initial executable",
	 {MRS_X1, ADRP_X0, LDR_X0_X0_8, LDR_X0_X1_X0, RET},
	 0,
	 PAGES + 8,
	 0},
	{"library, the sum first",
	 {MRS_X1, ADRP_X0, LDR_X0_X0_8, 0x8b000020, LDR_X0_X0, RET},
	 0,
	 PAGES + 8,
	 0},
	{"jump", {0x14000002, RET, MRS_X0, ADD_X0_24, LDR_X0_X0, RET}, 0, 0, 24},
	/* Nothing that is understood, or that can be. */
	{"empty", {RET}, -ENOENT, 0, 0},
	{"endless", {0x14000000}, -ENOENT, 0, 0},
	{"a global", {ADRP_X0, LDR_X0_X0_8, RET}, -ENOENT, 0, 0},
	{"the key of a variable (3.14)", {ADRP_X0, 0xb946a000, 0x34000080, RET}, -ENOENT, 0, 0},
	{"another register", {MRS_X0, 0xf9400c01, RET}, -ENOENT, 0, 0},
	{"twice the thread pointer", {MRS_X0, MRS_X1, LDR_X0_X1_X0, RET}, -ENOENT, 0, 0},
	{"lost", {MRS_X0, ADD_X0_24, 0xf94003e0, LDR_X0_X0, RET}, -ENOENT, 0, 0},
	{"another function's result", {MRS_X1, BLR_X2, LDR_X0_X1_X0, RET}, -ENOENT, 0, 0},
};

static void thread_local_variables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct patched_copy copy = patched_copy__make("program");
		const struct shape *s = &shapes[i];
		struct tls_place place = {};
		struct elf_symbol sym;
		struct elf_file *elf;
		int err;

		patched_copy__patch(&copy, "accessor", s->code, sizeof(s->code));
		assert_int_equal(elf__open(copy.path, &elf), 0);
		assert_int_equal(elf__symbol(elf, "accessor", &sym), 0);
		err = tls_arm64__place(elf, sym.vaddr, &place);
		if (err != s->err || place.plus != s->plus || place.pair_at ||
		    place.word_at != (s->word_at ? (sym.vaddr & ~4095ull) + s->word_at : 0))
			fail_msg("%s: %d, word at %#llx, plus %lld", s->name, err,
				 (unsigned long long)place.word_at, (long long)place.plus);
		elf__free(elf);
		patched_copy__drop(&copy);
	}
}

/* The text is reached by a page and a place in it; other constants are none. */
static uint32_t version_of(const char *text)
{
	struct patched_copy copy = patched_copy__make("program");
	struct elf_symbol sym, target;
	struct elf_file *elf;
	uint32_t version;
	uint64_t pages;

	assert_int_equal(elf__open(copy.path, &elf), 0);
	assert_int_equal(elf__symbol(elf, "Py_GetVersion", &sym), 0);
	assert_int_equal(elf__symbol(elf, "version_text", &target), 0);
	elf__free(elf);
	pages = (target.vaddr >> 12) - (sym.vaddr >> 12);
	{
		const uint32_t code[] = {0xa9be7bfd,
					 0xd2801f41,
					 0x90000003,
					 0x9100c063,
					 0x90000005u | (uint32_t)(pages & 3) << 29 |
						 (uint32_t)(pages >> 2) << 5,
					 0x94000069,
					 0x910000a5u | (uint32_t)(target.vaddr & 0xfff) << 10,
					 0x97fb9700u,
					 RET};

		patched_copy__patch(&copy, "Py_GetVersion", code, sizeof(code));
		patched_copy__patch(&copy, "version_text", text, strlen(text) + 1);
		assert_int_equal(elf__open(copy.path, &elf), 0);
		version =
			py_version__scan_arm64(elf, sym.vaddr, (const uint8_t *)code, sizeof(code));
	}
	elf__free(elf);
	patched_copy__drop(&copy);
	return version;
}

static void versions(void **state)
{
	(void)state;
	assert_int_equal(version_of("3.9.2"), 0x030902f0);
	assert_int_equal(version_of("3.10.0rc1"), 0x030a00c1);
	assert_int_equal(version_of("%.80s (%.80s)"), 0);
}

static uint32_t below(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	const uint32_t code[] = {a, b, c, d, NOP, NOP};

	return libc__self_of_code(code, ARRAY_LEN(code));
}

static void pthread_self_of_libraries(void **state)
{
	(void)state;
	assert_int_equal(below(MRS_X0, 0xd11c0000, RET, NOP), 1792);   /* glibc 2.31 */
	assert_int_equal(below(MRS_X0, 0xd11d0000, RET, NOP), 1856);   /* 2.36 */
	assert_int_equal(below(BTI_C, MRS_X0, 0xd11c8000, RET), 1824); /* 2.41 */
	assert_int_equal(below(MRS_X0, 0xd1032000, RET, NOP), 200);
	assert_int_equal(below(MRS_X0, 0xd1400400, 0xd1002000, RET), 4104);
	assert_int_equal(below(MRS_X0, RET, NOP, NOP), 0);
	assert_int_equal(below(MRS_X1, 0xd11d0000, RET, NOP), 0);
	assert_int_equal(below(MRS_X0, 0x911d0000, RET, NOP), 0);
	assert_int_equal(below(MRS_X0, 0xd1400800, RET, NOP), 0); /* 8 KiB */
	assert_int_equal(below(RET, MRS_X0, 0xd11d0000, RET), 0);
}

/* As cpython-offsets has them, by offsetof() with glibc's headers for arm64. */
static const struct place {
	uint32_t version;
	bool free_threaded;
	uint32_t size, tstate_current, tss_key, code_count;
} places[] = {
	{0x0308, false, 1480, 1384, 1412, 0}, {0x0309, false, 672, 584, 604, 0},
	{0x030a, false, 688, 584, 604, 0},    {0x030b, false, 166704, 592, 612, 0},
	{0x030c, false, 459960, 0, 1548, 0},  {0x030d, false, 283424, 0, 0, 17016},
	{0x030d, true, 328448, 0, 0, 20156},  {0x030e, false, 316632, 0, 0, 14272},
	{0x030e, true, 365640, 0, 0, 20068},  {0x030f, false, 346576, 0, 0, 14280},
	{0x030f, true, 409312, 0, 0, 20020},
};

static void larger_mutexes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct place *p = &places[i];
		const struct py_table *table = p->free_threaded
						       ? py_table__find_free_threaded(p->version)
						       : py_table__find(p->version);
		struct py_runtime rt = runtime_of(p->version << 16, "3.x");
		uint64_t block[PY_DEBUG_MAX / 8];
		struct py_offsets off;

		rt.size = p->size;
		rt.free_threaded = p->free_threaded;
		rt.large_mutexes = true;
		rt.runtime = (uintptr_t)block;
		debug__fill(block, table->debug_column, &table->offsets, rt.hexversion,
			    rt.free_threaded);
		off = accepted(&rt, "");
		assert_non_null(py_table__place(table, p->size, true));
		assert_null(py_table__place(table, p->size + 4, true));
		if (p->tstate_current)
			assert_int_equal(off.runtime_tstate_current, p->tstate_current);
		if (p->tss_key)
			assert_int_equal(off.runtime_tss_key, p->tss_key);
		if (p->code_count)
			assert_int_equal(off.interp_code_count, p->code_count);
		assert_int_equal(off.tstate_thread_id, table->offsets.tstate_thread_id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread_local_variables),
		cmocka_unit_test(versions),
		cmocka_unit_test(pthread_self_of_libraries),
		cmocka_unit_test(larger_mutexes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
