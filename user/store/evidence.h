/* SPDX-License-Identifier: MIT */
/* What proves a cause, told apart: copies that agree in it share a row of the file. */
#ifndef COWTRACE_STORE_EVIDENCE_H
#define COWTRACE_STORE_EVIDENCE_H

#include <stdint.h>

#include "model/facts.h"

struct verdict;

enum {
#define FLAG(column, member) +1
	EVIDENCE_FLAGS = 0
#include "store/evidence.def"
	,
#define NAME(column, member, names) +1
#define TEXT(column, member)	    +1
#define TYPE(column, member)	    +1
#define CODE(column, member)	    +1
	EVIDENCE_WORDS = 2 + 4 + 0 /* flags and shape, the verdict */
#include "store/evidence.def"
};

_Static_assert(EVIDENCE_FLAGS <= 64, "they are bits of one word");

/* Fills the words that tell facts apart. Strings go by pointer: they are interned. */
void evidence__words(const struct fault_facts *facts, const struct verdict *verdict,
		     uint64_t words[EVIDENCE_WORDS]);

#endif
