/* SPDX-License-Identifier: MIT */
/* Lines about services, sockets and their processes that are more than the value of one directive. */
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>

#include "units/directive.h"
#include "units/dump_line.h"
#include "units/exec_config.h"
#include "units/sandbox.h"
#include "units/service.h"
#include "units/show.h"
#include "units/socket.h"
#include "units/value.h"

static const char *or_root(const char *path)
{
	return path ? path : "/";
}

/* --- command lines --- */

static void dump_commands(struct dumping *d, const char *name, const struct command *c)
{
	if (c)
		sbuf_addf(d->out, "\t-> %s:\n", name);
	for (; c; c = command_next(c)) {
		sbuf_add_z(d->out, "\t\tCommand Line: ");
		for (uint32_t k = 0; k < c->argc; k++) {
			if (k > 0)
				sbuf_add_c(d->out, ' ');
			show_quoted(c->argv[k], d->out);
		}
		sbuf_add_c(d->out, '\n');
	}
}

void dump_service_commands(struct dumping *d)
{
	for (unsigned k = CMD_NONE + 1; k < SERVICE_COMMANDS; k++)
		dump_commands(d, service_command_names[k], command_first(d->config, k));
}

void dump_socket_commands(struct dumping *d)
{
	for (unsigned k = SCMD_NONE + 1; k < SOCKET_COMMANDS; k++)
		dump_commands(d, socket_command_names[k], command_first(d->config, k));
}

/* --- services --- */

void dump_oom_policy(struct dumping *d)
{
	static const char *const words[] = {NULL, "continue", "stop", "kill"};
	unsigned policy = d->config->service->oom_policy;

	/* Who manages the cgroup below may want to survive there. */
	if (policy == 0)
		policy = cgroup_config_of(d->config)->delegate ? 1 : 2;
	dump_line(d, "OOMPolicy", "%s", words[policy]);
}

void dump_bus_name(struct dumping *d)
{
	if (!d->config->service->bus_name)
		return;
	dump_line(d, "BusName", "%s", d->config->service->bus_name);
	dump_line(d, "Bus Name Good", "no");
}

void dump_abort_timeout(struct dumping *d)
{
	if (!d->config->service->timeout_abort_is_set)
		return;
	dump_key(d, "TimeoutAbortSec");
	show_seconds(d->config->service->timeout_abort_us, d->out);
	sbuf_add_c(d->out, '\n');
}

void dump_fd_store(struct dumping *d)
{
	if (d->config->service->fd_store_max == 0)
		return;
	dump_line(d, "File Descriptor Store Max", "%u", d->config->service->fd_store_max);
	dump_line(d, "File Descriptor Store Current", "0");
}

void dump_restart_kill_signal(struct dumping *d)
{
	const struct kill_config *k = &d->config->exec->kill;

	dump_line(d, "RestartKillSignal", "%s",
		  value_signal_name(k->restart_signal ? k->restart_signal : k->signal));
}

/* --- sockets --- */

void dump_backlog(struct dumping *d)
{
	dump_line(d, "Backlog", "%u", d->config->socket->backlog);
}

void dump_socket_owner(struct dumping *d)
{
	const struct socket_config *s = d->config->socket;

	if (!s->user && !s->group)
		return;
	dump_line(d, "SocketUser", "%s", s->user ? s->user : "n/a");
	dump_line(d, "SocketGroup", "%s", s->group ? s->group : "n/a");
}

void dump_tcp_congestion(struct dumping *d)
{
	const char *name = d->config->socket->tcp_congestion;

	dump_line(d, "TCPCongestion", "%s", name ? name : "n/a");
}

void dump_fd_name(struct dumping *d)
{
	const struct socket_config *s = d->config->socket;

	dump_line(d, "FileDescriptorName", "%s", s->fd_name ? s->fd_name : d->unit->name);
}

void dump_connections(struct dumping *d)
{
	const struct socket_config *s = d->config->socket;

	if (!s->accept) {
		dump_line(d, "FlushPending", "%s", s->flush_pending ? "yes" : "no");
		return;
	}
	dump_line(d, "Accepted", "0");
	dump_line(d, "NConnections", "0");
	dump_line(d, "MaxConnections", "%u", s->max_connections);
	dump_line(d, "MaxConnectionsPerSource", "%u", s->max_connections_per_source);
}

void dump_listeners(struct dumping *d)
{
	for (const struct listener *l = d->config->socket->listeners; l; l = l->next) {
		char host[INET6_ADDRSTRLEN] = "";
		int family = l->addr_n > 0 ? l->addr.sa.sa_family : AF_UNSPEC;

		if (family == AF_INET6 &&
		    inet_ntop(family, &l->addr.in6.sin6_addr, host, sizeof(host)))
			dump_line(d, listen_names[l->kind], "[%s]:%u", host,
				  ntohs(l->addr.in6.sin6_port));
		else if (family == AF_INET &&
			 inet_ntop(family, &l->addr.in.sin_addr, host, sizeof(host)))
			dump_line(d, listen_names[l->kind], "%s:%u", host,
				  ntohs(l->addr.in.sin_port));
		else
			dump_line(d, listen_names[l->kind], "%s", l->text);
	}
}

/* --- processes --- */

void dump_directories(struct dumping *d)
{
	const struct exec_config *e = d->config->exec;
	const char *home =
		e->working_directory && e->working_directory[0] != '/' ? "/" : e->working_directory;

	dump_line(d, "WorkingDirectory", "%s", or_root(home));
	dump_line(d, "RootDirectory", "%s", or_root(e->root_directory));
	dump_line(d, "NonBlocking", "%s",
		  d->config->service && d->config->service->non_blocking ? "yes" : "no");
}

void dump_exec_directories(struct dumping *d)
{
	static const char *const names[EXEC_DIRS] = {
		[DIR_RUNTIME] = "RuntimeDirectory",
		[DIR_STATE] = "StateDirectory",
		[DIR_CACHE] = "CacheDirectory",
		[DIR_LOGS] = "LogsDirectory",
		[DIR_CONFIGURATION] = "ConfigurationDirectory",
	};
	const struct exec_config *e = d->config->exec;

	for (unsigned k = 0; k < EXEC_DIRS; k++) {
		sbuf_addf(d->out, "\t%sMode: %04o\n", names[k], e->directory_mode[k]);
		for (const struct name_list *n = e->directories[k].names; n; n = n->next)
			dump_line(d, names[k], "%s", n->text);
		for (const struct name_list *n = e->directories[k].links; n; n = n->next)
			sbuf_addf(d->out, "\t%sSymlink: %s\n", names[k], n->text);
	}
}

/* linux/ioprio.h: class << 13 | level. */
static void dump_io(struct dumping *d, int ioprio)
{
	static const char *const classes[] = {"none", "realtime", "best-effort", "idle"};

	dump_line(d, "IOSchedulingClass", "%s", classes[ioprio >> 13 & 3]);
	dump_line(d, "IOPriority", "%d", ioprio & 0x1fff);
}

void dump_scheduling(struct dumping *d)
{
	static const char *const policies[] = {
		[SCHED_OTHER] = "other", [SCHED_BATCH] = "batch", [SCHED_IDLE] = "idle",
		[SCHED_FIFO] = "fifo",   [SCHED_RR] = "rr",
	};
	const struct exec_config *e = d->config->exec;

	if (e->has_nice)
		dump_line(d, "Nice", "%d", e->nice);
	if (e->has_oom)
		dump_line(d, "OOMScoreAdjust", "%d", e->oom_score_adjust);
	if (e->has_ioprio)
		dump_io(d, e->ioprio);
	if (e->has_sched) {
		dump_line(d, "CPUSchedulingPolicy", "%s", policies[e->sched_policy]);
		dump_line(d, "CPUSchedulingPriority", "%d", e->sched_priority);
		dump_line(d, "CPUSchedulingResetOnFork", "%s",
			  e->sched_reset_on_fork ? "yes" : "no");
	}
	if (e->has_affinity) {
		dump_key(d, "CPUAffinity");
		show_numbers(&(struct number_set){e->affinity, e->affinity_n}, d->out);
		sbuf_add_c(d->out, '\n');
	}
	if (e->has_timer_slack)
		dump_line(d, "TimerSlackNSec", "%llu", (unsigned long long)e->timer_slack_ns);
}

static const char *limit_name(int resource)
{
	const struct directive_rows *g = &directive_groups[GROUP_EXEC];
	unsigned k = 0;

	while (g->rows[k].parser != PARSER_limit || g->rows[k].num != resource)
		k++;
	return g->rows[k].name;
}

void dump_limits(struct dumping *d)
{
	for (const struct limit *l = d->config->exec->limits; l; l = l->next) {
		const char *name = limit_name(l->resource);

		sbuf_addf(d->out, "\t%s: %llu\n\t%sSoft: %llu\n", name, (unsigned long long)l->hard,
			  name, (unsigned long long)l->soft);
	}
}

static bool is_logged(const struct stdio *s)
{
	return s->kind == STDIO_JOURNAL || s->kind == STDIO_JOURNAL_CONSOLE ||
	       s->kind == STDIO_KMSG || s->kind == STDIO_KMSG_CONSOLE;
}

static void dump_stream(struct dumping *d, const char *name, const struct stdio *s)
{
	static const char *const tails[STDIO_KINDS] = {
		[STDIO_FILE] = "File",
		[STDIO_APPEND] = "FileToAppend",
		[STDIO_TRUNCATE] = "FileToTruncate",
		[STDIO_FD] = "FileDescriptorName",
	};

	dump_line(d, name, "%s", stdio_names[s->kind]);
	if (tails[s->kind])
		sbuf_addf(d->out, "\t%s%s: %s\n", name, tails[s->kind], s->path);
}

static void dump_syslog(struct dumping *d)
{
	const struct sandbox *s = sandbox_of(d->config);

	dump_line(d, "SyslogFacility", "%s", words_log_facility.names[s->syslog_facility]);
	dump_line(d, "SyslogLevel", "%s", words_log_level.names[s->syslog_level % SYSLOG_LEVELS]);
}

void dump_streams(struct dumping *d)
{
	const struct exec_config *e = d->config->exec;
	struct stdio out = e->out;

	/* What nobody has set is inherited from the manager, which is asked to log. */
	if (e->out_is_default)
		out.kind = STDIO_INHERIT;
	dump_stream(d, "StandardInput", &e->in);
	dump_stream(d, "StandardOutput", &out);
	dump_stream(d, "StandardError", &e->err);
	if (is_logged(&out) || is_logged(&e->err))
		dump_syslog(d);
}

void dump_tty(struct dumping *d)
{
	const struct exec_config *e = d->config->exec;

	const struct sandbox *s = sandbox_of(d->config);

	if (!e->tty_path)
		return;
	dump_line(d, "TTYPath", "%s", e->tty_path);
	dump_line(d, "TTYReset", "%s", e->tty_reset ? "yes" : "no");
	dump_line(d, "TTYVHangup", "%s", e->tty_hangup ? "yes" : "no");
	dump_line(d, "TTYVTDisallocate", "%s", s->tty_disallocate ? "yes" : "no");
	dump_line(d, "TTYRows", "%u", s->tty_rows ? s->tty_rows : UINT32_MAX);
	dump_line(d, "TTYColumns", "%u", s->tty_columns ? s->tty_columns : UINT32_MAX);
}

static void dump_capabilities(struct dumping *d, const char *key, uint64_t set)
{
	dump_key(d, key);
	show_capabilities(set, d->out);
	sbuf_add_c(d->out, '\n');
}

/* In systemd's order, which is not that of the bits. */
static void dump_secure_bits(struct dumping *d, int bits)
{
	static const unsigned order[] = {4, 5, 2, 3, 0, 1};
	const char *gap = "";

	dump_key(d, "Secure Bits");
	for (unsigned k = 0; k < ARRAY_SIZE(order); k++)
		if (bits >> order[k] & 1) {
			sbuf_addf(d->out, "%s%s", gap, words_secure_bits.names[order[k]]);
			gap = " ";
		}
	sbuf_add_c(d->out, '\n');
}

void dump_privileges(struct dumping *d)
{
	const struct exec_config *e = d->config->exec;

	if (e->has_securebits && e->securebits)
		dump_secure_bits(d, e->securebits);
	if (e->has_capability_bounding && e->capability_bounding != UINT64_MAX)
		dump_capabilities(d, "CapabilityBoundingSet", e->capability_bounding);
	if (e->has_ambient && e->ambient_capabilities)
		dump_capabilities(d, "AmbientCapabilities", e->ambient_capabilities);
}
