/* SPDX-License-Identifier: MIT */
/*
 * hark-mount: one change of the mount table, with libmount, or of swap space for one unit. What happened is told on standard error in one line.
 *
 *	hark-mount mount WHAT WHERE TYPE OPTIONS MODE [sloppy][,][rwonly]
 *	hark-mount unmount WHERE [lazy][,][force]
 *	hark-mount remount WHERE OPTIONS
 *	hark-mount remount-all FILE		("/", "/usr" and the API file systems, with their options in that fstab)
 *	hark-mount swapon WHAT OPTIONS PRIORITY
 *	hark-mount swapoff WHAT
 *	hark-mount fstab FILE DIR SPAN		(generator: units from the file; devices of which it says nothing are waited for SPAN)
 *	hark-mount lay WHERE MODE		(the automount point in descriptor 3 over that directory)
 *	hark-mount expire
 *	hark-mount remove			(the automount point in descriptor 3, with what is mounted over it)
 *
 * MODE: octal, of a mount point that has to be made. PRIORITY may be empty. Exits with 0 when the kernel's table shows what was asked for,
 * else see MOUNT_EXIT_ERRNO.
 * expire asks the kernel whether what is mounted over the automount point in descriptor 3 can go, and waits until harkd has answered that.
 */
#include <fcntl.h>
#include <libmount.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "activate/fstab.h"
#include "activate/fstab_run.h"
#include "activate/mount_busy.h"
#include "activate/mount_place.h"
#include "activate/mount_swap.h"
#include "activate/mount_why.h"
#include "core/autofs.h"
#include "core/fd.h"
#include "units/mount.h"
#include "units/value.h"

enum { WHAT = 2, WHERE, TYPE, OPTIONS, MODE, FLAGS, WORDS };
enum { POINT = 3 }; /* descriptor */

static const char *or_none(const char *text)
{
	return *text ? text : NULL;
}

static int status_of(int err)
{
	return err > 0 && err < UINT8_MAX - MOUNT_EXIT_ERRNO ? MOUNT_EXIT_ERRNO + err : 1;
}

/* libmount's own words for what went wrong, or the system's, and more about it or NULL. */
static int explain(struct libmnt_context *cx, int r, const char *doing, const char *what,
		   const char *more)
{
	char text[512] = "";
	int err;

	if (mnt_context_get_excode(cx, r, text, sizeof(text)) == 0 && r == 0)
		return 0;
	err = mnt_context_syscall_called(cx) ? mnt_context_get_syscall_errno(cx) : 0;
	fprintf(stderr, "hark-mount: cannot %s %s: %s%s\n", doing, what,
		*text ? text : strerror(r < 0 ? -r : r), more ? more : "");
	return status_of(err);
}

/* The id of what has been mounted there; 0: nothing. An automount point has not: it waits for that, and is left where it is. */
static uint64_t mounted_at(const char *where)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, where, O_PATH | O_NOFOLLOW, 0);
	struct statx at;
	struct statfs fs;

	return fd >= 0 && statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &at) == 0 &&
			       at.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT &&
			       at.stx_attributes & STATX_ATTR_MOUNT_ROOT &&
			       !(fstatfs(fd, &fs) == 0 && fs.f_type == AUTOFS_SUPER_MAGIC)
		       ? at.stx_mnt_id
		       : 0;
}

static bool is_mount_point(const char *where)
{
	return mounted_at(where) != 0;
}

/*
 * When memory is short libmount loses options without a word, flags like nosuid among them, and rows of the mount table. True: the kernel was
 * given all of these options; what a helper was given is its own affair.
 */
static bool was_all_given(struct libmnt_context *cx, const char *options)
{
	const unsigned long apart = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE | MS_REC;
	struct str given = str_of(mnt_fs_get_fs_options(mnt_context_get_fs(cx)));
	unsigned long asked = 0, got = 0;
	struct str rest, word;
	char *own = NULL, name[256];

	if (mnt_context_helper_executed(cx))
		return true;
	if (mnt_optstr_get_flags(options, &asked, mnt_get_builtin_optmap(MNT_LINUX_MAP)) < 0 ||
	    mnt_context_get_mflags(cx, &got) < 0 || asked & ~got & ~apart ||
	    mnt_split_optstr(options, NULL, NULL, &own, 0, 0) < 0)
		return false;
	for (rest = str_of(own); str_cut(&rest, ',', &word);) {
		snprintf(name, sizeof(name), STR_FMT, (int)str_index(word, '='), word.p);
		if (name[0] && (!given.p || !mount_option(given.p, name).p))
			return false;
	}
	return true; /* own goes with the process */
}

/* Of something that was done, but not as it was asked for. */
static int tell_loss(const char *doing, const char *where)
{
	fprintf(stderr, "hark-mount: cannot %s %s: options were lost: %s\n", doing, where,
		strerror(ENOMEM));
	return status_of(ENOMEM);
}

/*
 * The place for the kernel and for a helper. Where somebody could swap it for a link between a look and mount(2) it is told by a descriptor, which
 * stays open; then libmount keeps no notes of its own of the mount, which would be by that name.
 */
static int set_target(struct libmnt_context *cx, const char *where)
{
	char path[32];
	int fd, r;

	if (!mount_place_may_move(where))
		return mnt_context_set_target(cx, where);
	fd = fd_open_straight(where, O_PATH);
	if (fd < 0 || fcntl(fd, F_SETFD, 0) < 0)
		return fd < 0 ? fd : -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = mnt_context_disable_canonicalize(cx, 1);
	if (!r)
		r = mnt_context_disable_mtab(cx, 1);
	return r ? r : mnt_context_set_target(cx, path);
}

/* 0, or what libmount says. */
static int mount_as_told(struct libmnt_context *cx, char **argv)
{
	int r = mnt_context_set_source(cx, argv[WHAT]);

	if (!r)
		r = set_target(cx, argv[WHERE]);
	if (!r && or_none(argv[TYPE]))
		r = mnt_context_set_fstype(cx, argv[TYPE]);
	if (!r && or_none(argv[OPTIONS]))
		r = mnt_context_set_options(cx, argv[OPTIONS]);
	if (!r)
		r = mnt_context_enable_sloppy(cx, strstr(argv[FLAGS], "sloppy") != NULL);
	if (!r)
		r = mnt_context_enable_rwonly_mount(cx, strstr(argv[FLAGS], "rwonly") != NULL);
	return r ? r : mnt_context_mount(cx);
}

static int do_mount(struct libmnt_context *cx, char **argv)
{
	const char *where = argv[WHERE];
	const struct mount_config config = {.type = argv[TYPE], .options = argv[OPTIONS]};
	struct sbuf why = {0};
	char what[1024];
	int r = mount_place(where, mount_is_bind(&config) ? argv[WHAT] : NULL, argv[MODE]);

	if (r < 0)
		return status_of(-r);
	r = mount_as_told(cx, argv);
	if (r && mnt_context_syscall_called(cx))
		mount_why(argv[TYPE], mnt_fs_get_fs_options(mnt_context_get_fs(cx)),
			  mnt_context_get_syscall_errno(cx), &why);
	snprintf(what, sizeof(what), "%s on %s (type %s%s%s)", argv[WHAT], where,
		 *argv[TYPE] ? argv[TYPE] : "auto", *argv[OPTIONS] ? ", options " : "",
		 argv[OPTIONS]);
	r = explain(cx, r, "mount", what, why.p);
	sbuf_fini(&why);
	if (r)
		return r;
	if (is_mount_point(where) && !was_all_given(cx, argv[OPTIONS])) {
		(void)!umount2(where, MNT_DETACH | UMOUNT_NOFOLLOW);
		return tell_loss("mount", what);
	}
	if (is_mount_point(where))
		return 0;
	fprintf(stderr, "hark-mount: %s was mounted, but nothing is at %s\n", argv[WHAT], where);
	return 1;
}

static int do_unmount(struct libmnt_context *cx, char **argv)
{
	const char *where = argv[2], *how = argv[3];
	struct sbuf holders = {0};
	int r = mnt_context_set_target(cx, where);

	if (!r)
		r = mnt_context_enable_lazy(cx, strstr(how, "lazy") != NULL);
	if (!r)
		r = mnt_context_enable_force(cx, strstr(how, "force") != NULL);
	/* There may be several, one over the other. */
	while (!r && is_mount_point(where))
		r = mnt_context_umount(cx);
	if (r && mnt_context_get_syscall_errno(cx) == EBUSY)
		mount_busy(where, &holders);
	r = explain(cx, r, "unmount", where, holders.p);
	sbuf_fini(&holders);
	return r;
}

static int remount(struct libmnt_context *cx, const char *where, const char *options)
{
	uint64_t before = mounted_at(where);
	struct sbuf all = {0};
	int r;

	sbuf_addf(&all, "remount%s%s", *options ? "," : "", options);
	r = all.err ? all.err : mnt_context_set_target(cx, where);
	if (!r)
		r = mnt_context_set_options(cx, all.p);
	if (!r)
		r = mnt_context_mount(cx);
	sbuf_fini(&all);
	r = explain(cx, r, "remount", where, NULL);
	if (r)
		return r;
	if (mounted_at(where) != before) { /* "remount" was lost: it lies over the other */
		(void)!umount2(where, MNT_DETACH | UMOUNT_NOFOLLOW);
		return tell_loss("remount", where);
	}
	return was_all_given(cx, options) ? 0 : tell_loss("remount", where);
}

static int do_remount(struct libmnt_context *cx, char **argv)
{
	return remount(cx, argv[2], argv[3]);
}

/* Nobody but PID 1 or the kernel mounts these. */
static bool is_there_already(const char *where)
{
	return (strcmp(where, "/") == 0 || strcmp(where, "/usr") == 0 || mount_is_api(where)) &&
	       is_mount_point(where);
}

static int do_remount_all(struct libmnt_context *cx, char **argv)
{
	struct fstab f;
	int r = fstab_read(&f, argv[2]), status = r < 0;

	if (r < 0)
		fprintf(stderr, "hark-mount: cannot read %s: %s; nothing is remounted\n", argv[2],
			strerror(-r));
	for (const struct fstab_line *line = r < 0 ? NULL : f.lines; line; line = line->next)
		if (is_there_already(line->where)) {
			status |= remount(cx, line->where, line->options);
			if (mnt_reset_context(cx) < 0)
				status = 1;
		}
	fstab_fini(&f);
	return status;
}

static int do_swapon(struct libmnt_context *cx UNUSED, char **argv)
{
	return mount_swapon(argv[2], argv[3], argv[4]);
}

static int do_swapoff(struct libmnt_context *cx UNUSED, char **argv)
{
	return mount_swapoff(argv[2]);
}

static int do_fstab(struct libmnt_context *cx UNUSED, char **argv)
{
	uint64_t us;

	if (value_span(str_of(argv[4]), US_PER_SEC, &us) < 0) {
		fprintf(stderr, "hark-mount: %s is no time span\n", argv[4]);
		return 2;
	}
	return fstab_run(argv[2], argv[3], us);
}

static int do_lay(struct libmnt_context *cx UNUSED, char **argv)
{
	int r = mount_place(argv[2], NULL, argv[3]);

	if (r == 0)
		r = autofs_lay(POINT, argv[2]);
	if (r < 0)
		fprintf(stderr, "hark-mount: cannot lay a point over %s: %s\n", argv[2],
			strerror(-r));
	return r < 0 ? status_of(-r) : 0;
}

static int do_expire(struct libmnt_context *cx UNUSED, char **argv UNUSED)
{
	int r = autofs_expire(POINT);

	if (r == 0 || r == -EAGAIN || r == -EBUSY) /* it goes, or is in use */
		return 0;
	fprintf(stderr, "hark-mount: the kernel does not say whether the mount is in use: %s\n",
		strerror(-r));
	return 1;
}

static int do_remove(struct libmnt_context *cx UNUSED, char **argv UNUSED)
{
	int r = autofs_detach(POINT);

	return r < 0 ? status_of(-r) : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		int argc;
		int (*perform)(struct libmnt_context *cx, char **argv);
	} verbs[] = {{"mount", WORDS, do_mount}, {"unmount", 4, do_unmount},
		     {"remount", 4, do_remount}, {"remount-all", 3, do_remount_all},
		     {"swapon", 5, do_swapon},   {"swapoff", 3, do_swapoff},
		     {"fstab", 5, do_fstab},     {"lay", 4, do_lay},
		     {"expire", 2, do_expire},   {"remove", 2, do_remove}};
	struct libmnt_context *cx = mnt_new_context();

	if (!cx) {
		fprintf(stderr, "hark-mount: no memory\n");
		return 1;
	}
	mnt_context_disable_helpers(cx, false);
	for (size_t i = 0; i < ARRAY_SIZE(verbs) && argc > 1; i++)
		if (strcmp(argv[1], verbs[i].word) == 0 && argc == verbs[i].argc)
			return verbs[i].perform(cx, argv);
	fprintf(stderr, "hark-mount: started by hark for a mount or swap unit, not by hand\n");
	return 2;
}
