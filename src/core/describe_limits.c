/* SPDX-License-Identifier: MIT */
#include "core/describe_inner.h"

#include <linux/capability.h>
#include <sys/prctl.h>

#include "core/log.h"
#include "units/sandbox.h"

/* --- limits and scheduling --- */

static bool may_raise_limits(const struct hark *h)
{
	return !h->is_user && prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1;
}

static void put_limit(struct making *m, const struct limit *l)
{
	uint64_t soft = l->soft, hard = l->hard;
	struct rlimit own;

	if (getrlimit((__rlimit_resource_t)l->resource, &own) == 0 && hard > own.rlim_max &&
	    !may_raise_limits(m->h)) {
		log_at(LOG_NOTE,
		       "%s: resource limit %d is lowered from %llu to %llu: raising it is not ours to do",
		       m->in->unit->name, l->resource, (unsigned long long)hard,
		       (unsigned long long)own.rlim_max);
		m->in->unit->status_note =
			"a resource limit is lower than its unit file says: raising it is not allowed here";
		hard = own.rlim_max;
		soft = soft < hard ? soft : hard;
	}
	describe_step(m, PLAN_RLIMIT, (uint64_t)l->resource, soft, hard, NULL);
}

void describe_scheduling(struct making *m)
{
	const struct exec_config *e = m->exec;
	const struct sandbox *s = sandbox_of(m->in->unit->config);

	plan_put_u64(m->plan, PLAN_UMASK, e->umask);
	if (e->has_oom)
		plan_put_u64(m->plan, PLAN_OOM, (uint64_t)(e->oom_score_adjust + 1000));
	if (e->has_nice)
		plan_put_u64(m->plan, PLAN_NICE, (uint64_t)(e->nice + 20));
	for (const struct limit *l = e->limits; l; l = l->next)
		put_limit(m, l);
	if (e->has_sched)
		describe_step(m, PLAN_SCHED, (uint64_t)e->sched_policy, (uint64_t)e->sched_priority,
			      e->sched_reset_on_fork, NULL);
	if (e->has_affinity)
		plan_put_str(m->plan, PLAN_AFFINITY, (struct str){e->affinity, e->affinity_n});
	if (s->has_coredump_filter)
		plan_put_u64(m->plan, PLAN_COREDUMP, s->coredump_filter);
	if (s->has_numa_policy) {
		uint64_t mode = s->numa_policy;

		plan_put(m->plan, PLAN_MEMORY_POLICY, &mode, 1,
			 (struct str){s->numa_nodes.mask, s->numa_nodes.n});
	}
	if (e->has_ioprio)
		plan_put_u64(m->plan, PLAN_IOPRIO, (uint64_t)e->ioprio);
	if (e->has_timer_slack)
		plan_put_u64(m->plan, PLAN_TIMERSLACK, e->timer_slack_ns);
	if (e->personality != UINT64_MAX)
		plan_put_u64(m->plan, PLAN_PERSONALITY, e->personality);
}
