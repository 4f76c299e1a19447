/* SPDX-License-Identifier: MIT */
#include "units/boot_words.h"

#include <stdio.h>

#include "units/name.h"
#include "units/value.h"

/* Alone, without a value. */
static const struct {
	const char *word, *unit;
} targets[] = {
	{"emergency", "emergency.target"},
	{"-b", "emergency.target"},
	{"rescue", "rescue.target"},
	{"single", "rescue.target"},
	{"s", "rescue.target"},
	{"S", "rescue.target"},
	{"1", "rescue.target"},
	{"2", "multi-user.target"},
	{"3", "multi-user.target"},
	{"4", "multi-user.target"},
	{"5", "graphical.target"},
};

/* Those of syslog(3), from the lowest number on. */
static const struct {
	const char *word;
	enum log_level level;
} levels[] = {
	{"emerg", LOG_ERROR},  {"alert", LOG_ERROR}, {"crit", LOG_ERROR}, {"err", LOG_ERROR},
	{"warning", LOG_WARN}, {"notice", LOG_NOTE}, {"info", LOG_INFO},  {"debug", LOG_TRACE},
};

static int set_unit(struct boot_words *w, const char *value)
{
	if (name_is_valid(value, NAME_PLAIN | NAME_INSTANCE))
		snprintf(w->unit, sizeof(w->unit), "%s", value);
	return 0;
}

static int set_level(struct boot_words *w, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(value, levels[i].word) == 0 ||
		    (value[0] == (char)('0' + i) && !value[1]))
			w->most = levels[i].level;
	return 0;
}

static int add_unit(struct boot_words *w, const char *text, bool is_skipped)
{
	struct boot_unit *u, **at = &w->list;
	char name[BOOT_NAME];

	if (name_from_user(text, name, sizeof(name)) < 0)
		return 0;
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	u = *at ? *at : arena_get(&w->arena, sizeof(*u));
	if (!u)
		return err_here(-ENOMEM);
	u->is_skipped = is_skipped;
	memcpy(u->name, name, sizeof(name));
	*at = u;
	return 0;
}

static int start(struct boot_words *w, const char *value)
{
	return add_unit(w, value, false);
}

static int skip(struct boot_words *w, const char *value)
{
	return add_unit(w, value, true);
}

static int start_shell(struct boot_words *w, const char *value)
{
	bool is_wanted = true;

	return value[0] && (value_bool(str_of(value), &is_wanted) < 0 || !is_wanted)
		       ? 0
		       : start(w, "debug-shell.service");
}

/* "hark.KEY=VALUE", "systemd.KEY=VALUE"; without a value where it has a meaning without one. */
static const struct {
	const char *key;
	int (*take)(struct boot_words *w, const char *value);
	bool is_flag;
} settings[] = {
	{"unit", set_unit, false},
	{"log_level", set_level, false},
	{"start", start, false},
	{"wants", start, false},
	{"skip", skip, false},
	{"mask", skip, false},
	{"debug_shell", start_shell, true},
};

static int take_setting(struct boot_words *w, struct str word)
{
	size_t n = str_index(word, '=');
	struct str key = str_sub(word, 0, n);
	bool has_value = n < word.n;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (str_eq_z(key, settings[i].key) && (has_value || settings[i].is_flag))
			return settings[i].take(w, word.p + n + has_value);
	return 0;
}

static int take(struct boot_words *w, const char *word)
{
	static const char *const prefixes[] = {"hark.", "systemd."};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_has_prefix(str_of(word), str_of(prefixes[i])))
			return take_setting(w, str_of(word + strlen(prefixes[i])));
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		if (strcmp(word, targets[i].word) == 0)
			return set_unit(w, targets[i].unit);
	if (strcmp(word, "debug") == 0)
		return set_level(w, word);
	if (name_is_valid(word + (word[0] == '-'), NAME_PLAIN | NAME_INSTANCE))
		return add_unit(w, word + (word[0] == '-'), word[0] == '-');
	return 0;
}

int boot_words_read(struct boot_words *w, struct kernel_words *words, bool in_initrd)
{
	bool is_value = false; /* of an option of our own, "--default UNIT" */
	const char *word;
	int r;

	*w = (struct boot_words){.most = LOG_LEVELS};
	while ((r = kernel_words_next(words, &word)) > 0) {
		bool is_rd = str_has_prefix(str_of(word), STR("rd."));

		if (is_rd == in_initrd && !is_value)
			r = take(w, word + (is_rd ? strlen("rd.") : 0));
		if (r < 0)
			break;
		is_value = str_has_prefix(str_of(word), STR("--")) && !strchr(word, '=');
	}
	return r;
}

int boot_words_get(struct boot_words *w)
{
	struct kernel_words words;
	int r;

	kernel_words_open(&words);
	r = boot_words_read(w, &words, probe_exists("/etc/initrd-release"));
	kernel_words_fini(&words);
	return r;
}

void boot_words_fini(struct boot_words *w)
{
	arena_fini(&w->arena);
}
