// SPDX-License-Identifier: MIT
#include "python/offsets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/types.h>
#include <cowtrace/pylayout.h>

#include "proc/mem.h"
#include "python/debug_offsets.h"
#include "python/proof.h"
#include "python/runtime.h"
#include "python/tables.h"

#if defined(__x86_64__) || defined(__aarch64__)
#define TABLES_FIT_MACHINE true
#else
#define TABLES_FIT_MACHINE false
#endif

/* Members that Py_TRACE_REFS (up to 3.12) moves: two pointers stand before each object. */
#define TRACE_REFS_BYTES 16

/* What is being decided, and what there is to say of it. */
struct choice {
	const struct mem_source *mem;
	const struct py_runtime *rt;
	const struct py_table *table;
	struct py_offsets off;
	char *why;
	size_t why_size;
};

static uint32_t version_of(const struct py_runtime *rt)
{
	return rt->hexversion >> 16;
}

static bool is_newer(const struct py_runtime *rt)
{
	return version_of(rt) > py_table__newest();
}

static const struct py_table *find_table(const struct py_runtime *rt)
{
	uint32_t version = is_newer(rt) ? py_table__newest() : version_of(rt);

	return rt->free_threaded ? py_table__find_free_threaded(version) : py_table__find(version);
}

/* Builds and versions that are not explained at all. */
static int check_kind(const struct choice *c)
{
	uint32_t oldest = py_table__oldest();

	if (version_of(c->rt) < oldest)
		snprintf(c->why, c->why_size,
			 "CPython %s is older than %u.%u, the oldest that cowtrace "
			 "explains: " PY_NATIVE_ONLY,
			 c->rt->version, oldest >> 8, oldest & 0xff);
	else if (!c->table)
		snprintf(c->why, c->why_size,
			 "CPython %s is free-threaded, which cowtrace does not know of that "
			 "version: " PY_NATIVE_ONLY,
			 c->rt->version);
	else if (!TABLES_FIT_MACHINE)
		snprintf(c->why, c->why_size,
			 "CPython %s runs on a machine whose layout cowtrace does not "
			 "know: " PY_NATIVE_ONLY,
			 c->rt->version);
	else
		return 0;
	return -ENOTSUP;
}

static bool is_of_object(const char *group, const char *field, uint32_t version)
{
	static const char *const groups[] = {"code",	  "object", "type", "str",  "bytes",
					     "frozenset", "tuple",  "list", "dict", "function"};

	if (!strcmp(field, "kind_shift") || !strcmp(field, "preheader_flags"))
		return false;
	if (!strcmp(group, "frame"))
		return version <= 0x030a; /* up to 3.10 frames are objects */
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (!strcmp(group, groups[i]))
			return true;
	return false;
}

static void shift_objects(struct py_offsets *off)
{
#define PY_OFFSET(group, field)                                                                    \
	if (off->group##_##field != PY_NO_OFFSET && is_of_object(#group, #field, off->version))    \
		off->group##_##field += TRACE_REFS_BYTES;
#include "python/offsets.def"
}

/* See struct py_mutex_shift. */
static void shift_mutexes(struct py_offsets *off, const struct py_mutex_shift *shift)
{
	if (off->runtime_tstate_current != PY_NO_OFFSET)
		off->runtime_tstate_current += shift->gilstate;
	if (off->runtime_tss_key != PY_NO_OFFSET)
		off->runtime_tss_key += shift->gilstate;
	if (off->interp_code_count != PY_NO_OFFSET)
		off->interp_code_count += shift->code_count;
}

/*
 * 3.13+ tell their own offsets, and are the authority on them. A difference from the table is worth
 * a note: nobody has tested such a build with this cowtrace.
 */
static int ask_interpreter(struct choice *c, unsigned int *differences)
{
	uint8_t block[PY_DEBUG_MAX];
	int err = mem__read(c->mem, c->rt->runtime, block, c->table->debug_size);

	if (err) {
		snprintf(c->why, c->why_size,
			 "the _Py_DebugOffsets of CPython %s could not be read: %s", c->rt->version,
			 strerror(-err));
		return err;
	}
	err = py_debug__check_head(block, c->rt, c->why, c->why_size);
	if (!err)
		err = py_debug__apply(block, c->table->debug_column, c->rt, &c->off, differences,
				      c->why, c->why_size);
	return err;
}

/* What the kernel side can read: see include/cowtrace/pylayout.h. */
static int check_bounds(const struct choice *c)
{
	struct ct_pylayout lay;

	py_offsets__layout(&c->off, c->rt, &lay);
	if (lay.fr_size <= CT_FRAME_READ_MAX && lay.code_size <= CT_CODE_READ_MAX &&
	    lay.type_name < lay.type_basicsize && lay.type_basicsize < lay.type_flags &&
	    lay.type_flags + 8 <= lay.type_name + 256)
		return 0;
	snprintf(c->why, c->why_size,
		 "CPython %s has larger structures than cowtrace can read: " PY_NATIVE_ONLY,
		 c->rt->version);
	return -ENOTSUP;
}

/* Does the process make sense with these offsets? */
static int prove(const struct choice *c, const char *introduction)
{
	const char *what = "";
	int err = py_proof__check(c->mem, &c->off, c->rt->runtime, &what);

	if (err == -EAGAIN)
		snprintf(c->why, c->why_size, "CPython %s has not begun to run Python code",
			 c->rt->version);
	else if (err) {
		snprintf(c->why, c->why_size,
			 "CPython %s %s, and its memory has %s where cowtrace "
			 "looks: " PY_NATIVE_ONLY,
			 c->rt->version, introduction, what);
		err = -ENOTSUP;
	}
	return err;
}

static bool is_familiar(const struct choice *c)
{
	return py_table__place(c->table, c->rt->size, c->rt->large_mutexes);
}

/*
 * The count of code objects is never told, and nothing would show that another number is in its
 * place: only builds that were seen have it, if they agree with the table in all that they tell.
 */
static void trust_count(struct choice *c, unsigned int differences)
{
	if (differences || !is_familiar(c))
		c->off.interp_code_count = PY_NO_OFFSET;
}

/* A newer one: with the newest offsets there are, and all that it tells of itself. */
static int choose_newer(struct choice *c)
{
	uint32_t newest = py_table__newest();
	unsigned int differences;
	char newer[96];
	int err;

	snprintf(newer, sizeof(newer), "is newer than %u.%u, the newest that this cowtrace knows",
		 newest >> 8, newest & 0xff);
	c->off.version = version_of(c->rt);
	c->off.interp_code_count = PY_NO_OFFSET;
	err = ask_interpreter(c, &differences);
	/* Never told, but right behind the list of all in 3.8 to 3.15. */
	c->off.runtime_interpreters_main = c->off.runtime_interpreters_head + 8;
	if (!err)
		err = check_bounds(c);
	if (!err)
		err = prove(c, newer);
	else if (err == -EPROTO || err == -ENOTSUP) {
		snprintf(c->why, c->why_size,
			 "CPython %s %s, and its own offsets do not pass the "
			 "checks: " PY_NATIVE_ONLY,
			 c->rt->version, newer);
		err = -ENOTSUP;
	}
	if (!err)
		snprintf(c->why, c->why_size, "CPython %s %s: its own offsets passed every check",
			 c->rt->version, newer);
	return err;
}

static int choose_told(struct choice *c)
{
	unsigned int differences;
	size_t len;
	int err = ask_interpreter(c, &differences);

	trust_count(c, differences);
	if (!err)
		err = check_bounds(c);
	if (err || !differences)
		return err;
	len = strlen(c->why);
	if (differences > 1)
		snprintf(c->why + len, c->why_size - len,
			 " (and %u more): its own offsets are used", differences - 1);
	else
		snprintf(c->why + len, c->why_size - len, ": its own offset is used");
	return 0;
}

/*
 * Up to 3.12 nothing is told. The size of _PyRuntime says whether such a build has been seen. Up to
 * 3.10, where it holds no interpreter and no objects, another size is worth a note.
 */
static int choose_untold(struct choice *c)
{
	bool familiar = is_familiar(c);
	int err;

	if (c->rt->trace_refs)
		shift_objects(&c->off);
	err = check_bounds(c);
	if (!err && (!familiar || c->rt->trace_refs))
		err = prove(c, c->rt->trace_refs ? "was built with Py_TRACE_REFS"
						 : "is a build that cowtrace has not seen");
	if (!err && !familiar && c->rt->size && version_of(c->rt) <= 0x030a)
		snprintf(c->why, c->why_size,
			 "CPython %s: its _PyRuntime has %llu bytes, cowtrace knows %u; its memory "
			 "passed every check",
			 c->rt->version, (unsigned long long)c->rt->size,
			 c->table->mains[0].runtime_size +
				 (c->rt->large_mutexes ? c->table->shift.runtime_size : 0));
	return err;
}

int py_offsets__choose(const struct mem_source *mem, const struct py_runtime *rt,
		       struct py_offsets *out, char *why, size_t why_size)
{
	struct choice c = {
		.mem = mem, .rt = rt, .table = find_table(rt), .why = why, .why_size = why_size};
	int err;

	why[0] = '\0';
	err = check_kind(&c);
	if (err)
		return err;
	c.off = c.table->offsets;
	if (rt->large_mutexes)
		shift_mutexes(&c.off, &c.table->shift);
	if (is_newer(rt))
		err = choose_newer(&c);
	else
		err = c.table->debug_size ? choose_told(&c) : choose_untold(&c);
	if (!err)
		*out = c.off;
	return err;
}
