/* SPDX-License-Identifier: MIT */
#include "ctl/monitor.h"

#include "core/mem.h"

enum { FIRST = 64, LOOK_BACK = 64 };

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
			m->is_lost = true;
			m->at = m->n = 0;
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
	put(m, (struct monitor_note){u->id, job, (uint8_t)type, (uint8_t)result});
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
	mem_put(m->notes);
	mem_put(m);
}
