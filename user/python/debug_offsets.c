// SPDX-License-Identifier: MIT
#include "python/debug_offsets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <linux/types.h>
#include <cowtrace/pylayout.h>

#include "python/offsets.h"
#include "python/raw.h"
#include "python/runtime.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum group {
#define PY_DEBUG_SIZE(group, most, ...) GROUP_##group,
#define PY_DEBUG(...)
#define PY_DEBUG_IN(...)
#include "python/debug_offsets.def"
};

static const struct {
	uint64_t most;
	uint16_t at[PY_DEBUG_COLUMNS];
	const char *name;
} groups[] = {
#define PY_DEBUG_SIZE(group, most_, ...) {.most = (most_), .at = {__VA_ARGS__}, .name = #group},
#define PY_DEBUG(...)
#define PY_DEBUG_IN(...)
#include "python/debug_offsets.def"
};

static const struct py_debug_field fields[] = {
#define PY_DEBUG_SIZE(...)
#define PY_DEBUG(group_, member, width_, ...)                                                      \
	{.at = {__VA_ARGS__},                                                                      \
	 .group = GROUP_##group_,                                                                  \
	 .width = (width_),                                                                        \
	 .field = offsetof(struct py_offsets, member),                                             \
	 .name = #member},
#define PY_DEBUG_IN(group_, member, width_, in0, in1, in2, ...)                                    \
	{.at = {__VA_ARGS__},                                                                      \
	 .in = {in0, in1, in2},                                                                    \
	 .group = GROUP_##group_,                                                                  \
	 .width = (width_),                                                                        \
	 .field = offsetof(struct py_offsets, member),                                             \
	 .name = #member},
#include "python/debug_offsets.def"
};

const struct py_debug_field *py_debug__fields(size_t *n)
{
	*n = ARRAY_LEN(fields);
	return fields;
}

uint16_t py_debug__size_at(const struct py_debug_field *field, unsigned int column)
{
	return groups[field->group].at[column];
}

int py_debug__check_head(const uint8_t *block, const struct py_runtime *rt, char *why,
			 size_t why_size)
{
	uint64_t version = raw__u64(block, PY_DEBUG_VERSION);
	uint64_t free_threaded = raw__u64(block, PY_DEBUG_FREE_THREADED);

	if (memcmp(block, PY_DEBUG_COOKIE, PY_DEBUG_COOKIE_LEN))
		snprintf(why, why_size,
			 "CPython %s has no _Py_DebugOffsets where they must be: " PY_NATIVE_ONLY,
			 rt->version);
	else if (version != rt->hexversion)
		snprintf(why, why_size,
			 "CPython %s calls itself %#llx in its _Py_DebugOffsets: " PY_NATIVE_ONLY,
			 rt->version, (unsigned long long)version);
	else if (free_threaded != rt->free_threaded)
		snprintf(why, why_size,
			 "CPython %s contradicts itself on being free-threaded "
			 "(%llu): " PY_NATIVE_ONLY,
			 rt->version, (unsigned long long)free_threaded);
	else
		return 0;
	return -EPROTO;
}

/* A size of 0 or beyond all reason is no size; nor is one that the members were cut off. */
static int check_sizes(const uint8_t *block, unsigned int column, const struct py_runtime *rt,
		       char *why, size_t why_size)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		uint64_t size = raw__u64(block, groups[i].at[column]);

		if (size && size <= groups[i].most)
			continue;
		snprintf(why, why_size,
			 "CPython %s says that the size of its %s is %llu, which can not "
			 "be: " PY_NATIVE_ONLY,
			 rt->version, groups[i].name, (unsigned long long)size);
		return -EPROTO;
	}
	return 0;
}

/* Where the structure lies in the interpreter; 0 for most. */
static uint64_t base_of(const uint8_t *block, unsigned int column, const struct py_debug_field *f)
{
	return f->in[column] ? raw__u64(block, f->in[column]) : 0;
}

static uint64_t told_of(const uint8_t *block, unsigned int column, const struct py_debug_field *f)
{
	return raw__u64(block, f->at[column]) + base_of(block, column, f);
}

/* Within its structure (and that one within the interpreter), and aligned as such a member is. */
static bool is_sane(const uint8_t *block, unsigned int column, const struct py_debug_field *f)
{
	uint64_t size = raw__u64(block, groups[f->group].at[column]);
	uint64_t at = raw__u64(block, f->at[column]), base = base_of(block, column, f);
	uint64_t interp = raw__u64(block, groups[GROUP_interp].at[column]);
	unsigned int align = f->width && f->width < 8 ? f->width : 8;

	if (at > size || size - at < f->width || (at + base) % align)
		return false;
	return !base || (size <= interp && base <= interp - size);
}

static bool is_told(const struct py_debug_field *f, unsigned int column,
		    const struct py_offsets *off)
{
	return f->at[column] && *(const uint32_t *)((const char *)off + f->field) != PY_NO_OFFSET;
}

/* Does another member of the same structure lie there, too? */
static bool is_taken(const uint8_t *block, unsigned int column, const struct py_offsets *off,
		     const struct py_debug_field *f)
{
	uint64_t begin = raw__u64(block, f->at[column]), end = begin + f->width;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		uint64_t at = raw__u64(block, fields[i].at[column]);

		if (&fields[i] != f && fields[i].group == f->group &&
		    is_told(&fields[i], column, off) && begin < at + fields[i].width && at < end)
			return true;
	}
	return false;
}

/* Each of them by itself first, so that the one to blame is named. */
static int check_fields(const uint8_t *block, unsigned int column, const struct py_runtime *rt,
			const struct py_offsets *off, char *why, size_t why_size)
{
	const struct py_debug_field *bad = NULL;

	for (size_t i = 0; i < ARRAY_LEN(fields) && !bad; i++)
		if (is_told(&fields[i], column, off) && !is_sane(block, column, &fields[i]))
			bad = &fields[i];
	for (size_t i = 0; i < ARRAY_LEN(fields) && !bad; i++)
		if (is_told(&fields[i], column, off) && is_taken(block, column, off, &fields[i]))
			bad = &fields[i];
	if (!bad)
		return 0;
	snprintf(why, why_size,
		 "CPython %s says that %s is at %llu, which can not be: " PY_NATIVE_ONLY,
		 rt->version, bad->name, (unsigned long long)told_of(block, column, bad));
	return -EPROTO;
}

int py_debug__apply(const uint8_t *block, unsigned int column, const struct py_runtime *rt,
		    struct py_offsets *off, unsigned int *differences, char *why, size_t why_size)
{
	int err = check_sizes(block, column, rt, why, why_size);

	*differences = 0;
	if (!err)
		err = check_fields(block, column, rt, off, why, why_size);
	for (size_t i = 0; i < ARRAY_LEN(fields) && !err; i++) {
		const struct py_debug_field *f = &fields[i];
		uint32_t *known = (uint32_t *)((char *)off + f->field);
		uint64_t told = told_of(block, column, f);

		if (!is_told(f, column, off) || told == *known)
			continue;
		if (!(*differences)++)
			snprintf(why, why_size,
				 "CPython %s says that %s is at %llu, cowtrace knew %u",
				 rt->version, f->name, (unsigned long long)told, *known);
		*known = told;
	}
	/* The bytecode ends the head of a code object: versions/. */
	if (off->code_adaptive != PY_NO_OFFSET)
		off->code_head = off->code_adaptive;
	return err;
}
