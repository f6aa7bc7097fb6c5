/* SPDX-License-Identifier: MIT */
/* The decoder of arm64: against what the assembler says, and against capstone where that knows. */
#include <capstone/capstone.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "insn/decode.h"

#define N(a)   (sizeof(a) / sizeof((a)[0]))
#define REG(n) .source = INSN_SRC_REG, .src_reg = (n)
#define ZERO   .source = INSN_SRC_IMM
#define BASE   .has_base = true
#define STACK  .stack_relative = true

static struct insn_decoder *dec;

struct row {
	uint32_t word;
	const char *text;
	struct insn want;
};

/* By llvm-mc 14, -mattr=+v8.5a,+mte,+sve. */
static const struct row rows[] = {
	{0xf9000001, "str x1, [x0]", {.kind = INSN_STORE, .width = 8, REG(1), BASE}},
	{0xb9000e61,
	 "str w1, [x19, #12]",
	 {.kind = INSN_STORE, .width = 4, REG(1), BASE, .disp = 12}},
	{0x39001462,
	 "strb w2, [x3, #5]",
	 {.kind = INSN_STORE, .width = 1, REG(2), BASE, .disp = 5}},
	{0x781fec62,
	 "strh w2, [x3, #-2]!",
	 {.kind = INSN_STORE, .width = 2, REG(2), BASE, .disp = -2}},
	{0xf900041f, "str xzr, [x0, #8]", {.kind = INSN_STORE, .width = 8, ZERO, BASE, .disp = 8}},
	{0xb800441f, "str wzr, [x0], #4", {.kind = INSN_STORE, .width = 4, ZERO, BASE}},
	{0xf81f0001,
	 "stur x1, [x0, #-16]",
	 {.kind = INSN_STORE, .width = 8, REG(1), BASE, .disp = -16}},
	{0xf8008801,
	 "sttr x1, [x0, #8]",
	 {.kind = INSN_STORE, .width = 8, REG(1), BASE, .disp = 8}},
	{0xf8237845,
	 "str x5, [x2, x3, lsl #3]",
	 {.kind = INSN_STORE, .width = 8, REG(5), BASE, .has_index = true}},
	{0xf9000fe5,
	 "str x5, [sp, #24]",
	 {.kind = INSN_STORE, .width = 8, REG(5), BASE, STACK, .disp = 24}},
	{0xf81f83a5,
	 "stur x5, [x29, #-8]",
	 {.kind = INSN_STORE, .width = 8, REG(5), BASE, STACK, .disp = -8}},
	{0xf81f0fe5,
	 "str x5, [sp, #-16]!",
	 {.kind = INSN_PUSH, .width = 8, REG(5), BASE, STACK, .disp = -16}},
	{0xa9be7bfd,
	 "stp x29, x30, [sp, #-32]!",
	 {.kind = INSN_PUSH, .width = 8, REG(29), .pair = true, BASE, STACK, .disp = -32}},
	{0xa9010801,
	 "stp x1, x2, [x0, #16]",
	 {.kind = INSN_STORE, .width = 8, REG(1), .pair = true, BASE, .disp = 16}},
	{0xa93f7c1f,
	 "stp xzr, xzr, [x0, #-16]",
	 {.kind = INSN_STORE, .width = 8, ZERO, .pair = true, BASE, .disp = -16}},
	{0x29010801,
	 "stp w1, w2, [x0, #8]",
	 {.kind = INSN_STORE, .width = 4, REG(1), .pair = true, BASE, .disp = 8}},
	{0xa8811c66,
	 "stp x6, x7, [x3], #16",
	 {.kind = INSN_STORE, .width = 8, REG(6), .pair = true, BASE}},
	{0xa8021c66,
	 "stnp x6, x7, [x3, #32]",
	 {.kind = INSN_STORE, .width = 8, REG(6), .pair = true, BASE, .disp = 32}},
	{0xad010400, "stp q0, q1, [x0, #32]", {.kind = INSN_VECTOR, .width = 32, BASE, .disp = 32}},
	{0x6d000400, "stp d0, d1, [x0]", {.kind = INSN_VECTOR, .width = 16, BASE}},
	{0x3d800400, "str q0, [x0, #16]", {.kind = INSN_VECTOR, .width = 16, BASE, .disp = 16}},
	{0xfd000400, "str d0, [x0, #8]", {.kind = INSN_VECTOR, .width = 8, BASE, .disp = 8}},
	{0xbc216800,
	 "str s0, [x0, x1]",
	 {.kind = INSN_VECTOR, .width = 4, BASE, .has_index = true}},
	{0x3c9fc020, "stur q0, [x1, #-4]", {.kind = INSN_VECTOR, .width = 16, BASE, .disp = -4}},
	{0x4c007000, "st1 { v0.16b }, [x0]", {.kind = INSN_VECTOR, .width = 16, BASE}},
	{0x0c9f6000,
	 "st1 { v0.8b, v1.8b, v2.8b }, [x0], #24",
	 {.kind = INSN_VECTOR, .width = 24, BASE}},
	{0x4c000800,
	 "st4 { v0.4s, v1.4s, v2.4s, v3.4s }, [x0]",
	 {.kind = INSN_VECTOR, .width = 64, BASE}},
	{0x0d009000, "st1 { v0.s }[1], [x0]", {.kind = INSN_VECTOR, .width = 4, BASE}},
	{0x0d208400, "st2 { v0.d, v1.d }[0], [x0]", {.kind = INSN_VECTOR, .width = 16, BASE}},
	{0xc8027c01,
	 "stxr w2, x1, [x0]",
	 {.kind = INSN_XCHG, .width = 8, REG(1), .lock = true, BASE}},
	{0x8802fc01,
	 "stlxr w2, w1, [x0]",
	 {.kind = INSN_XCHG, .width = 4, REG(1), .lock = true, BASE}},
	{0x0802fc01,
	 "stlxrb w2, w1, [x0]",
	 {.kind = INSN_XCHG, .width = 1, REG(1), .lock = true, BASE}},
	{0xc8220c01,
	 "stxp w2, x1, x3, [x0]",
	 {.kind = INSN_XCHG, .width = 8, REG(1), .lock = true, .pair = true, BASE}},
	{0xc89ffc01, "stlr x1, [x0]", {.kind = INSN_STORE, .width = 8, REG(1), BASE}},
	{0x089ffc01, "stlrb w1, [x0]", {.kind = INSN_STORE, .width = 1, REG(1), BASE}},
	{0xc8a17c62,
	 "cas x1, x2, [x3]",
	 {.kind = INSN_XCHG, .width = 8, REG(2), .lock = true, BASE}},
	{0x88e1fc62,
	 "casal w1, w2, [x3]",
	 {.kind = INSN_XCHG, .width = 4, REG(2), .lock = true, BASE}},
	{0x48207c82,
	 "casp x0, x1, x2, x3, [x4]",
	 {.kind = INSN_OTHER, .width = 16, .lock = true, BASE}},
	{0xb8e18062,
	 "swpal w1, w2, [x3]",
	 {.kind = INSN_XCHG, .width = 4, REG(1), .lock = true, BASE}},
	{0xf8210002,
	 "ldadd x1, x2, [x0]",
	 {.kind = INSN_XADD, .width = 8, REG(1), .lock = true, BASE}},
	{0xb8e1007f,
	 "ldaddal w1, wzr, [x3]",
	 {.kind = INSN_XADD, .width = 4, REG(1), .lock = true, BASE}},
	{0xf821001f, "stadd x1, [x0]", {.kind = INSN_XADD, .width = 8, REG(1), .lock = true, BASE}},
	{0xf8211002,
	 "ldclr x1, x2, [x0]",
	 {.kind = INSN_LOGIC, .width = 8, REG(1), .lock = true, BASE}},
	{0xb8213002,
	 "ldset w1, w2, [x0]",
	 {.kind = INSN_LOGIC, .width = 4, REG(1), .lock = true, BASE}},
	{0xf8216002, "ldumax x1, x2, [x0]", {.kind = INSN_OTHER, .width = 8, .lock = true, BASE}},
	{0xf8bfc001, "ldapr x1, [x0]", {.kind = INSN_READ}},
	{0xd9008001,
	 "stlur x1, [x0, #8]",
	 {.kind = INSN_STORE, .width = 8, REG(1), BASE, .disp = 8}},
	{0xd50b7423, "dc zva, x3", {.kind = INSN_STRING, .width = 64, BASE}},
	{0xd9201800, "stg x0, [x0, #16]", {.kind = INSN_OTHER, .width = 16, BASE, .disp = 16}},
	{0xf9400001, "ldr x1, [x0]", {.kind = INSN_READ}},
	{0xa9400801, "ldp x1, x2, [x0]", {.kind = INSN_READ}},
	{0xc85f7c01, "ldxr x1, [x0]", {.kind = INSN_READ}},
	{0xc8dffc01, "ldar x1, [x0]", {.kind = INSN_READ}},
	{0x58000000, "ldr x0, literal", {.kind = INSN_READ}},
	{0xb9800401, "ldrsw x1, [x0, #4]", {.kind = INSN_READ}},
	{0xf9800010, "prfm pstl1keep, [x0]", {.kind = INSN_READ}},
	{0x4c407000, "ld1 { v0.16b }, [x0]", {.kind = INSN_READ}},
	{0xf8200401, "ldraa x1, [x0]", {.kind = INSN_READ}},
	{0x91000400, "add x0, x0, #1", {.kind = INSN_READ}},
	{0x94000000, "bl", {.kind = INSN_READ}},
	{0xd503201f, "nop", {.kind = INSN_READ}},
	{0xe5e0e000, "st1d { z0.d }, p0, [x0]", {.kind = INSN_VECTOR, .width = 16, BASE}},
};

/* Stores of Debian's python3.11 (3.11.2, arm64) and what they do there. */
static const struct row real[] = {
	{0xf9000280, "PyList_Append: inc", {.kind = INSN_STORE, .width = 8, REG(0), BASE}},
	{0xf9000260, "_Py_NewReference: 1", {.kind = INSN_STORE, .width = 8, REG(0), BASE}},
	{0xf8357834,
	 "PyList_Append: item",
	 {.kind = INSN_STORE, .width = 8, REG(20), BASE, .has_index = true}},
	{0xf9000a76,
	 "PyList_Append: ob_size",
	 {.kind = INSN_STORE, .width = 8, REG(22), BASE, .disp = 16}},
	{0xa93f0022,
	 "PyObject_GC_Track: both links",
	 {.kind = INSN_STORE, .width = 8, REG(2), .pair = true, BASE, .disp = -16}},
	{0xa93f041f,
	 "PyObject_GC_UnTrack: both links",
	 {.kind = INSN_STORE, .width = 8, ZERO, .pair = true, BASE, .disp = -16}},
	{0xf9000441,
	 "PyObject_GC_UnTrack: _gc_prev of the next",
	 {.kind = INSN_STORE, .width = 8, REG(1), BASE, .disp = 8}},
	{0xb9000040, "PyObject_Free: ref.count", {.kind = INSN_STORE, .width = 4, REG(0), BASE}},
	{0xa9010440,
	 "PyObject_Free: links of a pool",
	 {.kind = INSN_STORE, .width = 8, REG(0), .pair = true, BASE, .disp = 16}},
};

static struct insn decode(uint32_t word)
{
	struct insn insn;

	memset(&insn, 0x5a, sizeof(insn));
	insn_decoder__decode(dec, (const uint8_t *)&word, sizeof(word), &insn);
	return insn;
}

static void expect(const struct row *r)
{
	const struct insn *want = &r->want;
	struct insn got = decode(r->word);

	if (got.kind != want->kind || got.width != want->width || got.source != want->source ||
	    got.src_reg != want->src_reg || got.lock != want->lock || got.pair != want->pair ||
	    got.has_base != want->has_base || got.has_index != want->has_index ||
	    got.stack_relative != want->stack_relative || got.disp != want->disp || got.imm ||
	    got.src_high || got.length != 4)
		fail_msg("%08x %s: kind %d width %d source %d reg %d lock %d pair %d base %d "
			 "index %d stack %d disp %ld",
			 r->word, r->text, got.kind, got.width, got.source, got.src_reg, got.lock,
			 got.pair, got.has_base, got.has_index, got.stack_relative, (long)got.disp);
}

static void assembled(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		expect(&rows[i]);
}

static void of_cpython(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(real); i++)
		expect(&real[i]);
}

/* --- against capstone --- */

static csh handle;

static bool stores(const cs_insn *in)
{
	static const char *const atomics[] = {"swp",   "cas",	"ldadd", "ldclr", "ldeor",
					      "ldset", "ldsma", "ldsmi", "lduma", "ldumi"};

	if (strncmp(in->mnemonic, "st", 2) == 0)
		return true;
	for (size_t i = 0; i < N(atomics); i++)
		if (strncmp(in->mnemonic, atomics[i], strlen(atomics[i])) == 0)
			return true;
	return false;
}

/* str, stur, sttr and their like of a general register: "strb w1, [x2, #3]!". */
static bool is_plain(const cs_insn *in)
{
	return strncmp(in->mnemonic, "str", 3) == 0 || strncmp(in->mnemonic, "stu", 3) == 0 ||
	       strncmp(in->mnemonic, "stt", 3) == 0;
}

/* Register, width and displacement as the text has them. */
static void compare_text(uint32_t word, const cs_insn *in, const struct insn *got)
{
	char class = in->op_str[0], last = in->mnemonic[strlen(in->mnemonic) - 1];
	unsigned int width = last == 'b' ? 1 : last == 'h' ? 2 : class == 'w' ? 4 : 8;
	const char *open = strchr(in->op_str, '['), *close = strchr(in->op_str, ']');
	const char *hash = open ? strchr(open, '#') : NULL;
	long disp = hash && hash < close && !got->has_index ? strtol(hash + 1, NULL, 0) : 0;
	bool zero = strncmp(in->op_str + 1, "zr", 2) == 0;

	assert_non_null(close);
	if (got->width != width || got->disp != disp ||
	    (zero ? got->source != INSN_SRC_IMM
		  : got->source != INSN_SRC_REG || got->src_reg != atoi(in->op_str + 1)))
		fail_msg("%08x %s %s: width %d reg %d disp %ld", word, in->mnemonic, in->op_str,
			 got->width, got->src_reg, (long)got->disp);
}

static bool compare(uint32_t word, cs_insn *in)
{
	const uint8_t *bytes = (const uint8_t *)&word;
	size_t left = sizeof(word);
	uint64_t address = 0;
	struct insn got = decode(word);

	if (!cs_disasm_iter(handle, &bytes, &left, &address, in))
		return false;
	if (stores(in) != (got.kind != INSN_READ))
		fail_msg("%08x %s %s: kind %d", word, in->mnemonic, in->op_str, got.kind);
	if (is_plain(in) && (in->op_str[0] == 'x' || in->op_str[0] == 'w'))
		compare_text(word, in, &got);
	return true;
}

/* Any word of the class of loads and stores. */
static void any_word(void **state)
{
	uint64_t x = 88172645463325252ull;
	size_t known = 0;
	cs_insn *in;

	(void)state;
	assert_int_equal(cs_open(CS_ARCH_ARM64, CS_MODE_ARM, &handle), CS_ERR_OK);
	in = cs_malloc(handle);
	for (size_t i = 0; i < 300000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		known += compare(((uint32_t)x & ~0x0a000000u) | 0x08000000u, in);
	}
	assert_true(known > 100000);
	cs_free(in, 1);
	cs_close(&handle);
}

/* Bytes that are missing are no instruction; what follows it is not looked at. */
static void lengths(void **state)
{
	uint8_t bytes[16] = {0x01, 0, 0, 0xf9, 0xff, 0xff};
	struct insn insn;

	(void)state;
	for (size_t len = 0; len < 4; len++) {
		insn_decoder__decode(dec, bytes, len, &insn);
		assert_int_equal(insn.kind, INSN_UNKNOWN);
	}
	for (size_t len = 4; len <= sizeof(bytes); len++) {
		insn_decoder__decode(dec, bytes, len, &insn);
		assert_int_equal(insn.kind, INSN_STORE);
		assert_int_equal(insn.length, 4);
	}
}

static int setup(void **state)
{
	(void)state;
	return insn_decoder__new(INSN_ARM64, &dec);
}

static int teardown(void **state)
{
	(void)state;
	insn_decoder__free(dec);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assembled),
		cmocka_unit_test(of_cpython),
		cmocka_unit_test(any_word),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
