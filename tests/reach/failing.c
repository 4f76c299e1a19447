/* SPDX-License-Identifier: MIT */
/*
 * Linked into a program, it stands before the allocator of the C library, for the program and for every library that it uses: allocation
 * number $HARK_FAIL_AT fails, and with $HARK_FAIL_ON set all that follow it. The number of all is told on $HARK_FAIL_TELL, a descriptor.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static unsigned long made;

static unsigned long number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : 0;
}

static int is_refused(void)
{
	unsigned long at = number("HARK_FAIL_AT");

	made++;
	if (!at || (made != at && !(made > at && number("HARK_FAIL_ON"))))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return is_refused() ? NULL : __libc_realloc(p, size);
}

__attribute__((destructor)) static void tell(void)
{
	int fd = (int)number("HARK_FAIL_TELL");

	if (fd > 0)
		dprintf(fd, "%lu\n", made);
}
