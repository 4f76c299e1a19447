/* SPDX-License-Identifier: MIT */
/* Any text as a service, or as a socket where it has that section: its canonical form, and that of it, which is the same. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "units/canonical.h"
#include "units/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Empty when the unit is refused. Lines are read again, so the text is in a file too, one that is called the same each time. */
static void canonical(struct load *l, struct str text, struct sbuf *out)
{
	bool is_socket = memmem(text.p, text.n, "[Socket]", strlen("[Socket]"));
	int fd = memfd_create("unit", MFD_CLOEXEC);
	struct unit_config *c = NULL;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, text.p, text.n) != (ssize_t)text.n ||
	    load_unit_text(l, is_socket ? "x.socket" : "x@y.service", path, text, &c) < 0 ||
	    (c->load == LOAD_LOADED && canonical_write(c, out) < 0))
		__builtin_trap();
	unit_config_free(c);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct load load;
	struct sbuf once = {0}, twice = {0};

	if (!load.dirs && load_init(&load, "/nonexistent", "") < 0)
		__builtin_trap();
	canonical(&load, (struct str){(const char *)data, size}, &once);
	if (once.n)
		canonical(&load, (struct str){once.p, once.n}, &twice);
	if (!str_eq((struct str){once.p, once.n}, (struct str){twice.p, twice.n}))
		__builtin_trap();
	sbuf_fini(&once);
	sbuf_fini(&twice);
	return 0;
}
