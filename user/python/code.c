// SPDX-License-Identifier: MIT
#include "python/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <cowtrace/digest.h>
#include <cowtrace/pylayout.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "proc/mem.h"
#include "python/object.h"
#include "python/offsets.h"
#include "python/raw.h"
#include "python/runtime.h"

/* Everything before the bytecode, the largest of 3.11 to 3.15 being 208 bytes, is read at once. */
#define HEAD_MAX 256

/* A code unit: opcode and argument (3.6+). */
#define UNIT_SIZE 2

/* Bytecode larger than this is not believed. */
#define BYTECODE_MAX (64u << 20)

#define FLAG_BYTES_SUBCLASS (1ull << 27) /* Py_TPFLAGS_BYTES_SUBCLASS, 3.8 to 3.15 */

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

static int read_head(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		     uint8_t head[HEAD_MAX])
{
	if (!address || address & 7 || off->code_adaptive > HEAD_MAX)
		return -EINVAL;
	return mem__read(mem, address, head, off->code_adaptive);
}

/* The digest that the kernel side takes: of the head that was read, and of what it points to. */
static int take_check(const struct mem_source *mem, const struct py_offsets *off,
		      const uint8_t *head, uint32_t *out)
{
	struct ct_pylayout lay;
	__u64 words[CT_CODE_WORDS] = {}, table[1 + CT_TABLE_WORDS] = {}, hash = 0;
	uint64_t at;

	py_offsets__layout(off, &(struct py_runtime){}, &lay);
	for (unsigned int i = 0; i < CT_CODE_WORDS; i++)
		if (lay.code_words[i])
			words[i] = raw__u64(head, lay.code_words[i]);
	at = raw__u64(head, lay.code_name);
	if (at)
		mem__read(mem, at + lay.str_hash, &hash, sizeof(hash));
	if (lay.version < 0x030c) {
		at = raw__u64(head, lay.code_table);
		mem__read(mem, at + lay.bytes_size, &table[0], 8);
		mem__read(mem, at + lay.bytes_data, &table[1], 8 * CT_TABLE_WORDS);
	}
	*out = ct_code_digest(words, hash, table);
	return 0;
}

/* The names were read one by one: are they still those of this code object? */
static int confirm(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		   uint32_t check)
{
	uint8_t head[HEAD_MAX];
	uint32_t now;
	int err = read_head(mem, off, address, head);

	if (!err)
		err = take_check(mem, off, head, &now);
	if (err)
		return err;
	return now == check ? 0 : -ESTALE;
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
	uint8_t head[HEAD_MAX];
	uint32_t found;
	int err;

	if (!code)
		return -ENOMEM;
	code->address = address;
	err = read_head(mem, off, address, head);
	if (err)
		return err;
	err = take_check(mem, off, head, &found);
	if (err)
		return err;
	if (check && found != *check)
		return -ESTALE;
	err = check_type(mem, off, raw__u64(head, off->object_type));
	if (!err)
		err = parse_head(off, head, code);
	if (!err)
		err = read_str(mem, off, raw__u64(head, off->code_filename), &code->file);
	if (!err)
		err = read_str(mem, off, raw__u64(head, off->code_qualname), &code->function);
	if (!err)
		err = read_line_table(mem, off, raw__u64(head, off->code_linetable), code);
	if (!err)
		err = confirm(mem, off, address, found);
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
