/* SPDX-License-Identifier: MIT */
/* Dump() and its like: everything that the manager knows of units, as text. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "activate/bus.h"
#include "activate/bus_serve.h"
#include "activate/bus_value.h"
#include "core/fd.h"

static void write_dump(const struct bus_call *c, struct sbuf *out)
{
	for (const struct row *row = c->ask.rows.first; row; row = row->next) {
		struct str id = row_text(row, "Id");

		sbuf_addf(out, "-> Unit " STR_FMT ":\n", STR_ARG(id));
		for (unsigned i = 0; i < row->n; i++) {
			const struct field *f = &row->fields[i];

			if (f->tag == TAG_TEXT || f->tag == TAG_ITEM)
				sbuf_addf(out, "\t%s: " STR_FMT "\n", f->key, STR_ARG(f->text));
			else
				sbuf_addf(out, "\t%s: %llu\n", f->key,
					  (unsigned long long)f->value);
		}
	}
}

static void finish_dump(struct bus_call *c)
{
	bool is_fd =
		dbus_message_has_member(c->message, "DumpByFileDescriptor") ||
		dbus_message_has_member(c->message, "DumpUnitsMatchingPatternsByFileDescriptor");
	DBusMessage *reply = bus_reply_new(c);
	struct sbuf text = {0};
	AUTO_FD int fd = -1;
	DBusMessageIter it;
	bool is_good;

	if (!reply)
		return;
	write_dump(c, &text);
	dbus_message_iter_init_append(reply, &it);
	if (is_fd) {
		fd = memfd_create("dump", MFD_CLOEXEC);
		is_good = fd >= 0 && fd_write_all(fd, text.p, text.n) == 0 &&
			  lseek(fd, 0, SEEK_SET) == 0 &&
			  dbus_message_iter_append_basic(&it, DBUS_TYPE_UNIX_FD, &fd);
	} else {
		is_good = !text.err && bus_put_text(&it, (struct str){text.p, text.n});
	}
	sbuf_fini(&text);
	if (is_good) {
		bus_reply(c, reply);
		return;
	}
	dbus_message_unref(reply);
	bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

void serve_dump(struct bus_call *c)
{
	unsigned n = 0;

	if (*c->method->in && !bus_list_argument(c, 0, c->args, &n)) {
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "too many patterns");
		return;
	}
	if (n == 0)
		c->args[n++] = "*";
	bus_ask(c, VERB_SHOW, n, finish_dump);
}
