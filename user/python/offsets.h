/* SPDX-License-Identifier: MIT */
/*
 * Offsets of CPython's internal structures, one set per minor version and kind of build: static
 * tables (tables.c), for 3.13+ corrected by the interpreter's own _Py_DebugOffsets. All in bytes,
 * x86-64. The list is offsets.def; a field that a version does not have is PY_NO_OFFSET.
 */
#ifndef COWTRACE_PYTHON_OFFSETS_H
#define COWTRACE_PYTHON_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>
#include <cowtrace/pylayout.h>

struct mem_source;
struct py_runtime;

#define PY_NO_OFFSET UINT32_MAX

struct py_offsets {
	uint32_t version; /* major << 8 | minor */
#define PY_OFFSET(group, field) uint32_t group##_##field;
#include "python/offsets.def"
};

/* What is left without offsets; ends each sentence that says why there are none. */
#define PY_NATIVE_ONLY "copies are counted, with native symbols only"

/*
 * Chooses the offsets for a runtime. 0: *out is filled; why is "", or a sentence that the user must
 * know: the interpreter's own offsets were used instead of what cowtrace knew of that version, or
 * of the newest one it knows. -ENOTSUP: version, or kind of build, not supported, with a sentence
 * in why; -EPROTO: _Py_DebugOffsets can not be true, with a sentence too; an error of mem__read,
 * with a sentence too. -ENOTSUP and -EPROTO are final; others may pass when the process is asked
 * again.
 */
int py_offsets__choose(const struct mem_source *mem, const struct py_runtime *rt,
		       struct py_offsets *out, char *why, size_t why_size);

/* What the BPF programs need of it. */
void py_offsets__layout(const struct py_offsets *off, const struct py_runtime *rt,
			struct ct_pylayout *out);

/* Where the words of a code object are that ct_code_digest() takes in; 0: none. */
void py_offsets__code_words(const struct py_offsets *off, uint32_t out[CT_CODE_WORDS]);

#endif
