/* SPDX-License-Identifier: MIT */
#include "activate/mount_why.h"

#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/fd.h"
#include "units/mount.h"

enum { WORD_MOST = 1024 };

/* What the kernel has to say of the option that was given last: "e tmpfs: Unknown parameter 'sze'". fsopen(2) */
static bool add_words(int fs, struct sbuf *out)
{
	char text[WORD_MOST];
	bool any = false;
	ssize_t n;

	while ((n = read(fs, text, sizeof(text) - 1)) > 2) {
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		sbuf_addf(out, "; %s", text + 2); /* behind "e ", "w " or "i " */
		any = true;
	}
	return any;
}

/* Give the options one by one to a file system that is never made. */
static void try_options(const char *type, const char *options, struct sbuf *out)
{
	AUTO_FD int fs = fsopen(type, FSOPEN_CLOEXEC);
	struct str rest = str_of(options ? options : ""), word;

	while (fs >= 0 && str_cut(&rest, ',', &word)) {
		char key[WORD_MOST], *value;
		int r;

		snprintf(key, sizeof(key), STR_FMT, (int)word.n, word.p);
		value = strchr(key, '=');
		if (value)
			*value++ = '\0';
		r = fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);
		if (r < 0 && add_words(fs, out))
			return;
	}
}

/* The program that mount(8) starts for that type; nothing when it is there, or when there is none for any such type. */
static void add_missing(const char *type, struct sbuf *out)
{
	const struct mount_config m = {.type = type};
	char path[WORD_MOST];

	if (!str_has_prefix(str_of(type), STR("fuse.")) && !mount_is_network(&m))
		return;
	snprintf(path, sizeof(path), "/sbin/mount.%s", type);
	if (access(path, X_OK) == 0)
		return;
	if (!str_has_prefix(str_of(type), STR("fuse.")))
		sbuf_addf(out, "; there is no %s to mount it with", path);
	else if (access("/sbin/mount.fuse", X_OK) < 0)
		sbuf_addf(out, "; there is no /sbin/mount.fuse to mount it with");
}

void mount_why(const char *type, const char *options, int err, struct sbuf *out)
{
	if (!*type || (err != EINVAL && err != ENODEV))
		return;
	add_missing(type, out);
	if (!out->n && err == EINVAL)
		try_options(type, options, out);
}
