/* SPDX-License-Identifier: MIT */
#include "ctl/generate.h"

#include <stdio.h>

#include "core/fd.h"
#include "core/log.h"
#include "ctl/live.h"

static const char unit_name[] = "hark-fstab.service";

enum { CACHED_FILES = 1000 }; /* with fewer the cache saves less than a process of its own costs */

int generate_open(struct hark *h)
{
	bool is_there = false;
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/generator", h->run_dir);
	for (unsigned k = 0; k < h->load.dirs_n; k++)
		if (strcmp(h->load.dirs[k], path) == 0)
			is_there = true;
	r = is_there ? 0 : load_add_dir(&h->load, path);
	/* Now, so that it is watched from the beginning. */
	if (r >= 0 && fd_mkdir_parents(path, true, 0755) < 0)
		log_debug("generate", "%s cannot be made", path);
	return r < 0 ? r : 0;
}

/* What was made is not read in the middle of a turn of the engine. */
static void on_done(struct timer *t)
{
	struct hark *h = container_of(t, struct hark, generate.timer);
	void (*done)(struct hark * h) = h->generate.done;

	h->generate.done = NULL;
	h->generate.is_going = false;
	if (!done)
		return;
	if (live_reload(h, NULL, NULL) < 0)
		log_at(LOG_ERROR, "the units of fstab cannot be read: out of memory; going on");
	done(h);
}

bool generate_begin(struct hark *h, enum job_type type, void (*done)(struct hark *h))
{
	struct cause cause = {.kind = CAUSE_BOOT, .unit = UNIT_NONE};
	bool is_ours = h->is_pid1 || load_canonical(&h->load, unit_name);
	struct unit *u = is_ours && !h->is_user ? registry_get(&h->reg, unit_name) : NULL;
	int r;

	if (!u)
		return false;
	h->generate.is_going = true;
	h->generate.timer.fn = on_done;
	r = engine_request(&h->engine, u, type, MODE_REPLACE, &cause, false, NULL);
	if (r != 0) {
		log_at(LOG_ERROR, "%s cannot be started: the units of /etc/fstab are as before",
		       unit_name);
		h->generate.is_going = false;
		return false;
	}
	if (done)
		h->generate.done = done;
	generate_job_done(h, u); /* perhaps there was nothing to do */
	return true;
}

void generate_job_done(struct hark *h, const struct unit *u)
{
	if (h->generate.is_going && !u->work->job.id && !h->generate.timer.is_armed &&
	    strcmp(u->name, unit_name) == 0)
		loop_timer_arm(&h->loop, &h->generate.timer, loop_now_us(&h->loop));
}

static void write_cache(struct task *t)
{
	static const char name[] = "hark-cache.service";
	struct hark *h = container_of(t, struct hark, cache);
	struct cause cause = {.kind = CAUSE_BOOT, .unit = UNIT_NONE};
	struct unit *u = load_canonical(&h->load, name) ? registry_get(&h->reg, name) : NULL;

	if (u && engine_request(&h->engine, u, JOB_START, MODE_FAIL, &cause, false, NULL) != 0)
		log_at(LOG_WARN, "%s cannot be started; the next boot reads each unit file", name);
}

void generate_cache(struct hark *h)
{
	if (!h->is_pid1 || h->load.names.n < CACHED_FILES)
		return;
	h->cache.fn = write_cache;
	loop_defer(&h->loop, &h->cache);
}
