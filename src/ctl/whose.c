/* SPDX-License-Identifier: MIT */
/* The verbs that tell how things hang together: whose a process is, and what was started because of a unit. */
#include <fcntl.h>
#include <stdio.h>

#include "core/fd.h"
#include "core/proc.h"
#include "ctl/serve.h"
#include "ctl/why.h"
#include "units/service.h"

enum { CGROUP_LINE = 4096, COMMAND = 160 };

/* --- whose --- */

/* The unit that a cgroup of ours is in: the first on the way that is no slice, else the innermost slice. NULL: none. */
static struct unit *unit_of_cgroup(struct hark *h, struct str path)
{
	struct str prefix = str_of(h->cgroups.prefix), piece;
	struct unit *found = NULL;

	if (str_has_prefix(path, prefix))
		path = str_sub(path, prefix.n, path.n);
	while (str_cut(&path, '/', &piece)) {
		char name[UNIT_NAME_MAX + 1];
		struct unit *u;

		if (!piece.n || piece.n > UNIT_NAME_MAX)
			continue;
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(piece));
		u = unit_type_of(name) >= 0 ? registry_find(&h->reg, name) : NULL;
		if (u)
			found = u;
		if (u && u->type != UNIT_SLICE)
			break;
	}
	return found;
}

/* By the kernel's own file. *ret_path: what it says, in text. NULL: of no unit, or there is no such process. */
static struct unit *unit_of_process(struct hark *h, uint64_t pid, char text[CGROUP_LINE],
				    struct str *ret_path)
{
	struct str rest = {text, 0}, line;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%llu/cgroup", (unsigned long long)pid);
	n = fd_read_small(AT_FDCWD, path, text, CGROUP_LINE);
	rest.n = n < 0 ? 0 : (size_t)n;
	while (str_cut(&rest, '\n', &line))
		if (str_has_prefix(line, STR("0::"))) {
			*ret_path = str_sub(line, 3, line.n);
			return unit_of_cgroup(h, *ret_path);
		}
	return NULL;
}

/* How the process came to be the unit's. */
static const char *part_of(struct unit *u, pid_t pid)
{
	const struct service *s = service_of(u);

	if (s && pid == proc_pid(&s->main))
		return "main process";
	if (s && pid == proc_pid(&s->control))
		return "helper command";
	if (u->type == UNIT_SCOPE)
		return "taken in, or made by one that was";
	return "descendant of one of its processes";
}

int serve_whose(struct call *c)
{
	char text[CGROUP_LINE], command[COMMAND];
	struct str cgroup = STR("");
	const char *word;
	struct unit *u;
	uint64_t pid;

	if (c->at == c->request.args_n)
		return CALL_DONE;
	word = c->request.args[c->at++];
	if (str_to_u64(str_of(word), &pid) < 0 || pid == 0 || pid > INT32_MAX ||
	    proc_cmdline((pid_t)pid, command, sizeof(command)) < 0) {
		call_error(c, EXIT_NOT_RUNNING, NULL, "there is no process %s", word);
		return CALL_MORE;
	}
	u = unit_of_process(c->h, pid, text, &cgroup);
	if (!u) {
		call_error(c, EXIT_NO_SUCH_UNIT, NULL, "process %s (%s) belongs to no unit", word,
			   command);
		return CALL_MORE;
	}
	reply_row(&c->reply, "whose");
	reply_value(&c->reply, TAG_NUMBER, "pid", pid);
	reply_text_z(&c->reply, "unit", u->name);
	reply_text_z(&c->reply, "part", part_of(u, (pid_t)pid));
	reply_textf(&c->reply, "cgroup", STR_FMT, STR_ARG(cgroup));
	reply_text_z(&c->reply, "command", command);
	reply_row_end(&c->reply);
	return CALL_MORE;
}

/* --- started by --- */

/* The unit because of which u runs, or NULL. */
static struct unit *reason_of(const struct call *c, const struct unit *u)
{
	uint32_t by;

	return why_reason(&c->h->reg, &c->h->state, u, &by) == WHY_NOT_RUNNING
		       ? NULL
		       : registry_unit(&c->h->reg, by);
}

/* However far up: the causes of a long life may go round in a circle. */
static bool is_because_of(const struct call *c, const struct unit *u, const struct unit *root)
{
	for (unsigned i = 0; u && i < WHY_CHAIN; i++) {
		u = reason_of(c, u);
		if (u == root)
			return true;
	}
	return false;
}

int serve_started(struct call *c)
{
	struct unit *root, *u;
	struct why_link link;

	if (c->at == c->request.args_n)
		return CALL_DONE;
	root = call_unit(c, c->request.args[c->at], EXIT_NO_SUCH_UNIT);
	if (root && c->sub == 0) {
		reply_row(&c->reply, "root");
		reply_text_z(&c->reply, "unit", root->name);
		reply_row_end(&c->reply);
	}
	for (; root && c->sub < c->h->reg.n; c->sub++) {
		u = registry_unit(&c->h->reg, (uint32_t)c->sub);
		if (!u || u == root || !is_because_of(c, u, root))
			continue;
		c->sub++;
		reply_row(&c->reply, "started");
		reply_text_z(&c->reply, "unit", u->name);
		reply_text_z(&c->reply, "by", reason_of(c, u)->name);
		reply_text_z(&c->reply, "sub", unit_substate(u));
		if (why_chain(&c->h->state, u->why_entry, &link, 1))
			reply_text_z(&c->reply, "text", link.text);
		reply_row_end(&c->reply);
		return CALL_MORE;
	}
	c->sub = 0;
	c->at++;
	return CALL_MORE;
}
