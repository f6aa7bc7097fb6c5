/* SPDX-License-Identifier: MIT */
/*
 * Returns of kernel functions, of many threads at once.
 *
 * For each thread that is inside the function the kernel keeps an instance, and a thread that finds
 * none is not seen when it returns. Asked through perf, as libbpf does, it has one for each CPU up
 * to 6.3, two and at least ten since (3b7ddab8a19a), and nobody can ask for more: threads that wait
 * for memory inside do_wp_page take them all. Through tracefs the number can be said
 * (696ced4fb1d7).
 *
 * What is made there is not a file descriptor and outlives its maker. So its name has the pid, and
 * who comes next removes what processes left that were killed.
 */
#ifndef COWTRACE_CAPTURE_KRETPROBE_H
#define COWTRACE_CAPTURE_KRETPROBE_H

struct bpf_link;
struct bpf_program;

/* In the place of bpf_program__attach_kprobe, which it falls back to: NULL and errno if it fails.
 */
struct bpf_link *kretprobe__attach(const struct bpf_program *program, const char *function);

/* Removes what this process has made, when its links are destroyed, and what dead ones left. */
void kretprobe__remove(void);

#endif
