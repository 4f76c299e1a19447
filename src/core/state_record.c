/* SPDX-License-Identifier: MIT */
#include "core/state_record.h"

#include <assert.h>

#include "core/job.h"
#include "units/automount.h"
#include "units/device_unit.h"
#include "units/mount_unit.h"
#include "units/passive.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

/* F(field), B(field, whose word selects its list), M(mask) */
/* clang-format off */
#define UNIT_FIELDS(F, B, M) \
	F(main_token) F(control_token) F(state_us) F(active_enter_us) F(active_exit_us) F(inactive_enter_us) \
	F(inactive_exit_us) F(timer_us) F(watchdog_us) F(watchdog_every) F(why_entry) F(job_entry) F(job_begin_us) \
	F(limit_begin_us) F(trigger_begin_us) F(last_us) F(last_wall_us) F(invocation) M(fx) F(job) F(limit_count) \
	F(trigger_count) F(n_activations) F(n_restarts) F(n_accepted) F(socket_unit) F(next_main) F(exit_status) F(request) \
	F(main_slot) F(control_slot) F(notify_slot) F(out_slot) F(conn_slot) M(flags) B(state, type) F(type) \
	B(result, type) B(reload_result, type) F(job_type) F(job_cause) F(command_at) F(main_at) F(last_job_result) \
	F(exit_code)
#define MANAGER_FIELDS(F, B, M) F(did_boot) F(is_ending) F(final_command) F(exit_code) F(ready_us) \
	F(no_watchdogs) F(log_level_set) F(log_target) F(looked_us)
#define ENTRY_FIELDS(F, B, M) \
	F(seq) F(parent) F(wall_us) F(unit) F(from) F(uid) F(pid) F(kind) F(cause) B(a, kind) B(b, kind) F(text)
#define REMARK_FIELDS(F, B, M) F(seq) F(text)
#define TEXT_FIELDS(F, B, M) F(status_errno) F(remote) F(status)
/* clang-format on */

#define ROW(field, by_name, mask)                                                              \
	{#field, by_name, offsetof(struct RECORD, field), sizeof(((struct RECORD *)0)->field), \
	 mask},
#define ROW_F(field) ROW(field, NULL, false)
#define ROW_B(field, by) ROW(field, #by, false)
#define ROW_M(field) ROW(field, NULL, true)
#define SIZE_F(field) +sizeof(((struct RECORD *)0)->field)
#define SIZE_B(field, by) SIZE_F(field)
/* No field may be forgotten: what is missing is less than what the compiler pads at the end. */
#define ALL_OF(FIELDS, but)                                                             \
	static_assert(sizeof(struct RECORD) - (but FIELDS(SIZE_F, SIZE_B, SIZE_F)) < 8, \
		      "a field has no row")

#define RECORD state_unit
static const struct form_row unit_rows[] = {UNIT_FIELDS(ROW_F, ROW_B, ROW_M)};
ALL_OF(UNIT_FIELDS, 0);
#undef RECORD
#define RECORD state_manager
static const struct form_row manager_rows[] = {MANAGER_FIELDS(ROW_F, ROW_B, ROW_M)};
ALL_OF(MANAGER_FIELDS, 0);
#undef RECORD
#define RECORD ledger_entry
static const struct form_row entry_rows[] = {ENTRY_FIELDS(ROW_F, ROW_B, ROW_M)};
ALL_OF(ENTRY_FIELDS, 0);
#undef RECORD
#define RECORD ledger_text
static const struct form_row remark_rows[] = {REMARK_FIELDS(ROW_F, ROW_B, ROW_M)};
ALL_OF(REMARK_FIELDS, 0);
#undef RECORD
#define RECORD state_text
static const struct form_row text_rows[] = {TEXT_FIELDS(ROW_F, ROW_B, ROW_M)};
ALL_OF(TEXT_FIELDS, sizeof(uint32_t)); /* its sum */
#undef RECORD

static const struct {
	const struct form_row *rows;
	unsigned n;
	uint32_t size;
} records[FORM_RECORDS] = {
	[FORM_UNIT] = {unit_rows, ARRAY_SIZE(unit_rows), sizeof(struct state_unit)},
	[FORM_MANAGER] = {manager_rows, ARRAY_SIZE(manager_rows), sizeof(struct state_manager)},
	[FORM_ENTRY] = {entry_rows, ARRAY_SIZE(entry_rows), sizeof(struct ledger_entry)},
	[FORM_REMARK] = {remark_rows, ARRAY_SIZE(remark_rows), sizeof(struct ledger_text)},
	[FORM_TEXT] = {text_rows, ARRAY_SIZE(text_rows), sizeof(struct state_text)},
};
static_assert(ARRAY_SIZE(unit_rows) + ARRAY_SIZE(manager_rows) + ARRAY_SIZE(entry_rows) +
			      ARRAY_SIZE(remark_rows) + ARRAY_SIZE(text_rows) <=
		      FORM_FIELDS,
	      "more fields than a form has room for");

static const char *const flag_names[] = {
#define FLAG(name, bit) [bit] = #name,
	STATE_FLAGS(FLAG)
#undef FLAG
};

static const struct {
	const char *field, *by;
	const char *const *words;
	unsigned n;
} lists[] = {
	{"type", NULL, unit_type_names, UNIT_TYPES},
	{"fx", NULL, effect_names, EFFECT_BITS},
	{"flags", NULL, flag_names, ARRAY_SIZE(flag_names)},
	{"result", "service", service_result_names, SERVICE_RESULTS},
	{"reload_result", "service", service_result_names, SERVICE_RESULTS},
	{"result", "socket", socket_result_names, SOCKET_RESULTS},
	{"result", "automount", automount_result_names, AUTOMOUNT_RESULTS},
	{"job_type", NULL, job_type_names, JOB_TYPES},
	{"job_cause", NULL, cause_names, CAUSE_KINDS},
	{"last_job_result", NULL, job_result_names, JOB_RESULTS},
	{"kind", NULL, ledger_kind_names, LEDGER_KINDS},
	{"cause", NULL, cause_names, CAUSE_KINDS},
	{"a", "job", job_type_names, JOB_TYPES},
	{"b", "job", job_mode_names, JOB_MODES},
	{"a", "job-done", job_type_names, JOB_TYPES},
	{"b", "job-done", job_result_names, JOB_RESULTS},
	{"a", "state", coarse_names, COARSES},
	{"b", "state", coarse_names, COARSES},
};

/* The machines whose states are remembered. */
static const struct unit_type_ops *const machines[] = {
	&service_ops, &socket_ops, &target_ops, &slice_ops,     &mount_ops,
	&timer_ops,   &device_ops, &scope_ops,  &automount_ops, &busname_ops,
};

static void make_lists(struct state_form *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		form_list(f, lists[i].field, lists[i].by);
		for (unsigned k = 0; k < lists[i].n; k++)
			form_word(f, lists[i].words[k]);
		form_word(f, "");
	}
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		const struct fsm *m = machines[i]->fsm;

		form_list(f, "state", unit_type_names[machines[i]->type]);
		for (unsigned k = 0; k < m->states_n; k++)
			form_word(f, m->states[k].name);
		form_word(f, "");
	}
	/* No list of any field: but who has other rooms for names takes the table for one of another form, and copies them. */
	static_assert(STATE_ROOM == 32, "the word below");
	form_list(f, "room", NULL);
	form_word(f, "32");
	form_word(f, "");
	form_word(f, "");
}

void state_record_form(struct state_form *f)
{
	for (unsigned i = 0; i < FORM_RECORDS; i++)
		form_record(f, (enum form_record)i, records[i].size, records[i].rows, records[i].n);
	make_lists(f);
}
