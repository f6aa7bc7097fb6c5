/* SPDX-License-Identifier: MIT */
#include "python/field.h"

#include <stddef.h>
#include <string.h>

#include "python/offsets.h"

/* _gc_next and _gc_prev in front of an object, 3.8 to 3.15, not free-threaded. */
#define GC_HEAD 16
/* Two words in front of it, or of the object itself in free-threaded builds: 3.11 and later. */
#define PREHEADER 16

/* A type that has fields of its own here. */
enum family {
	FAMILY_ANY,
	FAMILY_TYPE, /* a type, whatever its metatype */
	FAMILY_STR,
	FAMILY_BYTES,
	FAMILY_FROZENSET,
	FAMILY_TUPLE,
	FAMILY_DICT,
	FAMILY_KEYS,
	FAMILY_LIST,
	FAMILY_FUNCTION,
	FAMILY_CODE,
	FAMILIES,
};

static const char *const family_names[FAMILIES] = {
	[FAMILY_STR] = "str",	  [FAMILY_BYTES] = "bytes", [FAMILY_FROZENSET] = "frozenset",
	[FAMILY_TUPLE] = "tuple", [FAMILY_DICT] = "dict",   [FAMILY_KEYS] = PY_FIELD_KEYS,
	[FAMILY_LIST] = "list",	  [FAMILY_CODE] = "code",   [FAMILY_FUNCTION] = "function",
};

struct row {
	uint8_t family; /* enum family */
	uint8_t kind;	/* enum py_field_kind */
	uint8_t width;
	uint16_t member; /* of struct py_offsets */
	uint64_t empty;
	const char *name;
};

#define FIELD(family_, member_, width_, kind_, name_, empty_)                                      \
	{                                                                                          \
		.family = FAMILY_##family_, .kind = PY_FIELD_##kind_, .width = (width_),           \
		.member = offsetof(struct py_offsets, member_), .empty = (empty_), .name = (name_) \
	}
#define LAZY(family_, member_, width_, name_, empty_)                                              \
	FIELD(family_, member_, width_, LAZY, name_, empty_)
#define NAMED(family_, member_, width_, kind_, name_)                                              \
	FIELD(family_, member_, width_, kind_, name_, PY_FIELD_NEVER_EMPTY)
#define NOT_YET (~0ull) /* a hash of -1 */

/* A version that has no such member has PY_NO_OFFSET, which is no offset of anything. */
static const struct row rows[] = {
	NAMED(ANY, object_ref_shared, 8, SHARED, "ob_ref_shared"),
	NAMED(ANY, object_tid, 8, OWNER, "ob_tid"),
	NAMED(ANY, object_mutex, 1, MUTEX, "ob_mutex"),
	NAMED(ANY, object_gc_bits, 1, GC, "ob_gc_bits"),
	NAMED(ANY, object_type, 8, TYPE, "ob_type"),
	LAZY(TYPE, type_version_tag, 4, "version tag", 0),
	LAZY(TYPE, type_versions_used, 2, "version tag", PY_FIELD_NEVER_EMPTY),
	LAZY(TYPE, type_flags, 8, "flags", PY_FIELD_NEVER_EMPTY),
	LAZY(TYPE, type_spec_cache, 8, "specialisation", 0),
	NAMED(TYPE, type_dict, 8, DATA, "__dict__"),
	NAMED(TYPE, type_subclasses, 8, DATA, "subclasses"),
	NAMED(TYPE, type_weaklist, 8, DATA, "weak references"),
	NAMED(TYPE, type_watched, 1, DATA, "watchers"),
	LAZY(STR, str_hash, 8, "hash", NOT_YET),
	LAZY(STR, str_state, 4, "interned", PY_FIELD_NEVER_EMPTY),
	LAZY(STR, str_utf8_length, 8, "utf8", 0),
	LAZY(STR, str_utf8, 8, "utf8", 0),
	LAZY(BYTES, bytes_hash, 8, "hash", NOT_YET),
	LAZY(FROZENSET, frozenset_hash, 8, "hash", NOT_YET),
	LAZY(TUPLE, tuple_hash, 8, "hash", NOT_YET),
	NAMED(DICT, dict_used, 8, DATA, "size"),
	NAMED(DICT, dict_version_tag, 8, DATA, "version"),
	NAMED(DICT, dict_keys, 8, DATA, "keys"),
	NAMED(DICT, dict_values, 8, DATA, "values"),
	LAZY(KEYS, keys_lookup, 8, "lookup", PY_FIELD_NEVER_EMPTY),
	LAZY(KEYS, keys_version, 4, "keys version", 0),
	NAMED(KEYS, keys_usable, 8, DATA, "entries"),
	NAMED(LIST, list_items, 8, DATA, "items"),
	LAZY(FUNCTION, function_dict, 8, "__dict__", 0),
	LAZY(FUNCTION, function_annotations, 8, "__annotations__", 0),
	LAZY(FUNCTION, function_version, 4, "function version", 0),
	NAMED(FUNCTION, function_weakreflist, 8, DATA, "weak references"),
	NAMED(CODE, code_warmup, 2, CODE, "warmup"),
	NAMED(CODE, code_executors, 8, CODE, "executors"),
	NAMED(CODE, code_instrumentation, 8, CODE, "instrumentation"),
	NAMED(CODE, code_monitoring, 8, CODE, "instrumentation"),
	NAMED(CODE, code_tlbc, 8, CODE, "bytecode per thread"),
	/* Up to 3.10: the frame of the last call is kept in its code object; so are caches for
	 * LOAD_GLOBAL and LOAD_ATTR. No inline caches: they lie elsewhere. */
	LAZY(CODE, code_zombieframe, 8, "zombie frame", PY_FIELD_NEVER_EMPTY),
	LAZY(CODE, code_opcache_flag, 4, "opcache", PY_FIELD_NEVER_EMPTY),
	LAZY(CODE, code_opcache_map, 8, "opcache", 0),
	LAZY(CODE, code_opcache, 8, "opcache", 0),
	LAZY(CODE, code_cached, 8, "bytecode", 0),
	NAMED(CODE, code_weakreflist, 8, DATA, "weak references"),
	NAMED(CODE, code_extra, 8, DATA, "extra"),
};

static bool is_keys(const struct py_field_type *type)
{
	return strcmp(type->name, PY_FIELD_KEYS) == 0;
}

static bool row__fits(const struct row *row, const struct py_field_type *type)
{
	if (type->ascii && row->family == FAMILY_STR && strcmp(row->name, "utf8") == 0)
		return false;
	if (row->family == FAMILY_ANY)
		return !is_keys(type);
	if (row->family == FAMILY_TYPE)
		return type->is_type;
	return !type->is_type && strcmp(type->name, family_names[row->family]) == 0;
}

static uint32_t row__offset(const struct row *row, const struct py_offsets *off)
{
	uint32_t offset;

	memcpy(&offset, (const char *)off + row->member, sizeof(offset));
	return offset;
}

/* What lies in front of an object. */
static struct py_field before(const struct py_offsets *off, const struct py_field_type *type,
			      int64_t offset)
{
	bool free_threaded = off->object_gc_bits != PY_NO_OFFSET;
	int64_t gc = type->has_gc && !free_threaded ? GC_HEAD : 0;
	struct py_field field = {
		.width = 8, .offset = offset & ~7ll, .empty = PY_FIELD_NEVER_EMPTY};

	if (offset >= -gc) {
		field.kind = PY_FIELD_GC;
		field.name = offset < -gc / 2 ? "_gc_next" : "_gc_prev";
	} else if (type->preheader && offset >= -gc - PREHEADER) {
		field.kind = PY_FIELD_MANAGED;
		field.name = offset >= -gc - PREHEADER / 2 ? "__dict__" : "weak references";
	}
	return field;
}

/* 4 bytes where the other half of the word means something else. A keys table has its own count. */
static struct py_field refcount(const struct py_offsets *off, const struct py_field_type *type)
{
	bool half = off->object_gc_bits != PY_NO_OFFSET && !is_keys(type);

	return (struct py_field){
		.kind = PY_FIELD_REFCOUNT,
		.width = half ? 4 : 8,
		.offset = half ? off->object_refcount : 0,
		.empty = PY_FIELD_NEVER_EMPTY,
		.name = half ? "ob_ref_local" : "ob_refcnt",
	};
}

static bool covers(const struct py_field *field, int64_t offset)
{
	return offset >= field->offset && offset < field->offset + field->width;
}

struct py_field py_field__at(const struct py_offsets *off, const struct py_field_type *type,
			     int64_t offset)
{
	struct py_field field = refcount(off, type);
	bool code = strcmp(type->name, family_names[FAMILY_CODE]) == 0;

	if (offset < 0)
		return before(off, type, offset);
	if (covers(&field, offset))
		return field;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		field = (struct py_field){.kind = rows[i].kind,
					  .width = rows[i].width,
					  .offset = row__offset(&rows[i], off),
					  .empty = rows[i].empty,
					  .name = rows[i].name};
		if (covers(&field, offset) && row__fits(&rows[i], type))
			return field;
	}
	field = (struct py_field){
		.kind = PY_FIELD_DATA, .offset = offset, .empty = PY_FIELD_NEVER_EMPTY};
	if (code && off->code_adaptive != PY_NO_OFFSET && offset >= off->code_adaptive) {
		field.kind = PY_FIELD_CODE;
		field.name = "bytecode";
	}
	return field;
}
