/* SPDX-License-Identifier: MIT */
#include "units/load_text.h"

#include <fcntl.h>

#include "core/fd.h"

uint64_t text_mix(uint64_t sum, uint64_t value)
{
	/* FNV-1a over words: only equality matters */
	return (sum ^ value) * UINT64_C(0x100000001b3);
}

uint64_t text_mark_add(uint64_t sum, const struct text_mark *mark)
{
	sum = text_mix(sum, mark->ino);
	sum = text_mix(sum, (uint64_t)mark->size);
	sum = text_mix(sum, mark->mode);
	sum = text_mix(sum, (uint64_t)mark->mtime.tv_sec);
	return text_mix(sum, (uint64_t)mark->mtime.tv_nsec);
}

static struct text_mark mark_of(const struct stat *st)
{
	return (struct text_mark){
		.ino = st->st_ino, .size = st->st_size, .mode = st->st_mode, .mtime = st->st_mtim};
}

int text_mark_read(const char *path, struct text_mark *ret)
{
	struct stat st;

	if (fstatat(AT_FDCWD, path, &st, AT_NO_AUTOMOUNT) < 0)
		return -errno;
	*ret = mark_of(&st);
	return 0;
}

int text_read(int dir, const char *path, size_t most, struct arena *arena, struct load_text *ret)
{
	struct stat st;
	AUTO_FD int fd = fd_open_file(dir, path, most, &st);
	ssize_t got = 1;
	size_t n = 0, size;
	char *text;

	if (fd < 0)
		return fd;
	size = (size_t)st.st_size;
	text = arena_get(arena, size + 1);
	if (!text)
		return -ENOMEM;
	while (n < size && got > 0) {
		got = fd_read(fd, text + n, size - n);
		if (got < 0)
			return (int)got;
		n += (size_t)got;
	}
	*ret = (struct load_text){.text = text, .n = n, .mark = mark_of(&st)};
	return 0;
}

bool text_find(const struct unit_cache *c, int dir, const char *name, const char *path,
	       struct load_text *ret)
{
	struct stat st;
	struct str text;

	if (!c->bytes || fstatat(dir, name, &st, AT_NO_AUTOMOUNT) < 0 || !S_ISREG(st.st_mode) ||
	    !unit_cache_find(c, str_of(path), &st, &text))
		return false;
	*ret = (struct load_text){.text = text.p, .n = text.n, .mark = mark_of(&st)};
	return true;
}

static bool holds(const struct load_template *t, const char *path)
{
	struct text_mark now;

	return t->path && strcmp(t->path, path) == 0 && text_mark_read(path, &now) == 0 &&
	       text_mark_add(0, &now) == text_mark_add(0, &t->text.mark);
}

int text_read_template(struct load_template *t, const char *path)
{
	struct load_template fresh = {0};
	int r;

	if (holds(t, path))
		return 0;
	r = text_read(AT_FDCWD, path, TEXT_MAX, &fresh.arena, &fresh.text);
	if (r == 0)
		fresh.path = arena_dup(&fresh.arena, path, strlen(path));
	if (r == 0 && !fresh.path)
		r = -ENOMEM;
	if (r < 0) {
		load_template_fini(&fresh);
		return r;
	}
	load_template_fini(t);
	*t = fresh;
	return 0;
}

void load_template_fini(struct load_template *t)
{
	arena_fini(&t->arena);
	memset(t, 0, sizeof(*t));
}
