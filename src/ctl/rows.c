/* SPDX-License-Identifier: MIT */
#include "ctl/rows.h"

void rows_init(struct rows *r)
{
	*r = (struct rows){0};
	r->last = &r->first;
}

void rows_fini(struct rows *r)
{
	arena_fini(&r->arena);
	rows_init(r);
}

void rows_reset(struct rows *r)
{
	rows_fini(r);
}

static void begin_row(struct rows *r, struct str kind)
{
	struct row *row = arena_get(&r->arena, sizeof(*row));

	r->open = row;
	if (row)
		row->kind = arena_dup(&r->arena, kind.p, kind.n);
	if (!row || !row->kind) {
		r->open = NULL;
		r->is_short = true;
	}
}

static struct field *new_field(struct rows *r)
{
	struct row *row = r->open;
	unsigned cap = row->cap ? 2 * row->cap : 16;
	struct field *fields;

	if (row->n < row->cap)
		return &row->fields[row->n++];
	fields = arena_get(&r->arena, cap * sizeof(*fields));
	if (!fields)
		return NULL;
	if (row->n)
		memcpy(fields, row->fields, row->n * sizeof(*fields));
	row->fields = fields;
	row->cap = cap;
	return &row->fields[row->n++];
}

/* "key\0payload" */
static void add_field(struct rows *r, enum frame_tag tag, struct str value)
{
	size_t key_n = str_index(value, '\0');
	char *copy = arena_dup(&r->arena, value.p, value.n);
	struct field *f = copy && key_n < value.n ? new_field(r) : NULL;

	if (!f) {
		r->is_short = true;
		return;
	}
	f->key = copy;
	f->tag = tag;
	f->text = (struct str){copy + key_n + 1, value.n - key_n - 1};
	f->value = tag == TAG_TEXT || tag == TAG_ITEM ? 0 : wire_u64(f->text);
}

/* The text of the field before goes on. */
static void add_more(struct rows *r, struct str value)
{
	struct field *f = r->open->n ? &r->open->fields[r->open->n - 1] : NULL;
	char *all;

	if (!f || (f->tag != TAG_TEXT && f->tag != TAG_ITEM))
		return;
	all = arena_get(&r->arena, f->text.n + value.n + 1);
	if (!all) {
		r->is_short = true;
		return;
	}
	memcpy(all, f->text.p, f->text.n);
	memcpy(all + f->text.n, value.p, value.n);
	f->text = (struct str){all, f->text.n + value.n};
}

static const struct row *end_row(struct rows *r)
{
	struct row *row = r->open;

	*r->last = row;
	r->last = &row->next;
	r->open = NULL;
	return row;
}

const struct row *rows_add(struct rows *r, uint16_t tag, struct str value)
{
	if (tag == TAG_ROW) {
		begin_row(r, value);
		return NULL;
	}
	if (!r->open)
		return NULL;
	if (tag == TAG_ROW_END)
		return end_row(r);
	if (tag == TAG_MORE)
		add_more(r, value);
	else if (tag >= TAG_TEXT && tag <= TAG_SIGNED)
		add_field(r, (enum frame_tag)tag, value);
	return NULL;
}

void rows_begin(struct rows *r, const char *kind)
{
	begin_row(r, str_of(kind));
}

/* A field of the open row, yet without a value. */
static struct field *put_field(struct rows *r, enum frame_tag tag, const char *key)
{
	struct field *f = r->open ? new_field(r) : NULL;

	if (f)
		*f = (struct field){.key = key, .tag = tag};
	else
		r->is_short = true;
	return f;
}

void rows_text(struct rows *r, const char *key, const char *text)
{
	char *copy = arena_dup(&r->arena, text, strlen(text));
	struct field *f = copy ? put_field(r, TAG_TEXT, key) : NULL;

	if (f)
		f->text = str_of(copy);
	else
		r->is_short = true;
}

void rows_number(struct rows *r, const char *key, uint64_t value)
{
	struct field *f = put_field(r, TAG_NUMBER, key);

	if (f)
		f->value = value;
}

void rows_end(struct rows *r)
{
	if (r->open)
		end_row(r);
}

const struct field *row_field(const struct row *row, const char *key)
{
	for (unsigned i = 0; i < row->n; i++)
		if (strcmp(row->fields[i].key, key) == 0)
			return &row->fields[i];
	return NULL;
}

struct str row_text(const struct row *row, const char *key)
{
	const struct field *f = row_field(row, key);

	return f && (f->tag == TAG_TEXT || f->tag == TAG_ITEM) ? f->text : STR("");
}

uint64_t row_value(const struct row *row, const char *key)
{
	const struct field *f = row_field(row, key);

	return f ? f->value : 0;
}

bool row_is(const struct row *row, const char *kind)
{
	return strcmp(row->kind, kind) == 0;
}

bool row_item(const struct row *row, const char *key, unsigned *at, struct str *ret_text)
{
	while (*at < row->n) {
		const struct field *f = &row->fields[(*at)++];

		if (f->tag == TAG_ITEM && strcmp(f->key, key) == 0) {
			*ret_text = f->text;
			return true;
		}
	}
	return false;
}

void rows_copy(struct rows *r, const struct row *row)
{
	begin_row(r, str_of(row->kind));
	for (unsigned i = 0; r->open && i < row->n; i++) {
		const struct field *from = &row->fields[i];
		const char *key = arena_dup(&r->arena, from->key, strlen(from->key));
		const char *text = arena_dup(&r->arena, from->text.p, from->text.n);
		struct field *f = key && text ? put_field(r, from->tag, key) : NULL;

		if (!f)
			continue;
		f->text = (struct str){text, from->text.n};
		f->value = from->value;
	}
	if (r->open)
		end_row(r);
}
