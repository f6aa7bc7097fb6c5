// SPDX-License-Identifier: MIT
/* What the BPF programs need of a set of offsets. */
#include <string.h>

#include <linux/types.h>
#include <cowtrace/pylayout.h>

#include "python/offsets.h"
#include "python/runtime.h"

/* Far more than any function has; an instruction further out means that the frame was misread. */
#define CODE_SIZE_MAX (64u << 20)

static uint32_t or_zero(uint32_t offset)
{
	return offset == PY_NO_OFFSET ? 0 : offset;
}

/* How much must be read to have all of them, in words: each is an offset (or none) and its width.
 */
struct extent {
	uint32_t offset, width;
};

static uint32_t cover(const struct extent *members, size_t n)
{
	uint32_t end = 0;

	for (size_t i = 0; i < n; i++)
		if (members[i].offset != PY_NO_OFFSET && members[i].offset + members[i].width > end)
			end = members[i].offset + members[i].width;
	return (end + 7) & ~7u;
}

static uint32_t layout_flags(const struct py_offsets *off, const struct py_runtime *rt)
{
	uint32_t flags = 0;

	if (off->tstate_cframe != PY_NO_OFFSET)
		flags |= CT_PY_CFRAME;
	if (off->runtime_tstate_current != PY_NO_OFFSET)
		flags |= CT_PY_TSTATE_CURRENT;
	if (rt->pthread_specific && off->runtime_tss_key != PY_NO_OFFSET)
		flags |= CT_PY_TSS_GLIBC;
	if (off->version <= 0x030a) /* f_lasti: 3.8 and 3.9 in bytes, 3.10 in units */
		flags |= CT_PY_LASTI | (off->version == 0x030a ? CT_PY_LASTI_UNITS : 0);
	if (off->version >= 0x030e) /* 3.14: _PyStackRef */
		flags |= CT_PY_TAGGED;
	if (off->code_tlbc != PY_NO_OFFSET && off->frame_tlbc_index != PY_NO_OFFSET)
		flags |= CT_PY_TLBC;
	if (off->object_ref_shared != PY_NO_OFFSET)
		flags |= CT_PY_FREE_THREADED;
	return flags;
}

/* See ct_code_digest. The words that hold two ints hold two that never change. */
void py_offsets__code_words(const struct py_offsets *off, uint32_t out[CT_CODE_WORDS])
{
	uint32_t function = or_zero(off->code_qualname), first = off->code_firstlineno & ~7u;
	const uint32_t old[CT_CODE_WORDS] = {off->code_filename,       off->code_name,
					     off->code_linetable,      off->code_consts,
					     or_zero(off->code_bytes), first};
	const uint32_t without_version[CT_CODE_WORDS] = {off->code_filename, off->code_name,
							 function,	     off->code_linetable,
							 off->code_consts,   first};
	const uint32_t with_version[CT_CODE_WORDS] = {
		off->code_filename,  off->code_name,	      function,
		off->code_linetable, off->code_version & ~7u, off->code_consts};
	const uint32_t *words = off->code_version != PY_NO_OFFSET ? with_version
				: function			  ? without_version
								  : old;

	memcpy(out, words, sizeof(old));
}

static void fill_code(const struct py_offsets *off, struct ct_pylayout *out)
{
	uint32_t function = or_zero(off->code_qualname);
	const uint32_t *words = out->code_words;

	py_offsets__code_words(off, out->code_words);
	out->code_file = off->code_filename;
	out->code_name = function ? function : off->code_name;
	out->code_table = off->code_linetable;
	out->code_bytes = or_zero(off->code_bytes);
	out->code_adaptive = or_zero(off->code_adaptive);
	out->code_tlbc = out->flags & CT_PY_TLBC ? off->code_tlbc : 0;
	out->code_size_max = CODE_SIZE_MAX;
	out->code_size = cover((struct extent[]){{words[0], 8},
						 {words[1], 8},
						 {words[2], 8},
						 {words[3], 8},
						 {words[4], 8},
						 {words[5], 8},
						 {out->code_file, 8},
						 {out->code_name, 8},
						 {out->code_table, 8},
						 {off->code_bytes, 8},
						 {out->code_tlbc, 8}},
			       11);
}

static void fill_frame(const struct py_offsets *off, struct ct_pylayout *out)
{
	out->fr_code = off->frame_code;
	out->fr_func = or_zero(off->frame_func);
	if (off->frame_func != PY_NO_OFFSET)
		out->func_version = off->function_version;
	out->fr_previous = off->frame_previous;
	out->fr_instr = off->frame_instr;
	out->fr_owner = or_zero(off->frame_owner);
	out->fr_tlbc = out->flags & CT_PY_TLBC ? off->frame_tlbc_index : 0;
	out->fr_size = cover((struct extent[]){{off->frame_func, 8},
					       {off->frame_code, 8},
					       {off->frame_previous, 8},
					       {off->frame_instr, out->flags & CT_PY_LASTI ? 4 : 8},
					       {off->frame_owner, 1},
					       {out->fr_tlbc, 4}},
			     6);
}

static void fill_thread(const struct py_offsets *off, struct ct_pylayout *out)
{
	uint32_t frame = off->tstate_cframe != PY_NO_OFFSET	     ? off->tstate_cframe
			 : off->tstate_current_frame != PY_NO_OFFSET ? off->tstate_current_frame
								     : off->tstate_frame;

	out->ts_next = off->tstate_next;
	out->ts_interp = off->tstate_interp;
	out->ts_thread_id = off->tstate_thread_id;
	out->ts_frame = frame;
	out->ts_datastack = or_zero(off->tstate_datastack_chunk);
	out->cframe_current = or_zero(off->cframe_current_frame);
	out->ts_size = cover((struct extent[]){{off->tstate_next, 8},
					       {off->tstate_interp, 8},
					       {off->tstate_thread_id, 8},
					       {frame, 8},
					       {off->tstate_datastack_chunk, 24}},
			     5);
}

static void fill_tls(const struct py_runtime *rt, struct ct_pylayout *out)
{
	if (rt->attached.found) {
		out->flags |= CT_PY_TLS;
		out->tls_module = rt->attached.module;
		out->tls_offset = rt->attached.offset;
	}
	if (rt->bound.found) {
		out->flags |= CT_PY_TLS2;
		out->tls2_module = rt->bound.module;
		out->tls2_offset = rt->bound.offset;
	}
}

static void fill_runtime(const struct py_offsets *off, const struct py_runtime *rt,
			 struct ct_pylayout *out)
{
	out->runtime = rt->runtime;
	if (off->runtime_gc_collecting != PY_NO_OFFSET)
		out->gc_collecting = rt->runtime + off->runtime_gc_collecting;
	out->pool_size = or_zero(off->pymalloc_pool_size);
	out->rt_interpreters_head = off->runtime_interpreters_head;
	out->rt_tstate_current = or_zero(off->runtime_tstate_current);
	out->rt_tss_key = or_zero(off->runtime_tss_key);
	out->interp_next = off->interp_next;
	out->interp_threads_head = off->interp_threads_head;
	out->interp_gc_collecting = or_zero(off->interp_gc_collecting);
	out->interp_code_count = or_zero(off->interp_code_count);
	out->interp_id = or_zero(off->interp_id);
	if (out->interp_id)
		out->main_interpreter = rt->main_interpreter;
	out->self_below = rt->self_below;
	out->pthread_specific = out->flags & CT_PY_TSS_GLIBC ? rt->pthread_specific : 0;
}

static void fill_objects(const struct py_offsets *off, struct ct_pylayout *out)
{
	out->str_hash = off->str_hash;
	out->str_length = off->str_length;
	out->str_state = off->str_state;
	out->str_kind_shift = off->str_kind_shift;
	out->str_ascii_data = off->str_ascii_data;
	out->str_compact_data = off->str_compact_data;
	out->bytes_size = off->object_size;
	out->bytes_data = off->bytes_data;
	out->object_type = off->object_type;
	out->type_name = off->type_name;
	out->type_basicsize = off->type_basicsize;
	out->type_flags = off->type_flags;
}

void py_offsets__layout(const struct py_offsets *off, const struct py_runtime *rt,
			struct ct_pylayout *out)
{
	*out = (struct ct_pylayout){.version = off->version, .flags = layout_flags(off, rt)};
	fill_runtime(off, rt, out);
	fill_tls(rt, out);
	fill_thread(off, out);
	fill_frame(off, out);
	fill_code(off, out);
	fill_objects(off, out);
}
