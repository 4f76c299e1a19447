/* SPDX-License-Identifier: MIT */
#include "activate/bus_setting.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activate/bus_value.h"
#include "core/fd.h"
#include "units/value.h"

/* A value as it comes: its type is known by its signature, which is in the message itself. */
typedef bool (*write_fn)(struct sbuf *out, const char *key, DBusMessageIter *value,
			 const struct bus_setting *w);

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
			const struct bus_setting *w)
{
	const struct directive *d = directive_find(w->own, str_of(key));
	bool has_escapes = d && (d->parser == PARSER_environment || d->parser == PARSER_variables);
	DBusMessageIter it;
	bool is_good = true;

	dbus_message_iter_recurse(value, &it);
	sbuf_addf(out, "%s=", key);
	while (is_good && dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID) {
		is_good = put_word(out, bus_take_text(&it), has_escapes);
		sbuf_add_c(out, ' ');
	}
	sbuf_add_c(out, '\n');
	return is_good;
}

/* Process 0 is whoever asks. */
static bool write_processes(struct sbuf *out, const char *key, DBusMessageIter *value,
			    const struct bus_setting *w)
{
	DBusMessageIter it;

	dbus_message_iter_recurse(value, &it);
	sbuf_addf(out, "%s=", key);
	while (dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID) {
		uint64_t pid = bus_take_number(&it);

		sbuf_addf(out, "%llu ", (unsigned long long)(pid ? pid : (uint64_t)w->call->pid));
	}
	sbuf_add_c(out, '\n');
	return true;
}

/* A set of small numbers as bits, the lowest first. */
static bool write_bits(struct sbuf *out, const char *key, DBusMessageIter *value,
		       const struct bus_setting *w UNUSED)
{
	DBusMessageIter it;

	dbus_message_iter_recurse(value, &it);
	sbuf_addf(out, "%s=", key);
	for (unsigned at = 0; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID; at += 8) {
		uint64_t byte = bus_take_number(&it);

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
	if (!put_plain(out, bus_take_text(pair)))
		return false;
	sbuf_add_c(out, ' ');
	return put_plain(out, bus_take_text(pair));
}

/* "/srv:ro", "name:/path": a word and what belongs to it. */
static bool put_joined(struct sbuf *out, const char *key, DBusMessageIter *pair)
{
	const char *word = bus_take_text(pair), *rest = bus_take_text(pair);

	sbuf_addf(out, "%s=", key);
	if (!put_plain(out, word))
		return false;
	sbuf_add_z(out, *rest ? ":" : "");
	return put_plain(out, rest);
}

static bool is_joined(const char *key)
{
	static const char *const keys[] = {"TemporaryFileSystem", "LoadCredential",
					   "LoadCredentialEncrypted"};
	size_t i = 0;

	while (i < ARRAY_SIZE(keys) && strcmp(key, keys[i]) != 0)
		i++;
	return i < ARRAY_SIZE(keys);
}

/* A name and bytes, which are text here. */
static bool put_secret(struct sbuf *out, const char *key, DBusMessageIter *pair)
{
	const char *name = bus_take_text(pair), *bytes = NULL;
	DBusMessageIter list;
	int n = 0;

	dbus_message_iter_recurse(pair, &list);
	dbus_message_iter_get_fixed_array(&list, &bytes, &n);
	sbuf_addf(out, "%s=", key);
	if (!put_plain(out, name))
		return false;
	sbuf_add_c(out, ':');
	for (int i = 0; i < n; i++)
		sbuf_addf(out, "\\x%02x", (unsigned char)bytes[i]);
	return true;
}

static bool put_directive(struct sbuf *out, const char *key UNUSED, DBusMessageIter *pair)
{
	bool is_good = put_plain(out, bus_take_text(pair));

	sbuf_add_c(out, '=');
	if (dbus_message_iter_get_arg_type(pair) == DBUS_TYPE_STRING)
		return is_good && put_plain(out, bus_take_text(pair));
	put_number(out, bus_take_number(pair), "us");
	return is_good;
}

/* A name that is a directive of its own and its value: the times of a timer. */
static bool write_times(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct bus_setting *w UNUSED)
{
	return write_each(out, key, value, put_directive);
}

/* ("Stream", "/run/x"): ListenStream=/run/x */
static bool put_listener(struct sbuf *out, const char *key, DBusMessageIter *pair)
{
	sbuf_add_z(out, key);
	return put_directive(out, key, pair);
}

/* "/dev/null rw", or of a socket or a path unit. */
static bool write_pairs(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct bus_setting *w UNUSED)
{
	put_pair_fn put = strcmp(key, "Listen") == 0  ? put_listener
			  : strcmp(key, "Paths") == 0 ? put_directive
			  : is_joined(key)            ? put_joined
						      : put_two_words;

	return write_each(out, key, value, put);
}

static bool write_secrets(struct sbuf *out, const char *key, DBusMessageIter *value,
			  const struct bus_setting *w UNUSED)
{
	return write_each(out, key, value, put_secret);
}

/* Texts as bytes: fields of log lines. */
static bool write_texts(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct bus_setting *w UNUSED)
{
	DBusMessageIter it, list;

	sbuf_addf(out, "%s=", key);
	dbus_message_iter_recurse(value, &it);
	for (; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&it)) {
		const char *bytes = NULL;
		char text[1024];
		int n = 0;

		dbus_message_iter_recurse(&it, &list);
		dbus_message_iter_get_fixed_array(&list, &bytes, &n);
		snprintf(text, sizeof(text), "%.*s", n, bytes ? bytes : "");
		put_quoted(out, text);
		sbuf_add_c(out, ' ');
	}
	sbuf_add_c(out, '\n');
	return true;
}

/* A file, and whether it may be missing. */
static bool put_file(struct sbuf *out, const char *key UNUSED, DBusMessageIter *pair)
{
	const char *path = bus_take_text(pair);

	sbuf_addf(out, "EnvironmentFile=%s", bus_take_number(pair) ? "-" : "");
	return put_plain(out, path);
}

static bool write_files(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct bus_setting *w UNUSED)
{
	return write_each(out, key, value, put_file);
}

/* From, to, whether it may be missing, flags of the mount (MS_REC). */
static bool put_bind(struct sbuf *out, const char *key, DBusMessageIter *bind)
{
	const char *from = bus_take_text(bind), *to = bus_take_text(bind);
	bool may_miss = bus_take_number(bind), is_good;

	sbuf_addf(out, "%s=%s", key, may_miss ? "-" : "");
	is_good = !strpbrk(from, ": \t\"'") && !strpbrk(to, ": \t\"'") && put_plain(out, from);
	sbuf_add_c(out, ':');
	is_good = is_good && put_plain(out, to);
	sbuf_add_z(out, bus_take_number(bind) ? ":rbind" : ":norbind");
	return is_good;
}

static bool write_binds(struct sbuf *out, const char *key, DBusMessageIter *value,
			const struct bus_setting *w UNUSED)
{
	return write_each(out, key, value, put_bind);
}

/* Family, address, length of the prefix. */
static bool put_address(struct sbuf *out, const char *key, DBusMessageIter *item)
{
	int family = (int)bus_take_number(item), n = 0;
	const unsigned char *bytes = NULL;
	char text[INET6_ADDRSTRLEN];
	DBusMessageIter list;

	dbus_message_iter_recurse(item, &list);
	dbus_message_iter_get_fixed_array(&list, &bytes, &n);
	dbus_message_iter_next(item);
	if (n != (family == AF_INET ? 4 : 16) || !inet_ntop(family, bytes, text, sizeof(text)))
		return false;
	sbuf_addf(out, "%s=%s/%u", key, text, (unsigned)bus_take_number(item));
	return true;
}

static bool write_addresses(struct sbuf *out, const char *key, DBusMessageIter *value,
			    const struct bus_setting *w UNUSED)
{
	return write_each(out, key, value, put_address);
}

/* Its directive, whether it is one of several of which one must hold, whether it must not hold, what is asked. */
static bool put_condition(struct sbuf *out, const char *key UNUSED, DBusMessageIter *item)
{
	const char *name = bus_take_text(item);
	bool is_trigger = bus_take_number(item), is_negated = bus_take_number(item);

	sbuf_addf(out, "%s=%s%s", name, is_trigger ? "|" : "", is_negated ? "!" : "");
	return directive_find(SECTION_UNIT, str_of(name)) && put_plain(out, bus_take_text(item));
}

static bool write_conditions(struct sbuf *out, const char *key, DBusMessageIter *value,
			     const struct bus_setting *w UNUSED)
{
	return write_each(out, key, value, put_condition);
}

/* Exit statuses and signals. */
static bool write_ends(struct sbuf *out, const char *key, DBusMessageIter *value,
		       const struct bus_setting *w UNUSED)
{
	DBusMessageIter both, list;

	dbus_message_iter_recurse(value, &both);
	sbuf_addf(out, "%s=", key);
	for (unsigned i = 0; i < 2; i++) {
		dbus_message_iter_recurse(&both, &list);
		while (dbus_message_iter_get_arg_type(&list) != DBUS_TYPE_INVALID) {
			int end = (int)bus_take_number(&list);

			if (i == 0)
				sbuf_addf(out, "%d ", end);
			else
				sbuf_addf(out, "%s ", value_signal_name(end));
		}
		dbus_message_iter_next(&both);
	}
	sbuf_add_c(out, '\n');
	return true;
}

/* Whether these are allowed, or all others. */
static bool write_filter(struct sbuf *out, const char *key, DBusMessageIter *value,
			 const struct bus_setting *w UNUSED)
{
	DBusMessageIter both, list;
	bool is_good = true;

	dbus_message_iter_recurse(value, &both);
	sbuf_addf(out, "%s=%s", key, bus_take_number(&both) ? "" : "~");
	dbus_message_iter_recurse(&both, &list);
	while (is_good && dbus_message_iter_get_arg_type(&list) != DBUS_TYPE_INVALID) {
		is_good = put_plain(out, bus_take_text(&list));
		sbuf_add_c(out, ' ');
	}
	sbuf_add_c(out, '\n');
	return is_good;
}

/*
 * A descriptor, as a file of ours: we keep it until the unit has started, and who starts the unit opens it by that name, or takes a copy of a
 * socket. A file is written at its end, where the caller's own descriptors write, too.
 */
static bool write_descriptor(struct bus_setting *w, const char *property, DBusMessageIter *value)
{
	struct bus_call *c = w->call;
	bool is_input = strcmp(property, "StandardInputFileDescriptor") == 0;
	struct stat st;
	int fd = -1;

	dbus_message_iter_get_basic(value, &fd);
	if (fd < 0 || fstat(fd, &st) < 0 || c->fds_n == ARRAY_SIZE(c->fds)) {
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
		put_quoted(out, bus_take_text(&it));
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
		sbuf_add_z(out, bus_take_number(it) ? "-" : "");
		return;
	}
	dbus_message_iter_recurse(it, &list);
	while (dbus_message_iter_get_arg_type(&list) != DBUS_TYPE_INVALID) {
		const char *flag = bus_take_text(&list);

		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			sbuf_add_z(out, strcmp(flag, flags[i].flag) == 0 ? flags[i].prefix : "");
	}
}

/* Commands: path, its words (the first is its name), whether a failure counts. The first word is always told apart: '@'. */
static bool write_commands(struct sbuf *out, const char *key, DBusMessageIter *value,
			   const struct bus_setting *w UNUSED)
{
	DBusMessageIter it, command, flags, words;

	dbus_message_iter_recurse(value, &it);
	for (; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&it)) {
		const char *path;

		dbus_message_iter_recurse(&it, &command);
		path = bus_take_text(&command);
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
	{"a(sasb)", write_commands}, {"a(sasas)", write_commands}, {"a(sb)", write_files},
	{"a(ssbt)", write_binds},    {"a(iayu)", write_addresses}, {"a(sbbs)", write_conditions},
	{"(aiai)", write_ends},      {"(bas)", write_filter},      {"a(say)", write_secrets},
	{"aay", write_texts},
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
		is_good = put_plain(out, bus_take_text(value));
		break;
	case DBUS_TYPE_BOOLEAN:
		sbuf_add_z(out, bus_take_number(value) ? "yes" : "no");
		break;
	case DBUS_TYPE_INT32:
		sbuf_addf(out, "%d", (int)bus_take_number(value));
		break;
	case DBUS_TYPE_UINT32:
		if (is_access_mode(key)) {
			sbuf_addf(out, "%04o", (unsigned)bus_take_number(value));
			break;
		}
		put_number(out, bus_take_number(value), is_time ? "us" : "");
		break;
	case DBUS_TYPE_UINT64:
		put_number(out, bus_take_number(value), is_time ? "us" : "");
		break;
	default:
		is_good = false;
		break;
	}
	sbuf_add_c(out, '\n');
	return is_good;
}

/* Numbers whose bits have names. */
static const struct {
	const char *key;
	unsigned bits;
	const char *(*name)(unsigned bit);
} masks[] = {
	{"CapabilityBoundingSet", 64, value_capability_name},
	{"AmbientCapabilities", 64, value_capability_name},
};

/* False: it is none. */
static bool write_mask(struct sbuf *out, const char *key, DBusMessageIter *value)
{
	uint64_t bits;
	size_t i = 0;

	while (i < ARRAY_SIZE(masks) && strcmp(key, masks[i].key) != 0)
		i++;
	if (i == ARRAY_SIZE(masks) || dbus_message_iter_get_arg_type(value) != DBUS_TYPE_UINT64)
		return false;
	bits = bus_take_number(value);
	sbuf_addf(out, "%s=", key);
	for (unsigned bit = 0; bit < masks[i].bits; bit++)
		if (bits >> bit & 1 && masks[i].name(bit))
			sbuf_addf(out, "%s ", masks[i].name(bit));
	sbuf_add_c(out, '\n');
	return true;
}

static bool write_value(struct bus_setting *w, unsigned at, const char *key, DBusMessageIter *value,
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
	if (write_mask(&w->lines[at], key, value))
		return true;
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

/* Lists whose items are directives, or which have another name in a unit file. */
static bool is_list_of_lines(const char *property)
{
	return strncmp(property, "Timers", 6) == 0 || strcmp(property, "Listen") == 0 ||
	       strcmp(property, "Markers") == 0 || strcmp(property, "Paths") == 0 ||
	       strcmp(property, "EnvironmentFiles") == 0;
}

/* LimitNOFILESoft, MemoryMaxScale: further forms of LimitNOFILE= and MemoryMax=. False: none of these. */
static bool write_form(struct bus_setting *w, const char *property, DBusMessageIter *value)
{
	static const struct str soft = STR("Soft"), scale = STR("Scale");
	struct str whole = str_of(property), key = whole;
	bool is_soft = str_has_prefix(whole, STR("Limit")) && str_has_suffix(whole, soft);

	if (!is_soft && !str_has_suffix(whole, scale))
		return false;
	key.n -= is_soft ? soft.n : scale.n;
	if (!directive_find(w->own, key))
		return false;
	sbuf_addf(&w->lines[1], STR_FMT "=", STR_ARG(key));
	if (is_soft) {
		put_number(&w->lines[1], bus_take_number(value), "");
		sbuf_add_c(&w->lines[1], ':');
		put_number(&w->lines[1], w->hard, "");
		sbuf_add_c(&w->lines[1], '\n');
	} else { /* all ones are 100 % */
		sbuf_addf(&w->lines[1], "%llu%%\n",
			  (unsigned long long)((bus_take_number(value) * 100 + UINT32_MAX / 2) /
					       UINT32_MAX));
	}
	return true;
}

/* Who is asked to stop the scope: somebody on the bus, where everybody has a name. */
static bool write_controller(struct bus_setting *w, DBusMessageIter *value)
{
	const struct bus_peer *p = w->call->peer;
	const char *name;

	if (w->own != SECTION_SCOPE || !p || !p->seat ||
	    dbus_message_iter_get_arg_type(value) != DBUS_TYPE_STRING)
		return false;
	name = bus_take_text(value);
	if (*name && !dbus_validate_bus_name(name, NULL))
		return false;
	w->controller = name;
	sbuf_addf(&w->lines[1], "Controller=%s\n", name);
	return true;
}

bool bus_setting_write(struct bus_setting *w, const char *property, DBusMessageIter *value)
{
	char key[64];
	bool is_time = name_of(property, key);

	if (strcmp(property, "AddRef") == 0) {
		w->call->wants_ref = bus_take_number(value);
		return true;
	}
	if (dbus_message_iter_get_arg_type(value) == DBUS_TYPE_UNIX_FD)
		return strncmp(property, "Standard", 8) == 0 &&
		       write_descriptor(w, property, value);
	if (strcmp(property, "Controller") == 0)
		return write_controller(w, value);
	if (strcmp(property, "CPUQuotaPerSecUSec") == 0) {
		uint64_t us = bus_take_number(value);

		if (us == UINT64_MAX)
			sbuf_add_z(&w->lines[1], "CPUQuota=\n");
		else
			sbuf_addf(&w->lines[1], "CPUQuota=%llu%%\n",
				  (unsigned long long)us / 10000);
		return true;
	}
	w->has_processes = w->has_processes || strcmp(property, "PIDs") == 0;
	if (directive_find(SECTION_UNIT, str_of(key)))
		return write_value(w, 0, key, value, is_time);
	if (strcmp(key, "Conditions") == 0 || strcmp(key, "Asserts") == 0)
		return write_value(w, 0, key, value, false);
	if (write_form(w, property, value))
		return true;
	if (!directive_find(w->own, str_of(key)) && !is_list_of_lines(property))
		return false;
	if (strncmp(key, "Limit", 5) == 0) {
		DBusMessageIter copy = *value;

		w->hard = bus_take_number(&copy);
	}
	return write_value(w, 1, key, value, is_time);
}
