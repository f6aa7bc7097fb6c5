// SPDX-License-Identifier: MIT
#include "python/offsets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/types.h>
#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "proc/mem.h"
#include "python/raw.h"
#include "python/runtime.h"
#include "python/tables.h"

/* What is left without offsets; ends each sentence that says why there are none. */
#define STILL "copies are counted, with native symbols only"

/* struct pthread.specific_1stblock of glibc on x86-64: values of the first 32 keys (2.36, 2.43). */
#define GLIBC_PTHREAD_SPECIFIC 784

/* Far more than any function has; an instruction further out means that the frame was misread. */
#define CODE_SIZE_MAX (64u << 20)

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
		snprintf(
			why, why_size,
			"CPython %s is older than %u.%u, the oldest that cowtrace explains: " STILL,
			rt->version, oldest >> 8, oldest & 0xff);
	else
		snprintf(why, why_size,
			 "CPython %s is newer than %u.%u, the newest that this cowtrace "
			 "knows: " STILL,
			 rt->version, newest >> 8, newest & 0xff);
	return -ENOTSUP;
}

/* Builds of a known version whose structures are others. */
static int unknown_build(const struct py_runtime *rt, char *why, size_t why_size)
{
	const char *what = NULL;

	if (!TABLES_FIT_MACHINE)
		what = "runs on a machine whose layout cowtrace does not know";
	else if (rt->free_threaded)
		what = "is a free-threaded build, which this cowtrace does not explain";
	else if (rt->trace_refs)
		what = "was built with Py_TRACE_REFS, which changes the layout of every object";
	if (!what)
		return 0;
	snprintf(why, why_size, "CPython %s %s: " STILL, rt->version, what);
	return -ENOTSUP;
}

/* The head of _Py_DebugOffsets: is it the interpreter that the file promised? */
static int check_debug_head(const uint8_t *block, const struct py_runtime *rt, char *why,
			    size_t why_size)
{
	uint64_t version = raw__u64(block, PY_DEBUG_VERSION);
	uint64_t free_threaded = raw__u64(block, PY_DEBUG_FREE_THREADED);

	if (memcmp(block, PY_DEBUG_COOKIE, PY_DEBUG_COOKIE_LEN))
		snprintf(why, why_size,
			 "CPython %s has no _Py_DebugOffsets where they must be: " STILL,
			 rt->version);
	else if (version != rt->hexversion)
		snprintf(why, why_size,
			 "CPython %s calls itself %#llx in its _Py_DebugOffsets: " STILL,
			 rt->version, (unsigned long long)version);
	else if (free_threaded != rt->free_threaded)
		snprintf(why, why_size,
			 "CPython %s contradicts itself on being free-threaded (%llu): " STILL,
			 rt->version, (unsigned long long)free_threaded);
	else
		return 0;
	return -EPROTO;
}

static int check_debug_fields(const struct py_table *table, const uint8_t *block,
			      const struct py_runtime *rt, char *why, size_t why_size)
{
	for (size_t i = 0; i < table->n_debug; i++) {
		const struct py_debug_field *f = &table->debug[i];
		uint32_t expected = raw__u32((const uint8_t *)&table->offsets, f->field);
		uint64_t told = raw__u64(block, f->at) + (f->plus ? raw__u64(block, f->plus) : 0);

		if (told == expected)
			continue;
		snprintf(why, why_size,
			 "CPython %s says that %s is at %llu, cowtrace knows %u: " STILL,
			 rt->version, f->name, (unsigned long long)told, expected);
		return -EPROTO;
	}
	return 0;
}

/* 3.13+ tell their own offsets: the table must agree with each that it shares. */
static int check_debug_offsets(const struct py_table *table, const struct mem_source *mem,
			       const struct py_runtime *rt, char *why, size_t why_size)
{
	uint8_t block[PY_DEBUG_MAX];
	int err;

	if (!table->debug_size)
		return 0;
	err = mem__read(mem, rt->runtime, block, table->debug_size);
	if (err) {
		snprintf(why, why_size, "the _Py_DebugOffsets of CPython %s could not be read: %s",
			 rt->version, strerror(-err));
		return err;
	}
	err = check_debug_head(block, rt, why, why_size);
	return err ? err : check_debug_fields(table, block, rt, why, why_size);
}

int py_offsets__choose(const struct mem_source *mem, const struct py_runtime *rt,
		       const struct py_offsets **out, char *why, size_t why_size)
{
	const struct py_table *table = py_table__find(rt->hexversion >> 16);
	int err;

	if (!table)
		return unknown_version(rt, why, why_size);
	err = unknown_build(rt, why, why_size);
	if (!err)
		err = check_debug_offsets(table, mem, rt, why, why_size);
	if (!err)
		*out = &table->offsets;
	return err;
}

static uint32_t or_zero(uint32_t offset)
{
	return offset == PY_NO_OFFSET ? 0 : offset;
}

static uint32_t layout_flags(const struct py_offsets *off, const struct py_runtime *rt)
{
	uint32_t flags = 0;

	if (off->tstate_cframe != PY_NO_OFFSET)
		flags |= CT_PY_CFRAME;
	if (off->runtime_tstate_current != PY_NO_OFFSET)
		flags |= CT_PY_TSTATE_CURRENT;
	if (rt->glibc && off->runtime_tss_key != PY_NO_OFFSET)
		flags |= CT_PY_TSS_GLIBC;
	return flags;
}

void py_offsets__code_words(const struct py_offsets *off, uint32_t out[CT_CODE_WORDS])
{
	const uint32_t words[CT_CODE_WORDS] = {
		off->code_filename,
		off->code_name,
		off->code_qualname,
		off->code_linetable,
		off->version < 0x030c ? off->code_firstlineno & ~7u : 88,
		24,
	};

	for (unsigned int i = 0; i < CT_CODE_WORDS; i++)
		out[i] = words[i];
}

void py_offsets__layout(const struct py_offsets *off, const struct py_runtime *rt,
			struct ct_pylayout *out)
{
	uint32_t flags = layout_flags(off, rt);

	*out = (struct ct_pylayout){
		.version = off->version,
		.flags = flags,
		.runtime = rt->runtime,
		.pool_size = off->pymalloc_pool_size,
		.rt_interpreters_head = off->runtime_interpreters_head,
		.rt_tstate_current = or_zero(off->runtime_tstate_current),
		.rt_tss_key = or_zero(off->runtime_tss_key),
		.interp_threads_head = off->interp_threads_head,
		.pthread_specific = flags & CT_PY_TSS_GLIBC ? GLIBC_PTHREAD_SPECIFIC : 0,
		.interp_gc_collecting = off->interp_gc_collecting,
		.ts_next = off->tstate_next,
		.ts_interp = off->tstate_interp,
		.ts_thread_id = off->tstate_thread_id,
		.ts_frame = flags & CT_PY_CFRAME ? off->tstate_cframe : off->tstate_current_frame,
		.ts_datastack = off->tstate_datastack_chunk,
		.cframe_current = or_zero(off->cframe_current_frame),
		.fr_size = 88,
		.fr_code = off->frame_code,
		.fr_previous = off->frame_previous,
		.fr_instr = off->frame_instr,
		.fr_owner = off->frame_owner,
		.code_size = 160,
		.code_file = off->code_filename,
		.code_name = off->code_qualname,
		.code_table = off->code_linetable,
		.code_adaptive = off->code_adaptive,
		.code_size_max = CODE_SIZE_MAX,
		.str_hash = 24,
		.str_length = off->str_length,
		.str_state = off->str_state,
		.str_kind_shift = off->str_kind_shift,
		.str_ascii_data = off->str_ascii_data,
		.str_compact_data = off->str_compact_data,
		.bytes_size = off->object_size,
		.bytes_data = off->bytes_data,
		.object_type = off->object_type,
		.type_name = off->type_name,
		.type_basicsize = off->type_basicsize,
		.type_flags = off->type_flags,
	};
	out->ts_size = off->tstate_datastack_chunk + 24;
	py_offsets__code_words(off, out->code_words);
}
