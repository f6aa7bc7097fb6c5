// SPDX-License-Identifier: MIT
/*
 * Offsets computed with offsetof() from the internal headers (Py_BUILD_CORE) of the versions named,
 * x86-64, GIL builds. A later patch release of the same minor is accepted: of the members that are
 * used none moved in any pair compared (3.11.2 to 3.11.7, 3.12.0 to 3.12.1, 3.13.0 to 3.13.18), and
 * none moves with Py_DEBUG. The main interpreter does move, so it has its own evidence.
 */
#include "python/tables.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Members that follow each other and are used as a block: see include/cowtrace/pylayout.h. */
#define DATASTACK(chunk) .tstate_datastack_chunk = (chunk)
#define CODE_NAMES(filename)                                                                       \
	.code_filename = (filename), .code_name = (filename) + 8,                                  \
	.code_qualname = (filename) + 16, .code_linetable = (filename) + 24

/* PyObject, PyVarObject, PyTypeObject, PyBytesObject: the same in 3.8 to 3.15, GIL builds. */
#define OBJECTS                                                                                    \
	.object_type = 8, .object_size = 16, .type_name = 24, .type_basicsize = 32,                \
	.type_itemsize = 40, .type_flags = 168, .str_length = 16, .str_state = 32,                 \
	.str_kind_shift = 2, .bytes_data = 32

#define DEBUG_SUM(at_, plus_, member)                                                              \
	{                                                                                          \
		.at = (at_), .plus = (plus_), .field = offsetof(struct py_offsets, member),        \
		.name = #member                                                                    \
	}
#define DEBUG(at, member) DEBUG_SUM(at, 0, member)

/* 3.13.0 to 3.13.18: positions of the members inside _Py_DebugOffsets. */
static const struct py_debug_field debug_3_13[] = {
	DEBUG(40, runtime_interpreters_head),
	DEBUG(72, interp_threads_head),
	DEBUG_SUM(80, 576, interp_gc_collecting), /* interpreter_state.gc + gc.collecting */
	DEBUG(168, tstate_next),
	DEBUG(176, tstate_interp),
	DEBUG(184, tstate_current_frame),
	DEBUG(192, tstate_thread_id),
	DEBUG(208, tstate_datastack_chunk),
	DEBUG(232, frame_previous),
	DEBUG(240, frame_code),
	DEBUG(248, frame_instr),
	DEBUG(264, frame_owner),
	DEBUG(280, code_filename),
	DEBUG(288, code_name),
	DEBUG(296, code_qualname),
	DEBUG(304, code_linetable),
	DEBUG(312, code_firstlineno),
	DEBUG(344, code_adaptive),
	DEBUG(360, object_type),
	DEBUG(376, type_name),
	DEBUG(392, type_flags),
	DEBUG(520, object_size),
	DEBUG(528, bytes_data),
	DEBUG(544, str_state),
	DEBUG(552, str_length),
	DEBUG(560, str_ascii_data), /* sizeof(PyASCIIObject): data follows it */
};

static const struct py_table tables[] = {
	{
		.offsets =
			{
				/* 3.11.2, 3.11.7 */
				.version = 0x030b,
				.runtime_interpreters_head = 40,
				.runtime_interpreters_main = 48,
				.runtime_tstate_current = 576,
				.runtime_tss_key = 596,
				.interp_threads_head = 16,
				.interp_gc_collecting = 848,
				.tstate_next = 8,
				.tstate_interp = 16,
				.tstate_thread_id = 152,
				.tstate_current_frame = PY_NO_OFFSET,
				.tstate_cframe = 56,
				DATASTACK(296),
				.cframe_current_frame = 8,
				.frame_code = 32,
				.frame_previous = 48,
				.frame_instr = 56,
				.frame_owner = 69,
				CODE_NAMES(112),
				.code_firstlineno = 72,
				.code_firsttraceable = 168,
				.code_adaptive = 184,
				.code_warmup = 52,
				OBJECTS,
				.type_preheader_flags = 1 << 4, /* MANAGED_DICT */
				.str_ascii_data = 48,
				.str_compact_data = 72,
				.pymalloc_pool_size = 16384,
			},
		.mains = {{166688, 58936}}, /* also with Py_DEBUG */
	},
	{
		.offsets =
			{
				/* 3.12.0, 3.12.1 */
				.version = 0x030c,
				.runtime_interpreters_head = 40,
				.runtime_interpreters_main = 48,
				.runtime_tstate_current = PY_NO_OFFSET,
				.runtime_tss_key = 1548,
				.interp_threads_head = 72,
				.interp_gc_collecting = 312,
				.tstate_next = 8,
				.tstate_interp = 16,
				.tstate_thread_id = 136,
				.tstate_current_frame = PY_NO_OFFSET,
				.tstate_cframe = 56,
				DATASTACK(232),
				.cframe_current_frame = 0,
				.frame_code = 0,
				.frame_previous = 8,
				.frame_instr = 56,
				.frame_owner = 70,
				CODE_NAMES(112),
				.code_firstlineno = 68,
				.code_firsttraceable = 176,
				.code_adaptive = 192,
				.code_warmup = PY_NO_OFFSET,
				OBJECTS,
				.type_preheader_flags =
					1 << 4 | 1 << 3, /* MANAGED_DICT, MANAGED_WEAKREF */
				.str_ascii_data = 40,
				.str_compact_data = 56,
				.pymalloc_pool_size = 16384,
			},
		/* 3.12.0; 3.12.1; 3.12.1 with Py_DEBUG */
		.mains = {{459888, 76368}, {459944, 76392}, {475960, 92392}},
	},
	{
		.offsets =
			{
				/* 3.13.0, 3.13.5, 3.13.18 */
				.version = 0x030d,
				.runtime_interpreters_head = 632,
				.runtime_interpreters_main = 640,
				.runtime_tstate_current = PY_NO_OFFSET,
				.runtime_tss_key = 2164,
				.interp_threads_head = 7344,
				.interp_gc_collecting = 7600,
				.tstate_next = 8,
				.tstate_interp = 16,
				.tstate_thread_id = 152,
				.tstate_current_frame = 72,
				.tstate_cframe = PY_NO_OFFSET,
				DATASTACK(232),
				.cframe_current_frame = PY_NO_OFFSET,
				.frame_code = 0,
				.frame_previous = 8,
				.frame_instr = 56,
				.frame_owner = 70,
				CODE_NAMES(112),
				.code_firstlineno = 68,
				.code_firsttraceable = 184,
				.code_adaptive = 200,
				.code_warmup = PY_NO_OFFSET,
				OBJECTS,
				.type_preheader_flags =
					1 << 4 | 1 << 3, /* MANAGED_DICT, MANAGED_WEAKREF */
				.str_ascii_data = 40,
				.str_compact_data = 56,
				.pymalloc_pool_size = 16384,
			},
		.debug_size = 584,
		.debug_runtime_size = 24,
		.debug_interp_size = 48,
		.debug = debug_3_13,
		.n_debug = ARRAY_LEN(debug_3_13),
	},
};

const struct py_table *py_table__find(uint32_t version)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (tables[i].offsets.version == version)
			return &tables[i];
	return NULL;
}

uint32_t py_table__oldest(void)
{
	return tables[0].offsets.version;
}

uint32_t py_table__newest(void)
{
	return tables[ARRAY_LEN(tables) - 1].offsets.version;
}
