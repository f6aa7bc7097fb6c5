/* SPDX-License-Identifier: MIT */
/*
 * Which field of an object lies at an offset: a pure function of the offsets of a version. The
 * fields that CPython writes to for its own purposes have names; all the others are data.
 */
#ifndef COWTRACE_PYTHON_FIELD_H
#define COWTRACE_PYTHON_FIELD_H

#include <stdbool.h>
#include <stdint.h>

struct py_offsets;

enum py_field_kind {
	PY_FIELD_NONE,	   /* no object, or not in it */
	PY_FIELD_REFCOUNT, /* free-threaded: ob_ref_local */
	PY_FIELD_SHARED,   /* free-threaded: ob_ref_shared */
	PY_FIELD_OWNER,	   /* free-threaded: ob_tid, used by the collector too */
	PY_FIELD_MUTEX,	   /* free-threaded: ob_mutex */
	PY_FIELD_GC,	   /* _gc_next, _gc_prev; free-threaded: ob_gc_bits */
	PY_FIELD_TYPE,	   /* ob_type */
	PY_FIELD_SIZE,	   /* ob_size */
	PY_FIELD_LAZY,	   /* filled in on first use of an object that is only read */
	PY_FIELD_CODE,	   /* a counter or cache of a code object; its bytecode */
	PY_FIELD_MANAGED, /* in front of the object: its __dict__, attribute values, weak references
			   */
	PY_FIELD_DATA,	  /* all else: what the program means by the object */
};

/* Values of .empty that no field has: the field has no value that means "not filled in yet". */
#define PY_FIELD_NEVER_EMPTY 1ull

struct py_field {
	uint8_t kind;	  /* enum py_field_kind */
	uint8_t width;	  /* bytes; 0: not known */
	int64_t offset;	  /* of its first byte, from the object */
	uint64_t empty;	  /* PY_FIELD_LAZY: what is there until it is filled in */
	const char *name; /* "hash", "version tag"; NULL: none */
};

/* What must be known of an object's type. */
struct py_field_type {
	const char *name;
	bool is_type; /* the object is a type itself */
	bool has_gc, preheader;
	bool ascii; /* a str of ASCII characters only: they take the place of the cached UTF-8 */
};

/* The name that stands for the keys table of a dict, which is no object. */
#define PY_FIELD_KEYS "dict keys"

/* The field at offset (may be negative: what lies in front of the object). */
struct py_field py_field__at(const struct py_offsets *off, const struct py_field_type *type,
			     int64_t offset);

#endif
