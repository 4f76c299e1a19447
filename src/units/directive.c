/* SPDX-License-Identifier: MIT */
#include "units/directive.h"

#include <stdio.h>
#include <sys/resource.h>

#include "units/advice.h"
#include "units/cgroup_config.h"
#include "units/exec_config.h"
#include "units/mount.h"
#include "units/path.h"
#include "units/sandbox.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"
#include "units/value.h"

/* --- the table --- */

#define AT(which, type, member)                                 \
	.base = which, .offset = offsetof(struct type, member), \
	.size = sizeof(((struct type *)0)->member)
#define CONFIG(member) AT(BASE_CONFIG, unit_config, member)
#define UNIT(member) AT(BASE_UNIT, unit_settings, member)
#define EXEC(member) AT(BASE_EXEC, exec_config, member)
#define SERVICE(member) AT(BASE_SERVICE, service_config, member)
#define SOCKET(member) AT(BASE_SOCKET, socket_config, member)
#define CGROUP(member) AT(BASE_CGROUP, cgroup_config, member)
#define SANDBOX(member) AT(BASE_SANDBOX, sandbox, member)
#define TIMER(member) AT(BASE_TIMER, timer_config, member)
#define PATH(member) AT(BASE_PATH, path_config, member)
#define SCOPE(member) AT(BASE_SCOPE, scope_config, member)
#define MOUNT(member) AT(BASE_MOUNT, mount_config, member)
#define AUTOMOUNT(member) AT(BASE_AUTOMOUNT, automount_config, member)
#define SWAP(member) AT(BASE_SWAP, swap_config, member)
#define NOWHERE .base = BASE_NONE
#define NONE .num = 0
#define NUM(n) .num = (n)
#define WORDS(set) .words = &words_##set
#define WORDS_OR_BOOL(set, no) .words = &words_##set, .num = (no)
#define STRICT true
#define LAX false
#define BEGIN(group) static const struct directive rows_##group[] = {
#define D(directive, reader, target, aux, what, strict, reason, sample, text)                 \
	{.name = #directive,                                                                  \
	 .parser = PARSER_##reader,                                                           \
	 target,                                                                              \
	 aux,                                                                                 \
	 .verdict = what,                                                                     \
	 .is_strict = strict,                                                                 \
	 .why = reason,                                                                       \
	 .note = (what) == INERT ? #directive "= is accepted without effect: " reason : NULL, \
	 .example = sample},
#define END(group) \
	}          \
	;
#include "units/directives.def"
#undef BEGIN
#undef D
#undef END

const struct directive_rows directive_groups[GROUPS] = {
#define BEGIN(group) [GROUP_##group] = {rows_##group, ARRAY_SIZE(rows_##group)},
#define D(directive, reader, target, aux, what, strict, reason, sample, text)
#define END(group)
#include "units/directives.def"
};

struct section_info {
	const char *name;
	int type;        /* -1: all */
	unsigned groups; /* bits */
};

#define IN(group) 1u << GROUP_##group
static const struct section_info sections[SECTIONS] = {
#define SECTION(name, text, type, groups) [SECTION_##name] = {text, type, groups},
	SECTIONS_LIST(SECTION)
#undef SECTION
};

int section_find(struct str name)
{
	for (int k = 0; k < SECTIONS; k++)
		if (str_eq_z(name, sections[k].name))
			return k;
	return -1;
}

const char *section_name(enum section section)
{
	return sections[section].name;
}

unsigned section_groups(enum section section)
{
	return sections[section].groups;
}

bool section_fits(enum section section, enum unit_type type)
{
	return sections[section].type == -1 || sections[section].type == (int)type;
}

/* As str_cmp(), without the length of a row where the first bytes tell. */
static int order_of(struct str name, const char *row)
{
	int order = strncmp(name.p, row, name.n);
	size_t n = order == 0 ? strnlen(row, name.n + 1) : 0;

	return order ? order : (name.n > n) - (name.n < n);
}

const struct directive *directive_in_group(enum directive_group group, struct str name)
{
	const struct directive_rows *g = &directive_groups[group];
	unsigned low = 0, high = g->n;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		int order = order_of(name, g->rows[mid].name);

		if (order == 0)
			return &g->rows[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* The rest of a name behind Condition or Assert; itself when it has neither. */
static struct str condition_name(struct str name)
{
	static const char *const prefixes[] = {"Condition", "Assert"};

	for (unsigned k = 0; k < ARRAY_SIZE(prefixes); k++)
		if (str_has_prefix(name, str_of(prefixes[k])))
			return str_sub(name, strlen(prefixes[k]), name.n);
	return name;
}

const struct directive *directive_find(enum section section, struct str name)
{
	const struct directive *d = NULL;

	for (unsigned g = 0; !d && g < GROUPS; g++) {
		if (!(sections[section].groups & 1u << g))
			continue;
		if (g != GROUP_CONDITION)
			d = directive_in_group((enum directive_group)g, name);
		else if (condition_name(name).n < name.n)
			d = directive_in_group(GROUP_CONDITION, condition_name(name));
	}
	return d;
}

const struct directive *directive_renamed(const struct directive *d, enum section *section)
{
	struct str now = str_of(d->why);
	size_t equals = str_index(now, '=');
	enum section home = *section;

	if (d->verdict != LEGACY)
		return NULL;
	if (str_eq(str_sub(now, equals, now.n), STR("= in [Unit]")))
		home = SECTION_UNIT;
	else if (equals < now.n)
		return NULL;
	d = directive_find(home, str_sub(now, 0, equals));
	if (d)
		*section = home;
	return d;
}

/* --- unknown names --- */

struct guess {
	const char *name, *prefix; /* prefix: "Condition" or "Assert", or "" */
	unsigned distance;
};

enum { GUESS_LIMIT = 2, CUT_SHORTEST = 4, CUT_MOST = 4 };

/* "Timeout" for TimeoutSec: the beginning of a name alone. */
static bool is_cut_off(struct str name, struct str candidate)
{
	return name.n >= CUT_SHORTEST && candidate.n - name.n <= CUT_MOST &&
	       str_has_prefix(candidate, name);
}

/* How far a name is from a row's; another case is no distance. Cheap for most rows: their length is too different. */
static unsigned distance_to(struct str name, struct str candidate)
{
	if (is_cut_off(name, candidate))
		return GUESS_LIMIT;
	if (name.n > candidate.n + GUESS_LIMIT || candidate.n > name.n + GUESS_LIMIT)
		return GUESS_LIMIT + 1;
	return str_eq_case(name, candidate) ? 0 : str_distance(name, candidate, GUESS_LIMIT);
}

/* The best row of one group. */
static void guess_in_group(unsigned group, struct str name, struct guess *best)
{
	struct str rest = group == GROUP_CONDITION ? condition_name(name) : name;

	if (group == GROUP_CONDITION && rest.n == name.n)
		return;
	for (unsigned k = 0; k < directive_groups[group].n; k++) {
		const char *candidate = directive_groups[group].rows[k].name;
		unsigned distance = distance_to(rest, str_of(candidate));

		if (distance >= best->distance)
			continue;
		best->distance = distance;
		best->name = candidate;
		best->prefix = rest.n == name.n ? "" : name.p[0] == 'A' ? "Assert" : "Condition";
	}
}

static struct guess guess_in_section(enum section section, struct str name)
{
	/* What people call a directive, unlike its name. */
	static const struct {
		const char *said, *name;
	} nicknames[] = {
		{"Listen", "ListenStream"}, {"Port", "ListenStream"},
		{"Exec", "ExecStart"},      {"Command", "ExecStart"},
		{"Env", "Environment"},     {"Cwd", "WorkingDirectory"},
		{"Memory", "MemoryMax"},    {"Directory", "WorkingDirectory"},
	};
	struct guess best = {NULL, "", GUESS_LIMIT + 1};

	for (unsigned k = 0; k < ARRAY_SIZE(nicknames); k++)
		if (str_eq_case(name, str_of(nicknames[k].said)) &&
		    directive_find(section, str_of(nicknames[k].name)))
			return (struct guess){nicknames[k].name, "", 0};
	for (unsigned g = 0; g < GROUPS; g++)
		if (sections[section].groups & 1u << g)
			guess_in_group(g, name, &best);
	return best;
}

/* The section that has exactly this name, or -1. Those that the unit's type has are preferred. */
static int section_with(struct str name, enum unit_type type)
{
	int other = -1;

	for (int k = 0; k < SECTIONS; k++) {
		if (!directive_find((enum section)k, name))
			continue;
		if (section_fits((enum section)k, type))
			return k;
		if (other < 0)
			other = k;
	}
	return other;
}

/* Directives that systemd has and this hark does not: of newer versions, or gone again (version 0). */
static const struct foreign {
	const char *name;
	unsigned version;
} foreign[] = {
	{"AcceptFileDescriptors", 257},
	{"BindLogSockets", 257},
	{"CoredumpReceive", 255},
	{"DeferReactivation", 257},
	{"DelegateNamespaces", 258},
	{"DelegateSubgroup", 254},
	{"FileDescriptorStorePreserve", 254},
	{"ImportCredential", 254},
	{"LogFilterPatterns", 253},
	{"ManagedOOMMemoryPressureDurationSec", 257},
	{"MemoryKSM", 254},
	{"MemoryPressureThresholdSec", 254},
	{"MemoryPressureWatch", 254},
	{"MemoryZSwapMax", 253},
	{"MemoryZSwapWriteback", 256},
	{"NFTSet", 255},
	{"OpenFile", 253},
	{"PassFileDescriptorsToExec", 256},
	{"PrivateBPF", 258},
	{"PrivatePIDs", 257},
	{"ReloadSignal", 253},
	{"RestartMaxDelaySec", 254},
	{"RestartSteps", 254},
	{"RootEphemeral", 254},
	{"UserNamespacePath", 258},
	{"WantsMountsFor", 256},
	{"BusPolicy", 0},
	{"Capabilities", 0},
	{"ControlGroup", 0},
	{"ControlGroupAttribute", 0},
	{"ControlGroupModify", 0},
	{"ControlGroupPersistent", 0},
	{"FsckPassNo", 0},
	{"Names", 0},
	{"NetClass", 0},
	{"SysVRunLevelsPath", 0},
	{"SysVStartPriority", 0},
	{"TCPWrapName", 0},
};

static const struct foreign *find_foreign(struct str name)
{
	for (unsigned k = 0; k < ARRAY_SIZE(foreign); k++)
		if (str_eq_z(name, foreign[k].name))
			return &foreign[k];
	return NULL;
}

static void report_foreign(struct assignment *a, const struct foreign *f)
{
	if (f->version)
		parse_report(
			a, CODE_NEWER_DIRECTIVE, DIAG_WARNING, PARSE_WHOLE,
			"\"%s\" is a directive of systemd %u that this hark does not know; the line has no effect",
			f->name, f->version);
	else
		parse_report(a, CODE_REMOVED_DIRECTIVE, DIAG_WARNING, PARSE_WHOLE,
			     "\"%s\" was taken out of systemd long ago; the line has no effect",
			     f->name);
}

void directive_report_unknown(struct assignment *a, enum section section)
{
	struct guess guess = {NULL, "", 0};
	int type = unit_type_of(a->config->name);
	int home = section_with(a->key, type < 0 ? UNIT_SERVICE : (enum unit_type)type);
	struct str value = a->value;
	char text[128];

	if (parse_is_full(a)) {
		a->config->diags.lost = true;
		return;
	}
	a->value = (struct str){NULL, 0}; /* the place is the name's */
	if (home >= 0) {
		parse_report(a, CODE_MISPLACED, DIAG_WARNING, PARSE_WHOLE,
			     "\"" STR_FMT "\" belongs in [%s], not [%s]; it has no effect here",
			     STR_ARG(a->key), sections[home].name, sections[section].name);
	} else if (find_foreign(a->key)) {
		report_foreign(a, find_foreign(a->key));
	} else {
		guess = guess_in_section(section, a->key);
		if (guess.name && snprintf(text, sizeof(text), "did you mean \"%s%s\"?",
					   guess.prefix, guess.name) > 0)
			a->suggestion = text;
		parse_report(a, CODE_UNKNOWN_DIRECTIVE, DIAG_ERROR, PARSE_WHOLE,
			     "unknown directive \"" STR_FMT
			     "\" in section [%s]; the line has no effect",
			     STR_ARG(str_sub(a->key, 0, 200)), sections[section].name);
	}
	a->suggestion = NULL;
	a->value = value;
}

void directive_report_section(struct assignment *a, struct str name)
{
	const char *names[SECTIONS];
	int section = section_find(name), type = unit_type_of(a->config->name);
	const char *alike;
	char text[64];

	for (unsigned k = 0; k < SECTIONS; k++)
		names[k] = type < 0 || section_fits((enum section)k, (enum unit_type)type)
				   ? sections[k].name
				   : NULL;
	alike = value_suggest(name, names, SECTIONS);
	if (alike && snprintf(text, sizeof(text), "did you mean [%s]?", alike) > 0)
		a->suggestion = text;
	if (section < 0)
		parse_report(a, CODE_UNKNOWN_SECTION, DIAG_ERROR, PARSE_WHOLE,
			     "unknown section [" STR_FMT "]; its lines have no effect",
			     STR_ARG(str_sub(name, 0, 100)));
	else
		parse_report(a, CODE_UNKNOWN_SECTION, DIAG_ERROR, PARSE_WHOLE,
			     "section [%s] does not belong in a %s unit; its lines have no effect",
			     sections[section].name, unit_type_names[type]);
	a->suggestion = NULL;
}

/* --- taking effect --- */

const void *directive_member(const struct directive *d, const struct unit_config *c)
{
	const void *bases[DIRECTIVE_BASES] = {
		[BASE_CONFIG] = c,
		[BASE_UNIT] = c->unit,
		[BASE_EXEC] = c->exec,
		[BASE_SERVICE] = c->service,
		[BASE_SOCKET] = c->socket,
		[BASE_TIMER] = c->own->timer,
		[BASE_PATH] = c->own->path,
		[BASE_SCOPE] = c->own->scope,
		[BASE_MOUNT] = c->own->mount,
		[BASE_AUTOMOUNT] = c->own->automount,
		[BASE_SWAP] = c->own->swap,
		[BASE_CGROUP] = cgroup_config_of(c),
		[BASE_SANDBOX] = sandbox_of(c),
	};

	return bases[d->base] ? (const char *)bases[d->base] + d->offset : NULL;
}

/* The same to be written to: parts that few units have are made when they are needed. 0 or -ENOMEM. */
static int find_target(struct unit_config *c, const struct directive *d, void **ret_target)
{
	if ((d->base == BASE_CGROUP && !cgroup_config_own(c)) ||
	    (d->base == BASE_SANDBOX && !sandbox_own(c)))
		return -ENOMEM;
	*ret_target = (void *)(uintptr_t)directive_member(d, c);
	return 0;
}

/* "no, on-success, always" */
static void list_words(const struct word_set *words, struct sbuf *out)
{
	for (unsigned k = 0; k < words->n; k++)
		if (words->names[k])
			sbuf_addf(out, "%s%s", out->n ? ", " : "", words->names[k]);
}

/* A value without anything more to be said about it: what could stand there. */
static void report_unreadable(struct assignment *a, const struct directive *d, struct str about,
			      const char *now)
{
	const struct parser *p = &parsers[d->parser];
	char example[96];

	if (!a->suggestion &&
	    snprintf(example, sizeof(example), "for example \"%s\"", d->example) > 0)
		a->suggestion = example;
	parse_report(a, p->code, DIAG_ERROR, about, "cannot read \"" STR_FMT "\" as %s; %s",
		     STR_ARG(str_sub(about, 0, 120)), p->noun, now);
	a->suggestion = NULL;
}

/* A value that cannot be used: what it is not, what was meant, what happens now. */
static void report_bad(struct assignment *a, const struct directive *d)
{
	const struct parser *p = &parsers[d->parser];
	const char *now = d->is_strict ? "the unit is refused" : "the line is ignored";
	struct str about =
		str_sub(a->value, a->bad_at, a->bad_n ? a->bad_at + a->bad_n : a->value.n);
	struct str shown = str_sub(about, 0, 120);
	struct sbuf words = {0};
	char hint[96], advice[ADVICE_ROOM];

	if (d->words)
		list_words(d->words, &words);
	if (a->suggestion &&
	    snprintf(hint, sizeof(hint), "did you mean \"%s\"?", a->suggestion) > 0)
		a->suggestion = hint;
	else if (memmem(a->value.p, a->value.n, " #", 2) || memmem(a->value.p, a->value.n, " ;", 2))
		a->suggestion = "a comment has a line of its own";
	else
		a->suggestion = advice_for(p->code, a->key, about, advice);
	if (a->wrong)
		parse_report(a, p->code, DIAG_ERROR, about, STR_FMT "=: %s: \"" STR_FMT "\"; %s",
			     STR_ARG(a->key), a->wrong, STR_ARG(shown), now);
	else if (d->words)
		parse_report(a, p->code, DIAG_ERROR, PARSE_WHOLE,
			     "\"" STR_FMT "\" is not %s (%s); %s", STR_ARG(shown), d->words->noun,
			     words.p ? words.p : "", now);
	else
		report_unreadable(a, d, about, now);
	a->suggestion = NULL;
	sbuf_fini(&words);
}

/* One text a directive among the notes or refusals, gone again when the last line asks for nothing. */
static int note(struct assignment *a, bool refuses, const char *text)
{
	struct unit_own *own = unit_config_own(a->config);
	struct name_list **head, **at;

	if (!own)
		return -ENOMEM;
	head = at = refuses ? &own->refusals : &own->notes;
	while (*at && (*at)->text != text)
		at = &(*at)->next;
	if (*at && a->is_off)
		*at = (*at)->next;
	if (*at || a->is_off)
		return 0;
	a->list_head = NULL;
	return parse_add_name(a, head, text);
}

static int after_effect(struct assignment *a, const struct directive *d, enum section section)
{
	const struct directive *now = directive_renamed(d, &section);

	switch ((enum directive_verdict)d->verdict) {
	case ENFORCED:
		return 0;
	case INERT:
		return note(a, false, d->note);
	case REFUSED:
		a->is_strict = false; /* the files are good */
		if (!a->is_off)
			parse_report(
				a, CODE_REFUSED_DIRECTIVE, DIAG_ERROR, PARSE_WHOLE,
				"%s= cannot be done by this hark: %s; the unit cannot be started",
				d->name, d->why);
		return note(a, true, d->name);
	case LEGACY:
		a->value = (struct str){NULL, 0}; /* the place is the name's */
		parse_report(a, CODE_OLD_NAME, DIAG_NOTE, PARSE_WHOLE,
			     "%s= is the old form of %s and taken as that", d->name, d->why);
		return now && now->verdict == INERT ? note(a, false, now->note) : 0;
	}
	return 0;
}

int directive_apply(struct assignment *a, enum section section)
{
	const struct directive *d = directive_find(section, a->key);
	int r;

	if (!d) {
		if (!str_has_prefix(a->key, STR("X-")) && !str_has_prefix(a->key, STR("-")))
			directive_report_unknown(a, section);
		return 0;
	}
	a->num = d->num;
	a->words = d->words;
	a->is_strict = d->is_strict;
	if (!a->item->is_utf8) {
		parse_report(a, CODE_NOT_UTF8, DIAG_ERROR, PARSE_WHOLE,
			     "the value of %s= is not UTF-8; %s", d->name,
			     d->is_strict ? "the unit is refused" : "the line is ignored");
		return 0;
	}
	if (a->value.n == 0 && !parsers[d->parser].takes_empty) {
		parse_report(a, CODE_EMPTY_VALUE, DIAG_ERROR, PARSE_WHOLE, "%s= has no value; %s",
			     d->name, d->is_strict ? "the unit is refused" : "the line is ignored");
		return 0;
	}
	r = find_target(a->config, d, &a->target);
	if (r == 0)
		r = parsers[d->parser].fn(a);
	if (r == 0)
		return after_effect(a, d, section);
	if (r != -ENOMEM)
		report_bad(a, d);
	return r == -ENOMEM ? r : 0;
}
