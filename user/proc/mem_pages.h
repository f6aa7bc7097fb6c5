/* SPDX-License-Identifier: MIT */
/*
 * Pages of other processes as they have been read. To explain one copy takes a dozen reads, of a
 * few words each and of few pages, and a system call costs more than a page. Each page has the time
 * before it was read: who asks for the memory as it was some time after a copy is as well served by
 * a page that was read after that copy as by one that is read now.
 */
#ifndef COWTRACE_PROC_MEM_PAGES_H
#define COWTRACE_PROC_MEM_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mem_pages;

/* Larger ranges are not kept. */
#define MEM_PAGES_MAX 32768

/* 0 or -ENOMEM. */
int mem_pages__new(struct mem_pages **out);
void mem_pages__free(struct mem_pages *pages);
/* The process has another address space now, or none. */
void mem_pages__drop(struct mem_pages *pages, pid_t pid);

/* How many bytes from addr on were read at `since` or later (CLOCK_MONOTONIC, ns), and are in buf
 * now; len at most. -EFAULT: at that time nothing could be read at addr. */
ssize_t mem_pages__take(const struct mem_pages *pages, pid_t pid, uint64_t since, uint64_t addr,
			void *buf, size_t len);

/*
 * Reads the pages of a range, MEM_PAGES_MAX bytes at most, from a file of /proc/PID/mem: as many as
 * there are, up to the first that can not be read. 0; -ESRCH: the address space is gone; -EPERM.
 */
int mem_pages__read(struct mem_pages *pages, int fd, pid_t pid, uint64_t addr, size_t len);

#endif
