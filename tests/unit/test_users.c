/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "units/users.h"

static char root[] = "/tmp/hark-users-XXXXXX";
static char path[64];

static void put(const char *name, const char *text, off_t size)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/etc/%s", root, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	if (size)
		ck_assert_int_eq(truncate(path, size), 0);
}

static void setup(void)
{
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/etc", root);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	put("passwd",
	    "# comment\n+nis\n\nroot:x:0:0:root:/root:/bin/bash\nbroken:x:1\nodd:x:one:1::/:/\nall:x:4294967295:1::/:/\n"
	    "www-data:x:33:33:www:/var/www:/usr/sbin/nologin\nempty:x:44:45:::\nlast:x:46:46::/home:/bin/sh",
	    0);
	put("group",
	    "root:x:0:\nadm:x:4:www-data,last\nwww-data:x:33:\nlist:x:5: www-data \nshort:x\nbig:x:4294967296:www-data\n",
	    0);
}

static void teardown(void)
{
	static const char *const names[] = {"etc/passwd", "etc/group", "etc", ""};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		remove(path);
	}
}

START_TEST(find)
{
	struct arena arena = {0};
	struct user_entry user;

	ck_assert_int_eq(users_find(root, "www-data", &arena, &user), 0);
	ck_assert_uint_eq(user.uid, 33);
	ck_assert_uint_eq(user.gid, 33);
	ck_assert_str_eq(user.home, "/var/www");
	ck_assert_str_eq(user.shell, "/usr/sbin/nologin");
	ck_assert_int_eq(users_find(root, "46", &arena, &user), 0);
	ck_assert_str_eq(user.name, "last");
	ck_assert_str_eq(user.shell, "/bin/sh");
	ck_assert_int_eq(users_find(root, "empty", &arena, &user), 0);
	ck_assert_str_eq(user.home, "");
	ck_assert_int_eq(users_find(root, "1234", &arena, &user), 0);
	ck_assert_uint_eq(user.uid, 1234);
	ck_assert_uint_eq(user.gid, 1234);
	ck_assert_str_eq(user.home, "/");
	ck_assert_int_eq(users_find(root, "nobody", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "odd", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "all", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "4294967295", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "4294967296", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "65535", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "broken", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "+nis", &arena, &user), -ESRCH);
	ck_assert_int_eq(users_find(root, "", &arena, &user), -ESRCH);
	arena_fini(&arena);
}
END_TEST

START_TEST(groups)
{
	gid_t gids[4];
	gid_t gid;
	char name[5];

	ck_assert_int_eq(users_group(root, "adm", &gid), 0);
	ck_assert_uint_eq(gid, 4);
	ck_assert_int_eq(users_group(root, "77", &gid), 0);
	ck_assert_uint_eq(gid, 77);
	ck_assert_int_eq(users_group(root, "short", &gid), -ESRCH);
	ck_assert_int_eq(users_group(root, "big", &gid), -ESRCH);
	ck_assert_int_eq(users_groups_of(root, "www-data", gids, 4), 2);
	ck_assert_uint_eq(gids[0], 4);
	ck_assert_uint_eq(gids[1], 5);
	ck_assert_int_eq(users_groups_of(root, "www-data", gids, 1), 1);
	ck_assert_int_eq(users_groups_of(root, "data", gids, 4), 0);
	ck_assert_int_eq(users_group_name(root, 4, name, sizeof(name)), 0);
	ck_assert_str_eq(name, "adm");
	ck_assert_int_eq(users_group_name(root, 33, name, sizeof(name)), -ENAMETOOLONG);
	ck_assert_int_eq(users_group_name(root, 99, name, sizeof(name)), -ESRCH);
}
END_TEST

START_TEST(suggestions)
{
	struct arena arena = {0};

	ck_assert_str_eq(users_suggest(root, "wwwdata", &arena), "www-data");
	ck_assert_str_eq(users_suggest(root, "rot", &arena), "root");
	ck_assert_ptr_null(users_suggest(root, "postgres", &arena));
	ck_assert_ptr_null(users_suggest("/nowhere", "root", &arena));
	arena_fini(&arena);
}
END_TEST

START_TEST(missing_and_huge)
{
	struct arena arena = {0};
	struct user_entry user;
	char deep[5000];
	gid_t gid;

	ck_assert_int_eq(users_find("/nowhere", "root", &arena, &user), -ENOENT);
	ck_assert_int_eq(users_find("/nowhere", "7", &arena, &user), 0);
	ck_assert_int_eq(users_group("/nowhere", "root", &gid), -ENOENT);
	memset(deep, 'a', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	ck_assert_int_eq(users_group(deep, "root", &gid), -ENAMETOOLONG);
	put("passwd", "root:x:0:0:::\n", 4 * 1024 * 1024 + 1);
	put("group", "root:x:0:\n", 4 * 1024 * 1024 + 1);
	ck_assert_int_eq(users_find(root, "root", &arena, &user), -EFBIG);
	ck_assert_int_eq(users_group(root, "root", &gid), -EFBIG);
	arena_fini(&arena);
}
END_TEST

START_TEST(truncated)
{
	static const char text[] =
		"root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www:/var/www:/bin/false\n";

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct arena arena = {0};
		struct user_entry user;
		char part[sizeof(text)] = "";
		int r;

		memcpy(part, text, cut);
		put("passwd", part, 0);
		r = users_find(root, "www-data", &arena, &user);
		ck_assert(r == -ESRCH || r == 0);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(no_memory)
{
	int r = -ENOMEM;

	for (uint64_t at = 1; r == -ENOMEM; at++) {
		struct arena arena = {0};
		struct user_entry user;

		mem_stats = (struct mem_stats){.fail_at = at, .fail_persists = true};
		r = users_find(root, "root", &arena, &user);
		ck_assert(r == 0 || r == -ENOMEM);
		(void)users_suggest(root, "rot", &arena);
		arena_fini(&arena);
		ck_assert_uint_eq(mem_stats.live_n, 0);
		ck_assert_uint_lt(at, 100);
	}
	mem_stats.fail_at = 0;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("users");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, find);
	tcase_add_test(tc, groups);
	tcase_add_test(tc, suggestions);
	tcase_add_test(tc, missing_and_huge);
	tcase_add_test(tc, truncated);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
