/* SPDX-License-Identifier: MIT */
/*
 * Messages to the person at the terminal, on standard error, one line each: "cowtrace: what failed
 * and what to try". No globals but how loud it is, set once by main, and what else is on the
 * terminal.
 */
#ifndef COWTRACE_BASE_LOG_H
#define COWTRACE_BASE_LOG_H

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

/* Messages above this level are dropped; the default is LOG_WARN. */
void log__set_level(enum log_level level);
/* Would a message of this level be shown? For those that are dear to make. */
int log__enabled(enum log_level level);

__attribute__((format(printf, 2, 3))) void log__print(enum log_level level, const char *fmt, ...);

#define log_error(...) log__print(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log__print(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log__print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log__print(LOG_DEBUG, __VA_ARGS__)

/* Messages go to take instead, until this is called with NULL: for whom a line on the terminal
 * would be in the way. They are one line, fit for a terminal. */
typedef void (*log_taker)(void *ctx, enum log_level level, const char *message);
void log__redirect(log_taker take, void *ctx);

/*
 * What is going on, on standard error, in one line that the next one replaces; NULL or a message
 * removes it. Only on a terminal, if this program is in its foreground. Any text.
 */
void log__status(const char *line);
/* Would it be shown? */
int log__has_status(void);
/* From now on it is not: the user wants it quiet. */
void log__no_status(void);

/* Prints the message and yields the error (evaluated once): return log_err_r(-EINVAL, "..."); */
#define log_err_r(err, ...)                                                                        \
	({                                                                                         \
		int _err = (err);                                                                  \
		log_error(__VA_ARGS__);                                                            \
		_err;                                                                              \
	})

#endif
