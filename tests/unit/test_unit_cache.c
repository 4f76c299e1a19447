/* SPDX-License-Identifier: MIT */
/* What is loaded with a cache is what is loaded without, whatever has changed since it was written, and however damaged it is. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fd.h"
#include "suite.h"
#include "units/load.h"

enum { SUM_AT = 8, SUMMED_AT = 16, CHANGES = 60 };

static char top[64], path[160], dirs[200], cache_path[128];
static const char *const names[] = {"a.service", "b.service", "t@x.service", "c.target"};
static const char *const files[] = {"units/a.service",
				    "units/b.service",
				    "low/a.service",
				    "low/b.service",
				    "low/t@.service",
				    "low/c.target",
				    "units/a.service.d/x.conf",
				    "low/service.d/y.conf",
				    "units/c.target.wants/a.service",
				    "low/c.target.wants/a.service",
				    "low/c.target.wants/b.service"};
static unsigned seed = 1;

static unsigned any(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static const char *below(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(below(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/* In place, anew, as a link, as a mask, or not at all. */
static void change(const char *name)
{
	static const char *const texts[] = {
		"[Unit]\nDescription=one\n", "[Unit]\nDescription=two\n",
		"[Unit]\nDescription=three\n[Install]\nWantedBy=c.target\n"};
	unsigned what = any(8);

	if (what > 2)
		unlink(below(name));
	if (what == 7)
		ck_assert_int_eq(symlink("/dev/null", below(name)), 0);
	else if (what == 6)
		ck_assert_int_eq(symlink("b.service", below(name)), 0);
	else if (what < 5 && (what > 2 || !strstr(name, ".wants")))
		write_file(name, texts[any(ARRAY_SIZE(texts))]);
}

static void write_cache(time_t settled_s)
{
	char units[128], low[128];
	struct stat st;
	char *const list[] = {units, low};

	snprintf(units, sizeof(units), "%s/units", top);
	snprintf(low, sizeof(low), "%s/low", top);
	ck_assert_int_eq(unit_cache_write(list, ARRAY_SIZE(list), settled_s, top, "cache"), 0);
	ck_assert_int_eq(stat(cache_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}

static void setup(void)
{
	static const char *const needed[] = {"units",
					     "low",
					     "units/a.service.d",
					     "low/service.d",
					     "units/c.target.wants",
					     "low/c.target.wants"};

	strcpy(top, "/tmp/hark-cache-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	for (size_t k = 0; k < ARRAY_SIZE(needed); k++)
		ck_assert_int_eq(mkdir(below(needed[k]), 0755), 0);
	snprintf(dirs, sizeof(dirs), "%s/units:%s/low", top, top);
	snprintf(cache_path, sizeof(cache_path), "%s/cache", top);
	write_file("units/a.service", "[Unit]\nDescription=one\n[Service]\nExecStart=/bin/true\n");
	write_file("low/b.service", "[Unit]\nDescription=two\n[Service]\nExecStart=/bin/true\n");
	write_file("low/c.target", "[Unit]\nDescription=three\n");
	ck_assert_int_eq(symlink("../b.service", below("low/c.target.wants/b.service")), 0);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	ck_assert_int_eq(system(command), 0);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

static void begin(struct load *l, bool has_cache)
{
	ck_assert_int_eq(load_init(l, dirs, ""), 0);
	l->keeps_texts = true;
	if (has_cache)
		ck_assert_int_eq(unit_cache_open(&l->cache, cache_path), 0);
	ck_assert_int_eq(load_scan(l), 0);
}

/* Everything of a unit that its files say, as one text. */
static void tell(struct load *l, const char *name, char *out, size_t cap)
{
	struct unit_config *c;
	int n;

	ck_assert_int_eq(load_unit(l, name, &c), 0);
	n = snprintf(out, cap, "%s %d %s %s %llx %llu:", c->name, c->load,
		     c->description ? c->description : "-", c->fragment ? c->fragment : "-",
		     (unsigned long long)c->files_stamp, (unsigned long long)c->fragment_mtime_us);
	for (const struct name_list *d = c->dropins; d; d = d->next)
		n += snprintf(out + n, cap - (size_t)n, " %s", d->text);
	for (const struct dep *d = c->deps; d; d = d->next)
		n += snprintf(out + n, cap - (size_t)n, " %d %s", d->type, d->name);
	unit_config_free(c);
}

static void expect_same(void)
{
	char with[4096], without[4096];
	struct load a, b;

	begin(&a, true);
	begin(&b, false);
	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		tell(&a, names[k], with, sizeof(with));
		tell(&b, names[k], without, sizeof(without));
		ck_assert_str_eq(with, without);
	}
	load_fini(&a);
	load_fini(&b);
}

/* Longer than the time between two steps of the clock that files are stamped with. */
static void pause_for_stamps(void)
{
	usleep(12000);
}

START_TEST(whatever_changes)
{
	for (unsigned k = 0; k < CHANGES; k++) {
		if (k % 3 == 0) {
			pause_for_stamps();
			write_cache(time(NULL) + 1);
			pause_for_stamps();
		}
		change(files[any(ARRAY_SIZE(files))]);
		expect_same();
	}
}
END_TEST

/* A text and a listing in it count, as can be seen where they say something else than the files. */
START_TEST(is_used)
{
	char text[4096];
	struct load l;
	char *at;

	write_cache(time(NULL) + 1);
	ck_assert_int_eq(load_init(&l, dirs, ""), 0);
	l.keeps_texts = true;
	ck_assert_int_eq(unit_cache_open(&l.cache, cache_path), 0);
	at = memmem(l.cache.bytes, l.cache.n, "Description=one", 15);
	ck_assert_ptr_nonnull(at);
	memcpy(at, "Description=six", 15);
	at = memmem(l.cache.bytes, l.cache.n, "../b.service", 12);
	ck_assert_ptr_nonnull(at);
	memcpy(at, "/dev/null\0\0", 12);
	ck_assert_int_eq(load_scan(&l), 0);
	tell(&l, "a.service", text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, " six "));
	tell(&l, "c.target", text, sizeof(text));
	ck_assert_ptr_null(strstr(text, "b.service"));
	load_forget_texts(&l);
	ck_assert_ptr_null(l.cache.bytes);
	tell(&l, "a.service", text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, " one "));
	load_fini(&l);
}
END_TEST

START_TEST(what_has_just_changed_is_left_out)
{
	struct unit_cache c;
	struct stat st;
	struct str text;

	write_cache(time(NULL) - 60);
	ck_assert_int_eq(unit_cache_open(&c, cache_path), 0);
	ck_assert_int_eq(stat(below("low/b.service"), &st), 0);
	ck_assert(!unit_cache_find(&c, str_of(path), &st, &text));
	unit_cache_close(&c);
	write_cache(time(NULL) + 1);
	ck_assert_int_eq(unit_cache_open(&c, cache_path), 0);
	ck_assert(unit_cache_find(&c, str_of(path), &st, &text));
	ck_assert(str_has_prefix(text, STR("[Unit]\nDescription=two")));
	st.st_ctim.tv_nsec ^= 1;
	ck_assert(!unit_cache_find(&c, str_of(path), &st, &text));
	unit_cache_close(&c);
}
END_TEST

static void put(const char *bytes, size_t n)
{
	AUTO_FD int fd = open(cache_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_eq(fd_write_all(fd, bytes, n), 0);
}

/* Of a file whose sum is right all that it says is looked at; whether that is so the sanitizers see. */
static void look_at_all(void)
{
	struct unit_cache c;
	struct load l;
	char text[4096];

	if (unit_cache_open(&c, cache_path) < 0)
		return;
	unit_cache_close(&c);
	begin(&l, true);
	for (size_t k = 0; k < ARRAY_SIZE(names); k++)
		tell(&l, names[k], text, sizeof(text));
	load_fini(&l);
}

START_TEST(damage)
{
	struct unit_cache c;
	char *whole, *hurt;
	uint64_t sum;
	size_t n;

	write_cache(time(NULL) + 1);
	ck_assert_int_eq(fd_read_file(AT_FDCWD, cache_path, SIZE_MAX / 2, &whole, &n), 0);
	hurt = mem_dup(whole, n);
	for (size_t at = 0; at < n; at++) {
		hurt[at] = (char)(hurt[at] ^ (1 << any(8)));
		put(hurt, n);
		ck_assert_int_eq(unit_cache_open(&c, cache_path), -EBADMSG);
		sum = str_mix(0, hurt + SUMMED_AT, n - SUMMED_AT);
		memcpy(hurt + SUM_AT, &sum, sizeof(sum));
		put(hurt, n);
		if (at >= SUMMED_AT)
			look_at_all();
		memcpy(hurt, whole, n);
	}
	for (size_t cut = 0; cut < n; cut += 7) {
		put(whole, cut);
		ck_assert_int_lt(unit_cache_open(&c, cache_path), 0);
	}
	ck_assert_int_eq(chmod(cache_path, 0666), 0);
	put(whole, n);
	ck_assert_int_eq(unit_cache_open(&c, cache_path), -EBADMSG);
	mem_put(whole);
	mem_put(hurt);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("unit_cache");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, whatever_changes);
	tcase_add_test(t, is_used);
	tcase_add_test(t, what_has_just_changed_is_left_out);
	tcase_add_test(t, damage);
	suite_add_tcase(s, t);
	return suite_run(s);
}
