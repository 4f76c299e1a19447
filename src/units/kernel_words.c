/* SPDX-License-Identifier: MIT */
#include "units/kernel_words.h"

#include <fcntl.h>

#include "core/fd.h"
#include "units/words.h"

void kernel_words_open(struct kernel_words *w)
{
	char text[PROBE_MAX];
	ssize_t n = fd_read_small(AT_FDCWD, probe_container() ? "/proc/1/cmdline" : "/proc/cmdline",
				  text, sizeof(text));

	kernel_words_of(w, (struct str){text, n < 0 ? 0 : (size_t)n});
}

void kernel_words_of(struct kernel_words *w, struct str text)
{
	size_t n = text.n < sizeof(w->text) ? text.n : sizeof(w->text) - 1;

	for (size_t i = 0; i < n; i++) /* those of a process end in NUL each */
		w->text[i] = text.p[i] ? text.p[i] : ' ';
	w->text[n] = '\0';
	w->rest = (struct str){w->text, n};
	w->arena = (struct arena){0};
}

int kernel_words_next(struct kernel_words *w, const char **ret_word)
{
	char *word;
	size_t at;
	int r = words_next(&w->rest, WORDS_UNQUOTE, &w->arena, &word, &at);

	if (r == -EINVAL)
		r = words_next(&w->rest, 0, &w->arena, &word, &at);
	if (r > 0)
		*ret_word = word;
	return r;
}

void kernel_words_fini(struct kernel_words *w)
{
	arena_fini(&w->arena);
}
