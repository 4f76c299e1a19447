/* SPDX-License-Identifier: MIT */
#include "ctl/monitor.h"

#include "core/mem.h"

enum { FIRST = 64, LOOK_BACK = 64 };

static void lose(struct monitor *m)
{
	while (m->at < m->n)
		mem_put(m->notes[m->at++].name);
	m->at = m->n = 0;
	m->is_lost = true;
}

static void put(struct monitor *m, struct monitor_note note)
{
	if (m->at > 0 && m->at == m->n)
		m->at = m->n = 0;
	if (m->n == m->cap) {
		uint32_t cap = m->cap ? 2 * m->cap : FIRST;
		void *notes = cap > MONITOR_MOST ? NULL
						 : mem_grow(m->notes, m->cap * sizeof(note),
							    cap * sizeof(note));

		if (!notes) {
			lose(m);
			mem_put(note.name);
			return;
		}
		m->notes = notes;
		m->cap = cap;
	}
	m->notes[m->n++] = note;
}

void monitor_changed(struct monitor *m, const struct unit *u)
{
	/* A unit passes through several states in one turn: its notes stand near the end then. */
	uint32_t first = m->n - m->at > LOOK_BACK ? m->n - LOOK_BACK : m->at;

	for (uint32_t i = first; i < m->n; i++)
		if (m->notes[i].unit == u->id && !m->notes[i].job)
			return;
	put(m, (struct monitor_note){.unit = u->id});
}

void monitor_job_done(struct monitor *m, const struct unit *u, uint32_t job, enum job_type type,
		      enum job_result result)
{
	put(m, (struct monitor_note){u->id, job, (uint8_t)type, (uint8_t)result, NULL});
}

void monitor_gone(struct monitor *m, const struct unit *u)
{
	struct monitor_note last = {.unit = UNIT_NONE, .name = mem_dup(u->name, strlen(u->name))};

	for (uint32_t i = m->at; i < m->n && last.name; i++) {
		struct monitor_note *note = &m->notes[i];

		if (note->unit != u->id)
			continue;
		note->unit = UNIT_NONE;
		if (note->job)
			note->name = mem_dup(u->name, strlen(u->name));
	}
	if (last.name)
		put(m, last);
	else
		lose(m);
}

bool monitor_take(struct monitor *m, struct monitor_note *ret)
{
	if (m->at == m->n)
		return false;
	*ret = m->notes[m->at++];
	return true;
}

void monitor_free(struct monitor *m)
{
	if (!m)
		return;
	lose(m);
	mem_put(m->notes);
	mem_put(m);
}
