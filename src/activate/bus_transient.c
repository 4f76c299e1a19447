/* SPDX-License-Identifier: MIT */
/* StartTransientUnit() and its like: properties become the text of a unit file, which the manager reads as it reads any. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activate/bus.h"
#include "activate/bus_refs.h"
#include "activate/bus_serve.h"
#include "activate/bus_value.h"
#include "activate/bus_watch.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"
#include "units/directive.h"

/* One unit on its way to text. */
struct writing {
	struct bus_call *call;
	enum section own;     /* section of the unit's type, or SECTION_UNIT when it has none */
	struct sbuf lines[2]; /* of [Unit], of its own section */
	const char *wrong;    /* name of the property that cannot be set */
};

/* A value as it comes: its type is known by its signature, which is in the message itself. */
typedef bool (*write_fn)(struct sbuf *out, const char *key, DBusMessageIter *value,
			 const struct writing *w);

static const char *text_of(DBusMessageIter *it)
{
	const char *text = "";

	dbus_message_iter_get_basic(it, &text);
	dbus_message_iter_next(it);
	return text;
}

static uint64_t number_of(DBusMessageIter *it)
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

/* --- texts --- */

/* Specifiers are not meant. False: it would end the line. */
static bool put_plain(struct sbuf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' && *p != '\t')
			return false;
		sbuf_add_z(out, *p == '%' ? "%%" : (char[]){*p, '\0'});
	}
	return true;
}

/* As one word of a value whose reader knows quotes and escapes. */
static void put_quoted(struct sbuf *out, const char *text)
{
	sbuf_add_c(out, '"');
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ')
			sbuf_addf(out, "\\x%02x", (unsigned)*p);
		else if (*p == '"' || *p == '\\')
			sbuf_add(out, (struct str){(char[]){'\\', *p}, 2});
		else
			sbuf_add_z(out, *p == '%' ? "%%" : (char[]){*p, '\0'});
	}
	sbuf_add_c(out, '"');
}

/* A word of a list. Only the readers of environments and commands undo escapes; a name of a unit keeps its own. */
static bool put_word(struct sbuf *out, const char *text, bool has_escapes)
{
	if (!has_escapes && !strpbrk(text, " \t'\""))
		return put_plain(out, text);
	put_quoted(out, text);
	return true;
}

static void put_number(struct sbuf *out, uint64_t n, const char *unit)
{
	if (n == UINT64_MAX)
		sbuf_add_z(out, "infinity");
	else
		sbuf_addf(out, "%llu%s", (unsigned long long)n, unit);
}

/* --- lists and structures --- */

static bool write_words(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct writing *w)
{
	const struct directive *d = directive_find(w->own, str_of(key));
	bool has_escapes = d && (d->parser == PARSER_environment || d->parser == PARSER_variables);
	DBusMessageIter it;
	bool is_good = true;

	dbus_message_iter_recurse(value, &it);
	sbuf_addf(out, "%s=", key);
	while (is_good && dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID) {
		is_good = put_word(out, text_of(&it), has_escapes);
		sbuf_add_c(out, ' ');
	}
	sbuf_add_c(out, '\n');
	return is_good;
}

/* Process 0 is whoever asks. */
static bool write_processes(struct sbuf *out, const char *key, DBusMessageIter *value,
			    const struct writing *w)
{
	DBusMessageIter it;

	dbus_message_iter_recurse(value, &it);
	sbuf_addf(out, "%s=", key);
	while (dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID) {
		uint64_t pid = number_of(&it);

		sbuf_addf(out, "%llu ", (unsigned long long)(pid ? pid : (uint64_t)w->call->pid));
	}
	sbuf_add_c(out, '\n');
	return true;
}

/* A set of small numbers as bits, the lowest first. */
static bool write_bits(struct sbuf *out, const char *key, DBusMessageIter *value,
		       const struct writing *w UNUSED)
{
	DBusMessageIter it;

	dbus_message_iter_recurse(value, &it);
	sbuf_addf(out, "%s=", key);
	for (unsigned at = 0; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID; at += 8) {
		uint64_t byte = number_of(&it);

		for (unsigned i = 0; i < 8; i++)
			if (byte >> i & 1)
				sbuf_addf(out, "%u ", at + i);
	}
	sbuf_add_c(out, '\n');
	return true;
}

typedef bool (*put_pair_fn)(struct sbuf *out, const char *key, DBusMessageIter *pair);

/* Each pair of a list as a line. */
static bool write_each(struct sbuf *out, const char *key, DBusMessageIter *value, put_pair_fn put)
{
	DBusMessageIter it, pair;
	bool is_good = true;

	dbus_message_iter_recurse(value, &it);
	for (; is_good && dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&it)) {
		dbus_message_iter_recurse(&it, &pair);
		is_good = put(out, key, &pair);
		sbuf_add_c(out, '\n');
	}
	return is_good;
}

static bool put_two_words(struct sbuf *out, const char *key, DBusMessageIter *pair)
{
	sbuf_addf(out, "%s=", key);
	if (!put_plain(out, text_of(pair)))
		return false;
	sbuf_add_c(out, ' ');
	return put_plain(out, text_of(pair));
}

static bool put_directive(struct sbuf *out, const char *key UNUSED, DBusMessageIter *pair)
{
	bool is_good = put_plain(out, text_of(pair));

	sbuf_add_c(out, '=');
	if (dbus_message_iter_get_arg_type(pair) == DBUS_TYPE_STRING)
		return is_good && put_plain(out, text_of(pair));
	put_number(out, number_of(pair), "us");
	return is_good;
}

/* A name that is a directive of its own and its value: the times of a timer. */
static bool write_times(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct writing *w UNUSED)
{
	return write_each(out, key, value, put_directive);
}

/* ("Stream", "/run/x"): ListenStream=/run/x */
static bool put_listener(struct sbuf *out, const char *key, DBusMessageIter *pair)
{
	sbuf_add_z(out, key);
	return put_directive(out, key, pair);
}

/* "/dev/null rw", or of a socket. */
static bool write_pairs(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct writing *w UNUSED)
{
	return write_each(out, key, value,
			  strcmp(key, "Listen") == 0 ? put_listener : put_two_words);
}

/*
 * A descriptor, as a file of ours: we keep it until the unit has started, and who starts the unit opens it by that name. A file is written at
 * its end, where the caller's own descriptors write, too. False: a socket cannot be opened.
 */
static bool write_descriptor(struct writing *w, const char *property, DBusMessageIter *value)
{
	struct bus_call *c = w->call;
	bool is_input = strcmp(property, "StandardInputFileDescriptor") == 0;
	struct stat st;
	int fd = -1;

	dbus_message_iter_get_basic(value, &fd);
	if (fd < 0 || fstat(fd, &st) < 0 || S_ISSOCK(st.st_mode) ||
	    c->fds_n == ARRAY_SIZE(c->fds)) {
		fd_close(fd);
		return false;
	}
	/* The start has ended when the file is open. A type that is given comes behind this, and counts. */
	if (c->fds_n == 0)
		sbuf_add_z(&w->lines[1], "Type=exec\n");
	c->fds[c->fds_n++] = fd;
	sbuf_addf(&w->lines[1], "%.*s=%s:/proc/%d/fd/%d\n",
		  (int)(strlen(property) - strlen("FileDescriptor")), property,
		  !is_input && S_ISREG(st.st_mode) ? "append" : "file", getpid(), fd);
	return true;
}

static void put_argv(struct sbuf *out, DBusMessageIter *list)
{
	DBusMessageIter it;

	dbus_message_iter_recurse(list, &it);
	while (dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID) {
		sbuf_add_c(out, ' ');
		put_quoted(out, text_of(&it));
	}
	dbus_message_iter_next(list);
}

/* What stands in front of the path: '-' failures are ignored, ':' variables stay, '+' with all rights. */
static void put_prefixes(struct sbuf *out, DBusMessageIter *it)
{
	static const struct {
		const char *flag, *prefix;
	} flags[] = {{"ignore-failure", "-"},
		     {"no-env-expand", ":"},
		     {"privileged", "+"},
		     {"no-setuid", "!"}};
	DBusMessageIter list;

	if (dbus_message_iter_get_arg_type(it) == DBUS_TYPE_BOOLEAN) {
		sbuf_add_z(out, number_of(it) ? "-" : "");
		return;
	}
	dbus_message_iter_recurse(it, &list);
	while (dbus_message_iter_get_arg_type(&list) != DBUS_TYPE_INVALID) {
		const char *flag = text_of(&list);

		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			sbuf_add_z(out, strcmp(flag, flags[i].flag) == 0 ? flags[i].prefix : "");
	}
}

/* Commands: path, its words (the first is its name), whether a failure counts. The first word is always told apart: '@'. */
static bool write_commands(struct sbuf *out, const char *key, DBusMessageIter *value,
			   const struct writing *w UNUSED)
{
	DBusMessageIter it, command, flags, words;

	dbus_message_iter_recurse(value, &it);
	for (; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&it)) {
		const char *path;

		dbus_message_iter_recurse(&it, &command);
		path = text_of(&command);
		words = flags = command;
		dbus_message_iter_next(&flags);
		sbuf_addf(out, "%s=", key);
		put_prefixes(out, &flags);
		sbuf_add_c(out, '@');
		if (!put_plain(out, path) || strpbrk(path, " \t\"'\\"))
			return false;
		put_argv(out, &words);
		sbuf_add_c(out, '\n');
	}
	return true;
}

static const struct {
	const char *signature;
	write_fn write;
} writers[] = {
	{"as", write_words},         {"ao", write_words},          {"au", write_processes},
	{"ay", write_bits},          {"a(ss)", write_pairs},       {"a(st)", write_times},
	{"a(sasb)", write_commands}, {"a(sasas)", write_commands},
};

/* --- one property --- */

/* A number that is written in octal. */
static bool is_access_mode(const char *key)
{
	return str_has_suffix(str_of(key), STR("Mode")) || strcmp(key, "UMask") == 0;
}

static bool write_basic(struct sbuf *out, const char *key, DBusMessageIter *value, bool is_time)
{
	bool is_good = true;

	sbuf_addf(out, "%s=", key);
	switch (dbus_message_iter_get_arg_type(value)) {
	case DBUS_TYPE_STRING:
	case DBUS_TYPE_OBJECT_PATH:
		is_good = put_plain(out, text_of(value));
		break;
	case DBUS_TYPE_BOOLEAN:
		sbuf_add_z(out, number_of(value) ? "yes" : "no");
		break;
	case DBUS_TYPE_INT32:
		sbuf_addf(out, "%d", (int)number_of(value));
		break;
	case DBUS_TYPE_UINT32:
		if (is_access_mode(key)) {
			sbuf_addf(out, "%04o", (unsigned)number_of(value));
			break;
		}
		put_number(out, number_of(value), is_time ? "us" : "");
		break;
	case DBUS_TYPE_UINT64:
		put_number(out, number_of(value), is_time ? "us" : "");
		break;
	default:
		is_good = false;
		break;
	}
	sbuf_add_c(out, '\n');
	return is_good;
}

static bool write_value(struct writing *w, unsigned at, const char *key, DBusMessageIter *value,
			bool is_time)
{
	char *signature = dbus_message_iter_get_signature(value);
	write_fn write = NULL;

	for (size_t i = 0; signature && i < ARRAY_SIZE(writers); i++)
		if (strcmp(signature, writers[i].signature) == 0)
			write = writers[i].write;
	if (strncmp(key, "Timers", 6) == 0)
		write = write_times;
	dbus_free(signature);
	return write ? write(&w->lines[at], key, value, w)
		     : write_basic(&w->lines[at], key, value, is_time);
}

/* What a property is called in a unit file: times are told in seconds there. */
static bool name_of(const char *property, char key[64])
{
	size_t n = strlen(property);
	bool is_time = n > 4 && strcmp(property + n - 4, "USec") == 0;
	bool is_extended = n > 2 && strcmp(property + n - 2, "Ex") == 0;

	snprintf(key, 64, "%.*s%s",
		 (int)(n - (is_time       ? 4
			    : is_extended ? 2
					  : 0)),
		 property, is_time ? "Sec" : "");
	return is_time;
}

static bool write_property(struct writing *w, const char *property, DBusMessageIter *value)
{
	char key[64];
	bool is_time = name_of(property, key);

	if (strcmp(property, "AddRef") == 0) {
		w->call->wants_ref = number_of(value);
		return true;
	}
	if (dbus_message_iter_get_arg_type(value) == DBUS_TYPE_UNIX_FD)
		return strncmp(property, "Standard", 8) == 0 &&
		       write_descriptor(w, property, value);
	if (strcmp(property, "CPUQuotaPerSecUSec") == 0) {
		uint64_t us = number_of(value);

		if (us == UINT64_MAX)
			sbuf_add_z(&w->lines[1], "CPUQuota=\n");
		else
			sbuf_addf(&w->lines[1], "CPUQuota=%llu%%\n",
				  (unsigned long long)us / 10000);
		return true;
	}
	if (directive_find(SECTION_UNIT, str_of(key)))
		return write_value(w, 0, key, value, is_time);
	/* Lists whose items are directives. */
	if (directive_find(w->own, str_of(key)) || strncmp(property, "Timers", 6) == 0 ||
	    strcmp(property, "Listen") == 0)
		return write_value(w, 1, key, value, is_time);
	return false;
}

static enum section own_section(enum unit_type type)
{
	enum section own = SECTION_UNIT;

	for (unsigned s = 0; s < SECTIONS; s++)
		if (s != SECTION_UNIT && s != SECTION_INSTALL &&
		    section_fits((enum section)s, type))
			own = (enum section)s;
	return own;
}

/* An array of (name, value). False: w->wrong, or there is no memory. */
static bool write_properties(struct writing *w, DBusMessageIter *array)
{
	DBusMessageIter it, pair, value;

	dbus_message_iter_recurse(array, &it);
	for (; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&it)) {
		const char *property;

		dbus_message_iter_recurse(&it, &pair);
		property = text_of(&pair);
		dbus_message_iter_recurse(&pair, &value);
		w->wrong = property;
		if (!write_property(w, property, &value))
			return false;
	}
	w->wrong = NULL;
	return true;
}

/* What is wrong ends the call. */
static void fail_property(struct bus_call *c, const char *property)
{
	bus_fail(c, DBUS_ERROR_PROPERTY_READ_ONLY, "Cannot set property %s, or unknown property.",
		 property);
}

/* Adds name and text of a unit, each with its NUL. False: the call is over. */
static bool write_unit(struct bus_call *c, const char *name, DBusMessageIter *properties,
		       struct sbuf *out)
{
	int type = unit_type_of(name);
	struct writing w = {.call = c, .own = SECTION_UNIT};
	bool is_good = type >= 0;

	if (is_good)
		w.own = own_section((enum unit_type)type);
	is_good = is_good && write_properties(&w, properties);
	if (is_good) {
		sbuf_add_z(out, name);
		sbuf_add_c(out, '\0');
		sbuf_addf(out, "[Unit]\n%s[%s]\n%s", w.lines[0].p ? w.lines[0].p : "",
			  section_name(w.own), w.lines[1].p ? w.lines[1].p : "");
		sbuf_add_c(out, '\0');
	}
	sbuf_fini(&w.lines[0]);
	sbuf_fini(&w.lines[1]);
	if (!is_good && w.wrong)
		fail_property(c, w.wrong);
	else if (!is_good)
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not the name of a unit", name);
	return is_good;
}

/* --- the methods --- */

/* The pieces of c->text, each ended by a NUL, as arguments. How many; 0: too many. */
static unsigned split_text(struct bus_call *c, size_t n)
{
	unsigned args = 0;

	for (size_t at = 0; at < n; at += strlen(c->text + at) + 1) {
		if (args == BUS_ARGS)
			return 0;
		c->args[args++] = c->text + at;
	}
	return args;
}

static void send_text(struct bus_call *c, struct sbuf *text, enum verb_id verb,
		      void (*finish)(struct bus_call *c))
{
	size_t n = text->n;
	unsigned args;

	c->text = sbuf_take(text);
	args = c->text ? split_text(c, n) : 0;
	if (args)
		bus_ask(c, verb, args, finish);
	else
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "this is too much for one request");
}

static bool is_queued(const struct bus_call *c)
{
	for (const struct row *row = c->ask.rows.first; row; row = row->next)
		if (row_is(row, "queued"))
			return true;
	return false;
}

/* What was given along is needed until the unit has started, or has failed to. */
static void finish_transient(struct bus_call *c)
{
	bus_keep_fds(c->bus, c->unit, c->fds, c->fds_n);
	c->fds_n = 0;
	if (c->wants_ref && is_queued(c) && !bus_refs_add(c, c->unit))
		log_at(LOG_WARN, "%s is not held for who started it: too many are", c->unit);
	bus_finish_job(c);
}

void serve_start_transient(struct bus_call *c)
{
	struct sbuf text = {0};
	DBusMessageIter it, aux, pair;
	const char *name, *mode;
	bool is_good;

	dbus_message_iter_init(c->message, &it);
	name = text_of(&it);
	mode = text_of(&it);
	is_good = write_unit(c, name, &it, &text);
	dbus_message_iter_next(&it);
	dbus_message_iter_recurse(&it, &aux);
	for (; is_good && dbus_message_iter_get_arg_type(&aux) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&aux)) {
		const char *other;

		dbus_message_iter_recurse(&aux, &pair);
		other = text_of(&pair);
		is_good = write_unit(c, other, &pair, &text);
	}
	if (!is_good) {
		sbuf_fini(&text);
		return;
	}
	snprintf(c->unit, sizeof(c->unit), "%s", name);
	bus_watch_asked(c, str_of(name));
	c->ask.question.options[OPT_NO_WAIT] = "";
	c->ask.question.options[OPT_JOB_MODE] = mode;
	send_text(c, &text, VERB_TRANSIENT, finish_transient);
}

/* Lines become arguments: the unit, then NAME=VALUE each. */
void serve_set_properties(struct bus_call *c)
{
	struct writing w = {.call = c};
	struct sbuf text = {0};
	DBusMessageIter it;
	bool is_runtime;

	dbus_message_iter_init(c->message, &it);
	snprintf(c->unit, sizeof(c->unit), "%s",
		 c->object.kind == BUS_OBJECT_UNIT ? c->object.unit : text_of(&it));
	is_runtime = number_of(&it);
	if (unit_type_of(c->unit) < 0) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not the name of a unit", c->unit);
		return;
	}
	w.own = own_section((enum unit_type)unit_type_of(c->unit));
	if (!write_properties(&w, &it) || w.lines[0].n) {
		fail_property(c, w.wrong ? w.wrong : "of [Unit]");
	} else if (w.lines[1].n == 0) {
		bus_reply(c, NULL);
	} else {
		sbuf_add_z(&text, c->unit);
		sbuf_add_c(&text, '\0');
		for (size_t i = 0; i < w.lines[1].n; i++)
			sbuf_add_c(&text, w.lines[1].p[i] == '\n' ? '\0' : w.lines[1].p[i]);
		c->ask.question.options[OPT_RUNTIME] = is_runtime ? "" : NULL;
		send_text(c, &text, VERB_SET_PROPERTY, bus_finish_empty);
	}
	sbuf_fini(&w.lines[0]);
	sbuf_fini(&w.lines[1]);
}

void serve_attach(struct bus_call *c)
{
	bool is_object = c->object.kind == BUS_OBJECT_UNIT;
	struct sbuf text = {0};
	DBusMessageIter it, list;
	const char *below;

	dbus_message_iter_init(c->message, &it);
	sbuf_add_z(&text, is_object ? c->object.unit : text_of(&it));
	sbuf_add_c(&text, '\0');
	below = text_of(&it);
	if (strcmp(below, "/") != 0 && *below)
		c->ask.question.options[OPT_BELOW] = below;
	dbus_message_iter_recurse(&it, &list);
	while (dbus_message_iter_get_arg_type(&list) != DBUS_TYPE_INVALID) {
		uint64_t pid = number_of(&list);

		sbuf_addf(&text, "%u", (unsigned)(pid ? pid : (uint64_t)c->pid));
		sbuf_add_c(&text, '\0');
	}
	send_text(c, &text, VERB_ATTACH, bus_finish_empty);
}
