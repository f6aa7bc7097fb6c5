/* SPDX-License-Identifier: MIT */
#include "serve/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/http.h"

/* To take an answer whole. */
#define SEND_MS 10000
/* Between two starts: doubles with each one that comes soon after the last. */
#define FIRST_PAUSE_MS 100
#define MAX_PAUSE_MS   30000
#define SOON_MS	       60000

struct peer {
	int listen_fd, fd; /* fd: -1: no process */
	pid_t pid;
	uint64_t generation;
	uint64_t started, pause; /* ms */
	uint64_t next_start;
	struct question question;
	size_t have;
	struct answer head; /* what is being sent; body NULL: nothing */
	char *body;
	size_t sent;
	uint64_t send_until;
};

/* --- the process ------------------------------------------------------------- */

static _Noreturn void become_http(int listen_fd, int link)
{
	static char *const argv[] = {HTTP_PROCESS, NULL};
	static char *const none[] = {NULL};
	sigset_t nothing;
	int fds[2];

	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(125);
	/* Out of the way of the numbers that they are to have. */
	fds[0] = fcntl(listen_fd, F_DUPFD_CLOEXEC, 10);
	fds[1] = fcntl(link, F_DUPFD_CLOEXEC, 10);
	if (dup2(fds[0], HTTP_LISTEN_FD) < 0 || dup2(fds[1], HTTP_LINK_FD) < 0 ||
	    close_range(HTTP_LINK_FD + 1, ~0u, 0))
		_exit(125);
	sigemptyset(&nothing);
	sigprocmask(SIG_SETMASK, &nothing, NULL);
	/* A program with capabilities of its own, started by somebody who has none: without them.
	 */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	execve("/proc/self/exe", argv, none);
	_exit(126);
}

static int peer__start(struct peer *p)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -errno;
	p->pid = fork();
	if (p->pid == 0)
		become_http(p->listen_fd, pair[1]);
	close(pair[1]);
	if (p->pid < 0) {
		int err = -errno;

		close(pair[0]);
		return err;
	}
	p->fd = pair[0];
	p->generation++;
	return 0;
}

/* Not waited for: it may be a moment until it is gone. */
static void peer__stop(struct peer *p)
{
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	free(p->body);
	p->body = NULL;
	p->have = p->sent = 0;
}

int peer__new(int listen_fd, struct peer **out)
{
	struct peer *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->listen_fd = listen_fd;
	p->fd = -1;
	p->pause = FIRST_PAUSE_MS;
	err = peer__start(p);
	if (err)
		free(p);
	else
		*out = p;
	return err;
}

void peer__free(struct peer *p)
{
	if (!p)
		return;
	peer__stop(p);
	if (p->pid > 0)
		waitpid(p->pid, NULL, 0);
	free(p);
}

static void how_it_ended(int status, char *words, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(words, size, "signal %d", WTERMSIG(status));
	else
		snprintf(words, size, "status %d", WEXITSTATUS(status));
}

static void wait_longer(struct peer *p, uint64_t now)
{
	p->pause = p->pause * 2 < MAX_PAUSE_MS ? p->pause * 2 : MAX_PAUSE_MS;
	p->next_start = now + p->pause;
}

/* Has it ended? Then there will be another one, but not at once again and again. */
static void look_after(struct peer *p, uint64_t now)
{
	char how[32];
	int status, err;

	p->started = p->started ?: now;
	if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid) {
		peer__stop(p);
		p->pid = 0;
		if (now - p->started > SOON_MS)
			p->pause = FIRST_PAUSE_MS / 2;
		wait_longer(p, now);
		how_it_ended(status, how, sizeof(how));
		log_warn("serve: the HTTP process has ended (%s); there will be another one in "
			 "%.1f s",
			 how, (double)p->pause / 1000);
	}
	if (p->pid > 0 || now < p->next_start)
		return;
	p->started = now;
	err = peer__start(p);
	if (err) {
		p->pid = 0;
		wait_longer(p, now);
		log_warn("serve: no HTTP process: %s; the next try is in %.1f s", strerror(-err),
			 (double)p->pause / 1000);
	}
}

/* --- questions and answers --------------------------------------------------- */

int peer__fd(const struct peer *p, short *events)
{
	*events = p->body ? POLLOUT : POLLIN;
	return p->fd;
}

bool peer__ready(const struct peer *p)
{
	return !p->body;
}

uint64_t peer__generation(const struct peer *p)
{
	return p->generation;
}

static void give_up(struct peer *p, const char *why)
{
	log_warn("serve: the HTTP process %s: it is ended", why);
	peer__stop(p);
}

static void send_more(struct peer *p, uint64_t now)
{
	size_t head = p->sent < sizeof(p->head) ? sizeof(p->head) - p->sent : 0;
	size_t past = head ? 0 : p->sent - sizeof(p->head);
	struct iovec parts[2] = {
		{.iov_base = (char *)&p->head + sizeof(p->head) - head, .iov_len = head},
		{.iov_base = p->body + past, .iov_len = p->head.size - past},
	};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n = sendmsg(p->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

	p->send_until = p->send_until ?: now + SEND_MS;
	if (n > 0)
		p->sent += (size_t)n;
	if (p->sent == sizeof(p->head) + p->head.size) {
		free(p->body);
		p->body = NULL;
	} else if (now >= p->send_until) {
		give_up(p, "does not take what it has asked for");
	} /* an error: it has died, as look_after will see */
}

static bool take_question(struct peer *p, struct question *out)
{
	ssize_t n = recv(p->fd, (char *)&p->question + p->have, sizeof(p->question) - p->have,
			 MSG_DONTWAIT);

	if (n <= 0)
		return false;
	p->have += (size_t)n;
	if (p->have < sizeof(p->question))
		return false;
	p->have = 0;
	if (!question__is_valid(&p->question)) {
		give_up(p, "asks what makes no sense");
		return false;
	}
	*out = p->question;
	return true;
}

bool peer__step(struct peer *p, uint64_t now, struct question *out)
{
	look_after(p, now);
	if (p->fd >= 0 && p->body)
		send_more(p, now);
	return p->fd >= 0 && !p->body && take_question(p, out);
}

void peer__answer(struct peer *p, uint64_t generation, uint32_t id, enum answer_status status,
		  char *body, size_t size)
{
	if (generation != p->generation || p->fd < 0 || p->body) {
		free(body);
		return;
	}
	if (status != ANSWER_OK || !body)
		size = 0;
	p->body = body ?: calloc(1, 1);
	if (!p->body)
		return; /* it will wait in vain, but not for ever */
	p->head = (struct answer){
		.magic = PROTOCOL_MAGIC,
		.id = id,
		.status = status,
		.size = (uint32_t)size,
	};
	p->sent = 0;
	p->send_until = 0;
}
