/* SPDX-License-Identifier: MIT */
#include "core/job_draft.h"

/* clang-format off */
static const struct pull start_pulls[DEP_TYPES] = {
	[DEP_REQUIRES]      = { JOB_START,  CAUSE_REQUIRED, true,  false },
	[DEP_BINDS_TO]      = { JOB_START,  CAUSE_REQUIRED, true,  false },
	[DEP_REQUISITE]     = { JOB_VERIFY, CAUSE_REQUIRED, true,  false },
	[DEP_WANTS]         = { JOB_START,  CAUSE_WANTED,   false, false },
	[DEP_UPHOLDS]       = { JOB_START,  CAUSE_UPHELD,   false, false },
	[DEP_CONFLICTS]     = { JOB_STOP,   CAUSE_CONFLICT, true,  true  },
	[DEP_CONFLICTED_BY] = { JOB_STOP,   CAUSE_CONFLICT, false, false },
};
static const struct pull stop_pulls[DEP_TYPES] = {
	[DEP_REQUIRED_BY]        = { JOB_STOP, CAUSE_DEPENDENCY_STOPPED, true, false },
	[DEP_REQUISITE_OF]       = { JOB_STOP, CAUSE_DEPENDENCY_STOPPED, true, false },
	[DEP_BOUND_BY]           = { JOB_STOP, CAUSE_DEPENDENCY_STOPPED, true, false },
	[DEP_CONSISTS_OF]        = { JOB_STOP, CAUSE_PART_OF,            true, false },
	[DEP_PROPAGATES_STOP_TO] = { JOB_STOP, CAUSE_DEPENDENCY_STOPPED, true, false },
};
/* As a stop, but nothing is started that did not run before. */
static const struct pull restart_pulls[DEP_TYPES] = {
	[DEP_REQUIRED_BY]        = { JOB_TRY_RESTART, CAUSE_DEPENDENCY_STOPPED, true, false },
	[DEP_REQUISITE_OF]       = { JOB_TRY_RESTART, CAUSE_DEPENDENCY_STOPPED, true, false },
	[DEP_BOUND_BY]           = { JOB_TRY_RESTART, CAUSE_DEPENDENCY_STOPPED, true, false },
	[DEP_CONSISTS_OF]        = { JOB_TRY_RESTART, CAUSE_PART_OF,            true, false },
	[DEP_PROPAGATES_STOP_TO] = { JOB_TRY_RESTART, CAUSE_DEPENDENCY_STOPPED, true, false },
};
static const struct pull reload_pulls[DEP_TYPES] = {
	[DEP_PROPAGATES_RELOAD_TO] = { JOB_TRY_RELOAD, CAUSE_NONE, false, false },
};
/* clang-format on */

/* The tables that apply to a job; a restart is a start too. */
static const struct pull *const pulls_of[JOB_TYPES][2] = {
	[JOB_START] = {start_pulls},
	[JOB_STOP] = {stop_pulls},
	[JOB_RELOAD] = {reload_pulls},
	[JOB_RESTART] = {start_pulls, restart_pulls},
};

enum job_refusal draft_refusal(const struct unit *u)
{
	switch (unit_load_state(u)) {
	case LOAD_LOADED:
		return u->config->own->refusals ? PLAN_UNSUPPORTED : PLAN_OK;
	case LOAD_STUB:
	case LOAD_NOT_FOUND:
		return PLAN_NOT_FOUND;
	case LOAD_MASKED:
		return PLAN_MASKED;
	case LOAD_BAD:
	case LOAD_ERROR:
	case LOAD_STATES:
		break;
	}
	return PLAN_BAD;
}

bool draft_is_possible(const struct unit *u, enum job_type type)
{
	if (type == JOB_STOP || type == JOB_RESTART)
		return !u->has_perpetual && !u->ops->is_outside;
	if (type == JOB_RELOAD)
		return u->ops->can_reload && u->ops->can_reload(u);
	return true;
}

static void *grow_array(void *array, size_t item, uint32_t *cap)
{
	uint32_t more = *cap ? *cap * 2 : 32;
	void *p = mem_grow(array, *cap * item, more * item);

	if (p)
		*cap = more;
	return p;
}

/* Of the living: what was taken out may have lost what it pulled in, and would have to pull again. */
static uint32_t find_draft(const struct draft_set *m, const struct unit *u, enum job_type type)
{
	uint32_t d = u->plan_at;

	while (d != 0 && (m->drafts[d - 1].type != type || m->drafts[d - 1].is_dead))
		d = m->drafts[d - 1].sibling;
	return d;
}

static int reserve_draft(struct draft_set *m)
{
	void *p;

	if (m->n == m->cap) {
		p = grow_array(m->drafts, sizeof(*m->drafts), &m->cap);
		if (!p)
			return err_here(-ENOMEM);
		m->drafts = p;
	}
	if (m->links_n == m->links_cap) {
		p = grow_array(m->links, sizeof(*m->links), &m->links_cap);
		if (!p)
			return err_here(-ENOMEM);
		m->links = p;
	}
	return 0;
}

static void add_link(struct draft_set *m, uint32_t from, uint32_t to, const struct pull *pull)
{
	m->links[m->links_n++] = (struct link){
		.from = from,
		.to = to,
		.next_in = m->drafts[to].in,
		.next_out = m->drafts[from].out,
		.matters = pull->matters,
		.conflicts = pull->conflicts,
	};
	m->drafts[to].in = m->drafts[from].out = m->links_n;
}

/* A draft of that (collapsed) type for u, pulled in by draft `from`; UINT32_MAX for the anchor. */
static int draft_add(struct draft_set *m, struct unit *u, enum job_type type, uint32_t from,
		     const struct pull *pull)
{
	uint32_t d = find_draft(m, u, type);
	int err = reserve_draft(m);

	if (err < 0)
		return err;
	if (d == 0) {
		m->drafts[m->n] = (struct draft){
			.unit = u->id,
			.sibling = u->plan_at,
			.by = UNIT_NONE,
			.type = (uint8_t)type,
			.refusal = (uint8_t)(type == JOB_STOP ? PLAN_OK : draft_refusal(u)),
		};
		d = u->plan_at = ++m->n;
	}
	if (pull) {
		struct draft *draft = &m->drafts[d - 1];

		/* Told as the cause: the first that pulled, but rather one that insists. The anchor has its own. */
		if (d != 1 && (draft->by == UNIT_NONE || (pull->matters && !draft->matters))) {
			draft->by = m->drafts[from].unit;
			draft->cause = pull->cause;
			draft->matters = pull->matters;
		}
		add_link(m, from, d - 1, pull);
	}
	return 0;
}

int draft_anchor(struct draft_set *m, struct unit *u, enum job_type type)
{
	return draft_add(m, u, type, UINT32_MAX, NULL);
}

int draft_pull(struct draft_set *m, uint32_t from, struct unit *u, const struct pull *pull)
{
	enum job_type type = job_collapse((enum job_type)pull->type, u);

	/* Nothing to do, or nothing that can be done: as with systemd, that stops nobody. */
	if (type == JOB_NONE || !draft_is_possible(u, type))
		return 0;
	return draft_add(m, u, type, from, pull);
}

static int expand(struct draft_set *m, uint32_t from)
{
	const struct unit *u = m->r->units[m->drafts[from].unit];
	const struct pull *const *tables = pulls_of[m->drafts[from].type];

	for (unsigned t = 0; t < 2 && tables[t]; t++) {
		for (uint32_t i = 0; i < u->edges_n; i++) {
			const struct edge *e = &u->edges[i];
			const struct pull *pull = &tables[t][e->type];
			int err;

			if (pull->type == JOB_NONE)
				continue;
			err = draft_pull(m, from, m->r->units[e->to], pull);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

int draft_expand(struct draft_set *m)
{
	uint32_t *queue;
	int err = 0;

	for (; m->expanded_n < m->n && err == 0; m->expanded_n++)
		if (m->drafts[m->expanded_n].refusal == PLAN_OK)
			err = expand(m, m->expanded_n);
	if (err < 0 || m->queue_cap >= m->cap)
		return err;
	queue = mem_grow(m->queue, m->queue_cap * sizeof(*queue), m->cap * sizeof(*queue));
	if (!queue)
		return err_here(-ENOMEM);
	m->queue = queue;
	m->queue_cap = m->cap;
	return 0;
}

/* Linear, and with a queue of its own: no recursion, however long the chain. */
void draft_mark(struct draft_set *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n; i++)
		m->drafts[i].matters = false;
	m->drafts[0].matters = true;
	m->queue[n++] = 0;
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t l = m->drafts[m->queue[i]].out; l != 0;
		     l = m->links[l - 1].next_out) {
			uint32_t to = m->links[l - 1].to;

			if (!m->links[l - 1].matters || m->drafts[to].matters ||
			    m->drafts[to].is_dead)
				continue;
			m->drafts[to].matters = true;
			m->queue[n++] = to;
		}
	}
}

void draft_kill(struct draft_set *m, uint32_t d)
{
	uint32_t n = 0;

	if (m->drafts[d].is_dead)
		return;
	m->drafts[d].is_dead = true;
	m->queue[n++] = d;
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t l = m->drafts[m->queue[i]].in; l != 0; l = m->links[l - 1].next_in) {
			uint32_t from = m->links[l - 1].from;

			if (!m->links[l - 1].matters || m->drafts[from].is_dead)
				continue;
			m->drafts[from].is_dead = true;
			m->queue[n++] = from;
		}
	}
}

void draft_sweep(struct draft_set *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n; i++)
		m->drafts[i].is_reached = false;
	m->drafts[0].is_reached = true;
	m->queue[n++] = 0;
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t l = m->drafts[m->queue[i]].out; l != 0;
		     l = m->links[l - 1].next_out) {
			struct draft *to = &m->drafts[m->links[l - 1].to];

			if (to->is_dead || to->is_reached)
				continue;
			to->is_reached = true;
			m->queue[n++] = m->links[l - 1].to;
		}
	}
	for (uint32_t i = 0; i < m->n; i++)
		m->drafts[i].is_dead |= !m->drafts[i].is_reached;
}

void draft_set_fini(struct draft_set *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		m->r->units[m->drafts[i].unit]->plan_at = 0;
	mem_put(m->drafts);
	mem_put(m->links);
	mem_put(m->queue);
}
