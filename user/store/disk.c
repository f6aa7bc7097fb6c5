/* SPDX-License-Identifier: MIT */
#include "store/disk.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/batch.h"
#include "store/file.h"
#include "store/names.h"
#include "store/rows.h"
#include "store/sites.h"

/* Enough for the last rows of hundreds of processes. */
#define ROOM "131072"

struct disk {
	sqlite3 *db;
	struct rows *rows;
	struct sites *sites;
	uint64_t copies;
	char why[256];
};

static int disk__fail(struct disk *disk)
{
	int code = sqlite3_errcode(disk->db) & 0xff;

	snprintf(disk->why, sizeof(disk->why), "%s",
		 code == SQLITE_FULL   ? "no space left on the disk"
		 : code == SQLITE_BUSY ? "another program has locked it for a minute"
				       : sqlite3_errmsg(disk->db));
	return -EIO;
}

static int run(struct disk *disk, const char *sql)
{
	return sqlite3_exec(disk->db, sql, NULL, NULL, NULL) ? disk__fail(disk) : 0;
}

/*
 * A rollback journal, not a write-ahead log: what has been committed is in the one file at any
 * time, so it can be read after a crash without the log. The journal is kept between transactions,
 * so that its space is not taken from it. Nothing waits for the disk before the end, as that would
 * make the traced programs wait too: a file is whole after a kill, not after a power failure. Space
 * that is no longer used is given back at the end.
 */
static const char settings[] = "PRAGMA page_size = 4096;"
			       "PRAGMA auto_vacuum = INCREMENTAL;"
			       "PRAGMA journal_mode = PERSIST;"
			       "PRAGMA synchronous = OFF;"
			       "PRAGMA secure_delete = OFF;"
			       "PRAGMA foreign_keys = OFF;"
			       "PRAGMA cache_size = -16384;";

static int disk__prepare(struct disk *disk, const struct snapshot_host *host,
			 const struct snapshot_capture *capture, uint64_t base_time)
{
	int err;

	sqlite3_busy_timeout(disk->db, 60000);
	err = run(disk, settings) ?: run(disk, "BEGIN") ?: run(disk, file__schema());
	if (!err)
		err = run(disk, "INSERT INTO room VALUES (zeroblob(" ROOM "))");
	if (!err && rows__new(disk->db, &disk->rows))
		err = disk__fail(disk);
	if (!err && rows__begin(disk->rows, host, capture, base_time))
		err = disk__fail(disk);
	return err ?: run(disk, "COMMIT");
}

int disk__open(const char *path, const struct snapshot_host *host,
	       const struct snapshot_capture *capture, uint64_t base_time, struct disk **out,
	       char *why, size_t why_size)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	int err = disk ? file__clear(path, why, why_size) : -ENOMEM;

	if (err)
		goto fail;
	err = file__open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &disk->db) ? -EIO : 0;
	if (err)
		disk__fail(disk);
	err = err ?: sites__new(&disk->sites) ?: disk__prepare(disk, host, capture, base_time);
	if (err) {
		snprintf(why, why_size, "cannot write --save %s: %s", path, disk->why);
		goto fail;
	}
	*out = disk;
	return 0;
fail:
	disk__close(disk);
	return err;
}

void disk__close(struct disk *disk)
{
	if (!disk)
		return;
	rows__free(disk->rows);
	sites__free(disk->sites);
	sqlite3_close(disk->db);
	free(disk);
}

/* --- batches ----------------------------------------------------------------- */

static int put_stack(struct disk *disk, const struct stack_row *row)
{
	const struct stack_fact *stack = row->stack;
	int err = row->again ? rows__forget_frames(disk->rows, row->id)
			     : rows__stack(disk->rows, row->id, stack->unwind);

	for (uint16_t i = 0; i < stack->n && !err; i++) {
		const struct frame_fact *frame = &stack->frames[i];
		bool fresh;
		uint32_t site =
			sites__id(disk->sites, frame->file, frame->function, frame->line, &fresh);

		if (fresh)
			err = rows__site(disk->rows, site, frame);
		err = err ?: rows__frame(disk->rows, row->id, i, site, frame->missing);
	}
	return err;
}

static int put_source(struct disk *disk, const struct source_row *row)
{
	bool fresh;
	uint32_t site = sites__id(disk->sites, row->file, row->function, row->line, &fresh);
	struct frame_fact frame = {.file = row->file, .function = row->function, .line = row->line};
	int err = fresh ? rows__site(disk->rows, site, &frame) : 0;

	return err ?: rows__source(disk->rows, site, row->text);
}

static int put_end(struct disk *disk, const struct end_row *end, const char *cut)
{
	int err = rows__end(disk->rows, end, cut);

	for (size_t i = 0; i < CT_LOST_MAX && !err; i++)
		if (end->capture.lost_by_reason[i])
			err = rows__loss(disk->rows, names__word(&lost_names, i),
					 end->capture.lost_by_reason[i]);
	return err;
}

static int put_item(struct disk *disk, const struct item *item)
{
	switch (item->kind) {
	case ITEM_TYPE:
		return rows__type(disk->rows, &item->type);
	case ITEM_EVIDENCE:
		return rows__evidence(disk->rows, &item->evidence);
	case ITEM_STACK:
		return put_stack(disk, &item->stack);
	case ITEM_FACT:
		return rows__fact(disk->rows, &item->fact);
	case ITEM_PROCESS:
		return rows__process(disk->rows, &item->process);
	case ITEM_SAMPLE:
		return rows__sample(disk->rows, &item->sample);
	case ITEM_SOURCE:
		return put_source(disk, &item->source);
	case ITEM_END:
		return put_end(disk, &item->end, NULL);
	}
	return 0;
}

static int put_batch(struct disk *disk, const struct batch *batch)
{
	int err = 0;

	for (const struct item *item = batch->first; item && !err; item = item->next)
		err = put_item(disk, item);
	for (size_t i = 0; i < batch->n && !err; i++)
		err = rows__copy(disk->rows, &batch->copies[i]);
	return err;
}

int disk__write(struct disk *disk, const struct batch *batch)
{
	int err = run(disk, "BEGIN");

	if (!err && (put_batch(disk, batch) || sqlite3_exec(disk->db, "COMMIT", NULL, NULL, NULL)))
		err = disk__fail(disk);
	if (err) {
		rows__reset(disk->rows);
		sqlite3_exec(disk->db, "ROLLBACK", NULL, NULL, NULL);
		return err;
	}
	disk->copies += batch->n;
	return 0;
}

const char *disk__why(const struct disk *disk)
{
	return disk->why;
}

uint64_t disk__copies(const struct disk *disk)
{
	return disk->copies;
}

/* --- the end ----------------------------------------------------------------- */

/* Processes and the end only: what else there is belongs to copies that are not there. */
static int put_last_words(struct disk *disk, const struct batch *batch, const char *why)
{
	int err = 0;

	for (const struct item *item = batch->first; item && !err; item = item->next) {
		if (item->kind == ITEM_PROCESS)
			err = rows__process(disk->rows, &item->process);
		else if (item->kind == ITEM_END)
			err = put_end(disk, &item->end, why);
	}
	return err;
}

int disk__last_words(struct disk *disk, const struct batch *batch, const char *why)
{
	/* The journal has no space to grow; a crash within these few writes is the lesser risk. */
	int err = sqlite3_exec(disk->db, "PRAGMA journal_mode = MEMORY; DELETE FROM room; BEGIN",
			       NULL, NULL, NULL);

	if (err)
		return -EIO;
	if (put_last_words(disk, batch, why) ||
	    sqlite3_exec(disk->db, "COMMIT", NULL, NULL, NULL)) {
		err = -EIO;
		rows__reset(disk->rows);
		sqlite3_exec(disk->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return err;
}

int disk__tidy(struct disk *disk)
{
	return run(disk, "PRAGMA synchronous = NORMAL; DELETE FROM room;"
			 "PRAGMA incremental_vacuum; PRAGMA journal_mode = DELETE");
}
