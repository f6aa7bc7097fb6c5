// SPDX-License-Identifier: MIT
/* arm64: the accessors follow the local and initial executable models, or a TLS descriptor. */
#include <errno.h>
#include <stdbool.h>

#include "base/a64.h"
#include "elf/elf.h"
#include "python/tls_code.h"

/* The longest one seen has 10 instructions (3.13.5 to 3.15.2 in a library, by GCC 14 and 15). */
#define MAX_STEPS 24
#define MAX_JUMPS 2

/* What is known of a register: the sum of what is set, plus a number. 0: not part of the sum. */
struct value {
	bool known, thread_pointer;
	uint64_t address; /* of the file itself */
	uint64_t word_at; /* the word that is there: the linker's offset from the thread pointer */
	int64_t plus;
};

struct machine {
	struct value regs[32];
	uint64_t next; /* instruction */
	unsigned int jumps;
	bool done; /* x0 has been loaded from place */
	struct value place;
};

static const struct value unknown = {};

static struct value sum(const struct value *a, const struct value *b)
{
	if (!a->known || !b->known || (a->thread_pointer && b->thread_pointer) ||
	    (a->word_at && b->word_at) || a->address || b->address)
		return unknown;
	return (struct value){.known = true,
			      .thread_pointer = a->thread_pointer || b->thread_pointer,
			      .word_at = a->word_at ?: b->word_at,
			      .plus = a->plus + b->plus};
}

static void load(struct machine *m, uint8_t rd, struct value at)
{
	struct value *to = &m->regs[rd];

	*to = unknown;
	if (at.known && at.address) {
		*to = (struct value){.known = true, .word_at = at.address + at.plus};
	} else if (at.known && at.thread_pointer && rd == 0) {
		m->done = true;
		m->place = at;
	}
}

/* The resolver of a TLS descriptor: takes its address in x0, returns the offset, its second word.
 */
static int call(struct machine *m)
{
	struct value *x0 = &m->regs[0];

	if (!x0->known || !x0->address || x0->plus < 0)
		return -ENOENT;
	*x0 = (struct value){.known = true, .word_at = x0->address + x0->plus + 8};
	return 0;
}

static struct value plus(struct value v, int64_t imm)
{
	v.plus += imm;
	return v;
}

static int step(struct machine *m, const struct a64 *in, uint64_t address)
{
	struct value *to = &m->regs[in->rd], at;

	m->next = address + 4;
	switch (in->op) {
	case A64_NOP:
		return 0;
	case A64_MRS_TP:
		*to = (struct value){.known = true, .thread_pointer = true};
		return 0;
	case A64_ADRP:
		*to = (struct value){.known = true, .address = (address & ~4095ull) + in->imm};
		return 0;
	case A64_ADD:
		*to = in->rn == A64_SP ? unknown : plus(m->regs[in->rn], in->imm);
		return 0;
	case A64_ADD_REG:
		*to = sum(&m->regs[in->rn], &m->regs[in->rm]);
		return 0;
	case A64_MOV:
		*to = m->regs[in->rm];
		return 0;
	case A64_LDR:
		load(m, in->rd, in->rn == A64_SP ? unknown : plus(m->regs[in->rn], in->imm));
		return 0;
	case A64_LDR_REG:
		at = sum(&m->regs[in->rn], &m->regs[in->rm]);
		load(m, in->rd, at);
		return 0;
	case A64_STACK: /* what is restored is not what was known */
		m->regs[in->rd] = m->regs[in->rm] = unknown;
		return 0;
	case A64_CALL_REG:
		return call(m);
	case A64_JUMP:
		m->next = address + in->imm;
		return m->jumps++ < MAX_JUMPS ? 0 : -ENOENT;
	default:
		return -ENOENT;
	}
}

int tls_arm64__place(const struct elf_file *elf, uint64_t vaddr, struct tls_place *out)
{
	struct machine m = {.next = vaddr};
	int err = 0;

	for (unsigned int i = 0; i < MAX_STEPS && !err && !m.done; i++) {
		uint64_t address = m.next;
		struct a64 in;
		uint32_t word;

		if (elf__read(elf, address, &word, sizeof(word)))
			return -ENOENT;
		in = a64__decode(word);
		err = step(&m, &in, address);
	}
	if (err || !m.done)
		return -ENOENT;
	*out = (struct tls_place){.word_at = m.place.word_at, .plus = m.place.plus};
	return 0;
}
