/* SPDX-License-Identifier: MIT */
/* Jobs as they happen. */
#include "ctl/screen.h"

static const char *past(const struct row *row)
{
	static const struct {
		const char *type, *word;
	} words[] = {
		{ "start", "started" },		  { "stop", "stopped" },
		{ "restart", "restarted" },	  { "try-restart", "restarted" },
		{ "reload", "reloaded" },	  { "try-reload", "reloaded" },
		{ "reload-or-start", "reloaded" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_z(row_text(row, "type"), words[i].type))
			return words[i].word;
	return "done";
}

static void show_job_end(struct paint *p, const struct row *row)
{
	struct str result = row_text(row, "result");
	bool is_done = str_eq_z(result, "done"), is_skipped = str_eq_z(result, "skipped");
	struct str reason = row_text(row, "reason");

	paint_z(p, "  ");
	paint_tone(p, is_done ? TONE_GOOD : is_skipped ? TONE_WARN : TONE_BAD,
		   !p->has_utf8 ? (is_done ? "ok" : is_skipped ? "--" : "x ") : is_done ? "✓" : is_skipped ? "–" : "×");
	paint_z(p, " ");
	paint_text(p, row_text(row, "unit"));
	paintf(p, "  %s", is_done ? past(row) : is_skipped ? "skipped" : "failed");
	if (is_done && !row_value(row, "job")) {
		paint_z(p, " (there was nothing to do)");
	} else {
		paint_z(p, is_done ? " in " : " after ");
		paint_span(p, row_value(row, "took"));
	}
	if (is_done && row_value(row, "pid"))
		paintf(p, "   pid %llu", (unsigned long long)row_value(row, "pid"));
	if (!is_done) {
		paint_z(p, ": ");
		paint_text(p, reason.n ? reason : row_text(row, "text"));
	}
	paint_end(p);
	if (!is_done)
		screen_place(p, row);
}

static void show_died(struct paint *p, const struct row *row)
{
	struct str reason = row_text(row, "reason");

	paint_z(p, "  ");
	paint_tone(p, TONE_BAD, p->has_utf8 ? "×" : "x ");
	paint_z(p, " ");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, "  died ");
	paint_span(p, row_value(row, "after"));
	paint_z(p, " after it was started");
	paint_z(p, reason.n ? ": " : "");
	paint_text(p, reason);
	paint_end(p);
	screen_place(p, row);
}

static void show_culprit(struct paint *p, const struct row *row)
{
	struct str reason = row_text(row, "reason");

	paint_z(p, "     it needs ");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, " (");
	paint_text(p, row_text(row, "dependency"));
	paint_z(p, "=)");
	paint_z(p, reason.n ? ": " : "");
	paint_text(p, reason);
	paint_end(p);
	screen_place(p, row);
}

/* The last lines a service wrote come one row each; a heading stands above the first. */
void show_job(struct screen *s, const struct row *row)
{
	struct paint *p = &s->paint;

	if (s->has_live_line)
		paint_z(p, "\r\033[K");
	s->has_live_line = false;
	if (row_is(row, "queued")) {
		if (!p->is_terminal || !row_value(row, "job"))
			return;
		paint_z(p, p->has_utf8 ? "  … " : "  . ");
		paint_text(p, row_text(row, "unit"));
		paint_z(p, "  ");
		paint_text(p, row_text(row, "type"));
		s->has_live_line = true;
	} else if (row_is(row, "job")) {
		show_job_end(p, row);
	} else if (row_is(row, "died")) {
		show_died(p, row);
	} else if (row_is(row, "culprit")) {
		show_culprit(p, row);
	} else if (row_is(row, "output")) {
		paint_z(p, "   ");
		screen_output(p, row);
	} else if (!screen_common(s, row)) {
		screen_note(p, row);
	}
	screen_flush(s);
}
