/* SPDX-License-Identifier: MIT */
/*
 * raw - system calls as the kernel makes them: the result or -errno, and libc's errno is left alone. For children that
 * run in the memory of their parent (init.c, plan_run.c), where errno is the parent's.
 */
#pragma once

#include "core/base.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Elsewhere children get a copy of the memory, and with it an errno of their own. */
#if defined(__x86_64__) || defined(__aarch64__)
enum { RAW_HAS_STACKS = 1 };
#else
enum { RAW_HAS_STACKS = 0 };
#endif

#ifdef __x86_64__

static inline long raw_call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
			 : "+a"(nr)
			 : "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return nr;
}

/* As clone3(2), but the child, on the stack that a names (0: a copy of ours), calls fn(arg), which does not return. */
static inline long raw_clone(const struct clone_args *a, void (*fn)(void *), void *arg)
{
	long r = SYS_clone3;

	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "and $-16, %%rsp\n"
			 "mov %[arg], %%rdi\n"
			 "call *%[fn]\n"
			 "1:"
			 : "+a"(r)
			 : "D"(a), "S"(sizeof(*a)), [fn] "r"(fn), [arg] "r"(arg)
			 : "rcx", "r11", "memory");
	return r;
}

#elif defined(__aarch64__)

static inline long raw_call(long nr, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

static inline long raw_clone(const struct clone_args *a, void (*fn)(void *), void *arg)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)a;
	register long x1 __asm__("x1") = sizeof(*a);

	__asm__ volatile("svc #0\n"
			 "cbnz x0, 1f\n"
			 "mov x29, xzr\n"
			 "mov x0, %[arg]\n"
			 "blr %[fn]\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), [fn] "r"(fn), [arg] "r"(arg)
			 : "memory");
	return x0;
}

#else

static inline long raw_call(long nr, long a, long b, long c, long d)
{
	long r = syscall(nr, a, b, c, d);

	return r < 0 ? -errno : r;
}

static inline long raw_clone(const struct clone_args *a, void (*fn)(void *), void *arg)
{
	struct clone_args copy = *a;
	long r;

	copy.stack = copy.stack_size = 0;
	copy.flags &= ~(unsigned long long)CLONE_VM;
	r = raw_call(SYS_clone3, (long)&copy, sizeof(copy), 0, 0);
	if (r == 0)
		fn(arg);
	return r;
}

#endif

#define raw1(nr, a) raw_call(nr, (long)(a), 0, 0, 0)
#define raw2(nr, a, b) raw_call(nr, (long)(a), (long)(b), 0, 0)
#define raw3(nr, a, b, c) raw_call(nr, (long)(a), (long)(b), (long)(c), 0)
#define raw4(nr, a, b, c, d) raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d))

/* As dup2(2). */
static inline long raw_dup(int from, int to)
{
	return from == to ? raw2(SYS_fcntl, from, F_GETFD) : raw3(SYS_dup3, from, to, 0);
}

/* Give fd the number target and close the one it came under. 0 or -errno, -EBADF for no fd. */
static inline int raw_place(int fd, int target, int flags)
{
	long r = raw3(SYS_dup3, fd, target, flags);

	raw1(SYS_close, fd);
	return r < 0 ? (int)r : 0;
}

static inline long raw_close_range(int first, int last)
{
	return raw3(SYS_close_range, first, last, 0);
}

static inline long raw_ignore(int sig)
{
	/* The kernel's form: the handler, then flags, restorer and mask, all of them 0. */
	static const struct {
		void (*handler)(int);
		unsigned long rest[3];
	} ignore = {SIG_IGN, {0}};

	if (!RAW_HAS_STACKS)
		return signal(sig, SIG_IGN) == SIG_ERR ? -errno : 0;
	return raw4(SYS_rt_sigaction, sig, &ignore, NULL, sizeof(long));
}

static inline void raw_unblock_signals(void)
{
	static const uint64_t none[2];

	raw4(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, _NSIG / 8);
}
