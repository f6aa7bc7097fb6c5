/* SPDX-License-Identifier: MIT */
/*
 * What addresses in a Python process mean, remembered: types, code objects, native functions. They
 * come from the memory that the kernel side took at first sight, else from the process, else from
 * its living ancestors. A thing that could not be had is asked for again, a few times; a thing that
 * is no type stays none until a record says otherwise.
 */
#ifndef COWTRACE_ENRICH_NAMES_H
#define COWTRACE_ENRICH_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "model/facts.h"

struct ct_memory;
struct elf_cache;
struct image;
struct intern;
struct mem_source;
struct names;
struct process;
struct py_code;
struct regions;

struct symbol_fact {
	const char *name, *module;
	bool is_function;
};

struct code_entry {
	struct py_code *code;	     /* NULL: see frame.missing */
	const char *file, *function; /* interned */
	uint8_t missing;	     /* enum ct_missing */
};

/* 0 or -ENOMEM. */
int names__new(struct intern *pool, struct elf_cache *elves, struct names **out);
void names__free(struct names *names);
/* How many types, codes and symbols are remembered; at times twice as many. */
void names__limit(struct names *names, unsigned int max);

/* What the kernel side read when it first met a code object or a type. process: as it was then. */
void names__memory(struct names *names, const struct process *process, const struct image *image,
		   const struct ct_memory *record);

/*
 * The type object at address, NULL if there is none. Asked per process: two workers may have made
 * different types at the same address after they were forked. check: ct_type_digest() of the type
 * that is meant, so that its successor at that address is not taken for it; NULL: not known.
 */
const struct type_fact *names__type(struct names *names, const struct process *process,
				    const struct image *image, uint64_t address,
				    const uint32_t *check);
/* True if names__type() with a check need not ask a process. */
bool names__knows_type(struct names *names, const struct process *process,
		       const struct image *image, uint64_t address, uint32_t check);

/* The code object; check as in struct ct_frame. Never NULL; valid until the next call. */
const struct code_entry *names__code(struct names *names, const struct process *process,
				     const struct image *image, uint64_t address, uint32_t check);

/* The native function at ip. */
const struct symbol_fact *names__symbol(struct names *names, const struct image *image,
					const struct regions *regions, uint64_t ip);

#endif
