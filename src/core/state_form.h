/* SPDX-License-Identifier: MIT */
/*
 * state_form - what a state image says of its own layout, so that an older or a newer hark can read it.
 *
 * A form names where the parts of an image lie, each field of its records with place and size, and the words behind numbers whose
 * meaning is the order of a list in the source (states, types, results, effects ...). Who finds a form that is not its own takes each
 * field that it knows by its name and each such number by its word; what it does not know it leaves, what is not there is zero.
 *
 * What every form agrees on: the head of an image up to the form (struct state_image), a slot {name, generation, copy}, a copy
 * {stamp, sum, whether it is the first, body}, what is to be undone {stamp, slot, sum, copy}, a text {sum, body}, and the sums. All integers are those of the machine; one that is signed keeps its size.
 */
#pragma once

#include "core/str.h"

enum {
	FORM_MAGIC = 0x6b726168, /* the first word of an image */
	FORM_NAME = 24,
	FORM_FIELDS = 80,   /* most of ours */
	FORM_WORDS = 4096,  /* bytes of our lists of words */
	FORM_LIST_MOST = 64 /* words of a list that is read */
};

enum form_record { FORM_UNIT, FORM_MANAGER, FORM_ENTRY, FORM_REMARK, FORM_TEXT, FORM_RECORDS };

struct form_field {
	char name[FORM_NAME]; /* NUL-terminated */
	uint32_t at;          /* in the record */
	uint16_t size;        /* bytes: 1, 2, 4 or 8 of an integer, else a string of bytes */
	uint8_t by;           /* 0, or 1 + index of the field whose word selects the list */
	uint8_t is_mask;      /* its bits, not its value, are numbers of words */
};

/* All offsets are in bytes from the start of the image, but for words_at: from the start of the form. */
struct state_form {
	uint32_t image_n;
	uint32_t slot_at, slots_n, body_n;
	uint32_t names_at, names_n;
	uint32_t ring_at, ring_n;       /* of the ledger, whose next number stands before it */
	uint32_t remarks_at, remarks_n; /* the texts of its entries */
	uint32_t undo_at;               /* slots_n of them */
	uint32_t text_at, text_n;       /* text_n: of one, its sum included */
	uint32_t fields_n, words_at, words_n;
	struct {
		uint32_t first, n; /* fields */
		uint32_t size;
	} record[FORM_RECORDS];
	struct form_field field[FORM_FIELDS];
	/* Lists: "field" or "field word" (see by), the words, each with its NUL; an empty word ends a list. */
	char words[FORM_WORDS];
};
/* Bytes before the ring, before the copy of a slot, before that to be undone, before the body of a copy. */
enum { FORM_RING_HEAD = 16, FORM_SLOT_HEAD = 8, FORM_UNDO_HEAD = 16, FORM_COPY_HEAD = 16 };

/* An image of another form, while it is read. */
struct form_reading {
	const char *image;
	const struct state_form *form, *ours;
	const char *words;
};

/*
 * form_sum() - the sum that proves a piece of the table whole.
 */
static inline uint64_t form_sum(uint64_t sum, const void *bytes, size_t n)
{
	return str_mix(sum, bytes, n);
}
/* A transaction's number with 16 bits that check it: one word, so that it is stored whole. form_seq(): the number, 0 when the word is not one. */
uint64_t form_stamp(uint64_t seq);
uint64_t form_seq(uint64_t stamp);
/* One field of a record as the source has it. by: name of the field whose word selects its list, or NULL. */
struct form_row {
	const char *name, *by;
	uint16_t at, size;
	bool is_mask;
};
/*
 * Ours, into a zeroed form: each record once, then the lists: form_list(), its words, "" at the end of it and once more at the
 * end of all. What has no room is left away. The places of an image's parts are the caller's to fill in.
 */
void form_record(struct state_form *f, enum form_record what, uint32_t size,
		 const struct form_row *rows, unsigned n);
void form_list(struct state_form *f, const char *field, const char *by);
void form_word(struct state_form *f, const char *word);
/* Of a form in an image: over its fixed part, its fields and its words; 0 when it does not lie within n bytes. */
uint64_t form_sum_of(const struct state_form *f, size_t n);
/*
 * form_read() - begin to read an image of n bytes whose form begins at form_at and had the right sum.
 *
 * Returns 0, or -EBADMSG when any part that it names does not lie within the image. ours and the image stay where they are.
 */
MUST_USE int form_read(struct form_reading *r, const char *image, size_t n, size_t form_at,
		       const struct state_form *ours);
/* Copies one record. False: a word or value is unknown here, so that nothing of the record may be believed. */
MUST_USE bool form_take(const struct form_reading *r, enum form_record what, const void *from,
			void *to);
