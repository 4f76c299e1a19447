/* SPDX-License-Identifier: MIT */
#include "activate/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "activate/journal.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/procs.h"

enum {
	LINE_MOST = OUTPUT_BYTES / 2, /* a longer line is cut into several */
	READ_SIZE = 6 * 1024,
	READS_A_TURN = 4, /* then the others have their turn */
	DRAIN_MOST = 16,  /* more than a pipe of the default size holds */
	KMSG_MOST = 976,
};

struct output_line {
	uint64_t wall_us;
	uint16_t n;
};

/* The bytes of all kept lines one after the other, then those of the line that is not finished. */
struct output_text {
	struct output_line line[OUTPUT_LINES];
	unsigned lines_n;
	uint64_t forgotten; /* lines that were older */
	size_t done_n, n;   /* bytes of finished lines; of all */
	char bytes[OUTPUT_BYTES];
};

struct unit_output {
	struct watch watch;
	struct hark *hark;
	struct unit *unit;
	struct output_text *text; /* made with the first byte: most services never say anything */
	int kmsg_fd;              /* open while bytes are digested */
};

/* --- keeping the last lines --- */

static void drop_oldest(struct output_text *t)
{
	size_t n = t->line[0].n;

	memmove(t->bytes, t->bytes + n, t->n - n);
	memmove(t->line, t->line + 1, (t->lines_n - 1) * sizeof(t->line[0]));
	t->lines_n--;
	t->forgotten++;
	t->done_n -= n;
	t->n -= n;
}

/* What journald does not take, in the kernel's log: "<30>unit: text", 30 being daemon.info. A full log loses the line, never blocks. */
static void copy_to_kmsg(struct unit_output *o, struct str line)
{
	const struct exec_config *e = o->unit->config ? o->unit->config->exec : NULL;
	const char *name = e && e->syslog_identifier ? e->syslog_identifier : o->unit->name;
	char record[KMSG_MOST]; /* more is EINVAL: see log.c */
	size_t n = (size_t)snprintf(record, sizeof(record), "<30>%.255s: ", name);

	if (o->kmsg_fd < 0)
		o->kmsg_fd = fd_open(AT_FDCWD, "/dev/kmsg", O_WRONLY | O_NONBLOCK, 0);
	n += log_escape(record + n, sizeof(record) - n, line);
	if (o->kmsg_fd < 0 || write(o->kmsg_fd, record, n) < 0)
		return;
}

static void finish_line(struct unit_output *o)
{
	struct output_text *t = o->text;
	struct str line = {t->bytes + t->done_n, t->n - t->done_n};

	if (o->hark->is_pid1 && line.n && !journal_said(o->hark, o->unit, line))
		copy_to_kmsg(o, line);
	if (t->lines_n == OUTPUT_LINES)
		drop_oldest(t);
	t->line[t->lines_n++] =
		(struct output_line){.wall_us = clock_wall_us(), .n = (uint16_t)line.n};
	t->done_n = t->n;
}

static void append(struct unit_output *o, struct str piece)
{
	struct output_text *t = o->text;

	while (piece.n) {
		size_t room = LINE_MOST - (t->n - t->done_n);
		size_t n = piece.n < room ? piece.n : room;

		while (t->n + n > OUTPUT_BYTES)
			drop_oldest(t);
		memcpy(t->bytes + t->n, piece.p, n);
		t->n += n;
		piece = str_sub(piece, n, piece.n);
		if (n == room)
			finish_line(o);
	}
}

static void digest(struct unit_output *o, struct str bytes)
{
	if (!o->text)
		o->text = mem_get(sizeof(*o->text));
	if (!o->text)
		return;
	while (bytes.n) {
		size_t end = str_index(bytes, '\n');

		append(o, str_sub(bytes, 0, end));
		if (end < bytes.n)
			finish_line(o);
		bytes = str_sub(bytes, end + (end < bytes.n), bytes.n);
	}
	fd_close(o->kmsg_fd);
	o->kmsg_fd = -1;
}

static void read_some(struct unit_output *o, unsigned reads)
{
	int fd = bank_fd(procs_output(o->unit)->slot - 1);
	char bytes[READ_SIZE];
	ssize_t n = 1;

	for (; reads && n > 0; reads--) {
		n = fd_read(fd, bytes, sizeof(bytes));
		if (n > 0)
			digest(o, (struct str){bytes, (size_t)n});
		if (n < (ssize_t)sizeof(bytes))
			return;
	}
}

static void on_readable(struct watch *w, uint32_t events)
{
	struct unit_output *o = container_of(w, struct unit_output, watch);

	(void)events;
	read_some(o, READS_A_TURN);
}

/* --- the pipe --- */

static int watch_pipe(struct hark *h, struct unit *u)
{
	struct output_pipe *pipe = procs_output(u);
	struct unit_output *o = mem_get(sizeof(*o));
	int r;

	if (!o)
		return err_here(-ENOMEM);
	*o = (struct unit_output){.watch.fn = on_readable, .hark = h, .unit = u, .kmsg_fd = -1};
	r = loop_watch(&h->loop, &o->watch, bank_fd(pipe->slot - 1), EPOLLIN);
	if (r < 0)
		mem_put(o);
	else
		pipe->output = o;
	return r;
}

/* The pipe behind fd, opened once more. A descriptor of the caller's, or -errno. */
static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd_open(AT_FDCWD, path, flags, 0);
}

/* From here on the slot's number is our own opening, which alone must not block; what PID 1 has of it stays as it is. */
static int read_by(struct unit *u, int fd)
{
	return dup3(fd, bank_fd(procs_output(u)->slot - 1), O_CLOEXEC) < 0 ? err_here(-errno) : 0;
}

static int store(struct hark *h, struct unit *u, int fd)
{
	char name[BANK_NAME];
	int slot = bank_take(&h->bank), r;

	if (slot < 0)
		return slot;
	bank_name(name, u->name, "out");
	r = bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), name, fd, false, 0);
	if (r < 0)
		bank_release(&h->bank, (uint32_t)slot);
	else
		procs_output(u)->slot = (uint32_t)slot + 1;
	return r;
}

void output_drain(struct hark *h UNUSED, struct unit *u)
{
	const struct output_pipe *pipe = procs_output(u);

	if (pipe && pipe->output && pipe->slot)
		read_some(pipe->output, DRAIN_MOST);
}

/* What the next process writes is not a part of the line that the one before has not ended. */
static void end_line(struct hark *h, struct unit *u)
{
	const struct output_pipe *pipe = procs_output(u);
	const struct output_text *t;

	output_drain(h, u);
	t = pipe->output ? pipe->output->text : NULL;
	if (t && t->n > t->done_n)
		finish_line(pipe->output);
}

int output_open(struct hark *h, struct unit *u)
{
	struct output_pipe *pipe = procs_output(u);
	AUTO_MEM struct output_text *before = NULL; /* of the run before */
	AUTO_FD int from = -1;
	AUTO_FD int to = -1;
	AUTO_FD int both = -1;
	int p[2], r;

	if (pipe->output && pipe->slot) {
		end_line(h, u);
		return (int)pipe->slot - 1;
	}
	if (pipe->output)
		before = take_ptr(pipe->output->text);
	output_close(h, u);
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_here(-errno);
	from = p[0];
	to = p[1];
	both = open_again(from, O_RDWR);
	r = both < 0 ? both : store(h, u, both);
	if (!r)
		r = read_by(u, from);
	if (!r)
		r = watch_pipe(h, u);
	if (r < 0) {
		output_close(h, u);
		return r;
	}
	pipe->output->text = take_ptr(before);
	return (int)pipe->slot - 1;
}

int output_adopt(struct hark *h, struct unit *u)
{
	struct output_pipe *pipe = procs_output(u);
	AUTO_FD int from = -1;
	int r;

	if (pipe->output || !pipe->slot)
		return 0;
	from = open_again(bank_fd(pipe->slot - 1), O_RDONLY | O_NONBLOCK);
	r = from < 0 ? from : read_by(u, from);
	return r < 0 ? r : watch_pipe(h, u);
}

static void give_up(struct hark *h, struct unit *u)
{
	struct output_pipe *pipe = procs_output(u);

	if (!pipe->slot)
		return;
	if (pipe->output)
		loop_unwatch(&h->loop, &pipe->output->watch);
	if (bank_drop(&h->bank, pipe->slot - 1) < 0)
		log_at(LOG_WARN, "%s: its output pipe cannot be given up: PID 1 is gone", u->name);
	pipe->slot = 0;
}

void output_end(struct hark *h, struct unit *u)
{
	end_line(h, u);
	give_up(h, u);
}

void output_close(struct hark *h, struct unit *u)
{
	struct output_pipe *pipe = procs_output(u);

	give_up(h, u);
	if (pipe->output)
		mem_put(pipe->output->text);
	mem_put(pipe->output);
	pipe->output = NULL;
}

bool output_next(const struct unit *u, bool partial, struct output_at *at)
{
	const struct output_pipe *pipe = procs_output((struct unit *)(uintptr_t)u);
	const struct output_text *t = pipe && pipe->output ? pipe->output->text : NULL;
	unsigned k = 0;
	size_t from = 0;

	/* A number from before the lines were forgotten, or from another run's. */
	if (t && (at->number < t->forgotten || at->number > t->forgotten + t->lines_n + 1))
		at->number = t->forgotten;
	while (t && k < t->lines_n && t->forgotten + k < at->number)
		from += t->line[k++].n;
	if (!t || t->forgotten + k != at->number)
		return false;
	if (k < t->lines_n) {
		at->line = (struct str){t->bytes + from, t->line[k].n};
		at->wall_us = t->line[k].wall_us;
		return true;
	}
	at->line = (struct str){t->bytes + t->done_n, t->n - t->done_n};
	at->wall_us = clock_wall_us();
	return partial && at->line.n;
}
