/* SPDX-License-Identifier: MIT */
#include "core/diag.h"

#include <stdarg.h>
#include <stdio.h>

const char *const diag_severity_names[DIAG_SEVERITIES] = {
	[DIAG_NOTE] = "note",
	[DIAG_WARNING] = "warning",
	[DIAG_ERROR] = "error",
};

void diag_init(struct diag_list *l, struct arena *arena)
{
	*l = (struct diag_list){.arena = arena};
}

/* The formatted text in the arena, or NULL. */
static const char *format_in(struct arena *arena, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static const char *format_in(struct arena *arena, const char *fmt, va_list ap)
{
	va_list again;
	char *text = NULL;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n >= 0)
		text = arena_get(arena, (size_t)n + 1);
	if (text)
		(void)vsnprintf(text, (size_t)n + 1, fmt, ap);
	return text;
}

void diag_add(struct diag_list *l, const char *code, enum diag_severity severity, bool is_fatal,
	      struct diag_place place, const char *suggestion, const char *fmt, ...)
{
	const char *message;
	const char *hint;
	struct diag **end = &l->first;
	struct diag *d;
	va_list ap;

	/* Counted first: that a unit must be refused is known even when the words for it are lost. */
	l->n[severity] = (uint16_t)(l->n[severity] + (l->n[severity] < UINT16_MAX));
	l->has_fatal |= is_fatal;
	d = arena_get(l->arena, sizeof(*d));
	hint = suggestion ? arena_dup(l->arena, suggestion, strlen(suggestion)) : NULL;
	va_start(ap, fmt);
	message = format_in(l->arena, fmt, ap);
	va_end(ap);
	if (!d || !message) {
		l->lost = true;
		return;
	}
	l->lost |= suggestion && !hint;
	*d = (struct diag){
		.code = code,
		.severity = severity,
		.is_fatal = is_fatal,
		.file = place.file,
		.line = place.line,
		.col = place.col,
		.end_col = place.end_col,
		.message = message,
		.suggestion = hint,
	};
	while (*end)
		end = &(*end)->next;
	*end = d;
}

void diag_render(const struct diag *d, struct sbuf *out)
{
	if (d->file)
		sbuf_add_z(out, d->file);
	if (d->file && d->line)
		sbuf_addf(out, ":%u", d->line);
	if (d->file && d->line && d->col)
		sbuf_addf(out, ":%u", d->col);
	if (d->file)
		sbuf_add_z(out, ": ");
	sbuf_addf(out, "%s[%s]: %s", diag_severity_names[d->severity], d->code, d->message);
	if (d->suggestion)
		sbuf_addf(out, "; %s", d->suggestion);
}
