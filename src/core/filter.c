/* SPDX-License-Identifier: MIT */
#include "core/filter.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/str.h"

/* A call that the headers do not name is no call at all. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 (-1)
#endif

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#define FOREIGN_BIT 0x40000000u /* x32: another ABI with the same number of architecture */
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define OWN_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define OWN_ARCH AUDIT_ARCH_S390X
#elif defined(__i386__)
#define OWN_ARCH AUDIT_ARCH_I386
#elif defined(__arm__)
#define OWN_ARCH AUDIT_ARCH_ARM
#else
#define OWN_ARCH 0 /* every call is another architecture's: filters refuse to be made */
#endif

enum {
	CALLS = 1024, /* numbers of calls are below */
	ERRNO_MOST = 4095,
};

/* --- programs --- */

struct program {
	struct sock_filter code[BPF_MAXINSNS];
	uint16_t n;
	bool is_full;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	p->is_full |= p->n == ARRAY_SIZE(p->code);
	if (!p->is_full)
		p->code[p->n++] = (struct sock_filter){code, if_true, if_false, k};
}

static void load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void load_call(struct program *p)
{
	load(p, offsetof(struct seccomp_data, nr));
}

/* The lower half, where all that is asked for lies. */
static void load_argument(struct program *p, unsigned which)
{
	load(p, offsetof(struct seccomp_data, args) + which * sizeof(uint64_t) +
			(__BYTE_ORDER == __BIG_ENDIAN ? sizeof(uint32_t) : 0));
}

static void give(struct program *p, uint32_t result)
{
	emit(p, BPF_RET | BPF_K, result, 0, 0);
}

static uint32_t refusal(int err)
{
	return err ? SECCOMP_RET_ERRNO | (uint32_t)err : SECCOMP_RET_KILL_PROCESS;
}

/* One at a time: they are large. */
static struct program *empty(void)
{
	static struct program program;

	program.n = 0;
	program.is_full = false;
	return &program;
}

/* Only calls of our own architecture come past this; their number is loaded. */
static struct program *begin(void)
{
	struct program *p = empty();

	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
	give(p, refusal(EPERM));
	load_call(p);
#ifdef FOREIGN_BIT
	emit(p, BPF_JMP | BPF_JGE | BPF_K, FOREIGN_BIT, 0, 1);
	give(p, refusal(EPERM));
#endif
	return p;
}

static int install(const struct program *p)
{
	struct sock_fprog prog = {.len = p->n, .filter = (struct sock_filter *)(uintptr_t)p->code};

	if (p->is_full || OWN_ARCH == 0)
		return -EOPNOTSUPP;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

/* --- calls by their arguments --- */

enum test { TEST_NONE, TEST_EQUAL, TEST_OTHER, TEST_ANY_BIT, TEST_ALL_BITS };

/* All tests of a rule must hold. */
struct condition {
	uint8_t test, argument;
	uint32_t value;
};

/*
 * "If it is that call and all this holds, fail." Falls through with the number of the call loaded. Each test jumps to the
 * end when it does not hold, which is why the length is counted first.
 */
static void forbid(struct program *p, long call, const struct condition *conditions, unsigned n,
		   int err)
{
	unsigned left = 2; /* give, load_call */

	for (unsigned k = 0; k < n; k++)
		left += conditions[k].test == TEST_ALL_BITS ? 3 : 2;
	if (call < 0 || left > UINT8_MAX) {
		p->is_full |= call >= 0;
		return;
	}
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, (uint8_t)left);
	for (unsigned k = 0; k < n; k++) {
		const struct condition *c = &conditions[k];
		bool holds_if_true = c->test != TEST_OTHER;
		uint16_t test = c->test == TEST_ANY_BIT ? BPF_JSET : BPF_JEQ;
		uint8_t out;

		load_argument(p, c->argument);
		if (c->test == TEST_ALL_BITS)
			emit(p, BPF_ALU | BPF_AND | BPF_K, c->value, 0, 0);
		left -= c->test == TEST_ALL_BITS ? 3 : 2;
		out = (uint8_t)(left - 1); /* to load_call */
		emit(p, BPF_JMP | test | BPF_K, c->value, holds_if_true ? 0 : out,
		     holds_if_true ? out : 0);
	}
	give(p, refusal(err));
	load_call(p);
}

/* How to read: that call is forbidden with that errno where both tests hold. */
struct rule {
	long call;
	int err;
	struct condition conditions[2];
};

static void forbid_all(struct program *p, const struct rule *rules, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		unsigned tests = 0;

		while (tests < ARRAY_SIZE(rules[k].conditions) &&
		       rules[k].conditions[tests].test != TEST_NONE)
			tests++;
		forbid(p, rules[k].call, rules[k].conditions, tests, rules[k].err);
	}
}

static void forbid_personality(struct program *p)
{
	enum { QUERY = 0xffffffff };
	const struct condition conditions[] = {
		{TEST_OTHER, 0, (uint32_t)personality(QUERY)},
		{TEST_OTHER, 0, (uint32_t)QUERY},
	};

	forbid(p, __NR_personality, conditions, ARRAY_SIZE(conditions), EPERM);
}

/* sched_setattr(2) hands a structure over that no filter can read: without it programs use the other call. */
static void forbid_realtime(struct program *p)
{
	static const struct condition conditions[] = {
		{TEST_OTHER, 1, SCHED_OTHER},
		{TEST_OTHER, 1, SCHED_BATCH},
		{TEST_OTHER, 1, SCHED_IDLE},
	};

	forbid(p, __NR_sched_setscheduler, conditions, ARRAY_SIZE(conditions), EPERM);
	forbid(p, __NR_sched_setattr, NULL, 0, ENOSYS);
}

static void forbid_suid_sgid(struct program *p)
{
	enum { BITS = S_ISUID | S_ISGID, MAKES = O_CREAT | (O_TMPFILE & ~O_DIRECTORY) };
	static const struct rule rules[] = {
#ifdef __NR_chmod
		{__NR_chmod, EPERM, {{TEST_ANY_BIT, 1, BITS}}},
		{__NR_mkdir, EPERM, {{TEST_ANY_BIT, 1, BITS}}},
		{__NR_mknod, EPERM, {{TEST_ANY_BIT, 1, BITS}}},
		{__NR_creat, EPERM, {{TEST_ANY_BIT, 1, BITS}}},
		{__NR_open, EPERM, {{TEST_ANY_BIT, 1, MAKES}, {TEST_ANY_BIT, 2, BITS}}},
#endif
		{__NR_fchmod, EPERM, {{TEST_ANY_BIT, 1, BITS}}},
		{__NR_fchmodat, EPERM, {{TEST_ANY_BIT, 2, BITS}}},
		{__NR_fchmodat2, EPERM, {{TEST_ANY_BIT, 2, BITS}}},
		{__NR_mkdirat, EPERM, {{TEST_ANY_BIT, 2, BITS}}},
		{__NR_mknodat, EPERM, {{TEST_ANY_BIT, 2, BITS}}},
		{__NR_openat, EPERM, {{TEST_ANY_BIT, 2, MAKES}, {TEST_ANY_BIT, 3, BITS}}},
		/* a structure: without it programs use openat(2) */
		{__NR_openat2, ENOSYS, {{TEST_NONE, 0, 0}}},
	};

	forbid_all(p, rules, ARRAY_SIZE(rules));
}

static void forbid_write_exec(struct program *p)
{
	static const struct rule rules[] = {
		{__NR_mmap, EPERM, {{TEST_ALL_BITS, 2, PROT_WRITE | PROT_EXEC}}},
		{__NR_mprotect, EPERM, {{TEST_ANY_BIT, 2, PROT_EXEC}}},
		{__NR_pkey_mprotect, EPERM, {{TEST_ANY_BIT, 2, PROT_EXEC}}},
		{__NR_shmat, EPERM, {{TEST_ANY_BIT, 2, SHM_EXEC}}},
	};

	forbid_all(p, rules, ARRAY_SIZE(rules));
}

static void forbid_namespaces(struct program *p, uint64_t allowed)
{
	const uint32_t all = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
			     CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;
	const uint32_t denied = all & ~(uint32_t)allowed;
	const struct rule rules[] = {
		{__NR_unshare, EPERM, {{TEST_ANY_BIT, 0, denied}}},
		{__NR_clone, EPERM, {{TEST_ANY_BIT, 0, denied}}},
		{__NR_setns, EPERM, {{TEST_ANY_BIT, 1, denied}}},
		/* "whatever it is" */
		{__NR_setns, EPERM, {{TEST_EQUAL, 1, 0}}},
		/* a structure: without it libraries use clone(2) */
		{__NR_clone3, ENOSYS, {{TEST_NONE, 0, 0}}},
	};

	if (denied)
		forbid_all(p, rules, ARRAY_SIZE(rules));
}

int filter_kind(enum filter_kind kind, uint64_t argument)
{
	struct program *p = begin();

	switch (kind) {
	case FILTER_PERSONALITY:
		forbid_personality(p);
		break;
	case FILTER_REALTIME:
		forbid_realtime(p);
		break;
	case FILTER_SUID_SGID:
		forbid_suid_sgid(p);
		break;
	case FILTER_WRITE_EXEC:
		forbid_write_exec(p);
		break;
	case FILTER_NAMESPACES:
		forbid_namespaces(p, argument);
		break;
	case FILTER_KINDS:
		return -EBADMSG;
	}
	give(p, SECCOMP_RET_ALLOW);
	return install(p);
}

/* --- tables of names --- */

/* Sorted by name; made from the headers of the kernel and of libc when hark is configured. */
static const struct name {
	const char *name;
	int number;
} calls[] =
	{
#include "syscall_names.inc"
},
  families[] =
	  {
#include "family_names.inc"
},
  errnos[] = {
#include "errno_names.inc"
};

static int compare_name(const void *key, const void *item)
{
	return str_cmp(*(const struct str *)key, str_of(((const struct name *)item)->name));
}

/* -1: there is none of that name here */
static int number_of(struct str name, const struct name *table, size_t n)
{
	const struct name *found = bsearch(&name, table, n, sizeof(*table), compare_name);

	return found ? found->number : -1;
}

int filter_families(bool is_denied, const char *words)
{
	struct condition conditions[ARRAY_SIZE(families)];
	struct program *p = begin();
	struct str rest = str_of(words), word;
	unsigned n = 0;

	while (str_word(&rest, &word)) {
		int family = number_of(word, families, ARRAY_SIZE(families));
		struct condition c = {is_denied ? TEST_EQUAL : TEST_OTHER, 0, (uint32_t)family};

		if (family < 0 || n == ARRAY_SIZE(conditions))
			continue;
		if (is_denied)
			forbid(p, __NR_socket, &c, 1, EAFNOSUPPORT);
		else
			conditions[n++] = c;
	}
	if (!is_denied)
		forbid(p, __NR_socket, conditions, n, EAFNOSUPPORT);
	give(p, SECCOMP_RET_ALLOW);
	return install(p);
}

/* systemd's names, ConditionArchitecture= */
static const struct architecture {
	const char *name;
	uint32_t number;
} architectures[] = {
	{"native", OWN_ARCH},
	{"x86-64", AUDIT_ARCH_X86_64},
	{"x32", AUDIT_ARCH_X86_64},
	{"x86", AUDIT_ARCH_I386},
	{"arm64", AUDIT_ARCH_AARCH64},
	{"arm", AUDIT_ARCH_ARM},
	{"riscv64", AUDIT_ARCH_RISCV64},
	{"ppc64-le", AUDIT_ARCH_PPC64LE},
	{"s390x", AUDIT_ARCH_S390X},
};

int filter_architectures(const char *words)
{
	struct program *p = empty();
	struct str rest = str_of(words), word;

#ifdef FOREIGN_BIT
	if (!strstr(words, "x32")) {
		load_call(p);
		emit(p, BPF_JMP | BPF_JGE | BPF_K, FOREIGN_BIT, 0, 1);
		give(p, refusal(0));
	}
#endif
	load(p, offsetof(struct seccomp_data, arch));
	while (str_word(&rest, &word))
		for (unsigned k = 0; k < ARRAY_SIZE(architectures); k++) {
			if (!str_eq_z(word, architectures[k].name))
				continue;
			emit(p, BPF_JMP | BPF_JEQ | BPF_K, architectures[k].number, 0, 1);
			give(p, SECCOMP_RET_ALLOW);
		}
	give(p, refusal(0));
	return install(p);
}

/* --- calls by their names --- */

static const struct group {
	const char *name, *members;
} groups[] = {
#define GROUP(name, members) {name, members},
#include "core/syscall_groups.def"
#undef GROUP
};

/* What happens on a call, by its number: 0 what happens on all, else the result + 1 (no result is all ones). */
static uint32_t results[CALLS];

/* One word for its calls. A group in a group is opened by going over the table until nothing is new: they are few. */
static void mark_group(const bool is_on[ARRAY_SIZE(groups)], uint32_t mark)
{
	for (unsigned k = 0; k < ARRAY_SIZE(groups); k++) {
		struct str rest = str_of(groups[k].members), word;

		while (is_on[k] && str_word(&rest, &word)) {
			int call = number_of(word, calls, ARRAY_SIZE(calls));

			if (call >= 0 && call < CALLS)
				results[call] = mark;
		}
	}
}

static int find_group(struct str name)
{
	for (unsigned k = 0; k < ARRAY_SIZE(groups); k++)
		if (str_eq_z(name, groups[k].name))
			return (int)k;
	return -1;
}

const char *filter_group(unsigned at)
{
	return at < ARRAY_SIZE(groups) ? groups[at].name : NULL;
}

bool filter_knows(struct str name)
{
	bool is_known = find_group(name) >= 0 || number_of(name, calls, ARRAY_SIZE(calls)) >= 0;

	for (unsigned k = 0; !is_known && k < ARRAY_SIZE(groups); k++) {
		struct str rest = str_of(groups[k].members), word;

		while (!is_known && str_word(&rest, &word))
			is_known = str_eq(word, name);
	}
	return is_known;
}

/* Does a group on the list name one that is not on it yet? Puts it there. */
static bool open_group(const struct group *g, bool is_on[ARRAY_SIZE(groups)])
{
	struct str rest = str_of(g->members), word;
	bool is_more = false;

	while (str_word(&rest, &word)) {
		int inner = word.p[0] == '@' ? find_group(word) : -1;

		if (inner >= 0 && !is_on[inner])
			is_on[inner] = is_more = true;
	}
	return is_more;
}

static void mark(struct str name, uint32_t result)
{
	bool is_on[ARRAY_SIZE(groups)] = {false};
	int at = find_group(name);
	bool is_more = at >= 0;

	if (at < 0) {
		at = number_of(name, calls, ARRAY_SIZE(calls));
		if (at >= 0 && at < CALLS)
			results[at] = result;
		return;
	}
	is_on[at] = true;
	while (is_more) {
		is_more = false;
		for (unsigned k = 0; k < ARRAY_SIZE(groups); k++)
			is_more |= is_on[k] && open_group(&groups[k], is_on);
	}
	mark_group(is_on, result);
}

/* "name:EACCES", "name:13" or "name:kill": the result for it. */
static uint32_t own_result(struct str *word, uint32_t usual)
{
	struct str name, rest = *word;
	uint64_t err;
	int number;

	if (!str_cut(&rest, ':', &name) || !rest.p)
		return usual;
	*word = name;
	number = number_of(rest, errnos, ARRAY_SIZE(errnos));
	if (number > 0)
		return refusal(number);
	if (str_to_u64(rest, &err) == 0 && err > 0 && err <= ERRNO_MOST)
		return refusal((int)err);
	return str_eq(rest, STR("kill")) ? refusal(0) : usual;
}

/* Neighbours with one result share a test: "below that number: this". */
static void emit_ranges(struct program *p, uint32_t usual)
{
	uint32_t now = results[0] ? results[0] - 1 : usual;

	for (uint32_t call = 1; call < CALLS; call++) {
		uint32_t next = results[call] ? results[call] - 1 : usual;

		if (next == now)
			continue;
		emit(p, BPF_JMP | BPF_JGE | BPF_K, call, 1, 0);
		give(p, now);
		now = next;
	}
	/* numbers that no table knows yet */
	emit(p, BPF_JMP | BPF_JGE | BPF_K, CALLS, 1, 0);
	give(p, now);
	give(p, usual);
}

int filter_calls(enum filter_list list, const char *words, int err)
{
	bool allows = list == FILTER_ALLOWED;
	uint32_t usual = allows ? refusal(err) : SECCOMP_RET_ALLOW;
	uint32_t listed = allows                  ? SECCOMP_RET_ALLOW
			  : list == FILTER_LOGGED ? SECCOMP_RET_LOG
						  : refusal(err);
	struct program *p = begin();
	struct str rest = str_of(words), word;

	memset(results, 0, sizeof(results));
	if (allows)
		mark(STR("@default"), listed + 1);
	while (str_word(&rest, &word)) {
		bool is_out = word.p[0] == '~';
		uint32_t result;

		word = str_sub(word, is_out, word.n);
		/* Of what is taken out of a list of allowed ones each may have an errno of its own. */
		result = own_result(&word, is_out ? usual : listed);
		mark(word, result + 1);
	}
	emit_ranges(p, usual);
	return install(p);
}
