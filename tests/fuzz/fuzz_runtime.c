// SPDX-License-Identifier: MIT
// link: user/python/code.c user/python/object.c user/python/lnotab.c user/python/location_table.c
// link: user/python/layout.c user/python/tables.c user/python/offsets.c user/python/proof.c
// link: user/python/debug_offsets.c user/event/decode.c
// link: user/proc/mem_pages.c user/base/utf8.c -Itests/bpf_host -Ibpf -lcmocka
// link: -fno-sanitize=alignment -Wno-unknown-attributes
/*
 * A _PyRuntime that lies: any _Py_DebugOffsets, any version, also one that is newer than all that
 * are known. What is believed of it fits what the kernel side can read, and the walk ends. So it
 * does with a layout that nobody has checked.
 */
#include "damage.h"

#include "python/debug_offsets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum lie {
	LIE_NEWER = 1,	   /* the next version, in the file and in the memory */
	LIE_VERSION = 2,   /* any other, of which its memory may know nothing */
	LIE_FREE = 4,	   /* the other kind of build */
	LIE_SIZE = 8,	   /* _PyRuntime has a size that nobody has seen */
	LIE_LAYOUT = 16,   /* what the kernel side is given */
	LIE_ELSEWHERE = 32 /* the runtime is where something else is */
};

static void lie(struct recording *rec, unsigned int lies, struct input *in)
{
	struct py_runtime *rt = &rec->rt;

	if (lies & LIE_NEWER)
		rt->hexversion = 0x03100000;
	if (lies & LIE_VERSION)
		rt->hexversion = (uint32_t)input__take(in, 4);
	if (lies & (LIE_NEWER | LIE_VERSION))
		user__damage(rt->runtime + PY_DEBUG_VERSION, rt->hexversion, 8);
	if (lies & LIE_FREE) {
		rt->free_threaded ^= true;
		user__damage(rt->runtime + PY_DEBUG_FREE_THREADED, rt->free_threaded, 8);
	}
	if (lies & LIE_SIZE)
		rt->size = input__take(in, 4);
	if (lies & LIE_ELSEWHERE)
		rt->runtime = input__take(in, 8);
}

/* What the daemon gives to the kernel is within these bounds: see pylayout.h. */
static void expect_sane(const struct ct_pylayout *lay)
{
	expect(lay->fr_size <= CT_FRAME_READ_MAX && lay->fr_size % 8 == 0, "frame");
	expect(lay->fr_code + 8 <= lay->fr_size && lay->fr_previous + 8 <= lay->fr_size, "frame");
	expect(lay->code_size <= CT_CODE_READ_MAX, "code object");
	expect(lay->code_file + 8 <= lay->code_size && lay->code_table + 8 <= lay->code_size,
	       "code object");
	expect(lay->type_flags + 8 <= lay->type_name + 256, "type");
	expect(lay->ts_thread_id + 8 <= lay->ts_size && lay->ts_frame + 8 <= lay->ts_size, "state");
}

static void scribble(struct recording *rec, struct input *in)
{
	uint8_t *bytes = (uint8_t *)&rec->lay;

	for (int i = 0; i < 4 * STEPS && in->size > 2; i++) {
		size_t at = input__take(in, 1) % (sizeof(rec->lay) / 4) * 4;
		uint32_t value = (uint32_t)input__take(in, 4);

		memcpy(bytes + at, &value, sizeof(value));
	}
	bpf_map_update_elem(&layouts, &(uint32_t){RECORDED_SLOT}, &rec->lay, BPF_ANY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct thread t;
	struct input in = {data, size};
	const struct original *o = original__choose(&in);
	struct shim_read block = {.from = o->rec.rt.runtime, .size = PY_DEBUG_MAX};
	struct recording rec = o->rec;
	uint64_t pointer = rec.threads[0].pointer;
	unsigned int lies = (unsigned int)input__take(&in, 1);
	struct mem_source mem = recorded__source();
	char why[512];
	int err;

	lie(&rec, lies, &in);
	if (!(lies & LIE_LAYOUT))
		damage(&in, &block, 1);
	err = py_offsets__choose(&mem, &rec.rt, &rec.off, why, sizeof(why));
	expect(!err || why[0], "refused without a word");
	recording__store_layout(&rec);
	expect_sane(&rec.lay);
	if (lies & LIE_LAYOUT)
		scribble(&rec, &in);
	expect_bounded_walk(&t, pointer);
	shim__reset();
	return 0;
}
