/* SPDX-License-Identifier: MIT */
/* The table of directives: its shape, and that every row does what it says. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "units/cgroup_config.h"
#include "units/directive.h"
#include "units/directive_help.h"
#include "units/exec_config.h"
#include "units/load.h"
#include "units/mount.h"
#include "units/path.h"
#include "units/sandbox.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

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

/* The one-line form of all findings, each behind the other. */
static char *findings(const struct unit_config *c)
{
	struct sbuf out = {0};

	for (const struct diag *d = c->diags.first; d; d = d->next) {
		diag_render(d, &out);
		sbuf_add_c(&out, '\n');
	}
	sbuf_add_c(&out, '\n');
	return sbuf_take(&out);
}

static void check_findings(const char *name, const char *text, const char *golden)
{
	struct unit_config *c = parse(name, text);
	char *out = findings(c);

	ck_assert_ptr_nonnull(out);
	out[strlen(out) - 1] = '\0';
	ck_assert_str_eq(out, golden);
	mem_put(out);
	unit_config_free(c);
}

START_TEST(rows_are_sorted_and_complete)
{
	static const size_t sizes[] = {
		[BASE_NONE] = 0,
		[BASE_CONFIG] = sizeof(struct unit_config),
		[BASE_UNIT] = sizeof(struct unit_settings),
		[BASE_EXEC] = sizeof(struct exec_config),
		[BASE_SERVICE] = sizeof(struct service_config),
		[BASE_SOCKET] = sizeof(struct socket_config),
		[BASE_CGROUP] = sizeof(struct cgroup_config),
		[BASE_SANDBOX] = sizeof(struct sandbox),
		[BASE_TIMER] = sizeof(struct timer_config),
		[BASE_PATH] = sizeof(struct path_config),
		[BASE_SCOPE] = sizeof(struct scope_config),
		[BASE_MOUNT] = sizeof(struct mount_config),
		[BASE_AUTOMOUNT] = sizeof(struct automount_config),
		[BASE_SWAP] = sizeof(struct swap_config),
	};
	unsigned n = 0;

	for (unsigned g = 0; g < GROUPS; g++) {
		const struct directive_rows *rows = &directive_groups[g];

		ck_assert_uint_gt(rows->n, 0);
		for (unsigned k = 0; k < rows->n; k++) {
			const struct directive *d = &rows->rows[k];

			n++;
			ck_assert(k == 0 || strcmp(rows->rows[k - 1].name, d->name) < 0);
			ck_assert_uint_le((size_t)d->offset + d->size, sizes[d->base]);
			ck_assert(d->parser < PARSERS && d->example);
			ck_assert(directive_help((enum directive_group)g, k)[0]);
			ck_assert((d->verdict == ENFORCED) == (d->why[0] == '\0'));
			ck_assert((d->verdict == INERT) == (d->note != NULL));
			/* What is enforced has a place. */
			ck_assert(d->verdict != ENFORCED || d->base != BASE_NONE);
		}
	}
	ck_assert_uint_gt(n, 400);
}
END_TEST

/* Width of the target that the simple readers write. */
START_TEST(targets_have_the_width_of_their_reader)
{
	static const uint8_t widths[PARSERS] = {
		[PARSER_bool] = 1,
		[PARSER_word] = 1,
		[PARSER_bool_or_word] = 1,
		[PARSER_isolate] = 1,
		[PARSER_service_type] = 1,
		[PARSER_timestamping] = 1,
		[PARSER_u32] = 4,
		[PARSER_int] = 4,
		[PARSER_mode] = 4,
		[PARSER_signal] = 4,
		[PARSER_ip_tos] = 4,
		[PARSER_ip_ttl] = 4,
		[PARSER_exit_status] = 4,
		[PARSER_socket_protocol] = 1,
		[PARSER_span] = 8,
		[PARSER_span_or_never] = 8,
		[PARSER_start_timeout] = 8,
		[PARSER_abort_timeout] = 8,
		[PARSER_size] = 8,
		[PARSER_i64] = 8,
		[PARSER_text] = 8,
		[PARSER_description] = 8,
		[PARSER_path] = 8,
		[PARSER_user] = 8,
		[PARSER_unit_name] = 8,
		[PARSER_commands] = 8,
		[PARSER_stdio] = sizeof(struct stdio),
		[PARSER_exit_set] = sizeof(struct exit_set),
	};

	for (unsigned g = 0; g < GROUPS; g++)
		for (unsigned k = 0; k < directive_groups[g].n; k++) {
			const struct directive *d = &directive_groups[g].rows[k];

			if (d->base != BASE_NONE && widths[d->parser])
				ck_assert_msg(d->size == widths[d->parser], "%s", d->name);
		}
}
END_TEST

/* Names of units of the types that have a section of their own. */
static const char *const unit_of_section[SECTIONS] = {
	[SECTION_UNIT] = "a.target",     [SECTION_INSTALL] = "a@i.target",
	[SECTION_SERVICE] = "a.service", [SECTION_SOCKET] = "a.socket",
	[SECTION_MOUNT] = "a.mount",     [SECTION_AUTOMOUNT] = "a.automount",
	[SECTION_SWAP] = "a.swap",       [SECTION_TIMER] = "a.timer",
	[SECTION_PATH] = "a.path",       [SECTION_SLICE] = "a.slice",
	[SECTION_SCOPE] = "a.scope",     [SECTION_TARGET] = "a.target",
	[SECTION_DEVICE] = "a.device",
};

static void try_row(enum section section, const struct directive *d, const char *prefix)
{
	char text[512];
	struct unit_config *c;

	snprintf(text, sizeof(text), "[%s]\n%s%s=%s\n", section_name(section), prefix, d->name,
		 d->example);
	c = parse(unit_of_section[section], text);
	for (const struct diag *f = c->diags.first; f; f = f->next) {
		bool is_note = f->severity == DIAG_NOTE && d->verdict == LEGACY;
		bool is_refusal = d->verdict == REFUSED && strcmp(f->code, "U040") == 0;

		/* What a unit lacks beside this line is no finding about the line. */
		ck_assert_msg(is_note || is_refusal || f->line != 2 ||
				      strcmp(f->code, "U047") == 0 || strcmp(f->code, "U049") == 0,
			      "%s%s", text, f->message);
	}
	if (d->verdict == REFUSED)
		ck_assert_msg(c->own->refusals != NULL, "%s", text);
	if (d->verdict == INERT)
		ck_assert_msg(c->own->notes && !c->own->notes->next &&
				      strstr(c->own->notes->text, d->name) == c->own->notes->text,
			      "%s", text);
	unit_config_free(c);
}

START_TEST(every_row_reads_its_example)
{
	for (unsigned s = 0; s < SECTIONS; s++)
		for (unsigned g = 0; g < GROUPS; g++)
			for (unsigned k = 0;
			     k < directive_groups[g].n && section_groups((enum section)s) & 1u << g;
			     k++) {
				const struct directive *d = &directive_groups[g].rows[k];

				if (g != GROUP_CONDITION) {
					try_row((enum section)s, d, "");
					continue;
				}
				try_row((enum section)s, d, "Condition");
				try_row((enum section)s, d, "Assert");
			}
}
END_TEST

/* Strict rows refuse a unit for a value that cannot be used; others say so and go on. */
START_TEST(every_row_survives_bad_values)
{
	static const char *const values[] = {"",   "\xff",   "%",     "%Q",
					     "\"", "/../..", "x y z", "-99999999999999999999",
					     "~",  "!",      "@",     ";"};
	char text[512];

	for (unsigned s = 0; s < SECTIONS; s++)
		for (unsigned g = 0; g < GROUPS; g++)
			for (unsigned k = 0;
			     k < directive_groups[g].n && section_groups((enum section)s) & 1u << g;
			     k++)
				for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
					const struct directive *d = &directive_groups[g].rows[k];
					struct unit_config *c;
					bool has_error = false, is_fatal = false;

					snprintf(text, sizeof(text), "[%s]\n%s%s=%s\n",
						 section_name((enum section)s),
						 g == GROUP_CONDITION ? "Condition" : "", d->name,
						 values[v]);
					c = parse(unit_of_section[s], text);
					for (const struct diag *f = c->diags.first; f;
					     f = f->next) {
						has_error |= f->line == 2 &&
							     f->severity == DIAG_ERROR;
						is_fatal |= f->line == 2 && f->is_fatal;
					}
					if (has_error && d->verdict != REFUSED)
						ck_assert_msg(is_fatal == d->is_strict, "%s", text);
					unit_config_free(c);
				}
}
END_TEST

START_TEST(messages)
{
	check_findings(
		"a.service", "[Service]\nExecStart=/bin/true\nExecStrat=/bin/true\n",
		"t:3:1: error[U001]: unknown directive \"ExecStrat\" in section [Service]; the line has no effect; "
		"did you mean \"ExecStart\"?\n");
	check_findings(
		"a.service", "[Service]\nExecStart=/bin/true\nRestart=alway\n",
		"t:3:9: error[U014]: \"alway\" is not a restart policy (no, on-success, on-failure, on-abnormal, on-watchdog, "
		"on-abort, always); the line is ignored; did you mean \"always\"?\n");
	check_findings(
		"a.service", "[Service]\nExecStart=/bin/true\nTimeoutSec=5x\n",
		"t:3:12: error[U031]: cannot read \"5x\" as a time span; the line is ignored; for example \"30s\"\n");
	check_findings(
		"a.service", "[Service]\nExecStart=/bin/true\n[Install]\nBefore=x.service\n",
		"t:4:1: warning[W102]: \"Before\" belongs in [Unit], not [Install]; it has no effect here\n");
	check_findings(
		"a.service", "[Service]\nExecStart=/bin/true\nStartLimitInterval=5\n",
		"t:3:1: note[N202]: StartLimitInterval= is the old form of StartLimitIntervalSec= in [Unit] and taken as that\n");
	check_findings(
		"a.service", "[Unit]\nAfter=ok.service bad:name\n[Service]\nExecStart=/bin/true\n",
		"t:2:18: error[U018]: \"bad:name\" is not the name of a unit; the word is ignored; did you mean \"bad:name.service\"?\n");
	check_findings(
		"a.service", "[Service]\nExecStart=/bin/true\nRestart=no # never\n",
		"t:3:9: error[U014]: \"no # never\" is not a restart policy (no, on-success, on-failure, on-abnormal, on-watchdog, "
		"on-abort, always); the line is ignored; a comment has a line of its own\n");
	check_findings(
		"a.service", "[Service]\nExecStart=/bin/true\nUMask=999\n",
		"t:3:7: error[U015]: cannot read \"999\" as an octal access mode; the unit is refused; for example \"0750\"\n");
	check_findings(
		"a.service", "[Service]\nExecStart=bin/true\n",
		"t:2:11: error[U020]: ExecStart=: the program is neither an absolute path nor a bare name: \"bin/true\"; the unit is "
		"refused\n");
	check_findings(
		"a.service",
		"[X-Mine]\nfoo=bar\n[Service]\nX-Foo=bar\nExecStart=/bin/true\n[Socket]\nAccept=no\n",
		"t:6:1: error[U002]: section [Socket] does not belong in a service unit; its lines have no effect\n");
	check_findings(
		"a.target", "hello\n[Unit]\nhello\n=x\n[Unit\nDescription=x\n",
		"t:1:1: error[U004]: there is no = in this line; it has no effect\n"
		"t:3:1: error[U004]: there is no = in this line; it has no effect\n"
		"t:4:1: error[U005]: there is no name in front of =; the line has no effect\n"
		"t:5:1: error[U003]: a section header ends with ]; the unit is refused\n"
		"t:6:1: error[U006]: no section has begun yet; the line has no effect\n");
	check_findings(
		"a.socket", "[Socket]\nListenStream=vsock:2:22\n",
		"t:2:14: error[U026]: ListenStream=: vsock addresses are not supported by this hark: \"vsock:2:22\"; the unit is "
		"refused\n");
	check_findings(
		"a.service",
		"[Service]\nExecStart=/bin/true\nCapabilityBoundingSet=CAP_CHOWN \\\n  CAP_FOO\n",
		"t:4:3: error[U024]: \"CAP_FOO\" is not a capability; the unit is refused\n");
}
END_TEST

START_TEST(codes_are_unique)
{
	for (unsigned k = 0; k < CODES; k++) {
		ck_assert_ptr_nonnull(codes[k].code);
		ck_assert(codes[k].title[0] && codes[k].help[0]);
		for (unsigned m = 0; m < k; m++)
			ck_assert_str_ne(codes[k].code, codes[m].code);
	}
}
END_TEST

/* All that systemd 252 of this machine knows is known here: section by section. */
START_TEST(nothing_of_systemd_is_unknown)
{
	static const char list[] = "/lib/systemd/systemd --dump-configuration-items 2>/dev/null";
	FILE *f = popen(list, "r");
	int section = -1;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		struct str s = str_trim(str_of(line));
		size_t equals = str_index(s, '=');

		if (s.n > 2 && s.p[0] == '[')
			section = section_find(str_sub(s, 1, s.n - 1));
		else if (section >= 0 && equals < s.n)
			ck_assert_msg(directive_find((enum section)section, str_sub(s, 0, equals)),
				      "%s", line);
	}
	if (f)
		pclose(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("directive");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rows_are_sorted_and_complete);
	tcase_add_test(tc, targets_have_the_width_of_their_reader);
	tcase_add_test(tc, every_row_reads_its_example);
	tcase_add_test(tc, every_row_survives_bad_values);
	tcase_add_test(tc, messages);
	tcase_add_test(tc, codes_are_unique);
	tcase_add_test(tc, nothing_of_systemd_is_unknown);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
