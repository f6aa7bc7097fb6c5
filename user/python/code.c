// SPDX-License-Identifier: MIT
#include "python/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <cowtrace/digest.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "proc/mem.h"
#include "python/object.h"
#include "python/offsets.h"
#include "python/raw.h"

/* Everything before the bytecode, the largest of 3.11 to 3.15 being 208 bytes, is read at once. */
#define HEAD_MAX 256

/* A code unit: opcode and argument (3.6+). */
#define UNIT_SIZE 2

/* Bytecode larger than this is not believed. */
#define BYTECODE_MAX (64u << 20)

#define FLAG_BYTES_SUBCLASS (1ull << 27) /* Py_TPFLAGS_BYTES_SUBCLASS, 3.8 to 3.15 */

uint32_t py_code__check(const uint64_t names[4])
{
	return ct_code_digest(names[0], names[1], names[2], names[3]);
}

void py_code__free(struct py_code *code)
{
	if (!code)
		return;
	free(code->file);
	free(code->function);
	free(code->line_table);
	free(code);
}

static void cleanup__code(struct py_code **code)
{
	py_code__free(*code);
}

#define _free_code_ __attribute__((cleanup(cleanup__code)))

/* Only PyCode_Type is called "code" and has this very size. */
static int check_type(const struct mem_source *mem, const struct py_offsets *off, uint64_t address)
{
	struct py_type *type;
	int err = py_type__read(mem, off, address, &type);

	if (err)
		return err;
	if (strcmp(type->name, "code") || type->basic_size != off->code_adaptive ||
	    type->item_size != UNIT_SIZE)
		err = -EINVAL;
	py_type__free(type);
	return err;
}

/* The four pointers that make up the digest. */
static void take_names(const struct py_offsets *off, const uint8_t *head, uint64_t names[4])
{
	for (unsigned int i = 0; i < CT_CODE_NAMES; i++)
		names[i] = raw__u64(head, off->code_filename + 8 * i);
}

static int read_head(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		     uint8_t head[HEAD_MAX])
{
	if (!address || address & 7 || off->code_adaptive > HEAD_MAX)
		return -EINVAL;
	return mem__read(mem, address, head, off->code_adaptive);
}

/* The names were read one by one: are they still those of this code object? */
static int confirm_names(const struct mem_source *mem, const struct py_offsets *off,
			 uint64_t address, uint32_t check)
{
	uint64_t names[CT_CODE_NAMES];
	int err = mem__read(mem, address + off->code_filename, names, sizeof(names));

	if (err)
		return err;
	return py_code__check(names) == check ? 0 : -ESTALE;
}

static int read_str(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		    char **out)
{
	char text[NAME_MAX_BYTES + 1];
	ssize_t len = py_str__read(mem, off, address, text, sizeof(text));

	if (len < 0)
		return len;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

/* co_linetable, a bytes object. One that is too long is left out: names without lines. */
static int read_line_table(const struct mem_source *mem, const struct py_offsets *off,
			   uint64_t address, struct py_code *code)
{
	uint64_t type, flags, size;
	int err;

	if (!address || address & 7)
		return -EINVAL;
	err = mem__read_u64(mem, address + off->object_type, &type);
	if (!err)
		err = mem__read_u64(mem, type + off->type_flags, &flags);
	if (!err && !(flags & FLAG_BYTES_SUBCLASS))
		err = -EINVAL;
	if (!err)
		err = mem__read_u64(mem, address + off->object_size, &size);
	if (err || size > PY_LINE_TABLE_MAX)
		return err;
	code->line_table = malloc(size + 1);
	if (!code->line_table)
		return -ENOMEM;
	code->line_table_len = size;
	return mem__read(mem, address + off->bytes_data, code->line_table, size);
}

static int parse_head(const struct py_offsets *off, const uint8_t *head, struct py_code *code)
{
	uint64_t units = raw__u64(head, off->object_size);
	int32_t line = (int32_t)raw__u32(head, off->code_firstlineno);

	if (!units || units > BYTECODE_MAX / UNIT_SIZE)
		return -EINVAL;
	code->bytecode = code->address + off->code_adaptive;
	code->bytecode_end = code->bytecode + units * UNIT_SIZE;
	code->end = code->bytecode_end;
	code->first_line = line > 0 ? line : 0;
	code->trampoline = raw__u32(head, off->code_firsttraceable) >= units;
	return 0;
}

int py_code__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		  const uint32_t *check, struct py_code **out)
{
	_free_code_ struct py_code *code = calloc(1, sizeof(*code));
	uint64_t names[CT_CODE_NAMES];
	uint8_t head[HEAD_MAX];
	int err;

	if (!code)
		return -ENOMEM;
	code->address = address;
	err = read_head(mem, off, address, head);
	if (err)
		return err;
	take_names(off, head, names);
	if (check && py_code__check(names) != *check)
		return -ESTALE;
	err = check_type(mem, off, raw__u64(head, off->object_type));
	if (!err)
		err = parse_head(off, head, code);
	if (!err)
		err = read_str(mem, off, names[0], &code->file);
	if (!err)
		err = read_str(mem, off, names[2], &code->function);
	if (!err)
		err = read_line_table(mem, off, names[3], code);
	if (!err)
		err = confirm_names(mem, off, address, py_code__check(names));
	if (!err)
		*out = TAKE_PTR(code);
	return err;
}

uint32_t py_code__line(const struct py_code *code, const struct py_offsets *off, uint32_t offset)
{
	uint64_t size = code->bytecode_end - code->bytecode;

	/* Before the first instruction: 3.11 and 3.12 point there until the frame starts. */
	if (offset < off->code_adaptive)
		return code->first_line;
	if (offset - off->code_adaptive >= size || !code->line_table)
		return 0;
	return py_location_table__line(code->line_table, code->line_table_len, code->first_line,
				       (offset - off->code_adaptive) / UNIT_SIZE);
}
