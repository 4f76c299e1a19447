/* SPDX-License-Identifier: MIT */
#include "units/ini.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Seen once for the whole text, by eight bytes: then no line needs to be looked at for it. */
static bool is_plain(struct str s)
{
	const uint64_t low = UINT64_C(0x0101010101010101), high = low << 7;
	uint64_t found = 0, word;
	size_t at = 0;

	for (; at + sizeof(word) <= s.n; at += sizeof(word)) {
		memcpy(&word, s.p + at, sizeof(word));
		found |= (word | (word - low)) & high;
	}
	for (; at < s.n; at++)
		found |= s.p[at] <= 0;
	return found == 0;
}

void ini_init(struct ini *i, struct str text, struct arena *arena)
{
	*i = (struct ini){.text = text, .arena = arena, .is_plain = is_plain(text)};
	if (str_has_prefix(text, STR("\xef\xbb\xbf")))
		i->at = 3;
}

static struct str skip_blanks(struct str s)
{
	for (; s.n > 0 && is_blank(*s.p); s.n--)
		s.p++;
	return s;
}

/* One physical line without its end-of-line. False behind the last one. */
static bool take_line(struct str text, size_t *at, struct str *ret_line)
{
	const char *from = text.p + *at;
	const char *end;
	size_t n = text.n - *at;

	if (n == 0)
		return false;
	end = memchr(from, '\n', n);
	*at += end ? (size_t)(end - from) + 1 : n;
	if (end)
		n = (size_t)(end - from);
	if (n > 0 && from[n - 1] == '\r')
		n--;
	*ret_line = (struct str){from, n};
	return true;
}

static bool is_comment(struct str line)
{
	line = skip_blanks(line);
	return line.n > 0 && (line.p[0] == '#' || line.p[0] == ';');
}

/* An odd number of backslashes at the end: the next line belongs to this one. */
static bool continues(struct str line)
{
	size_t n = 0;

	while (n < line.n && line.p[line.n - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/*
 * The rest of a logical line that began with `first`; the cursor stands behind first. Each backslash at a line's end
 * becomes one blank; blanks at the beginning of the lines that follow stay.
 */
static int join(struct ini *i, struct str first, struct str *ret_line)
{
	size_t at = i->at, n = first.n;
	uint32_t lines = i->line;
	struct str line = first;
	char *out;

	while (continues(line) && take_line(i->text, &at, &line)) {
		lines++;
		if (is_comment(line))
			line = STR("\\");
		else
			n += line.n;
	}
	out = n > INI_LINE_MAX ? NULL : arena_get(i->arena, n + 1);
	if (!out && n <= INI_LINE_MAX)
		return -ENOMEM;
	*ret_line = (struct str){out, n};
	line = first;
	for (size_t k = i->at; out;) {
		if (!is_comment(line)) {
			memcpy(out, line.p, line.n);
			out += line.n;
			if (continues(line))
				out[-1] = ' ';
		}
		if (k >= at || !take_line(i->text, &k, &line))
			break;
	}
	i->at = at;
	i->line = lines;
	return 0;
}

/* 1: a logical line that is neither empty nor a comment, 0: the end, -ENOMEM. */
static int take_logical(struct ini *i, struct ini_item *item, struct str *ret_line)
{
	struct str line;

	do {
		item->start = i->at;
		if (!take_line(i->text, &i->at, &line))
			return 0;
		i->line++;
		line = skip_blanks(line);
	} while (line.n == 0 || is_comment(line));
	item->line = i->line;
	item->col = (uint32_t)(line.p - (i->text.p + item->start)) + 1;
	*ret_line = line;
	return continues(line) && join(i, line, ret_line) < 0 ? -ENOMEM : 1;
}

/* Length of the well-formed UTF-8 sequence at p (n bytes left), 0 when there is none. Table 3-7 of Unicode. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t want;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < want || p[1] < low || p[1] > high)
		return 0;
	for (size_t k = 2; k < want; k++)
		if ((p[k] & 0xc0) != 0x80)
			return 0;
	return want;
}

static bool is_utf8(struct str s)
{
	size_t k = 0, n = 1;

	while (k < s.n && n > 0) {
		n = utf8_length((const unsigned char *)s.p + k, s.n - k);
		k += n;
	}
	return k >= s.n;
}

static int take_header(struct ini *i, struct str line, struct ini_item *item)
{
	i->section = (struct str){NULL, 0};
	if (line.p[line.n - 1] != ']')
		return INI_BAD_HEADER;
	i->section = item->section = str_sub(line, 1, line.n - 1);
	return INI_SECTION;
}

static int take_assignment(const struct ini *i, struct str line, struct ini_item *item)
{
	size_t equals = str_index(line, '=');
	struct str value;

	if (equals == line.n)
		return INI_NO_EQUALS;
	item->section = i->section;
	item->key = str_trim(str_sub(line, 0, equals));
	value = str_sub(line, equals + 1, line.n);
	item->value = str_trim(value);
	/* str_trim() of nothing but blanks may point anywhere: keep the place */
	if (item->value.n == 0)
		item->value.p = value.p;
	item->value_at = (size_t)(item->value.p - line.p);
	if (item->key.n == 0)
		return INI_NO_KEY;
	item->end_col = item->col + (uint32_t)item->key.n;
	return i->section.p ? INI_ASSIGNMENT : INI_NO_SECTION;
}

int ini_next(struct ini *i, struct ini_item *ret_item)
{
	struct str line;
	int r;

	do {
		*ret_item = (struct ini_item){.is_utf8 = true};
		r = take_logical(i, ret_item, &line);
		if (r <= 0)
			return r < 0 ? r : INI_END;
		if (line.n > INI_LINE_MAX)
			return INI_TOO_LONG;
		line = str_trim(line);
	} while (line.n == 0);
	ret_item->end_col = ret_item->col + (uint32_t)line.n;
	if (!i->is_plain && memchr(line.p, '\0', line.n))
		return INI_NUL;
	ret_item->is_utf8 = i->is_plain || is_utf8(line);
	return line.p[0] == '[' ? take_header(i, line, ret_item)
				: take_assignment(i, line, ret_item);
}

void ini_locate(const struct ini *i, const struct ini_item *item, size_t at, uint32_t *ret_line,
		uint32_t *ret_col)
{
	size_t from = item->start, next = from;
	uint32_t line_no = item->line;
	struct str line = {i->text.p + from, 0};

	for (at += item->value_at; take_line(i->text, &next, &line); line_no++, from = next) {
		if (line_no == item->line)
			line = skip_blanks(line);
		else if (is_comment(line))
			continue;
		if (at < line.n || !continues(line) || next >= i->text.n)
			break;
		at -= line.n;
	}
	*ret_line = line_no;
	*ret_col = (uint32_t)(line.p - (i->text.p + from) + (ptrdiff_t)at) + 1;
}
