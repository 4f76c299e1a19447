/* SPDX-License-Identifier: MIT */
/*
 * diag - a finding about a unit file: code, severity, place, message, suggestion, and what happens now.
 *
 * Findings are kept in the arena of the configuration they belong to, in file order. Rendering with source line and
 * caret is done by the caller who has the file at hand (ctl); here is the one-line form "file:line:col: error: text".
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

enum diag_severity { DIAG_NOTE, DIAG_WARNING, DIAG_ERROR, DIAG_SEVERITIES };

struct diag {
	struct diag *next;
	const char *code; /* "U001": static */
	enum diag_severity severity;
	bool is_fatal;    /* refuses the unit (security-relevant directive, nothing to run ...) */
	const char *file; /* borrowed from the same arena or static */
	uint32_t line, col, end_col;      /* from 1; 0: whole file */
	const char *message, *suggestion; /* suggestion may be NULL */
};

struct diag_list {
	struct arena *arena;
	struct diag *first;
	uint16_t n[DIAG_SEVERITIES]; /* no more are counted */
	bool has_fatal;
	bool lost; /* memory was short: findings are missing */
};

/* An empty list whose findings will live in arena. */
void diag_init(struct diag_list *l, struct arena *arena);
/* Adds one; place->file etc. as given, texts are copied. Memory failure sets `lost`, never fails the caller. */
struct diag_place {
	const char *file;
	uint32_t line, col, end_col;
};
void diag_add(struct diag_list *l, const char *code, enum diag_severity severity, bool is_fatal,
	      struct diag_place place, const char *suggestion, const char *fmt, ...)
	PRINTF_LIKE(7, 8);
/* "file:line:col: error[U001]: message; suggestion" */
void diag_render(const struct diag *d, struct sbuf *out);
extern const char *const diag_severity_names[DIAG_SEVERITIES];
