/* SPDX-License-Identifier: MIT */
#include "core/describe_filter.h"

#include <errno.h>
#include <sched.h>

#include "core/filter.h"
#include "core/plan.h"
#include "units/sandbox.h"

/* How to read: with that protection these calls give EPERM; a process without the capability could make them otherwise. */
static const struct protection {
	size_t offset; /* of a bool in struct sandbox */
	const char *words;
} protections[] = {
	{offsetof(struct sandbox, protect_clock), "@clock"},
	{offsetof(struct sandbox, protect_modules), "@module"},
	{offsetof(struct sandbox, protect_logs), "syslog"},
	{offsetof(struct sandbox, protect_hostname), "sethostname setdomainname"},
	{offsetof(struct sandbox, private_devices), "@raw-io"},
};

/* The same for the small filters. */
static const struct restriction {
	size_t offset;
	enum filter_kind kind;
} restrictions[] = {
	{offsetof(struct sandbox, lock_personality), FILTER_PERSONALITY},
	{offsetof(struct sandbox, restrict_realtime), FILTER_REALTIME},
	{offsetof(struct sandbox, restrict_suid_sgid), FILTER_SUID_SGID},
	{offsetof(struct sandbox, memory_deny_write_execute), FILTER_WRITE_EXEC},
};

static bool is_on(const struct sandbox *s, size_t offset)
{
	return *(const bool *)((const char *)s + offset);
}

bool describe_has_filter(const struct unit_config *c)
{
	const struct sandbox *s = c->own->sandbox;
	bool has = s && (s->has_syscalls || s->has_families || s->logged_syscalls ||
			 s->architectures || s->allowed_namespaces != NAMESPACES_ALL);

	for (unsigned k = 0; s && k < ARRAY_SIZE(protections); k++)
		has |= is_on(s, protections[k].offset);
	for (unsigned k = 0; s && k < ARRAY_SIZE(restrictions); k++)
		has |= is_on(s, restrictions[k].offset);
	return has;
}

static void put_words(struct wbuf *plan, enum plan_step step, uint64_t w0, uint64_t w1,
		      const struct name_list *list)
{
	const uint64_t words[] = {w0, w1};
	struct sbuf text = {0};

	for (; list; list = list->next)
		sbuf_addf(&text, "%s%s", text.n ? " " : "", list->text);
	plan->bad |= list && !text.p;
	plan_put(plan, step, words, plan_step_info(step)->words_n,
		 (struct str){text.p ? text.p : "", text.n});
	sbuf_fini(&text);
}

static uint64_t flags_of(uint8_t namespaces)
{
	static const uint64_t flags[NAMESPACES] = {
#define NAMESPACE(word, flag) [NAMESPACE_##word] = (flag),
		NAMESPACES_LIST(NAMESPACE)
#undef NAMESPACE
	};
	uint64_t set = 0;

	for (unsigned k = 0; k < NAMESPACES; k++)
		set |= namespaces >> k & 1 ? flags[k] : 0;
	return set;
}

static void put_kind(struct wbuf *plan, enum filter_kind kind, uint64_t argument)
{
	const uint64_t words[] = {kind, argument};

	plan_put(plan, PLAN_FILTER, words, ARRAY_SIZE(words), STR(""));
}

void describe_filter(const struct unit_config *c, struct wbuf *plan)
{
	const struct sandbox *s = c->own->sandbox;

	if (!s)
		return;
	if (s->has_families)
		put_words(plan, PLAN_FILTER_FAMILIES, s->families_are_denied, 0, s->families);
	for (unsigned k = 0; k < ARRAY_SIZE(restrictions); k++)
		if (is_on(s, restrictions[k].offset))
			put_kind(plan, restrictions[k].kind, 0);
	if (s->allowed_namespaces != NAMESPACES_ALL)
		put_kind(plan, FILTER_NAMESPACES, flags_of(s->allowed_namespaces));
	for (unsigned k = 0; k < ARRAY_SIZE(protections); k++)
		if (is_on(s, protections[k].offset))
			put_words(plan, PLAN_FILTER_CALLS, FILTER_DENIED, EPERM,
				  &(struct name_list){.text = protections[k].words});
	if (s->architectures)
		put_words(plan, PLAN_FILTER_ARCHITECTURES, 0, 0, s->architectures);
	if (s->logged_syscalls)
		put_words(plan, PLAN_FILTER_CALLS, FILTER_LOGGED, 0, s->logged_syscalls);
	/* The last: it may forbid seccomp(2) itself. */
	if (s->has_syscalls)
		put_words(plan, PLAN_FILTER_CALLS,
			  s->syscalls_are_denied ? FILTER_DENIED : FILTER_ALLOWED,
			  (uint64_t)s->syscall_errno, s->syscalls);
}
