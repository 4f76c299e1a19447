/* SPDX-License-Identifier: MIT */
#include "ctl/screen.h"

#include <unistd.h>

#include "core/fd.h"
#include "ctl/finding.h"

enum { PLACE_INDENT = 4 }; /* columns */

void screen_flush(struct screen *s)
{
	paint_flush(&s->paint);
	if (s->errors.n)
		(void)!fd_write_all(STDERR_FILENO, s->errors.p, s->errors.n);
	sbuf_reset(&s->errors);
}

void screen_row(void *screen, const struct row *row)
{
	struct screen *s = screen;

	screens[s->verb->id](s, row);
}

/* A place of its own fields, or one that a sentence begins with: "/etc/units/x.service:7: ...". */
void screen_place(struct paint *p, const struct row *row)
{
	struct finding_place place = {
		.file = row_text(row, "file"),
		.line = row_value(row, "line"),
		.col = row_value(row, "col"),
		.end = row_value(row, "endcol"),
	};
	struct str reason = row_text(row, "reason");

	if (!place.file.n && reason.n && reason.p[0] == '/') {
		size_t colon = str_index(reason, ':');
		struct str after = str_sub(reason, colon < reason.n ? colon + 1 : colon, reason.n);

		place.file = str_sub(reason, 0, colon);
		if (str_to_u64(str_sub(after, 0, str_index(after, ':')), &place.line) < 0)
			return;
	}
	if (place.file.n)
		finding_show_place(p, &place, PLACE_INDENT);
}

void screen_note(struct paint *p, const struct row *row)
{
	struct str unit = row_text(row, "unit");

	paint_text(p, unit);
	paint_z(p, unit.n ? ": " : "");
	paint_text(p, row_text(row, "text"));
	paint_end(p);
}

static void show_cycle(struct paint *p, const struct row *row)
{
	struct str rest = row_text(row, "text"), line;

	paint_tone(p, TONE_WARN, "ordering cycle");
	paint_z(p, ", broken by dropping one of its edges:");
	paint_end(p);
	while (str_cut(&rest, '\n', &line))
		if (line.n) {
			paint_z(p, "  ");
			paint_text(p, line);
			paint_end(p);
		}
}

static void show_dropped(struct paint *p, const struct row *row)
{
	paint_z(p, "  ");
	paint_tone(p, TONE_WARN, "DROPPED ");
	paint_text(p, row_text(row, "directive"));
	paint_z(p, "=");
	paint_text(p, row_text(row, "other"));
	paint_z(p, " of ");
	paint_text(p, row_text(row, "unit"));
	paint_z(p, ", to break an ordering cycle");
	paint_end(p);
	screen_place(p, row);
}

/* Errors go to descriptor 2: painted with the same means, then moved there. */
static void show_error(struct screen *s, const struct row *row)
{
	struct paint p = s->paint;

	p.out = (struct sbuf){0};
	p.line_at = 0;
	paint_z(&p, "harkctl: ");
	paint_text(&p, row_text(row, "text"));
	paint_end(&p);
	sbuf_add(&s->errors, (struct str){p.out.p, p.out.n});
	sbuf_fini(&p.out);
}

bool screen_common(struct screen *s, const struct row *row)
{
	if (row_is(row, "error"))
		show_error(s, row);
	else if (row_is(row, "finding"))
		finding_show(&s->paint, row, 2);
	else if (row_is(row, "cycle"))
		show_cycle(&s->paint, row);
	else if (row_is(row, "dropped"))
		show_dropped(&s->paint, row);
	else
		return false;
	return true;
}

void screen_errors(struct screen *s, const struct row *rows)
{
	for (const struct row *row = rows; row; row = row->next)
		if (row_is(row, "error"))
			show_error(s, row);
}

void screen_output(struct paint *p, const struct row *row)
{
	paint_z(p, "  ");
	paint_clock(p, row_value(row, "time"));
	paint_z(p, "  ");
	paint_text(p, row_text(row, "text"));
	paint_end(p);
}
