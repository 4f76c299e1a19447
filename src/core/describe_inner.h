/* SPDX-License-Identifier: MIT */
/*
 * describe_inner - a plan in the making, for the files that describe() is made of: each writes its steps and settles its part of the
 * environment. Failures leave their words in the excuse.
 */
#pragma once

#include "core/describe.h"
#include "core/describe_env.h"
#include "core/describe_user.h"
#include "core/plan.h"

struct making {
	struct hark *h;
	const struct describe_in *in;
	const struct exec_config *exec;
	struct wbuf *plan;
	int32_t *refs;
	struct arena arena;
	struct env env;
	struct identity who;
	bool is_privileged; /* '+': no identity, no restriction */
	struct excuse excuse;
};

/* One step with its words (as many as it has) and its text, NULL: none. */
void describe_step(struct making *m, enum plan_step s, uint64_t w0, uint64_t w1, uint64_t w2,
		   const char *text);
/* Standard input, output and error. 0 or -errno. */
MUST_USE int describe_stdio(struct making *m);
/* The descriptors that are passed, and what the process is told of them. 0, -E2BIG. */
MUST_USE int describe_listen_fds(struct making *m, struct process *out);
/* The same in the environment. */
void describe_listen_env(struct making *m);
/* Limits, scheduling, masks. */
void describe_scheduling(struct making *m);
/* Links to directories of the unit (StateDirectory=NAME:LINK); above: "" or its root. */
void describe_links(struct making *m, const char *above);
/* LoadCredential= and SetCredential=. 0 or -errno. */
MUST_USE int describe_credentials(struct making *m);
/* RuntimeDirectory= and its like. 0 or -errno. */
MUST_USE int describe_directories(struct making *m);
