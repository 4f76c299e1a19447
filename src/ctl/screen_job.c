/* SPDX-License-Identifier: MIT */
/* Jobs as they happen. */
#include "ctl/screen.h"

static const char *past(const struct row *row)
{
	static const struct {
		const char *type, *word;
	} words[] = {
		{"start", "started"},
		{"stop", "stopped"},
		{"restart", "restarted"},
		{"try-restart", "restarted"},
		{"reload", "reloaded"},
		{"try-reload", "reloaded"},
		{"reload-or-start", "reloaded"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_z(row_text(row, "type"), words[i].type))
			return words[i].word;
	return "done";
}

/* How a job's result looks; what is not here has failed. */
static const struct outcome {
	const char *result, *utf8, *ascii, *word;
	enum tone tone;
} outcomes[] = {
	{"done", "✓", "ok", NULL, TONE_GOOD},
	{"skipped", "–", "--", "skipped", TONE_WARN},
	{NULL, "×", "x ", "failed", TONE_BAD},
};

static const struct outcome *outcome_of(const struct row *row)
{
	const struct outcome *o = outcomes;

	while (o->result && !str_eq_z(row_text(row, "result"), o->result))
		o++;
	return o;
}

static void show_unit_outcome(struct paint *p, const struct row *row, const struct outcome *o)
{
	paint_z(p, "  ");
	paint_tone(p, o->tone, p->has_utf8 ? o->utf8 : o->ascii);
	paint_z(p, " ");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, "  ");
}

static void show_done(struct paint *p, const struct row *row)
{
	paint_z(p, past(row));
	if (!row_value(row, "job")) {
		paint_z(p, " (there was nothing to do)");
		return;
	}
	paint_z(p, " in ");
	paint_span(p, row_value(row, "took"));
	if (row_value(row, "pid"))
		paintf(p, "   pid %llu", (unsigned long long)row_value(row, "pid"));
}

static void show_job_end(struct paint *p, const struct row *row)
{
	const struct outcome *o = outcome_of(row);
	struct str reason = row_text(row, "reason");

	show_unit_outcome(p, row, o);
	if (!o->word) {
		show_done(p, row);
		paint_end(p);
		return;
	}
	paintf(p, "%s after ", o->word);
	paint_span(p, row_value(row, "took"));
	paint_z(p, ": ");
	paint_text(p, reason.n ? reason : row_text(row, "text"));
	paint_end(p);
	screen_place(p, row);
}

static void show_died(struct paint *p, const struct row *row)
{
	struct str reason = row_text(row, "reason");

	show_unit_outcome(p, row, &outcomes[ARRAY_SIZE(outcomes) - 1]);
	paint_z(p, "died ");
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
