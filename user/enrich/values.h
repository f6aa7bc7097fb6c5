/* SPDX-License-Identifier: MIT */
/* What lay where the instruction wrote, and what it was about to write. */
#ifndef COWTRACE_ENRICH_VALUES_H
#define COWTRACE_ENRICH_VALUES_H

#include <linux/types.h>
#include <cowtrace/abi.h>

#include "model/facts.h"

/* Of f, addr and insn are set. The new value is known if the source of the instruction is. */
void values__fill(struct fault_facts *f, const struct ct_copy *copy);

#endif
