/* SPDX-License-Identifier: MIT */
#include "ctl/paint.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "units/value.h"

enum { COLUMNS_MAX = 12, WIDTH_MIN = 20, MINUTE = 60, HOUR = 3600, DAY = 86400 };

static const char *const tone_codes[TONES] = {
	[TONE_PLAIN] = "",       [TONE_GOOD] = "\033[32m", [TONE_WARN] = "\033[33m",
	[TONE_BAD] = "\033[31m", [TONE_DIM] = "\033[2m",   [TONE_BOLD] = "\033[1m",
};

static bool is_utf8_locale(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

void paint_init(struct paint *p, bool full)
{
	struct winsize size = {0};
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	*p = (struct paint){.has_utf8 = is_utf8_locale(), .now_us = clock_wall_us()};
	p->is_terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
	p->has_color = p->is_terminal && !(no_color && *no_color) && term &&
		       strcmp(term, "dumb") != 0;
	if (p->is_terminal && !full && size.ws_col >= WIDTH_MIN)
		p->width = size.ws_col;
}

void paint_fini(struct paint *p)
{
	sbuf_fini(&p->out);
}

void paint_flush(struct paint *p)
{
	if (p->out.n)
		(void)!fd_write_all(STDOUT_FILENO, p->out.p, p->out.n);
	sbuf_reset(&p->out);
	p->line_at = 0;
}

void paint_z(struct paint *p, const char *text)
{
	sbuf_add_z(&p->out, text);
}

void paintf(struct paint *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_addv(&p->out, fmt, ap);
	va_end(ap);
}

/*
 * Well-formed UTF-8, RFC 3629 section 4, without the control characters: the first byte's range, the second's, the length.
 * Overlong forms, surrogates and what lies beyond U+10FFFF have no row.
 */
static const struct {
	uint8_t first[2], second[2], n;
} utf8_rows[] = {
	{{0x20, 0x7e}, {0x00, 0xff}, 1}, {{0xc2, 0xc2}, {0xa0, 0xbf}, 2},
	{{0xc3, 0xdf}, {0x80, 0xbf}, 2}, {{0xe0, 0xe0}, {0xa0, 0xbf}, 3},
	{{0xe1, 0xec}, {0x80, 0xbf}, 3}, {{0xed, 0xed}, {0x80, 0x9f}, 3},
	{{0xee, 0xef}, {0x80, 0xbf}, 3}, {{0xf0, 0xf0}, {0x90, 0xbf}, 4},
	{{0xf1, 0xf3}, {0x80, 0xbf}, 4}, {{0xf4, 0xf4}, {0x80, 0x8f}, 4},
};

static bool is_between(char c, const uint8_t *range)
{
	return (uint8_t)c >= range[0] && (uint8_t)c <= range[1];
}

/* Bytes of the printable character that s begins with, 0 when it begins with none. */
static size_t utf8_length(struct str s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(utf8_rows); i++) {
		size_t n = utf8_rows[i].n, at = 1;

		if (!is_between(s.p[0], utf8_rows[i].first))
			continue;
		if (s.n < n || (n > 1 && !is_between(s.p[1], utf8_rows[i].second)))
			return 0;
		while (at < n && ((uint8_t)s.p[at] & 0xc0) == 0x80)
			at++;
		return at == n ? n : 0;
	}
	return 0;
}

void paint_text(struct paint *p, struct str text)
{
	for (size_t i = 0; i < text.n;) {
		size_t n = utf8_length(str_sub(text, i, text.n));

		if (n)
			sbuf_add(&p->out, str_sub(text, i, i + n));
		else if (text.p[i] == '\t')
			sbuf_add_c(&p->out, ' ');
		else
			sbuf_addf(&p->out, "\\x%02x", (unsigned char)text.p[i]);
		i += n ? n : 1;
	}
}

size_t paint_columns(struct str text)
{
	size_t columns = 0;

	for (size_t i = 0; i < text.n;) {
		size_t n = utf8_length(str_sub(text, i, text.n));

		columns += n || text.p[i] == '\t' ? 1 : strlen("\\x00");
		i += n ? n : 1;
	}
	return columns;
}

void paint_tone(struct paint *p, enum tone tone, const char *text)
{
	bool is_coloured = p->has_color && tone != TONE_PLAIN;

	if (is_coloured)
		paint_z(p, tone_codes[tone]);
	paint_z(p, text);
	if (is_coloured)
		paint_z(p, "\033[0m");
}

/* Bytes of what takes one or no column: an escape sequence, or one character. */
static size_t cell_bytes(struct str s, bool *ret_is_wide)
{
	size_t n = 1;

	*ret_is_wide = s.p[0] != '\033';
	if (!*ret_is_wide) {
		while (n < s.n && s.p[n] != 'm')
			n++;
		return n < s.n ? n + 1 : n;
	}
	while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* Columns of a text; *ret_at: bytes of its first `limit` columns. */
static size_t count_columns(struct str s, size_t limit, size_t *ret_at)
{
	size_t columns = 0, at = 0;
	bool is_wide;

	*ret_at = s.n;
	while (at < s.n) {
		size_t n = cell_bytes(str_sub(s, at, s.n), &is_wide);

		if (is_wide && columns == limit)
			*ret_at = at < *ret_at ? at : *ret_at;
		columns += is_wide;
		at += n;
	}
	return columns;
}

void paint_end(struct paint *p)
{
	size_t at;

	if (p->width && !p->out.err && p->out.n > p->line_at) {
		struct str line = {p->out.p + p->line_at, p->out.n - p->line_at};

		if (count_columns(line, p->width - 2, &at) >= p->width) {
			p->out.n = p->line_at + at;
			paint_z(p, p->has_color ? "\033[0m" : "");
			paint_z(p, p->has_utf8 ? "…" : "~");
		}
	}
	sbuf_add_c(&p->out, '\n');
	p->line_at = p->out.n;
}

void paint_sign(struct paint *p, struct str active, bool is_waiting)
{
	static const struct {
		const char *word, *utf8, *ascii;
		enum tone tone;
	} signs[] = {
		{"active", "●", "*", TONE_GOOD},       {"reloading", "↻", "~", TONE_WARN},
		{"failed", "×", "x", TONE_BAD},        {"activating", "↻", "~", TONE_WARN},
		{"deactivating", "↻", "~", TONE_WARN},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(signs); i++)
		if (str_eq_z(active, signs[i].word)) {
			paint_tone(p, signs[i].tone, p->has_utf8 ? signs[i].utf8 : signs[i].ascii);
			return;
		}
	paint_tone(p, is_waiting ? TONE_PLAIN : TONE_DIM,
		   p->has_utf8  ? "○"
		   : is_waiting ? "o"
				: "-");
}

const char *paint_branch(const struct paint *p, bool is_last)
{
	if (!p->has_utf8)
		return is_last ? "`-" : "|-";
	return is_last ? "└─" : "├─";
}

void paint_span(struct paint *p, uint64_t us)
{
	uint64_t s = us / US_PER_SEC;

	if (us == TIME_NEVER)
		paint_z(p, "for ever");
	else if (s < 1)
		paintf(p, "%u ms", (unsigned)(us / US_PER_MS));
	else if (s < 10)
		paintf(p, "%u.%02u s", (unsigned)s, (unsigned)(us % US_PER_SEC / 10000));
	else if (s < MINUTE)
		paintf(p, "%u s", (unsigned)s);
	else if (s < HOUR)
		paintf(p, "%u min %u s", (unsigned)(s / MINUTE), (unsigned)(s % MINUTE));
	else if (s < DAY)
		paintf(p, "%u h %u min", (unsigned)(s / HOUR), (unsigned)(s % HOUR / MINUTE));
	else
		paintf(p, "%llu d %u h", (unsigned long long)(s / DAY), (unsigned)(s % DAY / HOUR));
}

void paint_clock(struct paint *p, uint64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / US_PER_SEC), now = (time_t)(p->now_us / US_PER_SEC);
	struct tm tm, today;

	if (!wall_us || !localtime_r(&seconds, &tm) || !localtime_r(&now, &today)) {
		paint_z(p, "never");
		return;
	}
	if (tm.tm_yday != today.tm_yday || tm.tm_year != today.tm_year)
		paintf(p, "%04d-%02d-%02d ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	paintf(p, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec,
	       (unsigned)(wall_us % US_PER_SEC / US_PER_MS));
}

void paint_ago(struct paint *p, uint64_t wall_us)
{
	if (!wall_us) {
		paint_z(p, "never");
		return;
	}
	paint_span(p, p->now_us > wall_us ? p->now_us - wall_us : 0);
}

void paint_until(struct paint *p, uint64_t wall_us)
{
	paint_span(p, wall_us > p->now_us ? wall_us - p->now_us : 0);
}

/* "Thu 2024-11-21 13:03:00 UTC", as systemd prints it. */
static void paint_stamp(struct paint *p, uint64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / US_PER_SEC);
	char text[64];
	struct tm tm;

	if (wall_us && localtime_r(&seconds, &tm) &&
	    strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M:%S %Z", &tm) > 0)
		paint_z(p, text);
}

/* --- tables --- */

static void paint_value(struct paint *p, const struct field *f)
{
	switch ((unsigned)f->tag) {
	case TAG_BOOL:
		paint_z(p, f->value ? "yes" : "no");
		break;
	case TAG_STAMP:
		paint_ago(p, f->value);
		break;
	case TAG_SPAN:
		paint_span(p, f->value);
		break;
	case TAG_NUMBER:
		paintf(p, "%llu", (unsigned long long)f->value);
		break;
	case TAG_SIGNED:
		paintf(p, "%lld", (long long)f->value);
		break;
	default:
		paint_text(p, f->text);
	}
}

void paint_field(struct paint *p, const struct row *row, const char *key)
{
	const struct field *f = row_field(row, key);
	unsigned at = 0;
	struct str item;
	bool is_first = true;

	if (!f) {
		paint_z(p, p->has_utf8 ? "–" : "-");
		return;
	}
	if (f->tag != TAG_ITEM) {
		paint_value(p, f);
		return;
	}
	while (row_item(row, key, &at, &item)) {
		paint_z(p, is_first ? "" : " ");
		paint_text(p, item);
		is_first = false;
	}
}

static void paint_cell(struct paint *p, const struct row *row, const struct column *c)
{
	if (c->cell)
		c->cell(p, row);
	else
		paint_field(p, row, c->key);
}

/* How wide a cell is: painted, measured, taken back. */
static size_t measure(struct paint *p, const struct row *row, const struct column *c)
{
	size_t at = p->out.n, cut, columns;

	paint_cell(p, row, c);
	if (p->out.err)
		return 0;
	columns = count_columns((struct str){p->out.p + at, p->out.n - at}, SIZE_MAX, &cut);
	p->out.n = at;
	return columns;
}

static void pad(struct paint *p, size_t n)
{
	while (n-- > 0)
		sbuf_add_c(&p->out, ' ');
}

static void paint_row(struct paint *p, const struct row *row, const struct column *columns,
		      unsigned n, const size_t *widths)
{
	for (unsigned i = 0; i < n; i++) {
		size_t width = row ? measure(p, row, &columns[i]) : strlen(columns[i].title);
		size_t room = widths[i] > width ? widths[i] - width : 0;

		if (columns[i].is_right)
			pad(p, room);
		if (row)
			paint_cell(p, row, &columns[i]);
		else
			paint_tone(p, TONE_DIM, columns[i].title);
		if (i + 1 < n)
			pad(p, (columns[i].is_right ? 0 : room) + (i ? 2 : 1));
	}
	paint_end(p);
}

void paint_table(struct paint *p, const struct row *rows, const char *kind,
		 const struct column *columns, unsigned n)
{
	size_t widths[COLUMNS_MAX];
	bool any = false;

	for (unsigned i = 0; i < n && i < COLUMNS_MAX; i++)
		widths[i] = strlen(columns[i].title);
	for (const struct row *row = rows; row; row = row->next)
		for (unsigned i = 0; i < n && row_is(row, kind); i++) {
			size_t width = measure(p, row, &columns[i]);

			any = true;
			widths[i] = width > widths[i] ? width : widths[i];
		}
	if (!any)
		return;
	paint_row(p, NULL, columns, n, widths);
	for (const struct row *row = rows; row; row = row->next)
		if (row_is(row, kind))
			paint_row(p, row, columns, n, widths);
}

/* --- forms for programs --- */

static void json_text(struct paint *p, struct str s)
{
	sbuf_add_c(&p->out, '"');
	for (size_t i = 0; i < s.n;) {
		struct str rest = str_sub(s, i, s.n);
		size_t n = utf8_length(rest);
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			sbuf_addf(&p->out, "\\%c", c);
		else if (n)
			sbuf_add(&p->out, str_sub(rest, 0, n));
		else if (c < 0x80)
			sbuf_addf(&p->out, "\\u%04x", c);
		else
			paint_z(p, "\\ufffd"); /* not UTF-8: JSON has no way to say the byte */
		i += n ? n : 1;
	}
	sbuf_add_c(&p->out, '"');
}

static void json_value(struct paint *p, const struct field *f)
{
	switch ((unsigned)f->tag) {
	case TAG_BOOL:
		paint_z(p, f->value ? "true" : "false");
		break;
	case TAG_SPAN:
		/* Infinity has no number. */
		if (f->value == TIME_NEVER)
			paint_z(p, "null");
		else
			paintf(p, "%llu", (unsigned long long)f->value);
		break;
	case TAG_STAMP:
	case TAG_NUMBER:
		paintf(p, "%llu", (unsigned long long)f->value);
		break;
	case TAG_SIGNED:
		paintf(p, "%lld", (long long)f->value);
		break;
	default:
		json_text(p, f->text);
	}
}

static bool is_first_of_key(const struct row *row, unsigned at)
{
	return row_field(row, row->fields[at].key) == &row->fields[at];
}

static void json_list(struct paint *p, const struct row *row, const char *key)
{
	unsigned at = 0;
	struct str item;
	bool is_first = true;

	sbuf_add_c(&p->out, '[');
	while (row_item(row, key, &at, &item)) {
		paint_z(p, is_first ? "" : ",");
		json_text(p, item);
		is_first = false;
	}
	sbuf_add_c(&p->out, ']');
}

static void json_row(struct paint *p, const struct row *row)
{
	paint_z(p, "{\"row\":");
	json_text(p, str_of(row->kind));
	for (unsigned i = 0; i < row->n; i++) {
		const struct field *f = &row->fields[i];
		bool is_list = f->tag == TAG_ITEM;

		if (!is_first_of_key(row, i))
			continue;
		sbuf_add_c(&p->out, ',');
		json_text(p, str_of(f->key));
		sbuf_add_c(&p->out, ':');
		if (is_list)
			json_list(p, row, f->key);
		else
			json_value(p, f);
	}
	sbuf_add_c(&p->out, '}');
}

void paint_json(struct paint *p, const struct row *rows)
{
	sbuf_add_c(&p->out, '[');
	for (const struct row *row = rows; row; row = row->next) {
		json_row(p, row);
		paint_z(p, row->next ? ",\n " : "");
	}
	paint_z(p, "]\n");
	p->line_at = p->out.n;
}

static void kv_value(struct paint *p, const struct field *f)
{
	char text[128];

	if (f->tag == TAG_STAMP) {
		paint_stamp(p, f->value);
	} else if (f->tag == TAG_SPAN) {
		value_format_span(f->value, text, sizeof(text));
		paint_z(p, text);
	} else if (f->tag == TAG_TEXT || f->tag == TAG_ITEM) {
		paint_text(p, f->text);
	} else {
		paint_value(p, f);
	}
}

static bool has_blank(struct str s)
{
	return str_index(s, ' ') < s.n;
}

/* Items are joined by blanks; those that hold one stand on lines of their own, as systemctl does with ExecStart= and Listen=. */
static void kv_field(struct paint *p, const struct row *row, unsigned at, bool values_only)
{
	const struct field *f = &row->fields[at];
	bool is_own_line = f->tag == TAG_ITEM && has_blank(f->text);

	if (f->tag == TAG_ITEM && !is_own_line && !is_first_of_key(row, at))
		return;
	if (!values_only)
		paintf(p, "%s=", f->key);
	kv_value(p, f);
	for (unsigned i = at + 1; f->tag == TAG_ITEM && !is_own_line && i < row->n; i++)
		if (strcmp(row->fields[i].key, f->key) == 0 && !has_blank(row->fields[i].text)) {
			sbuf_add_c(&p->out, ' ');
			paint_text(p, row->fields[i].text);
		}
	paint_end(p);
}

void paint_kv(struct paint *p, const struct row *rows, bool values_only)
{
	p->width = 0;
	for (const struct row *row = rows; row; row = row->next) {
		for (unsigned i = 0; i < row->n; i++)
			kv_field(p, row, i, values_only);
		if (row->next)
			paint_end(p);
	}
}
