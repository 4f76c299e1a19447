/* SPDX-License-Identifier: MIT */
#include "units/sandbox.h"

#include <linux/capability.h>
#include <stdio.h>
#include <syslog.h>

#include "units/exec_config.h"
#include "units/name.h"

const char *const namespace_names[NAMESPACES] = {
#define NAMESPACE(word, flag) [NAMESPACE_##word] = #word,
	NAMESPACES_LIST(NAMESPACE)
#undef NAMESPACE
};

static const struct sandbox defaults = {
	.allowed_namespaces = NAMESPACES_ALL,
	.syslog_facility = LOG_FAC(LOG_DAEMON),
	.syslog_level = LOG_INFO,
	.clean_timeout_us = TIME_NEVER,
};

const struct sandbox *sandbox_of(const struct unit_config *c)
{
	return c->own->sandbox ? c->own->sandbox : &defaults;
}

struct sandbox *sandbox_own(struct unit_config *c)
{
	struct unit_own *own = unit_config_own(c);

	if (!own || own->sandbox)
		return own ? own->sandbox : NULL;
	own->sandbox = arena_get(&c->arena, sizeof(*own->sandbox));
	if (own->sandbox)
		*own->sandbox = defaults;
	return own->sandbox;
}

bool sandbox_has_credential(const struct unit_config *c, struct str id)
{
	const struct name_list *l = sandbox_of(c)->set_credentials;

	while (l && !str_eq(str_sub(str_of(l->text), 0, str_index(str_of(l->text), ':')), id))
		l = l->next;
	return l;
}

bool sandbox_is_private_dir(const struct unit_config *c, unsigned kind)
{
	/* A runtime directory that goes with the service is nobody's afterwards. */
	bool lasts = kind != DIR_RUNTIME || (c->exec && c->exec->runtime_directory_preserve);

	return sandbox_of(c)->dynamic_user && kind != DIR_CONFIGURATION && lasts;
}

/* Capabilities that a process behind a protection has no use for but to get around it. */
static const struct {
	size_t offset; /* of a bool in struct sandbox */
	uint64_t capabilities;
} losses[] = {
#define BIT(capability) (UINT64_C(1) << (capability))
	{offsetof(struct sandbox, private_devices), BIT(CAP_MKNOD) | BIT(CAP_SYS_RAWIO)},
	{offsetof(struct sandbox, protect_modules), BIT(CAP_SYS_MODULE)},
	{offsetof(struct sandbox, protect_logs), BIT(CAP_SYSLOG)},
	{offsetof(struct sandbox, protect_clock), BIT(CAP_SYS_TIME) | BIT(CAP_WAKE_ALARM)},
#undef BIT
};

static void drop_capabilities(const struct sandbox *s, struct exec_config *e)
{
	for (unsigned k = 0; k < ARRAY_SIZE(losses); k++) {
		if (!*((const bool *)s + losses[k].offset))
			continue;
		if (!e->has_capability_bounding)
			e->capability_bounding = UINT64_MAX;
		e->has_capability_bounding = true;
		e->capability_bounding &= ~losses[k].capabilities;
	}
}

/* Devices beside those of the policy are named where there is a list, which forbids all others. */
static int close_devices(struct unit_config *c, const struct sandbox *s)
{
	struct cgroup_config *g = s->private_devices ? cgroup_config_own(c) : c->own->cgroup;
	struct name_list **end;

	if (!g)
		return s->private_devices ? -ENOMEM : 0;
	if (s->private_devices && g->device_policy == DEVICES_AUTO)
		g->device_policy = DEVICES_CLOSED;
	if (!s->protect_clock || (g->device_policy == DEVICES_AUTO && !g->devices))
		return 0;
	for (end = &g->devices; *end;)
		end = &(*end)->next;
	*end = arena_get(&c->arena, sizeof(**end));
	if (!*end)
		return -ENOMEM;
	(*end)->text = "char-rtc r";
	return 0;
}

/* A user that exists for the run only must not leave anything behind. */
static int settle_dynamic_user(struct unit_config *c, struct sandbox *s)
{
	struct exec_config *e = c->exec;

	if (!e->user) {
		struct str prefix = name_prefix(c->name);

		e->user = arena_dup(&c->arena, prefix.p, prefix.n);
		if (!e->user)
			return -ENOMEM;
	}
	if (!e->group)
		e->group = e->user;
	e->private_tmp = true;
	e->no_new_privileges = true;
	s->remove_ipc = true;
	s->restrict_suid_sgid = true;
	s->protect_system = SYSTEM_STRICT;
	if (s->protect_home == HOME_NO)
		s->protect_home = HOME_READ_ONLY;
	return 0;
}

int sandbox_settle(struct unit_config *c)
{
	int r = 0;

	if (!c->own->sandbox || !c->exec)
		return 0;
	drop_capabilities(c->own->sandbox, c->exec);
	if (c->own->sandbox->dynamic_user)
		r = settle_dynamic_user(c, c->own->sandbox);
	return r == 0 ? close_devices(c, c->own->sandbox) : r;
}

/* --- dependencies --- */

static bool is_logged(const struct stdio *s)
{
	return s->kind == STDIO_JOURNAL || s->kind == STDIO_JOURNAL_CONSOLE ||
	       s->kind == STDIO_KMSG || s->kind == STDIO_KMSG_CONSOLE;
}

/* The sockets of an own instance of the journal. */
static int link_log_namespace(struct dep_list *l, const char *name)
{
	static const char *const prefixes[] = {"systemd-journald", "systemd-journald-varlink"};
	char unit[UNIT_NAME_MAX + 1];
	int r = 0;

	for (unsigned k = 0; r == 0 && k < ARRAY_SIZE(prefixes); k++) {
		int n = snprintf(unit, sizeof(unit), "%s@%s.socket", prefixes[k], name);

		if (n < 0 || (size_t)n >= sizeof(unit) || !name_is_valid(unit, NAME_INSTANCE))
			continue;
		r = dep_add_copy(l, DEP_REQUIRES, DEP_SETTING, unit);
		if (r == 0)
			r = dep_add_copy(l, DEP_AFTER, DEP_SETTING, unit);
	}
	return r;
}

int exec_links(struct dep_list *l)
{
	const struct exec_config *e = l->config->exec;
	const struct sandbox *s = sandbox_of(l->config);
	/* Directories below /var may lie on the root, which must be writable by then. */
	bool has_var = e->directories[DIR_STATE].names || e->directories[DIR_CACHE].names ||
		       e->directories[DIR_LOGS].names;
	bool has_log = (is_logged(&e->out) && !e->out_is_default) || is_logged(&e->err);
	const struct {
		bool is_needed;
		enum dep_type type;
		const char *name;
	} links[] = {
		{has_var, DEP_AFTER, "systemd-remount-fs.service"},
		{e->private_tmp, DEP_WANTS, "tmp.mount"},
		{e->private_tmp, DEP_AFTER, "tmp.mount"},
		{e->private_tmp, DEP_AFTER, "systemd-tmpfiles-setup.service"},
		{s->root_image, DEP_AFTER, "systemd-udevd.service"},
		{has_log && !s->log_namespace, DEP_AFTER, "systemd-journald.socket"},
	};
	int r = s->log_namespace ? link_log_namespace(l, s->log_namespace) : 0;

	for (unsigned k = 0; r == 0 && k < ARRAY_SIZE(links); k++)
		if (links[k].is_needed)
			r = dep_add(l, links[k].type, DEP_SETTING, links[k].name);
	return r;
}
