/* SPDX-License-Identifier: MIT */
#include "core/device_gate.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/mem.h"

enum {
	RULES = 256, /* of one unit; a rule is at most RULE_CODE instructions */
	RULE_CODE = 8,
	HEAD_CODE = 6,
	TAIL_CODE = 2,
	DEVICES_ROOM = 6 * 1024, /* of /proc/devices */
	CLASS_ROOM = 64,
	ANY = -1,
	ALL_ACCESS = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE,
};

/* Devices of that kind and number may be used in these ways. */
struct rule {
	int type, access; /* BPF_DEVCG_* */
	int major, minor; /* or ANY */
};

struct rules {
	struct rule list[RULES];
	unsigned n;
};

/* Behind every closed door: null, zero, full, random, urandom, tty, ptmx, the pseudo terminals. devices.txt of the kernel */
static const struct rule usual[] = {
	{BPF_DEVCG_DEV_CHAR, ALL_ACCESS, 1, 3},
	{BPF_DEVCG_DEV_CHAR, ALL_ACCESS, 1, 5},
	{BPF_DEVCG_DEV_CHAR, ALL_ACCESS, 1, 7},
	{BPF_DEVCG_DEV_CHAR, ALL_ACCESS, 1, 8},
	{BPF_DEVCG_DEV_CHAR, ALL_ACCESS, 1, 9},
	{BPF_DEVCG_DEV_CHAR, ALL_ACCESS, 5, 0},
	{BPF_DEVCG_DEV_CHAR, ALL_ACCESS, 5, 2},
	{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE, 136, ANY},
};

/* --- from the settings to rules --- */

static void add(struct rules *r, struct rule rule)
{
	if (r->n < RULES)
		r->list[r->n++] = rule;
}

static int access_of(struct str word)
{
	int access = 0;

	for (size_t k = 0; k < word.n; k++)
		access |= word.p[k] == 'r'   ? BPF_DEVCG_ACC_READ
			  : word.p[k] == 'w' ? BPF_DEVCG_ACC_WRITE
					     : BPF_DEVCG_ACC_MKNOD;
	return access;
}

static void add_node(struct rules *r, const char *path, int access)
{
	struct stat st;

	if (stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		add(r, (struct rule){S_ISCHR(st.st_mode) ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK,
				     access, (int)major(st.st_rdev), (int)minor(st.st_rdev)});
}

/* "char-alsa", "block-*": every major number of that name in /proc/devices, which lists those of characters first. */
static void add_class(struct rules *r, const char *name, int access)
{
	bool is_block = name[0] == 'b', in_blocks = false;
	int type = is_block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	const char *pattern = strchr(name, '-') + 1;
	char text[DEVICES_ROOM], class[CLASS_ROOM];
	struct str rest, line, word;
	uint64_t number;
	ssize_t n = fd_read_small(AT_FDCWD, "/proc/devices", text, sizeof(text));

	if (strcmp(pattern, "*") == 0) {
		add(r, (struct rule){type, access, ANY, ANY});
		return;
	}
	rest = (struct str){text, n > 0 ? (size_t)n : 0};
	while (str_cut(&rest, '\n', &line)) {
		in_blocks |= str_has_prefix(line, STR("Block"));
		if (in_blocks != is_block || !str_word(&line, &word) ||
		    str_to_u64(word, &number) < 0 || !str_word(&line, &word))
			continue;
		snprintf(class, sizeof(class), STR_FMT, STR_ARG(word));
		if (fnmatch(pattern, class, 0) == 0)
			add(r, (struct rule){type, access, (int)number, ANY});
	}
}

static void add_listed(struct rules *r, const struct name_list *list)
{
	char name[256];

	for (; list; list = list->next) {
		struct str device, rest = str_of(list->text);
		int access;

		if (!str_cut(&rest, ' ', &device) ||
		    snprintf(name, sizeof(name), STR_FMT, STR_ARG(device)) >= (int)sizeof(name))
			continue;
		access = access_of(rest);
		if (name[0] == '/')
			add_node(r, name, access);
		else if (strchr(name, '-'))
			add_class(r, name, access);
	}
}

/* --- from rules to a program --- */

struct program {
	struct bpf_insn code[HEAD_CODE + RULES * RULE_CODE + TAIL_CODE];
	unsigned n;
};

static void emit(struct program *p, struct bpf_insn insn)
{
	p->code[p->n++] = insn;
}

static void set(struct program *p, uint8_t op, uint8_t to, uint8_t from, int value)
{
	emit(p, (struct bpf_insn){
			.code = op, .dst_reg = to & 15U, .src_reg = from & 15U, .imm = value});
}

static void load(struct program *p, uint8_t to, size_t offset)
{
	emit(p, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
				  .dst_reg = to & 15U,
				  .src_reg = BPF_REG_1,
				  .off = (int16_t)offset});
}

/* Where it goes is filled in when the rule is whole. */
static void skip_unless(struct program *p, uint8_t reg, int value)
{
	emit(p, (struct bpf_insn){
			.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = reg & 15U, .imm = value});
}

/* Registers: 2 kind of the device, 3 what is wanted of it, 4 and 5 its numbers, 6 for the moment. */
static void emit_head(struct program *p)
{
	load(p, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	set(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0);
	set(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0xffff);
	set(p, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 16);
	load(p, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(p, BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
}

static void emit_verdict(struct program *p, int verdict)
{
	set(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, verdict);
	emit(p, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

/* "Of that kind, nothing else wanted of it, these numbers: let it pass." A test that fails goes to what follows. */
static void emit_rule(struct program *p, const struct rule *r)
{
	unsigned first = p->n;

	skip_unless(p, BPF_REG_2, r->type);
	if (r->access != ALL_ACCESS) {
		set(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_3, 0);
		set(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_6, 0, ~r->access);
		skip_unless(p, BPF_REG_6, 0);
	}
	if (r->major != ANY)
		skip_unless(p, BPF_REG_4, r->major);
	if (r->minor != ANY)
		skip_unless(p, BPF_REG_5, r->minor);
	emit_verdict(p, 1);
	for (unsigned k = first; k < p->n; k++)
		if (p->code[k].code == (BPF_JMP | BPF_JNE | BPF_K))
			p->code[k].off = (int16_t)(p->n - k - 1);
}

/* --- the kernel --- */

static int call_bpf(int command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static int attach(const struct program *p, int dir)
{
	static const char license[] = "MIT";
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			       .insn_cnt = p->n,
			       .insns = (uintptr_t)p->code,
			       .license = (uintptr_t)license};
	int r = call_bpf(BPF_PROG_LOAD, &attr);
	AUTO_FD int program = r;

	if (r < 0)
		return r;
	/* One that may be replaced: a unit that is started again in its cgroup gets its rules anew. */
	attr = (union bpf_attr){.target_fd = (uint32_t)dir,
				.attach_bpf_fd = (uint32_t)program,
				.attach_type = BPF_CGROUP_DEVICE,
				.attach_flags = BPF_F_ALLOW_OVERRIDE};
	return call_bpf(BPF_PROG_ATTACH, &attr);
}

bool device_gate_is_wanted(const struct cgroup_config *g)
{
	return g->device_policy != DEVICES_AUTO || g->devices;
}

int device_gate_set(const struct cgroup_config *g, int dir)
{
	struct program *p = mem_get(sizeof(*p));
	struct rules *rules = mem_get(sizeof(*rules));
	int r = p && rules ? 0 : -ENOMEM;

	if (r == 0) {
		for (unsigned k = 0; k < ARRAY_SIZE(usual) && g->device_policy != DEVICES_STRICT;
		     k++)
			add(rules, usual[k]);
		add_listed(rules, g->devices);
		emit_head(p);
		for (unsigned k = 0; k < rules->n; k++)
			emit_rule(p, &rules->list[k]);
		emit_verdict(p, 0);
		r = attach(p, dir);
	}
	mem_put(p);
	mem_put(rules);
	return r;
}
