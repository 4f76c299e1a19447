/* SPDX-License-Identifier: MIT */
/* Lines about sandboxes and cgroups that are more than the value of one directive. */
#include <sys/personality.h>

#include "units/amount.h"
#include "units/cgroup_config.h"
#include "units/dump_line.h"
#include "units/exec_config.h"
#include "units/sandbox.h"
#include "units/show.h"
#include "units/value.h"

/* --- sandboxes --- */

void dump_mount_api(struct dumping *d)
{
	const struct sandbox *s = sandbox_of(d->config);
	bool is_on = s->mount_api_is_set ? s->mount_api
					 : d->config->exec->root_directory || s->root_image;

	dump_line(d, "MountAPIVFS", "%s", is_on ? "yes" : "no");
}

/* What is not set depends on the type: services have a keyring of their own. */
void dump_keyring(struct dumping *d)
{
	static const char *const words[] = {
		[KEYRING_INHERIT] = "inherit",
		[KEYRING_PRIVATE] = "private",
		[KEYRING_SHARED] = "shared",
	};
	unsigned mode = sandbox_of(d->config)->keyring;

	if (mode == KEYRING_UNSET)
		mode = d->config->service ? KEYRING_PRIVATE : KEYRING_SHARED;
	dump_line(d, "KeyringMode", "%s", words[mode]);
}

void dump_log(struct dumping *d)
{
	const struct sandbox *s = sandbox_of(d->config);

	if (s->has_coredump_filter)
		dump_line(d, "CoredumpFilter", "0x%llx", (unsigned long long)s->coredump_filter);
	if (s->has_numa_policy) {
		dump_line(d, "NUMAPolicy", "%s", words_numa_policy.names[s->numa_policy]);
		dump_key(d, "NUMAMask");
		show_numbers(&s->numa_nodes, d->out);
		sbuf_add_c(d->out, '\n');
	}
	if (s->has_log_level_max)
		dump_line(d, "LogLevelMax", "%s",
			  words_log_level.names[s->log_level_max % SYSLOG_LEVELS]);
	if (s->log_interval_us > 0) {
		dump_key(d, "LogRateLimitIntervalSec");
		show_seconds(s->log_interval_us, d->out);
		sbuf_add_c(d->out, '\n');
	}
	if (s->log_burst > 0)
		dump_line(d, "LogRateLimitBurst", "%u", s->log_burst);
}

void dump_personality(struct dumping *d)
{
	uint64_t value = d->config->exec->personality;

	if (value != UINT64_MAX)
		dump_line(d, "Personality", "%s", value == PER_LINUX32 ? "x86" : "x86-64");
}

void dump_syscalls(struct dumping *d)
{
	const struct sandbox *s = sandbox_of(d->config);
	const char *name = amount_errno_name(s->syscall_errno);

	if (s->has_syscalls) {
		sbuf_addf(d->out, "\tSystemCallFilter: %s", s->syscalls_are_denied ? "~" : "");
		for (const struct name_list *n = s->syscalls; n; n = n->next)
			sbuf_addf(d->out, "%s%s", n == s->syscalls ? "" : " ", n->text);
		sbuf_add_c(d->out, '\n');
	}
	if (s->syscall_errno && !name)
		dump_line(d, "SystemCallErrorNumber", "%d", s->syscall_errno);
	else
		dump_line(d, "SystemCallErrorNumber", "%s", name ? name : "kill");
}

void dump_namespaces(struct dumping *d)
{
	uint8_t allowed = sandbox_of(d->config)->allowed_namespaces;

	if (allowed == NAMESPACES_ALL)
		return;
	dump_key(d, "RestrictNamespaces");
	if (allowed)
		show_namespaces(allowed, d->out);
	else
		sbuf_add_z(d->out, "n/a");
	sbuf_add_c(d->out, '\n');
}

/* --- cgroups --- */

void dump_delegated(struct dumping *d)
{
	const struct cgroup_config *g = cgroup_config_of(d->config);

	if (!g->delegate)
		return;
	dump_key(d, "DelegateControllers");
	show_controllers(g->delegated, d->out);
	sbuf_add_c(d->out, '\n');
}

static void dump_rate(struct dumping *d, const char *key, const struct name_list *n)
{
	uint64_t rate;

	for (; n; n = n->next) {
		struct str text = str_of(n->text);
		size_t blank = str_rindex(text, ' ');

		dump_key(d, key);
		sbuf_add(d->out, str_sub(text, 0, blank + 1));
		if (str_to_u64(str_sub(text, blank + 1, text.n), &rate) == 0)
			amount_show(rate, d->out);
		sbuf_add_c(d->out, '\n');
	}
}

void dump_rates(struct dumping *d)
{
	const struct cgroup_config *g = cgroup_config_of(d->config);

	dump_rate(d, "IOReadBandwidthMax", g->io_read_max);
	dump_rate(d, "IOWriteBandwidthMax", g->io_write_max);
	dump_rate(d, "IOReadIOPSMax", g->io_read_ops);
	dump_rate(d, "IOWriteIOPSMax", g->io_write_ops);
	dump_rate(d, "BlockIOReadBandwidth", g->block_read);
	dump_rate(d, "BlockIOWriteBandwidth", g->block_write);
}

/* One line, the last rule first. */
static void dump_ports(struct dumping *d, const char *key, const struct name_list *rules)
{
	const struct name_list *end = NULL;

	if (!rules)
		return;
	dump_key(d, key);
	while (end != rules) {
		const struct name_list *last = rules;

		while (last->next != end)
			last = last->next;
		sbuf_addf(d->out, "%s%s", end ? " " : "", last->text);
		end = last;
	}
	sbuf_add_c(d->out, '\n');
}

void dump_bind_ports(struct dumping *d)
{
	const struct cgroup_config *g = cgroup_config_of(d->config);

	dump_ports(d, "SocketBindAllow", g->bind_allow);
	dump_ports(d, "SocketBindDeny", g->bind_deny);
}
