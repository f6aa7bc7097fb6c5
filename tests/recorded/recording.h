/* SPDX-License-Identifier: MIT */
/*
 * Memory of real interpreters that was read once to walk the stacks of their threads, and what they
 * said themselves of these stacks. Read again through the same code: that of the BPF programs
 * through shim.h, that of the daemon through its own mem.c, under which lies the fake address space
 * of shim.h. One program includes it once.
 */
#ifndef COWTRACE_TESTS_RECORDING_H
#define COWTRACE_TESTS_RECORDING_H

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "shim.h"

#include "proc/mem_cache.h"
#include "python/code.h"
#include "python/offsets.h"
#include "python/runtime.h"

#define RECORDED_THREADS 4
#define RECORDED_SLOT	 1u
/* A line of memory. */
#define RECORDED_BYTES 64

struct recorded_frame {
	uint32_t line;
	char file[64], function[128];
};

struct recorded_thread {
	uint64_t pointer;
	unsigned int n;
	struct recorded_frame frames[CT_MAX_FRAMES]; /* innermost first */
};

struct recording {
	struct py_runtime rt;
	unsigned int n_threads;
	struct recorded_thread threads[RECORDED_THREADS];
	struct py_offsets off; /* chosen from the memory */
	struct ct_pylayout lay;
};

/* --- the address space under mem.c --- */

static ssize_t recorded__pread(int fd, void *buf, size_t len, off_t at)
{
	bool good = len <= UINT32_MAX && user__copy(buf, (uint64_t)at, (uint32_t)len);

	(void)fd;
	assert_true(shim.n_reads < SHIM_READS);
	shim.reads[shim.n_reads++] = (struct shim_read){(uint64_t)at, (uint32_t)len, !good};
	if (good)
		return (ssize_t)len;
	errno = EIO;
	return -1;
}

#define pread recorded__pread
#include "../../user/proc/mem.c"
#undef pread

int mem_cache__open(pid_t pid)
{
	(void)pid;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int mem_cache__get(struct mem_cache *cache, pid_t pid, bool *fresh)
{
	(void)cache;
	(void)pid;
	*fresh = true;
	return 0;
}

void mem_cache__drop(struct mem_cache *cache, pid_t pid)
{
	(void)cache;
	(void)pid;
}

/* Nobody asks for what was read at some time. */
struct mem_pages *mem_cache__pages(const struct mem_cache *cache)
{
	(void)cache;
	return NULL;
}

/* The process that was recorded. */
static inline struct mem_source recorded__source(void)
{
	return (struct mem_source){.n = 1, .pids = {1}, .cache = (struct mem_cache *)&shim};
}

/* --- files --- */

static inline bool recording__read_runtime(struct recording *rec, const char *line)
{
	struct py_runtime *rt = &rec->rt;
	unsigned int flags[5];
	int n = sscanf(line,
		       "runtime %" SCNx32 " %u %u %u at %" SCNx64 " size %" SCNu64 " main %" SCNx64
		       " specific %" SCNu32 " attached %u %" SCNu32 " %" SCNd64 " bound %u %" SCNu32
		       " %" SCNd64,
		       &rt->hexversion, &flags[0], &flags[1], &flags[2], &rt->runtime, &rt->size,
		       &rt->main_interpreter, &rt->pthread_specific, &flags[3],
		       &rt->attached.module, &rt->attached.offset, &flags[4], &rt->bound.module,
		       &rt->bound.offset);

	rt->free_threaded = flags[0];
	rt->debug_build = flags[1];
	rt->trace_refs = flags[2];
	rt->attached.found = flags[3];
	rt->bound.found = flags[4];
	return n == 14;
}

static inline void recording__write_runtime(const struct py_runtime *rt, FILE *f)
{
	fprintf(f,
		"runtime %" PRIx32 " %u %u %u at %" PRIx64 " size %" PRIu64 " main %" PRIx64
		" specific %" PRIu32 " attached %u %" PRIu32 " %" PRId64 " bound %u %" PRIu32
		" %" PRId64 "\n",
		rt->hexversion, rt->free_threaded, rt->debug_build, rt->trace_refs, rt->runtime,
		rt->size, rt->main_interpreter, rt->pthread_specific, rt->attached.found,
		rt->attached.module, rt->attached.offset, rt->bound.found, rt->bound.module,
		rt->bound.offset);
}

/* Lines that target.py prints, too. */
static inline bool recording__read_stack(struct recording *rec, const char *line)
{
	struct recorded_thread *t = &rec->threads[rec->n_threads];
	struct recorded_frame *frame;

	if (!strncmp(line, "thread ", 7))
		return rec->n_threads < RECORDED_THREADS &&
		       sscanf(line, "thread %" SCNu64, &rec->threads[rec->n_threads++].pointer) ==
			       1;
	if (!rec->n_threads || (--t)->n >= CT_MAX_FRAMES)
		return false;
	frame = &t->frames[t->n++];
	return sscanf(line, "frame %" SCNu32 " %63s %127s", &frame->line, frame->file,
		      frame->function) == 3;
}

static SHIM_DULL inline bool recording__read_memory(const char *line)
{
	unsigned int byte;
	uint64_t at;
	int skip;

	if (sscanf(line, "%" SCNx64 " %n", &at, &skip) != 1)
		return false;
	for (line += skip; sscanf(line, "%2x", &byte) == 1; line += 2)
		*user__at(at++) = (uint8_t)byte;
	return *line == '\n';
}

static inline bool recording__read_line(struct recording *rec, const char *line)
{
	if (line[0] == '#')
		return true;
	if (!strncmp(line, "version ", 8))
		return sscanf(line, "version %31s", rec->rt.version) == 1;
	if (!strncmp(line, "runtime ", 8))
		return recording__read_runtime(rec, line);
	if (!strncmp(line, "thread ", 7) || !strncmp(line, "frame ", 6))
		return recording__read_stack(rec, line);
	return recording__read_memory(line);
}

/* The address space becomes that of the recording. */
static inline bool recording__load(struct recording *rec, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];
	bool good = f;

	shim__reset();
	memset(rec, 0, sizeof(*rec));
	while (good && fgets(line, sizeof(line), f))
		good = recording__read_line(rec, line);
	if (f)
		fclose(f);
	return good && rec->n_threads;
}

/* --- what is read of it --- */

static inline void recording__store_layout(struct recording *rec)
{
	py_offsets__layout(&rec->off, &rec->rt, &rec->lay);
	bpf_map_update_elem(&layouts, &(uint32_t){RECORDED_SLOT}, &rec->lay, BPF_ANY);
}

/* Chooses the offsets, as the daemon does. "": done. */
static inline void recording__choose(struct recording *rec, char *why, size_t size)
{
	struct mem_source mem = recorded__source();
	int err = py_offsets__choose(&mem, &rec->rt, &rec->off, why, size);

	if (err && !why[0])
		snprintf(why, size, "no offsets: %s", strerror(-err));
	if (!err)
		recording__store_layout(rec);
}

/* A stack, as the BPF programs walk it. */
static inline void recorded__walk(struct thread *t, uint64_t pointer)
{
	memset(t, 0, sizeof(*t));
	t->layout = RECORDED_SLOT;
	t->event.pid = 100;
	t->event.thread_pointer = pointer;
	stack__take(t);
}

/* What was sent of a code object. */
static SHIM_DULL inline const struct ct_memory *recorded__sent(const struct ct_frame *frame)
{
	for (size_t i = 0; i < shim.n_records; i++) {
		const struct ct_memory *m = &shim.records[i].memory;

		if (m->tag == CT_MEMORY && m->addr == frame->code && m->check == frame->check)
			return m;
	}
	return NULL;
}

/* The pieces of it, for a source. */
static inline void recorded__chunks(const struct ct_memory *sent,
				    struct mem_chunk chunks[CT_MEMORY_CHUNKS])
{
	for (int i = 0; i < CT_MEMORY_CHUNKS; i++)
		chunks[i] = (struct mem_chunk){.addr = sent->chunks[i].addr,
					       .len = sent->chunks[i].len,
					       .data = sent->data + sent->chunks[i].at};
}

#endif
