/* SPDX-License-Identifier: MIT */
#include "activate/listener.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/reach.h"
#include "core/tree.h"
#include "units/users.h"

enum { DGRAM_QUEUE = 512 };

bool listener_is_stream(const struct listener *l)
{
	return l->kind == LISTEN_STREAM || l->kind == LISTEN_SEQPACKET;
}

const char *listener_path(const struct listener *l)
{
	if (l->addr_n && l->addr.sa.sa_family == AF_UNIX)
		return l->addr.un.sun_path[0] ? l->addr.un.sun_path : NULL;
	return l->kind == LISTEN_FIFO || l->kind == LISTEN_SPECIAL ? l->path : NULL;
}

static int refuse(const struct listener *l, int err, const char *what, char **ret_why)
{
	struct sbuf b = {0};

	sbuf_addf(&b, "%s:%u: %s=%s: %s: %s", l->file ? l->file : "?", l->line,
		  listen_names[l->kind], l->text, what, tree_strerror(err));
	mem_put(*ret_why);
	*ret_why = sbuf_take(&b);
	return err;
}

void listener_tune_kernel(void)
{
	static const char path[] = "/proc/sys/net/unix/max_dgram_qlen";
	char text[32];
	uint64_t now;

	if (fd_read_small(AT_FDCWD, path, text, sizeof(text)) <= 0 ||
	    str_to_u64(str_trim(str_of(text)), &now) < 0 || now >= DGRAM_QUEUE)
		return;
	if (fd_write_small(AT_FDCWD, path, "512") < 0)
		log_debug("socket", "%s stays at %llu", path, (unsigned long long)now);
}

/* --- options --- */

struct option {
	bool is_wanted;
	int level, name, value;
	const char *word;
};

static void set_options(const char *unit, int fd, const struct option *o, size_t n)
{
	for (; n; n--, o++)
		if (o->is_wanted &&
		    setsockopt(fd, o->level, o->name, &o->value, sizeof(o->value)) < 0)
			log_at(LOG_WARN, "%s: %s is not applied: %s", unit, o->word,
			       strerror(errno));
}

static int seconds(uint64_t us)
{
	uint64_t s = us / US_PER_SEC + (us % US_PER_SEC != 0);

	return s > INT_MAX ? INT_MAX : (int)s;
}

/* With the privilege beyond net.core.rmem_max, else up to it. */
static void set_buffer(const char *unit, int fd, uint64_t bytes, int force, int plain,
		       const char *word)
{
	int n = bytes > INT_MAX ? INT_MAX : (int)bytes;

	if (bytes && setsockopt(fd, SOL_SOCKET, force, &n, sizeof(n)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, plain, &n, sizeof(n)) < 0)
		log_at(LOG_WARN, "%s: %s is not applied: %s", unit, word, strerror(errno));
}

static void set_text(const char *unit, int fd, int level, int name, const char *text,
		     const char *word)
{
	if (text && setsockopt(fd, level, name, text, (socklen_t)strlen(text)) < 0)
		log_at(LOG_WARN, "%s: %s=%s is not applied: %s", unit, word, text, strerror(errno));
}

static void set_socket_options(const char *unit, int fd, const struct socket_config *c)
{
	const struct option options[] = {
		{c->keep_alive, SOL_SOCKET, SO_KEEPALIVE, 1, "KeepAlive="},
		{c->broadcast, SOL_SOCKET, SO_BROADCAST, 1, "Broadcast="},
		{c->pass_credentials, SOL_SOCKET, SO_PASSCRED, 1, "PassCredentials="},
		{c->pass_security, SOL_SOCKET, SO_PASSSEC, 1, "PassSecurity="},
		{c->timestamping == 1, SOL_SOCKET, SO_TIMESTAMP, 1, "Timestamping="},
		{c->timestamping == 2, SOL_SOCKET, SO_TIMESTAMPNS, 1, "Timestamping="},
		{c->priority >= 0, SOL_SOCKET, SO_PRIORITY, c->priority, "Priority="},
		{c->mark >= 0, SOL_SOCKET, SO_MARK, c->mark, "Mark="},
		{c->reuse_port, SOL_SOCKET, SO_REUSEPORT, 1, "ReusePort="},
	};

	set_options(unit, fd, options, ARRAY_SIZE(options));
	set_buffer(unit, fd, c->receive_buffer, SO_RCVBUFFORCE, SO_RCVBUF, "ReceiveBuffer=");
	set_buffer(unit, fd, c->send_buffer, SO_SNDBUFFORCE, SO_SNDBUF, "SendBuffer=");
	set_text(unit, fd, SOL_SOCKET, SO_BINDTODEVICE, c->bind_to_device, "BindToDevice=");
}

static void set_ip_options(const char *unit, int fd, int family, const struct socket_config *c)
{
	bool is_v6 = family == AF_INET6;
	const struct option options[] = {
		{true, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"},
		{is_v6 && c->bind_ipv6_only != V6ONLY_DEFAULT, IPPROTO_IPV6, IPV6_V6ONLY,
		 c->bind_ipv6_only == V6ONLY_ONLY, "BindIPv6Only="},
		{c->free_bind, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		 is_v6 ? IPV6_FREEBIND : IP_FREEBIND, 1, "FreeBind="},
		{c->transparent, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		 is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1, "Transparent="},
		{c->pass_packet_info, IPPROTO_IP, IP_PKTINFO, 1, "PassPacketInfo="},
		{c->pass_packet_info && is_v6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1,
		 "PassPacketInfo="},
		{c->ip_tos >= 0, IPPROTO_IP, IP_TOS, c->ip_tos, "IPTOS="},
		/* once more: the type of service changes it */
		{c->ip_tos >= 0 && c->priority >= 0, SOL_SOCKET, SO_PRIORITY, c->priority,
		 "Priority="},
		{c->ip_ttl >= 0, IPPROTO_IP, IP_TTL, c->ip_ttl, "IPTTL="},
		{c->ip_ttl >= 0 && is_v6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, c->ip_ttl, "IPTTL="},
	};

	set_options(unit, fd, options, ARRAY_SIZE(options));
}

static void set_tcp_options(const char *unit, int fd, const struct socket_config *c)
{
	const struct option options[] = {
		{c->keep_alive_time_us, IPPROTO_TCP, TCP_KEEPIDLE, seconds(c->keep_alive_time_us),
		 "KeepAliveTimeSec="},
		{c->keep_alive_interval_us, IPPROTO_TCP, TCP_KEEPINTVL,
		 seconds(c->keep_alive_interval_us), "KeepAliveIntervalSec="},
		{c->keep_alive_probes, IPPROTO_TCP, TCP_KEEPCNT,
		 (int)(c->keep_alive_probes & INT_MAX), "KeepAliveProbes="},
		{c->defer_accept_us, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds(c->defer_accept_us),
		 "DeferAcceptSec="},
		{c->no_delay, IPPROTO_TCP, TCP_NODELAY, 1, "NoDelay="},
	};

	set_options(unit, fd, options, ARRAY_SIZE(options));
	set_text(unit, fd, IPPROTO_TCP, TCP_CONGESTION, c->tcp_congestion, "TCPCongestion=");
}

/* --- paths --- */

/* The directory that a path's last name lies in, made where it is missing. No link of somebody else's leads there. */
static int open_place(const char *path, mode_t mode, const char **ret_name)
{
	mode_t mask = umask(0);
	int dir = tree_open_parent(path, mode, ret_name);

	umask(mask);
	return dir;
}

static int find_owner(const struct listener *l, const struct socket_config *c, uid_t *ret_uid,
		      gid_t *ret_gid, char **ret_why)
{
	struct arena arena = {0};
	struct user_entry user;
	int r = 0;

	*ret_uid = (uid_t)-1;
	*ret_gid = (gid_t)-1;
	if (c->user)
		r = users_find("", c->user, &arena, &user);
	if (r < 0) {
		refuse(l, r, "SocketUser= does not exist", ret_why);
	} else if (c->user) {
		*ret_uid = user.uid;
		*ret_gid = user.gid;
	}
	if (!r && c->group) {
		r = users_group("", c->group, ret_gid);
		if (r < 0)
			refuse(l, r, "SocketGroup= does not exist", ret_why);
	}
	arena_fini(&arena);
	return r;
}

/*
 * The name of a socket just made, in the file system; fchown(2) of a socket is about the socket. The directory may be somebody else's, who could
 * have led us elsewhere meanwhile, or have put another file there under that name. A descriptor or -errno.
 */
static int find_name(int dir, const char *name)
{
	AUTO_FD int fd = fd_open(dir, name, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	return S_ISSOCK(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid() ? take_fd(fd)
										  : -EEXIST;
}

/* file: what gets the owner. Nobody can connect before the socket listens, so he may come after the name. */
static int set_owner(const struct listener *l, const struct socket_config *c, int file,
		     char **ret_why)
{
	uid_t uid;
	gid_t gid;
	int r;

	if (!c->user && !c->group)
		return 0;
	r = find_owner(l, c, &uid, &gid, ret_why);
	if (r < 0)
		return r;
	return fchownat(file, "", uid, gid, AT_EMPTY_PATH) < 0
		       ? refuse(l, -errno, "cannot change the owner", ret_why)
		       : 0;
}

/* --- sockets --- */

static int bind_once(int fd, const struct listener *l, mode_t mode)
{
	mode_t mask = umask(~mode & 0777);
	int r = bind(fd, &l->addr.sa, l->addr_n) < 0 ? -errno : 0;

	crashpoint();
	umask(mask);
	return r;
}

static bool is_stale(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode));
}

/* By its path, which is what getsockname(2) tells the service. */
static int bind_path(int fd, const struct listener *l, const struct socket_config *c,
		     char **ret_why)
{
	const char *name = NULL;
	AUTO_FD int dir = open_place(listener_path(l), c->directory_mode, &name), file = -1;
	int r = dir < 0 ? dir : bind_once(fd, l, c->socket_mode);

	/* Left by an earlier run: PID 1 holds every socket that is in use under hark. */
	if (r == -EADDRINUSE && is_stale(dir, name) && unlinkat(dir, name, 0) == 0)
		r = bind_once(fd, l, c->socket_mode);
	file = r < 0 ? r : find_name(dir, name);
	return file < 0 ? refuse(l, file, "cannot bind", ret_why) : set_owner(l, c, file, ret_why);
}

static int bind_to(int fd, const struct listener *l, const struct socket_config *c, char **ret_why)
{
	int r;

	if (listener_path(l))
		return bind_path(fd, l, c, ret_why);
	r = bind_once(fd, l, c->socket_mode);
	return r < 0 ? refuse(l, r, "cannot bind", ret_why) : 0;
}

static int type_of(const struct listener *l)
{
	return l->kind == LISTEN_STREAM      ? SOCK_STREAM
	       : l->kind == LISTEN_SEQPACKET ? SOCK_SEQPACKET
					     : SOCK_DGRAM;
}

/* "ListenStream=22" is the wildcard of both families; where there is no IPv6, of the one there is. */
static bool fall_back_to_v4(const struct listener *l, struct listener *ret)
{
	if (errno != EAFNOSUPPORT || l->addr.sa.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_UNSPECIFIED(&l->addr.in6.sin6_addr))
		return false;
	*ret = *l;
	ret->addr.in =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_port = l->addr.in6.sin6_port};
	ret->addr_n = sizeof(ret->addr.in);
	return true;
}

static int open_socket(const char *unit, const struct listener *l, const struct socket_config *c,
		       char **ret_why)
{
	struct listener v4;
	AUTO_FD int fd = socket(l->addr.sa.sa_family, type_of(l) | SOCK_CLOEXEC, l->protocol);
	int family, r;

	if (fd < 0 && fall_back_to_v4(l, &v4)) {
		l = &v4;
		fd = socket(AF_INET, type_of(l) | SOCK_CLOEXEC, l->protocol);
	}
	if (fd < 0)
		return refuse(l, -errno, "no such socket can be made", ret_why);
	family = l->addr.sa.sa_family;
	set_socket_options(unit, fd, c);
	if (family != AF_UNIX)
		set_ip_options(unit, fd, family, c);
	if (family != AF_UNIX && l->kind == LISTEN_STREAM)
		set_tcp_options(unit, fd, c);
	r = bind_to(fd, l, c, ret_why);
	return r < 0 ? r : take_fd(fd);
}

static int open_netlink(const char *unit, const struct listener *l, const struct socket_config *c,
			char **ret_why)
{
	AUTO_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, l->netlink_family);
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_groups = (uint32_t)l->netlink_group};

	if (fd < 0)
		return refuse(l, -errno, "no such socket can be made", ret_why);
	set_socket_options(unit, fd, c);
	if (bind(fd, (const struct sockaddr *)&nl, sizeof(nl)) < 0)
		return refuse(l, -errno, "cannot bind", ret_why);
	return take_fd(fd);
}

/* --- files --- */

static int make_fifo(int dir, const char *name, const struct socket_config *c)
{
	mode_t mask = umask(~c->socket_mode & 0777);
	int r = mkfifoat(dir, name, c->socket_mode) < 0 ? -errno : 0;

	umask(mask);
	return r == -EEXIST ? 0 : r;
}

/* One that was there before may be ours or its user's; another name of somebody else's is not given away. */
static int check_fifo(int fd, uid_t user)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISFIFO(st.st_mode) && st.st_nlink == 1 &&
			       (st.st_uid == geteuid() || st.st_uid == user)
		       ? 0
		       : -EEXIST;
}

static int open_fifo(const char *unit, const struct listener *l, const struct socket_config *c,
		     char **ret_why)
{
	const char *name = NULL;
	AUTO_FD int dir = open_place(l->path, c->directory_mode, &name), fd = -1;
	uid_t uid;
	gid_t gid;
	int r = dir < 0 ? dir : make_fifo(dir, name, c);

	if (r < 0)
		return refuse(l, r, "cannot make the FIFO", ret_why);
	r = find_owner(l, c, &uid, &gid, ret_why);
	if (r < 0)
		return r;
	/* Both directions: it never ends, whoever writes comes and goes, and opening does not wait. fifo(7) */
	fd = fd_open(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return refuse(l, fd, "cannot open the FIFO", ret_why);
	r = check_fifo(fd, uid);
	if (r < 0)
		return refuse(l, r, "something that is no FIFO of its own is there", ret_why);
	if (fchmod(fd, c->socket_mode) < 0 || fcntl(fd, F_SETFL, 0) < 0)
		return refuse(l, -errno, "cannot set up the FIFO", ret_why);
	if (c->pipe_size &&
	    fcntl(fd, F_SETPIPE_SZ, c->pipe_size > INT_MAX ? INT_MAX : (int)c->pipe_size) < 0)
		log_at(LOG_WARN, "%s: PipeSize= is not applied: %s", unit, strerror(errno));
	r = fchown(fd, uid, gid) < 0 ? -errno : 0;
	return r < 0 ? refuse(l, r, "cannot change the owner", ret_why) : take_fd(fd);
}

static int open_special(const struct listener *l, const struct socket_config *c, char **ret_why)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, l->path,
				 (c->writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0)
		return refuse(l, fd, "cannot open", ret_why);
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)))
		return refuse(l, -EEXIST, "neither a device nor a file of the kernel", ret_why);
	return take_fd(fd);
}

static int open_mqueue(const struct listener *l, const struct socket_config *c, char **ret_why)
{
	struct mq_attr attr = {.mq_maxmsg = c->mq_max_messages, .mq_msgsize = c->mq_message_size};
	bool has_attr = c->mq_max_messages > 0 && c->mq_message_size > 0;
	mode_t mask = umask(~c->socket_mode & 0777);
	/* A message queue descriptor is a file descriptor, mq_overview(7). */
	AUTO_FD int fd = mq_open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_CREAT,
				 c->socket_mode, has_attr ? &attr : NULL);
	int r = fd < 0 ? -errno : 0;

	umask(mask);
	if (r < 0)
		return refuse(l, r, "cannot make the message queue", ret_why);
	r = set_owner(l, c, fd, ret_why);
	return r < 0 ? r : take_fd(fd);
}

int listener_open(const char *unit, const struct listener *l, const struct socket_config *c,
		  char **ret_why)
{
	const char *path = listener_path(l);
	int r = path ? reach(AT_FDCWD, path) : 0;

	if (r < 0)
		return refuse(l, r, "its file system does not answer", ret_why);
	switch ((enum listen_kind)l->kind) {
	case LISTEN_STREAM:
	case LISTEN_DATAGRAM:
	case LISTEN_SEQPACKET:
		return open_socket(unit, l, c, ret_why);
	case LISTEN_FIFO:
		return open_fifo(unit, l, c, ret_why);
	case LISTEN_SPECIAL:
		return open_special(l, c, ret_why);
	case LISTEN_NETLINK:
		return open_netlink(unit, l, c, ret_why);
	case LISTEN_MQUEUE:
		return open_mqueue(l, c, ret_why);
	case LISTEN_USB:
	case LISTEN_KINDS:
		break;
	}
	return refuse(l, -EOPNOTSUPP, "USB functions are not supported", ret_why);
}

/* --- links and the end --- */

static bool is_link(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

static int make_link(const char *to, const char *path, mode_t mode)
{
	const char *name = NULL;
	int r = reach(AT_FDCWD, path);
	AUTO_FD int dir = r < 0 ? r : open_place(path, mode, &name);

	if (dir < 0)
		return dir;
	r = symlinkat(to, dir, name) < 0 ? -errno : 0;
	if (r == -EEXIST && is_link(dir, name) && unlinkat(dir, name, 0) == 0)
		r = symlinkat(to, dir, name) < 0 ? -errno : 0;
	return r;
}

void listener_link(const char *unit, const struct listener *l, const struct socket_config *c)
{
	const char *path = listener_path(l);

	for (const struct name_list *s = c->symlinks; path && s; s = s->next) {
		int r = make_link(path, s->text, c->directory_mode);

		if (r < 0)
			log_at(LOG_WARN, "%s: the link %s to %s is not made: %s", unit, s->text,
			       path, tree_strerror(r));
	}
}

/* What is somebody else's way now stays. */
static void remove_name(const char *path, bool (*is_ours)(int dir, const char *name))
{
	const char *name = NULL;
	AUTO_FD int dir = reach(AT_FDCWD, path) < 0 ? -1 : tree_open_parent(path, 0, &name);

	if (dir >= 0 && is_ours(dir, name))
		(void)!unlinkat(dir, name, 0);
}

void listener_remove(const struct listener *l, const struct socket_config *c)
{
	const char *path = listener_path(l);

	if (l->kind == LISTEN_MQUEUE)
		(void)mq_unlink(l->path);
	if (!path || l->kind == LISTEN_SPECIAL)
		return;
	remove_name(path, is_stale);
	crashpoint();
	for (const struct name_list *s = c->symlinks; s; s = s->next)
		remove_name(s->text, is_link);
}
