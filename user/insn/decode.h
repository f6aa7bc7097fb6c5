/* SPDX-License-Identifier: MIT */
/* What a faulting instruction writes: the evidence of the instruction. */
#ifndef COWTRACE_INSN_DECODE_H
#define COWTRACE_INSN_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_kind {
	INSN_UNKNOWN, /* bytes missing or not decoded */
	INSN_STORE,   /* mov [m], reg or imm; str, stp: the new value is the source */
	INSN_ADD,     /* add [m], reg or imm; also lock add: new = old + source */
	INSN_SUB,
	INSN_INC,
	INSN_DEC,
	INSN_LOGIC,  /* and, or, xor, bit operations on memory; ldset, ldclr */
	INSN_XCHG,   /* xchg, cmpxchg, stxr, cas if it takes place: new = source */
	INSN_XADD,   /* xadd, ldadd: new = old + source */
	INSN_PUSH,   /* push, call, stp to [sp, #-n]!: writes below the stack pointer */
	INSN_STRING, /* stos, movs with or without rep; dc zva */
	INSN_VECTOR, /* SSE/AVX store, one of a SIMD or floating-point register */
	INSN_OTHER,  /* writes memory in another way */
	INSN_READ,   /* writes no memory at all: not the writer */
};

enum insn_source { INSN_SRC_NONE, INSN_SRC_REG, INSN_SRC_IMM };

struct insn {
	uint8_t kind;	 /* enum insn_kind */
	uint8_t width;	 /* bytes written by one store */
	uint8_t source;	 /* enum insn_source */
	uint8_t src_reg; /* INSN_SRC_REG: as encoded (rax 0, rcx 1, ... r15 15; x0 0 ... x30 30) */
	bool src_high;	 /* bits 8..15 of src_reg: ah, ch, dh, bh */
	bool lock;	 /* atomic */
	bool pair;	 /* stp: another register is stored behind the one that is told here */
	bool has_base, has_index; /* a general register; rip is no base */
	bool stack_relative;	  /* base is rsp or rbp, sp or x29; always for INSN_PUSH */
	uint8_t length;		  /* of the instruction, bytes */
	int64_t disp;		  /* displacement of the memory operand */
	int64_t imm;		  /* INSN_SRC_IMM, sign-extended */
};

enum insn_machine {
	INSN_X86,
	INSN_ARM64,
#ifdef __aarch64__
	INSN_NATIVE = INSN_ARM64,
#else
	INSN_NATIVE = INSN_X86,
#endif
};

struct insn_decoder;

/* 0, -ENOMEM. */
int insn_decoder__new(enum insn_machine machine, struct insn_decoder **out);
void insn_decoder__free(struct insn_decoder *dec);

/* Decodes the instruction at the start of bytes. Always fills out; remembers what it decoded. */
void insn_decoder__decode(struct insn_decoder *dec, const uint8_t *bytes, size_t len,
			  struct insn *out);

#endif
