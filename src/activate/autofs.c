/* SPDX-License-Identifier: MIT */
#include "activate/autofs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/autofs.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"
#include "units/automount.h"

static const char *where_of(const struct automount_unit *a)
{
	return a->unit.config->own->automount->where;
}

/* --- answers --- */

/* The command of a process, "?" when it is not known. */
static void read_command(pid_t pid, char *out, size_t cap)
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	n = pid > 0 ? fd_read_small(AT_FDCWD, path, out, cap) : -ESRCH;
	if (n <= 1)
		snprintf(out, cap, "?");
	else
		out[n - 1] = '\0'; /* the newline */
}

/* The token was answered before: by a manager that died between the answer and taking the request. */
static bool reply(struct automount_unit *a, const struct autofs_request *q, int err)
{
	int r = autofs_answer(bank_fd(a->point_slot - 1), q->token, err);

	if (r < 0 && r != -EINVAL && r != -ENOENT)
		log_at(LOG_ERROR, "%s: the kernel does not take an answer: %s", a->unit.name,
		       strerror(-r));
	return true;
}

/* The mount unit has come to rest without being mounted. Who comes soon is refused at once, unless a start is still on its way. */
static void tell_failure(struct automount_unit *a, const struct autofs_request *q)
{
	const struct unit *mount = automount_mount(a);
	uint64_t now_us = loop_now_us(&a->hark->loop);
	char command[32];

	read_command(q->pid, command, sizeof(command));
	if (!mount || mount->work->job.id) {
		log_at(LOG_WARN, "%s: %s (pid %d) waited too long for %s: %s", a->unit.name,
		       command, q->pid, where_of(a), strerror(a->err));
		return;
	}
	automount_hold(a, now_us);
	engine_touch(&a->hark->engine, &a->unit);
	log_at(LOG_WARN, "%s: %s (pid %d) cannot have %s: %s; not tried again for %llu s",
	       a->unit.name, command, q->pid, where_of(a), strerror(a->err),
	       (unsigned long long)((a->hold_until_us - now_us) / US_PER_SEC));
}

/* What cannot be answered yet: the machine has to see to it. */
static bool pass_on(struct automount_unit *a, const struct autofs_request *q)
{
	struct unit *u = &a->unit;
	struct event e = {.kind = EV_TRIGGER, .unit = u->id, .a = q->token, .b = q->is_expire};

	e.cause = (struct cause){.kind = q->is_expire ? CAUSE_IDLE : CAUSE_ACCESS,
				 .unit = u->id,
				 .uid = q->uid,
				 .pid = q->pid};
	if (!q->is_expire)
		read_command(q->pid, e.cause.text, sizeof(e.cause.text));
	engine_note_trigger(&a->hark->engine, u, &e.cause);
	engine_post(&a->hark->engine, &e);
	return false;
}

/* Who comes meanwhile waits until this is answered. */
static bool answer_expiry(struct automount_unit *a, const struct autofs_request *q, bool is_mounted)
{
	if (!is_mounted)
		return reply(a, q, 0);
	if (a->unit.state == AUTO_EXPIRING)
		return false;
	return a->unit.state == AUTO_ASKING ? pass_on(a, q) : reply(a, q, EBUSY);
}

/*
 * Who was let in and comes again, with the same mounted, is where nothing that is mounted comes: the kernel would let them ask 40 times
 * before it says the same.
 */
static bool let_in(struct automount_unit *a, const struct autofs_request *q)
{
	const uint64_t pause_us = 60 * US_PER_SEC;
	uint64_t now_us = loop_now_us(&a->hark->loop);
	char command[32];

	if (!q->pid || q->pid != a->let_in) {
		a->let_in = q->pid;
		return reply(a, q, 0);
	}
	if (now_us >= a->cut_off_us) {
		a->cut_off_us = now_us + pause_us;
		read_command(q->pid, command, sizeof(command));
		log_at(LOG_WARN,
		       "%s: %s (pid %d) is refused: its mount namespace is cut off from this one (MountFlags=private?), so that what is mounted at %s does not come there",
		       a->unit.name, command, q->pid, where_of(a));
	}
	return reply(a, q, ELOOP);
}

/* True: it is answered, and can be taken out of the pipe. */
static bool answer(struct automount_unit *a, const struct autofs_request *q)
{
	bool is_mounted = autofs_is_covered(bank_fd(a->point_slot - 1)) > 0;

	if (automount_is_going(a->unit.state))
		return reply(a, q, EHOSTDOWN);
	if (q->is_expire)
		return answer_expiry(a, q, is_mounted);
	if (is_mounted)
		return let_in(a, q);
	if (a->err && q->token == a->token) {
		tell_failure(a, q);
		return reply(a, q, a->err);
	}
	if (loop_now_us(&a->hark->loop) < a->hold_until_us)
		return reply(a, q, a->err);
	return pass_on(a, q);
}

static void listen_to(struct automount_unit *a, uint32_t events)
{
	if (loop_rewatch(&a->hark->loop, &a->watch, events) < 0)
		loop_unwatch(&a->hark->loop, &a->watch); /* cannot be: it is registered */
}

/* Somebody unmounted the point itself. */
static void lose_point(struct automount_unit *a, int err)
{
	log_at(LOG_ERROR, "%s: the mount point at %s is gone (%s); the unit is failed",
	       a->unit.name, where_of(a), strerror(err));
	loop_unwatch(&a->hark->loop, &a->watch);
	engine_post_simple(&a->hark->engine, &a->unit, EV_ARM_FAILED, err, 0, 0);
}

/* Answer what can be answered. A request that has to wait stays first in the pipe, and is not heard of until watch() is called. */
static void settle(struct automount_unit *a)
{
	int pipe = bank_fd(a->pipe_slot - 1), r;
	struct autofs_request q;

	listen_to(a, 0);
	while ((r = autofs_peek(pipe, &q)) > 0 && answer(a, &q))
		autofs_take(pipe);
	if (r == 0)
		listen_to(a, EPOLLIN);
	else if (r < 0)
		lose_point(a, -r);
}

static void on_request(struct watch *w, uint32_t events)
{
	struct automount_unit *a = container_of(w, struct automount_unit, watch);

	if (events & (uint32_t)EPOLLIN)
		settle(a);
	else
		lose_point(a, EPIPE);
}

/* --- the mount point --- */

/* Leave fd in the bank under that name. Its slot + 1, or -errno. */
static int keep(struct hark *h, const struct unit *u, const char *what, int fd)
{
	char name[BANK_NAME];
	int slot;

	bank_name(name, u->name, what);
	slot = bank_keep(&h->bank, -1, name, fd);
	return slot < 0 ? slot : slot + 1;
}

static uint32_t find_kept(const struct hark *h, const struct unit *u, const char *what)
{
	char name[BANK_NAME];

	bank_name(name, u->name, what);
	return (uint32_t)(bank_find(&h->bank, name) + 1);
}

static void give_up(struct hark *h, const struct automount_unit *a, uint32_t *slot)
{
	if (*slot && bank_drop(&h->bank, *slot - 1) < 0)
		log_at(LOG_ERROR, "%s: PID 1 is gone, its mount point stays there", a->unit.name);
	*slot = 0;
}

static void forget(struct hark *h, struct automount_unit *a)
{
	give_up(h, a, &a->pipe_slot);
	give_up(h, a, &a->point_slot);
	give_up(h, a, &a->mount_slot); /* one that lies nowhere goes with this */
}

/* What an earlier manager made. Where it lies is the kernel's to know, or hark-mount's to see to. True: we have it. */
static bool take_over(struct hark *h, struct automount_unit *a)
{
	if (h->bank.table->generation < 2 || a->was_looked_for)
		return false;
	a->was_looked_for = true;
	a->pipe_slot = find_kept(h, &a->unit, "pipe");
	a->point_slot = find_kept(h, &a->unit, "point");
	a->mount_slot = find_kept(h, &a->unit, "mount");
	if (a->pipe_slot && a->point_slot)
		return true;
	forget(h, a);
	return false;
}

static int keep_as(struct hark *h, struct automount_unit *a, const char *what, int fd,
		   uint32_t *ret_slot)
{
	int r = keep(h, &a->unit, what, fd);

	if (r < 0)
		return r;
	*ret_slot = (uint32_t)r;
	return 0;
}

/* Into the bank, so that whoever comes, once it lies there, waits for the next manager when this one dies. */
static int make(struct hark *h, struct automount_unit *a)
{
	const struct automount_config *c = a->unit.config->own->automount;
	AUTO_FD int in = -1, out = -1, mount = -1, point = -1;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_here(-errno);
	in = ends[0];
	out = ends[1]; /* the kernel's is to be the only one */
	mount = autofs_make(out, c->extra_options, &point);
	if (mount < 0)
		return mount;
	r = autofs_set_idle(point, c->idle_us);
	if (r == 0)
		r = keep_as(h, a, "mount", mount, &a->mount_slot);
	if (r == 0)
		r = keep_as(h, a, "pipe", in, &a->pipe_slot);
	return r < 0 ? r : keep_as(h, a, "point", point, &a->point_slot);
}

/* hark-mount has taken it away before. What is left, because that could not be, does not keep us: nothing is written back here. */
static void remove_point(const struct automount_unit *a)
{
	int point = bank_fd(a->point_slot - 1);
	int r = autofs_is_covered(point) > 0 ? -EBUSY : autofs_detach(point);

	if (r < 0 && a->result != ARES_UNMOUNTED)
		log_at(LOG_ERROR, "%s: the mount point at %s stays: %s", a->unit.name, where_of(a),
		       strerror(-r));
	autofs_close(point);
}

static void drop(struct hark *h, struct unit *u)
{
	struct automount_unit *a = automount_of(u);
	struct autofs_request q;

	loop_unwatch(&h->loop, &a->watch);
	if (!a->point_slot && !take_over(h, a)) {
		forget(h, a);
		return;
	}
	if (autofs_peek(bank_fd(a->pipe_slot - 1), &q) > 0)
		reply(a, &q, EHOSTDOWN);
	remove_point(a);
	forget(h, a);
}

/* err: positive; 0: not known */
static char *explain(const struct automount_unit *a, int err)
{
	static const struct {
		int err;
		const char *words;
	} tellings[] = {
		{EEXIST, "something is mounted there already"},
		{ENODEV, "the kernel has no autofs"},
		{EINVAL, "the kernel refuses its options (ExtraOptions=)"},
		{EPERM, "mounting is not allowed here"},
		{ELOOP, "it is a symbolic link"},
	};
	const char *words = err ? strerror(err) : "hark-mount did not come to an end";
	struct sbuf b = {0};

	for (size_t i = 0; i < ARRAY_SIZE(tellings); i++)
		if (tellings[i].err == err)
			words = tellings[i].words;
	sbuf_addf(&b, "no mount point can be made at %s: %s", where_of(a), words);
	return sbuf_take(&b);
}

static int arm(struct hark *h, struct unit *u, char **ret_why)
{
	struct automount_unit *a = automount_of(u);
	int r = 0;

	if (a->watch.is_on)
		return 0;
	a->hark = h;
	a->watch.fn = on_request;
	if (!take_over(h, a))
		r = make(h, a);
	if (r == 0)
		r = loop_watch(&h->loop, &a->watch, bank_fd(a->pipe_slot - 1), 0);
	if (r < 0)
		*ret_why = explain(a, -r);
	return r;
}

void autofs_ended(struct automount_unit *a, int code, int status)
{
	bool is_errno = code == CLD_EXITED && status > MOUNT_EXIT_ERRNO;

	if (a->unit.state != AUTO_LAYING || (code == CLD_EXITED && status == 0))
		return;
	mem_put((void *)(uintptr_t)a->fail_text);
	a->fail_text = explain(a, is_errno ? status - MOUNT_EXIT_ERRNO : 0);
	log_at(LOG_ERROR, "%s: %s; the unit is failed, others go on", a->unit.name,
	       a->fail_text ? a->fail_text : "no memory");
}

static void watch(struct hark *h, struct unit *u)
{
	struct automount_unit *a = automount_of(u);

	give_up(h, a, &a->mount_slot); /* it lies there */
	if (a->watch.is_on)
		settle(a);
}

static void disarm(struct hark *h, struct unit *u)
{
	loop_unwatch(&h->loop, &automount_of(u)->watch);
}

/* For hark-mount, which lays the point, takes it away, or asks the kernel whether the mount is in use. */
static unsigned fds(struct hark *h UNUSED, struct unit *u, int32_t *slots, const char **names,
		    unsigned max)
{
	const struct automount_unit *a = automount_of(u);
	uint32_t slot = u->state == AUTO_LAYING ? a->mount_slot : a->point_slot;

	if (!slot || !max)
		return 0;
	slots[0] = (int32_t)slot - 1;
	names[0] = "autofs";
	return 1;
}

/* --- safe mode --- */

struct closed_point {
	struct watch watch;
	int point;
};

static void on_request_refused(struct watch *w, uint32_t events UNUSED)
{
	struct closed_point *c = container_of(w, struct closed_point, watch);
	struct autofs_request q;

	while (autofs_peek(w->fd, &q) > 0) {
		if (autofs_answer(c->point, q.token, EHOSTDOWN) < 0)
			log_debug("autofs", "nobody waits for token %u", q.token);
		autofs_take(w->fd);
	}
}

static int close_point(struct hark *h, uint32_t pipe, const char *unit)
{
	struct closed_point *c = mem_get(sizeof(*c)); /* stays for the life of this manager */
	char name[BANK_NAME];
	int slot, r;

	bank_name(name, unit, "point");
	slot = bank_find(&h->bank, name);
	if (!c || slot < 0) {
		mem_put(c);
		return c ? -ENOENT : -ENOMEM;
	}
	c->watch.fn = on_request_refused;
	c->point = bank_fd((uint32_t)slot);
	r = loop_watch(&h->loop, &c->watch, bank_fd(pipe), EPOLLIN | EPOLLET);
	if (r < 0)
		mem_put(c);
	return r;
}

void autofs_refuse_all(struct hark *h)
{
	const struct bank_table *t = h->bank.table;
	static const char suffix[] = ".automount/pipe";

	for (uint32_t i = 0; i < t->high; i++) {
		char unit[BANK_NAME];
		struct str name = {bank_slot_name(t, i), strnlen(bank_slot_name(t, i), BANK_NAME)};
		int r;

		if (t->slot[i].kind != BANK_FD || !str_has_suffix(name, str_of(suffix)))
			continue;
		snprintf(unit, sizeof(unit), "%.*s", (int)(name.n - strlen("/pipe")), name.p);
		r = close_point(h, i, unit);
		if (r < 0)
			log_at(LOG_ERROR, "%s: who enters its mount point waits: %s", unit,
			       strerror(-r));
	}
}

const struct activator autofs_activator = {
	.type = UNIT_AUTOMOUNT,
	.arm = arm,
	.watch = watch,
	.disarm = disarm,
	.drop = drop,
	.fds = fds,
};
