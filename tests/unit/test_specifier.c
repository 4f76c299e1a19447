/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "suite.h"
#include "units/specifier.h"

static const struct specifier_host host = {
	.machine_id = "0123456789abcdef0123456789abcdef",
	.boot_id = "fedcba9876543210fedcba9876543210",
	.hostname = "box.example.org",
	.kernel = "6.1.0",
	.arch = "x86-64",
	.os_id = "debian",
	.os_version = "12",
	.os_build = "b1",
	.os_image = "img",
	.os_image_version = "7",
	.os_variant = "server",
	.pretty = "The Box",
};

static const struct specifier_host someone = {.hostname = "box",
					      .uid = 1000,
					      .gid = 1001,
					      .group = "team",
					      .home = "/home/me",
					      .shell = "/bin/zsh"};

static const struct specifier_context plain = {&host, "a-b\\x2dc.service",
					       "/etc/systemd/system/a.service", NULL, false};
static const struct specifier_context instance = {&host, "x-y@dev-sd\\x2da.service", "/a.service",
						  NULL, false};
static const struct specifier_context user = {&someone, "u.service", NULL, "me", true};
static const struct specifier_context bad = {&host, "a@b\\q.service", "a", NULL, false};

/* Every specifier of systemd.unit(5), table 4. */
START_TEST(all)
{
	static const struct {
		const struct specifier_context *c;
		const char *text, *out; /* NULL: refused at `at` */
		size_t at;
	} rows[] = {
		{&plain, "", "", 0},
		{&plain, "no specifier", "no specifier", 0},
		{&plain, "100%%", "100%", 0},
		{&plain, "%%n", "%n", 0},
		{&plain, "%a %b", "x86-64 fedcba9876543210fedcba9876543210", 0},
		{&plain, "%m", "0123456789abcdef0123456789abcdef", 0},
		{&plain, "%A|%B|%M|%o|%w|%W", "7|b1|img|debian|12|server", 0},
		{&plain, "%H %l %q %v", "box.example.org box The Box 6.1.0", 0},
		{&plain, "%C %E %L %S %t %T %V",
		 "/var/cache /etc /var/log /var/lib /run /tmp /var/tmp", 0},
		{&plain, "%d", "/run/credentials/a-b\\x2dc.service", 0},
		{&plain, "%u %U %g %G %h %s", "root 0 root 0 /root /bin/sh", 0},
		{&plain, "%n %N %p %P", "a-b\\x2dc.service a-b\\x2dc a-b\\x2dc a/b-c", 0},
		{&plain, "<%i%I> %j %J %f", "<> b\\x2dc b-c /a/b-c", 0},
		{&plain, "%y %Y", "/etc/systemd/system/a.service /etc/systemd/system", 0},
		{&instance, "%n %N", "x-y@dev-sd\\x2da.service x-y@dev-sd\\x2da", 0},
		{&instance, "%p %P %i %I %f %j", "x-y x/y dev-sd\\x2da dev/sd-a /dev/sd-a y", 0},
		{&instance, "%Y", "/", 0},
		{&user, "%C %E %L %S",
		 "/home/me/.cache /home/me/.config /home/me/.config/log /home/me/.config", 0},
		{&user, "%t %T %V %d",
		 "/run/user/1000 /tmp /var/tmp /run/user/1000/credentials/u.service", 0},
		{&user, "%u %U %g %G %h %s", "me 1000 team 1001 /home/me /bin/zsh", 0},
		{&user, "%q <%o%A%v>", "box <>", 0},
		/* refused */
		{&plain, "ab%", NULL, 2},
		{&plain, "a%n%Z", NULL, 3},
		{&plain, "% ", NULL, 0},
		{&user, "%y", NULL, 0},
		{&user, "%Y", NULL, 0},
		{&user, "x%m", NULL, 1},
		{&user, "%b", NULL, 0},
		{&user, "%a", NULL, 0},
		{&bad, "%i%I", NULL, 2},
		{&bad, "%f", NULL, 0},
		{&bad, "%Y", NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena arena = {0};
		size_t at = 999;
		char *out;
		int r = specifier_expand(rows[i].c, str_of(rows[i].text), &arena, &out, &at);

		ck_assert_msg(r == (rows[i].out ? 0 : -EINVAL), "'%s': %d", rows[i].text, r);
		if (r == 0)
			ck_assert_str_eq(out, rows[i].out);
		else
			ck_assert_uint_eq(at, rows[i].at);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(every_prefix)
{
	static const char text[] =
		"%a%A%b%B%C%d%E%f%g%G%h%H%i%I%j%J%l%L%m%M%n%N%o%p%P%q%s%S%t%T%u%U%v%V%w%W%y%Y%%";

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct arena arena = {0};
		char *copy = malloc(cut ? cut : 1);
		size_t at;
		char *out;
		int r;

		memcpy(copy, text, cut);
		r = specifier_expand(&plain, (struct str){copy, cut}, &arena, &out, &at);
		ck_assert_int_eq(r, cut % 2 || cut == sizeof(text) ? -EINVAL : 0);
		ck_assert(r == 0 || at == cut - 1 || cut == sizeof(text));
		arena_fini(&arena);
		free(copy);
	}
}
END_TEST

START_TEST(every_byte)
{
	for (int c = 0; c < 256; c++) {
		const char text[2] = {'%', (char)c};
		struct arena arena = {0};
		size_t at;
		char *out;
		int r = specifier_expand(&instance, (struct str){text, 2}, &arena, &out, &at);
		bool known = c && strchr("aAbBCdEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY%", c);

		ck_assert_msg(r == (known ? 0 : -EINVAL), "%%%c: %d", c, r);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(too_long)
{
	static char path[6000];
	struct specifier_context c = plain;
	struct arena arena = {0};
	size_t at;
	char *out;

	memset(path, '/', sizeof(path) - 1);
	c.fragment = path;
	ck_assert_int_eq(specifier_expand(&c, STR("%y"), &arena, &out, &at), -EINVAL);
	arena_fini(&arena);
}
END_TEST

START_TEST(no_memory)
{
	int r = -ENOMEM;

	for (uint64_t n = 1; r == -ENOMEM; n++) {
		struct arena arena = {0};
		size_t at;
		char *out;

		mem_stats = (struct mem_stats){.fail_at = n, .fail_persists = true};
		r = specifier_expand(&plain,
				     STR("%n %m %b and more than sixty-four bytes of text %y"),
				     &arena, &out, &at);
		ck_assert(r == 0 || r == -ENOMEM);
		arena_fini(&arena);
		ck_assert_uint_eq(mem_stats.live_n, 0);
		ck_assert_uint_lt(n, 50);
	}
	mem_stats.fail_at = 0;
}
END_TEST

static void put(const char *root, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (!text) {
		ck_assert_int_eq(mkdir(path, 0755), 0);
		return;
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(host_is_read)
{
	static const char *const made[] = {"etc/machine-id",
					   "etc/machine-info",
					   "usr/lib/os-release",
					   "usr/lib",
					   "usr",
					   "etc",
					   ""};
	char root[] = "/tmp/hark-specifier-XXXXXX";
	struct specifier_host h;
	struct utsname names;
	char path[128];

	ck_assert_ptr_nonnull(mkdtemp(root));
	put(root, "etc", NULL);
	put(root, "usr", NULL);
	put(root, "usr/lib", NULL);
	specifier_host_read(&h, root);
	ck_assert_str_eq(h.machine_id, "");
	ck_assert_str_eq(h.os_id, "");
	put(root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	put(root, "etc/machine-info", "PRETTY_HOSTNAME=\"My Box\"\n");
	put(root, "usr/lib/os-release",
	    "ID=foo\nVERSION_ID='3.1'\nBUILD_ID=b\nIMAGE_ID=i\nIMAGE_VERSION=9\nVARIANT_ID=v\n");
	specifier_host_read(&h, root);
	ck_assert_str_eq(h.machine_id, "0123456789abcdef0123456789abcdef");
	ck_assert_str_eq(h.pretty, "My Box");
	ck_assert_str_eq(h.os_id, "foo");
	ck_assert_str_eq(h.os_version, "3.1");
	ck_assert_str_eq(h.os_build, "b");
	ck_assert_str_eq(h.os_image, "i");
	ck_assert_str_eq(h.os_image_version, "9");
	ck_assert_str_eq(h.os_variant, "v");
	ck_assert_uint_eq(strlen(h.boot_id), 32);
	ck_assert_uint_eq(h.uid, getuid());
	ck_assert_int_eq(uname(&names), 0);
	ck_assert_str_eq(h.kernel, names.release);
	put(root, "etc/machine-id", "uninitialized\n");
	specifier_host_read(&h, root);
	ck_assert_str_eq(h.machine_id, "");
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, made[i]);
		remove(path);
	}
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("specifier");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, all);
	tcase_add_test(tc, every_prefix);
	tcase_add_test(tc, every_byte);
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, no_memory);
	tcase_add_test(tc, host_is_read);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
