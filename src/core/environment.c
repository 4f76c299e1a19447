/* SPDX-License-Identifier: MIT */
#include "core/environment.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/describe_env.h"
#include "core/fd.h"
#include "core/log.h"
#include "units/conf_files.h"
#include "units/ini.h"
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

/* --- system.conf --- */

/* Assignments, or nothing: then what was said before does not count. */
static int take_defaults(struct env *e, struct str value, const char *name)
{
	char *word;
	size_t at;
	int r = 0;

	if (value.n == 0)
		e->n = 0;
	while ((r = words_next(&value, WORDS_UNQUOTE | WORDS_CUNESCAPE, e->arena, &word, &at)) > 0)
		env_put(e, word);
	if (r == -EINVAL)
		log_at(LOG_WARN,
		       "%s: DefaultEnvironment= is no list of assignments, from \"" STR_FMT
		       "\" on it is passed over",
		       name, STR_ARG(value));
	return r == -EINVAL ? 0 : r;
}

static int read_conf(struct env *e, const struct conf_file *f)
{
	struct ini_item item;
	struct ini ini;
	size_t n = 0;
	AUTO_MEM char *text = conf_file_read_dup("", f, &n);
	int r;

	if (!text)
		return 0;
	ini_init(&ini, (struct str){text, n}, e->arena);
	while ((r = ini_next(&ini, &item)) > 0) {
		if (r == INI_ASSIGNMENT && str_eq_z(item.section, "Manager") &&
		    str_eq_z(item.key, "DefaultEnvironment"))
			r = take_defaults(e, item.value, f->name);
		if (r < 0)
			break;
	}
	return r;
}

/* The main file and its drop-ins; all in system.conf(5) but this one setting is passed over. */
static int read_defaults(struct hark *h, struct env *e)
{
	static const char *const names[] = {"system.conf", "user.conf"};
	static const char *const dirs[][4] = {
		{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"},
		{"/etc/systemd/system.conf.d", "/run/systemd/system.conf.d",
		 "/usr/local/lib/systemd/system.conf.d", "/usr/lib/systemd/system.conf.d"},
		{"/etc/systemd/user.conf.d", "/run/systemd/user.conf.d",
		 "/usr/local/lib/systemd/user.conf.d", "/usr/lib/systemd/user.conf.d"},
	};
	const char *name = names[h->is_user];
	struct conf_file *list;
	int r = conf_files_list("", dirs[0], ARRAY_SIZE(dirs[0]), name, e->arena, &list);

	for (const struct conf_file *f = list; r == 0 && f; f = f->next)
		if (strcmp(f->name, name) == 0)
			r = read_conf(e, f);
	if (r == 0)
		r = conf_files_list("", dirs[1 + h->is_user], ARRAY_SIZE(dirs[1]), ".conf",
				    e->arena, &list);
	for (const struct conf_file *f = list; r == 0 && f; f = f->next)
		r = read_conf(e, f);
	return r < 0 ? r : e->err;
}

/* The base with what is set above it. NULL: -ENOMEM. */
static char **make_list(struct hark *h, const struct env *set)
{
	struct arena arena = {0};
	struct env e = {.arena = &arena}, defaults = {.arena = &arena};
	char **list = NULL;
	bool is_good = env_base(&e, h->is_user) == 0 && read_defaults(h, &defaults) == 0;

	for (uint32_t i = 0; i < defaults.n; i++)
		env_put(&e, defaults.items[i].text);
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
