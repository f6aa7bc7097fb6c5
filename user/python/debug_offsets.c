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

/* Within its structure (and that one within the interpreter), and aligned as such a member is. */
static bool is_sane(const uint8_t *block, unsigned int column, const struct py_debug_field *f,
		    uint64_t told, uint64_t in)
{
	uint64_t size = raw__u64(block, groups[f->group].at[column]);
	unsigned int align = f->width && f->width < 8 ? f->width : 8;

	if (told > size || size - told < f->width || (told + in) % align)
		return false;
	return !f->in[column] || in <= raw__u64(block, groups[GROUP_interp].at[column]) - size;
}

int py_debug__apply(const uint8_t *block, unsigned int column, const struct py_runtime *rt,
		    struct py_offsets *off, unsigned int *differences, char *why, size_t why_size)
{
	int err = check_sizes(block, column, rt, why, why_size);

	*differences = 0;
	for (size_t i = 0; i < ARRAY_LEN(fields) && !err; i++) {
		const struct py_debug_field *f = &fields[i];
		uint32_t *known = (uint32_t *)((char *)off + f->field);
		uint64_t told = raw__u64(block, f->at[column]);
		uint64_t in = f->in[column] ? raw__u64(block, f->in[column]) : 0;

		if (!f->at[column] || *known == PY_NO_OFFSET)
			continue;
		if (!is_sane(block, column, f, told, in)) {
			snprintf(why, why_size,
				 "CPython %s says that %s is at %llu, which can not "
				 "be: " PY_NATIVE_ONLY,
				 rt->version, f->name, (unsigned long long)(told + in));
			err = -EPROTO;
		} else if (told + in != *known) {
			if (!(*differences)++)
				snprintf(why, why_size,
					 "CPython %s says that %s is at %llu, cowtrace knew %u",
					 rt->version, f->name, (unsigned long long)(told + in),
					 *known);
			*known = told + in;
		}
	}
	/* The bytecode ends the head of a code object: versions/. */
	if (off->code_adaptive != PY_NO_OFFSET)
		off->code_head = off->code_adaptive;
	return err;
}
