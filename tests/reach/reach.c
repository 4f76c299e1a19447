/* SPDX-License-Identifier: MIT */
/*
 * What the instrumented hark-init calls at the beginning of each basic block (-fsanitize-coverage=trace-pc): it marks the block's address in
 * a file that all its lives and children share, named by HARK_REACH. So what was reached counts at once: nothing is lost by an exec, an
 * _exit() or a SIGKILL, and no descriptor stays open. tests/reach/report.py reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_MOST = 4 * 1024 * 1024 };

extern const char __executable_start[];
static char *reached;
static int is_busy; /* or there is nothing to do */

void __sanitizer_cov_trace_pc(void);

/* Tried again at every block: a test may let the first calls fail. */
__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("HARK_REACH");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1, err = errno;
	void *map = MAP_FAILED;

	is_busy = 1;
	if (fd >= 0 && ftruncate(fd, TEXT_MOST) == 0)
		map = mmap(NULL, TEXT_MOST, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		reached = map;
	if (fd >= 0)
		close(fd);
	is_busy = !path;
	errno = err;
}

void __sanitizer_cov_trace_pc(void)
{
	uintptr_t at = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__executable_start;

	if (!reached && !is_busy)
		begin();
	if (reached && at < TEXT_MOST)
		reached[at] = 1;
}
