/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "units/compare.h"
#include "units/condition.h"
#include "units/probe.h"

static struct specifier_host host;

static void setup(void)
{
	specifier_host_read(&host, NULL);
	host.machine_id[0] = '\0';
	memcpy(host.machine_id, "0123456789abcdef0123456789abcdef", 33);
}

static int test(const char *kind, const char *parameter)
{
	struct condition c = {.parameter = parameter};
	int k = condition_kind(str_of(kind));

	ck_assert_msg(k >= 0, "%s", kind);
	c.kind = (uint8_t)k;
	return condition_test(&c, &host);
}

START_TEST(names)
{
	ck_assert_int_eq(condition_kind(STR("pathexists")), -1);
	ck_assert_int_eq(condition_kind(STR("")), -1);
	ck_assert_uint_eq(condition_names_n, 33);
	for (unsigned i = 0; i < condition_names_n; i++)
		ck_assert_int_eq(condition_kind(str_of(condition_names[i])), (int)i);
}
END_TEST

START_TEST(versions)
{
	/* Each older than the next. */
	static const char *const order[] = {
		"",       "~rc1", "1~rc1", "1",    "1-1",  "1^post1",
		"1.0~a",  "1.0",  "1.0.1", "1.0a", "1.0b", "1.2",
		"1.09.3", "1.10", "1.100", "2",    "10",   "18446744073709551616"};

	ck_assert_int_eq(compare_versions("1.02", "1.2"), 0);
	ck_assert_int_eq(compare_versions("1_2", "1 2"), 0);
	ck_assert_int_gt(compare_versions("1_2", "1.2"), 0);
	/* "" and "~rc1" are the exception: '~' is before the end. */
	ck_assert_int_gt(compare_versions("", "~rc1"), 0);
	for (size_t i = 1; i < ARRAY_SIZE(order); i++) {
		for (size_t j = i + 1; j < ARRAY_SIZE(order); j++) {
			ck_assert_msg(compare_versions(order[i], order[j]) < 0, "%s < %s", order[i],
				      order[j]);
			ck_assert_msg(compare_versions(order[j], order[i]) > 0, "%s > %s", order[j],
				      order[i]);
		}
		ck_assert_int_eq(compare_versions(order[i], order[i]), 0);
	}
}
END_TEST

START_TEST(operators)
{
	ck_assert(compare_text(CMP_GLOB, "6.1.0-amd64", "6.*"));
	ck_assert(compare_text(CMP_NOT_GLOB, "6.1.0-amd64", "5.*"));
	ck_assert(compare_text(CMP_TEXT_EQ, "1.0", "1.0"));
	ck_assert(!compare_text(CMP_TEXT_EQ, "1.0", "1.00"));
	ck_assert(compare_text(CMP_EQ, "1.0", "1.00"));
	ck_assert(compare_text(CMP_TEXT_NE, "1.0", "1.00"));
	ck_assert(!compare_text(CMP_NE, "1.0", "1.00"));
	ck_assert(compare_text(CMP_LT, "5.9", "5.10"));
	ck_assert(compare_text(CMP_LE, "5.9", "5.9"));
	ck_assert(compare_text(CMP_GT, "6", "5.10"));
	ck_assert(compare_text(CMP_GE, "6", "6"));
	ck_assert(!compare_order(CMP_GLOB, 0));
}
END_TEST

START_TEST(paths)
{
	char dir[] = "/tmp/hark-condition-XXXXXX";
	static const struct {
		const char *kind, *tail;
		int holds;
	} rows[] = {
		{"PathExists", "", 1},
		{"PathExists", "/file", 1},
		{"PathExists", "/none", 0},
		{"PathExists", "/file/x", 0},
		{"PathExists", "/dangling", 0},
		{"PathExistsGlob", "/f*", 1},
		{"PathExistsGlob", "/z*", 0},
		{"PathIsDirectory", "", 1},
		{"PathIsDirectory", "/file", 0},
		{"PathIsDirectory", "/none", 0},
		{"PathIsSymbolicLink", "/dangling", 1},
		{"PathIsSymbolicLink", "/file", 0},
		{"PathIsSymbolicLink", "/none", 0},
		{"PathIsMountPoint", "/file", 0},
		{"PathIsMountPoint", "/none", 0},
		{"PathIsReadWrite", "/file", 1},
		{"PathIsReadWrite", "/none", 0},
		{"PathIsEncrypted", "/none", 0},
		{"DirectoryNotEmpty", "", 1},
		{"DirectoryNotEmpty", "/empty", 0},
		{"DirectoryNotEmpty", "/file", 0},
		{"DirectoryNotEmpty", "/none", 0},
		{"FileNotEmpty", "/file", 1},
		{"FileNotEmpty", "/nothing", 0},
		{"FileNotEmpty", "", 0},
		{"FileNotEmpty", "/none", 0},
		{"FileIsExecutable", "/file", 0},
		{"FileIsExecutable", "/nothing", 1},
		{"FileIsExecutable", "", 0},
	};
	char command[300];
	char path[128];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(
		command, sizeof(command),
		"cd %s && echo x > file && touch nothing && chmod 755 nothing && mkdir empty && ln -s none dangling",
		dir);
	ck_assert_int_eq(system(command), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, rows[i].tail);
		ck_assert_msg(test(rows[i].kind, path) == rows[i].holds, "%s=%s", rows[i].kind,
			      rows[i].tail);
	}
	ck_assert_int_eq(test("PathIsMountPoint", "/proc"), 1);
	ck_assert_int_eq(test("PathExistsGlob", "/"), 1);
	ck_assert_int_eq(test("PathExistsGlob", "//p?oc/[s]elf/stat*"), 1);
	ck_assert_int_eq(test("PathExistsGlob", "/*/self/status"), 1);
	ck_assert_int_eq(test("PathExistsGlob", "/*/self/no-such"), 0);
	ck_assert_int_eq(test("PathExistsGlob", "/proc/self/status/*"), 0);
	ck_assert_int_eq(test("PathExistsGlob", "relative*"), -EINVAL);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(facts)
{
	char own[32];

	snprintf(own, sizeof(own), "%u", (unsigned)getuid());
	ck_assert_int_eq(test("User", own), 1);
	ck_assert_int_eq(test("User", "no-such-user"), 0);
	ck_assert_int_eq(test("User", "@system"), getuid() <= 999 || geteuid() <= 999);
	snprintf(own, sizeof(own), "%u", (unsigned)getgid());
	ck_assert_int_eq(test("Group", own), 1);
	ck_assert_int_eq(test("Group", "no-such-group"), 0);
	ck_assert_int_eq(test("Architecture", "native"), 1);
	ck_assert_int_eq(test("Architecture", host.arch), 1);
	ck_assert_int_eq(test("Architecture", "vax"), 0);
	ck_assert_int_eq(test("Host", host.hostname), 1);
	ck_assert_int_eq(test("Host", "*"), 1);
	ck_assert_int_eq(test("Host", "01234567-89AB-cdef-0123-456789abcdef"), 1);
	ck_assert_int_eq(test("Host", "no.such.host"), 0);
	ck_assert_int_eq(test("KernelVersion", host.kernel), 1);
	ck_assert_int_eq(test("KernelVersion", ">=5.15"), 1);
	ck_assert_int_eq(test("KernelVersion", ">= 5.15 < 999"), 1);
	ck_assert_int_eq(test("KernelVersion", "'>=5.15' '>999'"), 0);
	ck_assert_int_eq(test("KernelVersion", "9999.*"), 0);
	ck_assert_int_eq(test("KernelVersion", "!$=9999.*"), 1);
	ck_assert_int_eq(test("KernelVersion", ">="), -EINVAL);
	ck_assert_int_eq(test("KernelVersion", "'5"), -EINVAL);
	ck_assert_int_eq(test("Memory", ">1M"), 1);
	ck_assert_int_eq(test("Memory", "1"), 1);
	ck_assert_int_eq(test("Memory", "< 1M"), 0);
	ck_assert_int_eq(test("Memory", "lots"), -EINVAL);
	ck_assert_int_eq(test("CPUs", "1"), 1);
	ck_assert_int_eq(test("CPUs", ">=1"), 1);
	ck_assert_int_eq(test("CPUs", "= 0"), 0);
	ck_assert_int_eq(test("CPUs", "!=0"), 1);
	ck_assert_int_eq(test("CPUs", ""), -EINVAL);
	ck_assert_int_eq(test("CPUFeature", "no-such-feature"), 0);
	ck_assert_int_eq(test("Capability", "CAP_FROB"), -EINVAL);
	ck_assert_int_eq(test("ControlGroupController", "frobs"), 1);
	ck_assert_int_eq(
		test("ControlGroupController", "v1") + test("ControlGroupController", "v2"), 1);
	ck_assert_int_eq(test("ACPower", "yes") + test("ACPower", "no"), 1);
	ck_assert_int_eq(test("ACPower", "maybe"), -EINVAL);
	ck_assert_int_eq(test("FirstBoot", "yes") + test("FirstBoot", "no"), 1);
	ck_assert_int_eq(test("Security", "frob"), 0);
	ck_assert_int_eq(test("Virtualization", "yes") + test("Virtualization", "no"), 1);
	ck_assert_int_eq(test("Virtualization", "frob"), 0);
	ck_assert_int_eq(test("KernelCommandLine", "no.such.word"), 0);
	ck_assert_int_eq(test("NeedsUpdate", "/no-such-directory"), 0);
}
END_TEST

START_TEST(environment)
{
	setenv("HARK_T", "a=b", 1);
	setenv("CREDENTIALS_DIRECTORY", "/proc/self", 1);
	ck_assert_int_eq(test("Environment", "HARK_T"), 1);
	ck_assert_int_eq(test("Environment", "HARK_T=a=b"), 1);
	ck_assert_int_eq(test("Environment", "HARK_T=a"), 0);
	ck_assert_int_eq(test("Environment", "HARK_U"), 0);
	ck_assert_int_eq(test("Environment", "HARK_U=x"), 0);
	ck_assert_int_eq(test("Credential", "status"), 1);
	ck_assert_int_eq(test("Credential", "no-such"), 0);
	ck_assert_int_eq(test("Credential", "../stat"), -EINVAL);
	ck_assert_int_eq(test("Credential", ".."), -EINVAL);
	ck_assert_int_eq(test("Credential", ""), -EINVAL);
}
END_TEST

START_TEST(broken_parameters)
{
	static const char *const pressure[] = {
		"", "10", "x%", "101%", "10%/2min", "10%/x", "frob:10%", "a/b.slice:10%", "10%/"};
	static const char *const firmware[] = {"",
					       "frob",
					       "smbios-field(x)",
					       "smbios-field(=x)",
					       "smbios-field(a/b=x)",
					       "device-tree-compatible(x"};
	static const char *const release[] = {"ID", "=x", "ID=a 'x"};

	for (size_t i = 0; i < ARRAY_SIZE(pressure); i++) {
		int r = test("MemoryPressure", pressure[i]);

		ck_assert_msg(r == -EINVAL || r == -ERANGE, "%s: %d", pressure[i], r);
	}
	for (size_t i = 0; i < ARRAY_SIZE(firmware); i++)
		ck_assert_int_eq(test("Firmware", firmware[i]), -EINVAL);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(test("OSRelease", release[i]), -EINVAL);
	ck_assert_int_eq(test("Firmware", "smbios-field(no_such_field = x)"), 0);
	ck_assert_int_eq(test("Firmware", "device-tree-compatible(no,such)"), 0);
	ck_assert_int_eq(test("CPUPressure", "100%"), 1);
	ck_assert_int_eq(test("IOPressure", "100.0%/1min"), 1);
	ck_assert_int_eq(test("MemoryPressure", "no-such-thing.slice:10.55%/10sec"), 1);
}
END_TEST

/* Every kind against `systemd-analyze condition` 252, where it is installed: the same machine, so the same answer. */
START_TEST(as_systemd_answers)
{
	static const char *const lines[] = {
		"Architecture=x86-64",
		"Architecture=arm64",
		"Architecture=native",
		"Virtualization=yes",
		"Virtualization=vm",
		"Virtualization=container",
		"Virtualization=docker",
		"Virtualization=kvm",
		"Virtualization=private-users",
		"Host=*",
		"Host=nobody",
		"KernelCommandLine=quiet",
		"KernelCommandLine=console",
		"KernelVersion=>=5.10",
		"KernelVersion=<5.10",
		"KernelVersion=*",
		"Environment=PATH",
		"Environment=NONE",
		"Security=selinux",
		"Security=apparmor",
		"Security=audit",
		"Security=ima",
		"Security=tomoyo",
		"Security=smack",
		"Security=uefi-secureboot",
		"Security=tpm2",
		"Capability=CAP_CHOWN",
		"Capability=CAP_SYS_ADMIN",
		"Capability=CAP_SYS_MODULE",
		"ACPower=yes",
		"ACPower=no",
		"FirstBoot=no",
		"PathExists=/etc/passwd",
		"PathExistsGlob=/etc/pass*",
		"PathIsDirectory=/etc",
		"PathIsMountPoint=/proc",
		"PathIsMountPoint=/etc",
		"PathIsReadWrite=/proc",
		"PathIsReadWrite=/tmp",
		"PathIsEncrypted=/",
		"DirectoryNotEmpty=/etc",
		"DirectoryNotEmpty=/none",
		"FileIsExecutable=/bin/sh",
		"User=root",
		"User=@system",
		"User=0",
		"Group=root",
		"Group=daemon",
		"ControlGroupController=v2",
		"ControlGroupController=v1",
		"ControlGroupController=cpu memory",
		"Memory=>100M",
		"Memory=<100M",
		"CPUs=1",
		"CPUs=>4096",
		"CPUs=<=4",
		"CPUFeature=sse2",
		"CPUFeature=avx2",
		"CPUFeature=lm",
		"CPUFeature=osxsave",
		"CPUFeature=constant_tsc",
		"OSRelease=ID=debian",
		"OSRelease=VERSION_ID>=11",
		"OSRelease=VERSION_ID<11 ID=debian",
		"OSRelease=ID$=deb*",
		"OSRelease=NONE=x",
		"MemoryPressure=100%",
		"Firmware=uefi",
		"Firmware=device-tree",
		"Firmware=device-tree-compatible(x)",
		"NeedsUpdate=/etc",
		"NeedsUpdate=/var",
	};

	if (getuid() != 0) /* what it may look at differs without privilege */
		return;
	if (access("/usr/bin/systemd-analyze", X_OK) != 0)
		return;
	specifier_host_read(&host, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		size_t equal = strcspn(lines[i], "=");
		char kind[32];
		char command[256];
		int theirs;
		int ours;

		snprintf(kind, sizeof(kind), "%.*s", (int)equal, lines[i]);
		ours = test(kind, lines[i] + equal + 1) > 0;
		snprintf(command, sizeof(command),
			 "systemd-analyze condition 'Condition%s' >/dev/null 2>&1", lines[i]);
		theirs = system(command);
		ck_assert_msg(ours == (theirs == 0), "%s: we %d, systemd %d", lines[i], ours,
			      theirs);
	}
}
END_TEST

/* Also where this process is in a container, which ConditionVirtualization= names instead. */
START_TEST(the_machine_as_systemd_says)
{
	const char *ours = probe_machine();
	char theirs[32] = "";
	FILE *f;

	if (access("/usr/bin/systemd-detect-virt", X_OK) != 0)
		return;
	f = popen("systemd-detect-virt --vm", "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(theirs, sizeof(theirs), f));
	(void)pclose(f);
	theirs[strcspn(theirs, "\n")] = '\0';
	ck_assert_str_eq(ours ? ours : "none", theirs);
}
END_TEST

START_TEST(lists)
{
	uint8_t path = (uint8_t)condition_kind(STR("PathExists"));
	struct condition none = {.parameter = "/none", .kind = path};
	struct condition some = {.parameter = "/proc", .kind = path};
	struct condition first = {.parameter = "/none", .kind = path, .is_trigger = true};
	struct condition second = {.parameter = "/proc", .kind = path, .is_trigger = true};
	const struct condition *failed = NULL;

	ck_assert_int_eq(condition_test_all(NULL, false, &host, &failed), 1);
	ck_assert_int_eq(condition_test_all(&none, false, &host, &failed), 0);
	ck_assert_ptr_eq(failed, &none);
	ck_assert_int_eq(condition_test_all(&none, true, &host, &failed), 1);
	none.is_negated = true;
	ck_assert_int_eq(condition_test_all(&none, false, &host, &failed), 1);
	none.is_negated = false;
	some.next = &none;
	ck_assert_int_eq(condition_test_all(&some, false, &host, &failed), 0);
	none.is_assert = true;
	ck_assert_int_eq(condition_test_all(&some, false, &host, &failed), 1);
	ck_assert_int_eq(condition_test_all(&some, true, &host, &failed), 0);
	/* one of the '|' lines will do, but the others must hold, too */
	ck_assert_int_eq(condition_test_all(&first, false, &host, &failed), 0);
	ck_assert_ptr_eq(failed, &first);
	first.next = &second;
	ck_assert_int_eq(condition_test_all(&first, false, &host, &failed), 1);
	none.is_assert = false;
	second.next = &none;
	ck_assert_int_eq(condition_test_all(&first, false, &host, &failed), 0);
	ck_assert_ptr_eq(failed, &none);
	/* what cannot be told does not hold, negated or not */
	some = (struct condition){
		.parameter = "x", .kind = (uint8_t)condition_kind(STR("CPUs")), .is_negated = true};
	ck_assert_int_eq(condition_test(&some, &host), -EINVAL);
	ck_assert_int_eq(condition_test_all(&some, false, &host, &failed), 0);
	some.kind = 255;
	ck_assert_int_eq(condition_test(&some, &host), -EINVAL);
}
END_TEST

START_TEST(no_memory)
{
	static const char *const lines[][2] = {{"OSRelease", "ID=debian"},
					       {"KernelCommandLine", "x"},
					       {"KernelVersion", "x"},
					       {"User", "root"}};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		for (uint64_t at = 1; at < 12; at++) {
			mem_stats = (struct mem_stats){.fail_at = at, .fail_persists = true};
			ck_assert_int_ge(test(lines[i][0], lines[i][1]), -ENOMEM);
			ck_assert_uint_eq(mem_stats.live_n, 0);
		}
	}
	mem_stats.fail_at = 0;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("condition");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, names);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, operators);
	tcase_add_test(tc, paths);
	tcase_add_test(tc, facts);
	tcase_add_test(tc, environment);
	tcase_add_test(tc, broken_parameters);
	tcase_add_test(tc, as_systemd_answers);
	tcase_add_test(tc, the_machine_as_systemd_says);
	tcase_add_test(tc, lists);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
