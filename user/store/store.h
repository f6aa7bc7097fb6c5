/* SPDX-License-Identifier: MIT */
/* The file of --save: what writer and reader agree on, besides schema.sql. */
#ifndef COWTRACE_STORE_STORE_H
#define COWTRACE_STORE_STORE_H

#define STORE_APPLICATION_ID 0x636f7774 /* "cowt" */
#define STORE_SCHEMA	     1

/* copy.page counts from a multiple of this, so that it takes 3 bytes: SQLite's integers have a
 * sign. */
#define STORE_PAGES (1ull << 23)

#endif
