/* SPDX-License-Identifier: MIT */
#include "core/transient.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "units/load_index.h"

int transient_open(struct hark *h)
{
	char path[512];
	int r = 0;

	if (h->is_pid1)
		snprintf(path, sizeof(path), "/run/systemd/transient");
	else
		snprintf(path, sizeof(path), "%s/transient", h->run_dir);
	r = load_add_dir(&h->load, path);
	if (r < 0)
		return r;
	list_init(&h->transient.holds);
	h->transient.dir = (unsigned)r;
	h->transient.path = h->load.dirs[r];
	return 0;
}

bool transient_is(const struct hark *h, const struct unit *u)
{
	const char *file = u->config ? u->config->fragment : NULL;
	size_t n = h->transient.path ? strlen(h->transient.path) : 0;

	return file && n && strncmp(file, h->transient.path, n) == 0 &&
	       strcmp(file + n + 1, u->name) == 0;
}

int transient_write(struct hark *h, const char *name, struct str text)
{
	int r = fd_mkdir_parents(h->transient.path, true, 0755);

	if (r == 0)
		r = fd_replace_file(h->transient.path, name, text);
	if (r == 0)
		r = load_add_file(&h->load, name, h->transient.dir);
	if (r < 0)
		transient_remove(h, name);
	return r;
}

void transient_remove(struct hark *h, const char *name)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", h->transient.path, name);
	if (unlink(path) < 0 && errno != ENOENT)
		log_at(LOG_WARN, "%s stays: %s; the unit is known until the next boot", path,
		       strerror(errno));
	load_forget_file(&h->load, name, h->transient.dir);
}

static bool is_over(const struct unit *u)
{
	enum coarse c = unit_coarse(u);

	return c == INACTIVE ||
	       (c == FAILED && u->config->unit->collect == COLLECT_INACTIVE_OR_FAILED);
}

/* --- who wants it to stay --- */

static struct hold *find_hold(const struct hark *h, const struct unit *u, struct str holder)
{
	if (!h->transient.path)
		return NULL;
	list_for_each(node, &h->transient.holds) {
		struct hold *k = list_entry(node, struct hold, node);

		if (k->unit == u->id && (!holder.p || str_eq_z(holder, k->holder)))
			return k;
	}
	return NULL;
}

static bool is_held(const struct hark *h, const struct unit *u)
{
	return find_hold(h, u, (struct str){0});
}

static int add_hold(struct hark *h, struct unit *u, struct str holder, uint32_t n)
{
	struct hold *k;

	if (!h->transient.path || holder.n > HOLDER_MAX)
		return err_here(-EINVAL);
	if (h->transient.holds_n == TRANSIENT_HOLDS_MOST)
		return err_here(-E2BIG);
	k = mem_get(sizeof(*k));
	if (!k)
		return err_here(-ENOMEM);
	k->unit = u->id;
	k->n = n;
	memcpy(k->holder, holder.p, holder.n);
	list_add_tail(&h->transient.holds, &k->node);
	h->transient.holds_n++;
	return 0;
}

static void drop_hold(struct hark *h, struct hold *k)
{
	list_del(&k->node);
	h->transient.holds_n--;
	mem_put(k);
}

#define HOLDS "holds" /* in the run dir: lines of UNIT HOLDER COUNT */
enum { HOLDS_MOST_BYTES = TRANSIENT_HOLDS_MOST * (UNIT_NAME_MAX + HOLDER_MAX + 16) };

static void save_holds(struct hark *h)
{
	struct sbuf text = {0};
	int r;

	list_for_each(node, &h->transient.holds) {
		const struct hold *k = list_entry(node, struct hold, node);

		sbuf_addf(&text, "%s %s %u\n", registry_unit(&h->reg, k->unit)->name, k->holder,
			  k->n);
	}
	r = text.err ? text.err : fd_replace_file(h->run_dir, HOLDS, (struct str){text.p, text.n});
	sbuf_fini(&text);
	if (r < 0)
		log_at(LOG_WARN,
		       "%s/" HOLDS " is not written: %s; a next manager drops units early",
		       h->run_dir, strerror(-r));
}

static void recall_line(struct hark *h, struct str line)
{
	struct str name, holder, count;
	char text[UNIT_NAME_MAX + 1];
	struct unit *u = NULL;
	uint64_t n = 0;

	if (str_word(&line, &name) && str_word(&line, &holder) && str_word(&line, &count) &&
	    name.n <= UNIT_NAME_MAX && str_to_u64(count, &n) == 0) {
		snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
		u = registry_find(&h->reg, text);
	}
	if (u && n && add_hold(h, u, holder, (uint32_t)n) < 0)
		log_at(LOG_WARN, "%s is not held any more: " STR_FMT, u->name, STR_ARG(line));
}

void transient_recall(struct hark *h)
{
	char path[512];
	AUTO_MEM char *text = NULL;
	struct str rest, line;
	size_t n;

	snprintf(path, sizeof(path), "%s/" HOLDS, h->run_dir);
	if (fd_read_file(AT_FDCWD, path, HOLDS_MOST_BYTES, &text, &n) < 0)
		return;
	rest = (struct str){text, n};
	while (str_cut(&rest, '\n', &line))
		recall_line(h, line);
}

int transient_hold(struct hark *h, struct unit *u, struct str holder, uint32_t n)
{
	struct hold *k = find_hold(h, u, holder);
	int r = 0;

	if (k && n)
		k->n = n;
	else if (k)
		drop_hold(h, k);
	else if (n)
		r = add_hold(h, u, holder, n);
	if (r < 0)
		return r;
	save_holds(h);
	if (!n && transient_is(h, u) && is_over(u) && !u->work->job.id && !is_held(h, u)) {
		engine_retire(&h->engine, u);
		loop_defer(&h->loop, &h->engine.turn);
	}
	return 0;
}

void transient_forget(struct hark *h, const struct unit *u)
{
	struct hold *k;
	bool was_held = is_held(h, u);

	while ((k = find_hold(h, u, (struct str){0})))
		drop_hold(h, k);
	if (was_held)
		save_holds(h);
	if (transient_is(h, u))
		transient_remove(h, u->name);
}

/* --- the end --- */

static void sweep(struct timer *t)
{
	struct hark *h = container_of(t, struct hark, transient.sweep);
	uint64_t now = loop_now_us(&h->loop), next = TIME_NEVER;

	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = h->reg.units[i];
		uint64_t due;

		if (!u || !transient_is(h, u) || !is_over(u) || u->work->job.id || is_held(h, u))
			continue;
		due = time_add(u->state_us, TRANSIENT_KEEP_US);
		if (due <= now)
			engine_retire(&h->engine, u);
		else if (due < next)
			next = due;
	}
	loop_timer_arm(&h->loop, t, next);
	loop_defer(&h->loop, &h->engine.turn);
}

void transient_rested(struct hark *h, const struct unit *u)
{
	if (h->transient.sweep.is_armed || !transient_is(h, u) || !is_over(u))
		return;
	h->transient.sweep.fn = sweep;
	loop_timer_arm(&h->loop, &h->transient.sweep,
		       time_add(loop_now_us(&h->loop), TRANSIENT_KEEP_US));
}
