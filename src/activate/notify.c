/* SPDX-License-Identifier: MIT */
#include "activate/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "activate/stored.h"
#include "core/aside.h"
#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/proc.h"
#include "core/procs.h"
#include "core/reach.h"
#include "core/remember.h"

enum {
	MESSAGE_MOST = 4096, /* sd_notify(3): longer datagrams are cut there, and then refused */
	MESSAGE_FDS = 64,
	MESSAGES_A_TURN = 32,
	DRAIN_MOST = 1024,
	STATUS_MOST = 1024,
};

/* --- one message --- */

int notify_parse(struct str message, void (*set)(void *arg, struct str key, struct str value),
		 void *arg)
{
	struct str line;

	/* A last NUL is what C programs send by mistake; any other one is not text. */
	if (message.n && message.p[message.n - 1] == '\0')
		message.n--;
	if (message.n > MESSAGE_MOST || (message.n && memchr(message.p, '\0', message.n)))
		return -EBADMSG;
	while (str_cut(&message, '\n', &line)) {
		size_t at = str_index(line, '=');

		if (at == 0 || at == line.n)
			continue; /* no assignment: sd_notify(3) wants unknown lines ignored */
		set(arg, str_sub(line, 0, at), str_sub(line, at + 1, line.n));
	}
	return 0;
}

/* TELL(key): what a message may say; the first value of a key counts. */
/* clang-format off */
#define TELLS(TELL) \
	TELL(READY) TELL(RELOADING) TELL(STOPPING) TELL(STATUS) TELL(ERRNO) TELL(MAINPID) TELL(WATCHDOG) \
	TELL(WATCHDOG_USEC) TELL(EXTEND_TIMEOUT_USEC) TELL(FDSTORE) TELL(FDSTOREREMOVE) TELL(FDNAME) \
	TELL(FDPOLL) TELL(MONOTONIC_USEC)
/* clang-format on */
enum tell {
#define TELL(key) TELL_##key,
	TELLS(TELL)
#undef TELL
		TELL_COUNT
};

/* BARRIER= needs nothing but that its descriptor is closed when everything before it was digested. */
static const char *const tell_keys[TELL_COUNT] = {
#define TELL(key) #key,
	TELLS(TELL)
#undef TELL
};

struct message {
	struct str told[TELL_COUNT];
	pid_t pid;
	uid_t uid;
	int fds[MESSAGE_FDS];
	unsigned fds_n;
	char bytes[MESSAGE_MOST + 1];
};

static void note_assignment(void *arg, struct str key, struct str value)
{
	struct message *m = arg;

	for (unsigned i = 0; i < TELL_COUNT; i++)
		if (!m->told[i].p && str_eq_z(key, tell_keys[i]))
			m->told[i] = value;
}

static bool is_told(const struct message *m, enum tell what)
{
	return str_eq_z(m->told[what], "1");
}

static bool told_number(const struct message *m, enum tell what, uint64_t *ret)
{
	return m->told[what].p && str_to_u64(m->told[what], ret) == 0;
}

/* --- who may speak --- */

/* Is the process in the unit's own cgroup or below? Names alone prove nothing: any user may call a cgroup of his own as he likes. */
static bool is_member(struct hark *h, const struct service *s, pid_t pid)
{
	char path[CGROUP_PATH];

	procs_cgroup(&s->unit, path);
	return h->cgroups.has_cgroups && cgroup_has_pid(&h->cgroups, path, pid);
}

/*
 * A sender that is gone already, or without cgroups any: the socket is the unit's own, so root and the user that the unit runs
 * as are believed.
 */
static bool is_trusted_user(struct hark *h, const struct service *s, const struct message *m)
{
	uid_t uid;

	if (h->cgroups.has_cgroups && proc_uid(m->pid, &uid) == 0)
		return false; /* alive, and somewhere else */
	return m->uid == 0 || m->uid == h->uid ||
	       (s->main.pid && proc_uid(s->main.pid, &uid) == 0 && uid == m->uid);
}

static bool may_speak(struct hark *h, const struct service *s, const struct message *m)
{
	enum notify_access access = s->unit.config->service->notify_access;

	switch (access) {
	case NOTIFY_MAIN:
		return m->pid && m->pid == s->main.pid;
	case NOTIFY_EXEC:
		return m->pid && (m->pid == s->main.pid || m->pid == s->control.pid);
	case NOTIFY_ALL:
		return (m->pid && (m->pid == s->main.pid || m->pid == s->control.pid)) ||
		       is_member(h, s, m->pid) || is_trusted_user(h, s, m);
	case NOTIFY_NONE:
	case NOTIFY_ACCESSES:
		break;
	}
	return false;
}

/* --- stored descriptors --- */

/* Names travel in LISTEN_FDNAMES, where a colon separates. */
static bool is_fd_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == ':' || name.p[i] < ' ' || name.p[i] > '~')
			return false;
	return name.n > 0 && name.n < sizeof(((struct stored_fd *)NULL)->name);
}

static void change_store(struct hark *h, struct service *s, const struct message *m)
{
	struct str name = m->told[TELL_FDNAME].p && is_fd_name(m->told[TELL_FDNAME])
				  ? m->told[TELL_FDNAME]
				  : STR("stored");
	int r = s->unit.config->service->fd_store_max ? 0 : -ENOBUFS;

	if (is_told(m, TELL_FDSTOREREMOVE)) {
		stored_drop(s, m->told[TELL_FDNAME]);
		return;
	}
	for (unsigned i = 0; i < m->fds_n && r == 0; i++)
		r = stored_keep(h, s, m->fds[i], name, !str_eq_z(m->told[TELL_FDPOLL], "0"));
	if (r < 0)
		log_at(LOG_WARN,
		       "%s: a descriptor it wants kept is not: %s (FileDescriptorStoreMax=%u)",
		       s->unit.name, strerror(-r), s->unit.config->service->fd_store_max);
}

/* --- what follows from a message --- */

static void serve_watchdog(struct hark *h, struct service *s, const struct message *m)
{
	uint64_t us;

	if (told_number(m, TELL_WATCHDOG_USEC, &us) && us)
		s->watchdog_us = us;
	else if (str_eq_z(m->told[TELL_WATCHDOG], "trigger"))
		engine_post_simple(&h->engine, &s->unit, EV_WATCHDOG, 0, 0, 0);
	else if (!is_told(m, TELL_WATCHDOG))
		return;
	us = s->watchdog_us ? s->watchdog_us : s->unit.config->service->watchdog_us;
	if (s->unit.work->due_us[DUE_WATCHDOG] && us && us != TIME_NEVER)
		engine_arm(&h->engine, &s->unit, DUE_WATCHDOG, time_add(loop_now_us(&h->loop), us));
	engine_touch(&h->engine, &s->unit);
}

/* MAINPID= of root, or of a process that is the unit's own: else anybody could have root signal what they like. */
static void take_main_pid(struct hark *h, struct service *s, const struct message *m)
{
	uint64_t pid;

	if (!told_number(m, TELL_MAINPID, &pid) || pid < 2 || pid > INT32_MAX ||
	    (pid_t)pid == s->main.pid || (pid_t)pid == getpid() || (pid_t)pid == getppid())
		return;
	if (m->uid != 0 && !is_member(h, s, (pid_t)pid)) {
		log_at(LOG_WARN, "%s: MAINPID=%d is none of its processes and ignored",
		       s->unit.name, (int)pid);
		return;
	}
	engine_post_simple(&h->engine, &s->unit, EV_MAIN_PID, (int64_t)pid, 0, 0);
}

static void take_status(struct hark *h, struct service *s, const struct message *m)
{
	struct str text = m->told[TELL_STATUS];
	char *copy = text.p ? mem_dup(text.p, text.n < STATUS_MOST ? text.n : STATUS_MOST) : NULL;
	uint64_t number;
	bool is_errno = told_number(m, TELL_ERRNO, &number) && number < INT32_MAX;

	if (is_errno)
		s->status_errno = (int)number;
	if (copy) { /* else the old text stays */
		mem_put((void *)(uintptr_t)s->status_text);
		s->status_text = copy;
	}
	if (is_errno || copy)
		remember_text(h, &s->unit);
}

/* RELOADING=1 that was said before we asked for a reload is no answer to it. */
static bool is_early(const struct service *s, const struct message *m)
{
	uint64_t us;

	return s->unit.config->service->type == SERVICE_NOTIFY_RELOAD &&
	       unit_coarse(&s->unit) == RELOADING && told_number(m, TELL_MONOTONIC_USEC, &us) &&
	       us < s->unit.state_us;
}

static void commit(struct hark *h, struct service *s, const struct message *m)
{
	static const struct {
		enum tell told;
		enum event_kind event;
	} states[] = {{TELL_RELOADING, EV_RELOADING},
		      {TELL_READY, EV_READY},
		      {TELL_STOPPING, EV_STOPPING}};
	uint64_t us;

	take_main_pid(h, s, m);
	take_status(h, s, m);
	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		if (is_told(m, states[i].told) && !(is_told(m, TELL_RELOADING) && is_early(s, m)))
			engine_post_simple(&h->engine, &s->unit, states[i].event, 0, 0, 0);
	if (told_number(m, TELL_EXTEND_TIMEOUT_USEC, &us) && us && us < INT64_MAX)
		engine_post_simple(&h->engine, &s->unit, EV_EXTEND, (int64_t)us, 0, 0);
	serve_watchdog(h, s, m);
	if (is_told(m, TELL_FDSTORE) || is_told(m, TELL_FDSTOREREMOVE))
		change_store(h, s, m);
}

/* --- peek, commit, consume --- */

static void take_control(struct message *m, struct msghdr *head)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c; c = CMSG_NXTHDR(head, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
			struct ucred who;

			memcpy(&who, CMSG_DATA(c), sizeof(who));
			m->pid = who.pid;
			m->uid = who.uid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			m->fds_n = (unsigned)(n < MESSAGE_FDS ? n : MESSAGE_FDS);
			memcpy(m->fds, CMSG_DATA(c), m->fds_n * sizeof(int));
		}
	}
}

/* Bytes of the first waiting message, or -errno. Without room for its descriptors they stay in the message. */
static ssize_t peek(int fd, struct message *m, bool with_fds)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(struct ucred)) +
			   CMSG_SPACE(sizeof(int) * MESSAGE_FDS)];
	} control;
	struct iovec iov = {m->bytes, sizeof(m->bytes)};
	struct msghdr head = {.msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = with_fds ? sizeof(control)
							 : CMSG_SPACE(sizeof(struct ucred))};
	ssize_t n;

	m->uid = UINT32_MAX;
	do
		n = recvmsg(fd, &head, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_control(m, &head);
	return n;
}

/* The watched socket of a service, and how many of its messages made no sense. */
struct notify_port {
	struct watch watch;
	struct hark *hark;
	struct service *service;
	unsigned ignored_n;
	bool has_served_fds; /* it sent one that is not to be had; it is not looked at others */
};

/* The 1st, 2nd, 4th, 8th ... is told: who goes on like that shall not fill the log. */
static bool is_worth_a_line(struct service *s)
{
	unsigned n = s->notify ? ++s->notify->ignored_n : 1;

	return (n & (n - 1)) == 0;
}

static void tell_ignored(struct service *s, const struct message *m, const char *why,
			 const char *more)
{
	if (is_worth_a_line(s))
		log_at(LOG_WARN, "%s: a notification from pid %d is ignored: %s%s", s->unit.name,
		       (int)m->pid, why, more);
}

/* --- descriptors --- */

/*
 * To close one may mean to wait for the server of its file system (FUSE), which may be the sender's own: neither we nor PID 1 may ever have it.
 * So a child takes them first. 1: there is one of that kind.
 */
static int look_at_fds(void *arg)
{
	struct message m = {0};
	bool is_served = peek(*(int *)arg, &m, true) < 0;
	struct statfs fs;

	for (unsigned i = 0; i < m.fds_n && !is_served; i++)
		is_served = fstatfs(m.fds[i], &fs) < 0 || reach_is_served(fs.f_type);
	return is_served;
}

static void take_fds(struct service *s, int fd, struct message *m)
{
	static struct aside aside = {.wait_ms = 1000};
	int r;

	if (!s->notify || s->notify->has_served_fds)
		return;
	r = aside_ask(&aside, look_at_fds, &fd);
	s->notify->has_served_fds = r > 0 || r == -ETIMEDOUT;
	if (r == 0)
		(void)!peek(fd, m, true); /* the same again: nobody else reads it */
	else
		log_at(LOG_WARN, "%s: a descriptor it wants kept is not: %s", s->unit.name,
		       r < 0 && r != -ETIMEDOUT
			       ? strerror(-r)
			       : "to close one of a file system with a server may take for ever; no more are taken until it is started again");
}

/* 1 when a message was digested, 0 when none waits. */
static int digest_one(struct hark *h, struct service *s)
{
	struct message m = {0};
	int fd = bank_fd(s->notify_slot - 1);
	ssize_t n = peek(fd, &m, false);

	if (n < 0)
		return 0;
	if (n > MESSAGE_MOST ||
	    notify_parse((struct str){m.bytes, (size_t)n}, note_assignment, &m) < 0)
		tell_ignored(s, &m, "it is no text, or too long", "");
	else if (may_speak(h, s, &m)) {
		if (is_told(&m, TELL_FDSTORE) && s->unit.config->service->fd_store_max)
			take_fds(s, fd, &m);
		commit(h, s, &m);
		engine_digest(
			&h->engine); /* what follows is stored before the message is consumed */
	} else
		tell_ignored(s, &m, "NotifyAccess=",
			     notify_access_names[s->unit.config->service->notify_access]);
	for (unsigned i = 0; i < m.fds_n; i++)
		fd_close(m.fds[i]);
	(void)recv(fd, m.bytes, 1, MSG_DONTWAIT); /* consumed, with the descriptors it carried */
	crashpoint();
	return 1;
}

/* A process was asked for, and its number has not been heard: whose message it is cannot be told yet, it waits in the socket. */
static bool is_unheard(const struct proc_ref *p)
{
	return p->slot && !p->pid;
}

static void digest_many(struct hark *h, struct service *s, unsigned most)
{
	while (most && !is_unheard(&s->main) && !is_unheard(&s->control) && s->notify_slot &&
	       s->unit.config && s->unit.config->service && digest_one(h, s))
		most--;
}

/* --- the socket --- */

static void on_message(struct watch *w, uint32_t events)
{
	struct notify_port *p = container_of(w, struct notify_port, watch);

	(void)events;
	digest_many(p->hark, p->service, MESSAGES_A_TURN);
}

static int watch_socket(struct hark *h, struct service *s)
{
	struct notify_port *p = mem_get(sizeof(*p));
	int r;

	if (!p)
		return err_here(-ENOMEM);
	*p = (struct notify_port){.watch.fn = on_message, .hark = h, .service = s};
	r = loop_watch(&h->loop, &p->watch, bank_fd(s->notify_slot - 1), EPOLLIN);
	if (r < 0)
		mem_put(p);
	else
		s->notify = p;
	return r;
}

/*
 * NOTIFY_SOCKET=: in the run dir, by the unit's name, or by a part of one that is too long and a number; no name of a unit begins so. In the
 * abstract name space, where there is room, anybody could be there first. 0 or -ENAMETOOLONG.
 */
static int address_of(const struct hark *h, const struct service *s, struct sockaddr_un *sa)
{
	const char *name = s->unit.name;
	int n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/notify/%s", h->run_dir, name);
	if (n >= (int)sizeof(sa->sun_path))
		n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/notify/~%.24s~%08x",
			     h->run_dir, name, str_hash(str_of(name)));
	return n < (int)sizeof(sa->sun_path) ? 0 : -ENAMETOOLONG;
}

/* Everybody may send: who is believed is decided by credentials. */
static int bind_once(int fd, const struct sockaddr_un *sa)
{
	mode_t mask = umask(0111);
	int r = bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;

	umask(mask);
	crashpoint();
	return r;
}

static int bind_socket(int fd, const struct sockaddr_un *sa)
{
	int r = bind_once(fd, sa);

	if (r == -ENOENT) {
		r = fd_mkdir_parents(sa->sun_path, false, 0755);
		return r < 0 ? r : bind_once(fd, sa);
	}
	/* Left behind by an earlier run: the directory is ours alone. */
	if (r == -EADDRINUSE && unlink(sa->sun_path) == 0)
		return bind_once(fd, sa);
	return r;
}

static int make_socket(struct hark *h, struct service *s, const struct sockaddr_un *sa)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[BANK_NAME];
	int slot, r;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) < 0)
		return err_here(-errno);
	r = bind_socket(fd, sa);
	if (r < 0)
		return err_here(r);
	slot = bank_take(&h->bank);
	if (slot < 0)
		return slot;
	snprintf(name, sizeof(name), "%s/notify", s->unit.name);
	r = bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), name, fd, false, 0);
	if (r < 0)
		bank_release(&h->bank, (uint32_t)slot);
	else
		s->notify_slot = (uint32_t)slot + 1;
	return r;
}

int notify_open(struct hark *h, struct service *s, char *out, size_t cap)
{
	struct sockaddr_un sa;
	int r = address_of(h, s, &sa);

	if (!r && !s->notify_slot)
		r = make_socket(h, s, &sa);
	if (!r && !s->notify)
		r = watch_socket(h, s);
	if (r < 0) {
		notify_close(h, s);
		return r;
	}
	snprintf(out, cap, "%s", sa.sun_path);
	return 0;
}

int notify_adopt(struct hark *h, struct service *s)
{
	int r = stored_adopt(h, s);

	if (r == 0 && s->notify_slot && !s->notify)
		r = watch_socket(h, s);
	return r;
}

void notify_drain(struct hark *h, struct service *s)
{
	digest_many(h, s, DRAIN_MOST);
}

void notify_close(struct hark *h, struct service *s)
{
	struct sockaddr_un sa;

	if (s->notify) {
		loop_unwatch(&h->loop, &s->notify->watch);
		mem_put(s->notify);
		s->notify = NULL;
	}
	if (!s->notify_slot)
		return;
	if (address_of(h, s, &sa) == 0)
		(void)unlink(sa.sun_path); /* not there: just as well */
	crashpoint();
	if (bank_drop(&h->bank, s->notify_slot - 1) < 0)
		log_at(LOG_WARN, "%s: its notification socket cannot be given up: PID 1 is gone",
		       s->unit.name);
	s->notify_slot = 0;
}
