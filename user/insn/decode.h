/* SPDX-License-Identifier: MIT */
/* What a faulting instruction writes: the evidence of the instruction. x86-64, by capstone. */
#ifndef COWTRACE_INSN_DECODE_H
#define COWTRACE_INSN_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_kind {
	INSN_UNKNOWN, /* bytes missing or not decoded */
	INSN_STORE,   /* mov [m], reg or imm: the new value is the source */
	INSN_ADD,     /* add [m], reg or imm; also lock add: new = old + source */
	INSN_SUB,
	INSN_INC,
	INSN_DEC,
	INSN_LOGIC,  /* and, or, xor, bit operations on memory */
	INSN_XCHG,   /* xchg, cmpxchg if it takes place: new = source */
	INSN_XADD,   /* new = old + source */
	INSN_PUSH,   /* push, call: writes below the stack pointer */
	INSN_STRING, /* stos, movs with or without rep */
	INSN_VECTOR, /* SSE/AVX store */
	INSN_OTHER,  /* writes memory in another way */
	INSN_READ,   /* writes no memory at all: not the writer */
};

enum insn_source { INSN_SRC_NONE, INSN_SRC_REG, INSN_SRC_IMM };

struct insn {
	uint8_t kind;	 /* enum insn_kind */
	uint8_t width;	 /* bytes written by one store */
	uint8_t source;	 /* enum insn_source */
	uint8_t src_reg; /* INSN_SRC_REG: 0..15 as encoded (rax 0, rcx 1, ... r15 15) */
	bool src_high;	 /* bits 8..15 of src_reg: ah, ch, dh, bh */
	bool lock;
	bool has_base, has_index; /* a general register; rip is no base */
	bool stack_relative;	  /* base is rsp or rbp; always for INSN_PUSH */
	uint8_t length;		  /* of the instruction, bytes */
	int64_t disp;		  /* displacement of the memory operand */
	int64_t imm;		  /* INSN_SRC_IMM, sign-extended */
};

struct insn_decoder;

/* 0, -ENOMEM. */
int insn_decoder__new(struct insn_decoder **out);
void insn_decoder__free(struct insn_decoder *dec);

/* Decodes the instruction at the start of bytes. Always fills out; remembers what it decoded. */
void insn_decoder__decode(struct insn_decoder *dec, const uint8_t *bytes, size_t len,
			  struct insn *out);

#endif
