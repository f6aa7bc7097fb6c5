/* SPDX-License-Identifier: MIT */
/*
 * Open files of /proc/PID/mem. To open one costs more than to read from it.
 *
 * Such a file is bound to the address space that the process had when it was opened, not to the
 * pid. It does not keep that one alive: once the last process has left it, by exec or by its end,
 * reads return 0, and whoever holds the pid now has to be opened anew (the kernel keeps no more
 * than the mm_struct, without pages). Only where an address space is shared (vfork, CLONE_VM) may
 * it outlive the process: so an exec, or a new process with the same pid, must be told.
 */
#ifndef COWTRACE_PROC_MEM_CACHE_H
#define COWTRACE_PROC_MEM_CACHE_H

#include <stdbool.h>
#include <sys/types.h>

struct mem_cache;
struct mem_pages;

/* 0 or -ENOMEM. */
int mem_cache__new(struct mem_cache **out);
void mem_cache__free(struct mem_cache *cache);
/* The process has another address space now, or none. cache may be NULL. */
void mem_cache__drop(struct mem_cache *cache, pid_t pid);

/*
 * A file that stays open until the next call of any of these; *fresh: it has just been opened.
 * -ESRCH, -EPERM or another error of open().
 */
int mem_cache__get(struct mem_cache *cache, pid_t pid, bool *fresh);
/* What has been read of them: see mem_pages.h. */
struct mem_pages *mem_cache__pages(const struct mem_cache *cache);
/* One for the caller to close; errors as above. */
int mem_cache__open(pid_t pid);

#endif
