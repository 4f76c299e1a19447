/* SPDX-License-Identifier: MIT */
#include "core/describe_inner.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/terminal.h"
#include "units/sandbox.h"

/* Exit codes of systemd.exec(5) for what already fails here. */
enum {
	FIRST_FD = 3 /* SD_LISTEN_FDS_START */,
	EXIT_EXEC = 203,
	EXIT_STDIN = 208,
	EXIT_STDOUT = 209
};

/* --- standard input, output, error --- */

/* The connection of Accept=yes, or the only socket there is. */
static int32_t socket_slot(const struct making *m)
{
	if (m->in->conn_slot >= 0)
		return m->in->conn_slot;
	return m->in->fds_n > 0 ? m->in->fd_slots[0] : -1;
}

static int named_slot(struct making *m, const char *name, uint8_t exit_code, int32_t *ret)
{
	for (unsigned i = 0; i < m->in->fds_n; i++)
		if (!strcmp(m->in->fd_names[i], name)) {
			*ret = m->in->fd_slots[i];
			return 0;
		}
	excuse_set(
		&m->excuse, exit_code,
		"%s: there is no socket named \"%s\" (FileDescriptorName=) for its standard stream",
		m->in->unit->name, name);
	return -ENOENT;
}

/* Root opens it for whoever owns the directory it lies in, and what is written to it is his, too: hark-exec looks where it gets to. */
static void put_file(struct making *m, int fd, int flags, const char *path)
{
	describe_step(m, m->h->is_user ? PLAN_OPEN : PLAN_OPEN_FILE, (uint64_t)fd, (uint64_t)flags,
		      0666, path);
}

static int put_input(struct making *m)
{
	const struct stdio *in = &m->exec->in;

	m->refs[0] = m->in->lent_slots[0];
	if (m->refs[0] >= 0)
		return 0;
	switch ((enum stdio_kind)in->kind) {
	case STDIO_TTY:
	case STDIO_TTY_FORCE:
	case STDIO_TTY_FAIL:
		describe_step(m, PLAN_TTY,
			      in->kind == STDIO_TTY_FORCE  ? 1
			      : in->kind == STDIO_TTY_FAIL ? 2
							   : 0,
			      0, 0, exec_tty_path(m->exec));
		break;
	case STDIO_FILE: {
		bool both = m->exec->out.kind == STDIO_FILE && m->exec->out.path &&
			    !strcmp(in->path, m->exec->out.path);

		put_file(m, 0, both ? O_RDWR | O_CREAT : O_RDONLY, in->path);
		break;
	}
	case STDIO_SOCKET:
		m->refs[0] = socket_slot(m);
		break;
	case STDIO_FD:
		return named_slot(m, in->path, EXIT_STDIN, &m->refs[0]);
	case STDIO_DATA: /* is lent */
	case STDIO_NULL:
	case STDIO_JOURNAL:
	case STDIO_JOURNAL_CONSOLE:
	case STDIO_KMSG:
	case STDIO_KMSG_CONSOLE:
	case STDIO_APPEND:
	case STDIO_TRUNCATE:
	case STDIO_INHERIT:
	case STDIO_KINDS:
		break;
	}
	return 0;
}

static void put_output_file(struct making *m, const struct stdio *s, int fd)
{
	const struct exec_config *e = m->exec;
	int flags = O_WRONLY | O_CREAT |
		    (s->kind == STDIO_APPEND     ? O_APPEND
		     : s->kind == STDIO_TRUNCATE ? O_TRUNC
						 : 0);

	if (s->kind == STDIO_FILE && e->in.kind == STDIO_FILE && !strcmp(e->in.path, s->path))
		describe_step(m, PLAN_DUP, 0, (uint64_t)fd, 0, NULL);
	else if (fd == STDERR_FILENO && e->out.kind == s->kind && !strcmp(e->out.path, s->path))
		describe_step(m, PLAN_DUP, 1, 2, 0, NULL);
	else
		put_file(m, fd, flags, s->path);
}

/* Where input came from; with none, the pipe. */
static void inherit_input(struct making *m, int fd)
{
	const struct stdio *in = &m->exec->in;

	if (in->kind == STDIO_SOCKET || in->kind == STDIO_FD ||
	    (in->kind == STDIO_FILE && m->refs[0] >= 0))
		m->refs[fd] = m->refs[0];
	else if (stdio_is_tty(in) || in->kind == STDIO_FILE)
		describe_step(m, PLAN_DUP, 0, (uint64_t)fd, 0, NULL);
	else
		m->refs[fd] = m->in->out_slot;
}

static int put_output(struct making *m, const struct stdio *s, int fd)
{
	m->refs[fd] = m->in->lent_slots[fd];
	if (m->refs[fd] >= 0)
		return 0;
	switch ((enum stdio_kind)s->kind) {
	case STDIO_INHERIT:
		inherit_input(m, fd);
		break;
	case STDIO_JOURNAL:
	case STDIO_JOURNAL_CONSOLE:
		m->refs[fd] = m->in->out_slot;
		break;
	case STDIO_KMSG:
	case STDIO_KMSG_CONSOLE:
		describe_step(m, PLAN_OPEN, (uint64_t)fd, O_WRONLY, 0, "/dev/kmsg");
		break;
	case STDIO_TTY:
	case STDIO_TTY_FORCE:
	case STDIO_TTY_FAIL:
		if (stdio_is_tty(&m->exec->in))
			describe_step(m, PLAN_DUP, 0, (uint64_t)fd, 0, NULL);
		else
			describe_step(m, PLAN_OPEN, (uint64_t)fd, O_WRONLY | O_NOCTTY, 0,
				      exec_tty_path(m->exec));
		break;
	case STDIO_FILE:
	case STDIO_APPEND:
	case STDIO_TRUNCATE:
		put_output_file(m, s, fd);
		break;
	case STDIO_SOCKET:
		m->refs[fd] = socket_slot(m);
		break;
	case STDIO_FD:
		return named_slot(m, s->path, EXIT_STDOUT, &m->refs[fd]);
	case STDIO_NULL:
	case STDIO_DATA:
	case STDIO_KINDS:
		break;
	}
	return 0;
}

/* What is done with the terminal before it is used; with nobody's word it is left alone. */
static void put_terminal(struct making *m)
{
	const struct sandbox *s = sandbox_of(m->in->unit->config);
	const struct exec_config *e = m->exec;
	uint64_t flags = (e->tty_hangup ? TERMINAL_HANGUP : 0) |
			 (e->tty_reset ? TERMINAL_RESET : 0) |
			 (s->tty_disallocate ? TERMINAL_CLEAR : 0);

	if (flags || s->tty_rows || s->tty_columns)
		describe_step(m, PLAN_TTY_RESET, flags, s->tty_rows, s->tty_columns,
			      exec_tty_path(e));
}

int describe_stdio(struct making *m)
{
	const struct stdio *err = m->exec->err.kind == STDIO_INHERIT ? &m->exec->out
								     : &m->exec->err;
	int r;

	put_terminal(m);
	r = put_input(m);

	if (!r)
		r = put_output(m, &m->exec->out, STDOUT_FILENO);
	if (!r)
		r = put_output(m, err, STDERR_FILENO);
	return r;
}

/* A connection that is standard input already is not passed a second time. */
static bool passes_connection(const struct making *m)
{
	return m->in->conn_slot >= 0 && m->exec->in.kind != STDIO_SOCKET;
}

int describe_listen_fds(struct making *m, struct process *out)
{
	const struct describe_in *in = m->in;
	unsigned n = FIRST_FD;

	if (in->fds_n + FIRST_FD + 1 > BANK_REFS) {
		excuse_set(&m->excuse, EXIT_EXEC,
			   "%s: %u descriptors are more than the %d that can be passed",
			   in->unit->name, in->fds_n, BANK_REFS - FIRST_FD - 1);
		return -E2BIG;
	}
	if (passes_connection(m))
		m->refs[n++] = in->conn_slot;
	for (unsigned i = 0; i < in->fds_n; i++)
		m->refs[n++] = in->fd_slots[i];
	out->refs_n = n;
	if (in->unit->config->service && in->unit->config->service->non_blocking &&
	    in->sockets_n + passes_connection(m))
		describe_step(m, PLAN_NONBLOCK, FIRST_FD, in->sockets_n + passes_connection(m), 0,
			      NULL);
	return 0;
}

void describe_listen_env(struct making *m)
{
	const struct describe_in *in = m->in;
	unsigned n = in->fds_n + passes_connection(m);
	struct sbuf names = {0};
	AUTO_MEM char *text = NULL;

	if (n == 0)
		return;
	if (passes_connection(m))
		sbuf_add_z(&names, "connection");
	for (unsigned i = 0; i < in->fds_n; i++) {
		if (names.n)
			sbuf_add_c(&names, ':');
		sbuf_add_z(&names, in->fd_names[i]);
	}
	text = sbuf_take(&names);
	if (!text)
		m->env.err = -ENOMEM;
	env_set_pid(&m->env, "LISTEN_PID");
	env_setf(&m->env, "LISTEN_FDS", "%u", n);
	env_set(&m->env, "LISTEN_FDNAMES", text);
}
