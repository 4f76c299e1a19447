/* SPDX-License-Identifier: MIT */
#include "core/explain.h"

#include <signal.h>

#include "activate/output.h"
#include "core/spawn.h"
#include "units/service.h"
#include "units/value.h"

enum { PLAN_EXITS = 200 }; /* the least status that a failing step ends with */

void explain_open(const struct exec_config *x, int err, struct sbuf *why)
{
	const struct stdio *const of[] = {&x->in, &x->out, &x->err};
	static const char *const names[] = {"StandardInput", "StandardOutput", "StandardError"};

	sbuf_add_z(why, "a file cannot be opened:");
	for (unsigned i = 0; i < ARRAY_SIZE(of); i++)
		if (of[i]->path)
			sbuf_addf(why, " \"%s\" (%s=)", of[i]->path, names[i]);
	sbuf_addf(why, ": %s", strerror(err));
}

/* What hark-exec said at the end of the unit's output, why it could not set the process up. False: nothing. */
static bool add_last_words(const struct unit *u, struct sbuf *why)
{
	static const char name[] = "hark-exec: ", end[] = "; the service is not started";
	struct output_at at = {0};
	bool is_over = true;

	for (; output_next(u, true, &at); at.number++) {
		struct str line = at.line;
		bool is_ours = str_has_prefix(line, str_of(name));

		if (!is_ours || is_over)
			sbuf_reset(why);
		is_over = !is_ours || str_has_suffix(line, str_of(end));
		if (!is_ours)
			continue;
		line = str_sub(line, strlen(name), line.n - (is_over ? strlen(end) : 0));
		sbuf_addf(why, "%s" STR_FMT, why->n ? ", " : "", STR_ARG(line));
	}
	return why->n > 0;
}

static void explain_setup(struct service *s, int code, int status)
{
	const struct command *cmd = service_command(s) ? service_command(s)
						       : command_first(s->unit.config, CMD_START);
	struct sbuf words = {0}, why = {0};

	if (code == CLD_EXITED && status >= PLAN_EXITS && cmd && !s->fail_step_exit &&
	    add_last_words(&s->unit, &words))
		sbuf_addf(&why, "%s:%u: the process could not be set up: " STR_FMT,
			  cmd->file ? cmd->file : s->unit.name, cmd->line,
			  STR_ARG(((struct str){words.p, words.n})));
	if (why.n)
		spawn_set_fail(&s->unit, (uint8_t)status, sbuf_take(&why));
	sbuf_fini(&words);
	sbuf_fini(&why);
}

/* Those that follow must not hide which it was. */
static void explain_helper(struct service *s, int code, int status)
{
	const struct command *cmd = service_command(s);
	struct sbuf why = {0};

	if ((s->unit.state != SVC_START_PRE && s->unit.state != SVC_START_POST) || !cmd ||
	    cmd->ignore_failure ||
	    service_exit_is_clean(s->unit.config->service, code, status, false))
		return;
	sbuf_addf(&why, "%s:%u: %s: ", cmd->file ? cmd->file : s->unit.name, cmd->line, cmd->path);
	if (code == CLD_EXITED)
		sbuf_addf(&why, "exit status %d", status);
	else
		sbuf_addf(&why, "killed by %s", value_signal_name(status));
	if (!s->fail_step_exit) /* else it is known what kept it from being executed */
		spawn_set_fail(&s->unit, 0, sbuf_take(&why));
	sbuf_fini(&why);
}

void explain_exit(struct service *s, bool is_main, int code, int status)
{
	explain_setup(s, code, status);
	if (!is_main)
		explain_helper(s, code, status);
}
