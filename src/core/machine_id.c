/* SPDX-License-Identifier: MIT */
#include "core/machine_id.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/str.h"

enum { ID = 32, ID_BYTES = ID / 2 };

static const char place[] = "/etc/machine-id", at_run[] = "/run/machine-id";

/* Reads the id and a newline into text. */
static bool read_id(const char *path, char text[ID + 2])
{
	ssize_t n = fd_read_small(AT_FDCWD, path, text, ID + 2);

	if (n < ID || strspn(text, "0123456789abcdef") != ID || strspn(text, "0") == ID)
		return false;
	text[ID] = '\n';
	return true;
}

/* Marked as random, as in RFC 4122. At this time of a boot there may be little to draw from; nothing secret depends on it. */
static int draw_id(char text[ID + 2])
{
	unsigned char b[ID_BYTES];

	if (getrandom(b, sizeof(b), GRND_INSECURE) != sizeof(b))
		return err_here(-errno);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < ID_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", b[i]);
	text[ID] = '\n';
	return 0;
}

static int write_id(const char *path, const char text[ID + 2])
{
	AUTO_FD int fd = fd_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0444);

	return fd < 0 ? fd : fd_write_all(fd, text, ID + 1);
}

int machine_id_make(void)
{
	char text[ID + 2];
	int r = 0;

	if (read_id(place, text))
		return 0;
	if (!read_id(at_run, text) && !read_id("/var/lib/dbus/machine-id", text))
		r = draw_id(text);
	if (r < 0 || write_id(place, text) == 0)
		return r;
	r = write_id(at_run, text);
	return r == 0 && mount(at_run, place, NULL, MS_BIND, NULL) < 0 ? err_here(-errno) : r;
}
