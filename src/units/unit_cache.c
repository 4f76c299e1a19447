/* SPDX-License-Identifier: MIT */
#include "units/unit_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/fd.h"
#include "units/name.h"

enum {
	CACHE_MAX = 256 * 1024 * 1024, /* bytes */
	CACHE_KIND = 'A' /* is added to DT_* in a listing, in which NUL ends what is before it */
};

/* Changes whenever the form does: what has another is no cache. */
static const char cache_magic[8] = "hark\0uc1";

/* At the beginning of the file. Behind it: the records, the table of their places by hash, their bytes. */
struct head {
	char magic[sizeof(cache_magic)];
	uint64_t sum; /* str_mix() of all that follows */
	uint32_t records_n, table_n /* a power of two */;
};

struct mark {
	uint64_t ino;
	int64_t size; /* bytes */
	struct timespec mtime, ctime;
};

/* Where the path is among the bytes, and behind it, ended by NUL each, what was read there. */
struct record {
	struct mark mark;
	uint64_t at; /* in the bytes */
	uint32_t path_n, n;
};

static struct mark mark_of(const struct stat *st)
{
	return (struct mark){st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
}

static uint64_t sum_of(const char *bytes, size_t n)
{
	size_t from = offsetof(struct head, records_n);

	return str_mix(0, bytes + from, n - from);
}

/* --- reading --- */

static const struct record *records_of(const struct unit_cache *c)
{
	return (const void *)(c->bytes + sizeof(struct head));
}

static size_t bytes_at(const struct head *h)
{
	return sizeof(*h) + h->records_n * sizeof(struct record) + h->table_n * sizeof(uint32_t);
}

/* Is every place that it speaks of in it? */
static bool is_sound(const struct unit_cache *c)
{
	const struct head *h = (const void *)c->bytes;
	const struct record *r = records_of(c);
	const uint32_t *table;

	if (c->n < sizeof(*h) || memcmp(h->magic, cache_magic, sizeof(cache_magic)) != 0 ||
	    h->sum != sum_of(c->bytes, c->n) || h->table_n <= h->records_n ||
	    (h->table_n & (h->table_n - 1)) != 0 || h->table_n > CACHE_MAX || bytes_at(h) > c->n)
		return false;
	for (uint32_t i = 0; i < h->records_n; i++)
		if (r[i].at > c->n - bytes_at(h) ||
		    (uint64_t)r[i].path_n + r[i].n + 2 > c->n - bytes_at(h) - r[i].at)
			return false;
	table = (const void *)(r + h->records_n);
	for (uint32_t i = 0; i < h->table_n; i++)
		if (table[i] > h->records_n)
			return false;
	return true;
}

int unit_cache_open(struct unit_cache *c, const char *path)
{
	struct stat st;
	AUTO_FD int fd = fd_open_file(AT_FDCWD, path, CACHE_MAX, &st);
	ssize_t got;

	*c = (struct unit_cache){0};
	if (fd < 0)
		return fd;
	if (st.st_uid != geteuid() || (st.st_mode & 022) || st.st_size == 0)
		return -EBADMSG;
	c->n = (size_t)st.st_size;
	c->bytes = mem_get(c->n + 1);
	if (!c->bytes)
		return -ENOMEM;
	got = fd_read(fd, c->bytes, c->n);
	if (got >= 0 && (size_t)got == c->n && is_sound(c))
		return 0;
	unit_cache_close(c);
	return -EBADMSG;
}

void unit_cache_close(struct unit_cache *c)
{
	mem_put(c->bytes);
	*c = (struct unit_cache){0};
}

bool unit_cache_find(const struct unit_cache *c, struct str path, const struct stat *now,
		     struct str *ret)
{
	const struct head *h = (const void *)c->bytes;
	const struct record *r;
	const uint32_t *table;
	struct mark mark = mark_of(now);

	if (!h)
		return false;
	r = records_of(c);
	table = (const void *)(r + h->records_n);
	for (uint32_t i = str_hash(path) & (h->table_n - 1); table[i];
	     i = (i + 1) & (h->table_n - 1)) {
		const struct record *one = &r[table[i] - 1];
		const char *text = c->bytes + bytes_at(h) + one->at;

		if (one->path_n != path.n || memcmp(text, path.p, path.n) != 0)
			continue;
		*ret = (struct str){text + one->path_n + 1, one->n};
		return memcmp(&one->mark, &mark, sizeof(mark)) == 0;
	}
	return false;
}

bool unit_cache_entry(struct str *listing, unsigned char *ret_kind, const char **ret_name,
		      const char **ret_link)
{
	struct str kind, link;

	if (!str_cut(listing, '\0', &kind) || kind.n < 2 || !str_cut(listing, '\0', &link))
		return false;
	*ret_kind = (unsigned char)(kind.p[0] - CACHE_KIND);
	*ret_name = kind.p + 1;
	*ret_link = link.p;
	return true;
}

/* --- writing --- */

struct writing {
	struct record *records;
	uint32_t n, cap;
	struct sbuf bytes;
	time_t settled_s;
};

/* May what has that mark be believed as long as it has it? */
static bool is_settled(const struct writing *w, int fd, const struct stat *st)
{
	struct statvfs fs;

	return st->st_ctim.tv_sec <= w->settled_s && st->st_mtim.tv_sec <= w->settled_s &&
	       fstatvfs(fd, &fs) == 0 && !(fs.f_flag & ST_RDONLY);
}

static int add_record(struct writing *w, const char *path, const struct stat *st, struct str text)
{
	struct record *r;

	if (w->n == w->cap) {
		uint32_t cap = w->cap ? 2 * w->cap : 64;

		r = mem_grow(w->records, w->cap * sizeof(*r), cap * sizeof(*r));
		if (!r)
			return -ENOMEM;
		w->records = r;
		w->cap = cap;
	}
	w->records[w->n++] = (struct record){.mark = mark_of(st),
					     .at = w->bytes.n,
					     .path_n = (uint32_t)strlen(path),
					     .n = (uint32_t)text.n};
	sbuf_add(&w->bytes, (struct str){path, strlen(path) + 1});
	sbuf_add(&w->bytes, text);
	sbuf_add_c(&w->bytes, '\0');
	return w->bytes.err;
}

/* What cannot be read is left out: a start will read it itself. 0 or -ENOMEM. */
static int add_file(struct writing *w, int dir, const char *path, const char *name)
{
	AUTO_MEM char *text = NULL;
	struct stat st;
	AUTO_FD int fd = fd_open_file(dir, name, CACHE_FILE_MAX, &st);
	ssize_t got;

	if (fd < 0 || !is_settled(w, fd, &st))
		return 0;
	text = mem_get((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	got = fd_read(fd, text, (size_t)st.st_size);
	return got == st.st_size ? add_record(w, path, &st, (struct str){text, (size_t)got}) : 0;
}

static bool is_side_dir(const char *name)
{
	static const char *const suffixes[] = {".d", ".wants", ".requires", ".upholds"};

	for (unsigned k = 0; k < ARRAY_SIZE(suffixes); k++)
		if (str_has_suffix(str_of(name), str_of(suffixes[k])))
			return true;
	return false;
}

/* One entry of a directory: into its listing, and its text when it is one. is_side: the files are drop-ins, the links no files. */
static int add_entry(struct writing *w, int dir, const char *path, const struct dirent *d,
		     bool is_side, struct sbuf *listing)
{
	char text[PATH_MAX];
	ssize_t n = d->d_type == DT_LNK ? readlinkat(dir, d->d_name, text, sizeof(text) - 1) : 0;
	bool is_text = is_side ? str_has_suffix(str_of(d->d_name), STR(".conf"))
			       : name_is_valid(d->d_name, NAME_ANY);

	text[n > 0 ? n : 0] = '\0';
	sbuf_add_c(listing, (char)(d->d_type + CACHE_KIND));
	sbuf_add(listing, (struct str){d->d_name, strlen(d->d_name) + 1});
	sbuf_add(listing, (struct str){text, strlen(text) + 1});
	if (!is_text || d->d_type == DT_DIR ||
	    (size_t)snprintf(text, sizeof(text), "%s/%s", path, d->d_name) >= sizeof(text))
		return listing->err;
	return add_file(w, dir, text, d->d_name);
}

/* What one directory has. *listing: of it, empty when it is not there. 0 or -ENOMEM. */
static int add_dir(struct writing *w, const char *path, bool is_side, struct sbuf *listing)
{
	DIR *dir = fd_opendir(AT_FDCWD, path);
	struct stat st = {0};
	int r = 0;

	if (!dir)
		return 0;
	errno = fstat(dirfd(dir), &st) < 0 ? errno : 0;
	for (const struct dirent *d; r == 0 && errno == 0 && (d = readdir(dir)); errno = 0)
		if (d->d_name[0] != '.')
			r = add_entry(w, dirfd(dir), path, d, is_side, listing);
	if (r == 0 && errno == 0 && is_settled(w, dirfd(dir), &st))
		r = add_record(w, path, &st, (struct str){listing->p, listing->n});
	closedir(dir);
	return r;
}

/* A directory of the search path, and those beside units in it. 0 or -ENOMEM. */
static int add_search_dir(struct writing *w, const char *path)
{
	struct sbuf listing = {0}, side = {0};
	const char *name, *link;
	char below[PATH_MAX];
	unsigned char kind;
	struct str rest;
	int r = add_dir(w, path, false, &listing);

	rest = (struct str){listing.p, listing.n};
	while (r == 0 && unit_cache_entry(&rest, &kind, &name, &link)) {
		if (kind == DT_REG || !is_side_dir(name) ||
		    (size_t)snprintf(below, sizeof(below), "%s/%s", path, name) >= sizeof(below))
			continue;
		r = add_dir(w, below, true, &side);
		sbuf_fini(&side);
	}
	sbuf_fini(&listing);
	return r;
}

/* The whole file. p NULL: -ENOMEM. */
static void join(const struct writing *w, struct sbuf *out)
{
	struct head h = {.records_n = w->n, .table_n = 2};
	AUTO_MEM uint32_t *table = NULL;

	while (h.table_n < 2 * w->n)
		h.table_n *= 2;
	table = mem_get(h.table_n * sizeof(*table));
	for (uint32_t i = 0; table && i < w->n; i++) {
		const struct record *r = &w->records[i];
		uint32_t at = str_hash((struct str){w->bytes.p + r->at, r->path_n});

		while (table[at & (h.table_n - 1)])
			at++;
		table[at & (h.table_n - 1)] = i + 1;
	}
	if (!table)
		return;
	memcpy(h.magic, cache_magic, sizeof(h.magic));
	sbuf_add(out, (struct str){(const char *)&h, sizeof(h)});
	sbuf_add(out, (struct str){(const char *)w->records, w->n * sizeof(*w->records)});
	sbuf_add(out, (struct str){(const char *)table, h.table_n * sizeof(*table)});
	sbuf_add(out, (struct str){w->bytes.p, w->bytes.n});
	if (!out->p || out->err)
		return;
	h.sum = sum_of(out->p, out->n);
	memcpy(out->p, &h, sizeof(h));
}

int unit_cache_write(char *const *dirs, unsigned dirs_n, time_t settled_s, const char *dir,
		     const char *name)
{
	struct writing w = {.settled_s = settled_s};
	struct sbuf out = {0};
	mode_t mask;
	int r = 0;

	for (unsigned k = 0; r == 0 && k < dirs_n; k++)
		r = add_search_dir(&w, dirs[k]);
	if (r == 0)
		join(&w, &out);
	/* There may be files among them that only root may read. */
	mask = umask(077);
	if (r == 0)
		r = out.p && !out.err ? fd_replace_file(dir, name, (struct str){out.p, out.n})
				      : -ENOMEM;
	umask(mask);
	sbuf_fini(&out);
	sbuf_fini(&w.bytes);
	mem_put(w.records);
	return r;
}
