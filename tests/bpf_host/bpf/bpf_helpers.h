/* SPDX-License-Identifier: MIT */
/*
 * In the place of libbpf's header of this name: the helpers that the programs call, for code that
 * runs in a test. What they answer, and what they were asked, is in ../shim.h.
 */
#ifndef COWTRACE_TESTS_BPF_HELPERS_H
#define COWTRACE_TESTS_BPF_HELPERS_H

#include <stddef.h>
#include <stdint.h>

#define SEC(name)
#define __ksym
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#undef __noinline
#define __noinline __attribute__((noinline))

/* As libbpf has them: a map is a struct whose members' types say what it is. */
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val) *name

static long bpf_probe_read_user(void *dst, uint32_t size, const void *src);
static long bpf_probe_read_user_str(void *dst, uint32_t size, const void *src);
static long bpf_probe_read_kernel(void *dst, uint32_t size, const void *src);
static void *bpf_map_lookup_elem(void *map, const void *key);
static long bpf_map_update_elem(void *map, const void *key, const void *value, uint64_t flags);
static long bpf_map_delete_elem(void *map, const void *key);
static void *bpf_map_lookup_percpu_elem(void *map, const void *key, uint32_t cpu);
static void *bpf_task_storage_get(void *map, void *task, void *value, uint64_t flags);
static void *bpf_ringbuf_reserve(void *ring, uint64_t size, uint64_t flags);
static void bpf_ringbuf_submit(void *data, uint64_t flags);
static long bpf_ringbuf_output(void *ring, void *data, uint64_t size, uint64_t flags);
static uint64_t bpf_ringbuf_query(void *ring, uint64_t flags);
static uint64_t bpf_ktime_get_ns(void);
static void *bpf_get_current_task_btf(void);
static uint64_t bpf_get_current_task(void);
static uint64_t bpf_get_current_pid_tgid(void);
static long bpf_task_pt_regs(void *task);
static long bpf_loop(uint32_t n, void *turn, void *ctx, uint64_t flags);
static long bpf_get_stack(void *ctx, void *buf, uint32_t size, uint64_t flags);

#endif
