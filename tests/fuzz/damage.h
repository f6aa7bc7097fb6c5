/* SPDX-License-Identifier: MIT */
/* The recordings of tests/recorded, damaged as an input of a fuzzer says. */
#ifndef COWTRACE_TESTS_DAMAGE_H
#define COWTRACE_TESTS_DAMAGE_H

#include <glob.h>

#include "../recorded/recording.h"
#include "event/decode.h"

#define ORIGINALS 64
#define STEPS	  6 /* of damage, at most: more would leave nothing to be walked */

/* Of one recording as it was made. */
struct original {
	struct recording rec;
	struct shim_page *pages;
	size_t n_pages;
	struct shim_read *reads; /* what is worth to be damaged: what was read, and all frames */
	size_t n_reads;
	size_t first_frame;
};

static struct originals {
	size_t n;
	struct original all[ORIGINALS];
} originals;

/* A fuzzer's input is used up from its start; behind its end there are zeroes. */
struct input {
	const uint8_t *data;
	size_t size;
};

static inline void expect(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static inline uint64_t input__take(struct input *in, size_t bytes)
{
	uint64_t value = 0;

	bytes = bytes < in->size ? bytes : in->size;
	if (!bytes)
		return 0;
	memcpy(&value, in->data, bytes);
	in->data += bytes;
	in->size -= bytes;
	return value;
}

/* --- the recordings --- */

static inline bool is_noted(uint64_t from)
{
	for (size_t i = 0; i < shim.n_reads; i++)
		if (shim.reads[i].from == from)
			return true;
	return false;
}

/* The last of the reads: where the frames of a walk are. */
static inline size_t note_frames(struct thread *t, const struct ct_pylayout *lay, size_t n)
{
	uint64_t frame = t->py.leaf;

	t->py.frame = frame;
	t->py.nframes = 0;
	while (frame && frame__visit(t, lay, CT_MAX_FRAMES)) {
		expect(n < SHIM_READS, "too many frames");
		shim.reads[n++] = (struct shim_read){frame, lay->fr_size, false};
		shim.n_reads = n;
		frame = t->py.frame;
	}
	return n;
}

/* The same place is read many times: once is enough. */
static inline size_t drop_repeated_reads(void)
{
	size_t all = shim.n_reads;

	shim.n_reads = 0;
	for (size_t i = 0; i < all; i++)
		if (!is_noted(shim.reads[i].from))
			shim.reads[shim.n_reads++] = shim.reads[i];
	return shim.n_reads;
}

static inline void original__note_reads(struct original *o)
{
	static struct thread t;
	struct py_code *code;
	struct mem_source mem = recorded__source();
	size_t n;

	for (unsigned int i = 0; i < o->rec.n_threads; i++) {
		recorded__walk(&t, o->rec.threads[i].pointer);
		for (unsigned int k = 0; k < t.py.nframes; k++)
			if (!py_code__read(&mem, &o->rec.off, t.stack.frames[k].code, NULL, &code))
				py_code__free(code);
	}
	o->first_frame = n = drop_repeated_reads();
	for (unsigned int i = 0; i < o->rec.n_threads; i++) {
		recorded__walk(&t, o->rec.threads[i].pointer);
		n = note_frames(&t, &o->rec.lay, n);
	}
	o->n_reads = n;
	o->reads = calloc(o->n_reads, sizeof(o->reads[0]));
	expect(o->reads, "no memory");
	memcpy(o->reads, shim.reads, o->n_reads * sizeof(o->reads[0]));
}

static inline void original__load(struct original *o, const char *path)
{
	char why[512] = "";

	expect(recording__load(&o->rec, path), path);
	shim.n_reads = 0;
	recording__choose(&o->rec, why, sizeof(why));
	expect(!why[0], why);
	original__note_reads(o);
	o->n_pages = shim.n_pages;
	o->pages = calloc(o->n_pages, sizeof(o->pages[0]));
	expect(o->pages, "no memory");
	memcpy(o->pages, shim.pages, o->n_pages * sizeof(o->pages[0]));
	shim.n_pages = 0; /* they are ours now */
}

static inline void originals__load(void)
{
	const char *slash = strrchr(__FILE__, '/');
	char pattern[256];
	glob_t files;

	snprintf(pattern, sizeof(pattern), "%.*s/../recorded/*.mem",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	expect(!glob(pattern, 0, NULL, &files), "no recordings: run it in the source tree");
	for (size_t i = 0; i < files.gl_pathc && i < ORIGINALS; i++)
		original__load(&originals.all[originals.n++], files.gl_pathv[i]);
	globfree(&files);
}

/* The address space becomes that of one of them, as it was. */
static inline const struct original *original__choose(struct input *in)
{
	const struct original *o;

	if (!originals.n)
		originals__load();
	o = &originals.all[input__take(in, 1) % originals.n];
	shim__reset();
	for (size_t i = 0; i < o->n_pages; i++)
		memcpy(user__at(o->pages[i].address), o->pages[i].bytes, 4096);
	return o;
}

/* --- the damage --- */

static const uint64_t special[] = {0,		1,	    2,		3,	    7,
				   0xff,	0x1000,	    0x7fffffff, 0x80000000, 0xffffffff,
				   0x100000000, 1ull << 47, INT64_MAX,	1ull << 63, -8ull,
				   -2ull,	-1ull};

static inline uint64_t special__take(struct input *in)
{
	return special[input__take(in, 1) % (sizeof(special) / sizeof(special[0]))];
}

/* Something that was read. */
static inline uint64_t pointer__take(struct input *in, const struct shim_read *places, size_t n)
{
	return places[input__take(in, 2) % n].from;
}

/* A word of it. */
static inline uint64_t place__take(struct input *in, const struct shim_read *places, size_t n)
{
	const struct shim_read *r = &places[input__take(in, 2) % n];

	return r->from + input__take(in, 2) % (r->size / 8 + 1) * 8;
}

static inline uint64_t user__get(uint64_t address)
{
	uint64_t value = 0;

	user__copy((uint8_t *)&value, address, sizeof(value));
	return value;
}

/* Nothing is written where there is nothing. */
static inline void user__damage(uint64_t address, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (user__page(address + i))
			*user__at(address + i) = (uint8_t)(value >> 8 * i);
}

static inline void damage__step(struct input *in, const struct shim_read *places, size_t n)
{
	uint64_t kind = input__take(in, 1) % 8, at = place__take(in, places, n);

	if (kind == 0)
		user__damage(at, pointer__take(in, places, n), 8);
	else if (kind == 1)
		user__damage(at, input__take(in, 8), 8);
	else if (kind == 2)
		user__damage(at + input__take(in, 1) % 8, input__take(in, 1), 1);
	else if (kind == 3)
		user__damage(at, special__take(in), 8);
	else if (kind == 4)
		user__damage(at, user__get(at) + (int8_t)input__take(in, 1), 8);
	else if (kind == 5)
		user__damage(at + (input__take(in, 1) & 4), special__take(in), 4);
	else if (kind == 6)
		user__damage(at, user__get(place__take(in, places, n)), 8);
	else if (user__page(at))
		user__unmap(at);
}

static inline void damage(struct input *in, const struct shim_read *places, size_t n)
{
	for (int i = 0; i < STEPS && in->size; i++)
		damage__step(in, places, n);
}

/* A frame is the caller of any other one, of itself too. */
static inline void damage__chain(struct input *in, const struct original *o)
{
	const struct shim_read *frames = o->reads + o->first_frame;
	size_t n = o->n_reads - o->first_frame;

	for (uint64_t i = input__take(in, 1) % 4; i; i--) {
		uint64_t at = pointer__take(in, frames, n) + o->rec.lay.fr_previous;

		user__damage(at, pointer__take(in, frames, n), 8);
	}
}

/* --- what must hold, whatever is there --- */

/*
 * The kernel side reads this often, at most: on the way to the state; for each frame itself, its
 * place in the bytecode, the code object with two names and a table; and these once more to send
 * them.
 */
#define WALK_READS_MAX                                                                             \
	(16 + 3 * (MAX_THREADS + MAX_INTERPRETERS) + 14 * MAX_WALK + 12 * CT_MAX_FRAMES)

static inline void expect_bounded_walk(struct thread *t, uint64_t pointer)
{
	const union event *e;

	shim.n_reads = 0;
	recorded__walk(t, pointer);
	expect(shim.n_reads <= WALK_READS_MAX, "too many reads");
	expect(t->event.unwind < CT_UNWIND_MAX, "no reason");
	expect(t->py.nframes <= CT_MAX_FRAMES, "too many frames");
	expect(!t->event.stack || t->event.unwind != CT_UNWIND_NO_THREAD, "a stack of no thread");
	for (size_t i = 0; i < shim.n_records; i++)
		expect(!event__decode(&shim.records[i].tag, shim.records[i].size, &e),
		       "a record that the daemon refuses");
	shim.n_reads = 0;
}

#endif
