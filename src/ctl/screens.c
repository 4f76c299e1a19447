/* SPDX-License-Identifier: MIT */
/* The table of screens; lists, and the plain screens. */
#include "ctl/screen.h"

#include <fcntl.h>

#include "core/fd.h"

enum { SOURCE_MAX = 1024 * 1024 };

/* clang-format off */
#define show_none NULL
const screen_fn screens[VERBS] = {
#define VERB(name, word, shape, access, handler, screen, help) [VERB_##name] = show_##screen,
#include "ctl/verbs.def"
};
/* clang-format on */

bool screen_is_stream(enum verb_id id)
{
	return screens[id] == show_job || screens[id] == show_monitor || screens[id] == show_logs;
}

void show_note(struct screen *s, const struct row *rows)
{
	for (const struct row *row = rows; row; row = row->next)
		if (!screen_common(s, row))
			screen_note(&s->paint, row);
}

void show_monitor(struct screen *s, const struct row *row)
{
	struct paint *p = &s->paint;

	if (screen_common(s, row) || row_is(row, "ready"))
		return;
	if (row_is(row, "lost"))
		paint_z(p, "something was lost: the reader is too slow");
	else
		paintf(p, "%-8s ",
		       row_is(row, "job")    ? "job"
		       : row_is(row, "gone") ? "gone"
					     : "unit");
	paint_text(p, row_text(row, "unit"));
	for (unsigned i = 0; i < row->n; i++) {
		if (strcmp(row->fields[i].key, "unit") == 0)
			continue;
		paintf(p, "  %s=", row->fields[i].key);
		paint_field(p, row, row->fields[i].key);
	}
	paint_end(p);
	screen_flush(s);
}

/* --- lists --- */

static void cell_sign(struct paint *p, const struct row *row)
{
	paint_sign(p, row_text(row, "active"), row_value(row, "waiting"));
}

static void cell_state(struct paint *p, const struct row *row)
{
	if (row_value(row, "waiting"))
		paint_z(p, "waiting");
	else
		paint_text(p, str_eq_z(row_text(row, "active"), "active")
				      ? row_text(row, "sub")
				      : row_text(row, "active"));
}

void show_list(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"", NULL, cell_sign, false},
		{"UNIT", "unit", NULL, false},
		{"STATE", NULL, cell_state, false},
		{"SINCE", "since", NULL, true},
		{"PID", "pid", NULL, true},
		{"RESTARTS", "restarts", NULL, true},
		{"STARTED BY", "started_by", NULL, false},
		{"DESCRIPTION", "description", NULL, false},
	};
	unsigned n = 0, active = 0, failed = 0, waiting = 0;

	paint_table(&s->paint, rows, "unit", columns, ARRAY_SIZE(columns));
	for (const struct row *row = rows; row; row = row->next) {
		n++;
		active += str_eq_z(row_text(row, "active"), "active");
		failed += str_eq_z(row_text(row, "active"), "failed");
		waiting += row_value(row, "waiting") != 0;
	}
	paintf(&s->paint, "%u unit%s: %u active, %u waiting, %u failed", n, n == 1 ? "" : "s",
	       active, waiting, failed);
	paint_end(&s->paint);
	screen_errors(s, rows);
}

static void cell_next(struct paint *p, const struct row *row)
{
	if (row_value(row, "next"))
		paint_clock(p, row_value(row, "next"));
}

void show_triggers(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"TRIGGER", "trigger", NULL, false}, {"KIND", "trigger_kind", NULL, false},
		{"UNIT", "unit", NULL, false},       {"STATE", "state", NULL, false},
		{"HITS", "accepted", NULL, true},    {"ACTIVATES", "activates", NULL, false},
		{"PID", "pid", NULL, true},          {"NEXT", NULL, cell_next, false},
	};

	paint_table(&s->paint, rows, "trigger", columns, ARRAY_SIZE(columns));
	screen_errors(s, rows);
}

static void cell_left(struct paint *p, const struct row *row)
{
	if (row_value(row, "next"))
		paint_until(p, row_value(row, "next"));
}

static void cell_last(struct paint *p, const struct row *row)
{
	paint_clock(p, row_value(row, "last"));
}

void show_timers(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"NEXT", NULL, cell_next, false}, {"LEFT", NULL, cell_left, true},
		{"LAST", NULL, cell_last, false}, {"PASSED", "last", NULL, true},
		{"UNIT", "unit", NULL, false},    {"ACTIVATES", "activates", NULL, false},
	};

	paint_table(&s->paint, rows, "timer", columns, ARRAY_SIZE(columns));
	if (!rows)
		paint_z(&s->paint, "no timers\n");
	screen_errors(s, rows);
}

/* The time, the unit where there are several, and the line as it was written. */
void show_logs(struct screen *s, const struct row *row)
{
	struct paint *p = &s->paint;

	if (!row_is(row, "output")) {
		screen_common(s, row);
	} else {
		if (row_value(row, "lost")) {
			paintf(p, "(%llu lines came too fast and are lost)",
			       (unsigned long long)row_value(row, "lost"));
			paint_end(p);
		}
		if (!s->is_value_only) {
			paint_clock(p, row_value(row, "time"));
			paint_z(p, "  ");
		}
		if (s->has_several) {
			paint_text(p, row_text(row, "unit"));
			paint_z(p, "  ");
		}
		paint_text(p, row_text(row, "text"));
		paint_end(p);
	}
	screen_flush(s);
}

void show_jobs(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"JOB", "job", NULL, true},          {"UNIT", "unit", NULL, false},
		{"TYPE", "type", NULL, false},       {"STATE", "state", NULL, false},
		{"SINCE", "since", NULL, true},      {"WAITS FOR", "waits_for", NULL, false},
		{"BECAUSE", "because", NULL, false},
	};

	paint_table(&s->paint, rows, "job", columns, ARRAY_SIZE(columns));
	if (!rows)
		paint_z(&s->paint, "no jobs\n");
	screen_errors(s, rows);
}

void show_whose(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"PID", "pid", NULL, true},          {"UNIT", "unit", NULL, false},
		{"PART", "part", NULL, false},       {"CGROUP", "cgroup", NULL, false},
		{"COMMAND", "command", NULL, false},
	};

	paint_table(&s->paint, rows, "whose", columns, ARRAY_SIZE(columns));
	screen_errors(s, rows);
}

void show_holds(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"UNIT", "unit", NULL, false},
		{"HELD BY", "holder", NULL, false},
		{"TIMES", "count", NULL, true},
	};

	paint_table(&s->paint, rows, "hold", columns, ARRAY_SIZE(columns));
	if (!rows)
		paint_z(&s->paint, "nobody holds a unit\n");
}

static void cell_time(struct paint *p, const struct row *row)
{
	paint_clock(p, row_value(row, "time"));
}

void show_ledger(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"ENTRY", "entry", NULL, true},      {"FOLLOWS", "follows", NULL, true},
		{"TIME", NULL, cell_time, false},    {"UNIT", "unit", NULL, false},
		{"KIND", "entry_kind", NULL, false}, {"WHAT", "what", NULL, false},
		{"CAUSE", "cause", NULL, false},     {"FROM", "from", NULL, false},
		{"TEXT", "text", NULL, false},
	};

	paint_table(&s->paint, rows, "entry", columns, ARRAY_SIZE(columns));
	screen_errors(s, rows);
}

static void cell_started(struct paint *p, const struct row *row)
{
	paint_clock(p, row_value(row, "started"));
}

static void cell_ended(struct paint *p, const struct row *row)
{
	if (row_field(row, "ended"))
		paint_clock(p, row_value(row, "ended"));
}

void show_history(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"STARTED", NULL, cell_started, false},
		{"ENDED", NULL, cell_ended, false},
		{"UNIT", "unit", NULL, false},
		{"PID", "pid", NULL, true},
		{"HOW", "how", NULL, false},
	};

	paint_table(&s->paint, rows, "process", columns, ARRAY_SIZE(columns));
	if (!rows)
		paint_z(&s->paint, "the ledger has no process of it\n");
	screen_errors(s, rows);
}

void show_trace(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"NUMBER", "number", NULL, true},
		{"FILE", "file", NULL, false},
		{"LINE", "line", NULL, true},
		{"ERROR", "text", NULL, false},
	};

	paint_table(&s->paint, rows, "error_origin", columns, ARRAY_SIZE(columns));
	if (!rows)
		paint_z(&s->paint, "no errors\n");
}

static void show_crash(struct paint *p, const struct row *row)
{
	paintf(p, "crash %llu  ", (unsigned long long)row_value(row, "crash"));
	paint_clock(p, row_value(row, "time"));
	paintf(p, "  life %llu", (unsigned long long)row_value(row, "life"));
	if (row_field(row, "lived")) {
		paint_z(p, " after ");
		paint_span(p, row_value(row, "lived"));
	}
	paint_z(p, ": ");
	paint_text(p, row_text(row, "how"));
	if (row_value(row, "times") > 1)
		paintf(p, ", %llu lives in a row", (unsigned long long)row_value(row, "times"));
	paint_end(p);
	if (row_field(row, "at")) {
		paint_z(p, row_value(row, "scanned") ? "  at (?) " : "  at     ");
		paint_field(p, row, "at");
		paint_end(p);
	}
	if (row_field(row, "build")) {
		paint_z(p, "  build  ");
		paint_text(p, row_text(row, "build"));
		paint_end(p);
	}
}

void show_crashes(struct screen *s, const struct row *rows)
{
	struct paint *p = &s->paint;

	if (!rows)
		paint_z(p, "no manager has died\n");
	for (const struct row *row = rows; row; row = row->next) {
		if (screen_common(s, row))
			continue;
		if (row_is(row, "crash")) {
			show_crash(p, row);
			continue;
		}
		paint_z(p, "  before ");
		paint_clock(p, row_value(row, "time"));
		paintf(p, " %llu ", (unsigned long long)row_value(row, "entry"));
		paint_text(p, row_text(row, "unit"));
		paint_z(p, " ");
		paint_text(p, row_text(row, "entry_kind"));
		paint_z(p, " ");
		paint_text(p, row_text(row, "what"));
		paint_z(p, row_text(row, "text").n ? " " : "");
		paint_text(p, row_text(row, "text"));
		paint_end(p);
	}
}

static bool follows_dependency(const struct row *row)
{
	return row->next && row_is(row->next, "dependency");
}

void show_deps(struct screen *s, const struct row *rows)
{
	struct paint *p = &s->paint;

	for (const struct row *row = rows; row; row = row->next) {
		if (screen_common(s, row))
			continue;
		if (row_is(row, "unit")) {
			paint_sign(p, row_text(row, "active"), false);
			paint_z(p, " ");
			paint_text(p, row_text(row, "unit"));
			paint_end(p);
			continue;
		}
		paintf(p, "%s ", paint_branch(p, !follows_dependency(row)));
		paint_sign(p, row_text(row, "active"), row_value(row, "waiting"));
		paint_z(p, " ");
		paint_text(p, row_text(row, "type"));
		paint_z(p, "=");
		paint_text(p, row_text(row, "unit"));
		paint_z(p,
			row_value(row, "dropped") ? "   (dropped to break an ordering cycle)" : "");
		paint_z(p, "   ");
		if (row_text(row, "file").n) {
			paint_text(p, row_text(row, "file"));
			paintf(p, ":%llu", (unsigned long long)row_value(row, "line"));
		} else {
			paint_text(p, row_text(row, "origin"));
		}
		paint_end(p);
	}
}

/* --- cat, show, is-active --- */

static void show_file(struct screen *s, struct str path)
{
	AUTO_MEM char *name = mem_dup(path.p, path.n);
	AUTO_MEM char *text = NULL;
	size_t n = 0;
	int r = name ? fd_read_file(AT_FDCWD, name, SOURCE_MAX, &text, &n) : -ENOMEM;

	paint_z(&s->paint, "# ");
	paint_text(&s->paint, path);
	paint_z(&s->paint, "\n");
	if (r == -ENXIO) /* a link to /dev/null */
		paint_z(&s->paint,
			"# masked: it hides the files of its name in less important directories\n");
	else if (r < 0)
		paintf(&s->paint, "# cannot be read: %s\n", strerror(-r));
	else
		sbuf_add(&s->paint.out, (struct str){text, n});
	s->paint.line_at = s->paint.out.n;
}

void show_cat(struct screen *s, const struct row *rows)
{
	for (const struct row *row = rows; row; row = row->next) {
		unsigned at = 0;
		struct str item;

		if (screen_common(s, row))
			continue;
		if (row_text(row, "fragment").n)
			show_file(s, row_text(row, "fragment"));
		while (row_item(row, "dropins", &at, &item)) {
			paint_z(&s->paint, "\n");
			show_file(s, item);
		}
		paint_z(&s->paint, row->next ? "\n" : "");
	}
}

void show_show(struct screen *s, const struct row *rows)
{
	paint_kv(&s->paint, rows, s->is_value_only);
}

void show_word(struct screen *s, const struct row *rows)
{
	for (const struct row *row = rows; row; row = row->next) {
		if (screen_common(s, row))
			continue;
		paint_text(&s->paint, row_text(row, "word"));
		paint_end(&s->paint);
	}
}

/* --- unit files --- */

static void show_link(struct paint *p, const struct row *row)
{
	paintf(p, "%s ", row->kind);
	paint_text(p, row_text(row, "path"));
	if (row_field(row, "target")) {
		paint_z(p, " -> ");
		paint_text(p, row_text(row, "target"));
	}
	paint_z(p, "\n");
}

static void cell_preset(struct paint *p, const struct row *row)
{
	paint_text(p, row_field(row, "preset") ? row_text(row, "preset") : STR("-"));
}

/* A list of unit files; or the links that were made and the states and the name that were asked for. */
void show_unit_files(struct screen *s, const struct row *rows)
{
	static const struct column columns[] = {
		{"UNIT FILE", "unit", NULL, false},
		{"STATE", "state", NULL, false},
		{"PRESET", NULL, cell_preset, false},
	};

	if (rows && row_is(rows, "unit-file"))
		paint_table(&s->paint, rows, "unit-file", columns, ARRAY_SIZE(columns));
	for (const struct row *row = rows; row; row = row->next)
		if (row_field(row, "path")) {
			show_link(&s->paint, row);
		} else if (!row_is(row, "unit-file")) {
			paint_text(&s->paint,
				   row_text(row, row_is(row, "state") ? "state" : "unit"));
			paint_z(&s->paint, "\n");
		}
}
