/* SPDX-License-Identifier: MIT */
#include "ctl/call.h"

#include <fnmatch.h>
#include <sys/socket.h>

#include "activate/output.h"
#include "core/fd.h"
#include "core/mem.h"
#include "ctl/refresh.h"
#include "units/builtin.h"
#include "units/name.h"
#include "units/users.h"

enum { GROUPS_MOST = 1024 }; /* of a caller */

struct asked *call_asked(const struct call *c)
{
	/* Its place may be another's by now. */
	return c->asked && c->asked->id == c->request.id ? c->asked : NULL;
}

void call_fini(struct call *c)
{
	request_fini(&c->request);
	reply_fini(&c->reply);
	graph_walk_fini(&c->walk);
	mem_put(c->waits);
	mem_put(c->tails);
	monitor_free(c->monitor);
	*c = (struct call){0};
}

void call_fail(struct call *c, int exit_code)
{
	if (c->exit == EXIT_OK)
		c->exit = exit_code;
}

/* refusal: a word for programs, or NULL. */
static void PRINTF_LIKE(5, 0) tell_error(struct call *c, int exit_code, const char *unit,
					 const char *refusal, const char *fmt, va_list ap)
{
	struct sbuf b = {0};

	sbuf_addv(&b, fmt, ap);
	reply_row(&c->reply, "error");
	reply_text_z(&c->reply, "unit", unit);
	reply_text_z(&c->reply, "refusal", refusal);
	reply_text(&c->reply, "text", (struct str){b.p, b.n});
	reply_row_end(&c->reply);
	sbuf_fini(&b);
	call_fail(c, exit_code);
}

void call_error(struct call *c, int exit_code, const char *unit, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell_error(c, exit_code, unit, NULL, fmt, ap);
	va_end(ap);
}

void call_refuse(struct call *c, int exit_code, const char *unit, const char *refusal,
		 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell_error(c, exit_code, unit, refusal, fmt, ap);
	va_end(ap);
}

uint64_t call_wall_us(uint64_t mono_us)
{
	return mono_us ? clock_wall_us() - clock_mono_us() + mono_us : 0;
}

/* --- names --- */

struct nearest {
	struct str wanted;
	const char *name;
	unsigned distance;
};

/* Edit distance, or one name beginning with the other: "net" finds "networking.service" when nothing is nearer. */
static void look_nearer(struct nearest *n, const char *name)
{
	enum { LIMIT = 2, PREFIX = LIMIT + 1 };
	unsigned d = str_distance(n->wanted, str_of(name), LIMIT);
	struct str stem = str_sub(n->wanted, 0, str_rindex(n->wanted, '.'));

	if (d > LIMIT)
		d = stem.n >= LIMIT && str_has_prefix(str_of(name), stem) ? PREFIX : PREFIX + 1;
	/* at no distance is a name that leads nowhere */
	if (d > 0 && d <= PREFIX && (!n->name || d < n->distance)) {
		n->name = name;
		n->distance = d;
	}
}

static const char *suggest_unit(struct hark *h, const char *name)
{
	struct nearest n = {.wanted = str_of(name)};
	const void *at = NULL;
	const char *known;

	while (load_next_name(&h->load, &at, &known))
		look_nearer(&n, known);
	for (uint32_t i = 0; i < h->reg.n; i++) {
		const struct unit *u = h->reg.units[i];

		if (u && unit_load_state(u) == LOAD_LOADED)
			look_nearer(&n, u->name);
	}
	return n.name;
}

static void no_such_unit(struct call *c, int exit_code, const char *name)
{
	const char *suggestion = suggest_unit(c->h, name);

	if (suggestion)
		call_refuse(c, exit_code, name, "not-found",
			    "there is no unit %s; did you mean %s?", name, suggestion);
	else
		call_refuse(c, exit_code, name, "not-found", "there is no unit %s", name);
}

static bool full_name(struct call *c, const char *word, char *name)
{
	if (name_from_user(word, name, UNIT_NAME_MAX + 1) == 0)
		return true;
	call_error(c, EXIT_USAGE, NULL, "\"%s\" is not a name for a unit", word);
	return false;
}

/* May this caller make the manager remember one more unit? */
static bool may_create(const struct call *c, const char *name)
{
	return c->may_change || name_form(name) == NAME_PLAIN;
}

/* Has it a file, or is it built in? */
static bool is_known(struct hark *h, const char *name)
{
	return load_canonical(&h->load, name) || builtin_unit(name);
}

static struct unit *get_unit(struct call *c, const char *name)
{
	struct hark *h = c->h;
	struct unit *u = registry_find(&h->reg, name);

	if (u || !may_create(c, name))
		return u;
	/* A file that is newer than our index is found by looking again; only for those who may have us work. */
	if (!is_known(h, name) && (!c->may_change || load_scan(&h->load) < 0))
		return NULL;
	return is_known(h, name) ? registry_get(&h->reg, name) : NULL;
}

struct unit *call_unit(struct call *c, const char *word, int exit_code)
{
	char name[UNIT_NAME_MAX + 1];
	struct unit *u;

	if (!full_name(c, word, name))
		return NULL;
	u = get_unit(c, name);
	if (u && engine_load(&c->h->engine, u) >= 0 && unit_load_state(u) == LOAD_NOT_FOUND &&
	    c->may_change)
		(void)!refresh_unit(c->h, u, NULL);
	if (u && unit_load_state(u) == LOAD_NOT_FOUND && unit_is_at_rest(u))
		u = NULL;
	if (!u)
		no_such_unit(c, exit_code, name);
	return u;
}

struct unit *call_known_unit(struct call *c, const char *word, char *name)
{
	return full_name(c, word, name) ? registry_find(&c->h->reg, name) : NULL;
}

/* --- lists --- */

static bool list_has(const char *list, const char *word)
{
	struct str rest = str_of(list);
	struct str piece;

	while (str_cut(&rest, ',', &piece))
		if (str_eq_z(piece, word))
			return true;
	return false;
}

bool call_means(const struct call *c, const struct unit *u)
{
	const char *types = c->request.options[OPT_TYPE];
	bool is_named = c->request.args_n == 0;

	if (types && !list_has(types, unit_type_names[u->type]))
		return false;
	for (unsigned i = 0; i < c->request.args_n && !is_named; i++) {
		char name[UNIT_NAME_MAX + 1];
		const char *word = c->request.args[i];

		is_named = fnmatch(word, u->name, 0) == 0 ||
			   (name_from_user(word, name, sizeof(name)) == 0 &&
			    strcmp(name, u->name) == 0);
	}
	return is_named;
}

const char *call_load_word(const struct call *c, const struct unit *u)
{
	enum load_state state = unit_load_state(u);

	if (state == LOAD_STUB)
		state = load_expect(&c->h->load, u->name);
	return load_state_names[state];
}

static bool is_in_state(const struct call *c, const struct unit *u)
{
	const char *states = c->request.options[OPT_STATE];

	return !states || list_has(states, coarse_names[unit_coarse(u)]) ||
	       list_has(states, unit_substate(u)) || list_has(states, call_load_word(c, u)) ||
	       (call_is_waiting_unit(c->h, u) && list_has(states, "waiting"));
}

struct unit *call_next_unit(struct call *c, uint64_t *at)
{
	const struct registry *r = &c->h->reg;

	while (*at < r->n) {
		struct unit *u = r->units[(*at)++];

		if (u && is_in_state(c, u) && call_means(c, u))
			return u;
	}
	return NULL;
}

bool call_is_waiting_unit(const struct hark *h, const struct unit *u)
{
	if (!unit_is_at_rest(u))
		return false;
	graph_for_each(e, u, DEP_TRIGGERED_BY)
	{
		const struct unit *trigger = registry_unit(&h->reg, e->to);

		if (trigger && unit_is_active(trigger))
			return true;
	}
	return false;
}

/* --- rows that several verbs show --- */

void call_diags(struct call *c, const char *unit, const struct unit_config *config,
		unsigned least_severity)
{
	for (const struct diag *d = config ? config->diags.first : NULL; d; d = d->next) {
		if ((unsigned)d->severity < least_severity)
			continue;
		reply_row(&c->reply, "finding");
		reply_text_z(&c->reply, "unit", unit);
		reply_text_z(&c->reply, "severity", diag_severity_names[d->severity]);
		reply_text_z(&c->reply, "code", d->code);
		reply_text_z(&c->reply, "file", d->file);
		reply_value(&c->reply, TAG_NUMBER, "line", d->line);
		reply_value(&c->reply, TAG_NUMBER, "col", d->col);
		reply_value(&c->reply, TAG_NUMBER, "endcol", d->end_col);
		reply_text_z(&c->reply, "message", d->message);
		reply_text_z(&c->reply, "suggestion", d->suggestion);
		reply_row_end(&c->reply);
	}
}

void call_line(struct call *c, const struct unit *u, struct str line, uint64_t wall_us,
	       uint64_t lost)
{
	reply_row(&c->reply, "output");
	reply_text_z(&c->reply, "unit", u->name);
	reply_value(&c->reply, TAG_STAMP, "time", wall_us);
	reply_text(&c->reply, "text", line);
	if (lost)
		reply_value(&c->reply, TAG_NUMBER, "lost", lost);
	reply_row_end(&c->reply);
}

/* False: the peer has more groups than can be asked for, or none is known. */
static bool is_in_group(int fd, gid_t group)
{
	gid_t gids[GROUPS_MOST];
	struct ucred peer;
	socklen_t n = sizeof(gids), peer_n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_n) == 0 && peer.gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &n) < 0)
		return false;
	for (size_t i = 0; i < n / sizeof(gids[0]); i++)
		if (gids[i] == group)
			return true;
	return false;
}

bool call_may_read(const struct call *c)
{
	static const char *const readers[] = {"systemd-journal", "adm"};
	gid_t group;

	for (size_t i = 0; i < ARRAY_SIZE(readers) && !c->may_change && c->fd >= 0; i++)
		if (users_group("", readers[i], &group) == 0 && is_in_group(c->fd, group))
			return true;
	return c->may_change;
}

void call_output(struct call *c, struct unit *u, uint64_t since_us)
{
	struct output_at at = {0};

	if (!call_may_read(c))
		return;
	output_drain(c->h, u);
	for (; output_next(u, true, &at); at.number++)
		if (at.wall_us >= call_wall_us(since_us))
			call_line(c, u, at.line, at.wall_us, 0);
}
