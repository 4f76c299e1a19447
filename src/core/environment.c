/* SPDX-License-Identifier: MIT */
#include "core/environment.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/describe_env.h"
#include "core/fd.h"
#include "core/log.h"
#include "units/words.h"

/* In the run directory: assignments, each ended by a NUL. */
#define FILE_NAME "environment"
enum { FILE_MOST = 1024 * 1024 };

static int read_set(struct hark *h, struct env *e)
{
	AUTO_MEM char *text = NULL;
	char path[512];
	size_t n = 0;
	int r;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, h->run_dir);
	r = fd_read_file(AT_FDCWD, path, FILE_MOST, &text, &n);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t at = 0; at < n; at += strlen(text + at) + 1)
		env_put(e, text + at);
	return e->err;
}

static int write_set(struct hark *h, const struct env *e)
{
	struct sbuf text = {0};
	int r;

	for (uint32_t i = 0; i < e->n; i++) {
		sbuf_add_z(&text, e->items[i].text);
		sbuf_add_c(&text, '\0');
	}
	r = text.err ? -ENOMEM
		     : fd_replace_file(h->run_dir, FILE_NAME, (struct str){text.p, text.n});
	sbuf_fini(&text);
	return r;
}

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		mem_put(*p);
	mem_put(list);
}

/* The base with what is set above it. NULL: -ENOMEM. */
static char **make_list(struct hark *h, const struct env *set)
{
	struct arena arena = {0};
	struct env e = {.arena = &arena};
	char **list = NULL;
	bool is_good = env_base(&e, h->is_user) == 0;

	for (uint32_t i = 0; i < set->n; i++)
		env_put(&e, set->items[i].text);
	is_good = is_good && !e.err && (list = mem_get((e.n + 1) * sizeof(*list)));
	for (uint32_t i = 0; is_good && i < e.n; i++)
		is_good = (list[i] = mem_dup(e.items[i].text, strlen(e.items[i].text)));
	arena_fini(&arena);
	if (is_good)
		return list;
	free_list(list);
	return NULL;
}

static int use(struct hark *h, char **list)
{
	if (!list)
		return err_here(-ENOMEM);
	free_list(h->environment);
	h->environment = list;
	return 0;
}

int environment_open(struct hark *h)
{
	struct arena arena = {0};
	struct env set = {.arena = &arena};
	int r = read_set(h, &set);

	if (r < 0)
		log_at(LOG_WARN, "the variables that were set for services cannot be read: %s",
		       strerror(-r));
	r = use(h, make_list(h, &set));
	arena_fini(&arena);
	return r;
}

/* The first word that names no variable, or NULL. */
static const char *find_bad(const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct str word = str_of(words[i]);

		if (!words_env_name_is_valid(str_sub(word, 0, str_index(word, '='))))
			return words[i];
	}
	return NULL;
}

int environment_change(struct hark *h, const char *const *words, unsigned n, bool is_unset,
		       const char **ret_bad)
{
	struct arena arena = {0};
	struct env set = {.arena = &arena};
	char **list = NULL;
	int r;

	*ret_bad = find_bad(words, n);
	if (*ret_bad)
		return -EINVAL;
	r = read_set(h, &set);
	for (unsigned i = 0; i < n; i++)
		if (!is_unset && strchr(words[i], '='))
			env_put(&set, words[i]);
		else
			env_unset(&set, words[i]);
	if (r == 0)
		r = set.err;
	if (r == 0 && !(list = make_list(h, &set)))
		r = err_here(-ENOMEM);
	if (r == 0)
		r = write_set(h, &set);
	if (r == 0)
		r = use(h, list);
	else
		free_list(list);
	arena_fini(&arena);
	return r;
}
