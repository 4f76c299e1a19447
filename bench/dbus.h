/* SPDX-License-Identifier: MIT */
/*
 * dbus - as much of D-Bus as a name on the system bus needs, without a library:
 * to say who one is, to ask for a name, to read what comes. The specification's
 * "Message Protocol", little endian.
 */
#pragma once

#include <stdint.h>

enum { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_SIGNAL = 4 };
enum {
	FIELD_PATH = 1,
	FIELD_INTERFACE,
	FIELD_MEMBER,
	FIELD_ERROR,
	FIELD_REPLY_SERIAL,
	FIELD_DESTINATION,
	FIELD_SENDER,
	FIELD_SIGNATURE,
	FIELDS
};
enum { DBUS_ROOM = 4096, HEADER = 16, FIELDS_AT = 12, BODY_AT = 4, SERIAL_AT = 8 };

static const char dbus_socket[] = "/run/dbus/system_bus_socket";
/* Root says who it is, and does not wait for the answer. */
static const char dbus_greeting[] = "\0AUTH EXTERNAL 30\r\nBEGIN\r\n";

/* Messages behind each other, to be written at once. */
struct dbus_out {
	unsigned char at[DBUS_ROOM];
	unsigned n, begin; /* of the last message */
	uint32_t serial;
};

struct dbus_in {
	unsigned char at[DBUS_ROOM];
	unsigned n, used;
};

/* Of a message that came; texts are within it. */
struct dbus_message {
	unsigned type;
	uint32_t serial;
	const char *field[FIELDS]; /* those that are texts; NULL: not there */
	const unsigned char *body;
};

static inline uint32_t dbus_u32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void dbus_poke(unsigned char *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

static inline unsigned dbus_align(unsigned n, unsigned to)
{
	return (n + to - 1) / to * to;
}

static inline void dbus_bytes(struct dbus_out *o, const char *p, unsigned n)
{
	for (unsigned i = 0; i < n && o->n < sizeof(o->at); i++)
		o->at[o->n++] = (unsigned char)p[i];
}

static inline void dbus_pad(struct dbus_out *o, unsigned to)
{
	unsigned end = o->begin + dbus_align(o->n - o->begin, to);

	while (o->n < end && o->n < sizeof(o->at))
		o->at[o->n++] = 0;
}

static inline void dbus_put_u32(struct dbus_out *o, uint32_t v)
{
	char bytes[4];

	dbus_pad(o, 4);
	dbus_poke((unsigned char *)bytes, v);
	dbus_bytes(o, bytes, 4);
}

static inline void dbus_put_text(struct dbus_out *o, const char *text)
{
	unsigned n = 0;

	while (text[n])
		n++;
	dbus_put_u32(o, n);
	dbus_bytes(o, text, n + 1);
}

/* A field of the header, of which comes the value. kind: its type. */
static inline void dbus_field(struct dbus_out *o, char code, char kind)
{
	const char head[] = {code, 1, kind, 0};

	dbus_pad(o, 8);
	dbus_bytes(o, head, sizeof(head));
}

static inline void dbus_field_text(struct dbus_out *o, char code, char kind, const char *text)
{
	dbus_field(o, code, kind);
	dbus_put_text(o, text);
}

static inline void dbus_begin(struct dbus_out *o, char type)
{
	const char head[] = {'l', type, 0, 1};

	o->begin = o->n;
	dbus_bytes(o, head, sizeof(head));
	dbus_put_u32(o, 0);
	dbus_put_u32(o, ++o->serial);
	dbus_put_u32(o, 0);
}

/* After the last field, before the body. */
static inline void dbus_end_header(struct dbus_out *o)
{
	dbus_poke(o->at + o->begin + FIELDS_AT, o->n - o->begin - HEADER);
	dbus_pad(o, 8);
}

/* A call of the bus itself; signature: of the body that the caller puts behind
 * it, or NULL. */
static inline void dbus_ask(struct dbus_out *o, const char *member, const char *signature)
{
	dbus_begin(o, DBUS_CALL);
	dbus_field_text(o, FIELD_PATH, 'o', "/org/freedesktop/DBus");
	dbus_field_text(o, FIELD_DESTINATION, 's', "org.freedesktop.DBus");
	dbus_field_text(o, FIELD_INTERFACE, 's', "org.freedesktop.DBus");
	dbus_field_text(o, FIELD_MEMBER, 's', member);
	if (signature) {
		const char n[] = {2};

		dbus_field(o, FIELD_SIGNATURE, 'g');
		dbus_bytes(o, n, 1);
		dbus_bytes(o, signature, 3);
	}
	dbus_end_header(o);
}

/* Who we are, and that this name shall be ours. */
static inline void dbus_introduce(struct dbus_out *o, const char *name)
{
	unsigned body;

	dbus_bytes(o, dbus_greeting, sizeof(dbus_greeting) - 1);
	dbus_ask(o, "Hello", NULL);
	dbus_ask(o, "RequestName", "su");
	body = o->n;
	dbus_put_text(o, name);
	dbus_put_u32(o, 0);
	dbus_poke(o->at + o->begin + BODY_AT, o->n - body);
}

/* An empty answer. */
static inline void dbus_answer(struct dbus_out *o, const struct dbus_message *m)
{
	dbus_begin(o, DBUS_RETURN);
	dbus_field(o, FIELD_REPLY_SERIAL, 'u');
	dbus_put_u32(o, m->serial);
	if (m->field[FIELD_SENDER])
		dbus_field_text(o, FIELD_DESTINATION, 's', m->field[FIELD_SENDER]);
	dbus_end_header(o);
}

/* The line that the bus says to a greeting. 1: it is there and used. */
static inline int dbus_welcome(struct dbus_in *in)
{
	for (unsigned i = in->used; i < in->n; i++)
		if (in->at[i] == '\n') {
			in->used = i + 1;
			return 1;
		}
	return 0;
}

/* The next message of those that were read. 1: it is there; 0: more has to be
 * read first. */
static inline int dbus_next(struct dbus_in *in, struct dbus_message *m)
{
	const unsigned char *p = in->at + in->used;
	unsigned left = in->n - in->used, fields, at = HEADER;

	if (left < HEADER)
		return 0;
	fields = HEADER + dbus_u32(p + FIELDS_AT);
	if (left < dbus_align(fields, 8) + dbus_u32(p + BODY_AT))
		return 0;
	*m = (struct dbus_message){
		.type = p[1], .serial = dbus_u32(p + SERIAL_AT), .body = p + dbus_align(fields, 8)};
	while (at + 8 < fields) {
		unsigned code = p[at];
		char kind = (char)p[at + 2];

		at += 4;
		if (code < FIELDS && (kind == 's' || kind == 'o'))
			m->field[code] = (const char *)p + at + 4;
		if (kind == 'g')
			at += p[at] + 2u;
		else
			at += 4 + (kind == 'u' ? 0 : dbus_u32(p + at) + 1);
		at = dbus_align(at, 8);
	}
	in->used += (unsigned)(m->body - p) + dbus_u32(p + BODY_AT);
	return 1;
}

/* What was used makes room for more. */
static inline void dbus_shift(struct dbus_in *in)
{
	for (unsigned i = in->used; i < in->n; i++)
		in->at[i - in->used] = in->at[i];
	in->n -= in->used;
	in->used = 0;
}
