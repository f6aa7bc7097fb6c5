/* SPDX-License-Identifier: MIT */
/* x86-64, by capstone. */
#include <capstone/capstone.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "insn/internal.h"

struct insn_x86 {
	csh handle;
	cs_insn *scratch;
};

/* Number of a general register plus one, 0 for other registers. */
#define REGS(n, q, d, w, b) [q] = (n) + 1, [d] = (n) + 1, [w] = (n) + 1, [b] = (n) + 1
#define R(n)		    REGS(n, X86_REG_R##n, X86_REG_R##n##D, X86_REG_R##n##W, X86_REG_R##n##B)
#define HIGH		    0x80

static const uint8_t register_numbers[X86_REG_ENDING] = {
	REGS(0, X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL),
	REGS(1, X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL),
	REGS(2, X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL),
	REGS(3, X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL),
	REGS(4, X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL),
	REGS(5, X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL),
	REGS(6, X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL),
	REGS(7, X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL),
	R(8),
	R(9),
	R(10),
	R(11),
	R(12),
	R(13),
	R(14),
	R(15),
	[X86_REG_AH] = HIGH | 1,
	[X86_REG_CH] = HIGH | 2,
	[X86_REG_DH] = HIGH | 3,
	[X86_REG_BH] = HIGH | 4,
};

static enum insn_kind kind_of_arithmetic(unsigned int id)
{
	switch (id) {
	case X86_INS_ADD:
		return INSN_ADD;
	case X86_INS_SUB:
		return INSN_SUB;
	case X86_INS_INC:
		return INSN_INC;
	case X86_INS_DEC:
		return INSN_DEC;
	case X86_INS_AND:
	case X86_INS_OR:
	case X86_INS_XOR:
	case X86_INS_NOT:
	case X86_INS_BTS:
	case X86_INS_BTR:
	case X86_INS_BTC:
	case X86_INS_SHL:
	case X86_INS_SHR:
	case X86_INS_SAL:
	case X86_INS_SAR:
	case X86_INS_SHLD:
	case X86_INS_SHRD:
	case X86_INS_ROL:
	case X86_INS_ROR:
	case X86_INS_RCL:
	case X86_INS_RCR:
		return INSN_LOGIC;
	default:
		return INSN_OTHER;
	}
}

static enum insn_kind kind_of_move(unsigned int id)
{
	switch (id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
	case X86_INS_MOVNTI:
		return INSN_STORE;
	case X86_INS_SETAE ... X86_INS_SETS:
		return INSN_STORE;
	case X86_INS_XADD:
		return INSN_XADD;
	case X86_INS_XCHG:
	case X86_INS_CMPXCHG:
	case X86_INS_CMPXCHG8B:
	case X86_INS_CMPXCHG16B:
		return INSN_XCHG;
	case X86_INS_STOSB ... X86_INS_STOSW:
	case X86_INS_MOVSB:
	case X86_INS_MOVSW:
	case X86_INS_MOVSQ:
	case X86_INS_INSB:
	case X86_INS_INSW:
	case X86_INS_INSD:
		return INSN_STRING;
	default:
		return INSN_OTHER;
	}
}

static bool is_push(unsigned int id)
{
	switch (id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHF:
	case X86_INS_PUSHFQ:
	case X86_INS_CALL:
	case X86_INS_LCALL:
	case X86_INS_ENTER:
		return true;
	default:
		return false;
	}
}

/* Stores to the address in rdi that have no memory operand. */
static bool is_masked_move(unsigned int id)
{
	return id == X86_INS_MASKMOVQ || id == X86_INS_MASKMOVDQU || id == X86_INS_VMASKMOVDQU;
}

static bool is_store_of_x87(const char *mnemonic)
{
	static const char *const stores[] = {"fst", "fist", "fbst", "fn", "fsave", "fxsave"};

	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (strncmp(mnemonic, stores[i], strlen(stores[i])) == 0)
			return true;
	return false;
}

/* Instructions whose first operand is memory that they do not write. */
static bool only_reads(unsigned int id)
{
	switch (id) {
	case X86_INS_CMP:
	case X86_INS_TEST:
	case X86_INS_BT:
	case X86_INS_CMPSB:
	case X86_INS_CMPSW:
	case X86_INS_CMPSD:
	case X86_INS_CMPSQ:
	case X86_INS_JMP:
	case X86_INS_LJMP:
	case X86_INS_MUL:
	case X86_INS_IMUL:
	case X86_INS_DIV:
	case X86_INS_IDIV:
	case X86_INS_NOP:
	case X86_INS_PREFETCH ... X86_INS_PREFETCHW:
	case X86_INS_CLFLUSH:
	case X86_INS_CLFLUSHOPT:
	case X86_INS_CLWB:
	case X86_INS_LDMXCSR:
	case X86_INS_VLDMXCSR:
	case X86_INS_XRSTOR ... X86_INS_XRSTORS64:
	case X86_INS_VGATHERPF0DPD ... X86_INS_VGATHERPF1QPS:
	case X86_INS_VSCATTERPF0DPD ... X86_INS_VSCATTERPF1QPS:
	case X86_INS_VERR:
	case X86_INS_VERW:
	case X86_INS_LGDT:
	case X86_INS_LIDT:
	case X86_INS_LLDT:
	case X86_INS_LMSW:
	case X86_INS_LTR:
	case X86_INS_INVLPG:
		return true;
	default:
		return false;
	}
}

/*
 * Not by capstone's access flags: in its version 4 they call stores like movups or lock cmpxchg
 * reads, and `test [m], imm` a write. What Intel's syntax puts first is what an instruction writes,
 * but for a few that are known by name.
 */
static bool writes_first_operand(const cs_insn *in)
{
	const cs_x86 *x86 = &in->detail->x86;

	if (!x86->op_count || x86->operands[0].type != X86_OP_MEM || only_reads(in->id))
		return false;
	return in->mnemonic[0] != 'f' || is_store_of_x87(in->mnemonic);
}

static bool is_vector(unsigned int reg)
{
	return (reg >= X86_REG_MM0 && reg <= X86_REG_MM7) ||
	       (reg >= X86_REG_XMM0 && reg <= X86_REG_ZMM31) ||
	       (reg >= X86_REG_K0 && reg <= X86_REG_K7);
}

static bool has_vector_source(const cs_x86 *x86)
{
	for (int i = 1; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_REG && is_vector(x86->operands[i].reg))
			return true;
	return false;
}

static int64_t sign_extend(int64_t value, unsigned int bytes)
{
	unsigned int shift = bytes && bytes < 8 ? 64 - 8 * bytes : 0;

	return (int64_t)((uint64_t)value << shift) >> shift;
}

static void set_source(struct insn *out, const cs_x86_op *op)
{
	uint8_t number;

	if (op->type == X86_OP_IMM) {
		out->source = INSN_SRC_IMM;
		out->imm = sign_extend(op->imm, op->size);
	} else if (op->type == X86_OP_REG && op->reg < X86_REG_ENDING) {
		number = register_numbers[op->reg];
		if (!number)
			return;
		out->source = INSN_SRC_REG;
		out->src_high = number & HIGH;
		out->src_reg = (number & ~HIGH) - 1;
	}
}

static void set_place(struct insn *out, const cs_x86_op *op)
{
	const x86_op_mem *mem = &op->mem;

	out->width = op->size;
	out->disp = mem->disp;
	out->has_base = mem->base != X86_REG_INVALID && mem->base != X86_REG_RIP &&
			mem->base != X86_REG_EIP;
	out->has_index = mem->index != X86_REG_INVALID && mem->index != X86_REG_RIZ &&
			 mem->index != X86_REG_EIZ;
	out->stack_relative = mem->base == X86_REG_RSP || mem->base == X86_REG_RBP;
}

static void set_push(struct insn *out, const cs_insn *in)
{
	const cs_x86 *x86 = &in->detail->x86;
	bool value = in->id == X86_INS_PUSH && x86->op_count == 1;

	out->kind = INSN_PUSH;
	out->width = value && x86->prefix[2] == 0x66 ? 2 : 8;
	out->has_base = out->stack_relative = true;
	out->disp = -(int64_t)out->width;
	if (value)
		set_source(out, &x86->operands[0]);
}

static void set_store(struct insn *out, const cs_insn *in)
{
	const cs_x86 *x86 = &in->detail->x86;

	set_place(out, &x86->operands[0]);
	if (x86->op_count > 1)
		set_source(out, &x86->operands[1]);
	if (has_vector_source(x86)) {
		out->kind = INSN_VECTOR;
		out->source = INSN_SRC_NONE;
		out->src_reg = 0;
		return;
	}
	/* capstone gives the string instruction the id of the vector store of that name */
	if (in->id == X86_INS_MOVSD) {
		out->kind = INSN_STRING;
		return;
	}
	out->kind = kind_of_arithmetic(in->id);
	if (out->kind == INSN_OTHER)
		out->kind = kind_of_move(in->id);
	if (out->kind == INSN_OTHER)
		out->source = INSN_SRC_NONE;
}

static void set_masked_move(struct insn *out, const cs_insn *in)
{
	out->kind = INSN_VECTOR;
	out->width = in->id == X86_INS_MASKMOVQ ? 8 : 16;
	out->has_base = true;
}

void insn_x86__decode(struct insn_x86 *dec, const uint8_t *bytes, size_t len, struct insn *out)
{
	uint64_t address = 0;
	cs_insn *in = dec->scratch;

	memset(out, 0, sizeof(*out));
	if (!cs_disasm_iter(dec->handle, &bytes, &len, &address, in))
		return;
	out->length = (uint8_t)in->size;
	out->lock = in->detail->x86.prefix[0] == 0xf0;
	if (is_push(in->id))
		set_push(out, in);
	else if (is_masked_move(in->id))
		set_masked_move(out, in);
	else if (writes_first_operand(in))
		set_store(out, in);
	else
		out->kind = INSN_READ;
}

int insn_x86__new(struct insn_x86 **out)
{
	struct insn_x86 *dec = calloc(1, sizeof(*dec));
	cs_err err;

	if (!dec)
		return -ENOMEM;
	err = cs_open(CS_ARCH_X86, CS_MODE_64, &dec->handle);
	if (err == CS_ERR_OK)
		err = cs_option(dec->handle, CS_OPT_DETAIL, CS_OPT_ON);
	if (err == CS_ERR_OK)
		dec->scratch = cs_malloc(dec->handle);
	if (!dec->scratch) {
		insn_x86__free(dec);
		return err == CS_ERR_OK || err == CS_ERR_MEM ? -ENOMEM : -ENOTSUP;
	}
	*out = dec;
	return 0;
}

void insn_x86__free(struct insn_x86 *dec)
{
	if (!dec)
		return;
	if (dec->scratch)
		cs_free(dec->scratch, 1);
	if (dec->handle)
		cs_close(&dec->handle);
	free(dec);
}
