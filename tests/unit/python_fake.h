/* SPDX-License-Identifier: MIT */
/* CPython 3.12 objects in this process's own memory, for tests of the readers. */
#ifndef COWTRACE_TESTS_PYTHON_FAKE_H
#define COWTRACE_TESTS_PYTHON_FAKE_H

#include <stdint.h>
#include <string.h>

#include "python/tables.h"

#define FAKE_READY (1ull << 12)
#define FAKE_GC	   (1ull << 14)
#define FAKE_BYTES (1ull << 27)
#define FAKE_STR   (1ull << 28)
#define FAKE_TYPE  (1ull << 31)

/* Kind, compact and ascii bits of PyASCIIObject.state. */
#define FAKE_STATE(kind, compact, ascii) ((kind) << 2 | (compact) << 5 | (ascii) << 6)

struct fake_type {
	uint64_t refcount;
	const struct fake_type *type;
	uint64_t size;
	const char *name;
	uint64_t basic_size, item_size;
	uint64_t pad[15];
	uint64_t flags;
};

struct fake_str {
	uint64_t refcount;
	const struct fake_type *type;
	uint64_t length, hash;
	uint32_t state, pad;
	uint8_t data[4096]; /* at 40; not ASCII: 16 bytes further on */
};

struct fake_bytes {
	uint64_t refcount;
	const struct fake_type *type;
	uint64_t size, hash;
	uint8_t data[64];
};

struct fake_code {
	uint64_t refcount;
	const struct fake_type *type;
	uint64_t units;
	uint8_t pad[44];
	uint32_t first_line; /* at 68 */
	uint8_t pad2[40];
	const void *file, *name, *qualname, *table; /* at 112 */
	uint8_t pad3[32];
	uint32_t first_traceable; /* at 176 */
	uint8_t pad4[12];
	uint8_t bytecode[16]; /* at 192 */
};

_Static_assert(offsetof(struct fake_type, flags) == 168, "tp_flags");
_Static_assert(offsetof(struct fake_str, data) == 40, "sizeof(PyASCIIObject)");
_Static_assert(offsetof(struct fake_code, first_line) == 68, "co_firstlineno");
_Static_assert(offsetof(struct fake_code, file) == 112, "co_filename");
_Static_assert(offsetof(struct fake_code, first_traceable) == 176, "_co_firsttraceable");
_Static_assert(offsetof(struct fake_code, bytecode) == 192, "co_code_adaptive");

extern struct fake_type fake_metatype;

static inline struct fake_type fake_type(const char *name, uint64_t flags)
{
	return (struct fake_type){.type = &fake_metatype,
				  .name = name,
				  .basic_size = 16,
				  .flags = FAKE_READY | flags};
}

static inline const struct py_offsets *fake_offsets(void)
{
	return &py_table__find(0x030c)->offsets;
}

#endif
