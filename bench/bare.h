/* SPDX-License-Identifier: MIT */
/*
 * bare - system calls and a start without libc, for the programs that are
 * measured (x86-64 with -DPAYLOAD_BARE; else libc does it). To be included
 * once, by the file with main().
 */
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#if defined(PAYLOAD_BARE) && defined(__x86_64__)
static inline long call(long nr, long a, long b, long c)
{
	register long r10 __asm__("r10") = 0;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return r;
}

__asm__(".globl _start\n"
	"_start:\n"
	"	mov (%rsp), %rdi\n"
	"	lea 8(%rsp), %rsi\n"
	"	and $-16, %rsp\n"
	"	call main\n"
	"	mov %eax, %edi\n"
	"	mov $231, %eax\n" /* exit_group */
	"	syscall\n");
#else
static inline long call(long nr, long a, long b, long c)
{
	return syscall(nr, a, b, c, 0L);
}
#endif
