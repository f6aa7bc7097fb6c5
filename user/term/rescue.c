/* SPDX-License-Identifier: MIT */
#include "term/rescue.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* A handler of signals gets no argument of ours, so this is global. */
static struct {
	bool armed, known;
	struct termios mode;
	char sequence[256]; /* to the terminal */
	char words[1024];   /* to standard error */
	volatile sig_atomic_t words_length;
} rescue;

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

void rescue__prepare(void)
{
	rescue.known = tcgetattr(STDIN_FILENO, &rescue.mode) == 0;
}

static void write_all(int fd, const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(fd, text, n);

		if (done <= 0)
			return;
		text += done;
		n -= (size_t)done;
	}
}

/* All that is called here may be called in a handler: signal-safety(7). */
static void restore(void)
{
	if (!rescue.armed)
		return;
	rescue.armed = false;
	write_all(STDOUT_FILENO, rescue.sequence, strlen(rescue.sequence));
	if (rescue.known)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &rescue.mode);
	write_all(STDERR_FILENO, rescue.words, (size_t)rescue.words_length);
}

static void on_crash(int sig)
{
	restore();
	/* The handler was for once: now the signal does what it does. */
	raise(sig);
}

static void add(const char *sequence)
{
	size_t used = strlen(rescue.sequence);

	if (sequence && sequence != (const char *)-1)
		snprintf(rescue.sequence + used, sizeof(rescue.sequence) - used, "%s", sequence);
}

void rescue__arm(const char *main_screen, const char *no_attributes, const char *show_cursor)
{
	struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
	static bool at_exit;

	rescue.sequence[0] = '\0';
	rescue.words_length = 0;
	add(no_attributes);
	add(show_cursor);
	add(main_screen);
	rescue.armed = true;
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &action, NULL);
	if (!at_exit)
		at_exit = atexit(restore) == 0;
}

void rescue__disarm(void)
{
	rescue.armed = false;
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		signal(crashes[i], SIG_DFL);
}

void rescue__say(const char *text)
{
	size_t n = strnlen(text, sizeof(rescue.words) - 1);

	memcpy(rescue.words, text, n);
	rescue.words[n] = '\n';
	rescue.words_length = (sig_atomic_t)(n + 1);
}
