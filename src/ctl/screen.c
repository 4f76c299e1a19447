/* SPDX-License-Identifier: MIT */
#include "ctl/screen.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/fd.h"

enum { SOURCE_MAX = 1024 * 1024 };

void screen_flush(struct screen *s)
{
	paint_flush(&s->paint);
	if (s->errors.n)
		(void)!fd_write_all(STDERR_FILENO, s->errors.p, s->errors.n);
	sbuf_reset(&s->errors);
}

/* The line of the file, with a caret below columns [col, end). A file we may not read is passed over. */
static void show_source(struct paint *p, const char *path, uint64_t line, uint64_t col,
			uint64_t end)
{
	AUTO_MEM char *text = NULL;
	struct str rest, piece = {NULL, 0};
	size_t n;

	if (!line || fd_read_file(AT_FDCWD, path, SOURCE_MAX, &text, &n) < 0)
		return;
	rest = (struct str){text, n};
	for (uint64_t i = 0; i < line; i++)
		if (!str_cut(&rest, '\n', &piece))
			return;
	paintf(p, "    %4llu | ", (unsigned long long)line);
	paint_text(p, piece);
	paint_end(p);
	if (!col || col > piece.n + 1)
		return;
	end = end > col && end <= piece.n + 1 ? end : col + 1;
	paintf(p, "         | %*s", (int)col - 1, "");
	for (uint64_t i = col; i < end; i++)
		paint_tone(p, TONE_BAD, "^");
	paint_end(p);
}

/* A place of its own fields, or one that a sentence begins with: "/etc/units/x.service:7: ...". */
void screen_place(struct paint *p, const struct row *row)
{
	AUTO_MEM char *path = NULL;
	struct str file = row_text(row, "file");
	uint64_t line = row_value(row, "line"), col = row_value(row, "col");
	struct str reason = row_text(row, "reason");

	if (!file.n && reason.n && reason.p[0] == '/') {
		size_t colon = str_index(reason, ':');
		struct str after = str_sub(reason, colon < reason.n ? colon + 1 : colon, reason.n);

		file = str_sub(reason, 0, colon);
		if (str_to_u64(str_sub(after, 0, str_index(after, ':')), &line) < 0)
			return;
	}
	path = file.n ? mem_dup(file.p, file.n) : NULL;
	if (!path)
		return;
	paint_z(p, "     --> ");
	paint_text(p, file);
	if (line)
		paintf(p, ":%llu", (unsigned long long)line);
	if (col)
		paintf(p, ":%llu", (unsigned long long)col);
	paint_end(p);
	show_source(p, path, line, col, row_value(row, "endcol"));
}

static void show_finding(struct paint *p, const struct row *row)
{
	bool is_error = str_eq_z(row_text(row, "severity"), "error");
	struct str code = row_text(row, "code"), suggestion = row_text(row, "suggestion");

	paint_z(p, "  ");
	paint_tone(p, is_error ? TONE_BAD : TONE_WARN, is_error ? "error" : "warning");
	if (code.n)
		paintf(p, "[" STR_FMT "]", STR_ARG(code));
	paint_z(p, ": ");
	paint_text(p, row_text(row, "text"));
	if (suggestion.n) {
		paint_z(p, " (");
		paint_text(p, suggestion);
		paint_z(p, ")");
	}
	paint_end(p);
	screen_place(p, row);
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
		show_finding(&s->paint, row);
	else if (row_is(row, "cycle"))
		show_cycle(&s->paint, row);
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
