/* SPDX-License-Identifier: MIT */
/*
 * kernel_words - the words of the kernel's command line, in their order; in a container those that its first process was given.
 *
 * Words are quoted as in a shell; a quote without its partner is a character like others. bootparam(7), kernel-command-line(7)
 */
#pragma once

#include "core/mem.h"
#include "units/probe.h"

struct kernel_words {
	char text[PROBE_MAX];
	struct str rest; /* of text */
	struct arena arena;
};

/* What cannot be read has no words. */
void kernel_words_open(struct kernel_words *w);
/* The same of a text, at most PROBE_MAX - 1 bytes of it. */
void kernel_words_of(struct kernel_words *w, struct str text);
/* The next word, which lives until the end. 1, 0 (no more) or -ENOMEM. */
MUST_USE int kernel_words_next(struct kernel_words *w, const char **ret_word);
void kernel_words_fini(struct kernel_words *w);
