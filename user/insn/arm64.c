/* SPDX-License-Identifier: MIT */
/*
 * arm64: by the encodings themselves (Arm Architecture Reference Manual, C4.1, "Loads and Stores"),
 * which are regular, and few of them store. capstone 4 does not know those of Armv8.1 (ldadd, cas).
 */
#include <string.h>

#include "insn/internal.h"

/* Numbers of registers: 29 is the frame pointer, 31 the stack pointer or, as an operand, zero. */
#define FP 29
#define SP 31

static uint32_t bits(uint32_t word, unsigned int high, unsigned int low)
{
	return word >> low & ((2u << (high - low)) - 1);
}

static int64_t signed_bits(uint32_t word, unsigned int high, unsigned int low)
{
	int64_t value = bits(word, high, low), top = 1ll << (high - low);

	return value & top ? value - 2 * top : value;
}

static void set_source(struct insn *out, uint32_t reg)
{
	if (reg == SP) { /* the zero register: imm is 0 */
		out->source = INSN_SRC_IMM;
		return;
	}
	out->source = INSN_SRC_REG;
	out->src_reg = reg;
}

static void set_place(struct insn *out, uint32_t word, uint32_t width, int64_t disp)
{
	uint32_t base = bits(word, 9, 5);

	out->has_base = true;
	out->stack_relative = base == SP || base == FP;
	out->width = width;
	out->disp = disp;
}

static void set_store(struct insn *out, enum insn_kind kind, uint32_t reg)
{
	out->kind = kind;
	set_source(out, reg);
}

/* STXR, STXP, STLR, CAS, CASP and what loads like them; no displacement. */
static void decode_exclusive(struct insn *out, uint32_t word)
{
	uint32_t size = bits(word, 31, 30), o2 = bits(word, 23, 23), o1 = bits(word, 21, 21);
	bool load = bits(word, 22, 22), casp = !o2 && o1 && size < 2, cas = o2 && o1;

	if (load && !cas && !casp)
		return;
	set_place(out, word, 1u << size, 0);
	out->lock = !o2 || o1;
	if (casp) {
		out->kind = INSN_OTHER;
		out->width = 8u << size;
		return;
	}
	set_store(out, o2 && !o1 ? INSN_STORE : INSN_XCHG, bits(word, 4, 0));
	out->pair = !o2 && o1;
}

/* ST1 to ST4, of whole registers or of one element of each. */
static void decode_structures(struct insn *out, uint32_t word)
{
	static const uint8_t registers[16] = {
		[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
	uint32_t scale = bits(word, 15, 14), number = bits(word, 13, 13) << 1 | bits(word, 21, 21);
	uint32_t element = scale == 2 && bits(word, 10, 10) ? 8 : 1u << scale;

	if (bits(word, 22, 22))
		return;
	out->kind = INSN_VECTOR;
	set_place(out, word,
		  bits(word, 24, 24)
			  ? element * (number + 1)
			  : registers[bits(word, 15, 12)] * (bits(word, 30, 30) ? 16 : 8),
		  0);
}

/* STLUR, memory tags (STG), CPY and SET of memory; else loads relative to the instruction. */
static void decode_others(struct insn *out, uint32_t word)
{
	uint32_t op2 = bits(word, 11, 10), opc = bits(word, 23, 22);

	if (!bits(word, 24, 24))
		return;
	if (bits(word, 21, 21)) {
		if (bits(word, 31, 30) == 3 && (op2 || !(opc & 1))) {
			out->kind = INSN_OTHER;
			set_place(out, word, 16, op2 == 1 ? 0 : 16 * signed_bits(word, 20, 12));
		}
	} else if (op2 == 1) {
		out->kind = INSN_STRING;
		out->has_base = true;
	} else if (!op2 && !opc) {
		set_place(out, word, 1u << bits(word, 31, 30), signed_bits(word, 20, 12));
		set_store(out, INSN_STORE, bits(word, 4, 0));
	}
}

/* STP, STNP. Two general registers are two stores: the first one's place and value are told. */
static void decode_pair(struct insn *out, uint32_t word)
{
	uint32_t opc = bits(word, 31, 30), mode = bits(word, 24, 23);
	bool vector = bits(word, 26, 26), tagged = !vector && opc == 1;
	uint32_t width = vector ? 4u << opc : opc == 0 ? 4 : 8;
	int64_t disp = signed_bits(word, 21, 15) * (tagged ? 16 : (int64_t)width);

	if (bits(word, 22, 22))
		return;
	set_place(out, word, vector ? 2 * width : width, mode == 1 ? 0 : disp);
	if (vector) {
		out->kind = INSN_VECTOR;
		return;
	}
	set_store(out, INSN_STORE, bits(word, 4, 0));
	out->pair = true;
	if (mode == 3 && bits(word, 9, 5) == SP && disp < 0)
		out->kind = INSN_PUSH;
}

/* LDADD, SWP and such: their source is the other register. */
static void decode_atomic(struct insn *out, uint32_t word)
{
	uint32_t opc = bits(word, 14, 12);
	bool swap = bits(word, 15, 15);

	if (swap && opc >= 4) /* LDAPR, LD64B */
		return;
	set_place(out, word, swap && opc ? 64 : 1u << bits(word, 31, 30), 0);
	out->lock = true;
	out->kind = INSN_OTHER;
	if (swap && !opc)
		set_store(out, INSN_XCHG, bits(word, 20, 16));
	else if (!swap && !opc)
		set_store(out, INSN_XADD, bits(word, 20, 16));
	else if (!swap && opc < 4)
		set_store(out, INSN_LOGIC, bits(word, 20, 16));
}

/* STR of one register, with an immediate or a register as offset. */
static void decode_register(struct insn *out, uint32_t word)
{
	uint32_t opc = bits(word, 23, 22), size = bits(word, 31, 30), mode = bits(word, 11, 10);
	bool vector = bits(word, 26, 26), wide = vector && opc == 2 && !size;
	uint32_t width = wide ? 16 : 1u << size;
	bool scaled = bits(word, 24, 24), by_register = !scaled && bits(word, 21, 21);
	int64_t disp = scaled	     ? (int64_t)(bits(word, 21, 10) * width)
		       : by_register ? 0
		       : mode == 1   ? 0 /* afterwards */
				     : signed_bits(word, 20, 12);

	if (by_register && mode == 0 && !vector) {
		decode_atomic(out, word);
		return;
	}
	if ((opc && !wide) || (by_register && mode != 2))
		return;
	set_place(out, word, width, disp);
	out->has_index = by_register;
	if (vector) {
		out->kind = INSN_VECTOR;
		return;
	}
	set_store(out, INSN_STORE, bits(word, 4, 0));
	if (!scaled && !by_register && mode == 3 && bits(word, 9, 5) == SP && disp < 0)
		out->kind = INSN_PUSH;
}

static void decode_access(struct insn *out, uint32_t word)
{
	switch (bits(word, 29, 28)) {
	case 0:
		if (bits(word, 26, 26))
			decode_structures(out, word);
		else
			decode_exclusive(out, word);
		break;
	case 1:
		decode_others(out, word);
		break;
	case 2:
		decode_pair(out, word);
		break;
	default:
		decode_register(out, word);
	}
}

void insn__decode_arm64(const uint8_t *bytes, size_t len, struct insn *out)
{
	uint32_t word;

	memset(out, 0, sizeof(*out));
	if (len < sizeof(word))
		return;
	memcpy(&word, bytes, sizeof(word));
	out->length = sizeof(word);
	out->kind = INSN_READ;
	if ((word & 0x0a000000) == 0x08000000) {
		decode_access(out, word);
	} else if ((word & 0xffffffe0) == 0xd50b7420) { /* DC ZVA: a block of zeros */
		out->kind = INSN_STRING;
		out->width = 64; /* on all processors with Linux known; only shown */
		out->has_base = true;
	} else if (word >> 25 == 0x72) { /* stores of SVE */
		out->kind = INSN_VECTOR;
		out->width = 16; /* at least */
		out->has_base = true;
	}
}
