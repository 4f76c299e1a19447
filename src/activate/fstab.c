/* SPDX-License-Identifier: MIT */
#include "activate/fstab.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/fd.h"

enum { TEXT_MOST = 4 * 1024 * 1024, CARETS_MOST = 60 };

void fstab_tell(struct fstab *f, const struct fstab_line *line, struct str piece,
		enum diag_severity severity, const char *fmt, ...)
{
	struct str at = piece.p ? piece : line->text;
	size_t col = (size_t)(at.p - line->text.p);
	size_t carets = at.n < CARETS_MOST ? at.n : CARETS_MOST;
	va_list ap;

	f->told[severity]++;
	fprintf(stderr, "%s:%u:%zu: %s: ", f->path, line->number, col + 1,
		diag_severity_names[severity]);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n%5u | " STR_FMT "\n      | ", line->number, STR_ARG(line->text));
	/* Below a tab stands a tab, so that the caret is where it belongs. */
	for (size_t i = 0; i < col; i++)
		fputc(line->text.p[i] == '\t' ? '\t' : ' ', stderr);
	for (size_t i = 0; i < carets || i == 0; i++)
		fputc(i == 0 ? '^' : '~', stderr);
	fputc('\n', stderr);
}

/* --- where things stand --- */

static struct fstab_line *note_line(struct fstab *f, struct str text, unsigned number)
{
	struct fstab_line *line = arena_get(&f->arena, sizeof(*line));
	struct str rest = text;

	if (!line)
		return NULL;
	line->number = number;
	line->text = text;
	for (unsigned k = 0; k < FSTAB_FIELDS; k++)
		if (!str_word(&rest, &line->field[k]) || line->field[k].p[0] == '#')
			break;
	return line;
}

/* The lines that say something. 0 or -ENOMEM. */
static int note_lines(struct fstab *f, struct str text)
{
	struct fstab_line **end = &f->lines;
	unsigned number = 0;
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		struct str word, rest = line;

		number++;
		if (!str_word(&rest, &word) || word.p[0] == '#')
			continue;
		*end = note_line(f, line, number);
		if (!*end)
			return err_here(-ENOMEM);
		end = &(*end)->next;
	}
	return 0;
}

/* --- what they mean --- */

/* libmount tells of a line that it cannot read, and goes on. */
static int on_bad_line(struct libmnt_table *table, const char *path UNUSED, int number)
{
	struct fstab *f = mnt_table_get_userdata(table);

	for (struct fstab_line *line = f->lines; line; line = line->next)
		if (line->number == (unsigned)number)
			line->is_bad = true;
	return 0;
}

static const char *copy(struct fstab *f, const char *text, int *err)
{
	const char *own = arena_dup(&f->arena, text ? text : "", text ? strlen(text) : 0);

	if (!own)
		*err = err_here(-ENOMEM);
	return own;
}

/* Without memory libmount goes on without them. */
static bool has_lost(const struct fstab_line *line)
{
	int64_t pass = 0;

	if (str_to_i64(line->field[FSTAB_PASS], &pass) < 0)
		pass = 0;
	return (line->field[FSTAB_OPTIONS].n && !line->options[0]) || pass != line->pass;
}

static int take(struct fstab *f, struct fstab_line *line, struct libmnt_fs *fs)
{
	int err = 0;

	line->what = copy(f, mnt_fs_get_source(fs), &err);
	line->where = copy(f, mnt_fs_get_target(fs), &err);
	line->type = copy(f, mnt_fs_get_fstype(fs), &err);
	line->options = copy(f, mnt_fs_get_options(fs), &err);
	line->pass = mnt_fs_get_passno(fs);
	line->is_bad = line->is_bad || has_lost(line);
	return err;
}

static void tell_unreadable(struct fstab *f, const struct fstab_line *line)
{
	static const char *const names[FSTAB_FIELDS] = {"what to mount",   "the mount point",
							"the type",        "options",
							"the dump number", "the fsck number"};
	unsigned k = 0, before = f->told[DIAG_ERROR];

	while (k < FSTAB_TYPE && line->field[k].n)
		k++;
	if (!line->field[k].n)
		fstab_tell(f, line, (struct str){line->text.p + line->text.n, 0}, DIAG_ERROR,
			   "%s is missing; the line is skipped", names[k]);
	for (k = FSTAB_FREQ; k < FSTAB_FIELDS; k++) {
		int64_t number;

		if (line->field[k].n && str_to_i64(line->field[k], &number) < 0)
			fstab_tell(f, line, line->field[k], DIAG_ERROR,
				   "%s must be a number; the line is skipped", names[k]);
	}
	if (f->told[DIAG_ERROR] == before) /* libmount says the same of what it had no memory for */
		fstab_tell(f, line, line->text, DIAG_ERROR,
			   "it cannot be read, perhaps for lack of memory; the line is skipped");
}

/* Drop lines that are no use, telling of them. */
static void weed(struct fstab *f)
{
	for (struct fstab_line **at = &f->lines; *at;) {
		struct fstab_line *line = *at;

		if (!line->is_bad && line->what[0] && line->where[0] && line->type[0]) {
			at = &line->next;
			continue;
		}
		*at = line->next;
		tell_unreadable(f, line);
	}
}

/* 0, -EIO (libmount has not all of our lines), -ENOMEM */
static int parse(struct fstab *f)
{
	struct libmnt_table *table = mnt_new_table();
	struct libmnt_iter *it = mnt_new_iter(MNT_ITER_FORWARD);
	struct fstab_line *line = f->lines;
	int r = table && it ? 0 : err_here(-ENOMEM);
	struct libmnt_fs *fs;

	if (r == 0)
		mnt_table_set_userdata(table, f);
	if (r == 0)
		mnt_table_set_parser_errcb(table, on_bad_line);
	if (r == 0)
		r = mnt_table_parse_file(table, f->path);
	while (r == 0 && line && mnt_table_next_fs(table, it, &fs) == 0) {
		r = take(f, line, fs);
		line = line->next;
	}
	if (r == 0 && (line || mnt_table_next_fs(table, it, &fs) == 0))
		r = err_here(-EIO);
	mnt_free_iter(it);
	mnt_unref_table(table);
	return r < 0 ? r : r > 0 ? -r : 0;
}

int fstab_read(struct fstab *f, const char *path)
{
	AUTO_MEM char *text = NULL;
	const char *own;
	size_t n = 0;
	int r = fd_read_file(AT_FDCWD, path, TEXT_MOST, &text, &n);

	*f = (struct fstab){.path = path};
	if (r < 0)
		return r == -ENOENT ? 0 : r; /* nothing is to be mounted */
	own = arena_dup(&f->arena, text, n);
	r = own ? note_lines(f, (struct str){own, n}) : err_here(-ENOMEM);
	if (r == 0)
		r = parse(f);
	if (r == 0)
		weed(f);
	return r;
}

void fstab_fini(struct fstab *f)
{
	arena_fini(&f->arena);
}
