/* SPDX-License-Identifier: MIT */
/* The judgement: which kind of write it was. A pure function of the facts, as an ordered table of
 * rules; each rule names its evidence. Names are a contract (DESIGN 4). */
#ifndef COWTRACE_MODEL_CAUSE_H
#define COWTRACE_MODEL_CAUSE_H

#include <stdint.h>

struct fault_facts;

enum cause {
	CAUSE_REFCOUNT,
	CAUSE_GC_HEADER,
	CAUSE_INLINE_CACHE,
	CAUSE_LAZY_CACHE,
	CAUSE_MUTATION,
	CAUSE_ALLOCATOR,
	CAUSE_NATIVE_DATA,
	CAUSE_STACK,
	CAUSE_BUFFER,
	CAUSE_KERNEL_WRITE,
	CAUSE_UNKNOWN,
	CAUSE_MAX,
};

enum certainty {
	CERTAINTY_NONE,
	CERTAINTY_LIKELY, /* address only */
	CERTAINTY_PROVEN, /* address and instruction or value agree */
	CERTAINTY_MAX,
};

struct verdict {
	uint8_t cause;	    /* enum cause */
	uint8_t certainty;  /* enum certainty */
	const char *detail; /* "inc", "dec", "collect", "pymalloc", a syscall or module; never NULL,
			       may be "" */
	const char *type;   /* type of the object concerned, NULL if none is */
};

void cause__judge(const struct fault_facts *facts, struct verdict *out);

const char *cause__name(enum cause cause);	       /* "refcount", "gc-header", ... */
const char *cause__help(enum cause cause);	       /* "reading objects": for people */
const char *certainty__name(enum certainty certainty); /* "none", "likely", "proven" */
const char *origin__name(unsigned int origin); /* enum ct_origin: "fork", "file", "zero", "ksm" */

#endif
