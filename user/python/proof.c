// SPDX-License-Identifier: MIT
#include "python/proof.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proc/mem.h"
#include "python/object.h"
#include "python/offsets.h"

/* The process runs on meanwhile, and what is read can be torn: so often at most. */
#define MAX_ATTEMPTS 8
#define MAX_THREADS  4
#define MAX_FRAMES   8

/* From this owner on a frame is a shim without code of its own (3.12 to 3.15). */
#define OWNER_SHIM 3

struct proof {
	const struct mem_source *mem;
	const struct py_offsets *off;
	const char *what;
	unsigned int shims, codes; /* frames seen without code, and with */
};

static int refute(struct proof *p, const char *what)
{
	p->what = what;
	return -EINVAL;
}

/* A pointer to something: false if it can not be read or is no pointer. */
static bool read_pointer(const struct proof *p, uint64_t address, uint64_t *out)
{
	return !mem__read_u64(p->mem, address, out) && !(*out & 7);
}

static int check_code(struct proof *p, uint64_t code)
{
	struct py_type *type = NULL;
	uint64_t address, name;
	char text[64];
	bool ok;

	if (!read_pointer(p, code + p->off->object_type, &address) ||
	    py_type__read(p->mem, p->off, address, &type))
		return refute(p, "a frame whose code is no object");
	ok = !strcmp(type->name, "code");
	py_type__free(type);
	if (!ok)
		return refute(p, "a frame whose code is an object of another type");
	if (!read_pointer(p, code + p->off->code_filename, &name) ||
	    py_str__read(p->mem, p->off, name, text, sizeof(text)) < 0 ||
	    !read_pointer(p, code + p->off->code_name, &name) ||
	    py_str__read(p->mem, p->off, name, text, sizeof(text)) <= 0)
		return refute(p, "a code object without a name");
	return 0;
}

static int check_frame(struct proof *p, uint64_t frame)
{
	uint8_t owner = 0;
	uint64_t code;

	if (p->off->frame_owner != PY_NO_OFFSET &&
	    mem__read(p->mem, frame + p->off->frame_owner, &owner, 1))
		return refute(p, "a frame that can not be read");
	if (owner >= OWNER_SHIM) {
		p->shims++;
		return 0;
	}
	p->codes++;
	if (mem__read_u64(p->mem, frame + p->off->frame_code, &code))
		return refute(p, "a frame that can not be read");
	return check_code(p, p->off->version >= 0x030e ? code & ~3ull : code); /* 3.14: tagged */
}

static bool read_leaf(const struct proof *p, uint64_t tstate, uint64_t *frame)
{
	const struct py_offsets *off = p->off;
	uint64_t cframe;

	if (off->tstate_frame != PY_NO_OFFSET)
		return read_pointer(p, tstate + off->tstate_frame, frame);
	if (off->tstate_current_frame != PY_NO_OFFSET)
		return read_pointer(p, tstate + off->tstate_current_frame, frame);
	return read_pointer(p, tstate + off->tstate_cframe, &cframe) && cframe &&
	       read_pointer(p, cframe + off->cframe_current_frame, frame);
}

/* A thread that has just begun, or is about to end, has no frame. */
static int check_frames(struct proof *p, uint64_t tstate)
{
	uint64_t frame;
	int err = 0;

	if (!read_leaf(p, tstate, &frame))
		return refute(p, "a thread without a pointer to frames");
	for (unsigned int i = 0; frame && i < MAX_FRAMES && !err; i++) {
		err = check_frame(p, frame);
		if (!err && !read_pointer(p, frame + p->off->frame_previous, &frame))
			err = refute(p, "a chain of frames that is broken");
	}
	return err;
}

static int check_thread(struct proof *p, uint64_t tstate, uint64_t interp)
{
	uint64_t back, id;

	if (!read_pointer(p, tstate + p->off->tstate_interp, &back) || back != interp)
		return refute(p, "a thread that does not lead back to its interpreter");
	if (mem__read_u64(p->mem, tstate + p->off->tstate_thread_id, &id) || !id)
		return refute(p, "a thread without an identifier");
	return check_frames(p, tstate);
}

static int check_once(struct proof *p, uint64_t runtime)
{
	const struct py_offsets *off = p->off;
	uint64_t interp, main_interp, tstate;
	int err = 0;

	if (!read_pointer(p, runtime + off->runtime_interpreters_head, &interp) ||
	    !read_pointer(p, runtime + off->runtime_interpreters_main, &main_interp))
		return refute(p, "a runtime without a pointer to interpreters");
	if (!interp || !main_interp)
		return -EAGAIN;
	if (!read_pointer(p, main_interp + off->interp_threads_head, &tstate))
		return refute(p, "an interpreter without a pointer to threads");
	if (!tstate)
		return -EAGAIN;
	for (unsigned int i = 0; tstate && i < MAX_THREADS && !err; i++) {
		err = check_thread(p, tstate, main_interp);
		if (!err && !read_pointer(p, tstate + off->tstate_next, &tstate))
			err = refute(p, "a list of threads that is broken");
	}
	/* A wrong pointer to frames may lead to the shim that 3.15 keeps in each thread state. */
	return !err && p->shims && !p->codes ? -EAGAIN : err;
}

int py_proof__check(const struct mem_source *mem, const struct py_offsets *off, uint64_t runtime,
		    const char **what)
{
	struct proof p = {.mem = mem, .off = off};
	int err = -EINVAL;

	for (unsigned int i = 0; i < MAX_ATTEMPTS && err == -EINVAL; i++)
		err = check_once(&p, runtime);
	*what = p.what;
	return err;
}
