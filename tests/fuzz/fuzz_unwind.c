// SPDX-License-Identifier: MIT
// link: user/python/code.c user/python/object.c user/python/lnotab.c user/python/location_table.c
// link: user/python/layout.c user/python/tables.c user/python/offsets.c user/python/proof.c
// link: user/python/debug_offsets.c user/python/keys.c user/python/mimalloc.c user/event/decode.c
// link: user/python/activity.c user/proc/mem_pages.c user/base/utf8.c -Itests/bpf_host -Ibpf
// link: -lcmocka -fno-sanitize=alignment -Wno-unknown-attributes
/*
 * The memory of a real interpreter of any version, damaged: cycles, wild pointers, huge lengths.
 * The walk of the BPF programs ends, with a reason and after few reads; what it has sent can be
 * decoded; and all that the daemon reads of it ends, too.
 */
#include "damage.h"

#include "base/utf8.h"
#include "python/activity.h"
#include "python/keys.h"
#include "python/mimalloc.h"
#include "python/object.h"
#include "python/proof.h"

/* What the daemon reads of one code object, type or string. */
#define DAEMON_READS_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_few_reads(void)
{
	expect(shim.n_reads <= DAEMON_READS_MAX, "too many reads of the daemon");
	shim.n_reads = 0;
}

static void read_code(const struct mem_source *mem, const struct py_offsets *off,
		      const struct ct_frame *frame, const uint32_t *check)
{
	struct py_code *code;
	int err = py_code__read(mem, off, frame->code, check, &code);

	expect_few_reads();
	if (err)
		return;
	expect(py_code__line(code, off, frame->offset) <= INT32_MAX, "a line out of range");
	for (uint32_t at = 2; at < 512; at += at)
		expect(py_code__line(code, off, at) <= INT32_MAX, "a line out of range");
	expect(!code->file || strlen(code->file) <= NAME_MAX_BYTES, "a long name");
	py_code__free(code);
}

static void read_frame(const struct py_offsets *off, const struct ct_frame *frame)
{
	const struct ct_memory *sent = recorded__sent(frame);
	struct mem_source mem = recorded__source();
	struct mem_chunk chunks[CT_MEMORY_CHUNKS];

	read_code(&mem, off, frame, &frame->check);
	read_code(&mem, off, frame, NULL);
	if (!sent)
		return;
	recorded__chunks(sent, chunks);
	mem.n_chunks = CT_MEMORY_CHUNKS;
	mem.chunks = chunks;
	read_code(&mem, off, frame, &frame->check);
	mem.n = 0;
	read_code(&mem, off, frame, &frame->check);
}

static void read_stack(const struct py_offsets *off, const struct thread *t)
{
	const struct ct_frame *frames = t->stack.frames;

	for (uint32_t i = 0; i < t->py.nframes; i++)
		if (!i || frames[i].code != frames[i - 1].code) /* no recursion */
			read_frame(off, &frames[i]);
}

/* Whatever an address may be of. */
static void read_object(const struct py_offsets *off, uint64_t address)
{
	struct mem_source mem = recorded__source();
	uint8_t head[PY_KEYS_HEAD];
	char text[NAME_MAX_BYTES + 1];
	struct mi_block block;
	struct py_keys keys;
	struct py_type *type;

	if (!py_type__read(&mem, off, address, &type))
		py_type__free(type);
	expect_few_reads();
	expect(py_str__read(&mem, off, address, text, sizeof(text)) <= NAME_MAX_BYTES,
	       "a long text");
	expect_few_reads();
	mimalloc__find(&mem, off, address, &block);
	expect_few_reads();
	if (!mem__read(&mem, address, head, sizeof(head)))
		py_keys__parse(off, head, &keys);
}

static void read_objects(const struct py_offsets *off, const struct thread *t)
{
	for (uint32_t i = 0; i < t->py.nframes && i < 4; i++) {
		uint64_t code = t->stack.frames[i].code;

		read_object(off, user__get(code + off->object_type));
		read_object(off, user__get(code + off->code_filename));
		read_object(off, user__get(code + off->code_name));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct thread t;
	struct mem_source mem = recorded__source();
	struct input in = {data, size};
	const struct original *o = original__choose(&in);
	struct recording rec = o->rec;
	uint64_t pointer = rec.threads[input__take(&in, 1) % rec.n_threads].pointer;
	const char *what;
	char why[512];

	damage__chain(&in, o);
	damage(&in, o->reads, o->n_reads);
	recording__choose(&rec, why, sizeof(why));
	recording__store_layout(&rec);
	expect_bounded_walk(&t, pointer);
	read_stack(&rec.off, &t);
	read_objects(&rec.off, &t);
	py_proof__check(&mem, &rec.off, rec.rt.runtime, &what);
	py_activity__runs(&mem, &rec.off, rec.rt.runtime);
	shim__reset();
	return 0;
}
