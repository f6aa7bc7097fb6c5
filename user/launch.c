/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/caps.h"

struct launch {
	pid_t pid;
	int pidfd;
	int go;	   /* write end: one byte lets the launcher go */
	int error; /* read end: errno of execvp, or end of file when it worked */
	int status;
	bool reaped;
};

/* The part of the launcher's memory that it needs; it shares the rest with us until it execs. */
struct plan {
	char **argv;
	const struct passwd *user; /* NULL: stay who we are */
	const sigset_t *signals;
	int go, error;
};

static int become(const struct passwd *pw)
{
	if (initgroups(pw->pw_name, pw->pw_gid) || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid))
		return -errno;
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", pw->pw_name, 1);
	setenv("LOGNAME", pw->pw_name, 1);
	setenv("SHELL", pw->pw_shell, 1);
	return 0;
}

static void launcher(const struct plan *plan)
{
	int err = plan->user ? become(plan->user) : 0;
	char go;

	/* End of file: cowtrace has given up, or died. */
	if (read(plan->go, &go, 1) != 1)
		_exit(125);
	sigprocmask(SIG_UNBLOCK, plan->signals, NULL);
	if (!err) {
		caps__drop();
		execvp(plan->argv[0], plan->argv);
		err = -errno;
	}
	if (write(plan->error, &err, sizeof(err)) != sizeof(err))
		_exit(126);
	_exit(err == -ENOENT ? 127 : 126);
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int launch__fork(struct launch *l, struct plan *plan)
{
	int go[2] = {-1, -1}, error[2] = {-1, -1};

	if (pipe2(go, O_CLOEXEC) || pipe2(error, O_CLOEXEC))
		goto fail;
	plan->go = go[0];
	plan->error = error[1];
	l->pid = fork();
	if (l->pid == 0) {
		close(go[1]); /* else it would never see the end of file */
		launcher(plan);
	}
	if (l->pid < 0)
		goto fail;
	close(go[0]);
	close(error[1]);
	l->go = go[1];
	l->error = error[0];
	l->pidfd = syscall(SYS_pidfd_open, l->pid, 0);
	return l->pidfd < 0 ? -errno : 0;
fail:
	close_if(go[0]);
	close_if(go[1]);
	close_if(error[0]);
	close_if(error[1]);
	return -errno;
}

int launch__prepare(char **argv, const char *user, const sigset_t *signals, struct launch **out,
		    char *why, size_t why_size)
{
	struct plan plan = {.argv = argv, .signals = signals};
	struct launch *l;
	int err;

	if (user) {
		plan.user = getpwnam(user);
		if (!plan.user) {
			snprintf(why, why_size, "there is no user '%s'", user);
			return -EINVAL;
		}
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->pidfd = l->go = l->error = -1;
	err = launch__fork(l, &plan);
	if (err) {
		snprintf(why, why_size, "cannot start a process: %s", strerror(-err));
		launch__free(l);
		return err;
	}
	*out = l;
	return 0;
}

void launch__free(struct launch *l)
{
	if (!l)
		return;
	close_if(l->go);
	close_if(l->error);
	close_if(l->pidfd);
	free(l);
}

pid_t launch__pid(const struct launch *l)
{
	return l->pid;
}

int launch__fd(const struct launch *l)
{
	return l->pidfd;
}

int launch__go(struct launch *l)
{
	int err = 0;

	if (write(l->go, "", 1) != 1)
		return -errno;
	close(l->go);
	l->go = -1;
	/* End of file: closed by a successful exec. */
	if (read(l->error, &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(l->error);
	l->error = -1;
	return err;
}

void launch__signal(const struct launch *l, int sig)
{
	if (!l->reaped)
		kill(l->pid, sig);
}

int launch__reap(struct launch *l)
{
	int status;

	if (l->reaped)
		return l->status;
	if (waitpid(l->pid, &status, WNOHANG) != l->pid)
		return -1;
	l->reaped = true;
	l->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return l->status;
}
