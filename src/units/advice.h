/* SPDX-License-Identifier: MIT */
/*
 * advice - what to write in place of a value that cannot be used, for the slips that people make: "1GB", a percentage without %, a path
 * without /, cron's times, a shell's words. Pure.
 */
#pragma once

#include "core/str.h"
#include "units/codes.h"

enum { ADVICE_ROOM = 160 };

/*
 * advice_for() - a suggestion about a part of a line.
 *
 * @code: what is wrong with it
 * @key: the directive's name
 * @bad: the part; the whole line where it is no assignment
 * @room: ADVICE_ROOM bytes, for the answer
 *
 * Returns room or a static text, NULL: there is nothing to suggest.
 */
const char *advice_for(enum code code, struct str key, struct str bad, char *room);
/* The same of a program that is not there: what only a shell knows, or systemd has a directive for. */
const char *advice_program(const char *name);
