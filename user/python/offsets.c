// SPDX-License-Identifier: MIT
#include "python/offsets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proc/mem.h"
#include "python/debug_offsets.h"
#include "python/runtime.h"
#include "python/tables.h"

#ifdef __x86_64__
#define TABLES_FIT_MACHINE true
#else
#define TABLES_FIT_MACHINE false
#endif

static int unknown_version(const struct py_runtime *rt, char *why, size_t why_size)
{
	uint32_t version = rt->hexversion >> 16;
	uint32_t oldest = py_table__oldest(), newest = py_table__newest();

	if (version < oldest)
		snprintf(why, why_size,
			 "CPython %s is older than %u.%u, the oldest that cowtrace "
			 "explains: " PY_NATIVE_ONLY,
			 rt->version, oldest >> 8, oldest & 0xff);
	else
		snprintf(why, why_size,
			 "CPython %s is newer than %u.%u, the newest that this cowtrace "
			 "knows: " PY_NATIVE_ONLY,
			 rt->version, newest >> 8, newest & 0xff);
	return -ENOTSUP;
}

/* Builds of a known version whose structures are others. */
static int unknown_build(const struct py_runtime *rt, char *why, size_t why_size)
{
	const char *what = NULL;

	if (!TABLES_FIT_MACHINE)
		what = "runs on a machine whose layout cowtrace does not know";
	else if (rt->trace_refs)
		what = "was built with Py_TRACE_REFS, which changes the layout of every object";
	if (!what)
		return 0;
	snprintf(why, why_size, "CPython %s %s: " PY_NATIVE_ONLY, rt->version, what);
	return -ENOTSUP;
}

/*
 * 3.13+ tell their own offsets, and are the authority on them. A difference from the table is worth
 * a note: nobody has tested such a build with this cowtrace.
 */
static int ask_interpreter(const struct py_table *table, const struct mem_source *mem,
			   const struct py_runtime *rt, struct py_offsets *off, char *why,
			   size_t why_size)
{
	uint8_t block[PY_DEBUG_MAX];
	unsigned int differences;
	size_t len;
	int err;

	err = mem__read(mem, rt->runtime, block, table->debug_size);
	if (err) {
		snprintf(why, why_size, "the _Py_DebugOffsets of CPython %s could not be read: %s",
			 rt->version, strerror(-err));
		return err;
	}
	err = py_debug__check_head(block, rt, why, why_size);
	if (!err)
		err = py_debug__apply(block, table->debug_column, rt, off, &differences, why,
				      why_size);
	if (err || !differences)
		return err;
	len = strlen(why);
	if (differences > 1)
		snprintf(why + len, why_size - len, " (and %u more): its own offsets are used",
			 differences - 1);
	else
		snprintf(why + len, why_size - len, ": its own offset is used");
	return 0;
}

int py_offsets__choose(const struct mem_source *mem, const struct py_runtime *rt,
		       struct py_offsets *out, char *why, size_t why_size)
{
	const struct py_table *table = rt->free_threaded
					       ? py_table__find_free_threaded(rt->hexversion >> 16)
					       : py_table__find(rt->hexversion >> 16);
	struct py_offsets off;
	int err;

	why[0] = '\0';
	if (!table)
		return unknown_version(rt, why, why_size);
	off = table->offsets;
	err = unknown_build(rt, why, why_size);
	if (!err && table->debug_size)
		err = ask_interpreter(table, mem, rt, &off, why, why_size);
	if (!err)
		*out = off;
	return err;
}
