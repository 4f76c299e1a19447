/* SPDX-License-Identifier: MIT */
#include "ctl/finding.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/fd.h"

enum {
	SOURCE_MAX = 4 * 1024 * 1024,
	SHOWN_MAX = 160, /* bytes of a source line; of a longer one the part around the caret */
	SHOWN_BEFORE = 60
};

/* The line of that number; p NULL when the text has fewer. */
static struct str line_of(struct str text, uint64_t line)
{
	struct str piece = {NULL, 0};

	for (uint64_t k = 0; k < line; k++)
		if (!str_cut(&text, '\n', &piece))
			return (struct str){NULL, 0};
	return piece;
}

static bool is_continuation_byte(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A file that says a line but no column: the name in front of the = sign. */
static void find_name(struct str line, struct finding_place *place)
{
	struct str name = str_trim(str_sub(line, 0, str_index(line, '=')));

	if (place->col || name.n == 0)
		return;
	place->col = (uint64_t)(name.p - line.p) + 1;
	place->end = place->col + name.n;
}

static void show_caret(struct paint *p, struct str line, const struct finding_place *place)
{
	size_t from = (size_t)place->col - 1, to = from + 1, n;

	if (place->end > place->col && place->end <= line.n + 1)
		to = (size_t)place->end - 1;
	n = paint_columns(str_sub(line, from, to));
	paintf(p, "%*s", (int)paint_columns(str_sub(line, 0, from)), "");
	for (size_t k = 0; k < n || k == 0; k++)
		paint_tone(p, TONE_BAD, "^");
	if (place->note.n) {
		paint_z(p, " ");
		paint_text(p, place->note);
	}
}

/* Of a long line the part around the caret. */
static void cut_window(struct str *line, struct finding_place *place)
{
	size_t skip;

	if (line->n <= SHOWN_MAX)
		return;
	skip = place->col > SHOWN_BEFORE ? (size_t)place->col - SHOWN_BEFORE : 0;
	while (skip < line->n && is_continuation_byte(line->p[skip]))
		skip++;
	*line = str_sub(*line, skip, skip + SHOWN_MAX);
	while (line->n && is_continuation_byte(line->p[line->n - 1]))
		line->n--;
	place->col -= skip;
	place->end = place->end > skip ? place->end - skip : 0;
}

static void show_source(struct paint *p, struct str line, struct finding_place place,
			unsigned indent)
{
	int digits = snprintf(NULL, 0, "%llu", (unsigned long long)place.line);

	cut_window(&line, &place);
	paintf(p, "%*s |", (int)indent + digits, "");
	paint_end(p);
	paintf(p, "%*s%llu | ", (int)indent, "", (unsigned long long)place.line);
	paint_text(p, line);
	paint_end(p);
	paintf(p, "%*s | ", (int)indent + digits, "");
	if (place.col && place.col <= line.n + 1)
		show_caret(p, line, &place);
	else
		paint_text(p, place.note);
	paint_end(p);
}

void finding_show_place(struct paint *p, const struct finding_place *where, unsigned indent)
{
	struct finding_place place = *where;
	AUTO_MEM char *path = place.file.n ? mem_dup(place.file.p, place.file.n) : NULL;
	AUTO_MEM char *text = NULL;
	struct str line = {NULL, 0};
	size_t n = 0;

	if (path && place.line && fd_read_file(AT_FDCWD, path, SOURCE_MAX, &text, &n) == 0)
		line = line_of((struct str){text, n}, place.line);
	if (line.p && line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.p)
		find_name(line, &place);
	if (path) {
		paintf(p, "%*s --> ", (int)indent, "");
		paint_text(p, place.file);
		if (place.line)
			paintf(p, ":%llu", (unsigned long long)place.line);
		if (place.line && place.col)
			paintf(p, ":%llu", (unsigned long long)place.col);
		paint_end(p);
	}
	if (line.p) {
		show_source(p, line, place, indent);
	} else if (place.note.n) {
		paintf(p, "%*s  = ", (int)indent, "");
		paint_text(p, place.note);
		paint_end(p);
	}
}

static struct finding_place place_of(const struct row *row)
{
	return (struct finding_place){
		.file = row_text(row, "file"),
		.line = row_value(row, "line"),
		.col = row_value(row, "col"),
		.end = row_value(row, "endcol"),
		.note = row_text(row, "suggestion"),
	};
}

void finding_row(struct rows *rows, const char *unit, const struct diag *d)
{
	rows_begin(rows, "finding");
	rows_text(rows, "unit", unit);
	rows_text(rows, "file", d->file ? d->file : "");
	rows_number(rows, "line", d->line);
	rows_number(rows, "col", d->col);
	rows_number(rows, "endcol", d->end_col);
	rows_text(rows, "code", d->code);
	rows_text(rows, "severity", diag_severity_names[d->severity]);
	rows_text(rows, "message", d->message);
	rows_text(rows, "suggestion", d->suggestion ? d->suggestion : "");
	rows_end(rows);
}

void finding_show(struct paint *p, const struct row *row, unsigned indent)
{
	static const struct {
		const char *word;
		enum tone tone;
	} severities[] = {{"error", TONE_BAD}, {"warning", TONE_WARN}, {"note", TONE_DIM}};
	struct str code = row_text(row, "code");
	struct finding_place place = place_of(row);

	paintf(p, "%*s", (int)indent, "");
	for (unsigned k = 0; k < ARRAY_SIZE(severities); k++)
		if (str_eq_z(row_text(row, "severity"), severities[k].word))
			paint_tone(p, severities[k].tone, severities[k].word);
	paintf(p, "[" STR_FMT "]: ", STR_ARG(code));
	paint_text(p, row_text(row, "message"));
	paint_end(p);
	finding_show_place(p, &place, indent);
}

void finding_gcc(struct paint *p, const struct row *row)
{
	struct finding_place place = place_of(row);

	paint_text(p, place.file.n ? place.file : row_text(row, "unit"));
	paintf(p, ":%llu:%llu: ", (unsigned long long)(place.line ? place.line : 1),
	       (unsigned long long)(place.col ? place.col : 1));
	paint_text(p, row_text(row, "severity"));
	paint_z(p, ": ");
	paint_text(p, row_text(row, "message"));
	if (place.note.n) {
		paint_z(p, "; ");
		paint_text(p, place.note);
	}
	paintf(p, " [" STR_FMT "]\n", STR_ARG(row_text(row, "code")));
	p->line_at = p->out.n;
}
