/* SPDX-License-Identifier: MIT */
/* The keys table of a dict (PyDictKeysObject), recognised by its head. It is no object: it has no
 * type. */
#ifndef COWTRACE_PYTHON_KEYS_H
#define COWTRACE_PYTHON_KEYS_H

#include <stdbool.h>
#include <stdint.h>

struct py_offsets;

#define PY_KEYS_HEAD 40

struct py_keys {
	uint64_t size;	/* slots of the hash table */
	bool shared;	/* between the instances of a class; 3.11+: said by the table itself */
	uint32_t index; /* offset of the hash table */
	uint64_t bytes; /* the whole table, at least */
};

/* Can a table start with these bytes? Its counts must fit its size exactly, so that chance is out
 * of the question. */
bool py_keys__parse(const struct py_offsets *off, const uint8_t head[PY_KEYS_HEAD],
		    struct py_keys *out);

#endif
