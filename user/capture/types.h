/* SPDX-License-Identifier: MIT */
/*
 * The types of the kernel (BTF), to look a few up. libbpf reads them once more when it loads
 * programs: its own way to read them copies all 6 MiB twice, which takes a tenth of the time of the
 * start.
 */
#ifndef COWTRACE_CAPTURE_TYPES_H
#define COWTRACE_CAPTURE_TYPES_H

#include <stdint.h>

struct btf_type;
struct types;

#define TYPES_VMLINUX "/sys/kernel/btf/vmlinux"

/* 0 or -errno; -EINVAL: there are kinds in it that are not known. */
int types__read(const char *path, struct types **out);
void types__free(struct types *types);

/* Its number, from 1 on; 0: there is none. kind: BTF_KIND_...; 0: any. */
uint32_t types__find(const struct types *types, const char *name, uint32_t kind);
/* NULL: no such number. */
const struct btf_type *types__at(const struct types *types, uint32_t number);
const char *types__name(const struct types *types, uint32_t offset);

#endif
