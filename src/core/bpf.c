/* SPDX-License-Identifier: MIT */
#include "core/bpf.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/mem.h"

#define NAME_PREFIX "hark_" /* of our programs; behind it a sum of what they are */

enum { CODE_FIRST = 64, CODE_MOST = 65536, PROGRAMS_MOST = 64 };

/* --- instructions --- */

void bpf_code_fini(struct bpf_code *c)
{
	mem_put(c->insns);
	*c = (struct bpf_code){0};
}

void bpf_emit(struct bpf_code *c, struct bpf_insn insn)
{
	if (c->n == c->cap && !c->err) {
		uint32_t cap = c->cap ? 2 * c->cap : CODE_FIRST;
		struct bpf_insn *more = cap > CODE_MOST ? NULL
							: mem_grow(c->insns, c->cap * sizeof(*more),
								   cap * sizeof(*more));

		c->err = more ? 0 : cap > CODE_MOST ? -E2BIG : -ENOMEM;
		c->insns = more ? more : c->insns;
		c->cap = more ? cap : c->cap;
	}
	if (!c->err)
		c->insns[c->n++] = insn;
}

void bpf_alu(struct bpf_code *c, uint8_t op, uint8_t to, uint8_t from, int32_t value)
{
	bpf_emit(c, (struct bpf_insn){
			    .code = op, .dst_reg = to & 15U, .src_reg = from & 15U, .imm = value});
}

void bpf_load(struct bpf_code *c, uint8_t to, uint8_t from, size_t offset)
{
	bpf_emit(c, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
				      .dst_reg = to & 15U,
				      .src_reg = from & 15U,
				      .off = (int16_t)offset});
}

void bpf_call(struct bpf_code *c, int32_t helper)
{
	bpf_emit(c, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = helper});
}

/* Where it goes is filled in when the rule is whole. Half a register: a value of 32 bits is not to have a sign. */
void bpf_want(struct bpf_code *c, uint8_t reg, uint32_t value)
{
	bpf_alu(c, BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, (int32_t)value);
}

void bpf_want_most(struct bpf_code *c, uint8_t reg, uint32_t value)
{
	bpf_alu(c, BPF_JMP32 | BPF_JGT | BPF_K, reg, 0, (int32_t)value);
}

void bpf_rule_end(struct bpf_code *c, uint32_t first)
{
	for (uint32_t k = first; k < c->n; k++) {
		struct bpf_insn *test = &c->insns[k];

		if ((test->code & 7) != BPF_JMP32 || test->off != 0)
			continue;
		if (c->n - k - 1 > INT16_MAX)
			c->err = -E2BIG;
		test->off = (int16_t)(c->n - k - 1);
	}
}

void bpf_end(struct bpf_code *c, int32_t verdict)
{
	bpf_alu(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, verdict);
	bpf_emit(c, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

/* --- the kernel --- */

static int call_bpf(int command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

/* FNV-1a: two programs of one unit are hardly ever taken for the same. */
static uint32_t sum_of(const struct bpf_code *c, uint32_t salt)
{
	const unsigned char *p = (const unsigned char *)c->insns;
	uint32_t sum = 2166136261u ^ salt;

	for (size_t k = 0; k < c->n * sizeof(*c->insns); k++) {
		const struct bpf_insn *insn = &c->insns[k / sizeof(*insn)];

		/* Which descriptor a map has says nothing. */
		if (insn->code != (BPF_LD | BPF_DW | BPF_IMM))
			sum = (sum ^ p[k]) * 16777619u;
	}
	return sum;
}

/* Ids of the programs of that kind that this very cgroup has. Their number, or -errno. */
static int list_programs(const struct bpf_point *at, int dir, uint32_t ids[PROGRAMS_MOST])
{
	union bpf_attr attr = {.query = {.target_fd = (uint32_t)dir,
					 .attach_type = at->attach_type,
					 .prog_ids = (uintptr_t)ids,
					 .prog_cnt = PROGRAMS_MOST}};
	int r = call_bpf(BPF_PROG_QUERY, &attr);

	return r < 0 ? r : (int)attr.query.prog_cnt;
}

/* The program of that id, if it is one of ours: its descriptor, -ENOENT, -errno. */
static int open_ours(uint32_t id, struct bpf_prog_info *ret_info)
{
	union bpf_attr attr = {.prog_id = id};
	int fd = call_bpf(BPF_PROG_GET_FD_BY_ID, &attr), r;

	if (fd < 0)
		return fd;
	attr = (union bpf_attr){.info = {.bpf_fd = (uint32_t)fd,
					 .info_len = sizeof(*ret_info),
					 .info = (uintptr_t)ret_info}};
	r = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (r == 0 && strncmp(ret_info->name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
		r = -ENOENT;
	if (r < 0)
		fd_close(fd);
	return r < 0 ? r : fd;
}

static void detach(const struct bpf_point *at, int dir, int program)
{
	union bpf_attr attr = {.target_fd = (uint32_t)dir,
			       .attach_bpf_fd = (uint32_t)program,
			       .attach_type = at->attach_type};

	(void)call_bpf(BPF_PROG_DETACH, &attr);
}

/* Is the one of that name there? Others of ours go, if wanted. */
static bool look_through(const struct bpf_point *at, int dir, const char *name, bool drops_others)
{
	uint32_t ids[PROGRAMS_MOST];
	int n = list_programs(at, dir, ids);
	bool is_there = false;

	for (int k = 0; k < n; k++) {
		struct bpf_prog_info info = {0};
		AUTO_FD int program = open_ours(ids[k], &info);

		if (program < 0)
			continue;
		if (strcmp(info.name, name) == 0)
			is_there = true;
		else if (drops_others)
			detach(at, dir, program);
	}
	return is_there;
}

static int load_and_attach(const struct bpf_code *c, const struct bpf_point *at, int dir,
			   const char *name)
{
	static const char license[] = "Dual MIT/GPL";
	union bpf_attr attr = {.prog_type = at->program_type,
			       .expected_attach_type = at->attach_type,
			       .insn_cnt = c->n,
			       .insns = (uintptr_t)c->insns,
			       .license = (uintptr_t)license};
	AUTO_FD int program = -1;

	memcpy(attr.prog_name, name, strnlen(name, sizeof(attr.prog_name) - 1));
	program = call_bpf(BPF_PROG_LOAD, &attr);
	if (program < 0)
		return program;
	attr = (union bpf_attr){.target_fd = (uint32_t)dir,
				.attach_bpf_fd = (uint32_t)program,
				.attach_type = at->attach_type,
				.attach_flags = BPF_F_ALLOW_MULTI};
	return call_bpf(BPF_PROG_ATTACH, &attr);
}

int bpf_attach(const struct bpf_code *c, const struct bpf_point *at, int dir, uint32_t salt)
{
	char name[BPF_OBJ_NAME_LEN];
	int r;

	if (c->err)
		return c->err;
	snprintf(name, sizeof(name), NAME_PREFIX "%08x", sum_of(c, salt));
	if (look_through(at, dir, name, false))
		return 0;
	r = load_and_attach(c, at, dir, name);
	/* The old ones go when the new one is there: at no time is there none. */
	if (r == 0)
		(void)look_through(at, dir, name, true);
	return r;
}

void bpf_detach(const struct bpf_point *at, int dir)
{
	(void)look_through(at, dir, "", true);
}

/* --- a value that both sides see --- */

int bpf_cell_new(uint32_t bytes)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
			       .key_size = sizeof(uint32_t),
			       .value_size = bytes,
			       .max_entries = 1};

	return call_bpf(BPF_MAP_CREATE, &attr);
}

/* The first map of a program. Its descriptor, -ENOENT, -errno. */
static int open_map(int program)
{
	uint32_t map = 0;
	struct bpf_prog_info info = {.nr_map_ids = 1, .map_ids = (uintptr_t)&map};
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)program,
					.info_len = sizeof(info),
					.info = (uintptr_t)&info}};
	int r = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);

	if (r < 0)
		return r;
	if (info.nr_map_ids == 0)
		return -ENOENT;
	attr = (union bpf_attr){.map_id = map};
	return call_bpf(BPF_MAP_GET_FD_BY_ID, &attr);
}

int bpf_cell_read(const struct bpf_point *at, int dir, void *value)
{
	uint32_t ids[PROGRAMS_MOST], key = 0;
	int n = list_programs(at, dir, ids), r = n < 0 ? n : -ENOENT;

	for (int k = 0; k < n && r == -ENOENT; k++) {
		struct bpf_prog_info info = {0};
		AUTO_FD int program = open_ours(ids[k], &info);
		AUTO_FD int map = program < 0 ? program : open_map(program);
		union bpf_attr attr = {
			.map_fd = (uint32_t)map, .key = (uintptr_t)&key, .value = (uintptr_t)value};

		if (map >= 0)
			r = call_bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	}
	return r;
}
