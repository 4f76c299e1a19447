/* SPDX-License-Identifier: MIT */
/*
 * A state that is damaged when the next manager takes over, in the simulated world: single bytes, stretches of noise or zeros, anywhere in
 * the header, the slots, the names or the ledger. No manager crashes or hangs, no process is made beside a living one of the same role,
 * and no service that ran without a job is signalled or started again.
 *
 *	HARK_SIM_SEED=N   only that story     HARK_FULL=1   many stories, else as many as 8 s take
 */
#include "sim/life.h"

enum { SEEDS_FULL = 20000, SHORT_MS = 8000, STRETCH_MOST = 600 };

static struct sums {
	unsigned stories, takeovers, refused, damaged, kept;
} * sums;

/* Main processes that a takeover of the undamaged state leaves alone: one of a damaged state shall leave them alone, too. */
static struct kept {
	uint32_t newest; /* pid when the manager died */
	int pid[WORLD_SERVICES];
} * kept;

static void nothing(struct hark *h UNUSED)
{
}

/* It lives, and nobody has told it to end. */
static bool is_left_alone(int pid)
{
	for (const struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS; p++)
		if (p->pid == pid)
			return !p->is_dead && p->due_us == TIME_NEVER;
	return false;
}

/* Nothing is going on with it: what was on its way down gets there sooner or later, by whatever is left of its state. */
static bool is_settled(const struct hark *h, unsigned i)
{
	char name[32];
	const struct unit *u;

	world_unit_name(i, name);
	u = registry_find(&h->reg, name);
	return u && u->state == SVC_RUNNING && !u->work->job.id;
}

static void look(const struct hark *h)
{
	for (unsigned i = 0; i < WORLD_SERVICES; i++) {
		const struct world_proc *p = main_process(i);

		if (is_damaged)
			ck(!kept->pid[i] || is_left_alone(kept->pid[i]), "a service is disturbed");
		else if (p && is_left_alone(p->pid) && (uint32_t)p->pid <= kept->newest &&
			 is_settled(h, i))
			kept->pid[i] = p->pid;
		sums->kept += is_damaged && kept->pid[i];
	}
	sums->takeovers += is_damaged;
	sums->refused += is_damaged && !h->state.was_adopted;
	sums->damaged += is_damaged && h->state.damaged_n > 0;
}

static void scribble(int state_fd, uint32_t seed, unsigned turn)
{
	static const size_t parts[] = {0, offsetof(struct state_image, slot),
				       offsetof(struct state_image, names),
				       offsetof(struct state_image, ledger)};
	static const size_t lengths[] = {32, (WORLD_UNITS + 1) * sizeof(struct state_slot),
					 (WORLD_UNITS + 1) * STATE_ROOM, 4096};
	unsigned part = world_dice(20, seed, turn, 16) / 2 % ARRAY_SIZE(parts);
	size_t at = parts[part] + world_dice(21, seed, turn, (uint32_t)lengths[part]);
	size_t n = world_dice(22, seed, turn, 3) ? 1 : 1 + world_dice(23, seed, turn, STRETCH_MOST);
	unsigned char bytes[STRETCH_MOST];

	ck(pread(state_fd, bytes, n, (off_t)at) == (ssize_t)n, "pread");
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(world_dice(24, seed, turn, 4) == 0
						   ? 0
						   : bytes[i] ^ (1 + world_dice(25, turn, i, 255)));
	ck(pwrite(state_fd, bytes, n, (off_t)at) == (ssize_t)n, "pwrite");
}

/* A story whose manager dies once; is_damaged: with that done to its state. */
static void tell(uint32_t seed)
{
	int fd = new_state();
	bool does_harm = is_damaged;

	world_begin(seed);
	seed_told = seed;
	is_damaged = false;
	if (fork_life(fd, 50 + world_dice(8, 1, 0, 900), nothing)) {
		is_damaged = does_harm;
		kept->newest = world->next_pid;
		/* Whom a waiting client starts may be in conflict with what runs. */
		memset(world->pending, 0, sizeof(world->pending));
		for (unsigned i = 0; does_harm && i <= world_dice(26, 0, 0, 3); i++)
			scribble(fd, seed, i);
		ck(!fork_life(fd, 0, nothing), "the manager lives");
		ck(world->doubled == 0, "a process is doubled");
	}
	fd_close(fd);
}

static void play(uint32_t seed)
{
	memset(kept, 0, sizeof(*kept));
	is_damaged = false;
	tell(seed);
	is_damaged = true;
	tell(seed);
	sums->stories++;
}

int main(void)
{
	bool is_full = getenv("HARK_FULL") != NULL;
	uint64_t end = clock_mono_us() + SHORT_MS * UINT64_C(1000);

	make_world();
	is_unbound = true;
	sums = mmap(NULL, sizeof(*sums) + sizeof(*kept), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck(sums != MAP_FAILED, "mmap");
	kept = (struct kept *)(sums + 1);
	after_takeover = look;
	if (is_loud)
		play((uint32_t)strtoul(getenv("HARK_SIM_SEED"), NULL, 10));
	for (uint32_t seed = 1;
	     !is_loud && seed <= SEEDS_FULL && (is_full || clock_mono_us() < end); seed++)
		play(seed);
	printf("damage: %u stories, %u takeovers of a damaged state: %u refused it, %u saw damage, %u services that ran were kept; none was disturbed, no process doubled\n",
	       sums->stories, sums->takeovers, sums->refused, sums->damaged, sums->kept);
	printf("rows: D+17\n");
	return 0;
}
