// SPDX-License-Identifier: MIT
#include <capstone/capstone.h>
#include <errno.h>
#include <stdbool.h>

#include "elf/elf.h"
#include "python/tls_code.h"

/* The longest one seen has 9 instructions in 44 bytes (3.13.0 in a library, by GCC 12). */
#define MAX_STEPS 24
#define MAX_JUMPS 2

/*
 * What is known of a register: the sum of what is set, plus a number. Addresses are those of the
 * file; 0: not part of the sum.
 */
struct value {
	bool known, thread_pointer;
	uint64_t address; /* of the file itself */
	uint64_t word_at; /* the word that is there: the linker's offset from the thread pointer */
	uint64_t pair_at; /* the thread's block for the tls_index that is there */
	int64_t plus;
};

struct machine {
	const struct elf_file *elf;
	csh handle;
	struct value regs[X86_REG_ENDING];
	unsigned int jumps;
	uint64_t next; /* instruction */
	bool done;     /* rax has been loaded from place */
	struct value place;
};

static const struct value unknown = {};

static struct value *reg_of(struct machine *m, const cs_x86_op *op)
{
	return op->type == X86_OP_REG && op->size == 8 ? &m->regs[op->reg] : NULL;
}

/* The address that a memory operand means. */
static struct value address_of(struct machine *m, const cs_insn *insn, const x86_op_mem *mem)
{
	struct value at = {.known = true, .thread_pointer = mem->segment == X86_REG_FS};

	if (mem->index != X86_REG_INVALID)
		return unknown;
	if (mem->base == X86_REG_RIP) {
		at.address = insn->address + insn->size + mem->disp;
	} else if (mem->base != X86_REG_INVALID) {
		at = m->regs[mem->base];
		at.known = at.known && !(at.thread_pointer && mem->segment == X86_REG_FS);
		at.thread_pointer = at.thread_pointer || mem->segment == X86_REG_FS;
		at.plus += mem->disp;
	} else {
		at.plus = mem->disp;
	}
	return at;
}

static bool is_place(const struct value *at)
{
	return at->known && !at->address && (at->thread_pointer || at->pair_at);
}

/* The word that lies there. */
static struct value load(const struct value *at)
{
	/* The first word of a thread's control block is its own address. */
	if (at->known && at->thread_pointer && !at->word_at && !at->address && !at->plus)
		return *at;
	if (at->known && at->address && !at->thread_pointer && !at->word_at && !at->pair_at)
		return (struct value){.known = true, .word_at = at->address + at->plus};
	return unknown;
}

/* Writing a part of a register is nothing that these functions do. */
static int do_mov(struct machine *m, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	struct value *to = reg_of(m, &x->operands[0]), at, word;

	if (!to)
		return x->operands[0].type == X86_OP_MEM ? 0 : -ENOENT;
	if (x->operands[1].type == X86_OP_REG) {
		*to = m->regs[x->operands[1].reg];
		return 0;
	}
	if (x->operands[1].type != X86_OP_MEM) {
		*to = unknown;
		return 0;
	}
	at = address_of(m, insn, &x->operands[1].mem);
	word = load(&at);
	if (!word.known && is_place(&at) && x->operands[0].reg == X86_REG_RAX) {
		m->done = true;
		m->place = at;
	}
	*to = word;
	return 0;
}

static int do_lea(struct machine *m, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	struct value *to = reg_of(m, &x->operands[0]);

	if (!to)
		return -ENOENT;
	*to = address_of(m, insn, &x->operands[1].mem);
	return 0;
}

/* rax += the thread pointer, or the linker's offset from it. */
static int do_add(struct machine *m, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	struct value *to = reg_of(m, &x->operands[0]), at, word;

	if (!to)
		return -ENOENT;
	if (x->operands[1].type != X86_OP_MEM) { /* of rsp */
		*to = unknown;
		return 0;
	}
	at = address_of(m, insn, &x->operands[1].mem);
	word = load(&at);
	if (!word.known || (word.thread_pointer && to->thread_pointer) ||
	    (word.word_at && to->word_at)) {
		*to = unknown;
		return 0;
	}
	to->thread_pointer = to->thread_pointer || word.thread_pointer;
	to->word_at = to->word_at ?: word.word_at;
	return 0;
}

static int do_pop(struct machine *m, const cs_insn *insn)
{
	struct value *to = reg_of(m, &insn->detail->x86.operands[0]);

	if (!to)
		return -ENOENT;
	*to = unknown;
	return 0;
}

/* __tls_get_addr(), or the resolver of a TLS descriptor, whose second word is the offset. */
static int do_call(struct machine *m, const cs_insn *insn)
{
	const cs_x86_op *op = &insn->detail->x86.operands[0];
	struct value *rdi = &m->regs[X86_REG_RDI], *rax = &m->regs[X86_REG_RAX];
	bool through_rax = op->type == X86_OP_MEM && op->mem.base == X86_REG_RAX && !op->mem.disp;
	const struct value *arg = through_rax ? rax : rdi;

	if (!arg->known || !arg->address || arg->plus || arg->thread_pointer)
		return -ENOENT;
	*rax = through_rax ? (struct value){.known = true, .word_at = arg->address + 8}
			   : (struct value){.known = true, .pair_at = arg->address};
	return 0;
}

static int do_jump(struct machine *m, const cs_insn *insn)
{
	const cs_x86_op *op = &insn->detail->x86.operands[0];

	if (op->type != X86_OP_IMM || m->jumps++ >= MAX_JUMPS)
		return -ENOENT;
	m->next = op->imm;
	return 0;
}

static int step(struct machine *m, const cs_insn *insn)
{
	m->next = insn->address + insn->size;
	switch (insn->id) {
	case X86_INS_ENDBR64:
	case X86_INS_NOP:
	case X86_INS_PUSH:
		return 0;
	case X86_INS_SUB: /* of rsp */
		return insn->detail->x86.operands[0].reg == X86_REG_RSP ? 0 : -ENOENT;
	case X86_INS_POP: /* 3.15.2 restores its frame pointer early */
		return do_pop(m, insn);
	case X86_INS_MOV:
		return do_mov(m, insn);
	case X86_INS_LEA:
		return do_lea(m, insn);
	case X86_INS_ADD:
		return do_add(m, insn);
	case X86_INS_CALL:
		return do_call(m, insn);
	case X86_INS_JMP:
		return do_jump(m, insn);
	default:
		return -ENOENT;
	}
}

/* Bytes of the file from an address on, as far as they go. */
static size_t read_code(const struct elf_file *elf, uint64_t vaddr, uint8_t *bytes, size_t size)
{
	while (size && elf__read(elf, vaddr, bytes, size))
		size /= 2;
	return size;
}

static int run(struct machine *m, uint64_t vaddr)
{
	cs_insn *insn = cs_malloc(m->handle);
	uint8_t bytes[16];
	int err = insn ? 0 : -ENOMEM;

	m->next = vaddr;
	for (unsigned int i = 0; i < MAX_STEPS && !err && !m->done; i++) {
		const uint8_t *at = bytes;
		uint64_t address = m->next;
		size_t left = read_code(m->elf, address, bytes, sizeof(bytes));

		err = left && cs_disasm_iter(m->handle, &at, &left, &address, insn) ? step(m, insn)
										    : -ENOENT;
	}
	if (insn)
		cs_free(insn, 1);
	return err ?: m->done ? 0 : -ENOENT;
}

int tls_x86__place(const struct elf_file *elf, uint64_t vaddr, struct tls_place *out)
{
	struct machine m = {.elf = elf};
	int err;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &m.handle))
		return -ENOMEM;
	cs_option(m.handle, CS_OPT_DETAIL, CS_OPT_ON);
	err = run(&m, vaddr);
	cs_close(&m.handle);
	*out = (struct tls_place){
		.word_at = m.place.word_at, .pair_at = m.place.pair_at, .plus = m.place.plus};
	return err;
}
