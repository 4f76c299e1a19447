/* SPDX-License-Identifier: MIT */
#include "activate/peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/proc.h"
#include "core/str.h"

enum {
	TABLE_READS = 32,
	DUMP_READS = 8,
	TABLE_PIECE = 4096,
	ANSWER = 4096,
	PIDS_MOST = 512,
	FDS_MOST = 128
};
#define SEARCH_US (2 * US_PER_MS)

/* A question must not make the kernel run modprobe and wait for it: ask only where the answerer is there already. */
static int open_diag(const char *module)
{
	if (access(module, F_OK) < 0 && access("/proc/modules", F_OK) == 0)
		return -1;
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

/* --- IP --- */

static void name_endpoint(struct in6_addr a, bool is_v4, unsigned port, char *text, size_t cap)
{
	char from[INET6_ADDRSTRLEN];

	if (!is_v4 && IN6_IS_ADDR_V4MAPPED(&a)) {
		is_v4 = true;
		memmove(&a, (char *)&a + 12, 4);
	}
	if (inet_ntop(is_v4 ? AF_INET : AF_INET6, &a, from, sizeof(from)))
		snprintf(text, cap, is_v4 ? "%s:%u" : "[%s]:%u", from, port);
}

/* One answer of inet_diag: a connection that nobody has accepted belongs to no file, its inode is 0. */
static bool take_answer(struct nlmsghdr *m, struct peer *ret)
{
	const struct inet_diag_msg *d = NLMSG_DATA(m);
	struct in6_addr a;

	if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY || m->nlmsg_len < NLMSG_LENGTH(sizeof(*d)) ||
	    d->idiag_inode != 0)
		return false;
	memcpy(&a, d->id.idiag_dst, sizeof(a));
	name_endpoint(a, d->idiag_family == AF_INET, ntohs(d->id.idiag_dport), ret->text,
		      sizeof(ret->text));
	return true;
}

/* The kernel picks the connections to our port, however many others there are. */
static bool ask_inet(int netlink, int family, unsigned port)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
		struct rtattr attr;
		struct inet_diag_bc_op op[2];
	} q = {
		.head = {.nlmsg_len = sizeof(q),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.req = {.sdiag_family = (uint8_t)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT},
		.attr = {.rta_type = INET_DIAG_REQ_BYTECODE,
			 .rta_len = sizeof(q.attr) + sizeof(q.op)},
		/* equal: on to the end, taken; else: 4 beyond the end, not taken */
		.op = {{INET_DIAG_BC_S_EQ, sizeof(q.op), sizeof(q.op) + 4}, {0, 0, (uint16_t)port}},
	};

	return send(netlink, &q, sizeof(q), MSG_DONTWAIT) == (ssize_t)sizeof(q);
}

/* 1 found, 0 nobody waits, -1 no answer. */
static int find_inet(int family, unsigned port, struct peer *ret)
{
	AUTO_FD int netlink = open_diag("/sys/module/tcp_diag");
	_Alignas(struct nlmsghdr) char bytes[ANSWER];

	if (netlink < 0 || !ask_inet(netlink, family, port))
		return -1;
	for (unsigned i = 0; i < DUMP_READS; i++) {
		ssize_t n = recv(netlink, bytes, sizeof(bytes), MSG_DONTWAIT);
		size_t left = n > 0 ? (size_t)n : 0;
		struct nlmsghdr *m = (void *)bytes;

		if (!NLMSG_OK(m, left) || m->nlmsg_type == NLMSG_ERROR)
			return -1;
		for (; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
			if (m->nlmsg_type == NLMSG_DONE)
				return 0;
			if (take_answer(m, ret))
				return 1;
		}
	}
	return -1;
}

/* --- IP without inet_diag: lines of /proc/net/tcp, see proc(5); given up when they are too many --- */

/* Eight (v4) or thirty-two hex digits: words in host order of an address in network order. */
static bool read_address(const char *hex, size_t digits, struct in6_addr *ret)
{
	for (size_t i = 0; i < digits / 8; i++) {
		uint32_t word;

		if (sscanf(hex + 8 * i, "%8x", &word) != 1)
			return false;
		memcpy((char *)ret + 4 * i, &word, sizeof(word));
	}
	return true;
}

bool peer_parse_line(const char *line, unsigned port, char *text, size_t cap)
{
	char local[33], remote[33];
	unsigned local_port, remote_port, state;
	struct in6_addr a = {0};
	unsigned long inode;
	bool is_v4;

	if (sscanf(line, " %*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*u %*u %lu", local,
		   &local_port, remote, &remote_port, &state, &inode) != 6)
		return false;
	if (local_port != port || inode != 0 ||
	    (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT))
		return false;
	is_v4 = strlen(remote) == 8;
	if (!read_address(remote, is_v4 ? 8 : 32, &a))
		return false;
	name_endpoint(a, is_v4, remote_port, text, cap);
	return true;
}

static bool search_table(const char *path, unsigned port, struct peer *ret)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, path, O_RDONLY, 0);
	char text[TABLE_PIECE + 1];
	size_t have = 0;

	for (unsigned i = 0; fd >= 0 && i < TABLE_READS; i++) {
		ssize_t n = fd_read(fd, text + have, TABLE_PIECE - have);
		char *line = text, *end;

		if (n <= 0)
			break;
		have += (size_t)n;
		text[have] = '\0';
		for (; (end = memchr(line, '\n', have - (size_t)(line - text))); line = end + 1) {
			*end = '\0';
			if (peer_parse_line(line, port, ret->text, sizeof(ret->text)))
				return true;
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
		if (have == TABLE_PIECE)
			break;
	}
	return false;
}

/* --- UNIX: the kernel names the inodes of waiting clients, and the owner of an inode --- */

struct answer {
	_Alignas(struct nlmsghdr) char bytes[ANSWER];
	const void *attribute;
	size_t n;
};

/* What unix_diag says about the socket with that inode: one attribute. */
static bool ask_unix(int netlink, uint32_t inode, uint32_t show, unsigned attribute,
		     struct answer *a)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} q = {
		.head = {.nlmsg_len = sizeof(q),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST},
		.req = {.sdiag_family = AF_UNIX,
			.udiag_states = UINT32_MAX,
			.udiag_ino = inode,
			.udiag_show = show,
			.udiag_cookie = {UINT32_MAX, UINT32_MAX}},
	};
	const struct nlmsghdr *m = (const void *)a->bytes;
	ssize_t n = send(netlink, &q, sizeof(q), MSG_DONTWAIT);
	size_t at = NLMSG_ALIGN(sizeof(struct nlmsghdr) + sizeof(struct unix_diag_msg)), end;

	if (n == (ssize_t)sizeof(q))
		n = recv(netlink, a->bytes, sizeof(a->bytes),
			 MSG_DONTWAIT); /* answered within send(2) */
	if (n < (ssize_t)at || m->nlmsg_type != SOCK_DIAG_BY_FAMILY || m->nlmsg_len > (size_t)n)
		return false;
	end = m->nlmsg_len;
	while (at + sizeof(struct rtattr) <= end) {
		const struct rtattr *r = (const void *)(a->bytes + at);

		if (r->rta_len < sizeof(*r) || r->rta_len > end - at)
			return false;
		a->attribute = r + 1;
		a->n = r->rta_len - sizeof(*r);
		if (r->rta_type == attribute)
			return true;
		at += RTA_ALIGN(r->rta_len);
	}
	return false;
}

/* Has the process that socket open? */
static bool has_socket(pid_t pid, uint32_t inode)
{
	char path[64], want[32], link[32];
	const struct dirent *e;
	bool is_found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	snprintf(want, sizeof(want), "socket:[%u]", inode);
	for (unsigned i = 0; i < FDS_MOST && !is_found && (e = readdir(dir)); i++) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);

		is_found = n > 0 && str_eq_z((struct str){link, (size_t)n}, want);
	}
	closedir(dir);
	return is_found;
}

/* The newest PIDS_MOST processes (/proc is in order of pid) in a ring, the newest before *ret_next. Returns how many. */
static unsigned list_pids(pid_t ring[PIDS_MOST], unsigned *ret_next)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	unsigned n = 0;
	uint64_t pid;

	while (dir && (e = readdir(dir)))
		if (str_to_u64(str_of(e->d_name), &pid) == 0)
			ring[n++ % PIDS_MOST] = (pid_t)pid;
	if (dir)
		closedir(dir);
	*ret_next = n;
	return n < PIDS_MOST ? n : PIDS_MOST;
}

/* Who wakes a service was most likely started not long ago. Kernel threads cost next to nothing: they have no descriptors. */
static pid_t find_owner(uint32_t inode, uid_t uid)
{
	pid_t ring[PIDS_MOST];
	unsigned next, left = list_pids(ring, &next);
	uint64_t end_us = clock_mono_us() + SEARCH_US;

	for (; left && clock_mono_us() < end_us; left--) {
		pid_t pid = ring[--next % PIDS_MOST];
		uid_t owner;

		if (pid != getpid() && proc_uid(pid, &owner) == 0 && (owner == uid || owner == 0) &&
		    has_socket(pid, inode))
			return pid;
	}
	return 0;
}

static void name_client(struct peer *ret)
{
	if (!ret->pid || proc_comm(ret->pid, ret->text, sizeof(ret->text)) < 0)
		snprintf(ret->text, sizeof(ret->text), "uid %u", ret->uid);
}

static bool find_unix(int fd, bool search, struct peer *ret)
{
	AUTO_FD int netlink = open_diag("/sys/module/unix_diag");
	struct answer a;
	struct stat st;
	uint32_t inode;

	if (netlink < 0 || fstat(fd, &st) < 0)
		return false;
	if (!ask_unix(netlink, (uint32_t)st.st_ino, UDIAG_SHOW_ICONS, UNIX_DIAG_ICONS, &a) ||
	    a.n < sizeof(inode))
		return false;
	memcpy(&inode, a.attribute, sizeof(inode));
	if (!inode || !ask_unix(netlink, inode, UDIAG_SHOW_UID, UNIX_DIAG_UID, &a) ||
	    a.n < sizeof(ret->uid))
		return false;
	memcpy(&ret->uid, a.attribute, sizeof(ret->uid));
	if (search)
		ret->pid = find_owner(inode, ret->uid);
	name_client(ret);
	return true;
}

static bool find_tcp(int family, unsigned port, struct peer *ret)
{
	int r = find_inet(family, port, ret);

	return r < 0 ? search_table(family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6", port,
				    ret)
		     : r > 0;
}

bool peer_of_waiting(int fd, bool search, struct peer *ret)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage storage;
	} a;
	socklen_t n = sizeof(a);

	*ret = (struct peer){.uid = (uid_t)-1};
	if (getsockname(fd, &a.sa, &n) < 0)
		return false;
	switch (a.sa.sa_family) {
	case AF_INET:
		return find_tcp(AF_INET, ntohs(a.in.sin_port), ret);
	case AF_INET6:
		return find_tcp(AF_INET6, ntohs(a.in6.sin6_port), ret);
	case AF_UNIX:
		return find_unix(fd, search, ret);
	default:
		return false;
	}
}
