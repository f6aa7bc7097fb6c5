/* SPDX-License-Identifier: MIT */
/*
 * Reading the memory of other processes, never writing. A fact about a process that has ended can
 * often still be read from a living ancestor: same address, same content before the fork. So a
 * source is a list of processes, tried in order.
 */
#ifndef COWTRACE_PROC_MEM_H
#define COWTRACE_PROC_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MEM_MAX_PIDS 8

struct mem_source {
	unsigned int n;
	pid_t pids[MEM_MAX_PIDS]; /* the process itself first, then its living ancestors */
};

static inline struct mem_source mem__of(pid_t pid)
{
	return (struct mem_source){.n = 1, .pids = {pid}};
}

/*
 * Reads exactly len bytes at addr from the first process of the list that has them, through
 * /proc/PID/mem: process_vm_readv would make the kernel copy shared pages (see mem.c). Returns 0;
 * -ESRCH if no process of the list lives any more; -EFAULT if none has the whole range; -EPERM if
 * it is not allowed; -EINVAL for a range that wraps around.
 */
int mem__read(const struct mem_source *src, uint64_t addr, void *buf, size_t len);

/* One little-endian 64-bit (32-bit) word. */
int mem__read_u64(const struct mem_source *src, uint64_t addr, uint64_t *out);
int mem__read_u32(const struct mem_source *src, uint64_t addr, uint32_t *out);

/*
 * Reads a NUL-terminated string of at most size - 1 bytes; always terminates buf. A string that
 * goes on is cut. Returns its length or an error of mem__read.
 */
ssize_t mem__read_str(const struct mem_source *src, uint64_t addr, char *buf, size_t size);

#endif
