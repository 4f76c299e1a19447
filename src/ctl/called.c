/* SPDX-License-Identifier: MIT */
#include "ctl/called.h"

#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "core/str.h"

enum { DONE = -1, USAGE = 2, TEXT = 512, DAY_MIN = 24 * 60 };

static const char hark_init[] = "/usr/lib/hark/hark-init";

/* A verb and the command of reboot(2) that does the same at once. */
struct ending {
	const char *name, *verb;
	int command;
};
static const struct ending endings[] = {
	{"poweroff", "poweroff", (int)RB_POWER_OFF},
	{"reboot", "reboot", RB_AUTOBOOT},
	{"halt", "halt", (int)RB_HALT_SYSTEM},
};
enum { POWEROFF, REBOOT, HALT };

static void set(const char *ret_argv[CALLED_WORDS], const char *verb, const char *unit)
{
	ret_argv[0] = "harkctl";
	ret_argv[1] = verb;
	ret_argv[2] = unit;
	ret_argv[3] = NULL;
}

static int fail(const char *name, const char *usage, int *ret_status)
{
	fprintf(stderr, "usage: %s %s\n", name, usage);
	*ret_status = USAGE;
	return DONE;
}

/* telinit(8) */
static int telinit(const char *name, const char *level, const char *ret_argv[CALLED_WORDS],
		   int *ret_status)
{
	static const struct {
		const char *levels, *verb, *unit;
	} table[] = {
		{"0", "poweroff", NULL},
		{"6", "reboot", NULL},
		{"1sS", "isolate", "rescue.target"},
		{"234", "isolate", "multi-user.target"},
		{"5", "isolate", "graphical.target"},
		{"qQ", "reload-config", NULL},
		{"uU", "reexec", NULL},
	};

	for (size_t i = 0; level && level[0] && !level[1] && i < ARRAY_SIZE(table); i++)
		if (strchr(table[i].levels, level[0])) {
			set(ret_argv, table[i].verb, table[i].unit);
			return 1;
		}
	return fail(name, "0|1|2|3|4|5|6|s|q|u", ret_status);
}

/* At once: nothing is stopped in order. */
static int end_now(const struct ending *e, bool with_sync, int *ret_status)
{
	if (with_sync)
		sync();
	reboot(e->command);
	fprintf(stderr, "%s: %m\n", e->name);
	*ret_status = 1;
	return DONE;
}

/* halt(8): the options choose another end, or an end at once. */
static int end(const struct ending *e, char **argv, const char *ret_argv[CALLED_WORDS],
	       int *ret_status)
{
	static const struct {
		const char *words; /* separated by blanks */
		char what;         /* its letter */
	} options[] = {{"--poweroff -p", 'p'},
		       {"--reboot", 'r'},
		       {"--halt", 'h'},
		       {"-f --force", 'f'},
		       {"-n --no-sync", 'n'},
		       {"-w --wtmp-only", 'w'},
		       {"-d --no-wtmp --no-wall -h", ' '}};
	const char *name = e->name;
	char got[128] = "";

	for (char **at = argv + 1; *at; at++) {
		char what = '\0';

		for (size_t i = 0; i < ARRAY_SIZE(options) && !what; i++) {
			struct str rest = str_of(options[i].words), word;

			while (!what && str_word(&rest, &word))
				what = str_eq_z(word, *at) ? options[i].what : '\0';
		}
		if (!what)
			return fail(name, "[-p] [-f] [-n] [-w] [--halt|--poweroff|--reboot]",
				    ret_status);
		got[(unsigned char)what] = what;
	}
	e = got['p']   ? &endings[POWEROFF]
	    : got['r'] ? &endings[REBOOT]
	    : got['h'] ? &endings[HALT]
		       : e;
	*ret_status = 0;
	if (got['w']) /* that is systemd-update-utmp's */
		return DONE;
	if (got['f'])
		return end_now(e, !got['n'], ret_status);
	set(ret_argv, e->verb, NULL);
	return 1;
}

/* "now", "+MINUTES" or "HH:MM" as a line of a timer unit; "": at once; NULL: none of these. */
static const char *timer_line(const char *time, char text[TEXT])
{
	struct str rest = str_of(time), hour;
	uint64_t minutes, hours;

	if (!time)
		time = "+1";
	if (strcmp(time, "now") == 0 || strcmp(time, "+0") == 0)
		return "";
	if (time[0] == '+' && str_to_u64(str_of(time + 1), &minutes) == 0) {
		snprintf(text, TEXT, "OnActiveSec=%llumin\n", (unsigned long long)minutes);
		return text;
	}
	if (!str_cut(&rest, ':', &hour) || str_to_u64(hour, &hours) < 0 ||
	    str_to_u64(rest, &minutes) < 0 || hours * 60 + minutes >= DAY_MIN || minutes >= 60)
		return NULL;
	snprintf(text, TEXT, "OnCalendar=%02u:%02u\nAccuracySec=1s\n", (unsigned)hours,
		 (unsigned)minutes);
	return text;
}

/* shutdown(8). What is to come later is a timer, which `harkctl triggers` shows. */
static int shut_down(char **argv, const char *ret_argv[CALLED_WORDS], int *ret_status)
{
	static char timer[2 * TEXT], service[2 * TEXT];
	const struct ending *e = &endings[POWEROFF];
	char line[TEXT];
	const char *when;

	for (argv++; *argv && argv[0][0] == '-'; argv++) {
		const char *o = *argv;

		if (strcmp(o, "-c") == 0) {
			set(ret_argv, "stop", "hark-shutdown.timer");
			return 1;
		}
		if (strcmp(o, "-r") == 0 || strcmp(o, "--reboot") == 0)
			e = &endings[REBOOT];
		else if (strcmp(o, "-H") == 0 || strcmp(o, "--halt") == 0)
			e = &endings[HALT];
		else if (strcmp(o, "-h") != 0 && strcmp(o, "-P") != 0 &&
			 strcmp(o, "--poweroff") != 0)
			return fail("shutdown", "[-r|-H|-P|-c] [now|+MINUTES|HH:MM]", ret_status);
	}
	when = timer_line(*argv, line);
	if (!when)
		return fail("shutdown", "[-r|-H|-P|-c] [now|+MINUTES|HH:MM]", ret_status);
	set(ret_argv, e->verb, NULL);
	if (!*when)
		return 1;
	snprintf(timer, sizeof(timer),
		 "[Unit]\nDescription=%s that was asked for\nDefaultDependencies=no\n[Timer]\n%s",
		 e->verb, when);
	snprintf(
		service, sizeof(service),
		"[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/usr/bin/harkctl --no-wait %s\n",
		e->verb);
	ret_argv[1] = "transient";
	ret_argv[2] = "hark-shutdown.timer";
	ret_argv[3] = timer;
	ret_argv[4] = "hark-shutdown.service";
	ret_argv[5] = service;
	ret_argv[6] = NULL;
	return 1;
}

int called_as(char **argv, const char *ret_argv[CALLED_WORDS], int *ret_status)
{
	const char *name = argv[0] && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	if (!name)
		return 0;
	if (getpid() == 1) {
		execv(hark_init, argv);
		fprintf(stderr, "%s: cannot execute %s: %m\n", name, hark_init);
	}
	if (strcmp(name, "init") == 0 || strcmp(name, "telinit") == 0)
		return telinit(name, argv[1], ret_argv, ret_status);
	if (strcmp(name, "shutdown") == 0)
		return shut_down(argv, ret_argv, ret_status);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (strcmp(name, endings[i].name) == 0)
			return end(&endings[i], argv, ret_argv, ret_status);
	return 0;
}
