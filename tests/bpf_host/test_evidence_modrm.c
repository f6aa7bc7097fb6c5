/* SPDX-License-Identifier: MIT */
/* The guess at an instruction's registers, against a decoder. */
#include "shim.h"
#include "insn/decode.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct insn_decoder *decoder;

struct shape {
	const char *text;
	uint8_t bytes[16];
	uint8_t reg; /* the register that is stored; 16: none, the source is an immediate */
	bool plain;
};

#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3
#define RSP 4
#define RBP 5
#define RSI 6
#define RDI 7
#define IMM 16

/* From the text sections of CPython 3.11.2 (Debian), 3.11.7, 3.12.1 and 3.13.0. */
static const struct shape shapes[] = {
	{"sub qword [rdi], 1", {0x48, 0x83, 0x2f, 0x01}, IMM, true},
	{"sub qword [rbx], 1", {0x48, 0x83, 0x2b, 0x01}, IMM, true},
	{"sub qword [rbp + 0], 1", {0x48, 0x83, 0x6d, 0x00, 0x01}, IMM, true},
	{"sub qword [r12], 1", {0x49, 0x83, 0x2c, 0x24, 0x01}, IMM, true},
	{"sub qword [r13 + 0], 1", {0x49, 0x83, 0x6d, 0x00, 0x01}, IMM, true},
	{"sub qword [r14], 1", {0x49, 0x83, 0x2e, 0x01}, IMM, true},
	{"add qword [rax], 1", {0x48, 0x83, 0x00, 0x01}, IMM, true},
	{"add qword [r12], 1", {0x49, 0x83, 0x04, 0x24, 0x01}, IMM, true},
	{"add dword [rax], 1", {0x83, 0x00, 0x01}, IMM, true},
	{"lock sub dword [rax], 1", {0xf0, 0x83, 0x28, 0x01}, IMM, true},
	{"mov [rbx], rax", {0x48, 0x89, 0x03}, RAX, true},
	{"mov [rdi], rax", {0x48, 0x89, 0x07}, RAX, true},
	{"mov [rbp + 0], rax", {0x48, 0x89, 0x45, 0x00}, RAX, true},
	{"mov [r12], rax", {0x49, 0x89, 0x04, 0x24}, RAX, true},
	{"mov [r13 + 0], rax", {0x49, 0x89, 0x45, 0x00}, RAX, true},
	{"mov [r14], rax", {0x49, 0x89, 0x06}, RAX, true},
	{"mov [r15], rax", {0x49, 0x89, 0x07}, RAX, true},
	{"mov [rbx], rdx", {0x48, 0x89, 0x13}, RDX, true},
	{"mov [rsi], rcx", {0x48, 0x89, 0x0e}, RCX, true},
	{"mov [rsp], r8", {0x4c, 0x89, 0x04, 0x24}, 8, false},
	{"mov [rsp], r10", {0x4c, 0x89, 0x14, 0x24}, 10, false},
	{"mov [rbx], eax", {0x89, 0x03}, RAX, true},
	{"mov [rax], edx", {0x89, 0x10}, RDX, true},
	{"mov [rdx], eax", {0x89, 0x02}, RAX, true},
	{"mov [r12], eax", {0x41, 0x89, 0x04, 0x24}, RAX, true},
	{"mov [r13 + 0], eax", {0x41, 0x89, 0x45, 0x00}, RAX, true},
	{"mov [r8], r9d", {0x45, 0x89, 0x08}, 9, true},
	{"mov [rdi], r15", {0x4c, 0x89, 0x3f}, 15, true},
	{"mov [r15], r14", {0x4d, 0x89, 0x37}, 14, true},
	{"mov [rax], bp", {0x66, 0x89, 0x28}, RBP, true},
	{"mov [rax], r13w", {0x66, 0x44, 0x89, 0x28}, 13, true},
	{"mov [rip + 0], rbx", {0x48, 0x89, 0x1d, 0, 0, 0, 0}, RBX, false},
	{"mov [rbp + 8], rsi", {0x48, 0x89, 0x75, 0x08}, RSI, false},
	{"mov [r12 + r9], rsi", {0x4b, 0x89, 0x34, 0x0c}, RSI, false},
	{"mov [r12 + r12], rsi", {0x4b, 0x89, 0x34, 0x24}, RSI, false},
	{"mov [rdi + 0x10], rsi", {0x48, 0x89, 0x77, 0x10}, RSI, false},
	{"mov fs:[rax], rdi", {0x64, 0x48, 0x89, 0x38}, RDI, true},
	{"lock xadd [rdi], r11", {0xf0, 0x4c, 0x0f, 0xc1, 0x1f}, 11, true},
	{"lock cmpxchg [rbx], ecx", {0xf0, 0x0f, 0xb1, 0x0b}, RCX, true},
};

static void real_instructions(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(shapes); i++) {
		const struct shape *s = &shapes[i];
		uint32_t modrm = modrm__find(s->bytes);
		struct insn insn;

		insn_decoder__decode(decoder, s->bytes, sizeof(s->bytes), &insn);
		if (modrm__is_plain(modrm) != s->plain)
			fail_msg("%s: plain", s->text);
		if (s->reg == IMM) {
			assert_int_equal(insn.source, INSN_SRC_IMM);
			continue;
		}
		assert_int_equal(insn.source, INSN_SRC_REG);
		if (insn.src_reg != s->reg || modrm__reg(modrm) != s->reg)
			fail_msg("%s: %u, capstone says %u", s->text, modrm__reg(modrm),
				 insn.src_reg);
	}
}

static size_t put(uint8_t *code, size_t n, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			code[n++] = bytes[i];
	return n;
}

/* The guess against a decoder: every register, addressing mode and prefix of the opcodes that
 * store a register. */
static bool agrees(const uint8_t *code)
{
	uint32_t modrm = modrm__find(code);
	struct insn insn;

	insn_decoder__decode(decoder, code, 16, &insn);
	if (insn.kind == INSN_UNKNOWN || insn.source != INSN_SRC_REG)
		return false;
	if (!insn.src_high && modrm__reg(modrm) != insn.src_reg)
		fail_msg("%02x %02x %02x %02x %02x: %u, capstone says %u", code[0], code[1],
			 code[2], code[3], code[4], modrm__reg(modrm), insn.src_reg);
	if (modrm__is_plain(modrm) && (!insn.has_base || insn.has_index || insn.disp))
		fail_msg("%02x %02x %02x %02x %02x: plain", code[0], code[1], code[2], code[3],
			 code[4]);
	return true;
}

static void all_registers_and_prefixes(void **state)
{
	static const uint8_t prefixes[][3] = {{0},    {0x66},	    {0xf0},
					      {0x64}, {0x66, 0xf0}, {0xf0, 0x64}};
	static const uint8_t opcodes[][2] = {{0x88},	   {0x89},	{0x01},	      {0x29},
					     {0x31},	   {0x87},	{0x0f, 0xb1}, {0x0f, 0xc1},
					     {0x0f, 0xab}, {0x0f, 0xb3}};
	size_t decoded = 0;

	(void)state;
	for (size_t p = 0; p < N(prefixes); p++)
		for (size_t o = 0; o < N(opcodes); o++)
			for (unsigned int rex = 0x3f; rex < 0x50; rex++)
				for (unsigned int modrm = 0; modrm < 0xc0; modrm++) {
					uint8_t code[16] = {0}, byte = rex > 0x3f ? rex : 0;
					size_t n = put(code, 0, prefixes[p], 3);

					n = put(code, n, &byte, 1);
					n = put(code, n, opcodes[o], 2);
					code[n] = modrm;
					code[n + 1] = 0x24; /* SIB: rsp or r12 alone */
					decoded += agrees(code);
				}
	assert_true(decoded > 150000); /* of 195,840 */
}

/* More prefixes than there is room for: any answer, but no byte beyond the eighth is looked at. */
static void endless_prefixes(void **state)
{
	uint8_t code[16];

	(void)state;
	memset(code, 0x66, sizeof(code));
	assert_in_range(modrm__find(code), 0, 0xffffff);
	memset(code, 0x0f, sizeof(code));
	assert_in_range(modrm__find(code), 0, 0xffffff);
	memset(code, 0x4f, sizeof(code));
	assert_int_equal(modrm__find(code), 0x4f4f4f);
}

static void the_stored_register(void **state)
{
	struct pt_regs regs = {.ax = 100,
			       .cx = 101,
			       .dx = 102,
			       .bx = 103,
			       .bp = 105,
			       .si = 106,
			       .di = 107,
			       .r8 = 108,
			       .r9 = 109,
			       .r10 = 110,
			       .r11 = 111,
			       .r12 = 112,
			       .r13 = 113,
			       .r14 = 114,
			       .r15 = 115,
			       .sp = 104};

	(void)state;
	for (uint8_t reg = 0; reg < 16; reg++) {
		/* mov [rax], reg */
		struct ct_copy ev = {.code = {reg < 8 ? 0x48 : 0x4c, 0x89, (reg & 7) << 3}};

		evidence__source(&ev, &regs);
		if (reg == RSP) { /* the user's stack pointer is not next to the others */
			assert_int_equal(ev.flags, 0);
			continue;
		}
		assert_int_equal(ev.flags, CT_F_SRC);
		assert_int_equal(ev.src_reg, reg);
		assert_int_equal(ev.src, 100 + reg);
	}
}

static int setup(void **state)
{
	(void)state;
	return insn_decoder__new(INSN_X86, &decoder);
}

static int teardown(void **state)
{
	(void)state;
	insn_decoder__free(decoder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_instructions),
		cmocka_unit_test(all_registers_and_prefixes),
		cmocka_unit_test(endless_prefixes),
		cmocka_unit_test(the_stored_register),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
