/* SPDX-License-Identifier: MIT */
#include "core/mountinfo.h"

enum { OCTAL_DIGITS = 3 };

/* ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER_OPTIONS */
static bool read_line(struct str line, struct mount_line *m)
{
	struct str id, parent, word;

	m->is_plain = false;
	if (!str_word(&line, &id) || !str_word(&line, &parent) || !str_word(&line, &m->device) ||
	    !str_word(&line, &m->root) || !str_word(&line, &m->point) ||
	    !str_word(&line, &m->options))
		return false;
	do {
		if (!str_word(&line, &word))
			return false;
	} while (!str_eq(word, STR("-")));
	return str_word(&line, &m->type) && str_word(&line, &m->source) &&
	       str_word(&line, &m->super_options) && str_to_u64(id, &m->id) == 0 &&
	       str_to_u64(parent, &m->parent) == 0;
}

bool mountinfo_next(struct str *text, struct mount_line *ret_line)
{
	struct str line;

	while (str_cut(text, '\n', &line))
		if (read_line(line, ret_line))
			return true;
	return false;
}

bool mountinfo_last(struct str *text, struct mount_line *ret_line)
{
	while (text->n) {
		size_t end = text->n - (text->p[text->n - 1] == '\n'), start = end;

		while (start > 0 && text->p[start - 1] != '\n')
			start--;
		text->n = start;
		if (read_line((struct str){text->p + start, end - start}, ret_line))
			return true;
	}
	return false;
}

bool mountinfo_unescape(struct str piece, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < piece.n && n < cap; i++) {
		uint32_t byte;

		if (piece.p[i] == '\\' && piece.n - i > OCTAL_DIGITS &&
		    str_to_octal(str_sub(piece, i + 1, i + 1 + OCTAL_DIGITS), &byte) == 0) {
			out[n++] = (char)byte;
			i += OCTAL_DIGITS;
		} else {
			out[n++] = piece.p[i];
		}
	}
	if (n == cap)
		return false;
	out[n] = '\0';
	return true;
}

bool mountinfo_text(const struct mount_line *line, struct str piece, char *out, size_t cap)
{
	if (!line->is_plain)
		return mountinfo_unescape(piece, out, cap);
	if (piece.n >= cap)
		return false;
	memcpy(out, piece.p, piece.n);
	out[piece.n] = '\0';
	return true;
}
