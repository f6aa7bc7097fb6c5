/* SPDX-License-Identifier: MIT */
/* The file of --save: what writer and reader agree on, besides schema.sql. */
#ifndef COWTRACE_STORE_STORE_H
#define COWTRACE_STORE_STORE_H

#define STORE_APPLICATION_ID 0x636f7774 /* "cowt" */
/*
 * 2: what else is copied, and how (unshare, hugetlb, uncounted, page_order, sharers, victim,
 * kernel_beyond); processes that ran before (attached, private_before);
 * memory over time (sample).
 */
#define STORE_SCHEMA 2

/* copy.page counts from a multiple of this, so that it takes 3 bytes: SQLite's integers have a
 * sign. */
#define STORE_PAGES (1ull << 23)

#endif
