/* SPDX-License-Identifier: MIT */
/*
 * verb - the language between harkctl and the manager: the table of verbs, the options, the tags, and the decoding of a request.
 *
 * A request is one frame (core/wire) of kind FRAME_REQUEST: TAG_VERB, then TAG_ARG and TAG_OPTION ("name=value") fields. The
 * answer is any number of FRAME_PAGE frames and one FRAME_END, together a list of rows. A row is TAG_ROW (its kind), then typed fields
 * whose value is "key\0" and the payload, then TAG_ROW_END. Tables, Key=Value and JSON are all made from these rows (docs/PROTOCOL.md).
 */
#pragma once

#include <limits.h>

#include "core/wire.h"

enum frame_kind { FRAME_REQUEST = 1, FRAME_PAGE, FRAME_END };

/* Numbers are API: append only. */
enum frame_tag {
	TAG_VERB = 1,
	TAG_ARG = 2,
	TAG_OPTION = 3,
	TAG_ID = 4,       /* decimal number of the request: the same when it is sent again */
	TAG_ROW = 16,     /* begins a row; its kind: "unit", "process" ... */
	TAG_ROW_END = 17, /* the row is whole; empty */
	TAG_TEXT = 18,    /* key, text */
	TAG_MORE = 19,    /* bare text, goes on from the TAG_TEXT or TAG_ITEM before */
	TAG_ITEM = 20,    /* key, text: one more item of a list; without payload: an empty list */
	TAG_NUMBER = 21,  /* key, u64 */
	TAG_BOOL = 22,    /* key, u64 0 or 1 */
	TAG_STAMP = 23,   /* key, u64: microseconds since 1970 (UTC), 0 never */
	TAG_SPAN = 24,    /* key, u64: microseconds, UINT64_MAX infinity */
	TAG_SIGNED = 25,  /* key, u64 holding a two's complement number */
	TAG_EXIT = 32,    /* in FRAME_END: u64 exit status for harkctl */
};

/* SHAPE(name, least, most arguments, what they are, usage) */
#define VERB_SHAPES_LIST(SHAPE)                                                   \
	SHAPE(NOTHING, 0, 0, ARG_WORD, "")                                        \
	SHAPE(UNIT, 1, 1, ARG_UNIT, "UNIT")                                       \
	SHAPE(UNITS, 1, REQUEST_ARGS, ARG_UNIT, "UNIT...")                        \
	SHAPE(UNITS_OPT, 0, REQUEST_ARGS, ARG_UNIT, "[UNIT...]")                  \
	SHAPE(PATTERNS, 0, REQUEST_ARGS, ARG_WORD, "[PATTERN...]")                \
	SHAPE(TEXTS, 2, REQUEST_ARGS, ARG_WORD, "UNIT TEXT [UNIT TEXT...]")       \
	SHAPE(ASSIGNMENTS, 1, REQUEST_ARGS, ARG_WORD, "NAME[=VALUE]...")          \
	SHAPE(SETTINGS, 2, REQUEST_ARGS, ARG_WORD, "UNIT NAME=VALUE...")          \
	SHAPE(PROCESSES, 2, REQUEST_ARGS, ARG_WORD, "UNIT NUMBER...")             \
	SHAPE(NUMBERS, 1, REQUEST_ARGS, ARG_NUMBER, "NUMBER...")                  \
	SHAPE(NUMBER_OPT, 0, 1, ARG_NUMBER, "[NUMBER]")                           \
	SHAPE(NAMES, 1, UINT_MAX, ARG_UNIT, "UNIT...")                            \
	SHAPE(WORDS, 0, 1, ARG_WORD, "[VERB|DIRECTIVE|CODE]")                     \
	SHAPE(SHELL, 1, 1, ARG_WORD, "SHELL")                                     \
	SHAPE(COMMAND, 1, UINT_MAX, ARG_WORD, "COMMAND [ARGUMENT...]")            \
	SHAPE(NAMED_COMMAND, 2, UINT_MAX, ARG_WORD, "NAME COMMAND [ARGUMENT...]") \
	SHAPE(FILES, 0, UINT_MAX, ARG_WORD, "[FILE...]")                          \
	SHAPE(UNIT_FILES, 1, UINT_MAX, ARG_WORD, "UNIT|FILE...")
enum verb_shape {
#define SHAPE(name, least, most, what, usage) SHAPE_##name,
	VERB_SHAPES_LIST(SHAPE)
#undef SHAPE
		VERB_SHAPES
};
enum arg_kind { ARG_WORD, ARG_UNIT, ARG_NUMBER };

enum verb_access { ACCESS_READ, ACCESS_CHANGE };

enum verb_id {
#define VERB(name, word, shape, access, handler, screen, help) VERB_##name,
#include "ctl/verbs.def"
	VERBS
};

enum option_id {
#define OPTION(name, word, letter, value, help) OPT_##name,
#include "ctl/verbs.def"
	OPTIONS
};

enum { REQUEST_ARGS = 256 };

struct verb {
	enum verb_id id;
	const char *word, *help;
	enum verb_shape shape;
	enum verb_access access;
};

struct option {
	const char *word;
	char letter;       /* 0: none */
	const char *value; /* what it takes, NULL: it is a switch */
	const char *help;
};

struct arg_shape {
	unsigned least, most;
	enum arg_kind what;
	const char *usage;
};

extern const struct verb verbs[VERBS];
extern const struct option verb_options[OPTIONS];
extern const struct arg_shape verb_shapes[VERB_SHAPES];

/* Another word for a verb. */
struct verb_alias {
	const char *word;
	enum verb_id id;
	const char *type; /* what --type is then, or NULL */
};
/* Alias number `at`, NULL at the end. */
const struct verb_alias *verb_alias(unsigned at);
/* The title of the group that begins with this verb, or NULL. */
const char *verb_group(enum verb_id id);
/* The verb of that word or alias, or NULL. */
const struct verb *verb_find(const char *word);
/* The verb whose word is most like it, or NULL. */
const struct verb *verb_suggest(const char *word);
/* The option of that word, or OPTIONS. */
enum option_id verb_option(struct str word);

/* A decoded request. Strings lie in `bytes`. */
struct request {
	const struct verb *verb;
	char *bytes; /* owned */
	const char *args[REQUEST_ARGS];
	unsigned args_n;
	const char *options[OPTIONS]; /* value, "" for a switch, NULL: not given */
	uint64_t id;                  /* 0: none */
};

/*
 * request_decode() - take a request frame apart. Trusts nothing: every string is checked for NULs, every number of arguments
 * against the verb's shape, option words against the table.
 *
 * Returns 0, -EBADMSG (not a request at all: the connection is to be closed), -EINVAL (a mistake the sender can be told: *ret_why is a static
 * sentence), -ENOMEM. On success the caller owns it (request_fini).
 */
MUST_USE int request_decode(struct wire_in *in, struct request *ret, const char **ret_why);
void request_fini(struct request *q);
