/* SPDX-License-Identifier: MIT */
/* The two processes of serve: addresses, the jail of the one, and what the other takes from it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/address.h"
#include "serve/http.h"
#include "serve/jail.h"
#include "serve/peer.h"

/* --- addresses --------------------------------------------------------------- */

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *again; /* NULL: refused */
		bool local;
	} cases[] = {
		{"127.0.0.1:9748", "127.0.0.1:9748", true},
		{"127.3.2.1:0", "127.3.2.1:0", true},
		{"localhost:80", "127.0.0.1:80", true},
		{"[::1]:9748", "[::1]:9748", true},
		{"0.0.0.0:9748", "0.0.0.0:9748", false},
		{":9748", "0.0.0.0:9748", false},
		{"10.0.0.1:65535", "10.0.0.1:65535", false},
		{"[::]:1", "[::]:1", false},
		{"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", false},
		{"[fe80::1]:1", "[fe80::1]:1", false},
		{"9748", NULL, false},
		{"", NULL, false},
		{":", NULL, false},
		{"127.0.0.1:", NULL, false},
		{"127.0.0.1:65536", NULL, false},
		{"127.0.0.1:-1", NULL, false},
		{"127.0.0.1:80x", NULL, false},
		{"127.0.0.1: 80", NULL, false},
		{"127.0.0:80", NULL, false},
		{"example.org:80", NULL, false},
		{"::1:80", NULL, false},
		{"[::1:80", NULL, false},
		{"[::1]x:80", NULL, false},
		{"[]:80", NULL, false},
		{"0123456789012345678901234567890123456789012345678901234567890123:1", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address address;
		char text[64];
		int err = address__parse(cases[i].text, &address);

		if (err != (cases[i].again ? 0 : -EINVAL))
			fail_msg("%s: %d", cases[i].text, err);
		if (err)
			continue;
		address__format(&address, text, sizeof(text));
		assert_string_equal(text, cases[i].again);
		assert_int_equal(address.local, cases[i].local);
	}
}

static void test_listening_says_which_port(void **state)
{
	struct address address, again;
	char text[64];
	int fd, other;

	(void)state;
	assert_int_equal(address__parse("127.0.0.1:0", &address), 0);
	fd = address__listen(&address);
	assert_true(fd >= 0);
	address__format(&address, text, sizeof(text));
	assert_string_not_equal(text, "127.0.0.1:0");
	assert_int_equal(address__parse(text, &again), 0);
	other = address__listen(&again);
	assert_int_equal(other, -EADDRINUSE);
	close(fd);
}

/* --- questions --------------------------------------------------------------- */

static void test_which_questions_make_sense(void **state)
{
	const struct question good = {PROTOCOL_MAGIC, 7, QUESTION_PPROF, 600};
	struct question q;

	(void)state;
	assert_true(question__is_valid(&good));
	for (uint32_t kind = 0; kind <= QUESTION_MAX; kind++) {
		q = (struct question){PROTOCOL_MAGIC, 0, kind, 0};
		assert_int_equal(question__is_valid(&q), kind > 0 && kind < QUESTION_MAX);
		q.seconds = 1;
		assert_int_equal(question__is_valid(&q), kind == QUESTION_PPROF);
	}
	q = good;
	q.magic++;
	assert_false(question__is_valid(&q));
	q = good;
	q.seconds = 601;
	assert_false(question__is_valid(&q));
	q.seconds = UINT32_MAX;
	assert_false(question__is_valid(&q));
}

/* --- the jail ---------------------------------------------------------------- */

#define REFUSED(call)                                                                              \
	do {                                                                                       \
		errno = 0;                                                                         \
		if ((call) != -1 || errno != EPERM) {                                              \
			dprintf(2, "%s: errno %d\n", #call, errno);                                \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static _Noreturn void try_all(pid_t parent)
{
	char byte = 0;
	struct iovec iov = {&byte, 1};
	void *page;

	if (jail__drop(32) || jail__seal())
		_exit(2);
	REFUSED(open("/proc/1/mem", O_RDONLY));
	REFUSED(open("/proc/self/mem", O_RDONLY));
	REFUSED(open("/etc/passwd", O_RDONLY));
	REFUSED(process_vm_readv(parent, &iov, 1, &iov, 1, 0));
	REFUSED(ptrace(PTRACE_ATTACH, parent, NULL, NULL));
	REFUSED(kill(parent, SIGKILL));
	REFUSED(fork());
	REFUSED(execl("/bin/true", "true", NULL));
	REFUSED(socket(AF_INET, SOCK_STREAM, 0));
	REFUSED(unlink("/tmp/x"));
	REFUSED((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	REFUSED(setuid(0));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		_exit(3);
	REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC));
	free(malloc(1 << 20));
	_exit(0);
}

static void test_the_jail(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		try_all(getppid());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- the tracer's end -------------------------------------------------------- */

/*
 * This program, started as the process that speaks HTTP: what it does stands in what it gets in
 * place of a listening socket.
 */
static int act(void)
{
	struct question q = {PROTOCOL_MAGIC, 42, QUESTION_METRICS, 0};
	struct answer a = {};
	char role = 'x', body[64];

	fcntl(HTTP_LINK_FD, F_SETFL, 0); /* to wait is all right here */
	if (read(HTTP_LISTEN_FD, &role, 1) != 1)
		return 9;
	switch (role) {
	case 'a': /* asks, and checks the answer */
		if (write(HTTP_LINK_FD, &q, 7) != 7 ||
		    write(HTTP_LINK_FD, (char *)&q + 7, sizeof(q) - 7) != sizeof(q) - 7)
			return 8;
		if (recv(HTTP_LINK_FD, &a, sizeof(a), MSG_WAITALL) != sizeof(a) || a.id != 42 ||
		    a.size != 23 || recv(HTTP_LINK_FD, body, 23, MSG_WAITALL) != 23)
			return 7;
		return body[22] == 'z' ? 6 : 5;
	case 'n': /* nonsense */
		q.kind = 99;
		write(HTTP_LINK_FD, &q, sizeof(q));
		pause();
		return 0;
	case 's': /* asks, and never reads */
		write(HTTP_LINK_FD, &q, sizeof(q));
		pause();
		return 0;
	default: /* dies */
		return 3;
	}
}

static char messages[4096];

static void take_message(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	strncat(messages, text, sizeof(messages) - strlen(messages) - 1);
	strncat(messages, "\n", sizeof(messages) - strlen(messages) - 1);
}

struct stage {
	struct peer *peer;
	int roles[2];
	uint64_t now;
};

static void stage__open(struct stage *s, const char *roles)
{
	*s = (struct stage){.now = 1000};
	messages[0] = '\0';
	log__redirect(take_message, NULL);
	assert_int_equal(pipe(s->roles), 0);
	assert_int_equal(write(s->roles[1], roles, strlen(roles)), strlen(roles));
	assert_int_equal(peer__new(s->roles[0], &s->peer), 0);
}

static void stage__close(struct stage *s)
{
	peer__free(s->peer);
	close(s->roles[0]);
	close(s->roles[1]);
	log__redirect(NULL, NULL);
}

/* Steps until there is a question (true) or that has been said; time passes as fast as we like. */
static bool step_until(struct stage *s, const char *message, uint64_t ms, struct question *q)
{
	for (int i = 0; i < 3000; i++) {
		if (peer__step(s->peer, s->now, q))
			return true;
		if (message && strstr(messages, message))
			return false;
		s->now += ms;
		poll(NULL, 0, 10);
	}
	fail_msg("nothing came; said: %s", messages);
	return false;
}

static void test_a_question_and_its_answer(void **state)
{
	struct question q;
	struct stage s;

	(void)state;
	stage__open(&s, "a");
	assert_true(step_until(&s, NULL, 0, &q));
	assert_int_equal(q.id, 42);
	assert_int_equal(q.kind, QUESTION_METRICS);
	peer__answer(s.peer, peer__generation(s.peer), 42, ANSWER_OK,
		     strdup("0123456789012345678901z"), 23);
	assert_false(peer__ready(s.peer));
	assert_false(step_until(&s, "ended (status 6)", 0, &q));
	assert_true(peer__ready(s.peer));
	stage__close(&s);
}

static void test_nonsense_ends_it(void **state)
{
	struct question q;
	struct stage s;

	(void)state;
	stage__open(&s, "na");
	assert_false(step_until(&s, "ended (signal 9)", 0, &q));
	assert_non_null(strstr(messages, "asks what makes no sense"));
	/* An answer for the one that has gone is not given to the next. */
	peer__answer(s.peer, 1, 42, ANSWER_OK, strdup("x"), 1);
	assert_true(step_until(&s, NULL, 10, &q));
	assert_int_equal(peer__generation(s.peer), 2);
	peer__answer(s.peer, 1, 42, ANSWER_OK, strdup("x"), 1);
	assert_true(peer__ready(s.peer));
	stage__close(&s);
}

static void test_who_does_not_read_is_ended(void **state)
{
	const size_t size = 8 << 20;
	struct question q;
	struct stage s;

	(void)state;
	stage__open(&s, "s");
	assert_true(step_until(&s, NULL, 0, &q));
	peer__answer(s.peer, 1, q.id, ANSWER_OK, calloc(1, size), size);
	assert_false(step_until(&s, "ended (signal 9)", 100, &q));
	assert_non_null(strstr(messages, "does not take what it has asked for"));
	stage__close(&s);
}

static void test_who_dies_again_and_again_is_started_ever_more_slowly(void **state)
{
	struct question q;
	struct stage s;
	uint64_t before;

	(void)state;
	stage__open(&s, "dddddddddddddddddddddddd");
	for (int i = 0; i < 12; i++) {
		messages[0] = '\0';
		assert_false(step_until(&s, "ended (status 3)", 1000, &q));
	}
	before = peer__generation(s.peer);
	assert_non_null(strstr(messages, "in 30.0 s"));
	for (int i = 0; i < 29; i++) {
		s.now += 1000;
		peer__step(s.peer, s.now, &q);
	}
	assert_int_equal(peer__generation(s.peer), before);
	stage__close(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_listening_says_which_port),
		cmocka_unit_test(test_which_questions_make_sense),
		cmocka_unit_test(test_the_jail),
		cmocka_unit_test(test_a_question_and_its_answer),
		cmocka_unit_test(test_nonsense_ends_it),
		cmocka_unit_test(test_who_does_not_read_is_ended),
		cmocka_unit_test(test_who_dies_again_and_again_is_started_ever_more_slowly),
	};

	if (argc == 1 && strcmp(argv[0], HTTP_PROCESS) == 0)
		return act();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
