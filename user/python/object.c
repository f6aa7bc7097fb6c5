// SPDX-License-Identifier: MIT
#include "python/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <cowtrace/digest.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "proc/mem.h"
#include "python/offsets.h"
#include "python/raw.h"

/* Py_TPFLAGS_*, the same in 3.8 to 3.15 (Include/object.h). */
#define FLAG_READY	   (1ull << 12)
#define FLAG_HAVE_GC	   (1ull << 14)
#define FLAG_STR_SUBCLASS  (1ull << 28)
#define FLAG_TYPE_SUBCLASS (1ull << 31)

/* PyASCIIObject.state, 3.8 to 3.15, relative to kind: offsets.def. */
#define STATE_COMPACT 3
#define STATE_ASCII   4

/* The members of a type or str that are read at once lie within its first HEAD_MAX bytes: tp_flags
 * of free-threaded builds, the last of them, at 184. */
#define HEAD_MAX 256

#define ELLIPSIS 0x2026

/* No type's instances are larger by themselves; what grows lies in variable parts. */
#define SIZE_MAX_SANE (16u << 20)

static bool is_aligned(uint64_t address)
{
	return address && !(address & 7);
}

static int read_head(const struct mem_source *mem, uint64_t address, uint8_t *head, uint32_t len)
{
	if (!is_aligned(address) || len > HEAD_MAX)
		return -EINVAL;
	return mem__read(mem, address, head, len);
}

int py_object__type_flags(const struct mem_source *mem, const struct py_offsets *off, uint64_t type,
			  uint64_t *flags)
{
	int err;

	if (!is_aligned(type))
		return -EINVAL;
	err = mem__read_u64(mem, type + off->type_flags, flags);
	if (err != -ESRCH || !mem->n_chunks)
		return err;
	*flags = UINT64_MAX;
	return 0;
}

static int check_is_type(const struct mem_source *mem, const struct py_offsets *off, uint64_t type)
{
	uint64_t flags;
	int err = is_aligned(type) ? mem__read_u64(mem, type + off->type_flags, &flags) : -EINVAL;

	if (err)
		return err;
	return flags & FLAG_TYPE_SUBCLASS && flags & FLAG_READY ? 0 : -EINVAL;
}

/* A type's own type is a type, too, and so is the type of that: the strongest sign there is. One
 * alone is also seen in arrays of pointers and numbers. */
static int check_metatype(const struct mem_source *mem, const struct py_offsets *off,
			  uint64_t metatype)
{
	uint64_t above;
	int err = check_is_type(mem, off, metatype);

	if (!err)
		err = mem__read_u64(mem, metatype + off->object_type, &above);
	return err ?: check_is_type(mem, off, above);
}

static bool is_sane(const struct py_offsets *off, const struct py_type *type, uint64_t flags)
{
	return flags & FLAG_READY && type->basic_size >= off->object_head &&
	       type->basic_size <= SIZE_MAX_SANE && type->item_size <= SIZE_MAX_SANE;
}

/* As the kernel side takes it. */
static uint32_t type_check(const struct mem_source *mem, const struct py_offsets *off,
			   const uint8_t *head)
{
	__u64 text[CT_TYPE_NAME_WORDS] = {};
	uint64_t name = raw__u64(head, off->type_name), flags = raw__u64(head, off->type_flags);
	char start[sizeof(text)];
	ssize_t len = flags & CT_TYPE_HEAP ? mem__read_str(mem, name, start, sizeof(start)) : 0;

	if (len > 0)
		memcpy(text, start, len);
	return ct_type_digest(name, raw__u64(head, off->type_basicsize), flags, text);
}

/* tp_name is UTF-8 by contract, but it is the program's: NULL on error, with err set. */
static char *read_name(const struct mem_source *mem, uint64_t address, int *err)
{
	char raw[NAME_MAX_BYTES + 2], clean[NAME_MAX_BYTES + 1];
	ssize_t len = address ? mem__read_str(mem, address, raw, sizeof(raw)) : -EINVAL;
	char *name;

	if (len < 0) {
		*err = len;
		return NULL;
	}
	utf8__sanitize(clean, sizeof(clean), raw, len);
	name = strdup(clean);
	if (!name)
		*err = -ENOMEM;
	return name;
}

static int parse_type(const struct py_offsets *off, const uint8_t *head, struct py_type *type)
{
	uint64_t flags = raw__u64(head, off->type_flags);

	type->has_gc = flags & FLAG_HAVE_GC;
	type->preheader = flags & off->type_preheader_flags;
	type->is_type = flags & FLAG_TYPE_SUBCLASS;
	type->basic_size = raw__u64(head, off->type_basicsize);
	type->item_size = raw__u64(head, off->type_itemsize);
	return is_sane(off, type, flags) ? 0 : -EINVAL;
}

int py_type__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		  struct py_type **out)
{
	struct py_type type = {.address = address};
	uint8_t head[HEAD_MAX];
	int err;

	err = read_head(mem, address, head, off->type_flags + sizeof(uint64_t));
	if (!err)
		err = parse_type(off, head, &type);
	if (!err)
		err = check_metatype(mem, off, raw__u64(head, off->object_type));
	if (err)
		return err;
	type.check = type_check(mem, off, head);
	type.name = read_name(mem, raw__u64(head, off->type_name), &err);
	if (!type.name)
		return err;
	*out = malloc(sizeof(**out));
	if (!*out) {
		free(type.name);
		return -ENOMEM;
	}
	**out = type;
	return 0;
}

void py_type__free(struct py_type *type)
{
	if (!type)
		return;
	free(type->name);
	free(type);
}

struct str_shape {
	uint64_t length;   /* characters */
	unsigned int kind; /* bytes per character: 1, 2, 4 */
	uint64_t data;
	bool ascii;
};

/* Where the characters are: behind the head, or (a subclass, or a string that was converted late)
 * where the member after the head points to. */
static int read_data(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		     uint32_t state, struct str_shape *out)
{
	int err;

	if (state >> STATE_COMPACT & 1) {
		out->data = address + (out->ascii ? off->str_ascii_data : off->str_compact_data);
		return 0;
	}
	err = mem__read_u64(mem, address + off->str_compact_data, &out->data);
	return err || out->data ? err : -EINVAL;
}

static int read_shape(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		      struct str_shape *out)
{
	struct mem_source settled = mem__settled(mem);
	uint8_t head[HEAD_MAX];
	uint64_t flags;
	uint32_t state;
	int err;

	err = read_head(&settled, address, head, off->str_state + sizeof(uint32_t));
	if (!err)
		err = py_object__type_flags(mem, off, raw__u64(head, off->object_type), &flags);
	if (err)
		return err;
	state = raw__u32(head, off->str_state) >> off->str_kind_shift;
	out->length = raw__u64(head, off->str_length);
	out->kind = state & 7;
	out->ascii = state >> STATE_ASCII & 1;
	if (!(flags & FLAG_STR_SUBCLASS) || out->length > INT64_MAX ||
	    (out->ascii && out->kind != 1))
		return -EINVAL;
	if (out->kind != 1 && out->kind != 2 && out->kind != 4)
		return -EINVAL;
	return read_data(&settled, off, address, state, out);
}

static unsigned int character_at(const uint8_t *raw, unsigned int kind, size_t i)
{
	uint16_t half;

	if (kind == 1)
		return raw[i];
	if (kind == 4)
		return raw__u32(raw, 4 * i);
	memcpy(&half, raw + 2 * i, sizeof(half));
	return half;
}

/* Up to *n characters; fewer, with an ellipsis to come, if a chunk ends before. */
static int read_characters(const struct mem_source *mem, const struct str_shape *shape,
			   uint8_t *raw, size_t *n, bool *cut)
{
	size_t len = *n * shape->kind, here;
	const void *chunk = NULL;
	int err;

	*cut = false;
	err = mem__read(mem, shape->data, raw, len);
	if (!err)
		return 0;
	here = mem__in_chunk(mem, shape->data, len, &chunk) / shape->kind;
	if (!here)
		return err;
	memcpy(raw, chunk, here * shape->kind);
	*n = here;
	*cut = true;
	return 0;
}

/*
 * Every character has at least one byte in UTF-8, so `size` characters overflow dst for certain and
 * no more need be read, however long the string claims to be.
 */
ssize_t py_str__read_part(const struct mem_source *mem, const struct py_offsets *off,
			  uint64_t address, char *dst, size_t size, bool *cut)
{
	struct mem_source settled = mem__settled(mem);
	_free_ uint8_t *raw = NULL;
	_free_ char *text = NULL;
	struct str_shape shape;
	size_t n, len = 0;
	int err;

	err = read_shape(mem, off, address, &shape);
	if (err)
		return err;
	n = shape.length < size ? shape.length : size;
	raw = malloc(n * shape.kind + 1);
	text = malloc(n * 4 + 4);
	if (!raw || !text)
		return -ENOMEM;
	err = read_characters(&settled, &shape, raw, &n, cut);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		len += utf8__encode(text + len, character_at(raw, shape.kind, i));
	if (*cut)
		len += utf8__encode(text + len, ELLIPSIS);
	return utf8__sanitize(dst, size, text, len);
}

ssize_t py_str__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		     char *dst, size_t size)
{
	bool cut;

	return py_str__read_part(mem, off, address, dst, size, &cut);
}
