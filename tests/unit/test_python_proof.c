// SPDX-License-Identifier: MIT
/* Offsets that nobody has compared with the real thing: newer versions, unfamiliar builds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/types.h>
#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "proc/mem.h"
#include "python_world.h"

#define STILL "copies are counted, with native symbols only"

static struct world *world__new(const struct py_offsets *off, uint32_t hexversion, const char *text)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->rt = runtime_of(hexversion, text);
	world__fill(w, off);
	return w;
}

static void tell_world(struct world *w, const struct py_offsets *off)
{
	uint64_t block[PY_DEBUG_MAX / 8];

	debug__fill(block, PY_DEBUG_COLUMNS - 1, off, w->rt.hexversion, w->rt.free_threaded);
	memcpy(w->runtime, block, 888);
}

static void check_newer(bool free_threaded, const char *text, const char *note)
{
	const struct py_table *table =
		free_threaded ? py_table__find_free_threaded(0x030f) : py_table__find(0x030f);
	struct py_offsets off = table->offsets, chosen;
	struct world *w;

	off.version = 0x0310;
	off.tstate_thread_id += 16;
	off.code_filename += 8;
	off.code_name += 8;
	off.code_qualname += 8;
	off.code_linetable += 8;
	off.runtime_interpreters_head += 64;
	off.runtime_interpreters_main += 64;
	w = world__new(&off, 0x031000a1, text);
	w->rt.free_threaded = free_threaded;
	w->rt.size = table->mains[0].runtime_size; /* by chance */
	tell_world(w, &off);
	off.interp_code_count = PY_NO_OFFSET;
	chosen = accepted(&w->rt, note);
	assert_memory_equal(&chosen, &off, sizeof(off));
	free(w);
}

static void test_newer(void **state)
{
	(void)state;
	check_newer(false, "3.16.0a1",
		    "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace knows: its "
		    "own offsets passed every check");
	check_newer(true, "3.16.0a1t",
		    "CPython 3.16.0a1t is newer than 3.15, the newest that this cowtrace knows: "
		    "its own offsets passed every check");
}

#define NEWER "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace knows, and its "

static struct world *newer_world(void)
{
	struct py_offsets off = py_table__find(0x030f)->offsets;
	struct world *w;

	off.version = 0x0310;
	w = world__new(&off, 0x031000a1, "3.16.0a1");
	tell_world(w, &off);
	return w;
}

static void test_newer_insane(void **state)
{
	struct world *w = newer_world();

	(void)state;
	w->runtime[0] ^= 1;
	refused(&w->rt, -ENOTSUP, NEWER "own offsets do not pass the checks: " STILL);
	w->runtime[0] ^= 1;
	w->runtime[384 + 2] = 1; /* co_filename far out */
	refused(&w->rt, -ENOTSUP, NEWER "own offsets do not pass the checks: " STILL);
	w->runtime[384 + 2] = 0;
	w->runtime[312] = 136; /* a larger frame than BPF reads */
	refused(&w->rt, -ENOTSUP, NEWER "own offsets do not pass the checks: " STILL);
	free(w);
}

/* Each step from the runtime to the code is refused when it is broken. */
static void test_newer_not_proven(void **state)
{
	struct world *w = newer_world();
	const struct py_offsets *off = &w->off;

	(void)state;
	world__put(w->tstate, off->tstate_interp, w->code);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a thread that does not lead back to its interpreter where "
		      "cowtrace looks: " STILL);
	world__put(w->tstate, off->tstate_interp, w->interp);
	world__put(w->tstate, off->tstate_thread_id, NULL);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a thread without an identifier where cowtrace looks: " STILL);
	world__put(w->tstate, off->tstate_thread_id, w);
	world__put(w->code, off->object_type, w->metatype);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a frame whose code is an object of another type where cowtrace "
		      "looks: " STILL);
	world__put(w->code, off->object_type, w->name);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a frame whose code is no object where cowtrace looks: " STILL);
	world__put(w->code, off->object_type, w->code_type);
	world__put(w->code, off->code_name, w->code);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a code object without a name where cowtrace looks: " STILL);
	world__put(w->code, off->code_name, w->name);
	world__put(w->frame, off->frame_previous, (void *)7);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a chain of frames that is broken where cowtrace looks: " STILL);
	/* A chain that goes round is followed for a while only. */
	world__put(w->frame, off->frame_previous, w->frame);
	accepted(&w->rt, "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace "
			 "knows: its own offsets passed every check");
	world__put(w->frame, off->frame_code, NULL);
	w->frame[off->frame_owner] = 3; /* a shim, which proves nothing */
	refused(&w->rt, -EAGAIN, "CPython 3.16.0a1 has not begun to run Python code");
	world__put(w->tstate, off->tstate_current_frame, NULL);
	accepted(&w->rt, "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace "
			 "knows: its own offsets passed every check");
	free(w);
}

/* Asked too early: the answer may be another one later. */
static void test_not_begun(void **state)
{
	struct world *w = newer_world();

	(void)state;
	world__put(w->interp, w->off.interp_threads_head, NULL);
	refused(&w->rt, -EAGAIN, "CPython 3.16.0a1 has not begun to run Python code");
	world__put(w->runtime, w->off.runtime_interpreters_head, NULL);
	refused(&w->rt, -EAGAIN, "CPython 3.16.0a1 has not begun to run Python code");
	free(w);
}

/* Builds of versions that tell nothing, with a runtime of another size. */
static void test_unfamiliar(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) && rows[i].runtime_size; i++) {
		const struct py_offsets *off = &table_of(&rows[i])->offsets;
		struct world *w = world__new(off, rows[i].hexversion, "3.x");
		struct py_offsets chosen;
		char note[256] = "";

		w->rt.size = rows[i].runtime_size + 8;
		if (rows[i].version <= 0x030a)
			snprintf(note, sizeof(note),
				 "CPython 3.x: its _PyRuntime has %u bytes, cowtrace knows %u; its "
				 "memory passed every check",
				 rows[i].runtime_size + 8, rows[i].runtime_size);
		chosen = accepted(&w->rt, note);
		assert_memory_equal(&chosen, off, sizeof(chosen));
		w->rt.size = 0;
		accepted(&w->rt, "");
		world__put(w->tstate, off->tstate_interp, NULL);
		refused(&w->rt, -ENOTSUP,
			"CPython 3.x is a build that cowtrace has not seen, and its memory has a "
			"thread that does not lead back to its interpreter where cowtrace "
			"looks: " STILL);
		free(w);
	}
}

static void test_trace_refs(void **state)
{
	struct py_offsets off = py_table__find(0x030b)->offsets, shifted = off, chosen;
	struct world *w;

	(void)state;
	shifted.object_type += 16;
	shifted.type_name += 16;
	shifted.type_basicsize += 16;
	shifted.type_flags += 16;
	shifted.code_name += 16;
	shifted.code_filename += 16;
	shifted.str_length += 16;
	shifted.str_state += 16;
	shifted.str_ascii_data += 16;
	w = world__new(&shifted, 0x030b02f0, "3.11.2");
	w->rt.size = 166688;
	w->rt.trace_refs = true;
	chosen = accepted(&w->rt, "");
	assert_int_equal(chosen.object_refcount, 16);
	assert_int_equal(chosen.object_head, 32);
	assert_int_equal(chosen.tuple_items, 40);
	assert_int_equal(chosen.code_adaptive, 200);
	assert_int_equal(chosen.frame_code, off.frame_code);
	assert_int_equal(chosen.tstate_cframe, off.tstate_cframe);
	assert_int_equal(chosen.str_kind_shift, off.str_kind_shift);
	assert_int_equal(chosen.type_preheader_flags, off.type_preheader_flags);
	assert_int_equal(chosen.keys_usable, off.keys_usable);
	assert_int_equal(chosen.code_version, PY_NO_OFFSET);
	free(w);
	w = world__new(&off, 0x030b02f0, "3.11.2");
	w->rt.size = 166688;
	w->rt.trace_refs = true;
	refused(&w->rt, -ENOTSUP,
		"CPython 3.11.2 was built with Py_TRACE_REFS, and its memory has a frame whose "
		"code "
		"is no object where cowtrace looks: " STILL);
	w->rt = runtime_of(0x030902f0, "3.9.2");
	w->rt.trace_refs = true;
	refused(&w->rt, -ENOTSUP,
		"CPython 3.9.2 has larger structures than cowtrace can read: " STILL);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_newer_insane),
		cmocka_unit_test(test_newer_not_proven),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_unfamiliar),
		cmocka_unit_test(test_trace_refs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
