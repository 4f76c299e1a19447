/* SPDX-License-Identifier: MIT */
/* The configuration half of the socket type: defaults, words, addresses, what a socket unit must have. */
#include "units/socket.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/netlink.h>
#include <stdio.h>

#include "units/dep.h"
#include "units/name.h"
#include "units/refuse.h"
#include "units/sandbox.h"
#include "units/value.h"

const char *const listen_names[LISTEN_KINDS] = {
	[LISTEN_STREAM] = "ListenStream",
	[LISTEN_DATAGRAM] = "ListenDatagram",
	[LISTEN_SEQPACKET] = "ListenSequentialPacket",
	[LISTEN_FIFO] = "ListenFIFO",
	[LISTEN_SPECIAL] = "ListenSpecial",
	[LISTEN_NETLINK] = "ListenNetlink",
	[LISTEN_MQUEUE] = "ListenMessageQueue",
	[LISTEN_USB] = "ListenUSBFunction",
};

const char *const socket_command_names[SOCKET_COMMANDS] = {
	[SCMD_NONE] = "",
	[SCMD_START_PRE] = "ExecStartPre",
	[SCMD_START_POST] = "ExecStartPost",
	[SCMD_STOP_PRE] = "ExecStopPre",
	[SCMD_STOP_POST] = "ExecStopPost",
};

const char *const socket_result_names[SOCKET_RESULTS] = {
	[SRES_SUCCESS] = "success",
	[SRES_RESOURCES] = "resources",
	[SRES_TIMEOUT] = "timeout",
	[SRES_EXIT_CODE] = "exit-code",
	[SRES_SIGNAL] = "signal",
	[SRES_CORE_DUMP] = "core-dump",
	[SRES_START_LIMIT] = "start-limit-hit",
	[SRES_TRIGGER_LIMIT] = "trigger-limit-hit",
	[SRES_SERVICE_START_LIMIT] = "service-start-limit-hit",
};

void socket_config_defaults(struct socket_config *s)
{
	*s = (struct socket_config){
		.backlog = INT_MAX,
		.max_connections = 64,
		.socket_mode = 0666,
		.directory_mode = 0755,
		.priority = -1,
		.mark = -1,
		.ip_tos = -1,
		.ip_ttl = -1,
		.timeout_us = 90 * US_PER_SEC,
		.trigger_limit_interval_us = 2 * US_PER_SEC,
		.trigger_limit_burst = UINT32_MAX,
		.poll_limit_interval_us = 2 * US_PER_SEC,
		.poll_limit_burst = UINT32_MAX,
	};
}

/* --- addresses --- */

static int wrong(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static int parse_unix(struct listener *l, struct str text, const char **ret_why)
{
	bool is_abstract = text.p[0] == '@';

	/* A path needs its NUL within the structure for everybody who reads it as a string. */
	if (text.n > sizeof(l->addr.un.sun_path) - !is_abstract)
		return wrong(ret_why,
			     "the name is longer than the 107 bytes a UNIX socket may have");
	if (text.n == 1)
		return wrong(ret_why, "the name of the socket is missing");
	l->addr.un.sun_family = AF_UNIX;
	memcpy(l->addr.un.sun_path, text.p, text.n);
	if (is_abstract)
		l->addr.un.sun_path[0] = '\0';
	l->addr_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text.n + !is_abstract);
	return 0;
}

static int parse_port(struct str text, in_port_t *ret_port)
{
	uint64_t value;
	int r = str_to_u64(text, &value);

	if (r < 0 || value == 0 || value > 65535)
		return -EINVAL;
	*ret_port = htons((uint16_t)value);
	return 0;
}

static int parse_ipv4(struct listener *l, struct str text, const char **ret_why)
{
	char host[INET_ADDRSTRLEN];
	size_t colon = str_rindex(text, ':');

	if (colon == text.n)
		return wrong(
			ret_why,
			"a port is a number from 1 to 65535, and an IPv4 address needs one: 127.0.0.1:80");
	if (colon >= sizeof(host))
		return wrong(ret_why, "names of hosts cannot be used, only addresses");
	memcpy(host, text.p, colon);
	host[colon] = '\0';
	l->addr.in.sin_family = AF_INET;
	l->addr_n = sizeof(l->addr.in);
	if (inet_pton(AF_INET, host, &l->addr.in.sin_addr) != 1)
		return wrong(ret_why, "names of hosts cannot be used, only addresses");
	if (parse_port(str_sub(text, colon + 1, text.n), &l->addr.in.sin_port) < 0)
		return wrong(ret_why, "a port is a number from 1 to 65535");
	return 0;
}

/* The scope behind '%': a number at once, a name when the socket is bound. */
static int parse_scope(struct listener *l, struct str text, struct arena *arena)
{
	uint32_t number;

	if (text.n == 0)
		return -EINVAL;
	if (value_u32(text, &number) == 0) {
		l->addr.in6.sin6_scope_id = number;
		return 0;
	}
	l->scope = arena_dup(arena, text.p, text.n);
	return l->scope ? 0 : -ENOMEM;
}

/* "[address%scope]:port" and "[address]:port%scope" */
static int parse_ipv6(struct listener *l, struct str text, struct arena *arena,
		      const char **ret_why)
{
	char host[INET6_ADDRSTRLEN];
	size_t close = str_index(text, ']');
	struct str inside = str_sub(text, 1, close);
	struct str behind = close < text.n ? str_sub(text, close + 1, text.n) : STR("");
	size_t percent = str_index(inside, '%');
	size_t tail = str_index(behind, '%');
	int r = 0;

	if (percent >= sizeof(host) || behind.n == 0 || behind.p[0] != ':')
		return wrong(ret_why, "an IPv6 address is written [address]:port");
	memcpy(host, inside.p, percent);
	host[percent] = '\0';
	l->addr.in6.sin6_family = AF_INET6;
	l->addr_n = sizeof(l->addr.in6);
	if (inet_pton(AF_INET6, host, &l->addr.in6.sin6_addr) != 1)
		return wrong(ret_why, "the text in the brackets is no IPv6 address");
	if (parse_port(str_sub(behind, 1, tail), &l->addr.in6.sin6_port) < 0)
		return wrong(ret_why, "a port is a number from 1 to 65535");
	if (percent < inside.n)
		r = parse_scope(l, str_sub(inside, percent + 1, inside.n), arena);
	else if (tail < behind.n)
		r = parse_scope(l, str_sub(behind, tail + 1, behind.n), arena);
	return r == -EINVAL ? wrong(ret_why, "the scope behind % is missing") : r;
}

static int parse_socket(struct listener *l, struct str text, struct arena *arena,
			const char **ret_why)
{
	in_port_t port;
	int r;

	if (text.p[0] == '/' || text.p[0] == '@')
		return parse_unix(l, text, ret_why);
	if (str_has_prefix(text, STR("vsock:")))
		return wrong(ret_why, "vsock addresses are not supported by this hark");
	if (l->kind == LISTEN_SEQPACKET)
		return wrong(ret_why, "sequential packets exist on UNIX sockets only");
	if (text.p[0] == '[')
		return parse_ipv6(l, text, arena, ret_why);
	r = parse_port(text, &port);
	if (r < 0)
		return parse_ipv4(l, text, ret_why);
	l->addr.in6.sin6_family = AF_INET6;
	l->addr.in6.sin6_port = port;
	l->addr_n = sizeof(l->addr.in6);
	return 0;
}

static int parse_file(struct listener *l, const char **ret_why)
{
	if (l->text[0] != '/' || l->text[1] == '\0')
		return wrong(ret_why, "an absolute path is needed");
	if (l->kind == LISTEN_MQUEUE && strchr(l->text + 1, '/'))
		return wrong(ret_why, "the name of a queue has one slash, at its beginning");
	l->path = l->text;
	return 0;
}

static int parse_netlink(struct listener *l, struct str text, const char **ret_why)
{
	/* Numbers of linux/netlink.h */
	static const char *const names[] = {
		[NETLINK_ROUTE] = "route",
		[NETLINK_FIREWALL] = "firewall",
		[NETLINK_INET_DIAG] = "inet-diag",
		[NETLINK_NFLOG] = "nflog",
		[NETLINK_XFRM] = "xfrm",
		[NETLINK_SELINUX] = "selinux",
		[NETLINK_ISCSI] = "iscsi",
		[NETLINK_AUDIT] = "audit",
		[NETLINK_FIB_LOOKUP] = "fib-lookup",
		[NETLINK_CONNECTOR] = "connector",
		[NETLINK_NETFILTER] = "netfilter",
		[NETLINK_IP6_FW] = "ip6-fw",
		[NETLINK_DNRTMSG] = "dnrtmsg",
		[NETLINK_KOBJECT_UEVENT] = "kobject-uevent",
		[NETLINK_GENERIC] = "generic",
		[NETLINK_SCSITRANSPORT] = "scsitransport",
		[NETLINK_ECRYPTFS] = "ecryptfs",
		[NETLINK_RDMA] = "rdma",
	};
	struct str family, group;
	unsigned number;

	if (!str_word(&text, &family))
		return wrong(ret_why, "the netlink family is missing");
	if (value_enum(family, names, ARRAY_SIZE(names), &number) < 0)
		return wrong(ret_why, "there is no such netlink family");
	if (str_word(&text, &group) && value_int(group, 0, INT32_MAX, &l->netlink_group) < 0)
		return wrong(ret_why, "a netlink group is a number");
	l->netlink_family = (int)number;
	return 0;
}

int socket_parse_listener(struct listener *l, struct arena *arena, const char **ret_why)
{
	struct str text = str_of(l->text);

	if (text.n == 0)
		return wrong(ret_why, "the address is empty");
	switch ((enum listen_kind)l->kind) {
	case LISTEN_STREAM:
	case LISTEN_DATAGRAM:
	case LISTEN_SEQPACKET:
		return parse_socket(l, text, arena, ret_why);
	case LISTEN_FIFO:
	case LISTEN_SPECIAL:
	case LISTEN_MQUEUE:
		return parse_file(l, ret_why);
	case LISTEN_NETLINK:
		return parse_netlink(l, text, ret_why);
	case LISTEN_USB:
	case LISTEN_KINDS:
		break;
	}
	return wrong(ret_why, "USB functions are not supported by this hark");
}

/* --- what follows from what --- */

void socket_service_name(const struct unit_config *c, char *out, size_t cap)
{
	struct str prefix = name_prefix(c->name);
	int n;

	if (c->socket->service)
		n = snprintf(out, cap, "%s", c->socket->service);
	else if (c->socket->accept)
		n = snprintf(out, cap, STR_FMT "@.service", STR_ARG(prefix));
	else
		n = name_with_suffix(c->name, "service", out, cap);
	if (cap && (n < 0 || (size_t)n >= cap))
		out[0] = '\0';
}

void socket_settle(struct unit_config *c)
{
	struct socket_config *s = c->socket;

	if (s->trigger_limit_burst == UINT32_MAX)
		s->trigger_limit_burst = s->accept ? 200 : 20;
	/* It is there to keep a socket below its trigger limit: where that is switched off it has to be asked for. */
	if (s->poll_limit_burst == UINT32_MAX)
		s->poll_limit_burst = !s->trigger_limit_interval_us || !s->trigger_limit_burst ? 0
				      : s->accept                                              ? 150
											       : 15;
	for (struct listener *l = s->listeners; l; l = l->next)
		l->protocol = s->protocol;
	exec_config_settle(c->exec);
}

static const struct dep default_deps[] = {
	DEP_DEFAULTS(default_deps, 0, DEP_BEFORE, "sockets.target"),
	DEP_DEFAULTS(default_deps, 1, DEP_REQUIRES, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 2, DEP_AFTER, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 3, DEP_CONFLICTS, "shutdown.target"),
	DEP_DEFAULTS_END(4, DEP_BEFORE, "shutdown.target"),
};

int socket_links(struct unit_config *c)
{
	char service[UNIT_NAME_MAX + 1];
	struct dep_list l;
	int r = 0;

	dep_list_init(&l, c);
	/* With Accept=yes the instances come and go; none is known yet. */
	if (!c->socket->accept) {
		socket_service_name(c, service, sizeof(service));
		if (service[0] != '\0')
			r = dep_add_copy(&l, DEP_BEFORE, DEP_IMPLICIT, service);
		if (r == 0 && service[0] != '\0')
			r = dep_add_copy(&l, DEP_TRIGGERS, DEP_IMPLICIT, service);
	}
	if (r == 0)
		r = dep_add_slice(&l);
	if (r == 0)
		r = exec_links(&l);
	dep_add_defaults(&l, default_deps);
	return r;
}

/* At the line of a listener, or of the unit as a whole. */
static void refuse(struct unit_config *c, enum code code, const struct listener *at,
		   const char *suggestion, const char *text)
{
	refuse_unit(c, code, at ? at->file : NULL, at ? at->line : 0, suggestion, text);
}

static bool is_accepting(const struct listener *l)
{
	return l->kind == LISTEN_STREAM || l->kind == LISTEN_SEQPACKET;
}

/* Symlinks= point to a file: that of the one UNIX socket or FIFO. */
static bool has_one_path(const struct listener *l)
{
	bool is_path = l &&
		       (l->kind == LISTEN_FIFO ||
			(l->addr_n > 0 && l->addr.sa.sa_family == AF_UNIX && l->text[0] == '/'));

	return is_path && !l->next;
}

void socket_verify(struct unit_config *c)
{
	const struct socket_config *s = c->socket;

	if (!s->listeners)
		refuse(c, CODE_NOTHING_TO_LISTEN, NULL,
		       "add ListenStream=", "there is nothing to listen on");
	for (const struct listener *l = s->accept ? s->listeners : NULL; l; l = l->next)
		if (!is_accepting(l))
			refuse(c, CODE_ACCEPT_KIND, l, NULL,
			       "Accept=yes needs listeners with connections, and this is none");
	if (s->accept && s->max_connections == 0)
		refuse(c, CODE_ACCEPT_KIND, NULL, NULL,
		       "Accept=yes with MaxConnections=0 could never accept anything");
	if (s->accept && s->service)
		refuse(c, CODE_ACCEPT_SERVICE, NULL, "remove Service=",
		       "Accept=yes starts instances of the template of the same name");
	if (s->symlinks && !has_one_path(s->listeners))
		refuse(c, CODE_SYMLINKS, s->listeners, NULL,
		       "Symlinks= needs exactly one listener, and that with a path");
}
