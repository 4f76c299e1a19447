/* SPDX-License-Identifier: MIT */
/* Units one by one: health, status, why. */
#include "ctl/screen.h"

/* --- states in words --- */

/* "running for 3 h 12 min", "failed 2 min ago" */
static void show_state(struct paint *p, const struct row *row)
{
	struct str active = row_text(row, "active");
	bool is_up = str_eq_z(active, "active");
	bool is_waiting = row_value(row, "waiting");
	bool is_failed = str_eq_z(active, "failed") && !is_waiting;

	if (is_waiting)
		paint_z(p, "waiting");
	else if (is_failed)
		paint_tone(p, TONE_BAD, "failed");
	else
		paint_text(p, is_up ? row_text(row, "sub") : active);
	if (!row_value(row, "since"))
		return;
	paint_z(p, is_failed ? " " : " for ");
	paint_ago(p, row_value(row, "since"));
	paint_z(p, is_failed ? " ago" : "");
	if (row_value(row, "frozen"))
		paint_tone(p, TONE_WARN, ", frozen");
}

static void show_label(struct paint *p, const char *label)
{
	paintf(p, "  ");
	paint_tone(p, TONE_DIM, label);
	paintf(p, "%*s", (int)(12 - strlen(label)), "");
}

static void show_labelled(struct paint *p, const struct row *row, const char *label,
			  const char *key)
{
	if (!row_field(row, key))
		return;
	show_label(p, label);
	paint_field(p, row, key);
	paint_end(p);
}

/* --- health --- */

static void show_health_head(struct paint *p, const struct row *row)
{
	struct str state = row_text(row, "state");
	uint64_t failed = row_value(row, "failed");

	paint_sign(p,
		   str_eq_z(state, "running") ? STR("active")
		   : failed                   ? STR("failed")
					      : STR("activating"),
		   false);
	paint_z(p, " host ");
	paint_tone(p, TONE_BOLD, "");
	paint_text(p, row_text(row, "host"));
	paint_z(p, "   up ");
	paint_span(p, row_value(row, "up"));
	if (row_field(row, "boot")) {
		paint_z(p, "   boot ");
		paint_span(p, row_value(row, "boot"));
	}
	paintf(p, "   hark (init %llu, manager %llu)     ",
	       (unsigned long long)row_value(row, "init_pid"),
	       (unsigned long long)row_value(row, "manager_pid"));
	paint_text(p, state);
	if (failed)
		paintf(p, ": %llu failed", (unsigned long long)failed);
	paint_end(p);
	paintf(p,
	       "  %llu active   %llu waiting on a trigger   %llu failed   %llu jobs   %llu units",
	       (unsigned long long)row_value(row, "active"),
	       (unsigned long long)row_value(row, "waiting"), (unsigned long long)failed,
	       (unsigned long long)row_value(row, "jobs"),
	       (unsigned long long)row_value(row, "units"));
	paint_end(p);
	if (row_value(row, "safe_mode")) {
		paint_tone(p, TONE_BAD, "  SAFE MODE  ");
		paintf(p, "after %llu crashes: %llu processes are kept, nothing is started",
		       (unsigned long long)row_value(row, "crashes"),
		       (unsigned long long)row_value(row, "kept_processes"));
		paint_z(p, "; harkctl reexec leaves it");
		paint_end(p);
	}
	if (!row_field(row, "crash"))
		return;
	paint_tone(p, TONE_WARN, "  NOTE    ");
	paint_z(p, "the manager crashed ");
	paint_ago(p, row_value(row, "crash_time"));
	paint_z(p, " ago; harkctl crashes tells how");
	paint_end(p);
}

static void show_concern(struct paint *p, const struct row *row)
{
	bool is_failed = row_is(row, "failed");

	paint_z(p, "  ");
	if (is_failed)
		paint_tone(p, TONE_BAD, "FAILED  ");
	else
		paint_tone(p, TONE_WARN, "NOTE    ");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, "   ");
	if (is_failed) {
		paint_text(p, row_text(row, "reason"));
		paint_z(p, ", ");
		paint_ago(p, row_value(row, "since"));
		paint_z(p, " ago");
	} else if (row_value(row, "changed_on_disk")) {
		paint_z(p, "its files changed on disk, it runs with the old ones");
	} else {
		paintf(p, "restarted %llu times", (unsigned long long)row_value(row, "restarts"));
	}
	paint_end(p);
}

void show_health(struct screen *s, const struct row *rows)
{
	for (const struct row *row = rows; row; row = row->next) {
		if (row_is(row, "health"))
			show_health_head(&s->paint, row);
		else if (!screen_common(s, row))
			show_concern(&s->paint, row);
	}
}

/* --- status --- */

static void show_files(struct paint *p, const struct row *row)
{
	unsigned at = 0;
	struct str item;

	if (!row_text(row, "fragment").n)
		return;
	show_label(p, "unit");
	paint_text(p, row_text(row, "fragment"));
	while (row_item(row, "dropins", &at, &item)) {
		paint_z(p, " + ");
		paint_text(p, item);
	}
	paint_end(p);
	if (row_value(row, "changed_on_disk")) {
		show_label(p, "");
		paint_tone(p, TONE_WARN, "changed on disk since it was read");
		paint_end(p);
	}
}

static void show_reason(struct paint *p, const struct row *row)
{
	struct str kind = row_text(row, "reason_kind");
	struct str by = row_text(row, "reason_unit");

	if (str_eq_z(kind, "not-running")) {
		show_labelled(p, row, "because", "reason");
		return;
	}
	show_label(p, "reason");
	paint_text(p, kind);
	paint_z(p, by.n ? " " : "");
	paint_text(p, by);
	paint_end(p);
	show_labelled(p, row, "started by", "started_by");
	show_labelled(p, row, "held by", "refs");
}

static void show_resources(struct paint *p, const struct row *row)
{
	if (!row_field(row, "cpu") && !row_field(row, "memory"))
		return;
	show_label(p, "resources");
	if (row_field(row, "cpu")) {
		paint_z(p, "cpu ");
		paint_span(p, row_value(row, "cpu"));
		paint_z(p, "   ");
	}
	if (row_field(row, "memory"))
		paintf(p, "mem %llu KiB   ", (unsigned long long)row_value(row, "memory") / 1024);
	if (row_field(row, "tasks"))
		paintf(p, "tasks %llu   ", (unsigned long long)row_value(row, "tasks"));
	paintf(p, "restarts %llu", (unsigned long long)row_value(row, "restarts"));
	paint_end(p);
}

/* Of a timer. */
static void show_times(struct paint *p, const struct row *row)
{
	if (row_value(row, "next")) {
		show_label(p, "next");
		paint_clock(p, row_value(row, "next"));
		paint_z(p, ", in ");
		paint_until(p, row_value(row, "next"));
		paint_end(p);
	}
	if (row_value(row, "last")) {
		show_label(p, "last");
		paint_clock(p, row_value(row, "last"));
		paint_z(p, ", ");
		paint_ago(p, row_value(row, "last"));
		paint_z(p, " ago");
		paint_end(p);
	}
}

static void show_unit(struct paint *p, const struct row *row)
{
	unsigned at = 0;
	struct str item;

	paint_sign(p, row_text(row, "active"), row_value(row, "waiting"));
	paint_z(p, " ");
	paint_tone(p, TONE_BOLD, "");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, p->has_utf8 ? " — " : " - ");
	paint_text(p, row_text(row, "description"));
	paint_z(p, "    ");
	show_state(p, row);
	paint_end(p);
	show_reason(p, row);
	show_files(p, row);
	if (!str_eq_z(row_text(row, "load"), "loaded"))
		show_labelled(p, row, "load", "load");
	show_labelled(p, row, "job", "job");
	show_labelled(p, row, "listens", "listens");
	show_labelled(p, row, "accepted", "accepted");
	show_labelled(p, row, "watches", "watches");
	show_times(p, row);
	show_labelled(p, row, "triggers", "triggers");
	show_labelled(p, row, "mounted", "mounted");
	show_labelled(p, row, "main pid", "pid");
	show_labelled(p, row, "status", "status");
	show_labelled(p, row, "peer", "peer");
	show_labelled(p, row, "note", "status_note");
	while (row_item(row, "notes", &at, &item)) {
		show_label(p, "note");
		paint_text(p, item);
		paint_end(p);
	}
	show_resources(p, row);
	show_labelled(p, row, "cgroup", "cgroup");
}

/* "MemoryMax=   1G -> 2G   /etc/units/a.service:5"; behind the last of them when they take effect. */
static void show_change(struct paint *p, const struct row *row)
{
	struct str runs = row_text(row, "runs"), files = row_text(row, "files");
	bool is_last = !row->next || !row_is(row->next, "change");

	show_label(p, "changed");
	paint_text(p, row_text(row, "directive"));
	paint_z(p, "= ");
	paint_text(p, runs.n ? runs : STR("(not set)"));
	paint_z(p, p->has_utf8 ? " → " : " -> ");
	paint_text(p, files.n ? files : STR("(not set)"));
	if (row_text(row, "file").n) {
		paint_z(p, "   ");
		paint_text(p, row_text(row, "file"));
		paintf(p, ":%llu", (unsigned long long)row_value(row, "line"));
	}
	paint_end(p);
	if (!is_last)
		return;
	show_label(p, "");
	paint_tone(p, TONE_WARN, "it runs by its old settings until it is restarted");
	paint_end(p);
}

static bool follows_process(const struct row *row)
{
	return row->next && row_is(row->next, "process");
}

static void show_process(struct paint *p, const struct row *row)
{
	paintf(p, "              %s ", paint_branch(p, !follows_process(row)));
	paintf(p, "%llu ", (unsigned long long)row_value(row, "pid"));
	paint_text(p, row_text(row, "command"));
	paint_end(p);
}

static void show_trigger_of(struct paint *p, const struct row *row)
{
	static const char *const ways[] = {"listens", "watches"};

	show_label(p, "triggered by");
	paint_z(p, " ");
	paint_sign(p, row_text(row, "active"), false);
	paint_z(p, " ");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, "  ");
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++)
		if (row_field(row, ways[i]))
			paint_field(p, row, ways[i]);
	if (row_value(row, "next")) {
		paint_z(p, "next ");
		paint_clock(p, row_value(row, "next"));
	}
	if (row_value(row, "accepted"))
		paintf(p, "   accepted %llu", (unsigned long long)row_value(row, "accepted"));
	paint_end(p);
}

void show_status(struct screen *s, const struct row *rows)
{
	struct paint *p = &s->paint;

	for (const struct row *row = rows; row; row = row->next) {
		if (row_is(row, "health") || row_is(row, "failed") || row_is(row, "note")) {
			show_health(s, row);
			return;
		}
		if (row_is(row, "unit")) {
			if (row != rows)
				paint_end(p);
			show_unit(p, row);
		} else if (row_is(row, "process")) {
			show_process(p, row);
		} else if (row_is(row, "change")) {
			show_change(p, row);
		} else if (row_is(row, "trigger")) {
			show_trigger_of(p, row);
		} else if (row_is(row, "output")) {
			screen_output(p, row);
		} else {
			screen_common(s, row);
		}
	}
}

/* --- why --- */

static void show_because(struct paint *p, const struct row *row)
{
	int depth = (int)(row_value(row, "depth") < 16 ? row_value(row, "depth") : 16);

	paintf(p, "  %*s%s ", 3 * depth, "", paint_branch(p, true));
	paint_clock(p, row_value(row, "time"));
	paint_z(p, "  ");
	paint_text(p, row_text(row, "text"));
	paint_end(p);
}

static void show_why_head(struct paint *p, const struct row *row)
{
	bool is_down = str_eq_z(row_text(row, "reason_kind"), "not-running");
	struct str by = row_text(row, "reason_unit"), active = row_text(row, "active");

	paint_sign(p, active, row_value(row, "waiting"));
	paint_z(p, " ");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, is_down                            ? " is not running"
		   : str_eq_z(active, "activating")   ? " is starting"
		   : str_eq_z(active, "deactivating") ? " is stopping"
						      : " is running");
	if (!is_down) {
		paint_z(p, "  (");
		paint_text(p, row_text(row, "reason_kind"));
		paint_z(p, by.n ? " " : "");
		paint_text(p, by);
		paint_z(p, ")");
	}
	paint_z(p, !is_down ? " because" : row_text(row, "reason").n ? ": " : "");
	paint_text(p, row_text(row, "reason"));
	paint_end(p);
	screen_place(p, row);
}

static void show_why_keeps(struct paint *p, const struct row *row)
{
	bool is_down = str_eq_z(row_text(row, "reason_kind"), "not-running");
	unsigned at = 0;
	struct str item;

	if (!is_down) {
		paint_z(p, "  it keeps running: ");
		if (row_text(row, "restart").n)
			paintf(p, "Restart=" STR_FMT ", ", STR_ARG(row_text(row, "restart")));
		if (row_value(row, "restarts"))
			paintf(p, "restarted %llu times, ",
			       (unsigned long long)row_value(row, "restarts"));
		paint_z(p, row_field(row, "refs") ? "held by " : "nobody requires it");
		if (row_field(row, "refs"))
			paint_field(p, row, "refs");
		paint_end(p);
	}
	if (row_field(row, "starters"))
		paint_z(p, is_down ? "  would start it: " : "  would also start it: ");
	while (row_item(row, "starters", &at, &item)) {
		paint_text(p, item);
		paint_z(p, at < row->n && row->fields[at].tag == TAG_ITEM ? ", " : "");
	}
	if (row_field(row, "starters"))
		paint_end(p);
}

static void show_before(struct paint *p, const struct row *row)
{
	paint_z(p, "  ran before: ");
	paint_clock(p, row_value(row, "time"));
	paint_z(p, "  ");
	paint_text(p, row_text(row, "text"));
	paint_end(p);
}

enum { TREE_DEPTH = 32 };

/* The next row by name after `last` (NULL: the first) of what was started because of that unit. */
static const struct row *next_started(const struct row *rows, struct str by, const struct row *last)
{
	const struct row *next = NULL;

	for (const struct row *row = rows; row; row = row->next) {
		struct str unit = row_text(row, "unit");

		if (row_is(row, "started") && str_eq(row_text(row, "by"), by) &&
		    (!last || str_cmp(unit, row_text(last, "unit")) > 0) &&
		    (!next || str_cmp(unit, row_text(next, "unit")) < 0))
			next = row;
	}
	return next;
}

/* What stands below root among rows: at each depth the row that is being shown. */
static void show_tree(struct paint *p, const struct row *rows, const struct row *root)
{
	const struct row *at[TREE_DEPTH] = {root};
	unsigned depth = 1;

	paint_text(p, row_text(root, "unit"));
	paint_end(p);
	while (depth > 0) {
		at[depth] = next_started(rows, row_text(at[depth - 1], "unit"), at[depth]);
		if (!at[depth]) {
			depth--;
			continue;
		}
		paintf(p, "%*s", (int)(2 * depth), "");
		paint_text(p, row_text(at[depth], "unit"));
		paint_z(p, "  ");
		paint_text(p, row_text(at[depth], "sub"));
		paint_end(p);
		if (depth + 1 < TREE_DEPTH)
			at[++depth] = NULL;
	}
}

/* The head comes first, but what keeps it running is told after the chain. */
void show_why(struct screen *s, const struct row *rows)
{
	const struct row *head = NULL;

	for (const struct row *row = rows; row; row = row->next) {
		bool is_chain = row_is(row, "because");

		if (head && !is_chain) {
			show_why_keeps(&s->paint, head);
			head = NULL;
		}
		if (is_chain) {
			show_because(&s->paint, row);
		} else if (row_is(row, "why")) {
			head = row;
			show_why_head(&s->paint, row);
		} else if (row_is(row, "root")) {
			show_tree(&s->paint, row, row);
		} else if (row_is(row, "before")) {
			show_before(&s->paint, row);
		} else if (!row_is(row, "started")) {
			screen_common(s, row);
		}
	}
	if (head)
		show_why_keeps(&s->paint, head);
}
