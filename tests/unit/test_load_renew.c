/* SPDX-License-Identifier: MIT */
/* What load_renew() makes of an index is what a scan makes of the same files: after each of many changes at random. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "units/load_renew.h"

enum { CHANGES = 800, TEXT = 2048, NAMED_MOST = 64 };

static char top[64];
static unsigned seed = 1;

static const char *const names[] = {"a.service",  "b.service",   "c.target",     "a-.service",
				    "t@.service", "t@x.service", "other.service"};
static const char *const dirs[] = {"units", "high", "low"};
static const char *const sides[] = {".d", ".wants", ".requires"};
static const char *const bodies[] = {
	"[Unit]\nDescription=x\n",
	"[Install]\nWantedBy=c.target\n",
	"[Install]\nWantedBy=b.service c.target\nRequiredBy=a.service\n",
	"[Install]\nAlias=other.service\n",
	"",
};

static unsigned any(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return seed >> 16 & 0x7fff ? (seed >> 16 & 0x7fff) % n : 0;
}

static void setup(void)
{
	char path[128];

	strcpy(top, "/tmp/hark-renew-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	for (size_t k = 0; k < ARRAY_SIZE(dirs); k++) {
		snprintf(path, sizeof(path), "%s/%s", top, dirs[k]);
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	ck_assert_int_eq(system(command), 0);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/*
 * A file comes, changes or goes, or a link does. Most changes are of the simple kind that needs no scan. Links are aliases: what
 * another file has in it is not what an index is about.
 */
static void change_file(const char *path)
{
	unsigned what = any(12);

	unlink(path);
	if (what == 0)
		ck_assert_int_eq(symlink("/dev/null", path), 0);
	else if (what == 1 && !strchr(path, '@') && strstr(path, ".service"))
		ck_assert_int_eq(symlink(any(2) ? "a.service" : "b.service", path), 0);
	else if (what < 8)
		write_file(path, bodies[what == 2 ? 3 + any(2) : any(3)]);
}

static void change_side(const char *dir, const char *name)
{
	const char *side = sides[any(ARRAY_SIZE(sides))];
	char path[256];
	int n = snprintf(path, sizeof(path), "%s/%s/%s%s", top, dir, name, side);

	(void)mkdir(path, 0755);
	snprintf(path + n, sizeof(path) - (size_t)n, "/%s",
		 side[1] == 'd' ? any(2) ? "1.conf" : "2.conf" : names[any(ARRAY_SIZE(names))]);
	unlink(path);
	if (any(2))
		ck_assert_int_eq(symlink(any(4) ? "../x" : "/dev/null", path), 0);
	else if (any(2))
		write_file(path, bodies[any(3)]);
}

/* What can be asked of the index about a name, as text. */
static void tell(struct load *l, const char *name, char *out, size_t cap)
{
	struct arena scratch = {0};
	const char *canonical = load_canonical(l, name);
	const struct load_entry *e = index_find(l, str_of(name));
	size_t n = (size_t)snprintf(out, cap, "%s: %s", name, canonical ? canonical : "-");

	if (e && e->has_file)
		n += (size_t)snprintf(out + n, cap - n, " in %u%s", e->dir,
				      e->is_masked ? " masked" : "");
	for (int links = 0; links < 2; links++) {
		struct load_parts parts;

		ck_assert_int_eq(index_parts(l, name, links, &scratch, &parts), 0);
		for (uint32_t k = 0; k < parts.n; k++) {
			const struct load_part *p = parts.parts[k];

			n += (size_t)snprintf(out + n, cap - n, " [%s of %s %u %u %s%s]", p->name,
					      p->owner, p->dir, p->type, p->file ? p->file : "",
					      p->is_masked ? " masked" : "");
		}
	}
	snprintf(out + n, cap - n, "\n");
	arena_fini(&scratch);
}

struct told {
	const char *names[NAMED_MOST];
	unsigned n;
};

static void on_owner(void *arg, const char *owner)
{
	struct told *t = arg;

	for (size_t k = 0; k < ARRAY_SIZE(names); k++)
		if (strcmp(names[k], owner) == 0 && t->n < NAMED_MOST)
			t->names[t->n++] = names[k];
}

/* Of each name that is not told of, nothing has changed. */
static void check_told(struct load *before, struct load *now, const char *changed,
		       const struct told *t)
{
	static char old[TEXT], new[TEXT];

	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		bool is_told = strcmp(names[k], changed) == 0;

		for (unsigned i = 0; i < t->n; i++)
			is_told |= t->names[i] == names[k];
		tell(before, names[k], old, sizeof(old));
		tell(now, names[k], new, sizeof(new));
		ck_assert_msg(is_told || strcmp(old, new) == 0, "%s changed too: %s%s", names[k],
			      old, new);
	}
}

static void check_same(struct load *renewed, struct load *scanned, const char *path, unsigned i)
{
	static char one[TEXT], other[TEXT];

	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		tell(renewed, names[k], one, sizeof(one));
		tell(scanned, names[k], other, sizeof(other));
		ck_assert_msg(strcmp(one, other) == 0, "change %u, %s: renewed %sscanned %s", i,
			      path, one, other);
	}
}

static void open_index(struct load *l)
{
	ck_assert_int_eq(load_init(l, "/units:/high:/low", top), 0);
	ck_assert_int_eq(load_scan(l), 0);
}

START_TEST(a_renewed_index_is_a_scanned_one)
{
	struct load l, before, fresh;
	unsigned renewals = 0;

	open_index(&l);
	open_index(&before);
	for (unsigned i = 0; i < CHANGES; i++) {
		const char *name = names[any(ARRAY_SIZE(names))];
		const char *dir = dirs[any(ARRAY_SIZE(dirs))];
		bool is_side = any(3) == 0;
		struct told told = {.n = 0};
		char path[256];
		int r;

		snprintf(path, sizeof(path), "%s/%s/%s", top, dir, name);
		if (is_side)
			change_side(dir, name);
		else
			change_file(path);
		open_index(&fresh);
		r = load_renew(&l, name, is_side, on_owner, &told);
		ck_assert_int_ge(r, 0);
		if (r == LOAD_RENEWED) {
			renewals++;
			check_same(&l, &fresh, path, i);
			check_told(&before, &fresh, name, &told);
		} else {
			ck_assert_int_eq(load_scan(&l), 0);
		}
		load_fini(&before);
		before = fresh;
	}
	load_fini(&before);
	load_fini(&l);
	ck_assert_uint_ge(renewals, CHANGES / 20);
}
END_TEST

/* Nothing is left half done without a word when memory is short. */
START_TEST(short_of_memory)
{
	struct told told = {.n = 0};
	char path[256];
	struct load l;
	int r = -ENOMEM;

	open_index(&l);
	snprintf(path, sizeof(path), "%s/units/a.service", top);
	write_file(path, bodies[2]);
	for (unsigned k = 1; r == -ENOMEM; k++) {
		mem_stats.fail_at = mem_stats.total_n + k;
		r = load_renew(&l, "a.service", true, on_owner, &told);
		mem_stats.fail_at = 0;
		ck_assert(r == LOAD_RENEWED || r == -ENOMEM);
	}
	load_fini(&l);
}
END_TEST

/* What names leave behind is cleared by a scan now and then. */
START_TEST(a_scan_is_due)
{
	struct told told = {.n = 0};
	struct load l;
	unsigned n = 0;

	open_index(&l);
	while (n < 100000 && load_renew(&l, "a.service", false, on_owner, &told) == LOAD_RENEWED)
		n++;
	ck_assert_uint_eq(n, 1000);
	ck_assert_int_eq(load_scan(&l), 0);
	ck_assert_int_eq(load_renew(&l, "a.service", false, on_owner, &told), LOAD_RENEWED);
	load_fini(&l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("load_renew");
	TCase *t = tcase_create("load_renew");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_renewed_index_is_a_scanned_one);
	tcase_add_test(t, short_of_memory);
	tcase_add_test(t, a_scan_is_due);
	suite_add_tcase(s, t);
	return suite_run(s);
}
