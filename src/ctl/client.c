/* SPDX-License-Identifier: MIT */
#include "ctl/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "core/fd.h"

/* So long the next manager may take; after that the end that was asked for has come. */
enum { ENDING_US = 500000 };
static const struct timespec retry_pause = {.tv_nsec = 5 * 1000 * 1000};

struct asking {
	const char *path;
	struct question q; /* with a number */
	struct rows *rows;
	int exit;
	uint64_t until_us; /* how long a missing manager is waited for */
	struct wire_out out;
	struct wire_in in;
};

static int put_option(struct wire_out *o, enum option_id id, const char *value)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "%s%s%s", verb_options[id].word, *value ? "=" : "",
			 value);

	if (n < 0 || (size_t)n >= sizeof(text))
		return -E2BIG;
	return wire_put(o, TAG_OPTION, (struct str){text, (size_t)n}) ? 0 : -E2BIG;
}

uint64_t client_number(void)
{
	uint64_t id = 0;

	(void)!getrandom(&id, sizeof(id), GRND_NONBLOCK);
	return id ? id : clock_wall_us();
}

int client_encode(struct wire_out *o, const struct question *q)
{
	char id[24];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)q->id);
	wire_begin(o, FRAME_REQUEST, 1);
	if (!wire_put(o, TAG_VERB, str_of(q->verb->word)) || !wire_put(o, TAG_ID, str_of(id)))
		return -E2BIG;
	for (unsigned i = 0; i < q->args_n; i++)
		if (!wire_put(o, TAG_ARG, str_of(q->args[i])))
			return -E2BIG;
	for (unsigned i = 0; i < OPTIONS; i++) {
		int r = q->options[i] ? put_option(o, (enum option_id)i, q->options[i]) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static void take_row(const struct question *q, struct rows *rows, const struct row *row)
{
	if (q->on_row)
		q->on_row(q->arg, row);
	if (q->is_endless)
		rows_reset(rows);
}

bool client_take(const struct question *q, struct wire_in *in, struct rows *rows, int *ret_exit)
{
	struct str value;
	uint16_t tag;

	while (wire_next(in, &tag, &value)) {
		const struct row *row = tag == TAG_EXIT ? NULL : rows_add(rows, tag, value);

		if (tag == TAG_EXIT)
			*ret_exit = (int)wire_u64(value);
		else if (row)
			take_row(q, rows, row);
	}
	return in->kind == FRAME_END;
}

/* One connection's worth: 0 finished, -ECONNRESET, -EPIPE (it broke), -errno. */
static int converse(struct asking *a)
{
	AUTO_FD int fd = wire_connect(a->path);
	int r = fd < 0 ? fd : client_encode(&a->out, &a->q);

	if (r < 0)
		return r;
	r = wire_send(fd, &a->out);
	/* A manager that turns us away says why and closes: its word may lie there already. */
	if (r < 0 && r != -EPIPE)
		return r;
	do {
		r = wire_recv(fd, &a->in);
		if (r < 0)
			return r;
	} while (!client_take(&a->q, &a->in, a->rows, &a->exit));
	return 0;
}

bool client_is_ending(enum verb_id id)
{
	return id == VERB_POWEROFF || id == VERB_REBOOT || id == VERB_HALT || id == VERB_KEXEC ||
	       id == VERB_SOFT_REBOOT || id == VERB_EXIT;
}

/* After a break: is there hope in trying again? A dead manager's socket refuses, and for an instant is not there. */
static bool is_restarting(int err, bool was_connected)
{
	return err == -ECONNREFUSED || (was_connected && err == -ENOENT);
}

void client_path(char *path, size_t cap)
{
	const char *run_dir = getenv("HARK_RUN_DIR");

	snprintf(path, cap, "%s/control", run_dir && *run_dir ? run_dir : "/run/hark");
}

int client_ask(const char *path, const struct question *q, struct rows *rows, int *ret_exit)
{
	AUTO_MEM struct asking *a = mem_get(sizeof(*a)); /* two frames: too big for a stack */
	bool was_connected = false, is_ending = client_is_ending(q->verb->id);
	int r;

	if (!a)
		return -ENOMEM;
	a->path = path;
	a->q = *q;
	a->q.id = client_number();
	a->rows = rows;
	while ((r = converse(a)) < 0) {
		if (r == -ECONNRESET || r == -EPIPE) {
			was_connected = true;
			rows_reset(rows);
		} else if (!is_restarting(r, was_connected)) {
			return r;
		}
		if (!a->until_us)
			a->until_us =
				clock_mono_us() + (is_ending ? ENDING_US : CLIENT_PATIENCE_US);
		if (clock_mono_us() < a->until_us) {
			nanosleep(&retry_pause, NULL);
			continue;
		}
		/* Nobody comes back: that is what was asked for. */
		if (!is_ending || !was_connected)
			return r;
		break;
	}
	*ret_exit = r < 0 ? 0 : a->exit;
	return 0;
}
