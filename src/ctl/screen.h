/* SPDX-License-Identifier: MIT */
/*
 * screen - the answers as people read them: one show_*() per screen word of verbs.def, over the rows of ctl/rows and the means
 * of ctl/paint.
 */
#pragma once

#include "ctl/paint.h"

struct screen {
	struct paint paint;
	struct sbuf errors; /* goes to descriptor 2 */
	const struct verb *verb;
	struct rows own; /* of verbs that harkctl answers itself and that have a screen */
	bool is_value_only;
	bool has_several;   /* units were asked for */
	bool has_live_line; /* a line without end stands on the terminal */
};

/* One row as it arrives (screens that stream), or NULL rows at the end. */
typedef void (*screen_fn)(struct screen *s, const struct row *rows);

/* Screens that render at the end get the first row; those that stream are called with each single row. */
extern const screen_fn screens[VERBS];
bool screen_is_stream(enum verb_id id);
/* Rows that any verb may send: error, finding, cycle, note. True when it was one. */
bool screen_common(struct screen *s, const struct row *row);
/* One row as it arrives, with the screen of s->verb; for question.on_row. */
void screen_row(void *screen, const struct row *row);
/* Write out what is there: first the answers, then the errors. */
void screen_flush(struct screen *s);

/* Pieces that several screens have. */
void screen_errors(struct screen *s, const struct row *rows);
void screen_place(struct paint *p, const struct row *row);
void screen_note(struct paint *p, const struct row *row);
void screen_output(struct paint *p, const struct row *row);

/* screen_unit.c */
void show_health(struct screen *s, const struct row *rows);
void show_status(struct screen *s, const struct row *rows);
void show_why(struct screen *s, const struct row *rows);
/* screen_job.c: one row at a time */
void show_job(struct screen *s, const struct row *row);
/* screens.c */
void show_note(struct screen *s, const struct row *rows);
void show_list(struct screen *s, const struct row *rows);
void show_triggers(struct screen *s, const struct row *rows);
void show_deps(struct screen *s, const struct row *rows);
void show_logs(struct screen *s, const struct row *row); /* one row at a time */
void show_timers(struct screen *s, const struct row *rows);
void show_jobs(struct screen *s, const struct row *rows);
void show_holds(struct screen *s, const struct row *rows);
void show_whose(struct screen *s, const struct row *rows);
void show_cat(struct screen *s, const struct row *rows);
void show_monitor(struct screen *s, const struct row *row); /* one row at a time */
void show_show(struct screen *s, const struct row *rows);
void show_word(struct screen *s, const struct row *rows);
void show_ledger(struct screen *s, const struct row *rows);
void show_history(struct screen *s, const struct row *rows);
void show_trace(struct screen *s, const struct row *rows);
void show_unit_files(struct screen *s, const struct row *rows);
void show_crashes(struct screen *s, const struct row *rows);
