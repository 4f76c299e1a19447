/* SPDX-License-Identifier: MIT */
/* `crashes`: the records of core/crash, newest first, each with what the ledger said before. */
#include "ctl/serve.h"

#include <stdio.h>

#include "units/value.h"

static void put_how(struct call *c, const struct crash *crash)
{
	const char *name = value_signal_name(crash->status);

	switch ((enum crash_kind)crash->kind) {
	case CRASH_FAULT:
		if (crash->sender)
			reply_textf(&c->reply, "how", "%s, sent by process %d", name,
				    crash->sender);
		else if (crash->image_n)
			reply_textf(&c->reply, "how", "%s at address %#llx", name,
				    (unsigned long long)crash->address);
		else
			reply_text_z(&c->reply, "how", name);
		return;
	case CRASH_HANG:
		reply_textf(&c->reply, "how", "did not answer PID 1, which sent %s", name);
		return;
	case CRASH_KILLED:
		reply_textf(&c->reply, "how", "killed from outside by %s", name);
		return;
	case CRASH_EXIT:
		reply_textf(&c->reply, "how", "ended itself with exit status %d", crash->status);
		return;
	case CRASH_NONE:
	case CRASH_KINDS:
		return;
	}
}

static void put_build(struct call *c, const struct crash *crash)
{
	char text[2 * CRASH_BUILD + 1] = "";

	for (uint32_t i = 0; i < crash->build_n; i++)
		snprintf(text + 2 * i, 3, "%02x", crash->build[i]);
	reply_text_z(&c->reply, "build", crash->build_n ? text : NULL);
}

/* "harkd+0x1f2e3": what addr2line -e harkd takes; without the name: an address outside of harkd. */
static void put_frames(struct call *c, const struct crash *crash)
{
	for (uint32_t i = 0; i < crash->frames_n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s%#llx",
			 crash->frames[i] < crash->image_n ? "harkd+" : "",
			 (unsigned long long)crash->frames[i]);
		reply_item(&c->reply, "at", text);
	}
}

int serve_crashes(struct call *c)
{
	struct crash crash;

	if (!crash_get(&c->h->crashes, (unsigned)c->at++, &crash))
		return CALL_DONE;
	reply_row(&c->reply, "crash");
	reply_value(&c->reply, TAG_NUMBER, "crash", crash.number);
	reply_text_z(&c->reply, "crash_kind", crash_kind_names[crash.kind]);
	reply_value(&c->reply, TAG_STAMP, "time", crash.wall_us);
	reply_value(&c->reply, TAG_NUMBER, "life", crash.generation);
	reply_value(&c->reply, TAG_NUMBER, "times", crash.times);
	if (crash.lived_us)
		reply_value(&c->reply, TAG_SPAN, "lived", crash.lived_us);
	put_how(c, &crash);
	reply_value(&c->reply, TAG_NUMBER, "status", (uint64_t)crash.status);
	put_frames(c, &crash);
	if (crash.is_scanned)
		reply_value(&c->reply, TAG_BOOL, "scanned", 1);
	put_build(c, &crash);
	reply_row_end(&c->reply);
	for (uint32_t i = 0; i < crash.entries_n; i++)
		serve_entry(c, &crash.entries[i].entry, crash.entries[i].unit,
			    crash.entries[i].text, crash.number);
	return CALL_MORE;
}
