/* SPDX-License-Identifier: MIT */
/*
 * socket - the socket type: configuration, running state, machine. Kernel objects are made by activate/socket.
 */
#pragma once

#include "core/unit.h"
#include "units/exec_config.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum listen_kind {
	LISTEN_STREAM,
	LISTEN_DATAGRAM,
	LISTEN_SEQPACKET,
	LISTEN_FIFO,
	LISTEN_SPECIAL,
	LISTEN_NETLINK,
	LISTEN_MQUEUE,
	LISTEN_USB,
	LISTEN_KINDS
};
extern const char *const listen_names[LISTEN_KINDS]; /* "ListenStream" ... */

struct listener {
	struct listener *next;
	uint8_t kind;     /* enum listen_kind */
	const char *text; /* as written, specifiers expanded */
	const char *file;
	uint32_t line;
	const char *path; /* FIFO, special, mqueue; NULL else */
	socklen_t addr_n; /* 0: path or netlink */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} addr;
	int netlink_family, netlink_group;
	const char *
		scope; /* interface name of a link-local IPv6 address, resolved when it is bound; or NULL */
	uint8_t protocol; /* SocketProtocol=: 0 or IPPROTO_* */
};

enum bind_v6only { V6ONLY_DEFAULT, V6ONLY_BOTH, V6ONLY_ONLY, V6ONLY_KINDS };

enum socket_commands {
	SCMD_NONE,
	SCMD_START_PRE,
	SCMD_START_POST,
	SCMD_STOP_PRE,
	SCMD_STOP_POST,
	SOCKET_COMMANDS
};
extern const char *const socket_command_names[SOCKET_COMMANDS];

struct socket_config {
	struct listener *listeners;
	bool accept, writable, flush_pending, free_bind, transparent, broadcast, pass_credentials,
		pass_security, pass_packet_info;
	bool keep_alive, no_delay, remove_on_stop, reuse_port, selinux_context_from_net;
	uint8_t bind_ipv6_only; /* enum bind_v6only */
	uint8_t timestamping;   /* 0 off, 1 us, 2 ns */
	uint8_t protocol;       /* SocketProtocol=: 0 or IPPROTO_* */
	uint32_t backlog, max_connections, max_connections_per_source;
	uint32_t socket_mode, directory_mode;
	const char *user, *group;
	const char *bind_to_device;
	const char *service; /* Service=, or the unit of the same name */
	const char *fd_name; /* FileDescriptorName= */
	struct name_list *symlinks;
	int priority, mark, ip_tos, ip_ttl;                                   /* -1: not set */
	uint64_t receive_buffer, send_buffer, pipe_size;                      /* 0: not set */
	int64_t mq_max_messages, mq_message_size;                             /* 0: not set */
	uint64_t keep_alive_time_us, keep_alive_interval_us, defer_accept_us; /* 0: not set */
	uint32_t keep_alive_probes;
	const char *tcp_congestion, *smack, *smack_in, *smack_out;
	uint64_t timeout_us;
	uint64_t trigger_limit_interval_us, poll_limit_interval_us;
	uint32_t trigger_limit_burst, poll_limit_burst;
};
void socket_config_defaults(struct socket_config *s);
/*
 * Fill kind's part of *l (kind and text are set) from its text: "22", "1.2.3.4:80", "[::1]:80", "[fe80::1%lo]:80", "/path",
 * "@abstract", a FIFO's or queue's path, "family group" of netlink. A port alone is the IPv6 wildcard with every v4 address too.
 * Returns 0, -ENOMEM, or -EINVAL with a sentence in *ret_why.
 */
MUST_USE int socket_parse_listener(struct listener *l, struct arena *arena, const char **ret_why);

enum socket_state {
	SOCK_DEAD,
	SOCK_START_PRE,
	SOCK_ARMING,
	SOCK_START_POST,
	SOCK_LISTENING,
	SOCK_RUNNING,
	SOCK_STOP_PRE,
	SOCK_STOP_PRE_SIGTERM,
	SOCK_STOP_PRE_SIGKILL,
	SOCK_STOP_POST,
	SOCK_FINAL_SIGTERM,
	SOCK_FINAL_SIGKILL,
	SOCK_ENDED,
	SOCK_FAILED,
	SOCK_STATES
};

enum socket_result {
	SRES_SUCCESS,
	SRES_RESOURCES,
	SRES_TIMEOUT,
	SRES_EXIT_CODE,
	SRES_SIGNAL,
	SRES_CORE_DUMP,
	SRES_START_LIMIT,
	SRES_TRIGGER_LIMIT,
	SRES_SERVICE_START_LIMIT,
	SOCKET_RESULTS
};
extern const char *const socket_result_names[SOCKET_RESULTS];

struct socket_port; /* one armed listener; activate/socket */

struct socket_unit {
	struct unit unit;
	struct proc_ref control;
	uint32_t command_at;
	uint8_t result;
	uint32_t n_accepted;               /* connections; without Accept=yes: times it fired */
	uint32_t n_connections, n_refused; /* Accept=yes */
	struct socket_port *ports;
	uint32_t ports_n;
	uint64_t trigger_begin_us; /* TriggerLimit window */
	uint32_t trigger_count;
	const char *fail_text; /* owned sentence: why arming failed */
};

extern const struct fsm socket_fsm;
extern const struct unit_type_ops socket_ops;

static inline struct socket_unit *socket_of(struct unit *u)
{
	return u->type == UNIT_SOCKET ? container_of(u, struct socket_unit, unit) : NULL;
}
/* Name of the service unit a connection or traffic starts: Service=, or same prefix; for Accept=yes the template. Into out (256). */
void socket_service_name(const struct unit_config *c, char *out, size_t cap);
/* What follows from other settings once all files are read: limits, protocol of the listeners, standard output. */
void socket_settle(struct unit_config *c);
MUST_USE int socket_links(struct unit_config *c);
void socket_verify(struct unit_config *c);
