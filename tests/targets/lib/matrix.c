/* SPDX-License-Identifier: MIT */
/* The library of tests/matrix/natives.py: each function writes to a known number of pages. */
#include <stddef.h>

#define PAGE	 4096UL
#define NOINLINE __attribute__((noinline, noclone))

#define DATA_PAGES  43
#define BSS_PAGES   47
#define STACK_PAGES 19

void matrix_data(int value);
void matrix_bss(int value);
void matrix_touch_stack(int value);
void matrix_stack(int value);

static volatile char data[DATA_PAGES * PAGE] __attribute__((aligned(PAGE))) = {1};
static volatile char bss[BSS_PAGES * PAGE] __attribute__((aligned(PAGE)));

void matrix_data(int value)
{
	for (size_t i = 0; i < DATA_PAGES; i++)
		data[i * PAGE + 100] = (char)value;
}

void matrix_bss(int value)
{
	for (size_t i = 0; i < BSS_PAGES; i++)
		bss[i * PAGE + 100] = (char)value;
}

/* All that matrix_stack() may write to later, called at another depth. */
void matrix_touch_stack(int value)
{
	char frame[(STACK_PAGES + 80) * PAGE];
	volatile char *deep = frame;

	for (size_t i = 0; i < STACK_PAGES + 80; i++)
		deep[i * PAGE] = (char)value;
}

/* So deep below what the interpreter uses that nothing else writes there. */
void matrix_stack(int value)
{
	char frame[(STACK_PAGES + 64) * PAGE];
	volatile char *deep = frame;

	for (size_t i = 0; i < STACK_PAGES; i++)
		deep[i * PAGE + 100] = (char)value;
}
