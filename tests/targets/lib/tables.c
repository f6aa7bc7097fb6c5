/* SPDX-License-Identifier: MIT */
/* A library that fills its tables when it is first used, as many do. */
#include <stddef.h>

int tables_version(int i);
int tables_look_up(int i);

/* Not all zeros, so that they lie in the library's file. */
static volatile int tables[256 * 1024] = {1};
static int ready;

int tables_version(int i)
{
	return i;
}

int tables_look_up(int i)
{
	for (size_t k = 0; !ready && k < sizeof(tables) / sizeof(tables[0]); k++)
		tables[k] = (int)k * 3;
	ready = 1;
	return tables[i];
}
