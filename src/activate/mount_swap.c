/* SPDX-License-Identifier: MIT */
#include "activate/mount_swap.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/mountinfo.h"
#include "units/mount.h"
#include "units/value.h"

/* linux/swap.h; glibc has some of them only */
enum { DISCARD = 0x10000, DISCARD_ONCE = 0x20000, DISCARD_PAGES = 0x40000, PRIORITY_MOST = 32767 };
enum { SIGNATURE = 10, TABLE_MOST = 1024 * 1024 };

/* What is wrong with it, as far as that can be seen; NULL: nothing. */
static const char *find_fault(const char *what)
{
	static char text[128];
	AUTO_FD int fd = fd_open(AT_FDCWD, what, O_RDONLY | O_NONBLOCK, 0);
	char signature[SIGNATURE + 1] = "";
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL; /* the kernel will say */
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return "it is neither a device nor a file";
	if (pread(fd, signature, SIGNATURE, sysconf(_SC_PAGESIZE) - SIGNATURE) != SIGNATURE)
		return "it is too short";
	if (strcmp(signature, "SWAPSPACE2") == 0)
		return S_ISREG(st.st_mode) && st.st_blocks * 512 < st.st_size ? "the file has holes"
									      : NULL;
	if (strncmp(signature, "S1SUSPEND", 9) == 0 || strncmp(signature, "S2SUSPEND", 9) == 0)
		return "it holds an image to resume from";
	snprintf(text, sizeof(text), "it has no swap signature (mkswap %.80s makes one)", what);
	return text;
}

static int explain(const char *doing, const char *what, const char *more, int err)
{
	const char *fault = find_fault(what);

	fprintf(stderr, "hark-mount: cannot %s %s%s: %s%s%s\n", doing, what, more, strerror(err),
		fault ? "; " : "", fault ? fault : "");
	return 1;
}

/* The flags of swapon(2), or -1 when the priority is no number. */
static int flags_of(const char *options, const char *priority)
{
	struct str discard = mount_option(options, "discard"), given = mount_option(options, "pri");
	int flags = 0, number;

	if (str_eq_z(discard, "discard"))
		flags |= DISCARD;
	else if (str_eq_z(discard, "discard=once"))
		flags |= DISCARD | DISCARD_ONCE;
	else if (str_eq_z(discard, "discard=pages"))
		flags |= DISCARD | DISCARD_PAGES;
	given = *priority ? str_of(priority) : str_sub(given, strlen("pri="), given.n);
	if (!given.n || str_eq_z(given, "-1")) /* the kernel chooses */
		return flags;
	if (value_int(given, 0, PRIORITY_MOST, &number) < 0)
		return -1;
	return flags | SWAP_FLAG_PREFER | (number & SWAP_FLAG_PRIO_MASK);
}

static bool is_in_use(const char *what)
{
	char real[PATH_MAX], path[PATH_MAX / 2];
	AUTO_MEM char *text = NULL;
	struct str rest, line, file;
	size_t n = 0;

	if (!realpath(what, real) ||
	    fd_read_file(AT_FDCWD, "/proc/swaps", TABLE_MOST, &text, &n) < 0)
		return false;
	for (rest = (struct str){text, n}; str_cut(&rest, '\n', &line);)
		if (str_word(&line, &file) && mountinfo_unescape(file, path, sizeof(path)) &&
		    strcmp(path, real) == 0)
			return true;
	return false;
}

int mount_swapon(const char *what, const char *options, const char *priority)
{
	int flags = flags_of(options, priority);
	char more[64] = "";

	if (flags < 0) {
		fprintf(stderr,
			"hark-mount: cannot use swap on %s: the priority is no number from -1 to %d\n",
			what, PRIORITY_MOST);
		return 1;
	}
	if (flags & SWAP_FLAG_PREFER)
		snprintf(more, sizeof(more), " (priority %d)", flags & SWAP_FLAG_PRIO_MASK);
	if (swapon(what, flags) == 0 || (errno == EBUSY && is_in_use(what)))
		return 0;
	return explain("use swap on", what, more, errno);
}

int mount_swapoff(const char *what)
{
	if (swapoff(what) == 0 || (errno == EINVAL && !is_in_use(what)))
		return 0;
	fprintf(stderr, "hark-mount: cannot stop using swap on %s: %s%s\n", what, strerror(errno),
		errno == ENOMEM ? "; what lies there does not fit into memory" : "");
	return 1;
}
