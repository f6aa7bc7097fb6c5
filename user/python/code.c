// SPDX-License-Identifier: MIT
#include "python/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cowtrace/abi.h>
#include <cowtrace/digest.h>
#include <cowtrace/pylayout.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "proc/mem.h"
#include "python/object.h"
#include "python/offsets.h"
#include "python/raw.h"

/* A code object, from 3.11 on up to its bytecode, is read at once: 232 bytes in 3.14t and 3.15t. */
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

/* co_qualname, up to 3.10 co_name. */
static uint32_t name_offset(const struct py_offsets *off)
{
	return off->code_qualname != PY_NO_OFFSET ? off->code_qualname : off->code_name;
}

/* 3.11+: the bytecode is part of the code object. */
static bool has_inline_bytecode(const struct py_offsets *off)
{
	return off->code_adaptive != PY_NO_OFFSET;
}

/* How much of it comes before the bytecode, or all of it up to 3.10. */
static uint32_t head_size(const struct py_offsets *off)
{
	return has_inline_bytecode(off) ? off->code_adaptive : off->code_head;
}

/*
 * Only PyCode_Type is called "code" and has this very size. It need not be ready: an interpreter
 * that ends takes its types apart, while there are still records to be read (3.12+).
 */
static int check_type(const struct mem_source *mem, const struct py_offsets *off, uint64_t address)
{
	uint64_t name, basic_size = 0, item_size = 0;
	char text[sizeof("code") + 1] = "";
	ssize_t len = 0;
	int err;

	if (!address || address & 7)
		return -EINVAL;
	err = mem__read_u64(mem, address + off->type_name, &name);
	if (!err)
		err = mem__read_u64(mem, address + off->type_basicsize, &basic_size);
	if (!err)
		err = mem__read_u64(mem, address + off->type_itemsize, &item_size);
	if (!err)
		len = mem__read_str(mem, name, text, sizeof(text));
	if (len < 0)
		err = len;
	if (err)
		return err == -ESRCH && mem->n_chunks ? 0 : err;
	if (strcmp(text, "code") || basic_size != head_size(off) ||
	    item_size != (has_inline_bytecode(off) ? UNIT_SIZE : 0))
		return -EINVAL;
	return 0;
}

static int read_head(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		     uint8_t head[HEAD_MAX])
{
	if (!address || address & 7 || head_size(off) > HEAD_MAX)
		return -EINVAL;
	return mem__read(mem, address, head, head_size(off));
}

/* As the kernel side reads: what can not be had is zero, and wholly so. */
static void read_or_zero(const struct mem_source *mem, uint64_t address, void *buf, size_t size)
{
	if (mem__read(mem, address, buf, size))
		memset(buf, 0, size);
}

/* ct_str_digest() of the str object at address. */
static uint32_t str_check(const struct mem_source *mem, const struct py_offsets *off,
			  uint64_t address)
{
	uint8_t head[HEAD_MAX];
	__u64 tail[CT_STR_WORDS] = {};
	uint64_t hash, size, data;
	uint32_t state;

	if (!address || off->str_ascii_data > HEAD_MAX ||
	    mem__read(mem, address, head, off->str_ascii_data))
		return 0;
	hash = raw__u64(head, off->str_hash);
	state = raw__u32(head, off->str_state) >> off->str_kind_shift;
	size = raw__u64(head, off->str_length) * (state & 7);
	data = address + (state & 16 ? off->str_ascii_data : off->str_compact_data);
	if (size > sizeof(tail))
		data += size - sizeof(tail);
	if (hash == UINT64_MAX)
		read_or_zero(mem, data, tail, sizeof(tail));
	return ct_str_digest(hash, size, tail);
}

/* The digest that the kernel side takes: of the head that was read, and of what it points to. */
static uint32_t take_check(const struct mem_source *mem, const struct py_offsets *off,
			   const uint8_t *head)
{
	__u64 words[CT_CODE_WORDS] = {}, table[1 + CT_TABLE_WORDS] = {}, strings;
	uint32_t at[CT_CODE_WORDS];
	uint64_t bytes;

	py_offsets__code_words(off, at);
	for (unsigned int i = 0; i < CT_CODE_WORDS; i++)
		if (at[i] && at[i] <= HEAD_MAX - sizeof(uint64_t))
			words[i] = raw__u64(head, at[i]);
	strings = str_check(mem, off, raw__u64(head, name_offset(off))) |
		  (uint64_t)str_check(mem, off, raw__u64(head, off->code_filename)) << 32;
	bytes = raw__u64(head, off->code_linetable);
	read_or_zero(mem, bytes + off->object_size, &table[0], sizeof(table[0]));
	read_or_zero(mem, bytes + off->bytes_data, &table[1], 8 * CT_TABLE_WORDS);
	return ct_code_digest(words, strings, table);
}

/* Is it still the code object that was asked for? The names are read one by one. */
static int confirm(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		   uint32_t check)
{
	uint8_t head[HEAD_MAX] = {};
	int err = read_head(mem, off, address, head);

	if (err)
		return err;
	return take_check(mem, off, head) == check ? 0 : -ESTALE;
}

static int read_str(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		    char **out, bool *cut)
{
	char text[NAME_MAX_BYTES + 1];
	bool part;
	ssize_t len = py_str__read_part(mem, off, address, text, sizeof(text), &part);

	if (len < 0)
		return len;
	*cut |= part;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int read_bytes_size(const struct mem_source *mem, const struct py_offsets *off,
			   uint64_t address, uint64_t *size)
{
	struct mem_source settled = mem__settled(mem);
	uint64_t type, flags;
	int err;

	if (!address || address & 7)
		return -EINVAL;
	err = mem__read_u64(&settled, address + off->object_type, &type);
	if (!err)
		err = py_object__type_flags(mem, off, type, &flags);
	if (!err && !(flags & FLAG_BYTES_SUBCLASS))
		err = -EINVAL;
	return err ?: mem__read_u64(&settled, address + off->object_size, size);
}

/* What the chunks have of it is good for the lines at the start. */
static int read_table_part(const struct mem_source *mem, uint64_t data, struct py_code *code)
{
	const void *chunk = NULL;
	size_t here = mem__in_chunk(mem, data, code->line_table_len, &chunk);

	code->cut = code->table_cut = true;
	code->line_table_len = here;
	if (here)
		memcpy(code->line_table, chunk, here);
	return 0;
}

/*
 * co_lnotab or co_linetable, a bytes object. One that is too long is left out: names without
 * lines; as is one that the chunks do not have.
 */
static int read_line_table(const struct mem_source *mem, const struct py_offsets *off,
			   uint64_t address, struct py_code *code)
{
	struct mem_source settled = mem__settled(mem);
	uint64_t size;
	int err = read_bytes_size(mem, off, address, &size);

	if (err == -ESRCH && mem->n_chunks) {
		code->cut = true;
		return 0;
	}
	if (err || size > PY_LINE_TABLE_MAX)
		return err;
	code->line_table = malloc(size + 1);
	if (!code->line_table)
		return -ENOMEM;
	code->line_table_len = size;
	err = mem__read(&settled, address + off->bytes_data, code->line_table, size);
	if (err && mem->n_chunks)
		return read_table_part(mem, address + off->bytes_data, code);
	return err;
}

/* 3.11+: its length is the size of the code object. */
static int parse_inline(const struct py_offsets *off, const uint8_t *head, struct py_code *code)
{
	uint64_t units = raw__u64(head, off->object_size);

	if (!units || units > BYTECODE_MAX / UNIT_SIZE)
		return -EINVAL;
	code->bytecode = code->address + off->code_adaptive;
	code->bytecode_end = code->bytecode + units * UNIT_SIZE;
	code->end = code->bytecode_end;
	/* A code object of 3.11 and 3.12 may lack a traceable instruction, and yet run. */
	code->trampoline =
		off->version >= 0x030d && raw__u32(head, off->code_firsttraceable) >= units;
	return 0;
}

/* Up to 3.10: co_code. The chunks do not have it. */
static int parse_outline(const struct mem_source *mem, const struct py_offsets *off,
			 const uint8_t *head, struct py_code *code)
{
	uint64_t bytes = raw__u64(head, off->code_bytes), size;
	int err;

	code->end = code->address + off->code_head;
	if (mem->n_chunks)
		return 0;
	err = read_bytes_size(mem, off, bytes, &size);
	if (err)
		return err;
	if (!size || size > BYTECODE_MAX)
		return -EINVAL;
	code->bytecode = bytes + off->bytes_data;
	code->bytecode_end = code->bytecode + size;
	return 0;
}

static int parse_head(const struct mem_source *mem, const struct py_offsets *off,
		      const uint8_t *head, struct py_code *code)
{
	int32_t line = (int32_t)raw__u32(head, off->code_firstlineno);
	int err = has_inline_bytecode(off) ? parse_inline(off, head, code)
					   : parse_outline(mem, off, head, code);

	code->first_line = line > 0 ? line : 0;
	if (code->trampoline)
		return err;
	if (!err)
		err = read_str(mem, off, raw__u64(head, off->code_filename), &code->file,
			       &code->cut);
	if (!err)
		err = read_str(mem, off, raw__u64(head, name_offset(off)), &code->function,
			       &code->cut);
	if (!err)
		err = read_line_table(mem, off, raw__u64(head, off->code_linetable), code);
	return err;
}

int py_code__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		  const uint32_t *check, struct py_code **out)
{
	struct mem_source settled = mem__settled(mem);
	_free_code_ struct py_code *code = calloc(1, sizeof(*code));
	uint8_t head[HEAD_MAX] = {};
	uint32_t found = 0;
	int err;

	if (!code)
		return -ENOMEM;
	code->address = address;
	err = read_head(&settled, off, address, head);
	if (err)
		return err;
	/* Chunks are from the moment of the check, and may lack a part of what it is made of. */
	if (!mem->n_chunks)
		found = take_check(mem, off, head);
	if (check && !mem->n_chunks && found != *check)
		return -ESTALE;
	err = check_type(mem, off, raw__u64(head, off->object_type));
	if (!err)
		err = parse_head(mem, off, head, code);
	if (!err && !mem->n_chunks)
		err = confirm(mem, off, address, found);
	if (!err)
		*out = TAKE_PTR(code);
	return err;
}

uint32_t py_code__line(const struct py_code *code, const struct py_offsets *off, uint32_t offset)
{
	uint64_t size = code->bytecode_end - code->bytecode;

	if (offset == CT_OFFSET_NOT_STARTED)
		return code->first_line;
	/* Before the first instruction: 3.11 and 3.12 point there until the frame starts. */
	if (has_inline_bytecode(off) && offset == off->code_adaptive - UNIT_SIZE)
		return code->first_line;
	if (has_inline_bytecode(off))
		offset -= off->code_adaptive; /* too large if it was less */
	if (offset == CT_OFFSET_UNKNOWN || (size && offset >= size) || !code->line_table)
		return 0;
	if (off->version >= 0x030b)
		return py_location_table__line(code->line_table, code->line_table_len,
					       code->first_line, offset / UNIT_SIZE);
	if (off->version == 0x030a)
		return py_line_table__line(code->line_table, code->line_table_len, code->first_line,
					   offset);
	return py_lnotab__line(code->line_table, code->line_table_len, code->table_cut,
			       code->first_line, offset);
}
