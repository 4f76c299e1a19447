/* SPDX-License-Identifier: MIT */
#include "activate/utab.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "core/fd.h"
#include "core/mem.h"
#include "core/mountinfo.h"

#define UTAB_DIR "/run/mount"
enum { TEXT_MOST = 4 * 1024 * 1024, EVENTS_BYTES = 4096 };
static const char name[] = "utab";

/* A line is "SRC=/dev/sdb1 TARGET=/srv ROOT=/ OPTS=_netdev", in any order, escaped as in mountinfo. */
bool utab_next(struct str *rest, char *place, size_t cap)
{
	struct str line, word, options;

	while (str_cut(rest, '\n', &line)) {
		struct str target = {NULL, 0};
		bool is_network = false;

		while (str_word(&line, &word)) {
			if (str_has_prefix(word, STR("TARGET=")))
				target = str_sub(word, strlen("TARGET="), word.n);
			if (!str_has_prefix(word, STR("OPTS=")))
				continue;
			options = str_sub(word, strlen("OPTS="), word.n);
			while (str_cut(&options, ',', &word))
				is_network = is_network || str_eq_z(word, "_netdev");
		}
		if (is_network && target.n && mountinfo_unescape(target, place, cap))
			return true;
	}
	return false;
}

struct str utab_lines(const struct utab *t)
{
	return (struct str){t->text, t->n};
}

static void read_again(struct utab *t)
{
	mem_put(t->text);
	t->text = NULL;
	t->n = 0;
	/* Most machines have none. */
	if (fd_read_file(AT_FDCWD, UTAB_DIR "/utab", TEXT_MOST, &t->text, &t->n) < 0)
		t->text = NULL;
}

/* libmount puts a new file in its place. */
static void on_events(struct watch *w, uint32_t events UNUSED)
{
	struct utab *t = container_of(w, struct utab, watch);
	_Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
	bool is_it = false;
	ssize_t n;

	while ((n = fd_read(w->fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(bytes + at);

			is_it = is_it || e->mask & IN_Q_OVERFLOW ||
				(e->len && strcmp(e->name, name) == 0);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	if (!is_it)
		return;
	read_again(t);
	t->changed(t);
}

int utab_open(struct utab *t, struct loop *loop, void (*changed)(struct utab *t))
{
	AUTO_FD int fd = fd_inotify();
	int r;

	if (fd < 0)
		return fd;
	(void)mkdir(UTAB_DIR, 0755); /* libmount would make it */
	if (inotify_add_watch(fd, UTAB_DIR, IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR) <
	    0)
		return err_here(-errno);
	t->loop = loop;
	t->changed = changed;
	t->watch.fn = on_events;
	r = loop_watch(loop, &t->watch, fd, EPOLLIN);
	if (r < 0)
		return r;
	(void)take_fd(fd);
	read_again(t);
	return 0;
}

void utab_close(struct utab *t)
{
	if (!t->watch.is_on)
		return;
	loop_unwatch(t->loop, &t->watch);
	fd_close(t->watch.fd);
	mem_put(t->text);
	t->text = NULL;
}
