/* SPDX-License-Identifier: MIT */
#include "activate/fstab_options.h"

#include "core/mountinfo.h"
#include "units/value.h"

enum { VALUE_MOST = 4096 };

static const char *const words[FSTAB_OPTIONS_N] = {
#define OPTION(name, word) [FSTAB_##name] = word,
	FSTAB_VALUES_LIST(OPTION) FSTAB_FLAGS_LIST(OPTION)
#undef OPTION
};

/* Cut the next option off; a comma between quotes is part of it. */
static bool next_option(struct str *rest, struct str *ret)
{
	bool is_quoted = false;
	size_t n = 0;

	if (!rest->n)
		return false;
	for (; n < rest->n && (is_quoted || rest->p[n] != ','); n++)
		is_quoted ^= rest->p[n] == '"';
	*ret = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n + (n < rest->n), rest->n);
	return true;
}

/* What stands behind "x-systemd." or "comment=systemd.", or p NULL. */
static struct str own_word(struct str option)
{
	static const char *const prefixes[] = {"x-systemd.", "comment=systemd."};

	for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++)
		if (str_has_prefix(option, str_of(prefixes[k])))
			return str_sub(option, strlen(prefixes[k]), option.n);
	return (struct str){NULL, 0};
}

/* Without escapes, in the arena; NULL: no memory, or it is too long. */
static char *unescape(struct fstab *f, struct str value)
{
	char text[VALUE_MOST];

	return mountinfo_unescape(value, text, sizeof(text))
		       ? arena_dup(&f->arena, text, strlen(text))
		       : NULL;
}

static char *value_of(struct fstab *f, struct str value)
{
	bool is_quoted = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';

	return unescape(f, is_quoted ? str_sub(value, 1, value.n - 1) : value);
}

/* Is a time span what has to be one? */
static bool check_value(struct fstab *f, const struct fstab_line *line, enum fstab_option option,
			struct str value, const char *text)
{
	bool is_span = option == FSTAB_IDLE_TIMEOUT || option == FSTAB_MOUNT_TIMEOUT ||
		       option == FSTAB_DEVICE_TIMEOUT;
	uint64_t us;

	if (is_span && value_span(str_of(text), US_PER_SEC, &us) < 0) {
		fstab_tell(f, line, value, DIAG_ERROR,
			   "%s is no time span (30, 5min, infinity); the option is ignored", text);
		return false;
	}
	return true;
}

/* 0 or -ENOMEM */
static int take_value(struct fstab *f, const struct fstab_line *line, struct str piece,
		      enum fstab_option option, struct fstab_value ***end)
{
	size_t at = str_index(piece, '=') + 1;
	struct str value = str_sub(piece, at, piece.n);
	struct fstab_value *v;
	const char *text;

	if (str_has_prefix(piece, STR("comment="))) { /* "comment=systemd.idle-timeout=60" */
		at += str_index(value, '=') + 1;
		value = str_sub(piece, at, piece.n);
	}
	if (at > piece.n || !value.n) {
		fstab_tell(f, line, piece, DIAG_ERROR, "x-systemd.%s needs a value; it is ignored",
			   words[option]);
		return 0;
	}
	text = value_of(f, value);
	v = arena_get(&f->arena, sizeof(*v));
	if (!text || !v)
		return err_here(-ENOMEM);
	if (!check_value(f, line, option, value, text))
		return 0;
	*v = (struct fstab_value){.option = option, .text = text, .piece = value};
	**end = v;
	*end = &v->next;
	return 0;
}

static void tell_unknown(struct fstab *f, const struct fstab_line *line, struct str piece,
			 struct str word)
{
	const char *meant =
		value_suggest(str_sub(word, 0, str_index(word, '=')), words, FSTAB_OPTIONS_N);

	if (meant)
		fstab_tell(f, line, piece, DIAG_WARNING,
			   "this option says nothing to hark; is x-systemd.%s meant?", meant);
	else
		fstab_tell(f, line, piece, DIAG_WARNING, "this option says nothing to hark");
}

/* An option for the manager. True: nobody else needs to see it. */
static bool take_own(struct fstab *f, const struct fstab_line *line, struct str piece,
		     struct fstab_options *o, struct fstab_value ***end, int *err)
{
	struct str word = own_word(piece), name = str_sub(word, 0, str_index(word, '='));
	unsigned option;

	if (value_enum(name, words, FSTAB_OPTIONS_N, &option) < 0) {
		tell_unknown(f, line, piece, word);
		return false;
	}
	o->has[option] = true;
	if (option < FSTAB_VALUES)
		*err = take_value(f, line, piece, (enum fstab_option)option, end);
	return option == FSTAB_DEVICE_TIMEOUT;
}

/* The last of two that contradict each other counts. */
static void take_common(struct str piece, struct fstab_options *o)
{
	const struct {
		const char *yes, *no;
		bool *is;
	} pairs[] = {{"noauto", "auto", &o->is_noauto},
		     {"nofail", "fail", &o->is_nofail},
		     {"bg", "fg", &o->is_background}};

	for (size_t k = 0; k < ARRAY_SIZE(pairs); k++)
		if (str_eq_z(piece, pairs[k].yes) || str_eq_z(piece, pairs[k].no))
			*pairs[k].is = str_eq_z(piece, pairs[k].yes);
}

int fstab_options(struct fstab *f, const struct fstab_line *line, struct fstab_options *ret)
{
	struct str rest = line->field[FSTAB_OPTIONS], piece;
	struct fstab_value **end = &ret->values;
	struct sbuf kept = {0};
	int err = 0;

	*ret = (struct fstab_options){.rest = ""};
	while (err == 0 && next_option(&rest, &piece)) {
		if (own_word(piece).p && take_own(f, line, piece, ret, &end, &err))
			continue;
		take_common(piece, ret);
		if (kept.n)
			sbuf_add_c(&kept, ',');
		sbuf_add(&kept, piece);
	}
	if (err == 0)
		err = kept.err;
	if (err == 0 && kept.n && strcmp(kept.p, "defaults") != 0)
		ret->rest = unescape(f, (struct str){kept.p, kept.n});
	sbuf_fini(&kept);
	return err == 0 && !ret->rest ? err_here(-ENOMEM) : err;
}
