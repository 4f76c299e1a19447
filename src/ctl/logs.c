/* SPDX-License-Identifier: MIT */
/* `logs`: the lines that units wrote and, for who follows them, those that they write from then on. */
#include "activate/output.h"
#include "core/mem.h"
#include "ctl/serve.h"
#include "units/value.h"

enum { LOOK_AGAIN_US = 50 * 1000 };

/* A unit whose lines are told. */
struct call_tail {
	uint32_t unit; /* id */
	uint64_t next; /* number of the line that is told next */
};

static struct unit *unit_of(const struct call *c, const struct call_tail *tail)
{
	return registry_unit(&c->h->reg, tail->unit);
}

/* Who follows gets a line when it has ended, or when nothing comes any more. */
static bool look(const struct call *c, const struct call_tail *tail, struct output_at *ret)
{
	struct unit *u = unit_of(c, tail);

	*ret = (struct output_at){.number = tail->next};
	return u && output_next(u, c->at, ret);
}

/* The tail whose next line is the oldest, or NULL. */
static struct call_tail *oldest(const struct call *c, struct output_at *ret)
{
	struct call_tail *found = NULL;
	struct output_at at;

	for (unsigned i = 0; i < c->tails_n; i++)
		if (look(c, &c->tails[i], &at) && (!found || at.wall_us < ret->wall_us)) {
			found = &c->tails[i];
			*ret = at;
		}
	return found;
}

/* --lines: all but so many of the lines there are, the oldest, are passed over. */
static void pass_over(struct call *c, uint64_t most)
{
	struct output_at at;
	uint64_t n = 0;

	for (unsigned i = 0; i < c->tails_n; i++) {
		struct call_tail tail = c->tails[i];

		for (; look(c, &tail, &at); tail.next = at.number + 1)
			n++;
	}
	for (; n > most; n--) {
		struct call_tail *tail = oldest(c, &at);

		if (!tail)
			return;
		tail->next = at.number + 1;
	}
}

/* Is there anything to wait for: a unit that may write, where --wait asks for no more than the present run? */
static bool goes_on(const struct call *c)
{
	if (!c->request.options[OPT_FOLLOW])
		return false;
	for (unsigned i = 0; i < c->tails_n; i++) {
		const struct unit *u = unit_of(c, &c->tails[i]);

		if (u && (!c->request.options[OPT_WAIT] || !unit_is_at_rest(u) || u->work->job.id))
			return true;
	}
	return false;
}

static int begin(struct call *c)
{
	const char *lines = c->request.options[OPT_LINES];
	uint64_t most = UINT64_MAX;

	if (!call_may_read(c)) {
		call_error(
			c, EXIT_NO_PERMISSION, NULL,
			"only root and members of systemd-journal or adm may read what services write");
		return CALL_DONE;
	}
	if (lines && str_to_u64(str_of(lines), &most) < 0) {
		call_error(c, EXIT_USAGE, NULL, "--lines takes a number, not \"%s\"", lines);
		return CALL_DONE;
	}
	c->tails = mem_get(c->request.args_n * sizeof(*c->tails));
	if (!c->tails)
		return err_here(-ENOMEM);
	for (unsigned i = 0; i < c->request.args_n; i++) {
		struct unit *u = call_unit(c, c->request.args[i], EXIT_NO_SUCH_UNIT);

		if (!u)
			continue;
		output_drain(c->h, u);
		c->tails[c->tails_n++] = (struct call_tail){.unit = u->id};
	}
	c->at = !goes_on(c);
	pass_over(c, most);
	return CALL_MORE;
}

int serve_logs(struct call *c)
{
	struct call_tail *tail;
	struct output_at at;

	if (c->sub++ == 0)
		return begin(c);
	c->at = !goes_on(c);
	for (unsigned i = 0; i < c->tails_n; i++)
		if (unit_of(c, &c->tails[i]))
			output_drain(c->h, unit_of(c, &c->tails[i]));
	tail = oldest(c, &at);
	if (tail) {
		call_line(c, unit_of(c, tail), at.line, at.wall_us,
			  tail->next && at.number > tail->next ? at.number - tail->next : 0);
		tail->next = at.number + 1;
		return CALL_MORE;
	}
	if (c->at)
		return CALL_DONE;
	c->due_us = time_add(loop_now_us(&c->h->loop), LOOK_AGAIN_US);
	return CALL_WAIT;
}
