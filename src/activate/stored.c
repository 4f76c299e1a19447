/* SPDX-License-Identifier: MIT */
#include "activate/stored.h"

#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"

static bool is_same_file(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

/* The same message comes twice when a manager died between storing and consuming it. */
static bool is_stored(const struct service *s, int fd)
{
	for (const struct stored_fd *f = s->fd_store; f; f = f->next)
		if (is_same_file(bank_fd(f->slot - 1), fd))
			return true;
	return false;
}

/* The bank's name of a stored descriptor tells a manager to come whether it is polled. */
static const char *const store_words[] = {[false] = "kept", [true] = "store"};

static void drop_fd(struct stored_fd **link)
{
	struct stored_fd *f = *link;

	*link = f->next;
	loop_unwatch(&f->hark->loop, &f->watch);
	if (bank_drop(&f->hark->bank, f->slot - 1) < 0)
		log_at(LOG_WARN, "%s: a stored descriptor cannot be given up: PID 1 is gone",
		       f->service->unit.name);
	f->service->fd_store_n--;
	mem_put(f);
}

static void on_hang_up(struct watch *w, uint32_t events UNUSED)
{
	struct stored_fd *f = container_of(w, struct stored_fd, watch);
	struct stored_fd **link = &f->service->fd_store;

	while (*link != f)
		link = &(*link)->next;
	log_debug("notify", "%s: the other end of \"%s\" is gone, it is kept no longer",
		  f->service->unit.name, f->name);
	drop_fd(link);
}

/* What cannot be polled, as a file, does not hang up either. */
static void poll_fd(struct stored_fd *f)
{
	int r = loop_watch(&f->hark->loop, &f->watch, bank_fd(f->slot - 1), EPOLLHUP);

	if (r < 0 && r != -EPERM)
		log_at(LOG_WARN, "%s: a stored descriptor is not watched: %s",
		       f->service->unit.name, strerror(-r));
}

static int remember_fd(struct hark *h, struct service *s, uint32_t slot, struct str name)
{
	struct stored_fd *f = mem_get(sizeof(*f)), **last = &s->fd_store;

	if (!f)
		return err_here(-ENOMEM);
	f->slot = slot + 1;
	f->hark = h;
	f->service = s;
	f->watch.fn = on_hang_up;
	memcpy(f->name, name.p, name.n < sizeof(f->name) ? name.n : sizeof(f->name) - 1);
	while (*last)
		last = &(*last)->next;
	*last = f;
	s->fd_store_n++;
	return 0;
}

/* The one that was remembered last. */
static struct stored_fd *newest(const struct service *s)
{
	struct stored_fd *f = s->fd_store;

	while (f && f->next)
		f = f->next;
	return f;
}

int stored_keep(struct hark *h, struct service *s, int fd, struct str name, bool is_polled)
{
	char what[BANK_NAME];
	int slot, r;

	if (is_stored(s, fd))
		return 0;
	if (s->fd_store_n >= s->unit.config->service->fd_store_max)
		return -ENOBUFS;
	slot = bank_take(&h->bank);
	if (slot < 0)
		return slot;
	r = remember_fd(h, s, (uint32_t)slot, name);
	if (r < 0) {
		bank_release(&h->bank, (uint32_t)slot);
		return r;
	}
	snprintf(what, sizeof(what), "%s/%s=" STR_FMT, s->unit.name, store_words[is_polled],
		 STR_ARG(name));
	r = bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), what, fd, false, 0);
	if (r == 0 && is_polled)
		poll_fd(newest(s));
	return r;
}

static void forget(struct service *s, struct str name, bool all)
{
	struct stored_fd **link = &s->fd_store;

	while (*link)
		if (all || str_eq_z(name, (*link)->name))
			drop_fd(link);
		else
			link = &(*link)->next;
}

unsigned stored_list(const struct service *s, int32_t *slots, const char **names, unsigned max)
{
	unsigned n = 0;

	for (const struct stored_fd *f = s->fd_store; f && n < max; f = f->next, n++) {
		slots[n] = (int32_t)f->slot - 1;
		names[n] = f->name;
	}
	return n;
}

void stored_drop(struct service *s, struct str name)
{
	forget(s, name, false);
}

void stored_drop_all(struct service *s)
{
	forget(s, STR(""), true);
}

/* What the bank keeps for the unit under "unit/store=NAME", where it is polled, or "unit/kept=NAME". */
static int adopt_stored(struct hark *h, struct service *s, bool is_polled)
{
	const struct bank_table *t = h->bank.table;
	char prefix[BANK_NAME];

	snprintf(prefix, sizeof(prefix), "%s/%s=", s->unit.name, store_words[is_polled]);
	for (uint32_t i = 0; i < t->high && i < BANK_SLOTS; i++) {
		struct str name = {bank_slot_name(t, i), strnlen(bank_slot_name(t, i), BANK_NAME)};

		if (t->slot[i].kind != BANK_FD || !str_has_prefix(name, str_of(prefix)))
			continue;
		if (remember_fd(h, s, i, str_sub(name, strlen(prefix), name.n)) < 0)
			return err_here(-ENOMEM);
		if (is_polled)
			poll_fd(newest(s));
	}
	return 0;
}

int stored_adopt(struct hark *h, struct service *s)
{
	int r = 0;

	if (!s->fd_store && s->unit.config && s->unit.config->service &&
	    s->unit.config->service->fd_store_max) {
		r = adopt_stored(h, s, false);
		if (r == 0)
			r = adopt_stored(h, s, true);
	}
	return r;
}
