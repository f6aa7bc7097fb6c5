// SPDX-License-Identifier: MIT
// link: user/proc/maps.c
/* Any text as /proc/PID/maps: entries in order, and each of them found. */
#include "proc/maps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t last_end = 0;
	struct maps *maps;

	if (maps__parse((const char *)data, size, &maps))
		abort();
	for (size_t i = 0; i < maps__count(maps); i++) {
		const struct map_entry *e = maps__at(maps, i);

		if (e->start < last_end || e->start >= e->end || strlen(e->name) > size)
			abort();
		if (maps__find(maps, e->start) != e || maps__find(maps, e->end - 1) != e)
			abort();
		last_end = e->end;
	}
	maps__unref(maps);
	return 0;
}
