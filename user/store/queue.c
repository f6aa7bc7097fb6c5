/* SPDX-License-Identifier: MIT */
#include "store/queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/number.h"
#include "store/batch.h"
#include "store/disk.h"

/* A disk that is so far behind will not catch up: 16 million copies, 256 MiB. */
#define MAX_QUEUED 256

struct queue {
	struct disk *disk; /* of the thread */
	char *path;
	const char *why; /* it failed */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* for all below */
	pthread_cond_t work;
	struct batch *first, **last;
	size_t n;
	bool stop, slow, failed;
};

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELAXED);
}

static void queue__fail(struct queue *q, const char *why)
{
	log_warn("--save %s: %s. The file ends after %s copies; tracing goes on.", q->path, why,
		 number__count(disk__copies(q->disk)).s);
	q->why = why;
	set(&q->failed);
}

static void write_batch(struct queue *q, const struct batch *batch)
{
	if (!is_set(&q->failed) && is_set(&q->slow))
		queue__fail(q, "the disk is too slow");
	else if (!is_set(&q->failed) && disk__write(q->disk, batch))
		queue__fail(q, disk__why(q->disk));
	if (!batch->end)
		return;
	if (is_set(&q->failed))
		disk__last_words(q->disk, batch, q->why);
	else if (disk__tidy(q->disk))
		log_warn("--save %s: %s", q->path, disk__why(q->disk));
}

static struct batch *take_batch(struct queue *q)
{
	struct batch *batch;

	pthread_mutex_lock(&q->lock);
	while (!q->first && !q->stop)
		pthread_cond_wait(&q->work, &q->lock);
	batch = q->first;
	if (batch) {
		q->first = batch->next;
		q->n--;
	}
	if (!q->first)
		q->last = &q->first;
	pthread_mutex_unlock(&q->lock);
	return batch;
}

static void *write_batches(void *arg)
{
	struct queue *q = arg;
	struct batch *batch;

	while ((batch = take_batch(q))) {
		write_batch(q, batch);
		batch__free(batch);
	}
	return NULL;
}

/* Signals are for the thread that traces. */
static int start_thread(struct queue *q)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&q->thread, NULL, write_batches, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	q->has_thread = !err;
	return -err;
}

static void stop_thread(struct queue *q)
{
	if (!q->has_thread)
		return;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->work);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	q->has_thread = false;
}

int queue__new(struct disk *disk, const char *path, struct queue **out)
{
	struct queue *q = calloc(1, sizeof(*q));
	int err = -ENOMEM;

	if (!q)
		return err;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->work, NULL);
	q->last = &q->first;
	q->path = strdup(path);
	q->disk = disk;
	if (q->path)
		err = start_thread(q);
	if (err) {
		q->disk = NULL; /* the caller's */
		queue__free(q);
		return err;
	}
	*out = q;
	return 0;
}

void queue__free(struct queue *q)
{
	if (!q)
		return;
	stop_thread(q);
	disk__close(q->disk);
	pthread_cond_destroy(&q->work);
	pthread_mutex_destroy(&q->lock);
	free(q->path);
	free(q);
}

void queue__push(struct queue *q, struct batch *batch)
{
	pthread_mutex_lock(&q->lock);
	*q->last = batch;
	q->last = &batch->next;
	if (++q->n > MAX_QUEUED)
		set(&q->slow);
	pthread_cond_signal(&q->work);
	pthread_mutex_unlock(&q->lock);
}

bool queue__failed(const struct queue *q)
{
	return is_set(&q->failed) || is_set(&q->slow);
}

bool queue__finish(struct queue *q)
{
	stop_thread(q);
	return !is_set(&q->failed);
}
