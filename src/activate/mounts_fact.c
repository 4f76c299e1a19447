/* SPDX-License-Identifier: MIT */
/* What is told of one mount: by the kernel, and by hark-mount when it failed. */
#include "activate/mounts_inside.h"
#include "activate/output.h"
#include "activate/swaps.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/mountns.h"
#include "core/remember.h"

/* The newest of those at a place lies over the others. 0: there is none. */
static uint64_t newest_of(const struct mounts *w, const struct unit *u)
{
	uint64_t newest = 0;

	for (struct map_node *node = map_next(&w->seen, NULL); node;
	     node = map_next(&w->seen, node)) {
		const struct seen *s = container_of(node, struct seen, node);

		if (s->unit == u->id && s->id > newest)
			newest = s->id;
	}
	return newest;
}

static void add_escaped(struct sbuf *out, const struct mount_line *line, struct str piece)
{
	static char text[MOUNTNS_TEXT];

	if (mountinfo_text(line, piece, text, sizeof(text)))
		sbuf_add_z(out, text);
}

/* "rw" only if both say so, then the others of both. */
static void add_options(struct sbuf *out, const struct mount_line *line)
{
	struct str lists[] = {line->options, line->super_options}, word;
	struct sbuf others = {0};
	bool is_read_only = false;

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		while (str_cut(&lists[k], ',', &word)) {
			is_read_only = is_read_only || str_eq_z(word, "ro");
			if (!str_eq_z(word, "ro") && !str_eq_z(word, "rw"))
				sbuf_addf(&others, "," STR_FMT, STR_ARG(word));
		}
	sbuf_add_z(out, is_read_only ? "ro" : "rw");
	if (others.n)
		add_escaped(out, &(struct mount_line){0}, (struct str){others.p, others.n});
	sbuf_fini(&others);
}

bool mounts_fact(struct hark *h, const struct unit *u, enum mount_fact which, struct sbuf *out)
{
	_Alignas(uint64_t) static char text[MOUNTNS_TEXT], more[MOUNTNS_TEXT];
	bool is_one_by_one = h->mounts && h->mounts->events_fd >= 0;
	uint64_t id = is_one_by_one ? newest_of(h->mounts, u) : 0;
	AUTO_MEM char *table = NULL;
	struct sbuf super = {0};
	struct mount_line line;
	bool is_there = is_one_by_one ? id && mountns_stat(id, text, &line) == 0
				      : mounts_find_line(u->name, &table, &line);

	if (!is_there)
		return false;
	if (which == MOUNT_OPTIONS && is_one_by_one && mountns_super_options(id, more, &super) == 0)
		line.super_options = (struct str){super.p, super.n};
	if (which == MOUNT_OPTIONS)
		add_options(out, &line);
	else
		add_escaped(out, &line, which == MOUNT_WHAT ? line.source : line.type);
	sbuf_fini(&super);
	return !out->err;
}

bool mounts_describe(struct hark *h, const struct unit *u, struct sbuf *out)
{
	bool is_there = mounts_fact(h, u, MOUNT_WHAT, out);

	sbuf_add_z(out, " (");
	is_there = is_there && mounts_fact(h, u, MOUNT_TYPE, out);
	sbuf_add_z(out, ", ");
	is_there = is_there && mounts_fact(h, u, MOUNT_OPTIONS, out);
	sbuf_add_z(out, ")");
	return is_there;
}

/*
 * What hark-mount said last, without its name, and what a helper of it (mount.nfs, fsck) had said last before: hark-mount only knows that
 * one failed, not why. NULL: nothing. Owned by the caller.
 */
static char *last_words(struct unit *u)
{
	static const char name[] = "hark-mount: ";
	struct str own = {NULL, 0}, helper = {NULL, 0};
	struct sbuf words = {0};
	struct output_at at = {0};

	for (; output_next(u, true, &at); at.number++)
		if (str_has_prefix(at.line, str_of(name)))
			own = str_sub(at.line, strlen(name), at.line.n);
		else if (at.line.n)
			helper = at.line;
	if (own.n)
		sbuf_addf(&words, STR_FMT, STR_ARG(own));
	if (helper.n)
		sbuf_addf(&words, "%s" STR_FMT, own.n ? "; " : "", STR_ARG(helper));
	return words.n ? sbuf_take(&words) : NULL;
}

void mounts_ended(struct hark *h, struct mount_unit *m, bool is_good)
{
	if (m->unit.type == UNIT_SWAP)
		swaps_refresh(h);
	else
		mounts_refresh(h);
	output_end(h, &m->unit);
	mem_put((void *)(uintptr_t)m->fail_text);
	m->fail_text = is_good ? NULL : last_words(&m->unit);
	if (!m->fail_text)
		return;
	remember_text(h, &m->unit);
	log_at(LOG_ERROR, "%s: %s", m->unit.name, m->fail_text);
}
