// SPDX-License-Identifier: MIT
#include "python/activity.h"

#include "proc/mem.h"
#include "python/offsets.h"

#define MAX_THREADS 64

/* From this owner on a frame is a shim without code of its own (3.12 to 3.15); 3.15's thread states
 * hold one that is always there. */
#define OWNER_SHIM 3

static uint64_t pointer_at(const struct mem_source *mem, uint64_t address)
{
	uint64_t pointer = 0;

	return mem__read_u64(mem, address, &pointer) ? 0 : pointer;
}

static uint64_t leaf_of(const struct mem_source *mem, const struct py_offsets *off, uint64_t tstate)
{
	uint64_t cframe;

	if (off->tstate_frame != PY_NO_OFFSET)
		return pointer_at(mem, tstate + off->tstate_frame);
	if (off->tstate_current_frame != PY_NO_OFFSET)
		return pointer_at(mem, tstate + off->tstate_current_frame);
	cframe = pointer_at(mem, tstate + off->tstate_cframe);
	return cframe ? pointer_at(mem, cframe + off->cframe_current_frame) : 0;
}

static bool is_shim(const struct mem_source *mem, const struct py_offsets *off, uint64_t frame)
{
	uint8_t owner = 0;

	if (off->version < 0x030c || off->frame_owner == PY_NO_OFFSET)
		return false;
	return mem__read(mem, frame + off->frame_owner, &owner, 1) || owner >= OWNER_SHIM;
}

bool py_activity__runs(const struct mem_source *mem, const struct py_offsets *off, uint64_t runtime)
{
	uint64_t interp = pointer_at(mem, runtime + off->runtime_interpreters_main);
	uint64_t tstate = interp ? pointer_at(mem, interp + off->interp_threads_head) : 0, frame;

	for (unsigned int i = 0; tstate && i < MAX_THREADS; i++) {
		frame = leaf_of(mem, off, tstate);
		if (frame && !is_shim(mem, off, frame))
			return true;
		tstate = pointer_at(mem, tstate + off->tstate_next);
	}
	return false;
}
