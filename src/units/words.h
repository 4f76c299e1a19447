/* SPDX-License-Identifier: MIT */
/*
 * words - splitting of command lines and lists: quotes, C escapes, environment expansion. Pure.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

enum {
	WORDS_UNQUOTE = 1,
	WORDS_CUNESCAPE = 2,
	WORDS_RELAX = 4 /* unknown escapes stay as they are */
};

/*
 * Next word of *rest, unquoted and unescaped as flags say, into arena memory. *ret_at: offset of its first byte in the text *rest
 * began with. 1 a word, 0 the end, -EINVAL (unbalanced quote, bad escape: *ret_at), -ENOMEM. systemd.service(5) "Command lines".
 */
MUST_USE int words_next(struct str *rest, unsigned flags, struct arena *arena, char **ret_word,
			size_t *ret_at);

typedef const char *(*words_env_fn)(void *arg, struct str name); /* value or NULL */
/*
 * Expand ${NAME} and $NAME of argv (exec time): "$NAME" as a word of its own is split at blanks into zero or more words,
 * ${NAME} inside a word is put in place; "$$" is "$". Into arena memory, NULL-terminated. 0 or -ENOMEM.
 */
MUST_USE int words_expand(const char *const *argv, words_env_fn env, void *arg, struct arena *arena,
			  const char ***ret_argv, uint32_t *ret_argc);
/* One assignment per line of an environment file (systemd.exec(5) EnvironmentFile=): calls set(arg, name, value). 0 or -ENOMEM. */
MUST_USE int words_env_file(struct str text, struct arena *arena,
			    int (*set)(void *arg, struct str name, struct str value), void *arg);
/* Is it NAME of NAME=value: letters, digits, '_', not beginning with a digit? */
bool words_env_name_is_valid(struct str name);
