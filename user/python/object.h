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
	bool has_gc;	/* instances carry a GC head (Py_TPFLAGS_HAVE_GC); static types do not */
	bool preheader; /* instances have managed dict or weakref words before the GC head */
	bool is_type;	/* a metatype: its instances are types */
	uint64_t basic_size;
	uint64_t item_size;
	char *name; /* tp_name, valid UTF-8, bounded; owned */
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
 * A str object as UTF-8, bounded by size as utf8__sanitize. Compact strings of all kinds; lone
 * surrogates become U+FFFD. Returns the length, -EINVAL, or an error of mem__read.
 */
ssize_t py_str__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		     char *dst, size_t size);

#endif
