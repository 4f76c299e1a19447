/* SPDX-License-Identifier: MIT */
/*
 * Memory that fails, in the simulated world: one allocation, or all of them for a while: every one of a story with starts, stops,
 * restarts and a takeover, some of many others. No manager crashes, nothing is lost, doubled or left hanging, clients whose request failed ask again and
 * succeed, and what failed is named. A takeover without memory does nothing, and the next one succeeds.
 *
 *	HARK_SIM_SEED=N   only that story     HARK_FULL=1   many stories, else as many as 8 s take
 */
#include "sim/life.h"

/* HANGS_DERIVED: a command of which nothing is remembered hangs, and once had no time limit any more. */
enum {
	HANGS_DERIVED = 186,
	SEEDS_FULL = 300,
	POINTS = 12,
	WHILE = 40,
	SHORT_MS = 8000,
	EVERY = 25
};

static struct sums {
	unsigned stories, lives, failed, retried, refused_takeovers, every;
} * sums;

/* At its end no unit has a job, none is on the way, and no process runs for a unit that rests. */
static void check_rest(struct hark *h)
{
	for (unsigned i = 0; i < WORLD_UNITS; i++) {
		char name[32];
		const struct unit *u;

		world_unit_name(i, name);
		u = registry_find(&h->reg, name);
		ck(u && !u->work->job.id, "a job is left");
		ck(unit_coarse(u) == ACTIVE || unit_is_at_rest(u) ||
			   u->ops->fsm->states[u->state].is_between_runs,
		   "a unit is on the way for ever");
		ck(!unit_is_at_rest(u) || !main_process(i), "a unit rests with a process");
	}
	ck(h->engine.jobs_n == 0, "a job is counted");
	ck(check_failures() == 0, "a CHECK() failed");
	sums->failed += fail.did_fail;
	sums->retried += fail.asked_again;
}

static void count(struct hark *h UNUSED)
{
	sums->failed += fail.did_fail;
	sums->retried += fail.asked_again;
}

/* When the manager of a story dies: behind that act. */
static uint32_t death(void)
{
	return 1 + world_dice(8, 1, 0, 400);
}

/* A story with a death behind act crash_at (0: none) in it; in one of its two lives allocation `at` fails, and the `n` behind it. */
static void tell(uint32_t seed, uint32_t crash_at, unsigned life, uint64_t at, uint64_t n)
{
	int fd = new_state();

	seed_told = seed;
	fail.from = life == 1 ? at : 0;
	fail.n = n;
	if (fork_life(fd, crash_at, crash_at ? count : check_rest)) {
		fail.from = life == 2 ? at : 0;
		while (fork_life(fd, 0, check_rest)) { /* a takeover that had no memory */
			fail.from = 0;
			sums->refused_takeovers++;
		}
	}
	ck(world->doubled == 0, "a process is doubled");
	fd_close(fd);
	sums->lives++;
}

static const uint64_t lengths[] = {1, WHILE};

static void play(uint32_t seed)
{
	for (unsigned life = 1; life <= 2; life++)
		for (unsigned i = 0; i < POINTS; i++)
			for (unsigned k = 0; k < ARRAY_SIZE(lengths); k++) {
				world_begin(seed);
				tell(seed, death(), life, 1 + i * i * 2 + seed % 3, lengths[k]);
			}
	sums->stories++;
}

/* Each allocation of a life that nobody ends, and of a takeover with what comes then, until there is none that could fail. */
static void play_every(uint32_t seed)
{
	for (unsigned life = 1; life <= 2; life++)
		for (unsigned k = 0; k < ARRAY_SIZE(lengths); k++) {
			unsigned before;
			uint64_t at = 1;

			do {
				before = sums->failed;
				world_begin(seed);
				tell(seed, life == 1 ? 0 : death(), life, at, lengths[k]);
				sums->every += sums->failed != before;
			} while (sums->failed != before && ++at);
		}
	sums->stories++;
}

int main(void)
{
	bool is_full = getenv("HARK_FULL") != NULL;
	uint64_t end = clock_mono_us() + SHORT_MS * UINT64_C(1000);

	make_world();
	sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck(sums != MAP_FAILED, "mmap");
	if (is_loud) {
		play((uint32_t)strtoul(getenv("HARK_SIM_SEED"), NULL, 10));
	} else {
		play(HANGS_DERIVED);
		play_every(HANGS_DERIVED);
	}
	for (uint32_t seed = 1;
	     !is_loud && seed <= SEEDS_FULL && (is_full || clock_mono_us() < end); seed++) {
		play(seed);
		if (is_full && seed % EVERY == 0)
			play_every(seed);
	}
	printf("memory: %u stories told %u times, %u of them met a failed allocation (%u: each of its story), %u requests asked again, %u takeovers put off; none ended badly\n",
	       sums->stories, sums->lives, sums->failed, sums->every, sums->retried,
	       sums->refused_takeovers);
	return 0;
}
