/* SPDX-License-Identifier: MIT */
#include "term/screen.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "term/rescue.h"
#include "top/canvas.h"
#include "top/keys.h"

/* How long to wait for the rest of a key that begins with Escape, ms. */
#define ESCAPE_MS 25

struct screen {
	SCREEN *curses;
	attr_t styles[STYLES];
	short pairs[STYLES];
};

/* --- beginning and end ------------------------------------------------------- */

/* The report is UTF-8 whatever the locale says, and so is this. */
static void use_utf8(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

static void choose_styles(struct screen *s)
{
	bool colors = !getenv("NO_COLOR") && has_colors() && start_color() == OK;

	s->styles[STYLE_HEAD] = A_UNDERLINE;
	s->styles[STYLE_FOCUS] = A_REVERSE;
	s->styles[STYLE_SELECTED] = A_BOLD | A_REVERSE;
	s->styles[STYLE_DIM] = A_DIM;
	s->styles[STYLE_STRONG] = A_BOLD;
	s->styles[STYLE_WARN] = A_BOLD;
	if (!colors)
		return;
	use_default_colors();
	init_pair(1, COLOR_RED, -1);
	s->pairs[STYLE_WARN] = 1;
	init_pair(2, COLOR_GREEN, -1);
	s->pairs[STYLE_FOCUS] = 2;
}

static int fail(int err, char *why, size_t size, const char *text)
{
	snprintf(why, size, "%s", text);
	return err;
}

/* Ctrl-S would stop the next write, and with it the tracing. */
static void keep_output_flowing(void)
{
	struct termios mode;

	if (tcgetattr(STDIN_FILENO, &mode))
		return;
	mode.c_iflag &= ~(tcflag_t)IXON;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
	def_prog_mode();
}

int screen__open(struct screen **out, char *why, size_t size)
{
	const char *type = getenv("TERM");
	struct screen *s;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return fail(-ENOTTY, why, size, "standard input and output are not a terminal");
	use_utf8();
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(-ENOMEM, why, size, "out of memory");
	rescue__prepare();
	set_escdelay(ESCAPE_MS);
	s->curses = newterm(NULL, stdout, stdin);
	if (!s->curses) {
		snprintf(why, size, "this kind of terminal is not known here (TERM=%s)",
			 type ?: "");
		free(s);
		return -ENOTSUP;
	}
	rescue__arm(tigetstr("rmcup"), tigetstr("sgr0"), tigetstr("cnorm"));
	cbreak();
	keep_output_flowing();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	choose_styles(s);
	*out = s;
	return 0;
}

void screen__close(struct screen *s)
{
	if (!s)
		return;
	endwin();
	rescue__disarm();
	delscreen(s->curses);
	free(s);
}

void screen__last_words(const char *text)
{
	rescue__say(text);
}

void screen__stop(struct screen *s)
{
	(void)s;
	endwin();
	kill(getpid(), SIGSTOP);
}

/*
 * The shell has its own settings in force, and may have another size. From the background, setting
 * them stops this process (SIGTTOU) until it is in the foreground.
 */
void screen__continued(struct screen *s)
{
	endwin();
	screen__resized(s);
	refresh();
}

/* --- size -------------------------------------------------------------------- */

void screen__size(const struct screen *s, int *width, int *height)
{
	(void)s;
	getmaxyx(stdscr, *height, *width);
}

void screen__resized(struct screen *s)
{
	struct winsize size;

	(void)s;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
}

bool screen__gone(const struct screen *s)
{
	struct pollfd fd = {.fd = screen__fd(s)};

	return poll(&fd, 1, 0) > 0 && fd.revents & (POLLHUP | POLLERR | POLLNVAL);
}

/* --- keys -------------------------------------------------------------------- */

int screen__fd(const struct screen *s)
{
	(void)s;
	return STDIN_FILENO;
}

static int function_key(wint_t key)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{KEY_UP, TOP_KEY_UP},
		{KEY_DOWN, TOP_KEY_DOWN},
		{KEY_LEFT, TOP_KEY_LEFT},
		{KEY_RIGHT, TOP_KEY_RIGHT},
		{KEY_PPAGE, TOP_KEY_PAGE_UP},
		{KEY_NPAGE, TOP_KEY_PAGE_DOWN},
		{KEY_HOME, TOP_KEY_HOME},
		{KEY_END, TOP_KEY_END},
		{KEY_BTAB, TOP_KEY_BACK_TAB},
		{KEY_ENTER, TOP_KEY_ENTER},
		{KEY_BACKSPACE, TOP_KEY_BACKSPACE},
		{KEY_DC, TOP_KEY_BACKSPACE},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if ((wint_t)keys[i].curses == key)
			return keys[i].key;
	return TOP_KEY_OTHER;
}

int screen__key(struct screen *s)
{
	wint_t key;

	(void)s;
	switch (get_wch(&key)) {
	case ERR:
		return 0;
	case KEY_CODE_YES:
		return function_key(key);
	default:
		if (key == '\r')
			return TOP_KEY_ENTER;
		if (key == '\b')
			return TOP_KEY_BACKSPACE;
		return key ? (int)key : TOP_KEY_OTHER;
	}
}

/* --- drawing ----------------------------------------------------------------- */

void screen__renew(struct screen *s)
{
	(void)s;
	clearok(curscr, TRUE);
}

static void draw_cell(const struct screen *s, int x, int y, const struct cell *cell)
{
	wchar_t text[2] = {(wchar_t)cell->character, 0};
	cchar_t c;

	if (!cell->character) /* has been drawn with the one before */
		return;
	setcchar(&c, text, s->styles[cell->style], s->pairs[cell->style], NULL);
	mvadd_wch(y, x, &c);
}

void screen__draw(struct screen *s, const struct canvas *canvas)
{
	erase();
	for (int y = 0; y < canvas->height; y++)
		for (int x = 0; x < canvas->width; x++)
			draw_cell(s, x, y, &canvas->cells[y * canvas->width + x]);
	refresh();
}
