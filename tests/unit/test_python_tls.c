// SPDX-License-Identifier: MIT
/*
 * The accessors of thread-local variables in all shapes that compilers give them: patched into a
 * copy of this program, which defines functions of their names. What the loader puts into the
 * process is in this process's own memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "elf/elf.h"
#include "proc/mem.h"
#include "python/tls.h"
#include "python/version.h"
#include "patched_copy.h"

#define CODE_MAX 64
/* Where X lies, from the start of the function: beyond it, in the loader's words. */
#define X 0x1000

/* Room for the code of a case. */
PATCHABLE_FUNCTION(PyThreadState_GetUnchecked);
PATCHABLE_FUNCTION(PyGILState_GetThisThreadState);
PATCHABLE_FUNCTION(Py_GetVersion);

/* disp32 of X, and of any function, from an instruction that ends at `end`. */
#define D32(v)	       (v) & 0xff, (v) >> 8 & 0xff, (v) >> 16 & 0xff, (v) >> 24 & 0xff
#define REL_X(end)     D32(X - (end))
#define LEA_RDI_X(end) 0x48, 0x8d, 0x3d, REL_X(end)
#define CALL	       0xe8, D32(0x100)
#define MOV_RAX_FS(k)  0x64, 0x48, 0x8b, 0x04, 0x25, D32((uint32_t)(k))
#define MOV_RAX_RAX(k) 0x48, 0x8b, 0x40, (uint8_t)(k)
#define MOV_RAX_AT_FS  0x64, 0x48, 0x8b, 0x00
#define ENDBR64	       0xf3, 0x0f, 0x1e, 0xfa
#define PUSH_RBP       0x55, 0x48, 0x89, 0xe5
#define RET	       0xc3

struct shape {
	const char *name;
	uint8_t code[CODE_MAX];
	uint64_t words[2]; /* at X */
	int err;
	struct py_tls expected;
};

static const struct shape shapes[] = {
	{"executable (3.13.18)", {MOV_RAX_FS(-24), RET}, {}, 0, {true, 0, -24}},
	{"executable with endbr64", {ENDBR64, MOV_RAX_FS(-8), RET}, {}, 0, {true, 0, -8}},
	{"executable by way of its control block (-O0)",
	 {PUSH_RBP, MOV_RAX_FS(0), MOV_RAX_RAX(-32), RET},
	 {},
	 0,
	 {true, 0, -32}},
	{"library (3.14.10)", {LEA_RDI_X(7), CALL, MOV_RAX_RAX(24), RET}, {2, 0}, 0, {true, 2, 24}},
	{"library with frame pointers (3.15.2)",
	 {ENDBR64, PUSH_RBP, LEA_RDI_X(15), CALL, MOV_RAX_RAX(40), RET},
	 {3, 8},
	 0,
	 {true, 3, 48}},
	{"library that restores its frame pointer early (3.15.2)",
	 {ENDBR64, PUSH_RBP, LEA_RDI_X(15), CALL, 0x5d, MOV_RAX_RAX(40), RET},
	 {3, 0},
	 0,
	 {true, 3, 40}},
	{"half a register",
	 {MOV_RAX_FS(0), 0x8b, 0x05, REL_X(15), MOV_RAX_RAX(-32), RET},
	 {},
	 -ENOENT,
	 {}},
	{"difference",
	 {MOV_RAX_FS(0), 0x48, 0x2b, 0x05, REL_X(16), MOV_RAX_RAX(0), RET},
	 {-48},
	 -ENOENT,
	 {}},
	{"result lost", {LEA_RDI_X(7), CALL, 0x58, MOV_RAX_RAX(24), RET}, {2, 0}, -ENOENT, {}},
	{"library, padded for the linker (3.12.1)",
	 {0x48, 0x83, 0xec, 8, 0x66, LEA_RDI_X(12), 0x66, 0x66, 0x48, CALL, MOV_RAX_RAX(0), 0x48,
	  0x83, 0xc4, 8, RET},
	 {1, 8},
	 0,
	 {true, 1, 8}},
	{"initial-exec",
	 {0x48, 0x8b, 0x05, REL_X(7), MOV_RAX_AT_FS, RET},
	 {-16},
	 0,
	 {true, 0, -16}},
	{"initial-exec, sum",
	 {MOV_RAX_FS(0), 0x48, 0x03, 0x05, REL_X(16), MOV_RAX_RAX(0), RET},
	 {-48},
	 0,
	 {true, 0, -48}},
	{"descriptor",
	 {0x48, 0x8d, 0x05, REL_X(7), 0xff, 0x10, MOV_RAX_AT_FS, RET},
	 {0x1234, -64},
	 0,
	 {true, 0, -64}},
	{"jump", {0xe9, D32(3), RET, RET, RET, MOV_RAX_FS(-24), RET}, {}, 0, {true, 0, -24}},
	/* The loader has not been there yet. */
	{"library, early", {LEA_RDI_X(7), CALL, MOV_RAX_RAX(24), RET}, {0, 0}, -EAGAIN, {}},
	{"initial-exec, early", {0x48, 0x8b, 0x05, REL_X(7), MOV_RAX_AT_FS, RET}, {0}, -EAGAIN, {}},
	/* Nothing that is understood, or that can be. */
	{"empty", {RET}, {}, -ENOENT, {}},
	{"no code", {0x06}, {}, -ENOENT, {}},
	{"constant", {0x31, 0xc0, RET}, {}, -ENOENT, {}},
	{"endless", {0xeb, 0xfe}, {}, -ENOENT, {}},
	{"padding only",
	 {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,	    0x90, 0x90,
	  0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,	    0x90, 0x90,
	  0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, MOV_RAX_FS(-24)},
	 {},
	 -ENOENT,
	 {}},
	{"another function's result", {CALL, MOV_RAX_RAX(24), RET}, {2, 0}, -ENOENT, {}},
	{"a global", {0x48, 0x8b, 0x05, REL_X(7), RET}, {-8}, -ENOENT, {}},
	{"above the thread pointer", {MOV_RAX_FS(40), RET}, {}, -ENOENT, {}},
	{"not aligned", {MOV_RAX_FS(-20), RET}, {}, -ENOENT, {}},
	{"far", {MOV_RAX_FS(-0x2000000), RET}, {}, -ENOENT, {}},
	{"wild module",
	 {LEA_RDI_X(7), CALL, MOV_RAX_RAX(24), RET},
	 {1ull << 32 | 1, 0},
	 -ENOENT,
	 {}},
	{"wild offset", {LEA_RDI_X(7), CALL, MOV_RAX_RAX(24), RET}, {1, 1ull << 63}, -ENOENT, {}},
	{"dynamic descriptor",
	 {0x48, 0x8d, 0x05, REL_X(7), 0xff, 0x10, MOV_RAX_AT_FS, RET},
	 {0x1234, 0x7f0000001000},
	 -ENOENT,
	 {}},
};

static int find(const struct shape *shape, const char *symbol, enum py_tls_variable variable,
		struct py_tls *out)
{
	struct patched_copy copy = patched_copy__make("program");
	struct mem_source mem = mem__of(getpid());
	struct elf_symbol sym;
	struct elf_file *elf;
	int err;

	patched_copy__patch(&copy, symbol, shape->code, sizeof(shape->code));
	assert_int_equal(elf__open(copy.path, &elf), 0);
	assert_int_equal(elf__symbol(elf, symbol, &sym), 0);
	err = py_tls__find(elf, (uintptr_t)shape->words - (sym.vaddr + X), &mem, variable, out);
	elf__free(elf);
	patched_copy__drop(&copy);
	return err;
}

static void test_shapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		struct py_tls tls = {.module = 77};
		int err = find(s, "PyThreadState_GetUnchecked", PY_TLS_ATTACHED, &tls);

		if (err != s->err || tls.found != s->expected.found ||
		    tls.module != s->expected.module || tls.offset != s->expected.offset)
			fail_msg("%s: %d, %d %u:%ld", s->name, err, tls.found, tls.module,
				 tls.offset);
	}
}

static void test_other_variable(void **state)
{
	struct py_tls tls;

	(void)state;
	assert_int_equal(find(&shapes[0], "PyGILState_GetThisThreadState", PY_TLS_BOUND, &tls), 0);
	assert_int_equal(tls.offset, -24);
}

static const struct {
	const char *text;
	uint32_t version;
} versions[] = {
	{"3.8.18", 0x030812f0},
	{"3.9.2", 0x030902f0},
	{"3.10.13+", 0x030a0df0},
	{"3.10.0rc2", 0x030a00c2},
	{"3.9.0a6+", 0x030900a6},
	{"3.10.0b1", 0x030a00b1},
	{"3.9", 0},
	{"3.9.", 0},
	{"2.7.18", 0},
	{"3.10.13 (main", 0},
	{"3.-1.1", 0},
	{"3.9.300", 0},
	{"3.9.1rc", 0},
	{"3.9.1rc99", 0},
	{"", 0},
	{"%.80s (%.80s) %.80s", 0},
};

static void test_version_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (py_version__parse(versions[i].text) != versions[i].version)
			fail_msg("%s: %#x", versions[i].text, py_version__parse(versions[i].text));
}

/* lea rdx, [rip + 40 - 14]; the text is behind the code. */
static uint32_t version_of(const char *text)
{
	uint8_t code[CODE_MAX] = {0x53, 0xbf, D32(0xfa), 0x31,	       0xc0,
				  0x48, 0x8d, 0x15,	 D32(40 - 15), RET};
	struct patched_copy copy = patched_copy__make("program");
	struct elf_file *elf;
	uint32_t version;

	memcpy(code + 40, text, strlen(text) + 1);
	patched_copy__patch(&copy, "Py_GetVersion", code, sizeof(code));
	assert_int_equal(elf__open(copy.path, &elf), 0);
	version = py_version__of_code(elf);
	elf__free(elf);
	patched_copy__drop(&copy);
	return version;
}

static void test_version_of_code(void **state)
{
	(void)state;
	assert_int_equal(version_of("3.8.18"), 0x030812f0);
	assert_int_equal(version_of("3.10.0rc1"), 0x030a00c1);
	assert_int_equal(version_of("%.80s (%.80s)"), 0);
	assert_int_equal(version_of("main"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_other_variable),
		cmocka_unit_test(test_version_text),
		cmocka_unit_test(test_version_of_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
