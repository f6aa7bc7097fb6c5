/* SPDX-License-Identifier: MIT */
/*
 * The frames of some stacks, each once and numbered, and the stacks as such numbers. Equal texts
 * have one number, and numbers are in the order of the texts, so that equal input gives equal
 * bytes.
 */
#ifndef COWTRACE_MODEL_STACK_TABLE_H
#define COWTRACE_MODEL_STACK_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct snapshot_frame;
struct snapshot_stack;
struct stack_table;

/* 0 or -ENOMEM. The stacks must outlive the table. */
int stack_table__new(const struct snapshot_stack *stacks, size_t n, struct stack_table **out);
void stack_table__free(struct stack_table *table);
size_t stack_table__count(const struct stack_table *table);
const struct snapshot_frame *stack_table__frame(const struct stack_table *table, uint32_t number);
/* The numbers of the frames of one of the stacks, root first: stack->n of them. */
const uint32_t *stack_table__numbers(const struct stack_table *table,
				     const struct snapshot_stack *stack);

/* Stacks that share their frames share their numbers, too: so many are there in all of them, */
size_t stack_table__size(const struct stack_table *table);
/* and so many stand in front of those of a stack. */
size_t stack_table__first(const struct stack_table *table, const struct snapshot_stack *stack);

/* By function, file and line. */
int stack_table__compare(const struct snapshot_frame *a, const struct snapshot_frame *b);

#endif
