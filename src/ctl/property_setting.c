/* SPDX-License-Identifier: MIT */
#include "ctl/property_setting.h"

#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "units/exec_config.h"
#include "units/sandbox.h"
#include "units/show.h"
#include "units/value.h"

struct writer {
	struct reply *reply;
	const struct unit_config *config;
	bool with_empty;
};

/* Where a property is not called as its directive. */
static const struct {
	const char *directive, *property;
} renamed[] = {
	{"EnvironmentFile", "EnvironmentFiles"},
	{"CPUQuota", "CPUQuotaPerSecUSec"},
};

/* Directives whose property says more than the file, of that group or (GROUPS) of any: rows of property.c and property_live.c. */
static const struct {
	const char *directive;
	enum directive_group group;
} computed[] = {
	{"Description", GROUPS},        {"Unit", GROUPS},        {"RestartKillSignal", GROUPS},
	{"SyslogLevel", GROUPS},        {"What", GROUP_MOUNT},   {"SyslogFacility", GROUPS},
	{"Options", GROUP_MOUNT},       {"Type", GROUP_MOUNT},   {"Priority", GROUP_SWAP},
	{"FileDescriptorName", GROUPS}, {"WatchdogSec", GROUPS}, {"Controller", GROUP_SCOPE},
};

static bool is_computed(enum directive_group group, const char *directive)
{
	for (size_t i = 0; i < ARRAY_SIZE(computed); i++)
		if (strcmp(directive, computed[i].directive) == 0 &&
		    (computed[i].group == GROUPS || computed[i].group == group))
			return true;
	return false;
}

/* Does it end in `end`, and is there something before it? */
static bool ends(struct str text, const char *end)
{
	size_t n = strlen(end);

	return text.n > n && str_eq_z(str_sub(text, text.n - n, text.n), end);
}

static void name_of_property(const char *directive, char out[64])
{
	struct str name = str_of(directive);

	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
		if (strcmp(renamed[i].directive, directive) == 0) {
			snprintf(out, 64, "%s", renamed[i].property);
			return;
		}
	if (ends(name, "Sec") && !ends(name, "NSec"))
		snprintf(out, 64, "%.*sUSec", (int)name.n - 3, directive);
	else
		snprintf(out, 64, "%s", directive);
}

static void name_of_directive(struct str property, char out[64])
{
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
		if (str_eq_z(property, renamed[i].property)) {
			snprintf(out, 64, "%s", renamed[i].directive);
			return;
		}
	if (ends(property, "USec"))
		snprintf(out, 64, "%.*sSec", (int)property.n - 4, property.p);
	else if (str_has_prefix(property, STR("Limit")) && ends(property, "Soft"))
		snprintf(out, 64, "%.*s", (int)property.n - 4, property.p);
	else
		snprintf(out, 64, STR_FMT, STR_ARG(property));
}

/* --- values --- */

static void put_limit(struct writer *w, const char *name, const struct directive *d)
{
	const struct limit *l = w->config->exec->limits;
	struct rlimit own = {RLIM_INFINITY, RLIM_INFINITY};
	char soft[80];

	while (l && l->resource != d->num)
		l = l->next;
	/* What is not set is what we have ourselves: it is inherited. */
	(void)getrlimit((__rlimit_resource_t)d->num, &own);
	snprintf(soft, sizeof(soft), "%sSoft", name);
	reply_value(w->reply, TAG_NUMBER, name, l ? l->hard : own.rlim_max);
	reply_value(w->reply, TAG_NUMBER, soft, l ? l->soft : own.rlim_cur);
}

static void put_names(struct writer *w, const char *name, const struct name_list *l)
{
	if (!l && w->with_empty)
		reply_text_z(w->reply, name, "");
	for (; l; l = l->next)
		reply_item(w->reply, name, l->text);
}

static void put_text(struct writer *w, const char *name, const struct directive *d)
{
	struct sbuf text = {0};

	show_value(d, w->config, &text);
	if (text.n || w->with_empty)
		reply_text_z(w->reply, name, text.n ? text.p : "");
	sbuf_fini(&text);
}

/* Where what is not set has a value of its own. */
static uint64_t big_value(const struct exec_config *e, const struct directive *d, uint64_t value)
{
	bool is_slack = d->parser == PARSER_nanoseconds;

	return is_slack && e && !e->has_timer_slack ? (uint64_t)prctl(PR_GET_TIMERSLACK) : value;
}

/* linux/ioprio.h: class << 13 | level; what is not set is the middle of "best-effort" */
static void put_ioprio(struct writer *w, const char *name, const struct directive *d)
{
	const struct exec_config *e = w->config->exec;
	int value = e->has_ioprio ? e->ioprio : 2 << 13 | 4;

	reply_value(w->reply, TAG_NUMBER, name,
		    (uint64_t)(d->parser == PARSER_io_class ? value >> 13 : value & 0x1fff));
}

static void put_capabilities(struct writer *w, const char *name, const struct directive *d)
{
	const struct exec_config *e = w->config->exec;
	uint64_t all = 0;

	for (unsigned k = 0; value_capability_name(k); k++)
		all |= UINT64_C(1) << k;
	if (d->num) /* the ambient ones */
		reply_value(w->reply, TAG_NUMBER, name,
			    e->has_ambient ? e->ambient_capabilities & all : 0);
	else
		reply_value(w->reply, TAG_NUMBER, name,
			    e->has_capability_bounding ? e->capability_bounding & all : all);
}

/* The flags of clone(2) of the namespaces that may be made. */
static void put_namespaces(struct writer *w, const char *name)
{
#define NAMESPACE(word, flag) flag,
	static const uint64_t flags[NAMESPACES] = {NAMESPACES_LIST(NAMESPACE)};
#undef NAMESPACE
	uint8_t allowed = sandbox_of(w->config)->allowed_namespaces;
	uint64_t value = 0;

	for (unsigned k = 0; k < NAMESPACES; k++)
		value |= allowed >> k & 1 ? flags[k] : 0;
	reply_value(w->reply, TAG_NUMBER, name, value);
}

/* Kinds that need more than their member. False: it is none of them. */
static bool put_peculiar(struct writer *w, const char *name, const struct directive *d)
{
	switch ((int)d->parser) {
	case PARSER_limit:
		put_limit(w, name, d);
		return true;
	case PARSER_io_class:
	case PARSER_io_priority:
		put_ioprio(w, name, d);
		return true;
	case PARSER_capabilities:
		put_capabilities(w, name, d);
		return true;
	case PARSER_namespaces:
		put_namespaces(w, name);
		return true;
	default:
		return false;
	}
}

/* Numbers and switches. False: it is none. */
static bool put_number(struct writer *w, const char *name, const struct directive *d,
		       const void *member)
{
	uint64_t big = 0;

	if (d->size == sizeof(big))
		memcpy(&big, member, sizeof(big));
	big = big_value(w->config->exec, d, big);
	switch ((int)d->parser) {
	case PARSER_bool:
	case PARSER_delegate:
	case PARSER_mount_api:
		reply_value(w->reply, TAG_BOOL, name, *(const bool *)member);
		return true;
	case PARSER_u32:
		reply_value(w->reply, TAG_NUMBER, name, *(const uint32_t *)member);
		return true;
	case PARSER_int:
	case PARSER_nice:
	case PARSER_oom_score:
	case PARSER_exit_status:
	case PARSER_cpu_priority:
	case PARSER_ip_tos:
	case PARSER_ip_ttl:
	case PARSER_signal:
		reply_value(w->reply, TAG_SIGNED, name, (uint64_t)(int64_t) * (const int *)member);
		return true;
	case PARSER_span:
	case PARSER_span_or_never:
	case PARSER_span_nonzero:
	case PARSER_start_timeout:
	case PARSER_abort_timeout:
	case PARSER_cpu_quota:
	case PARSER_cpu_period:
		reply_value(w->reply, TAG_SPAN, name, big);
		return true;
	case PARSER_i64:
	case PARSER_size:
	case PARSER_nanoseconds:
	case PARSER_weight:
	case PARSER_cpu_weight:
	case PARSER_cpu_shares:
	case PARSER_block_weight:
	case PARSER_memory:
	case PARSER_tasks:
		if (big != CGROUP_UNSET)
			reply_value(w->reply, TAG_NUMBER, name, big);
		return true;
	default:
		return false;
	}
}

static void put_setting(struct writer *w, enum directive_group group, const struct directive *d)
{
	const void *member = d->base ? directive_member(d, w->config) : NULL;
	const struct name_list *items;
	char name[64];

	if (!member || d->verdict == LEGACY || is_computed(group, d->name))
		return;
	name_of_property(d->name, name);
	if (put_peculiar(w, name, d) || put_number(w, name, d, member) ||
	    !show_knows((enum parser_kind)d->parser))
		return;
	items = show_items(d, w->config);
	if (items)
		put_names(w, name, items);
	else
		put_text(w, name, d);
}

/* --- which --- */

/* Groups of rows that a unit of that type has as properties: [Install] shows in the dependencies of others. */
static unsigned groups_of(enum unit_type type)
{
	unsigned groups = 1u << GROUP_UNIT;

	for (unsigned s = 0; s < SECTIONS; s++)
		if (s != SECTION_UNIT && s != SECTION_INSTALL &&
		    section_fits((enum section)s, type))
			groups |= section_groups((enum section)s);
	return groups;
}

static void put_wanted(struct writer *w, unsigned groups, const char *only)
{
	struct str rest = str_of(only), piece;
	char name[64];

	while (str_cut(&rest, ',', &piece)) {
		piece = str_trim(piece);
		if (!piece.n || piece.n >= sizeof(name))
			continue;
		name_of_directive(piece, name);
		for (unsigned g = 0; g < GROUPS; g++) {
			const struct directive *d =
				groups >> g & 1
					? directive_in_group((enum directive_group)g, str_of(name))
					: NULL;

			if (d)
				put_setting(w, (enum directive_group)g, d);
		}
	}
}

void property_settings(struct reply *r, const struct unit_config *c, enum unit_type type,
		       const char *only, bool with_empty)
{
	struct writer w = {.reply = r, .config = c, .with_empty = with_empty};
	unsigned groups = groups_of(type);

	if (only) {
		put_wanted(&w, groups, only);
		return;
	}
	for (unsigned g = 0; g < GROUPS; g++)
		for (unsigned i = 0; groups >> g & 1 && i < directive_groups[g].n; i++)
			put_setting(&w, (enum directive_group)g, &directive_groups[g].rows[i]);
}

bool property_is_setting(const char *name)
{
	char directive[64];

	name_of_directive(str_of(name), directive);
	for (unsigned g = 0; g < GROUPS; g++) {
		const struct directive *d =
			g == GROUP_INSTALL || g == GROUP_CONDITION
				? NULL
				: directive_in_group((enum directive_group)g, str_of(directive));

		if (d && d->base && d->verdict != LEGACY &&
		    !is_computed((enum directive_group)g, d->name) &&
		    (d->parser == PARSER_limit || show_knows((enum parser_kind)d->parser)))
			return true;
	}
	return false;
}
