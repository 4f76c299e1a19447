/* SPDX-License-Identifier: MIT */
#include "activate/bus_saved.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"

enum { BYTES_MOST = 1024 * 1024, APPENDED_MOST = 64 * 1024, PATH_ROOM = 512 };

static void path_of(const struct bus_saved *f, char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "%s/" BUS_SAVED, f->run_dir);
}

void bus_saved_renew(struct bus_saved *f)
{
	struct sbuf text = {0};
	char path[PATH_ROOM];
	int r;

	f->put_all(f, &text);
	r = text.err ? text.err
		     : fd_replace_file(f->run_dir, BUS_SAVED, (struct str){text.p, text.n});
	sbuf_fini(&text);
	if (r < 0)
		log_at(LOG_WARN, "%s/" BUS_SAVED " is not written: %s", f->run_dir, strerror(-r));
	path_of(f, path);
	fd_close(f->fd);
	f->fd = r < 0 ? r : fd_open(AT_FDCWD, path, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);
	f->appended_n = 0;
}

void bus_saved_add(struct bus_saved *f, const char *line)
{
	size_t n = strlen(line);

	if (f->fd < 0 || f->appended_n + n > APPENDED_MOST || fd_write_all(f->fd, line, n) < 0)
		bus_saved_renew(f);
	else
		f->appended_n += n;
}

char *bus_saved_read(const struct bus_saved *f, struct str *ret_lines)
{
	char path[PATH_ROOM], *text = NULL;
	size_t n = 0;

	path_of(f, path);
	if (fd_read_file(AT_FDCWD, path, BYTES_MOST, &text, &n) < 0)
		return NULL;
	while (n && text[n - 1] != '\n') /* nothing was done about one that was cut short */
		n--;
	*ret_lines = (struct str){text, n};
	return text;
}

void bus_saved_close(struct bus_saved *f)
{
	fd_close(f->fd);
	f->fd = -1;
}
