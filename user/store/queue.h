/* SPDX-License-Identifier: MIT */
/* Batches on their way to the disk, and the thread that writes them. Private to the store. */
#ifndef COWTRACE_STORE_QUEUE_H
#define COWTRACE_STORE_QUEUE_H

#include <stdbool.h>

struct batch;
struct disk;
struct queue;

/* Starts the thread; it owns the disk from now on, and so does the queue. path: for messages. 0 or
 * -errno: the disk is the caller's. */
int queue__new(struct disk *disk, const char *path, struct queue **out);
/* Waits for what has been pushed. */
void queue__free(struct queue *queue);

/* Takes the batch; never waits. */
void queue__push(struct queue *queue, struct batch *batch);
/* True: no more copies can be written; it has been said, or will be. */
bool queue__failed(const struct queue *queue);
/* Waits until all is written. False if it is not. */
bool queue__finish(struct queue *queue);

#endif
