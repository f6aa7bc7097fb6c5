/* SPDX-License-Identifier: MIT */
/* Is the stack that is read of a recording what the interpreter said of it? */
#ifndef COWTRACE_TESTS_COMPARE_H
#define COWTRACE_TESTS_COMPARE_H

#include "recording.h"

/* How code objects can be read. */
enum reading {
	READ_PROCESS,
	READ_CHUNKS, /* from what the BPF side has sent */
	READ_GONE,   /* that alone: the process has ended */
	READINGS,
};

struct comparison {
	const struct recording *rec;
	const struct recorded_thread *said;
	enum reading reading;
	unsigned int frames; /* that were as said */
	char why[400];	     /* "": all as it was said */
};

static inline int compare__read(const struct comparison *c, const struct ct_frame *frame,
				struct py_code **out)
{
	const struct ct_memory *sent = recorded__sent(frame);
	struct mem_source mem = recorded__source();
	struct mem_chunk chunks[CT_MEMORY_CHUNKS];

	if (!sent)
		return -ENOENT;
	recorded__chunks(sent, chunks);
	if (c->reading != READ_PROCESS) {
		mem.n_chunks = CT_MEMORY_CHUNKS;
		mem.chunks = chunks;
	}
	if (c->reading == READ_GONE)
		mem.n = 0;
	return py_code__read(&mem, &c->rec->off, frame->code, &frame->check, out);
}

static inline void compare__code(struct comparison *c, const struct py_code *code, uint32_t offset)
{
	uint32_t line = py_code__line(code, &c->rec->off, offset);
	const struct recorded_frame *said = &c->said->frames[c->frames];

	if (code->trampoline)
		return;
	if (c->frames >= c->said->n)
		snprintf(c->why, sizeof(c->why), "more than %u frames", c->said->n);
	else if (line != said->line || strcmp(code->file, said->file) ||
		 strcmp(code->function, said->function))
		snprintf(c->why, sizeof(c->why), "frame %u: %s %s:%u is said to be %s %s:%u",
			 c->frames, code->function, code->file, line, said->function, said->file,
			 said->line);
	else
		c->frames++;
}

static inline void compare__frame(struct comparison *c, const struct ct_frame *frame)
{
	struct py_code *code;
	int err = compare__read(c, frame, &code);

	if (err) {
		snprintf(c->why, sizeof(c->why), "code object of frame %u: %s", c->frames,
			 strerror(-err));
		return;
	}
	compare__code(c, code, frame->offset);
	py_code__free(code);
}

static inline void compare__thread(struct comparison *c)
{
	static struct thread t;

	recorded__walk(&t, c->said->pointer);
	if (t.event.unwind != CT_UNWIND_COMPLETE || !t.event.stack)
		snprintf(c->why, sizeof(c->why), "the walk ended with reason %u, after %u frames",
			 t.event.unwind, t.py.nframes);
	for (uint32_t i = 0; !c->why[0] && i < t.py.nframes; i++)
		compare__frame(c, &t.stack.frames[i]);
	if (!c->why[0] && c->frames != c->said->n)
		snprintf(c->why, sizeof(c->why), "%u frames of %u", c->frames, c->said->n);
}

/* All threads, in all ways. Returns how many frames were as said; why is "", or what was not. */
static inline unsigned int compare__stacks(const struct recording *rec, char *why, size_t size)
{
	struct comparison c;
	unsigned int frames = 0;

	why[0] = '\0';
	for (unsigned int i = 0; !why[0] && i < rec->n_threads * READINGS; i++) {
		c = (struct comparison){
			.rec = rec, .said = &rec->threads[i / READINGS], .reading = i % READINGS};
		compare__thread(&c);
		frames += c.frames;
		if (c.why[0])
			snprintf(why, size, "thread %u, way %u: %s", i / READINGS, i % READINGS,
				 c.why);
	}
	return frames;
}

#endif
