/* SPDX-License-Identifier: MIT */
#include "core/crash.h"

#include <elf.h>
#include <link.h>
#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/fd.h"

enum { CRASH_MAGIC = 0x63726168, STACK = 32 * 1024 };

const char *const crash_kind_names[CRASH_KINDS] = {
#define KIND(name, word) word,
	CRASH_KINDS_LIST(KIND)
#undef KIND
};

/* --- the ring --- */

static struct crash *place(struct crash_ring *ring, uint64_t number)
{
	return &ring->record[number % CRASH_RECORDS];
}

int crash_open(struct crash_log *l, int fd)
{
	void *map = NULL;
	int r = fd_memory("hark-crashes", sizeof(struct crash_ring), fd, &map);

	*l = (struct crash_log){.fd = -1};
	if (r < 0)
		return r;
	*l = (struct crash_log){.ring = map, .fd = r, .is_new = fd < 0};
	if (l->is_new) {
		l->ring->magic = CRASH_MAGIC;
		l->ring->layout = CRASH_LAYOUT;
		l->ring->next = 1;
	}
	if (l->ring->magic == CRASH_MAGIC && l->ring->layout == CRASH_LAYOUT && l->ring->next)
		return 0;
	crash_close(l);
	return err_here(-EBADMSG);
}

void crash_close(struct crash_log *l)
{
	fd_unmap(l->ring, sizeof(*l->ring));
	*l = (struct crash_log){.fd = -1};
}

bool crash_get(const struct crash_log *l, unsigned at, struct crash *ret)
{
	uint64_t number;

	if (!l->ring || at >= CRASH_RECORDS || l->ring->next <= at + 1)
		return false;
	number = l->ring->next - 1 - at;
	*ret = *place(l->ring, number);
	if (ret->number != number)
		return false;
	/* It was written by a process that was not well. */
	ret->kind = ret->kind < CRASH_KINDS ? ret->kind : CRASH_NONE;
	ret->build_n = ret->build_n < CRASH_BUILD ? ret->build_n : CRASH_BUILD;
	ret->frames_n = ret->frames_n < CRASH_FRAMES ? ret->frames_n : CRASH_FRAMES;
	ret->entries_n = ret->entries_n < CRASH_ENTRIES ? ret->entries_n : CRASH_ENTRIES;
	for (uint32_t i = 0; i < CRASH_ENTRIES; i++) {
		struct crash_entry *e = &ret->entries[i];

		e->unit[CRASH_UNIT - 1] = '\0';
		e->text[LEDGER_TEXT - 1] = '\0';
	}
	return true;
}

/* --- a record --- */

/* Ready to be filled. It counts as soon as it has its number. */
static struct crash *begin(struct crash_ring *ring)
{
	struct crash *c = place(ring, ring->next);

	__atomic_store_n(&c->number, 0, __ATOMIC_RELEASE);
	memset(c, 0, sizeof(*c));
	c->wall_us = clock_wall_us();
	c->times = 1;
	return c;
}

static void finish(struct crash_ring *ring, struct crash *c)
{
	__atomic_store_n(&c->number, ring->next, __ATOMIC_RELEASE);
	__atomic_store_n(&ring->next, ring->next + 1, __ATOMIC_RELEASE);
}

static void copy_entries(struct crash *c, const struct state_table *state)
{
	const struct ledger *ledger = &state->image->ledger;
	uint64_t next = ledger->next;

	c->entries_n = 0;
	for (uint64_t seq = next > CRASH_ENTRIES ? next - CRASH_ENTRIES : 1; seq < next; seq++) {
		const struct ledger_entry *e = ledger_get(ledger, seq);
		const char *unit = e && e->unit ? state_name(state, e->unit) : NULL;
		struct crash_entry *to = &c->entries[c->entries_n];

		if (!e)
			continue;
		to->entry = *e;
		memcpy(to->text, ledger_text(ledger, e), strlen(ledger_text(ledger, e)) + 1);
		for (unsigned i = 0; unit && unit[i] && i < CRASH_UNIT - 1; i++)
			to->unit[i] = unit[i];
		c->entries_n++;
	}
}

/* --- told by the next manager --- */

static enum crash_kind kind_of(const struct crash_death *death)
{
	bool is_exit = death->code == CLD_EXITED;

	if (death->is_hang)
		return CRASH_HANG;
	if (is_exit)
		return death->status ? CRASH_EXIT : CRASH_NONE;
	return death->status == SIGKILL || death->status == SIGTERM ? CRASH_KILLED : CRASH_FAULT;
}

/* Lives nobody has told of. Only the first of them can have got as far as to leave a record of its own. */
static uint32_t count_lives(const struct crash_log *l, const struct crash *newest,
			    uint32_t generation)
{
	uint32_t lives = generation - l->ring->generation;

	if (l->is_new)
		return generation ? 1 : 0;
	return newest->number && newest->generation == l->ring->generation + 1 ? lives - 1 : lives;
}

void crash_note_death(struct crash_log *l, const struct crash_death *last)
{
	struct crash_ring *ring = l->ring;
	struct crash *c = place(ring, ring->next - 1);
	enum crash_kind kind = kind_of(last);
	uint32_t lives = count_lives(l, c, last->generation);

	ring->generation = last->generation;
	if (lives == 0 || kind == CRASH_NONE)
		return;
	if (kind == CRASH_KILLED && c->number && c->kind == CRASH_KILLED &&
	    c->status == last->status) {
		c->times += lives;
		c->wall_us = clock_wall_us();
		c->entries_n = 0;
	} else {
		c = begin(ring);
		c->kind = kind;
		c->status = last->status;
		c->times = lives;
		finish(ring, c);
	}
	c->generation = last->generation;
}

void crash_note_ledger(struct crash_log *l, const struct state_table *state)
{
	struct crash *c = place(l->ring, l->ring->next - 1);

	if (c->number && c->generation == l->ring->generation && c->entries_n == 0)
		copy_entries(c, state);
}

/* --- told by the one that dies --- */

/* A signal handler gets no argument: the one value in the manager that is reached by no pointer handed down. */
static struct {
	struct crash_ring *ring;
	const struct state_table *state;
	uint32_t generation, build_n;
	pid_t parent;
	uint64_t began_us;
	uintptr_t stack_end;
	uint8_t build[CRASH_BUILD];
} self;

/* From the linker: our first byte, and those behind our code and behind all of us. */
extern const char __ehdr_start[], _etext[], _end[];

struct place_of_fault {
	uintptr_t at, frame, stack;
};

static struct place_of_fault read_registers(const ucontext_t *u)
{
#if defined(__x86_64__)
	const greg_t *r = u->uc_mcontext.gregs;

	return (struct place_of_fault){(uintptr_t)r[REG_RIP], (uintptr_t)r[REG_RBP],
				       (uintptr_t)r[REG_RSP]};
#elif defined(__aarch64__)
	const mcontext_t *m = &u->uc_mcontext;

	return (struct place_of_fault){m->pc, m->regs[29], m->sp};
#else
	(void)u;
	return (struct place_of_fault){0};
#endif
}

static void add_frame(struct crash *c, uintptr_t at)
{
	uintptr_t base = (uintptr_t)__ehdr_start;

	c->frames[c->frames_n++] = at >= base && at < (uintptr_t)_end ? at - base : at;
}

/* Along the frame pointers, each a pair {next, return address} farther up the stack; what is not so ends the walk. */
static void walk(struct crash *c, const struct place_of_fault *fault)
{
	const char *here = __builtin_frame_address(0);
	uintptr_t frame = fault->frame, low = fault->stack;

	if (fault->at || fault->stack)
		add_frame(c, fault->at);
	while (c->frames_n < CRASH_FRAMES && frame >= low && frame % sizeof(uintptr_t) == 0 &&
	       frame < self.stack_end - 2 * sizeof(uintptr_t)) {
		uintptr_t pair[2];

		memcpy(pair, here + (frame - (uintptr_t)here), sizeof(pair));
		if (!pair[1])
			return;
		add_frame(c, pair[1]);
		low = frame + 1;
		frame = pair[0];
	}
}

/*
 * A libc without frame pointers breaks the chain. What stands on the stack and points into our code is a return address, of now or
 * of before.
 */
static void scan(struct crash *c, const struct place_of_fault *fault)
{
	const char *here = __builtin_frame_address(0);
	uintptr_t at = fault->stack;

	c->is_scanned = 1;
	for (; c->frames_n < CRASH_FRAMES && at < self.stack_end - sizeof(at); at += sizeof(at)) {
		uintptr_t word;

		memcpy(&word, here + (at - (uintptr_t)here), sizeof(word));
		if (word >= (uintptr_t)__ehdr_start && word < (uintptr_t)_etext)
			add_frame(c, word);
	}
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	struct place_of_fault fault = read_registers(context);
	bool is_sent = info->si_code <= 0;
	struct crash *c = begin(self.ring);

	c->kind = is_sent && info->si_pid == self.parent ? CRASH_HANG : CRASH_FAULT;
	c->status = sig;
	c->generation = self.generation;
	c->lived_us = clock_mono_us() - self.began_us;
	c->sender = is_sent ? info->si_pid : 0;
	c->address = is_sent ? 0 : (uintptr_t)info->si_addr;
	c->image_n = (uintptr_t)(_end - __ehdr_start);
	c->build_n = self.build_n;
	memcpy(c->build, self.build, sizeof(c->build));
	finish(self.ring, c);
	/* What may fault once more comes last, and then is the end. */
	walk(c, &fault);
	if (c->frames_n == 1)
		scan(c, &fault);
	if (self.state && self.state->image)
		copy_entries(c, self.state);
	/* A fault of our own happens again on return, now without a handler; what was sent does not. */
	if (is_sent)
		raise(sig);
}

/* The build id of our own ELF notes: in memory, for PT_NOTE is part of a loaded segment. */
static void find_build(void)
{
	const ElfW(Ehdr) *head = (const void *)__ehdr_start;
	const ElfW(Phdr) *p = (const void *)(__ehdr_start + head->e_phoff);
	uintptr_t linked_at = head->e_type == ET_DYN ? 0 : (uintptr_t)__ehdr_start;

	for (unsigned i = 0; i < head->e_phnum && !self.build_n; i++) {
		const char *at = __ehdr_start + (p[i].p_vaddr - linked_at),
			   *end = at + p[i].p_memsz;

		while (p[i].p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *note = (const void *)at;
			const char *name = at + sizeof(*note),
				   *id = name + ((note->n_namesz + 3) & ~3U);

			at = id + ((note->n_descsz + 3) & ~3U);
			if (note->n_type != NT_GNU_BUILD_ID || memcmp(name, "GNU", 4) != 0)
				continue;
			self.build_n = note->n_descsz < CRASH_BUILD ? note->n_descsz : CRASH_BUILD;
			memcpy(self.build, id, self.build_n);
			break;
		}
	}
}

void crash_watch(struct crash_log *l, const struct state_table *state, uint32_t generation)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
	/* A stack that ran over leaves no room for a handler. */
	static _Alignas(16) char stack[STACK];
	struct sigaction act = {.sa_sigaction = on_fault};
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};

	self.ring = l->ring;
	self.state = state;
	self.generation = generation;
	self.parent = getppid();
	self.began_us = clock_mono_us();
	/* The kernel puts our file's name at the very end of the stack (getauxval(3)). */
	self.stack_end = getauxval(AT_EXECFN);
	find_build();
	sigaltstack(&ss, NULL);
	sigemptyset(&act.sa_mask);
	/* A second fault, in the handler, ends us at once. */
	act.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(signals[i], &act, NULL);
	}
}
