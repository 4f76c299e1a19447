/* SPDX-License-Identifier: MIT */
/* Units that a request brings along, and scopes, whose processes are somebody else's. */
#include "core/transient.h"
#include "core/procs.h"

#include <stdio.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "ctl/refresh.h"
#include "ctl/serve.h"
#include "units/name.h"
#include "units/scope.h"

/* --- transient --- */

/* One of ours that has ended well is as good as forgotten: its name is free. */
static bool is_free(const struct hark *h, const struct unit *u)
{
	if (!unit_is_at_rest(u) || u->work->job.id)
		return false;
	return unit_load_state(u) == LOAD_NOT_FOUND || unit_load_state(u) == LOAD_STUB ||
	       (transient_is(h, u) && unit_coarse(u) != FAILED);
}

/* Like one that was never there: a scope starts once in its life. */
static void begin_anew(struct unit *u)
{
	u->inactive_exit_us = u->active_enter_us = u->active_exit_us = u->inactive_enter_us = 0;
}

/* The unit by its new file. False: the caller is told why, and there is no such file. */
static bool read_unit(struct call *c, struct unit *u)
{
	struct unit_config *broken = NULL;
	int r = u->config ? refresh_unit(c->h, u, &broken) : engine_load(&c->h->engine, u);

	if (r >= 0 && !broken && unit_load_state(u) == LOAD_LOADED)
		return true;
	call_error(c, EXIT_NOT_CONFIGURED, u->name, "%s cannot be made of this text", u->name);
	call_diags(c, u->name, broken ? broken : u->config, DIAG_WARNING);
	unit_config_free(broken);
	transient_remove(c->h, u->name);
	if (refresh_unit(c->h, u, NULL) < 0)
		log_at(LOG_ERROR, "%s: no memory to forget its text", u->name);
	return false;
}

static bool make_unit(struct call *c, const char *name, const char *text)
{
	struct hark *h = c->h;
	struct unit *u = name_is_valid(name, NAME_PLAIN | NAME_INSTANCE)
				 ? registry_get(&h->reg, name)
				 : NULL;
	int r;

	if (!u || (load_canonical(&h->load, name) && engine_load(&h->engine, u) < 0)) {
		call_error(c, EXIT_USAGE, NULL, "\"%s\" is not a name for a unit", name);
		return false;
	}
	if (!is_free(h, u)) {
		call_refuse(c, EXIT_FAILED, name, "exists", "%s is there already, or has a file",
			    name);
		return false;
	}
	r = transient_write(h, u->name, str_of(text));
	if (r < 0) {
		call_error(c, EXIT_FAILED, name, "the file of %s cannot be written: %s", name,
			   strerror(-r));
		return false;
	}
	begin_anew(u);
	return read_unit(c, u);
}

/* All of them, those that are brought along first: the one that is started may name them. */
static bool make_units(struct call *c)
{
	struct request *q = &c->request;

	if (q->args_n % 2) {
		call_error(c, EXIT_USAGE, NULL, "each unit is followed by its text");
		return false;
	}
	for (; q->args_n > 1; q->args_n -= 2)
		if (!asked_was_performed(call_asked(c), 0) &&
		    !make_unit(c, q->args[q->args_n - 2], q->args[q->args_n - 1]))
			return false;
	q->args_n = 1; /* what is left is a start */
	return true;
}

int serve_transient(struct call *c)
{
	if (c->sub++ == 0 && !make_units(c))
		return CALL_DONE;
	return serve_job(c);
}

/* --- processes --- */

/* --below: path becomes that of a cgroup in the unit's, which is made. False: told why not. */
static bool find_below(struct call *c, const struct unit *u, char *path, size_t cap)
{
	const char *below = c->request.options[OPT_BELOW];
	struct str rest = str_of(below ? below : ""), piece;
	size_t n = strlen(path);
	int fd;

	while (str_cut(&rest, '/', &piece)) {
		if (!piece.n)
			continue;
		if (piece.p[0] == '.' || n + piece.n + 2 > cap) {
			call_error(c, EXIT_USAGE, u->name, "\"%s\" is not the path of a cgroup",
				   below);
			return false;
		}
		n += (size_t)snprintf(path + n, cap - n, "/" STR_FMT, STR_ARG(piece));
	}
	fd = below ? cgroup_make(&c->h->cgroups, path) : -1;
	if (below && fd < 0)
		call_error(c, EXIT_FAILED, u->name, "the cgroup %s cannot be made: %s", path,
			   strerror(-fd));
	if (fd >= 0)
		fd_close(fd);
	return !below || fd >= 0;
}

/* Who ends the processes of a unit is not one of them. */
static bool is_ours(pid_t pid)
{
	return pid == getpid() || pid == getppid();
}

int serve_attach(struct call *c)
{
	char path[CGROUP_PATH], name[UNIT_NAME_MAX + 1];
	struct unit *u = call_known_unit(c, c->request.args[0], name);
	uint64_t pid = 0;

	if (!u || unit_is_at_rest(u) || (u->type != UNIT_SERVICE && u->type != UNIT_SCOPE)) {
		call_refuse(c, EXIT_FAILED, c->request.args[0], u ? "not-running" : "not-found",
			    "%s does not run, or cannot have processes", c->request.args[0]);
		return CALL_DONE;
	}
	procs_cgroup(u, path);
	if (!find_below(c, u, path, sizeof(path)))
		return CALL_DONE;
	for (unsigned i = 1; i < c->request.args_n; i++) {
		int r = str_to_u64(str_of(c->request.args[i]), &pid);

		if (r == 0 && (pid == 0 || pid > INT32_MAX))
			r = -EINVAL;
		if (r == 0 && is_ours((pid_t)pid))
			r = -EPERM;
		if (r == 0)
			r = cgroup_take_in(&c->h->cgroups, path, (pid_t)pid);
		if (r < 0)
			call_error(c, EXIT_FAILED, u->name, "process %s cannot be moved to %s: %s",
				   c->request.args[i], u->name, strerror(-r));
	}
	return CALL_DONE;
}

int serve_abandon(struct call *c)
{
	char name[UNIT_NAME_MAX + 1];
	struct unit *u;

	if (c->at == c->request.args_n)
		return CALL_DONE;
	u = call_known_unit(c, c->request.args[c->at++], name);
	if (u && u->type == UNIT_SCOPE && unit_is_active(u))
		engine_post_simple(&c->h->engine, u, EV_ABANDON, 0, 0, 0);
	else
		call_refuse(c, EXIT_FAILED, c->request.args[c->at - 1],
			    u ? "not-running" : "not-found", "%s is no scope that runs",
			    c->request.args[c->at - 1]);
	return CALL_MORE;
}

/* --- holds --- */

/* What is said is how it is, not how it changes: to hear it again does no harm. */
int serve_hold(struct call *c)
{
	char name[UNIT_NAME_MAX + 1];
	struct str rest, holder;
	struct unit *u;
	uint64_t n = 0;
	int r;

	if (c->at + 1 >= c->request.args_n)
		return CALL_DONE;
	u = call_known_unit(c, c->request.args[c->at], name);
	rest = str_of(c->request.args[c->at + 1]);
	c->at += 2;
	if (!u) {
		call_refuse(c, EXIT_FAILED, c->request.args[c->at - 2], "not-found",
			    "%s is not known", c->request.args[c->at - 2]);
		return CALL_MORE;
	}
	if (!str_cut(&rest, '=', &holder) || !holder.n || str_to_u64(rest, &n) < 0 ||
	    n > UINT32_MAX) {
		call_error(c, EXIT_USAGE, u->name, "\"%s\" is not HOLDER=COUNT",
			   c->request.args[c->at - 1]);
		return CALL_MORE;
	}
	r = transient_hold(c->h, u, holder, (uint32_t)n);
	if (r < 0)
		call_error(c, EXIT_FAILED, u->name, "%s cannot be held: %s", u->name, strerror(-r));
	return CALL_MORE;
}

int serve_holds(struct call *c)
{
	const struct list *holds = &c->h->transient.holds;
	size_t at = 0;

	if (!c->h->transient.path)
		return CALL_DONE;
	list_for_each(node, holds) {
		const struct hold *k = list_entry(node, struct hold, node);

		if (at++ < c->at)
			continue;
		c->at++;
		reply_row(&c->reply, "hold");
		reply_text_z(&c->reply, "unit", registry_unit(&c->h->reg, k->unit)->name);
		reply_text_z(&c->reply, "holder", k->holder);
		reply_value(&c->reply, TAG_NUMBER, "count", k->n);
		reply_row_end(&c->reply);
		return CALL_MORE;
	}
	return CALL_DONE;
}
