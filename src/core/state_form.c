/* SPDX-License-Identifier: MIT */
#include "core/state_form.h"

enum { STAMP_CHECK = 16, STAMP_MASK = (1 << STAMP_CHECK) - 1 };

uint64_t form_stamp(uint64_t seq)
{
	return seq << STAMP_CHECK | (form_sum(FORM_MAGIC, &seq, sizeof(seq)) & STAMP_MASK);
}

uint64_t form_seq(uint64_t stamp)
{
	uint64_t seq = stamp >> STAMP_CHECK;

	return form_stamp(seq) == stamp ? seq : 0;
}

/* --- writing a form --- */

void form_word(struct state_form *f, const char *word)
{
	size_t n = strlen(word) + 1;

	if (f->words_n + n > sizeof(f->words))
		return;
	memcpy(f->words + f->words_n, word, n);
	f->words_n += (uint32_t)n;
}

void form_list(struct state_form *f, const char *field, const char *by)
{
	form_word(f, field);
	if (!by)
		return;
	f->words[f->words_n - 1] = ' ';
	form_word(f, by);
}

/* 1 + index of that field, 0 for NULL. */
static uint8_t field_number(const struct form_row *rows, unsigned n, uint32_t first,
			    const char *name)
{
	for (unsigned i = 0; name && i < n; i++)
		if (!strcmp(rows[i].name, name))
			return (uint8_t)(first + i + 1);
	return 0;
}

void form_record(struct state_form *f, enum form_record what, uint32_t size,
		 const struct form_row *rows, unsigned n)
{
	uint32_t first = f->fields_n;

	f->words_at = offsetof(struct state_form, words);
	f->record[what].first = first;
	f->record[what].n = n;
	f->record[what].size = size;
	for (unsigned i = 0; i < n && f->fields_n < FORM_FIELDS; i++) {
		struct form_field *to = &f->field[f->fields_n++];

		memcpy(to->name, rows[i].name, strnlen(rows[i].name, FORM_NAME - 1));
		to->at = rows[i].at;
		to->size = rows[i].size;
		to->is_mask = rows[i].is_mask;
		to->by = field_number(rows, n, first, rows[i].by);
	}
}

/* --- reading another's --- */

static bool lies_within(uint64_t at, uint64_t n, uint64_t whole)
{
	return at <= whole && n <= whole - at;
}

static size_t fields_bytes(const struct state_form *f)
{
	return f->fields_n * sizeof(struct form_field);
}

uint64_t form_sum_of(const struct state_form *f, size_t n)
{
	size_t head = offsetof(struct state_form, field);
	uint64_t sum;

	if (n < head || f->fields_n > UINT8_MAX || !lies_within(head, fields_bytes(f), n) ||
	    !lies_within(f->words_at, f->words_n, n))
		return 0;
	sum = form_sum(form_sum(1, f, head), f->field, fields_bytes(f));
	return form_sum(sum, (const char *)f + f->words_at, f->words_n) | 1;
}

/* The one that selects its list stands in the same record. */
static bool is_field_sound(const struct state_form *f, enum form_record what,
			   const struct form_field *e)
{
	uint32_t by = e->by - 1U - f->record[what].first;

	return lies_within(e->at, e->size, f->record[what].size) &&
	       memchr(e->name, '\0', FORM_NAME) && (!e->by || by < f->record[what].n);
}

static bool are_fields_sound(const struct state_form *f)
{
	for (unsigned i = 0; i < FORM_RECORDS; i++) {
		if (!lies_within(f->record[i].first, f->record[i].n, f->fields_n))
			return false;
		for (uint32_t k = 0; k < f->record[i].n; k++)
			if (!is_field_sound(f, i, &f->field[f->record[i].first + k]))
				return false;
	}
	return true;
}

/* What is read as an integer in place must be aligned as one. */
static bool are_parts_aligned(const struct state_form *f)
{
	return f->body_n % 8 == 0 && f->slot_at % 8 == 0 && f->undo_at % 8 == 0 &&
	       f->ring_at % 8 == 0 && f->record[FORM_ENTRY].size % 8 == 0 &&
	       f->remarks_at % 8 == 0 && f->record[FORM_REMARK].size % 8 == 0 &&
	       f->text_at % 4 == 0 && f->text_n % 4 == 0;
}

static bool are_sizes_sound(const struct state_form *f)
{
	return f->record[FORM_UNIT].size <= f->body_n &&
	       f->record[FORM_MANAGER].size <= f->body_n && f->text_n >= sizeof(uint32_t) &&
	       f->record[FORM_TEXT].size == f->text_n;
}

static bool are_parts_within(const struct state_form *f, size_t n)
{
	uint64_t copy_n = FORM_COPY_HEAD + (uint64_t)f->body_n;

	return f->image_n == n &&
	       lies_within(f->slot_at, f->slots_n * (FORM_SLOT_HEAD + copy_n), n) &&
	       lies_within(f->undo_at, f->slots_n * (FORM_UNDO_HEAD + copy_n), n) &&
	       lies_within(f->names_at, f->names_n, n) && f->ring_at >= FORM_RING_HEAD &&
	       lies_within(f->ring_at, (uint64_t)f->ring_n * f->record[FORM_ENTRY].size, n) &&
	       lies_within(f->remarks_at, (uint64_t)f->remarks_n * f->record[FORM_REMARK].size,
			   n) &&
	       lies_within(f->text_at, (uint64_t)f->slots_n * f->text_n, n);
}

/* They end as the last list of all does. */
static bool are_words_whole(const struct state_form *f)
{
	static const char end[3];

	return f->words_n >= sizeof(end) &&
	       !memcmp((const char *)f + f->words_at + f->words_n - sizeof(end), end, sizeof(end));
}

int form_read(struct form_reading *r, const char *image, size_t n, size_t form_at,
	      const struct state_form *ours)
{
	const struct state_form *f = (const struct state_form *)(const void *)(image + form_at);

	*r = (struct form_reading){image, f, ours, (const char *)f + f->words_at};
	return are_parts_aligned(f) && are_sizes_sound(f) && are_parts_within(f, n) &&
			       are_fields_sound(f) && are_words_whole(f)
		       ? 0
		       : -EBADMSG;
}

static const struct form_field *find_field(const struct state_form *f, enum form_record what,
					   const char *name)
{
	const struct form_field *first = f->field + f->record[what].first;

	for (const struct form_field *e = first; e < first + f->record[what].n; e++)
		if (!strcmp(e->name, name))
			return e;
	return NULL;
}

static bool is_integer(uint16_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

/* The machine is little-endian or both images are its own: a value's bytes stand at one end. */
static uint64_t integer(const struct form_field *e, const void *record)
{
	const char *p = (const char *)record + e->at;
	uint8_t one = (uint8_t)*p;
	uint16_t two;
	uint32_t four;
	uint64_t eight = 0;

	switch (e->size) {
	case sizeof(one):
		return one;
	case sizeof(two):
		memcpy(&two, p, sizeof(two));
		return two;
	case sizeof(four):
		memcpy(&four, p, sizeof(four));
		return four;
	default:
		memcpy(&eight, p, sizeof(eight));
		return eight;
	}
}

static void put_integer(const struct form_field *e, void *record, uint64_t value)
{
	char *p = (char *)record + e->at;
	uint16_t two = (uint16_t)value;
	uint32_t four = (uint32_t)value;

	if (e->size == sizeof(uint8_t))
		*p = (char)value;
	else if (e->size == sizeof(two))
		memcpy(p, &two, sizeof(two));
	else if (e->size == sizeof(four))
		memcpy(p, &four, sizeof(four));
	else
		memcpy(p, &value, sizeof(value));
}

/* The first word of a list, NULL when the form has none of that name. */
static const char *find_list(const char *words, const char *field, const char *by)
{
	size_t n = strlen(field);

	for (const char *p = words; *p; p++) {
		bool is_it = !strncmp(p, field, n) &&
			     (by ? p[n] == ' ' && !strcmp(p + n + 1, by) : !p[n]);

		p += strlen(p) + 1;
		if (is_it)
			return p;
		while (*p)
			p += strlen(p) + 1;
	}
	return NULL;
}

/* The at-th word of a list, NULL when it is shorter. */
static const char *word_at(const char *list, uint64_t at)
{
	for (; *list && at; at--)
		list += strlen(list) + 1;
	return *list ? list : NULL;
}

static int number_of(const char *list, const char *word)
{
	for (int i = 0; i < FORM_LIST_MOST && *list; i++, list += strlen(list) + 1)
		if (!strcmp(list, word))
			return i;
	return -1;
}

/* Of a number in their list. -1: we have no such word. */
static int64_t our_number(const char *theirs, const char *ours, uint64_t value)
{
	const char *word = word_at(theirs, value);

	return word ? number_of(ours, word) : -1;
}

/* Bits that have no word here say what nobody here can act on. */
static int64_t our_mask(const char *theirs, const char *ours, uint64_t value)
{
	uint64_t mask = 0;

	for (unsigned bit = 0; bit < FORM_LIST_MOST; bit++) {
		int64_t our = value >> bit & 1 ? our_number(theirs, ours, bit) : -1;

		mask |= our >= 0 ? UINT64_C(1) << our : 0;
	}
	return mask <= INT64_MAX ? (int64_t)mask : 0;
}

/* The word that selects the list of field e in that record, NULL when it needs none. False: it has none. */
static bool selector(const struct form_reading *r, const struct form_field *e, const void *record,
		     const char **ret)
{
	const struct form_field *by = e->by ? &r->form->field[e->by - 1] : NULL;
	const char *list = by ? find_list(r->words, by->name, NULL) : NULL;

	*ret = list && is_integer(by->size) ? word_at(list, integer(by, record)) : NULL;
	return !by || *ret;
}

/* A number by its word; one without a list in either form is the same in both. False: not known here. */
static bool translate(const struct form_reading *r, const struct form_field *e, const void *record,
		      uint64_t *value)
{
	const char *by, *theirs, *ours;
	int64_t number;

	if (!selector(r, e, record, &by))
		return false;
	theirs = find_list(r->words, e->name, by);
	ours = find_list(r->ours->words, e->name, by);
	if (!theirs || !ours)
		return !theirs == !ours;
	number = (e->is_mask ? our_mask : our_number)(theirs, ours, *value);
	*value = (uint64_t)number;
	return number >= 0;
}

static bool take_field(const struct form_reading *r, const struct form_field *e,
		       const struct form_field *mine, const void *from, void *to)
{
	uint64_t value;

	if (!is_integer(e->size) || !is_integer(mine->size)) {
		memcpy((char *)to + mine->at, (const char *)from + e->at,
		       e->size < mine->size ? e->size : mine->size);
		return true;
	}
	value = integer(e, from);
	if (!translate(r, e, from, &value))
		return false;
	put_integer(mine, to, value);
	return integer(mine, to) == value;
}

bool form_take(const struct form_reading *r, enum form_record what, const void *from, void *to)
{
	const struct state_form *f = r->ours;
	const struct form_field *first = f->field + f->record[what].first;

	memset(to, 0, f->record[what].size);
	for (const struct form_field *mine = first; mine < first + f->record[what].n; mine++) {
		const struct form_field *e = find_field(r->form, what, mine->name);

		if (e && !take_field(r, e, mine, from, to))
			return false;
	}
	return true;
}
