/* SPDX-License-Identifier: MIT */
#include "core/describe_env.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/fd.h"
#include "core/reach.h"
#include "core/tree.h"
#include "units/glob.h"
#include "units/words.h"

enum { ENV_FIRST = 32, ENV_FILE_MAX = 1024 * 1024 };

static struct str name_of(const char *text)
{
	return str_sub(str_of(text), 0, str_index(str_of(text), '='));
}

static struct env_item *find(const struct env *e, struct str name)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (!strncmp(e->items[i].text, name.p, name.n) && e->items[i].text[name.n] == '=')
			return &e->items[i];
	return NULL;
}

static bool grow(struct env *e)
{
	uint32_t cap = e->cap ? e->cap * 2 : ENV_FIRST;
	struct env_item *items = arena_get(e->arena, cap * sizeof(*items));

	if (!items)
		return false;
	if (e->n)
		memcpy(items, e->items, e->n * sizeof(*items));
	e->items = items;
	e->cap = cap;
	return true;
}

/* text: in the arena, or NULL when there was no room for it. */
static void put(struct env *e, const char *text, bool is_pid)
{
	struct env_item *old = text ? find(e, name_of(text)) : NULL;

	if (!text || (!old && e->n == e->cap && !grow(e))) {
		e->err = -ENOMEM;
		return;
	}
	*(old ? old : &e->items[e->n++]) = (struct env_item){text, is_pid};
}

void env_put(struct env *e, const char *assignment)
{
	struct str name = name_of(assignment);

	if (assignment[name.n] == '=' && words_env_name_is_valid(name))
		put(e, arena_dup(e->arena, assignment, strlen(assignment)), false);
}

static int set_str(void *arg, struct str name, struct str value)
{
	struct env *e = arg;
	char *text = arena_get(e->arena, name.n + value.n + 2);

	if (text) {
		memcpy(text, name.p, name.n);
		text[name.n] = '=';
		if (value.n)
			memcpy(text + name.n + 1, value.p, value.n);
	}
	put(e, text, false);
	return e->err;
}

void env_set(struct env *e, const char *name, const char *value)
{
	if (value)
		(void)set_str(e, str_of(name), str_of(value));
}

void env_setf(struct env *e, const char *name, const char *fmt, ...)
{
	char value[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	env_set(e, name, value);
}

void env_set_pid(struct env *e, const char *name)
{
	env_set(e, name, "");
	if (!e->err)
		find(e, str_of(name))->is_pid = true;
}

void env_unset(struct env *e, const char *what)
{
	struct str name = name_of(what);
	struct env_item *item = find(e, name);

	if (!item || (what[name.n] == '=' && strcmp(item->text, what) != 0))
		return;
	memmove(item, item + 1, (size_t)(e->items + e->n - item - 1) * sizeof(*item));
	e->n--;
}

const char *env_get(void *arg, struct str name)
{
	const struct env_item *item = find(arg, name);

	return item && !item->is_pid ? item->text + name.n + 1 : NULL;
}

static int read_env_file(struct env *e, const char *path)
{
	AUTO_MEM char *text = NULL;
	size_t n = 0;
	int r = reach(AT_FDCWD, path);

	if (r == 0)
		r = tree_read_file(path, ENV_FILE_MAX, &text, &n);
	return r < 0 ? r : words_env_file((struct str){text, n}, e->arena, set_str, e);
}

/* "-/path": a missing file is fine, one that is not the unit's to read is not. A pattern stands for all that match, sorted by name, and for a missing file when none does. */
static int read_env_files(struct env *e, const char *path)
{
	bool is_optional = path[0] == '-';
	struct name_list one = {.text = path + is_optional}, *files = &one;
	bool is_pattern = glob_is_pattern(one.text);
	int r = is_pattern ? reach(AT_FDCWD, one.text) : 0;

	if (is_pattern && r == 0)
		r = glob_find(one.text, false, e->arena, &files);
	if (r == 0 && !files)
		r = -ENOENT;
	for (; r == 0 && files; files = files->next)
		r = read_env_file(e, files->text);
	return is_optional && r != -ENOMEM && r != -ELOOP && r != -EMLINK ? 0 : r;
}

int env_configured(struct env *e, const struct exec_config *c, const struct name_list **ret_file)
{
	for (const struct name_list *l = c->pass_environment; l; l = l->next)
		env_set(e, l->text, getenv(l->text));
	for (const struct name_list *l = c->environment; l; l = l->next)
		env_put(e, l->text);
	for (const struct name_list *l = c->environment_files; l; l = l->next) {
		int r = read_env_files(e, l->text);

		*ret_file = l;
		if (r < 0)
			return r;
	}
	for (const struct name_list *l = c->unset_environment; l; l = l->next)
		env_unset(e, l->text);
	return e->err;
}

/* --- what every service gets --- */

static int keep_language(void *arg, struct str name, struct str value)
{
	if (str_has_prefix(name, STR("LANG")) || str_has_prefix(name, STR("LC_")))
		return set_str(arg, name, value);
	return 0;
}

static int add_language(struct env *e)
{
	static const char *const files[] = {"/etc/default/locale", "/etc/locale.conf"};

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO_MEM char *text = NULL;
		size_t n;

		if (fd_read_file(AT_FDCWD, files[i], ENV_FILE_MAX, &text, &n) == 0 &&
		    words_env_file((struct str){text, n}, e->arena, keep_language, e) < 0)
			return -ENOMEM;
	}
	return e->err;
}

/* What a session's services cannot do without; those of the system start from nothing. */
static void add_session(struct env *e)
{
	static const char *const names[] = {
		"HOME", "USER", "LOGNAME", "SHELL", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		env_set(e, names[i], getenv(names[i]));
}

int env_base(struct env *e, bool is_session)
{
	env_set(e, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (is_session)
		add_session(e);
	return add_language(e);
}
