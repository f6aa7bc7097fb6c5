/* SPDX-License-Identifier: MIT */
/* Keys that are no characters. */
#ifndef COWTRACE_TOP_KEYS_H
#define COWTRACE_TOP_KEYS_H

enum top_key {
	TOP_KEY_TAB = '\t',
	TOP_KEY_ENTER = '\n',
	TOP_KEY_ESCAPE = 27,
	TOP_KEY_BACKSPACE = 127,
	TOP_KEY_ERASE_ALL = 21, /* Ctrl-U */
	TOP_KEY_REDRAW = 12,	/* Ctrl-L */
	TOP_KEY_UP = 0x110000,	/* beyond all characters */
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_BACK_TAB,
	TOP_KEY_OTHER, /* one without a meaning here */
};

#endif
