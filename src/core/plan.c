/* SPDX-License-Identifier: MIT */
#include "core/plan.h"

#include <assert.h>
#include <sys/types.h>

enum { GROUPS_MOST = 1024 };

#define STEP(name, where, code, words, tail, what) {#name, where, code, words, tail, what},
static const struct plan_step_info infos[] = {PLAN_STEPS(STEP)};
#undef STEP
static_assert(ARRAY_SIZE(infos) == PLAN_STEP_COUNT, "one row a step");

const struct plan_step_info *plan_step_info(unsigned step)
{
	static const struct plan_step_info unknown = {"?", PLAN_EXEC_ONLY, 203, 0, PLAN_NONE, ""};

	return step < PLAN_STEP_COUNT ? &infos[step] : &unknown;
}

static void put_record(struct wbuf *w, enum plan_step step, const uint64_t *words, unsigned words_n,
		       struct str text)
{
	static const char zeros[8];
	const struct plan_step_info *info = plan_step_info(step);
	size_t nul = info->tail == PLAN_STR;
	size_t n = words_n * sizeof(*words) + text.n + nul;

	/* A record the runner would refuse shows here, in the manager, where it can be said which unit it was. */
	if (words_n < info->words_n || n > PLAN_MAX) {
		w->bad = true;
		return;
	}
	wbuf_u16(w, (uint16_t)step);
	wbuf_u16(w, 0);
	wbuf_u32(w, (uint32_t)n);
	wbuf_bytes(w, words, words_n * sizeof(*words));
	wbuf_bytes(w, text.p, text.n);
	wbuf_bytes(w, zeros, nul + -n % 8);
}

/* As the kernel takes them, so that the child has nothing to convert. */
static void put_groups(struct wbuf *w, struct str text)
{
	gid_t gids[GROUPS_MOST];
	size_t n = text.n / sizeof(uint64_t);

	w->bad |= text.n % sizeof(uint64_t) || n > GROUPS_MOST;
	for (size_t i = 0; !w->bad && i < n; i++) {
		uint64_t gid;

		memcpy(&gid, text.p + i * sizeof(gid), sizeof(gid));
		gids[i] = (gid_t)gid;
	}
	if (!w->bad)
		put_record(w, PLAN_GROUPS, NULL, 0,
			   (struct str){(const char *)gids, n * sizeof(gids[0])});
}

void plan_put(struct wbuf *w, enum plan_step step, const uint64_t *words, unsigned words_n,
	      struct str text)
{
	if (step == PLAN_GROUPS)
		put_groups(w, text);
	else
		put_record(w, step, words, words_n, text);
}

void plan_put_str(struct wbuf *w, enum plan_step step, struct str text)
{
	plan_put(w, step, NULL, 0, text);
}

void plan_put_u64(struct wbuf *w, enum plan_step step, uint64_t word)
{
	plan_put(w, step, &word, 1, STR(""));
}

enum plan_where plan_place(const char *bytes, size_t n)
{
	struct plan_record rec;
	size_t at = 0;
	unsigned args = 0, envs = 0;
	enum plan_where where = PLAN_ANYWHERE;

	if (n > PLAN_INLINE)
		return PLAN_EXEC_ONLY;
	while (plan_next(bytes, n, &at, &rec) > 0) {
		where = infos[rec.step].where > where ? infos[rec.step].where : where;
		args += rec.step == PLAN_ARG;
		envs += rec.step == PLAN_ENV || rec.step == PLAN_ENV_PID;
	}
	return args > PLAN_ARGS_INLINE || envs > PLAN_ARGS_INLINE ? PLAN_EXEC_ONLY : where;
}

int plan_check(const char *bytes, size_t n)
{
	struct plan_record rec = {.step = PLAN_END};
	size_t at = 0;
	int r;

	while ((r = plan_next(bytes, n, &at, &rec)) > 0) {
		if (rec.step == PLAN_EXEC)
			return at == n ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}
