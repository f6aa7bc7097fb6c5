/* SPDX-License-Identifier: MIT */
/*
 * The terminal: the only unit that knows curses. It is as it was before after screen__close, and
 * also if this program is stopped, aborts or crashes; only SIGKILL leaves it as it is.
 */
#ifndef COWTRACE_TERM_SCREEN_H
#define COWTRACE_TERM_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct canvas;
struct screen;

/* 0, or -ENOTTY, -ENOTSUP, -ENOMEM with one line in why. There can be one at a time. */
int screen__open(struct screen **out, char *why, size_t size);
void screen__close(struct screen *screen);

void screen__size(const struct screen *screen, int *width, int *height);
/* The terminal has told that its size has changed. */
void screen__resized(struct screen *screen);
/* The terminal is there no more. */
bool screen__gone(const struct screen *screen);
/* Gives the terminal back, and stops this process until it is told to go on. */
void screen__stop(struct screen *screen);
/* It was: takes the terminal again, waiting for its turn. */
void screen__continued(struct screen *screen);
/* Draws all of it again: others have written there. */
void screen__renew(struct screen *screen);
void screen__draw(struct screen *screen, const struct canvas *canvas);

/* A key (a character, or enum top_key); 0: none was pressed. Does not wait. */
int screen__key(struct screen *screen);
/* To wait for a key. */
int screen__fd(const struct screen *screen);

/* What is to be said on standard error if this program dies while the screen is open. */
void screen__last_words(const char *text);

#endif
