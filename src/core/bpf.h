/* SPDX-License-Identifier: MIT */
/*
 * bpf - programs of the kernel's (eBPF) for a cgroup, put together instruction by instruction, loaded and attached without a
 * library. A program belongs to its cgroup from then on and goes with it; it is found again by asking the kernel, so
 * nothing is to be remembered when the manager dies. bpf(2)
 *
 * A rule is a row of tests, each of which goes to the end of the rule when it fails, and what is done when none has.
 */
#pragma once

#include "core/base.h"

#include <linux/bpf.h>

struct bpf_code {
	struct bpf_insn *insns; /* owned: bpf_code_fini() */
	uint32_t n, cap;
	int err; /* -ENOMEM, -E2BIG: it cannot be loaded */
};

/* Gives the instructions back. */
void bpf_code_fini(struct bpf_code *c);
/* One instruction; a failure shows in c->err. */
void bpf_emit(struct bpf_code *c, struct bpf_insn insn);
/* op: BPF_ALU ..., on register `to` with register `from` or the value. */
void bpf_alu(struct bpf_code *c, uint8_t op, uint8_t to, uint8_t from, int32_t value);
/* 32 bits at that offset of what register `from` points to. */
void bpf_load(struct bpf_code *c, uint8_t to, uint8_t from, size_t offset);
/* Call of a helper, BPF_FUNC_*. */
void bpf_call(struct bpf_code *c, int32_t helper);
/* A test of a rule: it goes on where the low half of the register is that value. */
void bpf_want(struct bpf_code *c, uint8_t reg, uint32_t value);
/* The same: where it is at most that. */
void bpf_want_most(struct bpf_code *c, uint8_t reg, uint32_t value);
/* The rule that began with instruction `first` ends here. */
void bpf_rule_end(struct bpf_code *c, uint32_t first);
/* The program ends with that value. */
void bpf_end(struct bpf_code *c, int32_t verdict);

/* Where it is attached. */
struct bpf_point {
	uint32_t program_type; /* BPF_PROG_TYPE_* */
	uint32_t attach_type;  /* BPF_CGROUP_* */
};
/*
 * bpf_attach() - put the program in the place of what bpf_attach() put there before.
 *
 * @dir:  the cgroup, borrowed
 * @salt: programs of the same instructions and the same salt are the same, and the one that is there stays
 *
 * Programs of others, there or above, are asked as well. Returns 0, c->err, -errno of bpf(2): -EPERM, -ENOSYS where the
 * kernel or our privileges have no such thing.
 */
MUST_USE int bpf_attach(const struct bpf_code *c, const struct bpf_point *at, int dir,
			uint32_t salt);
/* Take away what bpf_attach() put there. */
void bpf_detach(const struct bpf_point *at, int dir);
/* A map of one value with so many bytes, all zeros. Its descriptor or -errno. */
MUST_USE int bpf_cell_new(uint32_t bytes);
/* The value of the first map of our program at that point. 0, -ENOENT (none), -errno. */
MUST_USE int bpf_cell_read(const struct bpf_point *at, int dir, void *value);
