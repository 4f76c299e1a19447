/* SPDX-License-Identifier: MIT */
#include "activate/bus_body.h"

#include "activate/bus_value.h"

/* Both are multiples of eight, so where a value lies in the body says how it is aligned in the message. */
enum { ARRAY_HEAD = 8, LENGTH_AT = 4 };

static void align(struct bus_body *b, size_t to)
{
	static const char zeros[8];

	sbuf_add(&b->bytes, (struct str){zeros, (to - b->bytes.n % to) % to});
}

void bus_body_number(struct bus_body *b, uint32_t number)
{
	align(b, sizeof(number));
	sbuf_add(&b->bytes, (struct str){(const char *)&number, sizeof(number)});
}

/* Its length is filled in at the end; a structure begins at a multiple of eight. */
void bus_body_begin(struct bus_body *b)
{
	bus_body_number(b, 0);
	bus_body_struct(b);
}

void bus_body_struct(struct bus_body *b)
{
	align(b, ARRAY_HEAD);
}

void bus_body_path(struct bus_body *b, struct str path)
{
	bus_body_number(b, (uint32_t)path.n);
	sbuf_add(&b->bytes, path);
	sbuf_add_c(&b->bytes, '\0');
}

void bus_body_text(struct bus_body *b, struct str text)
{
	bus_body_path(b, text);
	if (!b->bytes.err)
		bus_repair_text(b->bytes.p + b->bytes.n - text.n - 1, text.n);
}

/* The head with an empty array, as libdbus would send it: its own body, the length of nothing, ends it. */
static bool add_head(struct sbuf *out, DBusMessage *head, const char *element)
{
	DBusMessageIter it, list;
	char *bytes = NULL;
	int n = 0;
	bool is_good;

	dbus_message_iter_init_append(head, &it);
	dbus_message_set_serial(head, 1); /* one without is no message */
	is_good = dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, element, &list) &&
		  dbus_message_iter_close_container(&it, &list) &&
		  dbus_message_marshal(head, &bytes, &n) && n > ARRAY_HEAD;
	if (is_good)
		sbuf_add(out, (struct str){bytes, (size_t)n - ARRAY_HEAD});
	dbus_free(bytes);
	return is_good;
}

/* A copy of it has no number yet, so it gets one when it is sent. */
static DBusMessage *message_of(const struct sbuf *bytes)
{
	DBusMessage *sent = dbus_message_demarshal(bytes->p, (int)bytes->n, NULL), *fresh = NULL;

	if (sent) {
		fresh = dbus_message_copy(sent);
		dbus_message_unref(sent);
	}
	return fresh;
}

DBusMessage *bus_body_end(struct bus_body *b, DBusMessage *head, const char *element)
{
	uint32_t body_n = (uint32_t)b->bytes.n, array_n = body_n - ARRAY_HEAD;
	struct sbuf all = {0};
	DBusMessage *m = NULL;

	if (!b->bytes.err && b->bytes.n < DBUS_MAXIMUM_MESSAGE_LENGTH &&
	    add_head(&all, head, element)) {
		memcpy(b->bytes.p, &array_n, sizeof(array_n));
		sbuf_add(&all, (struct str){b->bytes.p, b->bytes.n});
		if (!all.err) {
			memcpy(all.p + LENGTH_AT, &body_n, sizeof(body_n));
			m = message_of(&all);
		}
	}
	dbus_message_unref(head);
	sbuf_fini(&all);
	sbuf_fini(&b->bytes);
	return m;
}
