/* SPDX-License-Identifier: MIT */
/* The file itself: batches to rows. Private to the store. */
#ifndef COWTRACE_STORE_DISK_H
#define COWTRACE_STORE_DISK_H

#include <stddef.h>
#include <stdint.h>

struct batch;
struct disk;
struct snapshot_capture;
struct snapshot_host;

/* 0, or -errno with one line in why. */
int disk__open(const char *path, const struct snapshot_host *host,
	       const struct snapshot_capture *capture, uint64_t base_time, struct disk **out,
	       char *why, size_t why_size);
void disk__close(struct disk *disk);

/* All of the batch or nothing. 0, or -EIO: disk__why says why. */
int disk__write(struct disk *disk, const struct batch *batch);
const char *disk__why(const struct disk *disk);
/* Copies that are in the file. */
uint64_t disk__copies(const struct disk *disk);

/* After a failure: how it ended, and why, in the space that was kept for that. 0 or -EIO. */
int disk__last_words(struct disk *disk, const struct batch *batch, const char *why);
/* After the last batch: leaves one file of its final size. 0 or -EIO. */
int disk__tidy(struct disk *disk);

#endif
