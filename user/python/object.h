/* SPDX-License-Identifier: MIT */
/* Types and strings of a Python process, read from outside. Everything read is untrusted. */
#ifndef COWTRACE_PYTHON_OBJECT_H
#define COWTRACE_PYTHON_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mem_source;
struct py_offsets;

struct py_type {
	uint64_t address;
	bool has_gc;	/* Py_TPFLAGS_HAVE_GC: with the GIL, a GC head stands before an instance */
	bool preheader; /* instances have managed dict or weakref words before that */
	bool is_type;	/* a metatype: its instances are types */
	uint64_t basic_size;
	uint64_t item_size;
	uint32_t check; /* ct_type_digest() */
	char *name;	/* tp_name, valid UTF-8, bounded; owned */
};

/*
 * Reads the type object at address, after checking that it is one: aligned, its own type is a type
 * (Py_TPFLAGS_TYPE_SUBCLASS), READY flag set, sane sizes, tp_name readable text. 0, -EINVAL (not a
 * type), errors of mem__read.
 */
int py_type__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		  struct py_type **out);
void py_type__free(struct py_type *type);

/*
 * A str object as UTF-8, bounded by size as utf8__sanitize. Strings of all kinds but those of 3.11
 * and before that still wait for their conversion (wchar_t); lone surrogates become U+FFFD. Returns
 * the length, -EINVAL, or an error of mem__read.
 *
 * From chunks, if mem has any: then only the type of the object is asked of the processes, and
 * believed if they are gone. A string that the chunks have only a part of ends with "…", and *cut
 * is true.
 */
ssize_t py_str__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		     char *dst, size_t size);
ssize_t py_str__read_part(const struct mem_source *mem, const struct py_offsets *off,
			  uint64_t address, char *dst, size_t size, bool *cut);

/*
 * tp_flags of the type of an object. If mem has chunks, the processes may be gone: 0 and no flags
 * asked for are missed, *flags being all ones.
 */
int py_object__type_flags(const struct mem_source *mem, const struct py_offsets *off, uint64_t type,
			  uint64_t *flags);

#endif
