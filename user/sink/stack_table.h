/* SPDX-License-Identifier: MIT */
/*
 * The frames of a snapshot, each once and numbered, and its stacks as such numbers. Equal texts
 * have one number, and numbers are in the order of the texts, so that equal input gives equal
 * bytes.
 */
#ifndef COWTRACE_SINK_STACK_TABLE_H
#define COWTRACE_SINK_STACK_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct snapshot_frame;
struct snapshot_stack;
struct stack_table;

/* 0 or -ENOMEM. The snapshot must outlive the table. */
int stack_table__new(const struct snapshot *snap, struct stack_table **out);
void stack_table__free(struct stack_table *table);
size_t stack_table__count(const struct stack_table *table);
const struct snapshot_frame *stack_table__frame(const struct stack_table *table, uint32_t number);
/* The numbers of the frames of a stack of the snapshot, root first: stack->n of them. */
const uint32_t *stack_table__numbers(const struct stack_table *table,
				     const struct snapshot_stack *stack);

#endif
