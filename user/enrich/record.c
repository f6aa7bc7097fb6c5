/* SPDX-License-Identifier: MIT */
#include "enrich/record.h"

#include <string.h>

#include <cowtrace/abi.h>

#include "insn/decode.h"
#include "model/facts.h"

void record__kind(const struct ct_copy *copy, struct fault_facts *f)
{
	f->origin = copy->origin;
	f->kernel = copy->flags & CT_F_KERNEL;
	f->unshare = copy->flags & CT_F_UNSHARE;
	f->hugetlb = copy->flags & CT_F_HUGETLB;
	f->uncounted = copy->flags & CT_F_UNCOUNTED;
	f->order = copy->order;
	f->sharers = copy->sharers;
	f->victim = copy->victim;
}

static uint64_t width_mask(unsigned int width)
{
	return width >= 8 ? ~0ull : (1ull << (8 * width)) - 1;
}

/* The register that the kernel side has taken is a guess: it counts only if the decoder agrees. */
static bool source__value(const struct insn *insn, const struct ct_copy *copy, uint64_t *out)
{
	*out = insn->kind == INSN_INC || insn->kind == INSN_DEC ? 1 : (uint64_t)insn->imm;
	/* At the start of a page the fault may be that of the second register. */
	if (insn->pair && copy->addr % 4096 == 0)
		return false;
	if (insn->source != INSN_SRC_REG)
		return insn->source == INSN_SRC_IMM || insn->kind == INSN_INC ||
		       insn->kind == INSN_DEC;
	*out = copy->src;
	return copy->flags & CT_F_SRC && insn->src_reg == copy->src_reg && !insn->src_high;
}

void record__values(const struct ct_copy *copy, struct fault_facts *f)
{
	const struct insn *insn = &f->insn;
	uint64_t mask = width_mask(insn->width), old, src;

	f->has_window = copy->flags & CT_F_WINDOW;
	f->has_old = f->has_window;
	memcpy(f->window, copy->window, sizeof(f->window));
	f->old_value = f->window[CT_WINDOW_BEFORE / 8];
	old = f->old_value >> (8 * (f->addr & 7));
	if (!source__value(insn, copy, &src))
		return;
	f->has_new = true;
	switch (insn->kind) {
	case INSN_STORE:
	case INSN_XCHG:
		f->new_value = src & mask;
		break;
	case INSN_ADD:
	case INSN_XADD:
	case INSN_INC:
		f->new_value = (old + src) & mask;
		break;
	case INSN_SUB:
	case INSN_DEC:
		f->new_value = (old - src) & mask;
		break;
	default:
		f->has_new = false;
	}
}
