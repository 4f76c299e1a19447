/* SPDX-License-Identifier: MIT */
/*
 * Any image: the input lies over its beginning, a second part over the names and a third over the ledger. It is refused, or every
 * answer stays within it, and it can be written to.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(int fd, size_t at, const uint8_t *p, size_t n)
{
	if (n && pwrite(fd, p, n, (off_t)at) != (ssize_t)n)
		__builtin_trap();
}

static void use(struct state_table *t)
{
	struct state_unit u;
	uint32_t slot;

	for (slot = 0; slot <= t->image->slots_n && slot < 64; slot++) {
		const char *name = state_name(t, slot);

		if (name && (strlen(name) == 0 || strlen(name) > UNIT_NAME_MAX))
			__builtin_trap();
		if (state_get(t, slot, &u) == 0 &&
		    (u.type >= UNIT_TYPES || u.job_type >= JOB_TYPES))
			__builtin_trap();
	}
	slot = state_slot_of(t, "fuzz.service");
	state_put(t, slot, &(struct state_unit){.n_restarts = 7});
	state_commit(t);
	if (slot && (state_get(t, slot, &u) != 0 || u.n_restarts != 7))
		__builtin_trap();
	for (uint64_t seq = 1; seq < 16; seq++) {
		const struct ledger_entry *e = ledger_get(&t->image->ledger, seq);

		if (e && (e->parent >= e->seq || e->kind >= LEDGER_KINDS))
			__builtin_trap();
	}
	ledger_add(&t->image->ledger, &(struct ledger_entry){.kind = LEDGER_NOTE}, "a text");
}

/* As if another hark had meant it so. */
static void seal_form(int fd)
{
	struct state_image *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (m == MAP_FAILED)
		__builtin_trap();
	m->form_sum = form_sum_of(&m->form, sizeof(*m) - offsetof(struct state_image, form));
	munmap(m, sizeof(*m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_table t;
	size_t part = size / 4;
	int fd;

	if (state_open(&t, -1) < 0 || state_slot_of(&t, "a.service") != 1)
		__builtin_trap();
	state_put(&t, 1, &(struct state_unit){.state = 1});
	state_commit(&t);
	fd = fcntl(t.fd, F_DUPFD_CLOEXEC, 3);
	state_close(&t);
	/* magic and layout stay, or nothing behind them would ever be looked at */
	put(fd, offsetof(struct state_image, slots_n), data, size - 2 * part);
	put(fd, offsetof(struct state_image, names), data + size - 2 * part, part);
	put(fd, offsetof(struct state_image, ledger), data + size - part, part);
	if (size && data[0] & 1)
		seal_form(fd);
	if (state_open(&t, fd) < 0) {
		close(fd);
		return 0;
	}
	use(&t);
	if (t.is_new_form)
		close(fd);
	state_close(&t);
	return 0;
}
