/* SPDX-License-Identifier: MIT */
/*
 * plan - the steps by which a fresh child becomes a configured service: a flat byte string, written by harkd
 * (plan.c), carried unread by PID 1, and run by the child itself or by hark-exec (plan_run.c).
 *
 * A plan is a row of records {u16 step, u16 flags, u32 length, payload padded to 8}. The runner takes them in order and
 * never allocates; argv and envp are pointers into the plan. Steps marked PLAN_ANYWHERE are raw system calls that
 * cannot block on a daemon; PLAN_APART are the same, but not to be taken in the memory of PID 1; the others may block or are
 * rare, and need hark-exec, which runs the same table (so that PID 1 stays small enough to be read in one sitting). The first failing step
 * ends the child with the step's exit code (systemd.exec(5), "Process Exit Codes") and is reported with its errno.
 *
 * Before the first step the runner unblocks and resets all signals and puts the referenced descriptors on 0, 1, 2, 3 ... (see
 * bank.h, SPAWN). The first step of all but hark-mount's is SETSID, before any path is touched: whoever stays in PID 1's process
 * group is let pass by the automount points that hark serves, as the one who is to mount there must be.
 */
#pragma once

#include "core/buf.h"

enum plan_where { PLAN_ANYWHERE, PLAN_APART, PLAN_EXEC_ONLY };
/* What follows the words of a payload: nothing, a string with its NUL (for USER, VIEW, LACKS, MKDIR, PRIVATE_DIR and CREDENTIAL two, for UTMP and DIR_LINK three), or bytes of any length. */
enum plan_tail { PLAN_NONE, PLAN_STR, PLAN_BYTES };

/* STEP(name, where, exit code, number of 64-bit words w0, w1 ... at the start of the payload, tail, what). */
/* clang-format off */
#define PLAN_STEPS(STEP) \
	STEP(END, PLAN_ANYWHERE, 0, 0, PLAN_NONE, "") \
	STEP(ARG, PLAN_ANYWHERE, 203, 0, PLAN_STR, "one argument, argv[0] first") \
	STEP(ENV, PLAN_ANYWHERE, 203, 0, PLAN_STR, "NAME=value") \
	STEP(ENV_PID, PLAN_ANYWHERE, 203, 0, PLAN_STR, "NAME= ; the child appends its own pid") \
	STEP(EXEC, PLAN_ANYWHERE, 203, 0, PLAN_STR, "absolute path; ends the plan") \
	STEP(SETSID, PLAN_ANYWHERE, 220, 0, PLAN_NONE, "a session of its own") \
	STEP(OPEN, PLAN_ANYWHERE, 209, 3, PLAN_STR, "w0 target descriptor, w1 open(2) flags, w2 mode, path") \
	STEP(DUP, PLAN_ANYWHERE, 209, 2, PLAN_NONE, "w0 from, w1 to") \
	STEP(TTY, PLAN_EXEC_ONLY, 208, 1, PLAN_STR, "w0 flags (1 force controlling, 2 fail if taken), path: onto 0") \
	STEP(UMASK, PLAN_ANYWHERE, 202, 1, PLAN_NONE, "w0 mask") \
	STEP(NICE, PLAN_EXEC_ONLY, 201, 1, PLAN_NONE, "w0 value + 20") \
	STEP(IOPRIO, PLAN_EXEC_ONLY, 211, 1, PLAN_NONE, "w0 ioprio_set(2) value") \
	STEP(SCHED, PLAN_EXEC_ONLY, 214, 3, PLAN_NONE, "w0 policy, w1 priority, w2 reset on fork") \
	STEP(AFFINITY, PLAN_EXEC_ONLY, 215, 0, PLAN_BYTES, "cpu mask bytes") \
	STEP(OOM, PLAN_EXEC_ONLY, 206, 1, PLAN_NONE, "w0 value + 1000") \
	STEP(RLIMIT, PLAN_EXEC_ONLY, 205, 3, PLAN_NONE, "w0 resource, w1 soft, w2 hard") \
	STEP(TIMERSLACK, PLAN_EXEC_ONLY, 212, 1, PLAN_NONE, "w0 nanoseconds") \
	STEP(PERSONALITY, PLAN_EXEC_ONLY, 230, 1, PLAN_NONE, "w0 personality(2)") \
	STEP(OPEN_FILE, PLAN_EXEC_ONLY, 209, 3, PLAN_STR, "as OPEN, over no link that others than root could have put in the way") \
	STEP(MKDIR, PLAN_EXEC_ONLY, 233, 4, PLAN_STR, "w0 mode, w1 uid, w2 gid, w3 1: leave owner of existing, place NUL name NUL; parents 0755") \
	STEP(CHROOT, PLAN_EXEC_ONLY, 210, 0, PLAN_STR, "path") \
	STEP(CHDIR, PLAN_ANYWHERE, 200, 1, PLAN_STR, "w0 1: missing is fine, path") \
	STEP(GROUPS, PLAN_ANYWHERE, 216, 0, PLAN_BYTES, "gids, 32 bits each (none: empty list)") \
	STEP(GID, PLAN_APART, 216, 1, PLAN_NONE, "w0 gid") \
	STEP(UID, PLAN_APART, 217, 1, PLAN_NONE, "w0 uid") \
	STEP(KEEPCAPS, PLAN_EXEC_ONLY, 218, 0, PLAN_NONE, "") \
	STEP(SECUREBITS, PLAN_EXEC_ONLY, 213, 1, PLAN_NONE, "w0 bits") \
	STEP(CAP_BOUND, PLAN_EXEC_ONLY, 218, 1, PLAN_NONE, "w0 mask to keep in the bounding set") \
	STEP(CAP_SET, PLAN_EXEC_ONLY, 218, 1, PLAN_NONE, "w0 permitted = effective = inheritable mask") \
	STEP(CAP_AMBIENT, PLAN_EXEC_ONLY, 218, 1, PLAN_NONE, "w0 mask to raise") \
	STEP(NO_NEW_PRIVS, PLAN_EXEC_ONLY, 227, 0, PLAN_NONE, "") \
	STEP(IGNORE_SIGPIPE, PLAN_ANYWHERE, 207, 0, PLAN_NONE, "") \
	STEP(KEYRING, PLAN_EXEC_ONLY, 237, 3, PLAN_NONE, "fresh session keyring; w0 1: that of user w1, group w2, is in it") \
	STEP(SETTLE, PLAN_EXEC_ONLY, 0, 2, PLAN_NONE, "Type=idle: w0 most microseconds to wait for fd w1 to close") \
	STEP(USER, PLAN_EXEC_ONLY, 217, 1, PLAN_STR, "w0 what (1 uid 2 gid 4 groups 8 environment), user NUL group NUL: by NSS") \
	STEP(LACKS, PLAN_EXEC_ONLY, 203, 0, PLAN_STR, "cgroup NUL invocation NUL: where it is told what cannot be applied") \
	STEP(TTY_RESET, PLAN_EXEC_ONLY, 208, 3, PLAN_STR, "w0 flags (terminal.h), w1 rows, w2 columns, path") \
	STEP(UTMP, PLAN_EXEC_ONLY, 203, 1, PLAN_STR, "w0 mode (utmp.h), id NUL line NUL user NUL") \
	STEP(PRIVATE_DIR, PLAN_EXEC_ONLY, 233, 4, PLAN_STR, "w0 mode, w1 uid, w2 gid, place NUL name NUL: in \"private\" there, a link beside it") \
	STEP(CREDENTIALS, PLAN_EXEC_ONLY, 243, 1, PLAN_STR, "w0 uid that may read them, directory") \
	STEP(CREDENTIAL, PLAN_EXEC_ONLY, 243, 1, PLAN_STR, "w0 kind (exec_credentials.h), name NUL bytes or source NUL") \
	STEP(USERS, PLAN_EXEC_ONLY, 217, 2, PLAN_NONE, "a user namespace with root, w0 uid, w1 gid; no groups are changed after it") \
	STEP(JOIN, PLAN_EXEC_ONLY, 225, 1, PLAN_STR, "w0 CLONE_NEW* kind, path: the namespace of others") \
	STEP(COREDUMP, PLAN_EXEC_ONLY, 205, 1, PLAN_NONE, "w0 coredump_filter of core(5)") \
	STEP(MEMORY_POLICY, PLAN_EXEC_ONLY, 242, 1, PLAN_BYTES, "w0 mode of set_mempolicy(2), node mask bytes") \
	STEP(UNSHARE, PLAN_EXEC_ONLY, 226, 1, PLAN_NONE, "w0 CLONE_NEW* flags") \
	STEP(PRIVATE_TMP, PLAN_EXEC_ONLY, 226, 0, PLAN_STR, "name of a directory to make in /tmp and /var/tmp") \
	STEP(VIEW, PLAN_EXEC_ONLY, 226, 4, PLAN_STR, "w0 kind, w1 attributes, w2 those it decides, w3 flags, place NUL source NUL (view.h)") \
	STEP(VIEWS, PLAN_EXEC_ONLY, 226, 1, PLAN_STR, "the VIEWs so far in a mount namespace of its own, w0 its propagation, root or nothing") \
	STEP(FILTER, PLAN_EXEC_ONLY, 228, 2, PLAN_NONE, "w0 kind, w1 argument (filter.h)") \
	STEP(FILTER_CALLS, PLAN_EXEC_ONLY, 228, 2, PLAN_STR, "w0 kind of the list, w1 errno (0: kill), names of system calls") \
	STEP(FILTER_FAMILIES, PLAN_EXEC_ONLY, 228, 1, PLAN_STR, "w0 1: these are denied, names of address families") \
	STEP(FILTER_ARCHITECTURES, PLAN_EXEC_ONLY, 228, 0, PLAN_STR, "names of architectures") \
	STEP(NONBLOCK, PLAN_EXEC_ONLY, 202, 2, PLAN_NONE, "w0 first descriptor, w1 how many: O_NONBLOCK") \
	STEP(DIR_LINK, PLAN_EXEC_ONLY, 233, 0, PLAN_STR, "place NUL link NUL name NUL: a symbolic link there, to the directory there")
/* clang-format on */

enum plan_step {
#define STEP(name, where, code, words, tail, what) PLAN_##name,
	PLAN_STEPS(STEP)
#undef STEP
		PLAN_STEP_COUNT
};

/* Attribute of a cgroup: "INVOCATION what, what", hardening that the service of that run has to do without. */
#define PLAN_LACKS_ATTRIBUTE "user.hark.lacks"

enum {
	PLAN_INLINE = 8 * 1024, /* the most that travels inside a SPAWN record */
	PLAN_MAX = 512 * 1024,  /* the most hark-exec accepts, in a sealed memfd */
	PLAN_ARGS_INLINE = 32,  /* pointers PID 1's child has room for, argv and envp each */
};

/* One record, taken apart; text points into the plan. */
struct plan_record {
	unsigned step; /* < PLAN_STEP_COUNT */
	uint64_t w[4];
	const char *text;
	size_t text_n; /* bytes, a string's NUL included */
};

/* What reading a step needs, here for the child; the rest is in plan_step_info(). */
static const struct plan_shape {
	unsigned char words, tail, exit_code;
} plan_shapes[] = {
#define STEP(name, where, code, words, tail, what) {words, tail, code},
	PLAN_STEPS(STEP)
#undef STEP
};

/* What the process leaves with when this step failed. 203 (EXEC) also stands for a plan that could not be read. */
static inline int plan_exit_code(unsigned step)
{
	return step < PLAN_STEP_COUNT && plan_shapes[step].exit_code ? plan_shapes[step].exit_code
								     : 203;
}

/*
 * plan_next() - take the record at offset *at apart and move *at behind it.
 *
 * Returns 1, 0 at the end of the n bytes, -EBADMSG for anything that does not add up. Here because the writer's check and
 * the child's runner must agree to the byte.
 */
static inline int plan_next(const char *bytes, size_t n, size_t *at, struct plan_record *ret)
{
	struct {
		uint16_t step, flags;
		uint32_t length;
	} head;
	size_t words, pad;

	if (*at == n)
		return 0;
	if (n - *at < sizeof(head))
		return -EBADMSG;
	memcpy(&head, bytes + *at, sizeof(head));
	*at += sizeof(head);
	if (head.step >= PLAN_STEP_COUNT || head.flags || head.length > n - *at)
		return -EBADMSG;
	pad = -(size_t)head.length % 8;
	words = plan_shapes[head.step].words * sizeof(uint64_t);
	if (pad > n - *at - head.length || head.length < words)
		return -EBADMSG;
	ret->step = head.step;
	memcpy(ret->w, bytes + *at, words);
	ret->text = bytes + *at + words;
	ret->text_n = head.length - words;
	if (plan_shapes[head.step].tail == PLAN_NONE && ret->text_n)
		return -EBADMSG;
	if (plan_shapes[head.step].tail == PLAN_STR && (!ret->text_n || ret->text[ret->text_n - 1]))
		return -EBADMSG;
	*at += head.length + pad;
	return 1;
}

struct plan_step_info {
	const char *name;
	enum plan_where where;
	int exit_code;
	unsigned words_n;
	enum plan_tail tail;
	const char *help;
};
/* Table by step; name of an unknown step is "?". */
const struct plan_step_info *plan_step_info(unsigned step);

/* --- writing (harkd) --- */
/*
 * Appends one record; words may be NULL when words_n is 0. Overflow shows in w->bad. GROUPS is given as 64-bit words
 * and stored as the kernel takes it.
 */
void plan_put(struct wbuf *w, enum plan_step step, const uint64_t *words, unsigned words_n,
	      struct str text);
void plan_put_str(struct wbuf *w, enum plan_step step, struct str text);
void plan_put_u64(struct wbuf *w, enum plan_step step, uint64_t word);
/* Who can run it: the narrowest of its steps, or PLAN_EXEC_ONLY for too many bytes or pointers for the inline runner. */
enum plan_where plan_place(const char *bytes, size_t n);
/* Well-formed from end to end, ends in EXEC? 0 or -EBADMSG. */
MUST_USE int plan_check(const char *bytes, size_t n);
