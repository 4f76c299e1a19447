/* SPDX-License-Identifier: MIT */
#include "core/wire.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/crashpoint.h"
#include "core/fd.h"

enum { WIRE_HEADER = 8, WIRE_FIELD = 8, WIRE_BACKLOG = 64 };

void wire_begin(struct wire_out *o, uint16_t kind, uint32_t request)
{
	o->w = (struct wbuf){.p = o->bytes, .cap = sizeof(o->bytes)};
	wbuf_u16(&o->w, WIRE_MAGIC);
	wbuf_u16(&o->w, kind);
	wbuf_u32(&o->w, request);
}

bool wire_put(struct wire_out *o, uint16_t tag, struct str value)
{
	size_t room = o->w.cap - o->w.n;

	if (room < WIRE_FIELD || value.n > room - WIRE_FIELD)
		return false;
	wbuf_u16(&o->w, tag);
	wbuf_u16(&o->w, 0);
	wbuf_str(&o->w, value);
	return true;
}

bool wire_put_u64(struct wire_out *o, uint16_t tag, uint64_t value)
{
	char bytes[sizeof(value)];

	memcpy(bytes, &value, sizeof(value));
	return wire_put(o, tag, (struct str){bytes, sizeof(bytes)});
}

int wire_send(int fd, const struct wire_out *o)
{
	ssize_t n;

	do
		n = send(fd, o->bytes, o->w.n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	crashpoint();
	return 0; /* a packet goes as a whole or not at all */
}

int wire_recv(int fd, struct wire_in *in)
{
	ssize_t n;

	/* With MSG_TRUNC the true length of a packet is told, also when it was cut. recv(2) */
	do
		n = recv(fd, in->bytes, sizeof(in->bytes), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	crashpoint();
	return wire_parse(in, (size_t)n);
}

int wire_parse(struct wire_in *in, size_t n)
{
	struct str value;
	uint16_t magic;
	uint16_t tag;

	if (n < WIRE_HEADER || n > sizeof(in->bytes))
		return -EBADMSG;
	in->r = (struct rbuf){.p = in->bytes, .n = n};
	magic = rbuf_u16(&in->r);
	in->kind = rbuf_u16(&in->r);
	in->request = rbuf_u32(&in->r);
	while (wire_next(in, &tag, &value))
		;
	if (in->r.bad || magic != WIRE_MAGIC)
		return -EBADMSG;
	in->r.at = WIRE_HEADER;
	return 0;
}

bool wire_next(struct wire_in *in, uint16_t *ret_tag, struct str *ret_value)
{
	uint16_t tag;
	struct str value;

	if (rbuf_left(&in->r) == 0)
		return false;
	tag = rbuf_u16(&in->r);
	(void)rbuf_u16(&in->r); /* flags: none are defined yet */
	value = rbuf_str(&in->r);
	if (in->r.bad)
		return false;
	*ret_tag = tag;
	*ret_value = value;
	return true;
}

uint64_t wire_u64(struct str value)
{
	uint64_t v = 0;

	if (value.n == sizeof(v))
		memcpy(&v, value.p, sizeof(v));
	return v;
}

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
	size_t n = strlen(path);

	if (n >= sizeof(ret_address->sun_path))
		return err_here(-ENAMETOOLONG);
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_address->sun_path, path, n + 1);
	return 0;
}

static int connect_to(const char *path, int flags)
{
	AUTO_FD int fd = -1;
	struct sockaddr_un address;
	int r = make_address(path, &address);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return err_here(-errno);
	do
		r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : take_fd(fd);
}

int wire_connect(const char *path)
{
	return connect_to(path, 0);
}

/* Only what nobody serves is removed: a second manager must not take the name from the first. */
static int remove_stale(const char *path)
{
	AUTO_FD int fd = connect_to(path, SOCK_NONBLOCK);

	/*
	 * EAGAIN: somebody listens, but the queue is full. EPROTOTYPE: somebody has it for another
	 * type of socket.
	 */
	if (fd >= 0 || fd == -EAGAIN || fd == -EPROTOTYPE)
		return -EADDRINUSE;
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR && rmdir(path) == 0 ? 0 : -errno;
}

static int bind_to(int fd, const char *path)
{
	struct sockaddr_un address;
	int r = make_address(path, &address);

	if (r < 0)
		return r;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int wire_listen(const char *path, mode_t mode)
{
	AUTO_FD int fd = -1;
	int r = fd_mkdir_parents(path, false, 0);

	if (r < 0)
		return err_here(r);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_here(-errno);
	r = bind_to(fd, path);
	if (r == -EADDRINUSE) {
		r = remove_stale(path);
		if (r == 0)
			r = bind_to(fd, path);
	}
	if (r < 0)
		return err_here(r);
	/*
	 * Before listen(2) every connect is refused, so nobody slips in under the mode of the
	 * umask.
	 */
	if (chmod(path, mode) < 0 || listen(fd, WIRE_BACKLOG) < 0)
		return err_here(-errno);
	return take_fd(fd);
}

int wire_peer(int fd, uid_t *ret_uid, pid_t *ret_pid)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return err_here(-errno);
	*ret_uid = peer.uid;
	*ret_pid = peer.pid;
	return 0;
}
