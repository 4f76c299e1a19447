/* SPDX-License-Identifier: MIT */
#include "units/parse.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>

#include "core/job.h"
#include "units/name.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/value.h"

const struct parser parsers[PARSERS] = {
#define KIND(name, code, noun, empty) [PARSER_##name] = {parse_##name, CODE_##code, noun, empty},
	PARSERS_LIST(KIND)
#undef KIND
};

/* --- words --- */

#define SET(set, noun_text, ...)                                \
	static const char *const names_##set[] = {__VA_ARGS__}; \
	const struct word_set words_##set = {names_##set, ARRAY_SIZE(names_##set), noun_text}
#define SHARED_SET(set, noun_text, table, count) \
	const struct word_set words_##set = {table, count, noun_text}

SHARED_SET(service_type, "a service type", service_type_names, SERVICE_TYPES);
SHARED_SET(restart, "a restart policy", service_restart_names, SERVICE_RESTARTS);
SHARED_SET(notify, "a notify access", notify_access_names, NOTIFY_ACCESSES);
SHARED_SET(kill_mode, "a kill mode", kill_mode_names, KILL_MODES);
SHARED_SET(job_mode, "a job mode", job_mode_names, JOB_MODES);
SET(restart_mode, "a restart mode", "normal", "direct", "debug");
SET(exit_type, "an exit type", "main", "cgroup");
SET(timeout_mode, "a timeout failure mode", "terminate", "abort", "kill");
SET(oom_policy, "an OOM policy", NULL, "continue", "stop", "kill");
SET(collect, "a collect mode", "inactive", "inactive-or-failed");
SET(action, "an emergency action", "none", "reboot", "reboot-force", "reboot-immediate", "poweroff",
    "poweroff-force", "poweroff-immediate", "exit", "exit-force");
static_assert(ARRAY_SIZE(names_action) == EMERGENCY_ACTIONS, "one word for each action");
SET(bind_v6, "an IPv6 binding", "default", "both", "ipv6-only");
SET(preserve, "a way to preserve", "no", "restart", "yes");
SET(protect_system, "a protection of the system", "no", "full", "strict", "yes");
SET(protect_home, "a protection of homes", "no", "read-only", "tmpfs", "yes");
SET(protect_proc, "a protection of /proc", "default", "noaccess", "invisible", "ptraceable");
SET(proc_subset, "a subset of /proc", "all", "pid");
SET(device_policy, "a device policy", "auto", "closed", "strict");
SET(keyring, "a keyring mode", NULL, "inherit", "private", "shared");
SET(utmp, "a utmp mode", "init", "login", "user");
SET(mount_flags, "a mount propagation", NULL, "shared", "slave", "private");
SET(oomd_mode, "a mode of oomd", "auto", "kill");
SET(oomd_preference, "a preference of oomd", "none", "avoid", "omit");
/* linux/securebits.h: the index is the number of the bit */
SET(secure_bits, "a secure bit", "noroot", "noroot-locked", "no-setuid-fixup",
    "no-setuid-fixup-locked", "keep-caps", "keep-caps-locked");
SET(numa_policy, "a NUMA policy", "default", "preferred", "bind", "interleave", "local");
SET(log_level, "a log level", "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
    "0", "1", "2", "3", "4", "5", "6", "7");
SET(log_facility, "a log facility", "kern", "user", "mail", "daemon", "auth", "syslog", "lpr",
    "news", "uucp", "cron", "authpriv", "ftp", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7");

/* --- for readers --- */

bool parse_is_full(const struct assignment *a)
{
	const uint16_t *n = a->config->diags.n;

	return n[DIAG_NOTE] + n[DIAG_WARNING] + n[DIAG_ERROR] >= PARSE_FINDINGS_MAX;
}

void parse_report(struct assignment *a, enum code code, enum diag_severity severity,
		  struct str about, const char *fmt, ...)
{
	struct diag_place place = {a->file, 0, 0, 0};
	struct sbuf text = {0};
	va_list ap;

	/* A finding that is not kept must not lose what it does. */
	if (a->is_strict && severity == DIAG_ERROR)
		a->config->diags.has_fatal = true;
	if (parse_is_full(a)) {
		a->config->diags.lost = true;
		return;
	}
	if (a->ini && a->value.n > 0) {
		if (!about.p)
			about = a->value;
		ini_locate(a->ini, a->item, parse_offset(a, about), &place.line, &place.col);
		place.end_col = place.col + (uint32_t)about.n;
	} else if (a->ini) {
		place = (struct diag_place){a->file, a->item->line, a->item->col, a->item->end_col};
	}
	va_start(ap, fmt);
	sbuf_addv(&text, fmt, ap);
	va_end(ap);
	if (text.err || !text.p)
		a->config->diags.lost = true;
	else
		diag_add(&a->config->diags, codes[code].code, severity,
			 a->is_strict && severity == DIAG_ERROR, place, a->suggestion, "%s",
			 text.p);
	sbuf_fini(&text);
}

int parse_wrong(struct assignment *a, size_t at, size_t n, const char *wrong)
{
	a->bad_at = at;
	a->bad_n = n;
	a->wrong = wrong;
	return -EINVAL;
}

static const char specifier_letters[] = "aAbBCdEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY%";

/* Does a specifier begin at this percent sign? */
static bool is_specifier(struct str text, size_t at)
{
	return at + 1 < text.n && text.p[at + 1] && strchr(specifier_letters, text.p[at + 1]);
}

/* As systemd does, a percent sign that begins no specifier is kept: doubled, in scratch. NULL: -ENOMEM. */
static const char *keep_stray_percents(struct assignment *a, struct str text, size_t *n)
{
	char *out = arena_get(a->scratch, 2 * text.n + 1);
	size_t to = 0;

	for (size_t k = 0; out && k < text.n; k++) {
		out[to++] = text.p[k];
		if (text.p[k] != '%')
			continue;
		out[to++] = is_specifier(text, k) ? text.p[++k] : '%';
	}
	*n = to;
	return out;
}

/* Letters that are no specifiers were perhaps meant as one; "10%" is what it looks like. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum percents { PERCENTS_GOOD, PERCENTS_STRAY, PERCENTS_UNKNOWN };

static enum percents look_at_percents(struct str text)
{
	enum percents worst = PERCENTS_GOOD;

	for (size_t k = str_index(text, '%'); k < text.n; k++) {
		if (text.p[k] != '%')
			continue;
		if (is_specifier(text, k))
			k++;
		else if (k + 1 < text.n && is_letter(text.p[k + 1]))
			return PERCENTS_UNKNOWN;
		else
			worst = PERCENTS_STRAY;
	}
	return worst;
}

int parse_expand(struct assignment *a, struct str text, size_t at, const char **ret_text)
{
	char *out;
	enum percents percents = look_at_percents(text);
	size_t bad = 0;
	int r;

	if (percents == PERCENTS_UNKNOWN)
		parse_report(
			a, CODE_STRAY_PERCENT, DIAG_WARNING, PARSE_WHOLE,
			"a percent sign here begins no specifier; it is kept as it is, write %%%% for one");
	if (percents != PERCENTS_GOOD) {
		text.p = keep_stray_percents(a, text, &text.n);
		if (!text.p)
			return -ENOMEM;
	}
	if (str_index(text, '%') == text.n) {
		out = arena_dup(a->arena, text.p, text.n);
		r = out ? 0 : -ENOMEM;
	} else {
		r = specifier_expand(&a->spec, text, a->arena, &out, &bad);
		if (r == -EINVAL)
			return parse_wrong(a, at + bad < a->value.n ? at + bad : 0, 2,
					   "the specifier has no value here");
	}
	if (r == 0)
		*ret_text = out;
	return r;
}

/* All nodes of these lists begin with the pointer to the next one. */
struct any_node {
	struct any_node *next;
};

void *parse_list_end(struct assignment *a, void *head)
{
	struct any_node **end = a->list_head == head ? a->list_end : head;

	while (*end)
		end = &(*end)->next;
	a->list_head = head;
	a->list_end = end;
	return end;
}

void *parse_append(struct assignment *a, void *head, size_t size)
{
	struct any_node **end = parse_list_end(a, head);
	struct any_node *node = arena_get(a->arena, size);

	if (node) {
		*end = node;
		a->list_end = &node->next;
	}
	return node;
}

int parse_add_name(struct assignment *a, struct name_list **head, const char *text)
{
	struct name_list *node = parse_append(a, head, sizeof(*node));

	if (!node)
		return -ENOMEM;
	node->text = text;
	node->file = a->file;
	node->line = a->item ? a->item->line : 0;
	return 0;
}

void parse_reset(struct assignment *a, void *head)
{
	*(struct any_node **)head = NULL;
	a->list_head = NULL;
}

const char *parse_path_now(const char *path)
{
	static const char old[] = "/var/run/";

	return strncmp(path, old, sizeof(old) - 1) == 0 ? path + strlen("/var") : path;
}

/* The path, which lies in an arena of ours, without what means nothing in it. False: there is ".." in it. */
static bool shorten(const char *path)
{
	struct str rest = str_of(path), part;
	char *out = (char *)(uintptr_t)path;
	bool is_absolute = path[0] == '/';

	if (path[0] != '.' && rest.n && path[rest.n - 1] != '/' && !strstr(path, "/.") &&
	    !strstr(path, "//"))
		return true; /* nothing to take out: nearly all are so */
	for (struct str look = rest; str_cut(&look, '/', &part);)
		if (str_eq(part, STR("..")))
			return false;
	while (str_cut(&rest, '/', &part)) {
		if (part.n == 0 || str_eq(part, STR(".")))
			continue;
		if (is_absolute || out != path)
			*out++ = '/';
		memmove(out, part.p, part.n);
		out += part.n;
	}
	if (is_absolute && out == path)
		out++; /* the root */
	*out = '\0';
	return true;
}

bool parse_path_clean(const char *path)
{
	return path[0] == '/' && shorten(path);
}

bool parse_path_below(const char *path)
{
	return path[0] != '/' && shorten(path) && path[0];
}

/* --- single values --- */

int parse_ignored(struct assignment *a)
{
	a->is_off = a->value.n == 0;
	return 0;
}

int parse_bool(struct assignment *a)
{
	bool value;
	int r = value_bool(a->value, &value);

	if (r < 0)
		return r;
	a->is_off = !value;
	if (a->target)
		*(bool *)a->target = value;
	return 0;
}

/* OnFailureIsolate=: the mode "isolate" by another name. */
int parse_isolate(struct assignment *a)
{
	bool value;
	int r = value_bool(a->value, &value);

	if (r == 0)
		*(uint8_t *)a->target = value ? MODE_ISOLATE : MODE_REPLACE;
	return r;
}

int parse_u32(struct assignment *a)
{
	uint32_t value;
	int r = value_u32(a->value, &value);

	if (r == 0 && a->target)
		*(uint32_t *)a->target = value;
	return r;
}

int parse_int(struct assignment *a)
{
	int value;
	int r = value_int(a->value, INT32_MIN, INT32_MAX, &value);

	if (r == 0 && a->target)
		*(int *)a->target = value;
	return r;
}

int parse_i64(struct assignment *a)
{
	int64_t value;
	int r = str_to_i64(a->value, &value);

	if (r == 0 && a->target)
		*(int64_t *)a->target = value;
	return r;
}

int parse_exit_status(struct assignment *a)
{
	int value = -1;
	int r = a->value.n ? value_int(a->value, 0, 255, &value) : 0;

	if (r == 0)
		*(int *)a->target = value;
	return r;
}

int parse_span(struct assignment *a)
{
	uint64_t value;
	int r = value_span(a->value, US_PER_SEC, &value);

	if (r == 0 && a->target)
		*(uint64_t *)a->target = value;
	return r;
}

/* 0 is the old spelling of infinity. */
int parse_span_or_never(struct assignment *a)
{
	uint64_t value;
	int r = value_span(a->value, US_PER_SEC, &value);

	if (r == 0 && a->target)
		*(uint64_t *)a->target = value ? value : TIME_NEVER;
	return r;
}

int parse_span_nonzero(struct assignment *a)
{
	uint64_t value;
	int r = value_span(a->value, US_PER_SEC, &value);

	if (r == 0 && value == 0)
		return -EINVAL;
	if (r == 0 && a->target)
		*(uint64_t *)a->target = value;
	return r;
}

int parse_start_timeout(struct assignment *a)
{
	a->config->service->timeout_start_is_set = true;
	return parse_span_or_never(a);
}

int parse_both_timeouts(struct assignment *a)
{
	struct service_config *s = a->config->service;
	uint64_t value;
	int r = value_span(a->value, US_PER_SEC, &value);

	if (r < 0)
		return r;
	s->timeout_start_us = s->timeout_stop_us = value ? value : TIME_NEVER;
	s->timeout_start_is_set = true;
	return 0;
}

int parse_abort_timeout(struct assignment *a)
{
	struct service_config *s = a->config->service;
	int r;

	if (a->value.n == 0) {
		s->timeout_abort_is_set = false;
		return 0;
	}
	r = parse_span_or_never(a);
	if (r == 0)
		s->timeout_abort_is_set = true;
	return r;
}

int parse_size(struct assignment *a)
{
	uint64_t value;
	int r = value_size(a->value, &value);

	if (r == 0 && a->target)
		*(uint64_t *)a->target = value;
	return r;
}

int parse_word(struct assignment *a)
{
	unsigned value;
	int r = value_enum(a->value, a->words->names, a->words->n, &value);

	if (r < 0) {
		a->suggestion = value_suggest(a->value, a->words->names, a->words->n);
		return r;
	}
	if (a->target)
		*(uint8_t *)a->target = (uint8_t)value;
	return 0;
}

int parse_service_type(struct assignment *a)
{
	int r = parse_word(a);

	if (r == 0)
		a->config->service->type_is_set = true;
	return r;
}

/* "yes" is the last word, "no" the one that num names. */
int parse_bool_or_word(struct assignment *a)
{
	bool value;

	if (value_bool(a->value, &value) < 0)
		return parse_word(a);
	a->is_off = !value;
	if (a->target)
		*(uint8_t *)a->target = (uint8_t)(value ? a->words->n - 1 : (unsigned)a->num);
	return 0;
}

int parse_mode(struct assignment *a)
{
	uint32_t value;
	int r = value_mode(a->value, &value);

	if (r == 0 && a->target)
		*(uint32_t *)a->target = value;
	return r;
}

int parse_signal(struct assignment *a)
{
	int value;
	int r = value_signal(a->value, &value);

	if (r == 0)
		*(int *)a->target = value;
	else
		a->suggestion = value_suggest_signal(a->value);
	return r;
}

int parse_text(struct assignment *a)
{
	const char *text = NULL;
	int r = a->value.n ? parse_expand(a, a->value, 0, &text) : 0;

	a->is_off = a->value.n == 0;
	if (r == 0 && a->target)
		*(const char **)a->target = text;
	return r;
}

/* Lists and answers have it in them for each unit, and are not to be broken by one. */
int parse_description(struct assignment *a)
{
	enum { DESCRIPTION_MAX = 4096 };
	const char *before = *(const char **)a->target;
	int r = parse_text(a);

	if (r == 0 && a->value.n && strlen(*(const char **)a->target) > DESCRIPTION_MAX) {
		*(const char **)a->target = before;
		r = -EINVAL;
	}
	return r;
}

int parse_path(struct assignment *a)
{
	const char *path = NULL;
	int r = a->value.n ? parse_expand(a, a->value, 0, &path) : 0;

	if (r < 0)
		return r;
	if (path && !parse_path_clean(path))
		return -EINVAL;
	a->is_off = !path;
	if (a->target)
		*(const char **)a->target = path;
	return 0;
}

/* A relative one lies in /run. */
int parse_pid_file(struct assignment *a)
{
	static const struct str run = {"/run/", 5};
	const char *path = NULL;
	int r = a->value.n ? parse_expand(a, a->value, 0, &path) : 0;

	if (r == 0 && path)
		path = parse_path_now(path);
	if (r == 0 && path && path[0] != '/') {
		size_t n = strlen(path) + 1;
		char *full = arena_get(a->arena, run.n + n);

		if (!full)
			return -ENOMEM;
		memcpy(full, run.p, run.n);
		memcpy(full + run.n, path, n);
		path = full;
	}
	if (r == 0 && path && !parse_path_clean(path))
		return -EINVAL;
	if (r == 0)
		*(const char **)a->target = path;
	return r;
}

int parse_instance(struct assignment *a)
{
	const char *text = NULL;
	char name[UNIT_NAME_MAX + 1];
	int r = a->value.n ? parse_expand(a, a->value, 0, &text) : 0;

	if (r < 0)
		return r;
	if (text && (name_with_instance("x@.service", str_of(text), name, sizeof(name)) < 0 ||
		     !name_is_valid(name, NAME_INSTANCE)))
		return -EINVAL;
	*(const char **)a->target = text;
	return 0;
}

/* num: the type that the unit must have. */
int parse_unit_name(struct assignment *a)
{
	const char *name = NULL;
	int r = a->value.n ? parse_expand(a, a->value, 0, &name) : 0;

	if (r < 0)
		return r;
	if (name &&
	    (!name_is_valid(name, NAME_PLAIN | NAME_INSTANCE) || unit_type_of(name) != a->num))
		return -EINVAL;
	if (a->target)
		*(const char **)a->target = name;
	return 0;
}

int parse_slice(struct assignment *a)
{
	const char *name = NULL;
	int r = a->value.n ? parse_expand(a, a->value, 0, &name) : 0;

	if (r < 0)
		return r;
	if (name && (!name_is_valid(name, NAME_PLAIN) || unit_type_of(name) != UNIT_SLICE))
		return -EINVAL;
	a->config->slice = name;
	a->config->slice_is_set = name != NULL;
	return 0;
}

int parse_bus_name(struct assignment *a)
{
	const char *name = NULL;
	bool is_dotted;
	int r = a->value.n ? parse_expand(a, a->value, 0, &name) : 0;

	if (r < 0)
		return r;
	is_dotted = name && strchr(name, '.') && name[0] != '.' && name[strlen(name) - 1] != '.' &&
		    !strstr(name, "..");
	if (name &&
	    (!is_dotted || strlen(name) > 255 || name[strcspn(name, " \t/:=\"'\\")] != '\0'))
		return -EINVAL;
	*(const char **)a->target = name;
	return 0;
}

int parse_fd_name(struct assignment *a)
{
	const char *name = NULL;
	int r = a->value.n ? parse_expand(a, a->value, 0, &name) : 0;

	if (r < 0)
		return r;
	for (const char *p = name; p && *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 127 || *p == ':')
			return -EINVAL;
	if (name && strlen(name) > 255)
		return -EINVAL;
	*(const char **)a->target = name;
	return 0;
}

int parse_interface(struct assignment *a)
{
	enum { INTERFACE_MAX = 15 };

	if (a->value.n > INTERFACE_MAX || str_index(a->value, '/') < a->value.n ||
	    str_index(a->value, ' ') < a->value.n)
		return -EINVAL;
	return parse_text(a);
}

int parse_socket_protocol(struct assignment *a)
{
	static const char *const names[] = {"udplite", "sctp"};
	static const uint8_t numbers[] = {IPPROTO_UDPLITE, IPPROTO_SCTP};
	unsigned value;
	int r = value_enum(a->value, names, ARRAY_SIZE(names), &value);

	if (r == 0)
		*(uint8_t *)a->target = numbers[value];
	return r;
}

int parse_ip_tos(struct assignment *a)
{
	static const char *const names[] = {"low-delay", "throughput", "reliability", "low-cost"};
	static const int numbers[] = {IPTOS_LOWDELAY, IPTOS_THROUGHPUT, IPTOS_RELIABILITY,
				      IPTOS_MINCOST};
	unsigned value;

	if (value_enum(a->value, names, ARRAY_SIZE(names), &value) < 0)
		return value_int(a->value, 0, 255, a->target);
	*(int *)a->target = numbers[value];
	return 0;
}

int parse_ip_ttl(struct assignment *a)
{
	return value_int(a->value, 1, 255, a->target);
}

int parse_timestamping(struct assignment *a)
{
	static const char *const names[] = {"off", "us", "ns", "usec", "nsec", "\xc2\xb5s"};
	static const uint8_t numbers[] = {0, 1, 2, 1, 2, 1};
	unsigned value;
	int r = value_enum(a->value, names, ARRAY_SIZE(names), &value);

	if (r == 0)
		*(uint8_t *)a->target = numbers[value];
	return r;
}
