/* SPDX-License-Identifier: MIT */
/* What the record of a copy says by itself, without asking anyone. */
#ifndef COWTRACE_ENRICH_RECORD_H
#define COWTRACE_ENRICH_RECORD_H

struct ct_copy;
struct fault_facts;

/* What the copy was of and what un-shared it. */
void record__kind(const struct ct_copy *copy, struct fault_facts *f);
/* The memory around the address, and the value that the instruction (f->insn) was about to write,
 * if its source is known. */
void record__values(const struct ct_copy *copy, struct fault_facts *f);

#endif
