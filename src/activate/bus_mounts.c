/* SPDX-License-Identifier: MIT */
#include "activate/bus_mounts.h"

#include "activate/bus_watch.h"
#include "activate/proc_table.h"
#include "core/mem.h"
#include "core/mountinfo.h"
#include "units/mount.h"

/* Units that one question is about; more wait for the next look. */
enum { TELL_MOST = 16 };

struct seen_mount {
	struct map_node node;
	uint64_t id;
	uint64_t options; /* a sum of them */
	uint32_t round;   /* of looking, in which it was seen last */
};

struct bus_mounts {
	struct proc_table table;
	struct bus *bus;
	struct map seen;
	uint32_t round;
	struct ask ask; /* what is in force, as who asks is told */
	char names[TELL_MOST][UNIT_NAME_MAX + 1];
	const char *args[TELL_MOST];
	unsigned names_n;
	bool is_asking;
};

static bool is_mount(const struct map_node *node, const void *key)
{
	return container_of(node, struct seen_mount, node)->id == *(const uint64_t *)key;
}

static struct seen_mount *find(const struct bus_mounts *w, uint64_t id)
{
	struct map_node *node = map_find(&w->seen, map_hash_u64(id), is_mount, &id);

	return node ? container_of(node, struct seen_mount, node) : NULL;
}

static uint64_t sum_of(const struct mount_line *line)
{
	return str_mix(str_mix(line->options.n, line->options.p, line->options.n),
		       line->super_options.p, line->super_options.n);
}

/* Without memory a mount is new once more. */
static void note_new(struct bus_mounts *w, uint64_t id, uint64_t options)
{
	struct seen_mount *s = map_reserve(&w->seen, 1) == 0 ? mem_get(sizeof(*s)) : NULL;

	if (!s)
		return;
	*s = (struct seen_mount){.id = id, .options = options, .round = w->round};
	map_add(&w->seen, &s->node, map_hash_u64(id));
}

/* False: there is no room for more names, so that it stays as it was known. */
static bool note_change(struct bus_mounts *w, const struct mount_line *line)
{
	char place[UNIT_NAME_MAX + 1];

	if (w->names_n == TELL_MOST)
		return false;
	if (mountinfo_text(line, line->point, place, sizeof(place)) && !mount_is_api(place) &&
	    mount_unit_name(str_of(place), w->names[w->names_n])) {
		w->args[w->names_n] = w->names[w->names_n];
		w->names_n++;
	}
	return true;
}

static void compare(struct bus_mounts *w, const struct mount_line *line)
{
	struct seen_mount *s = find(w, line->id);
	uint64_t options = sum_of(line);

	if (!s) {
		note_new(w, line->id, options);
		return;
	}
	s->round = w->round;
	if (s->options != options && note_change(w, line))
		s->options = options;
}

static void forget_gone(struct bus_mounts *w)
{
	struct map_node *next;

	for (struct map_node *node = map_next(&w->seen, NULL); node; node = next) {
		struct seen_mount *s = container_of(node, struct seen_mount, node);

		next = map_next(&w->seen, node);
		if (s->round == w->round)
			continue;
		map_del(&w->seen, node);
		mem_put(s);
	}
}

static void on_told(struct ask *a, int err)
{
	struct bus_mounts *w = container_of(a, struct bus_mounts, ask);

	w->is_asking = false;
	for (const struct row *row = err == 0 ? a->rows.first : NULL; row; row = row->next)
		bus_watch_tell(w->bus, row);
	rows_fini(&a->rows);
	if (w->names_n == TELL_MOST)
		proc_table_look(&w->table);
}

static void look(struct proc_table *t)
{
	struct bus_mounts *w = container_of(t, struct bus_mounts, table);
	AUTO_MEM char *text = NULL;
	struct mount_line line;
	struct str rest;
	int r;

	if (w->is_asking) {
		loop_timer_arm(t->loop, &t->again, loop_now_us(t->loop) + PROC_TABLE_EVERY_US);
		return;
	}
	r = proc_table_read(t->path, &text, &rest);
	if (r < 0) {
		proc_table_retry(t, r);
		return;
	}
	w->round++;
	w->names_n = 0;
	while (mountinfo_next(&rest, &line))
		compare(w, &line);
	forget_gone(w);
	if (w->names_n == 0)
		return;
	w->ask = (struct ask){.done = on_told};
	w->ask.question =
		(struct question){.verb = &verbs[VERB_SHOW], .args = w->args, .args_n = w->names_n};
	w->ask.question.options[OPT_PROPERTY] = "Id,Options";
	w->is_asking = true;
	ask_start(&w->bus->asker, &w->ask);
}

int bus_mounts_open(struct bus *b)
{
	struct bus_mounts *w = mem_get(sizeof(*w));
	int r;

	if (!w)
		return err_here(-ENOMEM);
	w->bus = b;
	r = proc_table_open(&w->table, b->loop, "/proc/self/mountinfo", look);
	if (r < 0) {
		mem_put(w);
		return r;
	}
	proc_table_look(&w->table);
	return 0;
}
