/* SPDX-License-Identifier: MIT */
#include "activate/bus_value.h"

#include <stdio.h>

#include "activate/bus_path.h"

static const struct str none = {"", 0};

static bool is_ascii(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] > 0)
		i++;
	return i == n;
}

void bus_repair_text(char *p, size_t n)
{
	if (is_ascii(p, n))
		return;
	for (size_t i = 0; i < n; i++)
		p[i] = p[i] ? p[i] : '?';
	if (!dbus_validate_utf8(p, NULL))
		for (size_t i = 0; i < n; i++)
			p[i] = (unsigned char)p[i] < 0x80 ? p[i] : '?';
}

bool bus_put_text(DBusMessageIter *it, struct str text)
{
	AUTO_MEM char *copy = mem_dup(text.p ? text.p : "", text.n);
	const char *repaired = copy;

	if (!copy)
		return false;
	bus_repair_text(copy, text.n);
	return dbus_message_iter_append_basic(it, DBUS_TYPE_STRING, &repaired);
}

bool bus_put_basic(DBusMessageIter *it, int type, uint64_t number, struct str text)
{
	DBusBasicValue v = {.u64 = number};
	const char *path = text.n ? text.p : "/";

	switch (type) {
	case DBUS_TYPE_STRING:
		return bus_put_text(it, text);
	case DBUS_TYPE_OBJECT_PATH:
		path = dbus_validate_path(path, NULL) ? path : "/";
		return dbus_message_iter_append_basic(it, type, &path);
	case DBUS_TYPE_BOOLEAN:
		v.bool_val = number != 0;
		break;
	case DBUS_TYPE_DOUBLE:
		v.u64 = 0; /* no such property has a value here; all zero bits are 0.0 */
		break;
	default: /* the narrow ones by their own member: where it lies depends on the machine's byte order */
		if (type == DBUS_TYPE_BYTE)
			v.byt = (unsigned char)number;
		else if (type == DBUS_TYPE_UINT16 || type == DBUS_TYPE_INT16)
			v.u16 = (dbus_uint16_t)number;
		else if (type == DBUS_TYPE_UINT32 || type == DBUS_TYPE_INT32)
			v.u32 = (dbus_uint32_t)number;
	}
	return dbus_message_iter_append_basic(it, type, &v);
}

/* --- what clients give --- */

const char *bus_take_text(DBusMessageIter *it)
{
	const char *text = "";

	dbus_message_iter_get_basic(it, &text);
	dbus_message_iter_next(it);
	return text;
}

uint64_t bus_take_number(DBusMessageIter *it)
{
	DBusBasicValue v = {.u64 = 0};

	switch (dbus_message_iter_get_arg_type(it)) {
	case DBUS_TYPE_BYTE:
		dbus_message_iter_get_basic(it, &v);
		v.u64 = v.byt;
		break;
	case DBUS_TYPE_UINT16:
		dbus_message_iter_get_basic(it, &v);
		v.u64 = v.u16;
		break;
	case DBUS_TYPE_UINT32:
	case DBUS_TYPE_BOOLEAN:
		dbus_message_iter_get_basic(it, &v);
		v.u64 = v.u32;
		break;
	case DBUS_TYPE_INT32:
		dbus_message_iter_get_basic(it, &v);
		v.u64 = (uint64_t)v.i32;
		break;
	default:
		dbus_message_iter_get_basic(it, &v);
		break;
	}
	dbus_message_iter_next(it);
	return v.u64;
}

/* --- arrays --- */

typedef bool (*item_fn)(DBusMessageIter *it, struct str item);

static bool put_byte_pair(DBusMessageIter *it, struct str hex)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 2; i++) {
		char c = hex.p[i];

		value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return bus_put_basic(it, DBUS_TYPE_BYTE, value, none);
}

/* "/run/x.sock (Stream)" is (Stream, /run/x.sock); "/dev/null rw" is (/dev/null, rw) */
static bool put_two(DBusMessageIter *it, struct str item)
{
	size_t at = str_rindex(item, ' ');
	struct str before = str_sub(item, 0, at),
		   behind = at < item.n ? str_sub(item, at + 1, item.n) : none;
	bool is_kind = behind.n > 2 && behind.p[0] == '(';
	DBusMessageIter pair;

	return dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &pair) &&
	       bus_put_text(&pair, is_kind ? str_sub(behind, 1, behind.n - 1) : before) &&
	       bus_put_text(&pair, is_kind ? before : behind) &&
	       dbus_message_iter_close_container(it, &pair);
}

/* "{ OnBootUSec=30000000 ; next_elapse=0 }": base, value and the next time, in microseconds */
static bool read_elapse(struct str item, struct str *ret_name, struct str *ret_value,
			uint64_t *ret_next)
{
	static const struct str begin = STR("{ "), end = STR(" }"), mark = STR(" ; next_elapse=");
	size_t eq = str_index(item, '='), at = item.n;

	while (at > 0 && !str_has_prefix(str_sub(item, at, item.n), mark))
		at--;
	if (!str_has_prefix(item, begin) || at < eq || item.n < at + mark.n + end.n)
		return false;
	*ret_name = str_sub(item, begin.n, eq);
	*ret_value = str_sub(item, eq + 1, at);
	return str_to_u64(str_sub(item, at + mark.n, item.n - end.n), ret_next) == 0;
}

static bool put_span(DBusMessageIter *it, struct str item)
{
	struct str name = none, value = none;
	uint64_t next = 0, span = 0;
	DBusMessageIter s;

	return read_elapse(item, &name, &value, &next) && str_to_u64(value, &span) == 0 &&
	       dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_text(&s, name) && bus_put_basic(&s, DBUS_TYPE_UINT64, span, none) &&
	       bus_put_basic(&s, DBUS_TYPE_UINT64, next, none) &&
	       dbus_message_iter_close_container(it, &s);
}

static bool put_calendar(DBusMessageIter *it, struct str item)
{
	struct str name = none, value = none;
	uint64_t next = 0;
	DBusMessageIter s;

	return read_elapse(item, &name, &value, &next) &&
	       dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_text(&s, name) && bus_put_text(&s, value) &&
	       bus_put_basic(&s, DBUS_TYPE_UINT64, next, none) &&
	       dbus_message_iter_close_container(it, &s);
}

/* "NAME:LINK", and flags, of which there are none */
static bool put_link(DBusMessageIter *it, struct str item)
{
	DBusMessageIter s;
	struct str name;

	return str_cut(&item, ':', &name) &&
	       dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_text(&s, name) && bus_put_text(&s, item) &&
	       bus_put_basic(&s, DBUS_TYPE_UINT64, 0, none) &&
	       dbus_message_iter_close_container(it, &s);
}

/* "-/etc/default/x": it may be missing */
static bool put_file_and_may_miss(DBusMessageIter *it, struct str item)
{
	bool may_miss = str_has_prefix(item, STR("-"));
	DBusMessageIter pair;

	return dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &pair) &&
	       bus_put_text(&pair, str_sub(item, may_miss, item.n)) &&
	       bus_put_basic(&pair, DBUS_TYPE_BOOLEAN, may_miss, none) &&
	       dbus_message_iter_close_container(it, &pair);
}

/* "{ path=P ; argv[]=WORDS ; ignore_errors=yes }", perhaps with " ; run=RECORD" at its end. */
struct command_text {
	struct str path, words, record;
	bool ignores_errors;
};

static bool read_command(struct str item, struct command_text *ret)
{
	static const struct str path = STR("{ path="), argv = STR(" ; argv[]="),
				end = STR(" ; ignore_errors="), run = STR(" ; run=");
	struct str rest;
	size_t at = path.n;

	if (!str_has_prefix(item, path))
		return false;
	while (at < item.n && !str_has_prefix(str_sub(item, at, item.n), argv))
		at++;
	ret->path = str_sub(item, path.n, at);
	ret->words = str_sub(item, at + argv.n < item.n ? at + argv.n : item.n, item.n);
	at = ret->words.n;
	while (at > 0 && !str_has_prefix(str_sub(ret->words, at, ret->words.n), end))
		at--;
	rest = str_sub(ret->words, at, ret->words.n);
	ret->ignores_errors = str_has_prefix(rest, STR(" ; ignore_errors=yes"));
	ret->words = str_sub(ret->words, 0, at);
	at = end.n;
	while (at < rest.n && !str_has_prefix(str_sub(rest, at, rest.n), run))
		at++;
	ret->record = at < rest.n ? str_sub(rest, at + run.n, rest.n) : none;
	return true;
}

/* The character behind a backslash, as show_quoted() writes it; *p is moved behind it. */
static char read_escape(const char **p, const char *end)
{
	static const char letters[] = "abtnvfr"; /* from 7 on */
	const char *letter = *p < end ? strchr(letters, **p) : NULL;
	unsigned value = 0;

	if (*p == end)
		return '\\';
	if (letter) {
		++*p;
		return (char)('\a' + (letter - letters));
	}
	if (**p < '0' || **p > '7')
		return *(*p)++;
	for (int i = 0; i < 3 && *p < end; i++)
		value = value * 8 + (unsigned)(*(*p)++ - '0');
	return (char)value;
}

/* The next word of show_quoted() into out. False: no more. */
static bool next_word(struct str *rest, struct sbuf *out)
{
	const char *p = rest->p, *end = rest->p + rest->n;
	bool is_quoted = p < end && *p == '"', is_any = p < end;

	sbuf_reset(out);
	p += is_quoted;
	while (p < end && *p != (is_quoted ? '"' : ' ')) {
		char c = *p++;

		sbuf_add_c(out, is_quoted && c == '\\' ? read_escape(&p, end) : c);
	}
	p += is_quoted && p < end;
	p += p < end; /* the blank */
	*rest = (struct str){p, (size_t)(end - p)};
	return is_any;
}

static bool put_words(DBusMessageIter *it, struct str text)
{
	DBusMessageIter list;
	struct sbuf word = {0};
	bool is_good = dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "s", &list);

	while (is_good && next_word(&text, &word))
		is_good = bus_put_text(&list, (struct str){word.p, word.n});
	sbuf_fini(&word);
	return is_good && dbus_message_iter_close_container(it, &list);
}

/* When it was run, by whom, with what end: "START EXIT PID CODE STATUS", the moments on the wall clock and since boot. */
static bool put_record(DBusMessageIter *it, struct str record)
{
	static const char types[] = "ttttuii";
	bool is_good = true;

	for (const char *t = types; *t && is_good; t++) {
		uint64_t value = 0;
		struct str word;

		if (str_word(&record, &word) && str_to_u64(word, &value) < 0)
			value = 0;
		is_good = bus_put_basic(it, *t, value, none);
	}
	return is_good;
}

static bool put_command(DBusMessageIter *it, struct str item)
{
	struct command_text c;
	DBusMessageIter s;

	return read_command(item, &c) &&
	       dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_text(&s, c.path) && put_words(&s, c.words) &&
	       bus_put_basic(&s, DBUS_TYPE_BOOLEAN, c.ignores_errors, none) &&
	       put_record(&s, c.record) && dbus_message_iter_close_container(it, &s);
}

static bool put_command_ex(DBusMessageIter *it, struct str item)
{
	struct command_text c;
	DBusMessageIter s;

	return read_command(item, &c) &&
	       dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_text(&s, c.path) && put_words(&s, c.words) &&
	       put_words(&s, c.ignores_errors ? STR("ignore-failure") : none) &&
	       put_record(&s, c.record) && dbus_message_iter_close_container(it, &s);
}

static const struct {
	const char *element;
	item_fn put;
} items[] = {
	{"s", bus_put_text},
	{"(ss)", put_two},
	{"(sb)", put_file_and_may_miss},
	{"(stt)", put_span},
	{"(sst)", put_calendar},
	{"(sasbttttuii)", put_command},
	{"(sasasttttuii)", put_command_ex},
};

static item_fn find_item(const char *element)
{
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (strcmp(items[i].element, element) == 0)
			return items[i].put;
	return NULL;
}

static bool put_array(DBusMessageIter *it, const char *element, const struct row *row,
		      const char *key)
{
	struct str item = row ? row_text(row, key) : none;
	item_fn put = str_has_suffix(str_of(key), STR("Symlink")) ? put_link : find_item(element);
	DBusMessageIter list;
	unsigned at = 0;
	bool is_good = dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, element, &list);

	if (element[0] == DBUS_TYPE_BYTE)
		for (size_t i = 0; i + 1 < item.n && is_good; i += 2)
			is_good = put_byte_pair(&list, str_sub(item, i, i + 2));
	while (row && put && is_good && row_item(row, key, &at, &item))
		if (item.n)
			is_good = put(&list, item);
	return is_good && dbus_message_iter_close_container(it, &list);
}

/* --- structures: the few that properties have --- */

/* Member by member: basic types zero and empty, arrays without elements. */
static bool put_empty_struct(DBusMessageIter *it, const char *signature)
{
	DBusMessageIter s, list;
	bool is_good = dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s);

	for (const char *t = signature + 1; is_good && *t && *t != ')'; t++) {
		const char element[] = {t[0] == 'a' ? t[1] : '\0', '\0'};

		if (!element[0]) {
			is_good = bus_put_basic(&s, *t, 0, none);
			continue;
		}
		is_good = dbus_message_iter_open_container(&s, DBUS_TYPE_ARRAY, element, &list) &&
			  dbus_message_iter_close_container(&s, &list);
		t++;
	}
	return is_good && dbus_message_iter_close_container(it, &s);
}

static bool put_job(DBusMessageIter *it, uint32_t id)
{
	char path[BUS_PATH_MAX];
	DBusMessageIter s;

	bus_path_of_job(id, path);
	return dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_basic(&s, DBUS_TYPE_UINT32, id, none) &&
	       bus_put_basic(&s, DBUS_TYPE_OBJECT_PATH, 0, id ? str_of(path) : none) &&
	       dbus_message_iter_close_container(it, &s);
}

static bool put_load_error(DBusMessageIter *it, struct str text)
{
	DBusMessageIter s;

	return dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_text(&s, text.n ? STR("org.freedesktop.systemd1.LoadFailed") : none) &&
	       bus_put_text(&s, text) && dbus_message_iter_close_container(it, &s);
}

static bool put_struct(DBusMessageIter *it, const char *signature, const struct row *row,
		       const char *key)
{
	if (strcmp(signature, "(uo)") == 0)
		return put_job(it, row ? (uint32_t)row_value(row, key) : 0);
	if (strcmp(signature, "(ss)") == 0)
		return put_load_error(it, row ? row_text(row, key) : none);
	return put_empty_struct(it, signature);
}

/* --- fields --- */

/* Modes are told as texts of octal digits, a switch that has more than two positions as a word. */
static uint64_t number_of(const struct field *f)
{
	uint32_t mode = 0;

	if (f->tag != TAG_TEXT && f->tag != TAG_ITEM)
		return f->value;
	if (str_eq_z(f->text, "yes"))
		return 1;
	return str_to_octal(f->text, &mode) == 0 ? mode : 0;
}

bool bus_put_field(DBusMessageIter *it, const char *signature, const struct row *row,
		   const char *key, uint64_t unset)
{
	char plain[64];
	const struct field *f;

	/* The extended form of the same commands. */
	if (strcmp(signature, "a(sasasttttuii)") == 0) {
		snprintf(plain, sizeof(plain), "%.*s", (int)strlen(key) - 2, key);
		key = plain;
	}
	f = row ? row_field(row, key) : NULL;
	if (signature[0] == DBUS_TYPE_ARRAY)
		return put_array(it, signature + 1, row, key);
	if (signature[0] == '(')
		return put_struct(it, signature, row, key);
	return bus_put_basic(it, signature[0], f ? number_of(f) : unset, f ? f->text : none);
}

bool bus_put_variant(DBusMessageIter *it, const char *signature, const struct row *row,
		     const char *key, uint64_t unset)
{
	DBusMessageIter v;

	return dbus_message_iter_open_container(it, DBUS_TYPE_VARIANT, signature, &v) &&
	       bus_put_field(&v, signature, row, key, unset) &&
	       dbus_message_iter_close_container(it, &v);
}
