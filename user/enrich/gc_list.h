/* SPDX-License-Identifier: MIT */
/* The lists of the garbage collector: whose head did a GC head link to before it was written? */
#ifndef COWTRACE_ENRICH_GC_LIST_H
#define COWTRACE_ENRICH_GC_LIST_H

struct view;

/* Fills facts->old_link from the address of the collector's own data in the process. */
void gc_list__of_process(struct view *v);

#endif
