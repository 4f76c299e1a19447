/* SPDX-License-Identifier: MIT */
/*
 * Lays a state image out as a newer hark would: `relay FILE`. Its units have one field more, in front of all others, services have
 * one more state, and everything lies elsewhere. For tests that let a manager take over from another version.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/state.h"

enum { MORE = 8 };
#define FIRST_LIST "state service"

/* Where that list begins, behind its name. */
static size_t find_list(const struct state_form *f)
{
	size_t at = 0;

	while (strcmp(f->words + at, FIRST_LIST) != 0)
		at += strlen(f->words + at) + 1;
	return at + sizeof(FIRST_LIST);
}

static void make_form(struct state_form *f, const struct state_form *ours)
{
	static const char word[] = "resting";
	size_t at = find_list(ours);

	*f = *ours;
	f->record[FORM_UNIT].size += MORE;
	for (uint32_t i = 0; i < f->record[FORM_UNIT].n; i++)
		f->field[i].at += MORE;
	memcpy(f->words + at, word, sizeof(word));
	memcpy(f->words + at + sizeof(word), ours->words + at, ours->words_n - at);
	f->words_n += sizeof(word);
	f->body_n += MORE;
	f->slots_n /= 2;
	f->text_at = f->slot_at;
	f->ring_at = f->text_at + f->slots_n * f->text_n + 64;
	f->remarks_at = f->ring_at + f->ring_n * f->record[FORM_ENTRY].size;
	f->names_at = f->ring_at - FORM_RING_HEAD + (uint32_t)sizeof(struct ledger);
	f->slot_at = f->names_at + f->names_n;
	f->undo_at = f->slot_at + f->slots_n * (FORM_SLOT_HEAD + FORM_COPY_HEAD + f->body_n);
}

/* A copy with its sum, one that was never written as it is. */
static void put_copy(char *copy, const struct state_form *f, const struct form_reading *r,
		     const char *name, const struct state_copy *from)
{
	char *body = copy + FORM_COPY_HEAD;
	uint32_t sum;

	if (!from->stamp)
		return;
	if (!form_take(r, strchr(name, '.') ? FORM_UNIT : FORM_MANAGER, &from->u, body))
		exit(3);
	sum = (uint32_t)form_sum(form_sum(from->stamp, name, strlen(name)), body, f->body_n);
	memcpy(copy, from, FORM_COPY_HEAD);
	memcpy(copy + sizeof(from->stamp), &sum, sizeof(sum));
}

static void put_slot(char *to, const struct state_form *f, const struct state_image *from,
		     const struct form_reading *r, uint32_t slot)
{
	const struct state_slot *s = &from->slot[slot];
	char *at = to + f->slot_at + slot * (FORM_SLOT_HEAD + FORM_COPY_HEAD + f->body_n);

	memcpy(at, s, FORM_SLOT_HEAD);
	if (s->name)
		put_copy(at + FORM_SLOT_HEAD, f, r, from->names + s->name, &s->copy);
}

/* What the manager that was stopped had overwritten and not committed. */
static void put_undo(char *to, const struct state_form *f, const struct state_image *from,
		     const struct form_reading *r, uint32_t i)
{
	const struct state_undo *u = &from->undo[i];
	char *at = to + f->undo_at + i * (FORM_UNDO_HEAD + FORM_COPY_HEAD + f->body_n);

	memcpy(at, u, FORM_UNDO_HEAD);
	put_copy(at + FORM_UNDO_HEAD, f, r, from->names + from->slot[u->slot - 1].name, &u->copy);
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
	struct state_image *to = mmap(NULL, sizeof(*to), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct state_image *from = malloc(sizeof(*from));
	struct state_form *f = calloc(1, sizeof(*f));
	struct form_reading r;

	if (fd < 0 || to == MAP_FAILED || !from || !f)
		return 1;
	memcpy(from, to, sizeof(*from));
	make_form(f, &from->form);
	if (form_read(&r, (const char *)from, sizeof(*from), offsetof(struct state_image, form),
		      f) < 0)
		return 2;
	memset((char *)to + from->form.slot_at, 0, sizeof(*to) - from->form.slot_at);
	to->form = *f;
	to->form_sum = form_sum_of(f, sizeof(*f));
	for (uint32_t slot = 0; slot < from->slots_n; slot++)
		put_slot((char *)to, f, from, &r, slot);
	for (uint32_t i = 0; i < f->slots_n && from->undo[i].stamp > from->committed; i++)
		put_undo((char *)to, f, from, &r, i);
	memcpy((char *)to + f->names_at, from->names, f->names_n);
	memcpy((char *)to + f->ring_at - FORM_RING_HEAD, &from->ledger, sizeof(from->ledger));
	memcpy((char *)to + f->text_at, from->text, (size_t)f->slots_n * f->text_n);
	printf("units=%u fields=%u\n", from->slots_n, f->fields_n);
	return 0;
}
