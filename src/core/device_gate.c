/* SPDX-License-Identifier: MIT */
#include "core/device_gate.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/bpf.h"
#include "core/fd.h"
#include "core/mem.h"

enum {
	RULES = 256,             /* of one unit */
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

/* Registers: 2 kind of the device, 3 what is wanted of it, 4 and 5 its numbers, 6 for the moment. */
static void emit_head(struct bpf_code *c)
{
	bpf_load(c, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	bpf_alu(c, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0);
	bpf_alu(c, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0xffff);
	bpf_alu(c, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 16);
	bpf_load(c, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major));
	bpf_load(c, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor));
}

/* "Of that kind, nothing else wanted of it, these numbers: let it pass." */
static void emit_rule(struct bpf_code *c, const struct rule *r)
{
	uint32_t first = c->n;

	bpf_want(c, BPF_REG_2, (uint32_t)r->type);
	if (r->access != ALL_ACCESS) {
		bpf_alu(c, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_3, 0);
		bpf_alu(c, BPF_ALU | BPF_AND | BPF_K, BPF_REG_6, 0, ~r->access);
		bpf_want(c, BPF_REG_6, 0);
	}
	if (r->major != ANY)
		bpf_want(c, BPF_REG_4, (uint32_t)r->major);
	if (r->minor != ANY)
		bpf_want(c, BPF_REG_5, (uint32_t)r->minor);
	bpf_end(c, 1);
	bpf_rule_end(c, first);
}

static const struct bpf_point point = {BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE};

bool device_gate_is_wanted(const struct cgroup_config *g)
{
	return g->device_policy != DEVICES_AUTO || g->devices;
}

int device_gate_set(const struct cgroup_config *g, int dir)
{
	struct rules *rules = mem_get(sizeof(*rules));
	struct bpf_code c = {0};
	int r;

	if (!rules)
		return -ENOMEM;
	for (unsigned k = 0; k < ARRAY_SIZE(usual) && g->device_policy != DEVICES_STRICT; k++)
		add(rules, usual[k]);
	add_listed(rules, g->devices);
	emit_head(&c);
	for (unsigned k = 0; k < rules->n; k++)
		emit_rule(&c, &rules->list[k]);
	bpf_end(&c, 0);
	r = bpf_attach(&c, &point, dir, 0);
	bpf_code_fini(&c);
	mem_put(rules);
	return r;
}

void device_gate_drop(int dir)
{
	bpf_detach(&point, dir);
}
