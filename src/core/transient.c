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

	return c == INACTIVE || (c == FAILED && u->config->collect == COLLECT_INACTIVE_OR_FAILED);
}

static void sweep(struct timer *t)
{
	struct hark *h = container_of(t, struct hark, transient.sweep);
	uint64_t now = loop_now_us(&h->loop), next = TIME_NEVER;

	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = h->reg.units[i];
		uint64_t due;

		if (!u || !transient_is(h, u) || !is_over(u) || u->job.id)
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
