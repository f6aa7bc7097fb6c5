/* SPDX-License-Identifier: MIT */
/* The root directory of a process, held open: its files can still be found when it has ended. */
#ifndef COWTRACE_PROC_ROOT_H
#define COWTRACE_PROC_ROOT_H

#include <stdbool.h>
#include <sys/types.h>

struct root;

/* 0, -ESRCH, -EACCES, -ENOMEM ... */
int root__of(pid_t pid, struct root **out);
struct root *root__ref(struct root *root);
void root__unref(struct root *root);

/* The same directory, whoever it belongs to. */
bool root__same(const struct root *a, const struct root *b);
/* An O_PATH descriptor, owned by root; -1 for NULL. */
int root__fd(const struct root *root);

#endif
