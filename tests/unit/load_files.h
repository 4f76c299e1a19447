/* SPDX-License-Identifier: MIT */
/* Unit directories below a folder of the test's own, and a loader that reads them: /units, where presence is enablement, /high and /low. */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "units/load.h"

static char top[64];
static struct load load;

static inline void run(const char *command)
{
	ck_assert_int_eq(system(command), 0);
}

/* A file below the test's folder; folders above it are made. */
static inline void put(const char *path, const char *text)
{
	char full[256], command[400];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", top, path);
	snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\"", full);
	run(command);
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static inline void put_link(const char *path, const char *target)
{
	char full[256];

	put(path, "");
	snprintf(full, sizeof(full), "%s/%s", top, path);
	unlink(full);
	ck_assert_int_eq(symlink(target, full), 0);
}

static inline void setup(void)
{
	strcpy(top, "/tmp/hark-load-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(load_init(&load, "/units:/high:/low", top), 0);
}

static inline void teardown(void)
{
	char command[128];

	load_fini(&load);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	run(command);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

static inline struct unit_config *get(const char *name)
{
	struct unit_config *c = NULL;

	ck_assert_int_eq(load_unit(&load, name, &c), 0);
	return c;
}

static inline bool has_dep(const struct unit_config *c, enum dep_type type, const char *name)
{
	for (const struct dep *d = c->deps; d; d = d->next)
		if (d->type == type && strcmp(d->name, name) == 0)
			return true;
	return false;
}

static inline void scan(void)
{
	ck_assert_int_eq(load_scan(&load), 0);
}

static inline void check_description(const char *name, const char *expected)
{
	struct unit_config *c = get(name);

	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_str_eq(c->description, expected);
	unit_config_free(c);
}

static inline void check_load(const char *name, enum load_state state)
{
	struct unit_config *c = get(name);

	ck_assert_msg(c->load == state, "%s is %s", name, load_state_names[c->load]);
	unit_config_free(c);
}

#define SERVICE_TEXT(d) "[Unit]\nDescription=" d "\n[Service]\nExecStart=/bin/true\n"
