/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "units/boot_words.h"

/* "unit|level|+wanted -skipped ", as the words say. */
static const char *heed(const char *text, bool in_initrd)
{
	static char out[1024];
	struct kernel_words words;
	struct boot_words w;
	size_t n;

	kernel_words_of(&words, str_of(text));
	ck_assert_int_eq(boot_words_read(&w, &words, in_initrd), 0);
	kernel_words_fini(&words);
	n = (size_t)snprintf(out, sizeof(out), "%s|%d|", w.unit, (int)w.most);
	for (const struct boot_unit *u = w.list; u; u = u->next)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%c%s ", u->is_skipped ? '-' : '+',
				      u->name);
	boot_words_fini(&w);
	return out;
}

START_TEST(units_by_word)
{
	static const char *const cases[][2] = {
		{"BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet", ""},
		{"emergency", "emergency.target"},
		{"ro -b", "emergency.target"},
		{"single", "rescue.target"},
		{"s", "rescue.target"},
		{"S", "rescue.target"},
		{"1", "rescue.target"},
		{"rescue quiet", "rescue.target"},
		{"2", "multi-user.target"},
		{"3", "multi-user.target"},
		{"4", "multi-user.target"},
		{"5", "graphical.target"},
		{"6", ""},
		{"singles", ""},
		{"systemd.unit=multi-user.target", "multi-user.target"},
		{"hark.unit=my.target", "my.target"},
		{"hark.unit=\"my.target\"", "my.target"},
		{"hark.unit=my.target 3", "multi-user.target"}, /* the last counts */
		{"3 systemd.unit=my.target", "my.target"},
		{"hark.unit=", ""},
		{"hark.unit", ""},
		{"hark.unit=../etc/passwd", ""},
		{"hark.unit=no-type", ""},
		{"rd.systemd.unit=initrd.target", ""},
		{"rd.emergency", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected), "%s|%d|", cases[i][1], (int)LOG_LEVELS);
		ck_assert_str_eq(heed(cases[i][0], false), expected);
	}
	ck_assert_str_eq(heed("single rd.systemd.unit=my.target", true), "my.target|5|");
	ck_assert_str_eq(heed("rd.emergency 3", true), "emergency.target|5|");
}
END_TEST

START_TEST(units_taken_along_and_left_out)
{
	static const char *const cases[][2] = {
		{"hark.start=ssh", "+ssh.service "},
		{"systemd.wants=a.socket systemd.mask=b", "+a.socket -b.service "},
		{"sshd.service -cups.service getty@tty7.service",
		 "+sshd.service -cups.service +getty@tty7.service "},
		{"hark.start=a hark.skip=a", "-a.service "},
		{"-a.service hark.start=a", "+a.service "},
		{"--default test.target", ""}, /* the value of an option of hark-init */
		{"--default=x.target a.service", "+a.service "},
		{"init=/sbin/x.service", ""},
		{"/usr/lib/x.service", ""},
		{"hark.start=", ""},
		{"x@.service", ""},
		{"systemd.debug_shell", "+debug-shell.service "},
		{"hark.debug_shell=yes", "+debug-shell.service "},
		{"hark.debug_shell=0", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[256];

		snprintf(expected, sizeof(expected), "|%d|%s", (int)LOG_LEVELS, cases[i][1]);
		ck_assert_str_eq(heed(cases[i][0], false), expected);
	}
}
END_TEST

START_TEST(levels)
{
	static const struct {
		const char *text;
		enum log_level level;
	} cases[] = {
		{"systemd.log_level=debug", LOG_TRACE},
		{"hark.log_level=err", LOG_ERROR},
		{"debug", LOG_TRACE},
		{"hark.log_level=4", LOG_WARN},
		{"hark.log_level=0", LOG_ERROR},
		{"hark.log_level=5", LOG_NOTE},
		{"hark.log_level=info", LOG_INFO},
		{"hark.log_level=8", LOG_LEVELS},
		{"hark.log_level=loud", LOG_LEVELS},
		{"hark.log_level=44", LOG_LEVELS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "|%d|", (int)cases[i].level);
		ck_assert_str_eq(heed(cases[i].text, false), expected);
	}
}
END_TEST

START_TEST(no_memory)
{
	struct kernel_words words;
	struct boot_words w;
	uint64_t before = mem_stats.total_n;

	heed("hark.start=a hark.skip=b", false);
	for (uint64_t n = mem_stats.total_n - before; n > 0; n--) {
		kernel_words_of(&words, STR("hark.start=a hark.skip=b"));
		mem_stats.fail_at = mem_stats.total_n + n;
		ck_assert_int_eq(boot_words_read(&w, &words, false), -ENOMEM);
		mem_stats.fail_at = 0;
		kernel_words_fini(&words);
		boot_words_fini(&w);
	}
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_words");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, units_by_word);
	tcase_add_test(tc, units_taken_along_and_left_out);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
