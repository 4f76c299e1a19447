/* SPDX-License-Identifier: MIT */
/* What the text of a unit file means: whole units, addresses, values, refusals. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "units/exec_config.h"
#include "units/load.h"
#include "units/service.h"
#include "units/socket.h"

static struct load load;

static void setup(void)
{
	ck_assert_int_eq(load_init(&load, "/nonexistent", ""), 0);
}

static void teardown(void)
{
	load_fini(&load);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

static struct unit_config *parse(const char *name, const char *text)
{
	struct unit_config *c = NULL;

	ck_assert_int_eq(load_unit_text(&load, name, "t", str_of(text), &c), 0);
	return c;
}

static bool has_dep(const struct unit_config *c, enum dep_type type, const char *name)
{
	for (const struct dep *d = c->deps; d; d = d->next)
		if (d->type == type && strcmp(d->name, name) == 0)
			return true;
	return false;
}

/* --- what would run with more rights than were meant --- */

/* A bad value must not mean "as root", "without": the unit is refused. */
START_TEST(rights_are_clear)
{
	static const char *const bad[] = {
		"User=4294967296",
		"User=4294967295",
		"User=18446744073709551616",
		"User=65535",
		"User=00",
		"User=0000000000",
		"User=-1",
		"User=+0",
		"User=.",
		"User=a b",
		"User=a/b",
		"User=a:b",
		"User=\x01",
		"User=root,daemon",
		"Group=4294967296",
		"Group=-1",
		"Group=65535",
		"Group=01",
		"UMask=0x22",
		"UMask=8",
		"UMask=-1",
		"UMask=077777777777",
		"UMask=u=rw",
		"NoNewPrivileges=maybe",
		"NoNewPrivileges=2",
		"ProtectSystem=ful",
		"ProtectSystem=2",
		"ProtectHome=readonly",
		"PrivateTmp=ja",
		"PrivateDevices=y e s",
		"ProtectKernelTunables=?",
		"DynamicUser=perhaps",
		"CapabilityBoundingSet=CAP_NO_SUCH",
		"AmbientCapabilities=CAP_",
		"SecureBits=keep-cap",
		"RestrictSUIDSGID=x",
		"MemoryDenyWriteExecute=x",
		"RestrictNamespaces=x",
		"RestrictRealtime=x",
		"LockPersonality=x",
		"ProtectProc=all",
		"ProcSubset=some",
		"PrivateUsers=x",
		"PrivateNetwork=x",

		"ReadOnlyPaths=relative",
		"InaccessiblePaths=../x",
		"RootDirectory=relative",

		"RuntimeDirectoryMode=99",
		"StateDirectoryMode=rwx",

		"DevicePolicy=most",
		"DeviceAllow=/dev/null x",
		"IPAddressDeny=10.0.0.0/33",
		"SocketBindDeny=tcp:99999",
		"RestrictNetworkInterfaces=a/b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[256];
		struct unit_config *c;

		snprintf(text, sizeof(text), "[Service]\nExecStart=/bin/true\n%s\n", bad[i]);
		c = parse("a.service", text);
		ck_assert_msg(c->load == LOAD_BAD, "%s", bad[i]);
		ck_assert_ptr_nonnull(c->diags.first);
		unit_config_free(c);
	}
}
END_TEST

/* --- the units of the demonstration, in their words --- */

START_TEST(ssh)
{
	struct unit_config *c = parse(
		"ssh.service",
		"[Unit]\nDescription=Shell server\nAfter=network.target auditd.service\n"
		"ConditionPathExists=!/etc/ssh/sshd_not_to_be_run\n[Service]\n"
		"EnvironmentFile=-/etc/default/ssh\nExecStartPre=/usr/sbin/sshd -t\n"
		"ExecStart=/usr/sbin/sshd -D $SSHD_OPTS\nExecReload=/usr/sbin/sshd -t\n"
		"ExecReload=/bin/kill -HUP $MAINPID\nKillMode=process\nRestart=on-failure\n"
		"RestartPreventExitStatus=255\nType=notify\nRuntimeDirectory=sshd\n"
		"RuntimeDirectoryMode=0755\n[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n");
	const struct service_config *s = c->service;

	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_ptr_null(c->diags.first);
	ck_assert_ptr_null(c->own->notes);
	ck_assert_int_eq(s->type, SERVICE_NOTIFY);
	ck_assert_int_eq(s->notify_access, NOTIFY_MAIN);
	ck_assert_int_eq(s->restart, RESTART_ON_FAILURE);
	ck_assert(exit_set_has(&s->restart_prevent, CLD_EXITED, 255));
	ck_assert(!exit_set_has(&s->restart_prevent, CLD_EXITED, 254));
	ck_assert_uint_eq(command_first(c, CMD_START)->argc, 3);
	ck_assert_str_eq(command_first(c, CMD_START)->argv[2], "$SSHD_OPTS");
	ck_assert_uint_eq(command_first(c, CMD_START)->line, 8);
	ck_assert_str_eq(command_next(command_first(c, CMD_RELOAD))->argv[2], "$MAINPID");
	ck_assert_int_eq(c->exec->kill.mode, KILL_PROCESS);
	ck_assert_str_eq(c->exec->environment_files->text, "-/etc/default/ssh");
	ck_assert_str_eq(c->exec->directories[DIR_RUNTIME].names->text, "sshd");
	ck_assert(c->unit->conditions->is_negated && !c->unit->conditions->is_assert);
	ck_assert(has_dep(c, DEP_AFTER, "auditd.service") &&
		  has_dep(c, DEP_REQUIRES, "sysinit.target"));
	ck_assert(has_dep(c, DEP_CONFLICTS, "shutdown.target") &&
		  has_dep(c, DEP_AFTER, "basic.target"));
	ck_assert_str_eq(c->slice, "system.slice");
	ck_assert_str_eq(c->unit->alias->text, "sshd.service");
	unit_config_free(c);

	c = parse(
		"ssh.socket",
		"[Unit]\nBefore=sockets.target\n[Socket]\nListenStream=22\nAccept=no\n[Install]\nWantedBy=sockets.target\n");
	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_int_eq(c->socket->listeners->addr.in6.sin6_family, AF_INET6);
	ck_assert_int_eq(ntohs(c->socket->listeners->addr.in6.sin6_port), 22);
	ck_assert(has_dep(c, DEP_TRIGGERS, "ssh.service") && has_dep(c, DEP_BEFORE, "ssh.service"));
	ck_assert_uint_eq(c->socket->trigger_limit_burst, 20);
	unit_config_free(c);
}
END_TEST

START_TEST(cups_avahi_dbus_rpcbind)
{
	struct unit_config *c =
		parse("cups.socket",
		      "[Unit]\nPartOf=cups.service\n[Socket]\nListenStream=/run/cups/cups.sock\n");

	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_str_eq(c->socket->listeners->addr.un.sun_path, "/run/cups/cups.sock");
	ck_assert(has_dep(c, DEP_PART_OF, "cups.service"));
	unit_config_free(c);
	c = parse(
		"avahi-daemon.service",
		"[Unit]\nRequires=avahi-daemon.socket\n[Service]\nType=dbus\nBusName=org.freedesktop.Avahi\n"
		"ExecStart=/usr/sbin/avahi-daemon -s\nNotifyAccess=main\n");
	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_int_eq(c->service->type, SERVICE_DBUS);
	ck_assert(has_dep(c, DEP_REQUIRES, "dbus.socket") && has_dep(c, DEP_AFTER, "dbus.socket"));
	unit_config_free(c);
	c = parse(
		"dbus.service",
		"[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\nOOMScoreAdjust=-900\n"
		"ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork\nLimitNOFILE=16384\n");
	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert(c->exec->has_oom && c->exec->oom_score_adjust == -900);
	ck_assert_uint_eq(c->exec->limits->soft, 16384);
	unit_config_free(c);
	c = parse(
		"rpcbind.socket",
		"[Unit]\nDefaultDependencies=no\nWants=rpcbind.target\nBefore=rpcbind.target\n[Socket]\n"
		"ListenStream=/run/rpcbind.sock\nBindIPv6Only=ipv6-only\nListenStream=0.0.0.0:111\n"
		"ListenDatagram=0.0.0.0:111\nListenStream=[::]:111\nListenDatagram=[::]:111\n");
	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_int_eq(c->socket->listeners->next->addr.in.sin_family, AF_INET);
	ck_assert_int_eq(c->socket->listeners->next->next->kind, LISTEN_DATAGRAM);
	ck_assert_int_eq(c->socket->bind_ipv6_only, V6ONLY_ONLY);
	ck_assert(!has_dep(c, DEP_CONFLICTS, "shutdown.target"));
	unit_config_free(c);
}
END_TEST

/* --- addresses --- */

static const struct {
	const char *line;
	int family; /* -1: refused */
	socklen_t n;
} addresses[] = {
	{"ListenStream=22", AF_INET6, sizeof(struct sockaddr_in6)},
	{"ListenStream=1.2.3.4:80", AF_INET, sizeof(struct sockaddr_in)},
	{"ListenStream=[::1]:80", AF_INET6, sizeof(struct sockaddr_in6)},
	{"ListenStream=[fe80::1%%lo]:80", AF_INET6, sizeof(struct sockaddr_in6)},
	{"ListenStream=[fe80::1]:80%%3", AF_INET6, sizeof(struct sockaddr_in6)},
	{"ListenStream=/run/x", AF_UNIX, offsetof(struct sockaddr_un, sun_path) + 7},
	{"ListenDatagram=@abc", AF_UNIX, offsetof(struct sockaddr_un, sun_path) + 4},
	{"ListenSequentialPacket=/run/x", AF_UNIX, offsetof(struct sockaddr_un, sun_path) + 7},
	{"ListenSequentialPacket=80", -1, 0},
	{"ListenStream=0", -1, 0},
	{"ListenStream=65536", -1, 0},
	{"ListenStream=localhost:80", -1, 0},
	{"ListenStream=1.2.3:80", -1, 0},
	{"ListenStream=[::1]", -1, 0},
	{"ListenStream=[::g]:80", -1, 0},
	{"ListenStream=[::1%%]:80", -1, 0},
	{"ListenStream=@", -1, 0},
	{"ListenStream=vsock:2:22", -1, 0},
	{"ListenFIFO=run/x", -1, 0},
	{"ListenMessageQueue=/a/b", -1, 0},
	{"ListenNetlink=nonsense 1", -1, 0},
	{"ListenStream=/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 -1, 0},
};

START_TEST(address)
{
	char text[256];
	struct unit_config *c;

	snprintf(text, sizeof(text), "[Socket]\n%s\n", addresses[_i].line);
	c = parse("a.socket", text);
	if (addresses[_i].family < 0) {
		ck_assert_int_eq(c->load, LOAD_BAD);
		ck_assert_uint_eq(c->diags.first->line, 2);
	} else {
		ck_assert_int_eq(c->load, LOAD_LOADED);
		ck_assert_int_eq(c->socket->listeners->addr.sa.sa_family, addresses[_i].family);
		ck_assert_uint_eq(c->socket->listeners->addr_n, addresses[_i].n);
	}
	unit_config_free(c);
}
END_TEST

START_TEST(scopes)
{
	struct unit_config *c =
		parse("a.socket",
		      "[Socket]\nListenStream=[fe80::1%%lo]:80\nListenStream=[fe80::1]:80%%3\n");

	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_str_eq(c->socket->listeners->scope, "lo");
	ck_assert_uint_eq(c->socket->listeners->next->addr.in6.sin6_scope_id, 3);
	unit_config_free(c);
}
END_TEST

/* --- values --- */

/* What systemd 252 makes of the same lines (systemd-analyze verify with SYSTEMD_LOG_LEVEL=debug). */
START_TEST(conditions_and_paths)
{
	static const struct {
		const char *line, *parameter; /* NULL: refused */
		bool is_trigger, is_negated;
	} cases[] = {
		{"ConditionHost=| ! foo", "foo", true, true},
		{"ConditionHost=! bar", "bar", false, true},
		{"ConditionUser= ! root", "root", false, true},
		{"ConditionHost=!|x", "|x", false, true},
		{"ConditionPathExists=|!/a", "/a", true, true},
		{"ConditionPathExists= !/a", "/a", false, true},
		{"ConditionPathExists=| !/a", NULL, false, false},
		{"ConditionPathExists=/a//b/./c/", "/a/b/c", false, false},
		{"ConditionPathExists=/a/../b", NULL, false, false},
		{"ConditionPathExists=//", "/", false, false},
		{"ConditionFileNotEmpty=/etc/x y", "/etc/x y", false, false},
		{"ConditionPathExists=/x/%n", "/x/a.target", false, false},
		{"ConditionPathExists=!", NULL, false, false},
	};
	char text[128];

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct unit_config *c;

		snprintf(text, sizeof(text), "[Unit]\n%s\n", cases[k].line);
		c = parse("a.target", text);
		ck_assert_msg(!!c->unit->conditions == !!cases[k].parameter, "%s", cases[k].line);
		ck_assert_uint_eq(c->diags.n[DIAG_ERROR], !cases[k].parameter);
		if (c->unit->conditions) {
			ck_assert_str_eq(c->unit->conditions->parameter, cases[k].parameter);
			ck_assert_int_eq(c->unit->conditions->is_trigger, cases[k].is_trigger);
			ck_assert_int_eq(c->unit->conditions->is_negated, cases[k].is_negated);
		}
		unit_config_free(c);
	}
}
END_TEST

START_TEST(names_and_documents)
{
	struct unit_config *c = parse(
		"c.service", "[Unit]\nAfter=a@.service %n.target \"q.service\"\n"
			     "RequiresMountsFor=/a/../b /c//d/ e\n"
			     "Documentation=foo http://x man:y info:z file:/a file:b HTTP://x\n"
			     "[Service]\nExecStart=/bin/true\n");
	unsigned n = 0;

	ck_assert(has_dep(c, DEP_AFTER, "a@c.service") &&
		  has_dep(c, DEP_AFTER, "c.service.target"));
	ck_assert(!has_dep(c, DEP_AFTER, "q.service"));
	ck_assert_str_eq(c->unit->requires_mounts_for->text, "/c/d");
	ck_assert_ptr_null(c->unit->requires_mounts_for->next);
	for (const struct name_list *d = c->unit->documentation; d; d = d->next)
		n++;
	ck_assert_uint_eq(n, 4);
	ck_assert_uint_eq(c->diags.n[DIAG_ERROR], 6);
	unit_config_free(c);
	c = parse("p@i.service", "[Unit]\nAfter=a@.service\n[Service]\nExecStart=- /bin/true\n");
	ck_assert(has_dep(c, DEP_AFTER, "a@i.service"));
	ck_assert_int_eq(c->load, LOAD_BAD);
	unit_config_free(c);
}
END_TEST

START_TEST(resets_and_overrides)
{
	struct unit_config *c = parse(
		"a.service",
		"[Unit]\nAfter=x.service\nAfter=\nAfter=y.service\nConditionPathExists=/a\nConditionPathExists=\n"
		"[Service]\nExecReload=/bin/r\nExecStart=/bin/a\nExecStart=\nExecStart=-@/bin/b name 'two words' \\; c ; /bin/d\n"
		"Type=oneshot\nEnvironment=A=1 \"B=2 3\"\nUser=daemon\nRestartSec=5x\nRestartSec=3\n"
		"RemoveIPC=yes\nRemoveIPC=no\nSELinuxContext=x\n"
		"CapabilityBoundingSet=CAP_CHOWN CAP_KILL\nCapabilityBoundingSet=~CAP_KILL\n");
	const struct command *b = command_first(c, CMD_START);

	ck_assert_int_eq(c->load, LOAD_LOADED);
	/* Dependencies are the one list that nothing resets. */
	ck_assert(has_dep(c, DEP_AFTER, "x.service") && has_dep(c, DEP_AFTER, "y.service"));
	ck_assert_ptr_null(c->unit->conditions);
	ck_assert_str_eq(b->path, "/bin/b");
	ck_assert(b->ignore_failure && b->argc == 4);
	ck_assert_str_eq(b->argv[0], "name");
	ck_assert_str_eq(b->argv[1], "two words");
	ck_assert_str_eq(b->argv[2], ";");
	ck_assert_str_eq(command_next(b)->path, "/bin/d");
	ck_assert_ptr_null(command_next(command_next(b)));
	ck_assert_str_eq(command_first(c, CMD_RELOAD)->path, "/bin/r");
	ck_assert_ptr_null(command_next(command_first(c, CMD_RELOAD)));
	ck_assert_str_eq(c->exec->environment->next->text, "B=2 3");
	ck_assert_uint_eq(c->service->restart_us, 3 * US_PER_SEC);
	ck_assert_uint_eq(c->service->timeout_start_us, TIME_NEVER);
	ck_assert_uint_eq(c->diags.n[DIAG_ERROR], 1);
	/* RemoveIPC=no asks for nothing */
	ck_assert(c->own->notes && !c->own->notes->next &&
		  strncmp(c->own->notes->text, "SELinuxContext=", 15) == 0);
	ck_assert(c->exec->has_capability_bounding && c->exec->capability_bounding == 1);
	unit_config_free(c);
}
END_TEST

START_TEST(defaults)
{
	struct unit_config *c = parse("a.service", "[Service]\nExecStart=true\n");
	const struct service_config *s = c->service;

	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_str_eq(command_first(c, CMD_START)->path, "true");
	ck_assert_int_eq(s->restart, RESTART_NO);
	ck_assert_int_eq(s->type, SERVICE_SIMPLE);
	ck_assert_uint_eq(s->timeout_start_us, 90 * US_PER_SEC);
	ck_assert_uint_eq(s->timeout_abort_us, 90 * US_PER_SEC);
	ck_assert_uint_eq(c->unit->start_limit_burst, 5);
	ck_assert_int_eq(c->exec->kill.signal, SIGTERM);
	ck_assert_int_eq(c->exec->in.kind, STDIO_NULL);
	ck_assert_int_eq(c->exec->out.kind, STDIO_JOURNAL);
	ck_assert_int_eq(c->exec->err.kind, STDIO_INHERIT);
	ck_assert_uint_eq(c->exec->umask, 0022);
	/* Memory of a plain service, slack counted. */
	ck_assert_uint_le(c->arena.bytes, 700);
	unit_config_free(c);
	c = parse("a@b.service", "[Service]\nExecStart=/usr/sbin/sshd -i\nStandardInput=socket\n");
	ck_assert_int_eq(c->exec->out.kind, STDIO_INHERIT);
	ck_assert_str_eq(c->slice, "system-a.slice");
	ck_assert_str_eq(c->instance, "b");
	unit_config_free(c);
}
END_TEST

START_TEST(refusals)
{
	static const struct {
		const char *name, *text, *code;
	} cases[] = {
		{"a.service", "[Service]\nType=simple\n", "U041"},
		{"a.service", "[Service]\nExecStart=/a\nExecStart=/b\n", "U042"},
		{"a.service", "[Service]\nType=oneshot\nExecStart=/a\nRestart=always\n", "U043"},
		{"a.service", "[Service]\nType=dbus\nExecStart=/a\n", "U044"},
		{"a.service", "[Service]\nExecStart=/a\nUser=a b\n", "U022"},
		{"a.service", "[Service]\nExecStart=/a\nUMask=9\n", "U015"},
		{"a.service", "[Service]\nExecStart=/a\nNoNewPrivileges=maybe\n", "U011"},
		{"a.service", "[Service]\nExecStart=/a\nProtectHome=maybe\n", "U014"},
		{"a.service", "[Service]\nExecStart=/a\nSystemCallFilter=a$b\n", "U034"},
		{"a.service", "[Service]\nExecStart=/a 'b\n", "U020"},
		{"a.socket", "[Socket]\nAccept=yes\n", "U046"},
		{"a.socket", "[Socket]\nListenDatagram=/a\nAccept=yes\n", "U047"},
		{"a.socket", "[Socket]\nListenStream=/a\nAccept=yes\nService=b.service\n", "U048"},
		{"a.socket", "[Socket]\nListenStream=80\nSymlinks=/b\n", "U049"},
		{"a.socket", "[Socket]\nListenStream=80\nSocketMode=rw\n", "U015"},
		{"a.target", "[Unit\n", "U003"},
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct unit_config *c = parse(cases[k].name, cases[k].text);

		ck_assert_msg(c->load == LOAD_BAD, "%s", cases[k].text);
		ck_assert_str_eq(c->diags.first->code, cases[k].code);
		unit_config_free(c);
	}
}
END_TEST

/* What cannot be done is no mistake of the file: it loads, and is not started without that. */
START_TEST(what_cannot_be_done_is_not_started)
{
	struct unit_config *c = parse("a.service", "[Service]\nExecStart=/a\nRootImage=/i\n");

	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_str_eq(c->diags.first->code, "U040");
	ck_assert_str_eq(c->own->refusals->text, "RootImage");
	unit_config_free(c);
	c = parse("a.service", "[Service]\nExecStart=/a\nRootImage=/i\nRootImage=\n");
	ck_assert_ptr_null(c->own->refusals);
	unit_config_free(c);
}
END_TEST

START_TEST(stray_percents_are_kept)
{
	struct unit_config *c =
		parse("a@x-y.service",
		      "[Unit]\nDescription=100% of %i, %% %Q\n[Service]\nExecStart=/bin/date %I\n");

	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert_str_eq(c->description, "100% of x-y, % %Q");
	ck_assert_str_eq(command_first(c, CMD_START)->argv[1], "x/y");
	ck_assert_str_eq(c->diags.first->code, "W104");
	unit_config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("load_text");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rights_are_clear);
	tcase_add_test(tc, ssh);
	tcase_add_test(tc, cups_avahi_dbus_rpcbind);
	tcase_add_loop_test(tc, address, 0, (int)ARRAY_SIZE(addresses));
	tcase_add_test(tc, scopes);
	tcase_add_test(tc, conditions_and_paths);
	tcase_add_test(tc, names_and_documents);
	tcase_add_test(tc, resets_and_overrides);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, what_cannot_be_done_is_not_started);
	tcase_add_test(tc, stray_percents_are_kept);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
