/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "insn/decode.h"

/* The bytes of one instruction, by the assembler, so that no test has them wrong. */
#define CODE(text)                                                                                 \
	({                                                                                         \
		const uint8_t *_p;                                                                 \
		__asm__(".pushsection .rodata\n"                                                   \
			"1: .intel_syntax noprefix\n" text "\n.att_syntax prefix\n"                \
			".zero 16\n.popsection\n"                                                  \
			"lea 1b(%%rip), %0"                                                        \
			: "=r"(_p));                                                               \
		_p;                                                                                \
	})

static struct insn_decoder *dec;

static void expect_at(const uint8_t *bytes, const char *text, struct insn want)
{
	struct insn got;

	memset(&got, 0x5a, sizeof(got));
	insn_decoder__decode(dec, bytes, 16, &got);
	if (got.kind != want.kind || got.width != want.width || got.source != want.source ||
	    got.src_reg != want.src_reg || got.src_high != want.src_high || got.lock != want.lock ||
	    got.has_base != want.has_base || got.has_index != want.has_index ||
	    got.stack_relative != want.stack_relative || got.disp != want.disp ||
	    got.imm != want.imm || !got.length)
		fail_msg("%s: kind %d width %d source %d reg %d high %d lock %d base %d index %d "
			 "stack %d disp %ld imm %ld length %d",
			 text, got.kind, got.width, got.source, got.src_reg, got.src_high, got.lock,
			 got.has_base, got.has_index, got.stack_relative, (long)got.disp,
			 (long)got.imm, got.length);
}

/* Fields that are not named are 0; a base is the common case. */
#define EXPECT(text, ...)	  expect_at(CODE(text), text, (struct insn){.has_base = true, __VA_ARGS__})
#define EXPECT_NO_BASE(text, ...) expect_at(CODE(text), text, (struct insn){__VA_ARGS__})
#define KIND(text, k)		  assert_int_equal(kind_of(CODE(text)), k)
#define REG(n)			  .source = INSN_SRC_REG, .src_reg = (n)
#define IMM(n)			  .source = INSN_SRC_IMM, .imm = (n)
#define STACK			  .stack_relative = true

static enum insn_kind kind_of(const uint8_t *bytes)
{
	struct insn insn;

	insn_decoder__decode(dec, bytes, 16, &insn);
	return insn.kind;
}

static void stores(void **state)
{
	(void)state;
	EXPECT("mov [rdx], eax", .kind = INSN_STORE, .width = 4, REG(0));
	EXPECT("mov [rdx], rcx", .kind = INSN_STORE, .width = 8, REG(1));
	EXPECT("mov [rbx + 0x10], r15", .kind = INSN_STORE, .width = 8, REG(15), .disp = 0x10);
	EXPECT("mov [rbx - 0x10], r8w", .kind = INSN_STORE, .width = 2, REG(8), .disp = -0x10);
	EXPECT("mov [rax + rdi * 8], sil", .kind = INSN_STORE, .width = 1, REG(6),
	       .has_index = true);
	EXPECT("mov [rdx], ah", .kind = INSN_STORE, .width = 1, REG(0), .src_high = true);
	EXPECT("mov [rdx], bh", .kind = INSN_STORE, .width = 1, REG(3), .src_high = true);
	EXPECT("mov byte ptr [rdx], 0xff", .kind = INSN_STORE, .width = 1, IMM(-1));
	EXPECT("mov word ptr [rdx], 0x1234", .kind = INSN_STORE, .width = 2, IMM(0x1234));
	EXPECT("mov dword ptr [rdx], 0xffffffff", .kind = INSN_STORE, .width = 4, IMM(-1));
	EXPECT("mov qword ptr [rdx], -5", .kind = INSN_STORE, .width = 8, IMM(-5));
	EXPECT("mov [rsp + 8], rax", .kind = INSN_STORE, .width = 8, REG(0), .disp = 8, STACK);
	EXPECT("mov [rbp - 8], rax", .kind = INSN_STORE, .width = 8, REG(0), .disp = -8, STACK);
	EXPECT_NO_BASE("mov [rip + 0x1234], rax", .kind = INSN_STORE, .width = 8, REG(0),
		       .disp = 0x1234);
	EXPECT_NO_BASE("mov fs:[0x28], rax", .kind = INSN_STORE, .width = 8, REG(0), .disp = 0x28);
	EXPECT("movnti [rax], rcx", .kind = INSN_STORE, .width = 8, REG(1));
	EXPECT("sete byte ptr [rdi]", .kind = INSN_STORE, .width = 1);
	EXPECT("setg byte ptr [rdi]", .kind = INSN_STORE, .width = 1);
	EXPECT("mov [rdx], fs", .kind = INSN_STORE, .width = 2);
}

static void arithmetic(void **state)
{
	(void)state;
	EXPECT("add qword ptr [rax], 1", .kind = INSN_ADD, .width = 8, IMM(1));
	EXPECT("add dword ptr [rax], -1", .kind = INSN_ADD, .width = 4, IMM(-1));
	EXPECT("add byte ptr [rax], 0xff", .kind = INSN_ADD, .width = 1, IMM(-1));
	EXPECT("add [rax], r10", .kind = INSN_ADD, .width = 8, REG(10));
	EXPECT("lock add dword ptr [rax], 1", .kind = INSN_ADD, .width = 4, IMM(1), .lock = true);
	EXPECT("sub qword ptr [rdi], 1", .kind = INSN_SUB, .width = 8, IMM(1));
	EXPECT("sub [rdi], r10d", .kind = INSN_SUB, .width = 4, REG(10));
	EXPECT("inc dword ptr [rdi]", .kind = INSN_INC, .width = 4);
	EXPECT("lock inc qword ptr [rdi]", .kind = INSN_INC, .width = 8, .lock = true);
	EXPECT("dec qword ptr [rdi]", .kind = INSN_DEC, .width = 8);
	EXPECT("lock dec dword ptr [rdi + 4]", .kind = INSN_DEC, .width = 4, .lock = true,
	       .disp = 4);
	EXPECT("and [rdi], eax", .kind = INSN_LOGIC, .width = 4, REG(0));
	EXPECT("or byte ptr [rdi], 1", .kind = INSN_LOGIC, .width = 1, IMM(1));
	EXPECT("xor [rdi], r9", .kind = INSN_LOGIC, .width = 8, REG(9));
	EXPECT("lock bts qword ptr [rdi], 1", .kind = INSN_LOGIC, .width = 8, IMM(1), .lock = true);
	KIND("not qword ptr [rdi]", INSN_LOGIC);
	KIND("shl qword ptr [rdi], 1", INSN_LOGIC);
	KIND("rol dword ptr [rdi], cl", INSN_LOGIC);
	KIND("rcr dword ptr [rdi], cl", INSN_LOGIC);
	EXPECT("adc [rdi], eax", .kind = INSN_OTHER, .width = 4); /* the carry is not known */
	EXPECT("neg qword ptr [rdi]", .kind = INSN_OTHER, .width = 8);
}

static void exchanges(void **state)
{
	(void)state;
	EXPECT("xchg [rdi], rax", .kind = INSN_XCHG, .width = 8, REG(0));
	EXPECT("xchg ecx, [rdi]", .kind = INSN_XCHG, .width = 4, REG(1));
	EXPECT("lock xadd [rdi], rdx", .kind = INSN_XADD, .width = 8, REG(2), .lock = true);
	EXPECT("cmpxchg [rdi], rcx", .kind = INSN_XCHG, .width = 8, REG(1));
	EXPECT("lock cmpxchg [rdi], r11d", .kind = INSN_XCHG, .width = 4, REG(11), .lock = true);
	EXPECT("lock cmpxchg16b [rdi]", .kind = INSN_XCHG, .width = 16, .lock = true);
}

static void pushes(void **state)
{
	(void)state;
	EXPECT("push rax", .kind = INSN_PUSH, .width = 8, REG(0), .disp = -8, STACK);
	EXPECT("push r12", .kind = INSN_PUSH, .width = 8, REG(12), .disp = -8, STACK);
	EXPECT("push -5", .kind = INSN_PUSH, .width = 8, IMM(-5), .disp = -8, STACK);
	EXPECT("push ax", .kind = INSN_PUSH, .width = 2, REG(0), .disp = -2, STACK);
	EXPECT("push qword ptr [rax]", .kind = INSN_PUSH, .width = 8, .disp = -8, STACK);
	EXPECT("call rax", .kind = INSN_PUSH, .width = 8, .disp = -8, STACK);
	EXPECT("call [rax + 16]", .kind = INSN_PUSH, .width = 8, .disp = -8, STACK);
	EXPECT("call .+100", .kind = INSN_PUSH, .width = 8, .disp = -8, STACK);
	KIND("pushfq", INSN_PUSH);
}

static void strings(void **state)
{
	(void)state;
	EXPECT("rep stosb", .kind = INSN_STRING, .width = 1, REG(0));
	EXPECT("rep stosq", .kind = INSN_STRING, .width = 8, REG(0));
	EXPECT("movsb", .kind = INSN_STRING, .width = 1);
	EXPECT("rep movsd", .kind = INSN_STRING, .width = 4);
	EXPECT("rep movsq", .kind = INSN_STRING, .width = 8);
	KIND("cmpsd", INSN_READ);
	KIND("repne scasb", INSN_READ);
	KIND("lodsb", INSN_READ);
}

static void vectors(void **state)
{
	(void)state;
	EXPECT("movups [rax + 0x20], xmm0", .kind = INSN_VECTOR, .width = 16, .disp = 0x20);
	EXPECT("movsd qword ptr [rax], xmm0", .kind = INSN_VECTOR, .width = 8);
	EXPECT("movq qword ptr [rax], xmm9", .kind = INSN_VECTOR, .width = 8);
	EXPECT("vmovdqu [rax], ymm0", .kind = INSN_VECTOR, .width = 32);
	EXPECT("vmovdqu64 [rax], zmm17", .kind = INSN_VECTOR, .width = 64);
	EXPECT("maskmovdqu xmm0, xmm1", .kind = INSN_VECTOR, .width = 16);
	KIND("movaps [rax], xmm0", INSN_VECTOR);
	KIND("movhps [rax], xmm0", INSN_VECTOR);
	KIND("movntdq [rax], xmm0", INSN_VECTOR);
	KIND("pextrq [rax], xmm0, 1", INSN_VECTOR);
	KIND("vmaskmovps [rax], ymm0, ymm1", INSN_VECTOR);
	KIND("vmovdqu32 [rax]%{k1%}, zmm0", INSN_VECTOR);
	KIND("vmaskmovps ymm1, ymm0, [rax]", INSN_READ);
	KIND("movups xmm0, [rax]", INSN_READ);
	KIND("ucomisd xmm0, [rax]", INSN_READ);
}

static void other_writers(void **state)
{
	(void)state;
	EXPECT("fstp qword ptr [rax]", .kind = INSN_OTHER, .width = 8);
	EXPECT("pop qword ptr [rax]", .kind = INSN_OTHER, .width = 8);
	KIND("fistp qword ptr [rax]", INSN_OTHER);
	KIND("fnstcw [rax]", INSN_OTHER);
	KIND("fxsave [rax]", INSN_OTHER);
	KIND("xsavec [rax]", INSN_OTHER);
	KIND("stmxcsr [rax]", INSN_OTHER);
}

static void readers(void **state)
{
	(void)state;
	KIND("cmp [rax], ecx", INSN_READ);
	KIND("cmp qword ptr [rax], 5", INSN_READ);
	KIND("test [rax], ecx", INSN_READ);
	KIND("test dword ptr [rax], 5", INSN_READ);
	KIND("bt qword ptr [rdi], rax", INSN_READ);
	KIND("mov eax, [rdx]", INSN_READ);
	KIND("add rax, [rdx]", INSN_READ);
	KIND("lea rax, [rdx]", INSN_READ);
	KIND("imul qword ptr [rdx]", INSN_READ);
	KIND("div qword ptr [rdx]", INSN_READ);
	KIND("jmp [rdx]", INSN_READ);
	KIND("nop dword ptr [rax]", INSN_READ);
	KIND("prefetcht0 [rax]", INSN_READ);
	KIND("fld qword ptr [rax]", INSN_READ);
	KIND("frstor [rax]", INSN_READ);
	KIND("fldcw [rax]", INSN_READ);
	KIND("xrstor [rax]", INSN_READ);
	KIND("pop rax", INSN_READ);
	KIND("ret", INSN_READ);
}

static void length_is_that_of_the_instruction(void **state)
{
	struct insn insn;

	(void)state;
	insn_decoder__decode(dec, CODE("add qword ptr [rax], 1"), 16, &insn);
	assert_int_equal(insn.length, 4);
	insn_decoder__decode(dec, CODE("mov qword ptr [rax + rbx * 4 + 0x12345678], 7"), 16, &insn);
	assert_int_equal(insn.length, 12);
}

static void cut_or_senseless_bytes_are_unknown(void **state)
{
	const uint8_t *code = CODE("add qword ptr [rax], 1");
	struct insn insn, zero;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	for (size_t len = 0; len < 4; len++) {
		memset(&insn, 0x5a, sizeof(insn));
		insn_decoder__decode(dec, code, len, &insn);
		assert_memory_equal(&insn, &zero, sizeof(zero));
	}
	insn_decoder__decode(dec, NULL, 0, &insn);
	assert_int_equal(insn.kind, INSN_UNKNOWN);
	insn_decoder__decode(dec, (const uint8_t *)"\x06\x06\x06", 3, &insn); /* not in 64 bits */
	assert_int_equal(insn.kind, INSN_UNKNOWN);
	insn_decoder__decode(dec, code, 1000, &insn); /* no more than 16 are looked at */
	assert_int_equal(insn.kind, INSN_ADD);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* A decoder that remembers tells the same as one that never saw the bytes. */
static void memory_changes_no_answer(void **state)
{
	uint64_t seed = 88172645463325252ull, words[2];
	struct insn first, again, fresh;
	struct insn_decoder *other;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		words[0] = next_random(&seed);
		words[1] = next_random(&seed);
		insn_decoder__decode(dec, (const uint8_t *)words, 16, &first);
		insn_decoder__decode(dec, (const uint8_t *)words, 16, &again);
		assert_memory_equal(&first, &again, sizeof(first));
		if (i % 100)
			continue;
		assert_int_equal(insn_decoder__new(INSN_X86, &other), 0);
		insn_decoder__decode(other, (const uint8_t *)words, 16, &fresh);
		assert_memory_equal(&first, &fresh, sizeof(first));
		insn_decoder__free(other);
	}
}

static int setup(void **state)
{
	(void)state;
	return insn_decoder__new(INSN_X86, &dec);
}

static int teardown(void **state)
{
	(void)state;
	insn_decoder__free(dec);
	insn_decoder__free(NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores),
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(exchanges),
		cmocka_unit_test(pushes),
		cmocka_unit_test(strings),
		cmocka_unit_test(vectors),
		cmocka_unit_test(other_writers),
		cmocka_unit_test(readers),
		cmocka_unit_test(length_is_that_of_the_instruction),
		cmocka_unit_test(cut_or_senseless_bytes_are_unknown),
		cmocka_unit_test(memory_changes_no_answer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
