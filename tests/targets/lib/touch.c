/* SPDX-License-Identifier: MIT */
/*
 * A library for Python targets, called through ctypes, which releases the GIL: touch_pages() writes
 * in the calling thread, touch_start() in a thread of its own that runs no Python.
 */
#include <pthread.h>
#include <stddef.h>

#define PAGE 4096UL

void touch_pages(volatile char *pages, size_t n);
int touch_start(volatile char *pages, size_t n);
int touch_join(void);

static pthread_t thread;
static volatile char *thread_pages;
static size_t thread_n;

__attribute__((noinline)) void touch_pages(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

static __attribute__((noinline)) void *touch_thread(void *arg)
{
	for (size_t i = 0; i < thread_n; i++)
		thread_pages[i * PAGE] = 2;
	return arg;
}

int touch_start(volatile char *pages, size_t n)
{
	thread_pages = pages;
	thread_n = n;
	return pthread_create(&thread, NULL, touch_thread, NULL);
}

int touch_join(void)
{
	return pthread_join(thread, NULL);
}
