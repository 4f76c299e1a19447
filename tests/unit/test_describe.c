/* SPDX-License-Identifier: MIT */
/* Plans of real services, written out: one line a step, PATH and other constants of the environment included. */
#include "core/describe.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/describe_env.h"
#include "core/describe_user.h"
#include "core/environment.h"
#include "core/fd.h"
#include "core/mem.h"
#include "core/plan.h"
#include "core/tree.h"
#include "suite.h"
#include "units/load.h"

static struct hark h;
static struct service s;
static char bytes[64 * 1024], shown[64 * 1024];
static struct process out;
static uint8_t exit_code;
static char *why;

static void open_unit(const char *name, const char *text)
{
	static char *environment[] = {(char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL};

	ck_assert_int_eq(load_init(&h.load, "/nonexistent", ""), 0);
	h.environment = environment;
	s.unit.name = name;
	s.unit.type = UNIT_SERVICE;
	ck_assert_int_eq(load_unit_text(&h.load, name, name, str_of(text), &s.unit.config), 0);
	ck_assert_msg(s.unit.config->service && command_first(s.unit.config, CMD_START),
		      "%s does not load", name);
	out.plan = (struct wbuf){.p = bytes, .cap = sizeof(bytes)};
}

static struct describe_in input(void)
{
	h.uid = getuid();
	return (struct describe_in){.unit = &s.unit,
				    .exec = s.unit.config->exec,
				    .command = command_first(s.unit.config, CMD_START),
				    .role = ROLE_MAIN,
				    .out_slot = -1,
				    .lent_slots = {-1, -1, -1},
				    .conn_slot = -1};
}

static void show(const char *fmt, ...)
{
	size_t n = strlen(shown);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(shown + n, sizeof(shown) - n, fmt, ap);
	va_end(ap);
}

/* "STEP w0 w1 text" of each step; references first. */
static const char *plan_text(void)
{
	struct plan_record rec;
	size_t at = 0;

	shown[0] = '\0';
	show("refs");
	for (uint32_t i = 0; i < out.refs_n; i++)
		show(" %d", out.refs[i]);
	show("\n");
	ck_assert_int_eq(plan_check(out.plan.p, out.plan.n), 0);
	while (plan_next(out.plan.p, out.plan.n, &at, &rec) == 1) {
		const struct plan_step_info *info = plan_step_info(rec.step);

		show("%s", info->name);
		for (unsigned i = 0; i < info->words_n; i++)
			show(" %llo", (unsigned long long)rec.w[i]);
		if (info->tail == PLAN_STR)
			show(" %s", rec.text);
		show("\n");
	}
	return shown;
}

static const char *plan_of(const struct describe_in *in)
{
	int r = describe(&h, in, &out, &exit_code, &why);

	ck_assert_msg(r == 0, "%d: %s", r, why ? why : "?");
	return plan_text();
}

START_TEST(ssh)
{
	struct describe_in in;
	char expected[1024];

	open_unit(
		"ssh.service",
		"[Service]\nEnvironmentFile=-/nonexistent/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n"
		"RuntimeDirectory=sshd\nRuntimeDirectoryMode=0755\nType=notify\nKillMode=process\n");
	in = input();
	in.notify_socket = "/run/hark/notify/ssh.service";
	in.out_slot = 9;
	snprintf(expected, sizeof(expected),
		 "refs -1 9 9\n"
		 "SETSID\n"
		 "UMASK 22\n"
		 "MKDIR 755 %o %o 0 /run\n"
		 "ENV PATH=/usr/bin:/bin\n"
		 "ENV RUNTIME_DIRECTORY=/run/sshd\n"
		 "ENV NOTIFY_SOCKET=/run/hark/notify/ssh.service\n"
		 "CHDIR 0 /\n"
		 "IGNORE_SIGPIPE\n"
		 "ARG /usr/sbin/sshd\n"
		 "ARG -D\n"
		 "EXEC /usr/sbin/sshd\n",
		 getuid(), getgid());
	ck_assert_str_eq(plan_of(&in), expected);
	ck_assert(out.needs_exec); /* MKDIR */
}
END_TEST

START_TEST(cups)
{
	static const int32_t slots[] = {4, 6};
	static const char *const names[] = {"cups.socket", "cups.socket"};
	struct describe_in in;

	open_unit("cups.service",
		  "[Service]\nExecStart=/usr/sbin/cupsd -l\nType=notify\nRestart=on-failure\n");
	in = input();
	in.out_slot = 9;
	in.notify_socket = "/n";
	in.fd_slots = slots;
	in.fd_names = names;
	in.fds_n = 2;
	in.watchdog_us = 5000000;
	s.unit.invocation[15] = 0xab;
	ck_assert_str_eq(plan_of(&in), "refs -1 9 9 4 6\n"
				       "SETSID\n"
				       "UMASK 22\n"
				       "ENV PATH=/usr/bin:/bin\n"
				       "ENV INVOCATION_ID=000000000000000000000000000000ab\n"
				       "ENV NOTIFY_SOCKET=/n\n"
				       "ENV WATCHDOG_USEC=5000000\n"
				       "ENV_PID WATCHDOG_PID=\n"
				       "ENV_PID LISTEN_PID=\n"
				       "ENV LISTEN_FDS=2\n"
				       "ENV LISTEN_FDNAMES=cups.socket:cups.socket\n"
				       "CHDIR 0 /\n"
				       "IGNORE_SIGPIPE\n"
				       "ARG /usr/sbin/cupsd\n"
				       "ARG -l\n"
				       "EXEC /usr/sbin/cupsd\n");
	ck_assert(!out.needs_exec);
	printf("rows: C26\n");
}
END_TEST

START_TEST(avahi)
{
	struct describe_in in;

	open_unit(
		"avahi-daemon.service",
		"[Service]\nType=dbus\nBusName=org.freedesktop.Avahi\nExecStart=/usr/sbin/avahi-daemon -s\n"
		"ExecReload=/usr/sbin/avahi-daemon -r\nNotifyAccess=main\n");
	in = input();
	ck_assert_str_eq(
		plan_of(&in),
		"refs -1 -1 -1\nSETSID\nUMASK 22\nENV PATH=/usr/bin:/bin\nCHDIR 0 /\nIGNORE_SIGPIPE\n"
		"ARG /usr/sbin/avahi-daemon\nARG -s\nEXEC /usr/sbin/avahi-daemon\n");
}
END_TEST

START_TEST(sshd_for_one_connection)
{
	struct describe_in in;

	open_unit(
		"ssh@7-x.service",
		"[Service]\nExecStart=-/usr/sbin/sshd -i\nStandardInput=socket\nStandardError=journal\n");
	s.remote_addr = "10.0.0.7";
	s.remote_port = "51344";
	in = input();
	in.conn_slot = 5;
	in.out_slot = 9;
	ck_assert_str_eq(
		plan_of(&in),
		"refs 5 5 9\nSETSID\nUMASK 22\nENV PATH=/usr/bin:/bin\nENV REMOTE_ADDR=10.0.0.7\nENV REMOTE_PORT=51344\n"
		"CHDIR 0 /\nIGNORE_SIGPIPE\nARG /usr/sbin/sshd\nARG -i\nEXEC /usr/sbin/sshd\n");
	printf("rows: C24\n");
}
END_TEST

START_TEST(a_connection_by_number)
{
	struct describe_in in;

	open_unit("x@7-x.service",
		  "[Service]\nExecStart=/bin/x\nStandardOutput=null\nStandardError=null\n");
	in = input();
	in.conn_slot = 5;
	(void)plan_of(&in);
	ck_assert_ptr_nonnull(strstr(shown, "refs -1 -1 -1 5\n"));
	ck_assert_ptr_nonnull(strstr(shown, "ENV LISTEN_FDS=1\n"));
	ck_assert_ptr_nonnull(strstr(shown, "ENV LISTEN_FDNAMES=connection\n"));
}
END_TEST

START_TEST(settings_of_the_process)
{
	struct describe_in in;

	open_unit(
		"x.service",
		"[Service]\nExecStart=/bin/x $A ${B}c \"$$A\"\nEnvironment=A=\"1 2\" B=b C=c D=d\nUnsetEnvironment=C D=other\n"
		"Nice=-5\nOOMScoreAdjust=-900\nUMask=0077\nIOSchedulingClass=idle\nNoNewPrivileges=yes\n"
		"IgnoreSIGPIPE=no\nWorkingDirectory=-/srv\nStandardInput=file:/a\nStandardOutput=append:/b\nStandardError=truncate:/c\n");
	in = input();
	ck_assert_str_eq(plan_of(&in), "refs -1 -1 -1\n"
				       "SETSID\n"
				       "OPEN_FILE 0 0 666 /a\n"
				       "OPEN_FILE 1 2101 666 /b\n"
				       "OPEN_FILE 2 1101 666 /c\n"
				       "UMASK 77\nOOM 144\nNICE 17\nIOPRIO 60004\n"
				       "ENV PATH=/usr/bin:/bin\nENV A=1 2\nENV B=b\nENV D=d\n"
				       "CHDIR 1 /srv\nNO_NEW_PRIVS\n"
				       "ARG /bin/x\nARG 1\nARG 2\nARG bc\nARG $A\nEXEC /bin/x\n");
}
END_TEST

START_TEST(another_user)
{
	struct describe_in in;

	if (geteuid() != 0)
		return;
	open_unit(
		"x.service",
		"[Service]\nExecStart=/bin/x\nExecStartPre=+/bin/root\nUser=daemon\nGroup=root\n");
	in = input();
	(void)plan_of(&in);
	ck_assert_ptr_nonnull(strstr(shown, "ENV USER=daemon\nENV LOGNAME=daemon\n"));
	ck_assert_ptr_nonnull(strstr(shown, "GROUPS\nGID 0\nUID 1\nCHDIR 0 /\n"));
	ck_assert_ptr_null(strstr(shown, "SHELL=")); /* nologin */
	in.command = command_first(s.unit.config, CMD_PRE);
	(void)plan_of(&in);
	ck_assert_ptr_null(strstr(shown, "UID"));
	printf("rows: B17\n");
}
END_TEST

/* Is it told where to say what cannot be applied? */
static bool may_lack(const char *text)
{
	struct describe_in in;

	open_unit("x.service", text);
	in = input();
	in.cgroup = "system.slice/x.service";
	h.cgroups.has_cgroups = true;
	return strstr(plan_of(&in), "LACKS");
}

/* A service of which nothing could be lacking needs no hark-exec for that. */
START_TEST(nothing_can_be_lacking)
{
	ck_assert(!may_lack("[Service]\nExecStart=/bin/x\nSyslogFacility=mail\n"));
	ck_assert(!out.needs_exec);
	h.cgroups.has_cgroups = false;
}
END_TEST

START_TEST(a_filter_may_be_lacking)
{
	ck_assert(may_lack("[Service]\nExecStart=/bin/x\nLockPersonality=yes\n"));
	ck_assert(out.needs_exec);
	h.cgroups.has_cgroups = false;
}
END_TEST

START_TEST(nobody_of_that_name)
{
	struct describe_in in;
	int r;

	open_unit("x.service", "[Service]\nExecStart=/bin/x\nUser=daemom\n");
	in = input();
	r = describe(&h, &in, &out, &exit_code, &why);
	if (r == 0) { /* some other source of users is configured here */
		ck_assert(out.needs_exec);
		return;
	}
	ck_assert_uint_eq(exit_code, 217);
	ck_assert_ptr_nonnull(
		strstr(why, "user \"daemom\" does not exist; did you mean \"daemon\"?"));
	mem_put(why);
}
END_TEST

START_TEST(a_missing_environment_file)
{
	struct describe_in in;

	open_unit("x.service", "[Service]\nExecStart=/bin/x\nEnvironmentFile=/nonexistent/file\n");
	in = input();
	ck_assert_int_eq(describe(&h, &in, &out, &exit_code, &why), -ENOENT);
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent/file"));
	mem_put(why);
}
END_TEST

START_TEST(files_win_over_settings)
{
	char path[] = "/tmp/hark-env-XXXXXX", text[256];
	int fd = mkstemp(path);
	struct describe_in in;

	ck_assert_int_ge(dprintf(fd, "A=file\n# B=no\nC=\"x y\"\n"), 0);
	snprintf(text, sizeof(text),
		 "[Service]\nExecStart=/bin/x $C\nEnvironment=A=set B=set\nEnvironmentFile=%s\n",
		 path);
	open_unit("x.service", text);
	in = input();
	(void)plan_of(&in);
	unlink(path);
	ck_assert_ptr_nonnull(strstr(shown, "ENV A=file\nENV B=set\nENV C=x y\n"));
	ck_assert_ptr_nonnull(strstr(shown, "ARG x\nARG y\n"));
}
END_TEST

START_TEST(what_does_not_fit_is_said)
{
	struct describe_in in;

	open_unit("x.service", "[Service]\nExecStart=/bin/x\n");
	in = input();
	out.plan.cap = 100;
	ck_assert_int_eq(describe(&h, &in, &out, &exit_code, &why), -E2BIG);
	ck_assert_uint_eq(exit_code, 203);
	mem_put(why);
}
END_TEST

/* Whatever allocation fails: an error and nothing left behind. */
START_TEST(memory_may_be_short)
{
	struct describe_in in;
	int r = -1;

	open_unit("x.service",
		  "[Service]\nExecStart=/bin/x $A\nEnvironment=A=b\nStateDirectory=d\nUser=root\n");
	in = input();
	for (uint64_t n = 1; r < 0; n++) {
		size_t live = mem_stats.live_n;

		why = NULL;
		ck_assert_uint_lt(n, 200);
		mem_stats.fail_at = mem_stats.total_n + n;
		r = describe(&h, &in, &out, &exit_code, &why);
		mem_stats.fail_at = 0;
		mem_put(why);
		ck_assert_uint_eq(mem_stats.live_n, live);
	}
}
END_TEST

START_TEST(the_base_environment)
{
	h.run_dir = "/nonexistent";
	ck_assert_int_eq(environment_open(&h), 0);
	ck_assert_str_eq(h.environment[0],
			 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (char **p = h.environment; *p; p++)
		ck_assert_ptr_nonnull(strchr(*p, '='));
	printf("rows: D37 E13\n");
}
END_TEST

static const char *variable(const char *name)
{
	size_t n = strlen(name);

	for (char **p = h.environment; p && *p; p++)
		if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	return NULL;
}

/* What is set is there after the manager's end; all of a change or nothing of it. */
START_TEST(variables_are_kept)
{
	static const char *const set[] = {"A=one", "PATH=/opt", "B=two\nlines", "C="};
	static const char *const bad[] = {"D=4", "9=x"}, *const changed[] = {"A", "E=5"};
	static const char *const gone[] = {"B=else", "C=", "PATH"};
	char dir[] = "/tmp/hark-env-XXXXXX";
	const char *word;
	int r = -ENOMEM;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	h.run_dir = dir;
	ck_assert_int_eq(environment_change(&h, set, 4, false, &word), 0);
	ck_assert_int_eq(environment_change(&h, bad, 2, false, &word), -EINVAL);
	ck_assert_str_eq(word, "9=x");
	for (uint64_t n = 1; r == -ENOMEM; n++) {
		ck_assert_uint_lt(n, 500);
		ck_assert_str_eq(variable("A"), "one");
		mem_stats.fail_at = mem_stats.total_n + n;
		r = environment_change(&h, changed, 2, false, &word);
		mem_stats.fail_at = 0;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(environment_open(&h),
			 0); /* as the next manager does: from the file alone */
	ck_assert_ptr_null(variable("A"));
	ck_assert_ptr_null(variable("D"));
	ck_assert_str_eq(variable("E"), "5");
	ck_assert_str_eq(variable("PATH"), "/opt");
	ck_assert_str_eq(variable("B"), "two\nlines");
	ck_assert_str_eq(variable("C"), "");
	ck_assert_int_eq(environment_change(&h, gone, 3, true, &word), 0);
	ck_assert_str_eq(variable("B"), "two\nlines");
	ck_assert_ptr_null(variable("C"));
	ck_assert_str_eq(variable("PATH"),
			 "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	ck_assert_int_eq(tree_remove(dir), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("describe");
	TCase *t = tcase_create("describe");

	tcase_add_test(t, ssh);
	tcase_add_test(t, cups);
	tcase_add_test(t, avahi);
	tcase_add_test(t, sshd_for_one_connection);
	tcase_add_test(t, a_connection_by_number);
	tcase_add_test(t, settings_of_the_process);
	tcase_add_test(t, another_user);
	tcase_add_test(t, nothing_can_be_lacking);
	tcase_add_test(t, a_filter_may_be_lacking);
	tcase_add_test(t, nobody_of_that_name);
	tcase_add_test(t, a_missing_environment_file);
	tcase_add_test(t, files_win_over_settings);
	tcase_add_test(t, what_does_not_fit_is_said);
	tcase_add_test(t, memory_may_be_short);
	tcase_add_test(t, the_base_environment);
	tcase_add_test(t, variables_are_kept);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
