/* SPDX-License-Identifier: MIT */
/*
 * Reading the memory of other processes, never writing. A fact about a process that has ended can
 * often still be read from a living ancestor: same address, same content before the fork. So a
 * source is a list of processes, tried in order.
 */
#ifndef COWTRACE_PROC_MEM_H
#define COWTRACE_PROC_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mem_cache;

#define MEM_MAX_PIDS 8

/* A piece of memory that has been read before. */
struct mem_chunk {
	uint64_t addr;
	size_t len;
	const void *data;
};

struct mem_source {
	unsigned int n;
	pid_t pids[MEM_MAX_PIDS]; /* the process itself first, then its living ancestors */
	struct mem_cache *cache;  /* see mem_cache.h; NULL: none */
	/* What was read then or later is not read again (CLOCK_MONOTONIC, ns); 0: all is. */
	uint64_t since;
	/* These are looked at first: a range that lies in one of them is taken from there. */
	unsigned int n_chunks;
	const struct mem_chunk *chunks;
};

static inline struct mem_source mem__of(pid_t pid)
{
	return (struct mem_source){.n = 1, .pids = {pid}};
}

/* Only one of the processes of a source, without its chunks. */
static inline struct mem_source mem__only(const struct mem_source *src, unsigned int i)
{
	return (struct mem_source){
		.n = 1, .pids = {src->pids[i]}, .cache = src->cache, .since = src->since};
}

/* Only the chunks of a source, if it has any: nothing that may have changed since. */
static inline struct mem_source mem__settled(const struct mem_source *src)
{
	return src->n_chunks ? (struct mem_source){.n_chunks = src->n_chunks, .chunks = src->chunks}
			     : *src;
}

/*
 * Reads exactly len bytes at addr from the first process of the list that has them, through
 * /proc/PID/mem: process_vm_readv would make the kernel copy shared pages (see mem.c). Returns 0;
 * -ESRCH if no process of the list lives any more; -EFAULT if none has the whole range; -EPERM if
 * it is not allowed; -EINVAL for a range that wraps around.
 */
int mem__read(const struct mem_source *src, uint64_t addr, void *buf, size_t len);

/* May the memory around a mapped address not be read? That maps can be read does not mean that it
 * may: newer kernels (seen on 6.18) ask less for those, CAP_PERFMON. */
bool mem__forbidden(const struct mem_source *src, uint64_t addr);

/* One little-endian 64-bit (32-bit) word. */
int mem__read_u64(const struct mem_source *src, uint64_t addr, uint64_t *out);
int mem__read_u32(const struct mem_source *src, uint64_t addr, uint32_t *out);

/* How many bytes from addr on lie in one chunk, `max` at most; *out: there. */
size_t mem__in_chunk(const struct mem_source *src, uint64_t addr, size_t max, const void **out);

/*
 * Reads a NUL-terminated string of at most size - 1 bytes; always terminates buf. A string that
 * goes on is cut. Returns its length or an error of mem__read.
 */
ssize_t mem__read_str(const struct mem_source *src, uint64_t addr, char *buf, size_t size);

#endif
