/* SPDX-License-Identifier: MIT */
#include "store/batch.h"

#include <stdlib.h>

struct batch *batch__new(void)
{
	/* Not cleared: most of it is room for copies. */
	struct batch *batch = malloc(sizeof(*batch));

	if (!batch)
		return NULL;
	batch->next = NULL;
	batch->first = NULL;
	batch->last = &batch->first;
	batch->end = false;
	batch->n = 0;
	return batch;
}

void batch__free(struct batch *batch)
{
	struct item *item, *next;

	if (!batch)
		return;
	for (item = batch->first; item; item = next) {
		next = item->next;
		if (item->kind == ITEM_STACK)
			free(item->stack.stack);
		if (item->kind == ITEM_SOURCE)
			free((char *)item->source.text);
		free(item);
	}
	free(batch);
}

struct item *batch__add(struct batch *batch, enum item_kind kind)
{
	struct item *item = calloc(1, sizeof(*item));

	if (!item)
		return NULL;
	item->kind = kind;
	*batch->last = item;
	batch->last = &item->next;
	return item;
}
