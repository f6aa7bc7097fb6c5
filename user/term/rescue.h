/* SPDX-License-Identifier: MIT */
/*
 * Gives the terminal back when this program dies in the middle of drawing: what a handler of
 * signals may do, and what it has to know for that. Private to user/term.
 */
#ifndef COWTRACE_TERM_RESCUE_H
#define COWTRACE_TERM_RESCUE_H

/* Before curses: remembers how the terminal is. */
void rescue__prepare(void);
/* The strings that end what curses has begun; NULL or (char *)-1: the terminal has none. */
void rescue__arm(const char *main_screen, const char *no_attributes, const char *show_cursor);
void rescue__disarm(void);
/* What to say on standard error then. */
void rescue__say(const char *text);

#endif
