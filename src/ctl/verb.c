/* SPDX-License-Identifier: MIT */
#include "ctl/verb.h"

#include "core/mem.h"

/* clang-format off */
const struct verb verbs[VERBS] = {
#define VERB(name, word, shape, access, handler, screen, help) \
	[VERB_##name] = { VERB_##name, word, help, SHAPE_##shape, ACCESS_##access },
#include "ctl/verbs.def"
};

const struct option verb_options[OPTIONS] = {
#define OPTION(name, word, letter, value, help) [OPT_##name] = { word, letter, value, help },
#include "ctl/verbs.def"
};

const struct arg_shape verb_shapes[VERB_SHAPES] = {
#define SHAPE(name, least, most, what, usage) [SHAPE_##name] = { least, most, what, usage },
	VERB_SHAPES_LIST(SHAPE)
#undef SHAPE
};

static const struct verb_alias aliases[] = {
#define ALIAS(word, name, type) { word, VERB_##name, type },
#include "ctl/verbs.def"
};

static const char *const groups[VERBS] = {
#define GROUP(name, title) [VERB_##name] = title,
#include "ctl/verbs.def"
};
/* clang-format on */

const struct verb_alias *verb_alias(unsigned at)
{
	return at < ARRAY_SIZE(aliases) ? &aliases[at] : NULL;
}

const char *verb_group(enum verb_id id)
{
	return groups[id];
}

const struct verb *verb_find(const char *word)
{
	for (unsigned i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].word, word) == 0)
			return &verbs[i];
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].word, word) == 0)
			return &verbs[aliases[i].id];
	return NULL;
}

const struct verb *verb_suggest(const char *word)
{
	const struct verb *best = NULL;
	unsigned limit = 2;

	for (unsigned i = 0; i < VERBS; i++) {
		unsigned d = str_distance(str_of(word), str_of(verbs[i].word), limit);

		if (d > limit || (best && d == limit))
			continue;
		best = &verbs[i];
		limit = d;
	}
	return best;
}

enum option_id verb_option(struct str word)
{
	unsigned i = 0;

	while (i < OPTIONS && !str_eq_z(word, verb_options[i].word))
		i++;
	return (enum option_id)i;
}

static int add_option(struct request *q, const char *text, size_t n, const char **ret_why)
{
	struct str all = {text, n};
	size_t eq = str_index(all, '=');
	enum option_id id = verb_option(str_sub(all, 0, eq));

	if (id == OPTIONS) {
		*ret_why = "there is no such option";
		return -EINVAL;
	}
	if (verb_options[id].value && eq == n) {
		*ret_why = "an option lacks its value";
		return -EINVAL;
	}
	q->options[id] = eq < n ? text + eq + 1 : "";
	return 0;
}

static bool is_number(const char *text)
{
	uint64_t value;

	return str_to_u64(str_of(text), &value) == 0;
}

static int add_field(struct request *q, uint16_t tag, const char *text, size_t n,
		     const char **ret_why)
{
	switch (tag) {
	case TAG_VERB:
		if (q->verb)
			return -EBADMSG;
		q->verb = verb_find(text);
		if (q->verb)
			return 0;
		*ret_why = "there is no such verb";
		return -EINVAL;
	case TAG_ARG:
		if (q->args_n == REQUEST_ARGS) {
			*ret_why = "too many arguments";
			return -EINVAL;
		}
		q->args[q->args_n++] = text;
		return 0;
	case TAG_OPTION:
		return add_option(q, text, n, ret_why);
	case TAG_ID:
		return str_to_u64(str_of(text), &q->id) < 0 ? -EBADMSG : 0;
	default:
		return 0; /* of a newer harkctl */
	}
}

static int check_args(const struct request *q, const char **ret_why)
{
	const struct arg_shape *shape;

	if (!q->verb)
		return -EBADMSG;
	shape = &verb_shapes[q->verb->shape];
	if (q->args_n < shape->least || q->args_n > shape->most) {
		*ret_why = "wrong number of arguments";
		return -EINVAL;
	}
	for (unsigned i = 0; shape->what == ARG_NUMBER && i < q->args_n; i++)
		if (!is_number(q->args[i])) {
			*ret_why = "an argument must be a number";
			return -EINVAL;
		}
	return 0;
}

static int decode_fields(struct wire_in *in, struct request *q, const char **ret_why)
{
	char *to = q->bytes;
	struct str value;
	uint16_t tag;

	while (wire_next(in, &tag, &value)) {
		int r;

		if (value.n && memchr(value.p, 0, value.n))
			return -EBADMSG;
		/* Each field is 8 bytes longer in the frame than here, so the NUL always fits. */
		if (value.n)
			memcpy(to, value.p, value.n);
		to[value.n] = 0;
		r = add_field(q, tag, to, value.n, ret_why);
		if (r < 0)
			return r;
		to += value.n + 1;
	}
	return check_args(q, ret_why);
}

int request_decode(struct wire_in *in, struct request *ret, const char **ret_why)
{
	struct request q = {0};
	int r;

	*ret_why = NULL;
	if (in->kind != FRAME_REQUEST)
		return -EBADMSG;
	q.bytes = mem_get(in->r.n + 1);
	if (!q.bytes)
		return err_here(-ENOMEM);
	r = decode_fields(in, &q, ret_why);
	if (r < 0) {
		request_fini(&q);
		return r;
	}
	*ret = q;
	return 0;
}

void request_fini(struct request *q)
{
	mem_put(q->bytes);
	*q = (struct request){0};
}
