/* SPDX-License-Identifier: MIT */
/* One function for each table that is written to. All return 0, or a code of SQLite. Private to the
 * store. */
#ifndef COWTRACE_STORE_ROWS_H
#define COWTRACE_STORE_ROWS_H

#include <stdint.h>

#include "store/batch.h"

struct rows;
struct sqlite3;

int rows__new(struct sqlite3 *db, struct rows **out);
void rows__free(struct rows *rows);
/* Before a rollback. */
void rows__reset(struct rows *rows);

int rows__begin(struct rows *rows, const struct snapshot_host *host,
		const struct snapshot_capture *capture, uint64_t base_time);
/* cut: why the copies are not all there; NULL: they are. */
int rows__end(struct rows *rows, const struct end_row *end, const char *cut);
int rows__loss(struct rows *rows, const char *reason, uint64_t copies);
int rows__process(struct rows *rows, const struct process_row *row);
int rows__sample(struct rows *rows, const struct sample_row *row);
int rows__type(struct rows *rows, const struct type_row *row);
int rows__evidence(struct rows *rows, const struct evidence_row *row);
int rows__stack(struct rows *rows, uint32_t stack, uint8_t unwind);
int rows__forget_frames(struct rows *rows, uint32_t stack);
int rows__frame(struct rows *rows, uint32_t stack, uint32_t depth, uint32_t site, uint8_t missing);
int rows__site(struct rows *rows, uint32_t site, const struct frame_fact *frame);
int rows__source(struct rows *rows, uint32_t site, const char *text);
int rows__fact(struct rows *rows, const struct fact_row *row);
int rows__copy(struct rows *rows, const struct copy_row *row);

#endif
