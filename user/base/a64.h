/* SPDX-License-Identifier: MIT */
/*
 * The few instructions of arm64 that short functions are made of which return an address or a
 * thread-local variable. Arm Architecture Reference Manual, C6.2.
 */
#ifndef COWTRACE_BASE_A64_H
#define COWTRACE_BASE_A64_H

#include <stdint.h>

enum a64_op {
	A64_OTHER,
	A64_NOP,      /* and all other hints: bti, paciasp */
	A64_MRS_TP,   /* rd = tpidr_el0 */
	A64_ADRP,     /* rd = the page of the instruction, plus imm */
	A64_ADD,      /* rd = rn + imm; imm is negative for sub */
	A64_ADD_REG,  /* rd = rn + rm */
	A64_MOV,      /* rd = rm */
	A64_LDR,      /* rd = the word at rn + imm */
	A64_LDR_REG,  /* rd = the word at rn + rm */
	A64_STACK,    /* stp, ldp of two words relative to sp: rd, rm */
	A64_CALL_REG, /* blr rn */
	A64_JUMP,     /* b: imm bytes further on */
};

/* Number of the stack pointer, or of the zero register. */
#define A64_SP 31

struct a64 {
	enum a64_op op;
	uint8_t rd, rn, rm;
	int64_t imm;
};

static inline int64_t a64__signed(uint64_t value, unsigned int bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static inline struct a64 a64__decode(uint32_t w)
{
	struct a64 in = {.rd = w & 31, .rn = w >> 5 & 31, .rm = w >> 16 & 31};

	if ((w & 0xfffff01f) == 0xd503201f) {
		in.op = A64_NOP;
	} else if ((w & 0xffffffe0) == 0xd53bd040) {
		in.op = A64_MRS_TP;
	} else if ((w & 0x9f000000) == 0x90000000) {
		in.op = A64_ADRP;
		in.imm = a64__signed((w >> 5 & 0x7ffff) << 2 | (w >> 29 & 3), 21) * 4096;
	} else if ((w & 0xbf800000) == 0x91000000) { /* add and sub, 64 bits */
		in.op = A64_ADD;
		in.imm = (int64_t)(w >> 10 & 0xfff) << (w & 1u << 22 ? 12 : 0);
		in.imm = w & 1u << 30 ? -in.imm : in.imm;
	} else if ((w & 0xffe0fc00) == 0x8b000000) {
		in.op = A64_ADD_REG;
	} else if ((w & 0xffe0ffe0) == 0xaa0003e0) {
		in.op = A64_MOV;
	} else if ((w & 0xffc00000) == 0xf9400000) {
		in.op = A64_LDR;
		in.imm = (w >> 10 & 0xfff) * 8;
	} else if ((w & 0xffe0fc00) == 0xf8606800) {
		in.op = A64_LDR_REG;
	} else if ((w & 0xfe0003e0) == 0xa80003e0) {
		in.op = A64_STACK;
		in.rm = w >> 10 & 31;
	} else if ((w & 0xfffffc1f) == 0xd63f0000) {
		in.op = A64_CALL_REG;
	} else if ((w & 0xfc000000) == 0x14000000) {
		in.op = A64_JUMP;
		in.imm = a64__signed(w & 0x3ffffff, 26) * 4;
	}
	return in;
}

#endif
