/* SPDX-License-Identifier: MIT */
/*
 * harkd: the composition. The only file that knows every unit type and activator.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "activate/autofs.h"
#include "activate/devices.h"
#include "activate/journal.h"
#include "activate/listener.h"
#include "activate/mounts.h"
#include "activate/nodes.h"
#include "activate/paths.h"
#include "activate/scope.h"
#include "activate/slice.h"
#include "activate/socket.h"
#include "activate/swaps.h"
#include "activate/time.h"
#include "core/crashpoint.h"
#include "core/environment.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/reach.h"
#include "core/reexec.h"
#include "core/remember.h"
#include "core/run.h"
#include "core/transient.h"
#include "core/trial.h"
#include "ctl/generate.h"
#include "ctl/live.h"
#include "ctl/server.h"
#include "units/automount.h"
#include "units/boot_words.h"
#include "units/device_unit.h"
#include "units/mount_unit.h"
#include "units/passive.h"
#include "units/path.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"
#include "units/value.h"

enum { RETRY_NS = 100000000, PATIENCE = 200, MANAGER_NICE = -10, LARGE = 128 * 1024 };

static struct hark hark;

static const struct unit_type_ops *const types[] = {
	&service_ops, &socket_ops,    &target_ops, &slice_ops, &mount_ops, &timer_ops,
	&device_ops,  &automount_ops, &swap_ops,   &path_ops,  &scope_ops, &busname_ops,
};
static const struct activator *const activators[] = {&socket_activator, &time_activator,
						     &scope_activator,  &slice_activator,
						     &path_activator,   &autofs_activator};

enum { PROGRAM_PATH = 512 };

struct options {
#define OPTION(member, word, variable, value, standard, help) const char *member;
#include "core/options.def"
#undef OPTION
	bool is_odd; /* there are others */
};

/* "--name VALUE" or "--name=VALUE"; hark-init passes its own command line on. */
static const char *option(char **argv, int *at, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(argv[*at], name, n) != 0)
		return NULL;
	if (argv[*at][n] == '=')
		return argv[*at] + n + 1;
	if (argv[*at][n] || !argv[*at + 1])
		return NULL;
	return argv[++*at];
}

static void parse(struct options *o, char **argv)
{
	const struct {
		const char *name, *variable, *standard, **value;
	} known[] = {
#define OPTION(member, word, env, arg, standard, help) {word, env, standard, &o->member},
#include "core/options.def"
#undef OPTION
	};

	for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
		const char *set = known[k].variable ? getenv(known[k].variable) : NULL;

		*known[k].value = set ? set : known[k].standard;
	}
	for (int i = 1; argv[i]; i++) {
		bool is_known = false;

		for (size_t k = 0; k < ARRAY_SIZE(known) && !is_known; k++) {
			const char *value = option(argv, &i, known[k].name);

			is_known = value != NULL;
			if (is_known)
				*known[k].value = value;
		}
		/* The kernel hands its words on to PID 1, which reads them where all of them are (boot_words.h). */
		if (!is_known && getppid() != 1)
			log_at(LOG_WARN, "unknown option \"%s\"; only PID 1 ignores it", argv[i]);
		o->is_odd = o->is_odd || !is_known;
	}
}

/* hark-exec, hark-mount: beside harkd. path: PROGRAM_PATH bytes that stay. */
static const char *program_beside(const char *name, char *path)
{
	ssize_t n = readlink("/proc/self/exe", path, PROGRAM_PATH - strlen(name) - 1);
	char *slash;

	if (n <= 0) {
		snprintf(path, PROGRAM_PATH, "/usr/lib/hark/%s", name);
		return path;
	}
	path[n] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash + 1, name, strlen(name) + 1);
	return path;
}

static const char *canonical(void *arg, const char *name)
{
	struct hark *h = arg;

	return load_canonical(&h->load, name);
}

static void perform(void *arg, struct unit *u, uint32_t fx)
{
	run_ops.run(arg, u, fx);
	server_performed(arg, u);
}

/* The boot is over with the job of the default unit, whatever became of it. */
static void note_ready(struct hark *h, const struct unit *u)
{
	if (h->ready_us || registry_find(&h->reg, h->default_unit) != u)
		return;
	h->ready_us = loop_now_us(&h->loop);
	remember_manager(h);
	mem_trim(); /* what the plan and the files took */
	generate_cache(h);
	server_news(h, NEWS_BOOTED);
	log_at(LOG_INFO, "%s %s %llu ms after the start of PID 1", u->name,
	       unit_is_active(u) ? "reached" : "not reached; its job ended",
	       (unsigned long long)((h->ready_us - h->bank.table->start_us) / US_PER_MS));
}

static void changed(void *arg, struct unit *u, uint8_t old_state)
{
	struct hark *h = arg;

	if (unit_is_at_rest(u))
		u->markers = 0;
	else if (unit_coarse(u) == RELOADING)
		u->markers &= (uint8_t)~UNIT_NEEDS_RELOAD;
	run_ops.changed(arg, u, old_state);
	server_changed(arg, u);
	live_changed(arg, u);
	devices_follow(h, u);
	journal_changed(h, u, old_state);
	if (u->work->job.id == 0 && unit_is_active(u))
		note_ready(h, u);
}

static void retired(void *arg, struct unit *u)
{
	server_gone(arg, u);
	run_ops.retired(arg, u);
}

static void renew(void *arg, struct unit *u)
{
	live_renew(arg, u);
}

static void job_done(void *arg, struct unit *u, uint32_t id, enum job_type type,
		     enum job_result result)
{
	devices_follow(arg, u);
	server_job_done(arg, u, id, type, result);
	generate_job_done(arg, u);
	run_ops.job_done(arg, u, id, type, result);
	live_changed(arg, u);
	if (type == JOB_START)
		note_ready(arg, u);
	if (((struct hark *)arg)
		    ->did_say_goodbye) /* whoever asks now shall see at once that nobody is there */
		server_close(arg);
}

/* Without it a request that is sent again is performed again; we go on. */
static void open_asked(struct hark *h)
{
	int old = bank_find(&h->bank, "asked");
	int r = old >= 0 ? asked_open(&h->asked, bank_fd((uint32_t)old)) : -ENOENT;

	if (r < 0) {
		r = asked_open(&h->asked, -1);
		if (r == 0)
			r = bank_keep(&h->bank, old, "asked", h->asked.fd);
	}
	if (r < 0)
		log_at(LOG_ERROR, "requests are not remembered: %s", strerror(-r));
	if (h->state.image)
		asked_settle(&h->asked, &h->state);
}

/* First of all, so that nothing that comes later can end us without a word. Without it we go on. */
static void open_crashes(struct hark *h)
{
	const struct bank_table *t = h->bank.table;
	struct crash_death last = {t->generation - 1, t->last_code, t->last_status, t->last_hang};
	int old = bank_find(&h->bank, "crashes");
	int r = old >= 0 ? crash_open(&h->crashes, bank_fd((uint32_t)old)) : -ENOENT;

	if (r < 0) {
		r = crash_open(&h->crashes, -1);
		if (r == 0)
			r = bank_keep(&h->bank, old, "crashes", h->crashes.fd);
	}
	if (r < 0)
		log_at(LOG_ERROR, "crashes leave no record: %s", strerror(-r));
	if (!h->crashes.ring)
		return;
	crash_note_death(&h->crashes, &last);
	crash_watch(&h->crashes, &h->state, t->generation);
}

/* Until PID 1 has it, it has the old one: another death does no harm. */
static int keep_new_form(struct hark *h, int old)
{
	int slot = bank_keep(&h->bank, old, "state", h->state.fd);

	log_at(LOG_INFO, "the state left by another version of hark was read");
	return slot < 0 ? slot : 0;
}

/* The kernel's trouble with it, unlike damage of its own, may be over in a moment. */
static int read_state(struct state_table *t, int fd)
{
	int r = state_open(t, fd);

	return r < 0 && r != -EBADMSG && r != -ENOMEM ? state_open(t, fd) : r;
}

static int open_state(struct hark *h)
{
	bool is_trusted = h->bank.table->crashes < BANK_CRASHES_NO_STATE;
	int old = bank_find(&h->bank, "state"), r = -ENOENT;

	if (old >= 0 && is_trusted)
		r = read_state(&h->state, bank_fd((uint32_t)old));
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		if (h->crashes.ring)
			crash_note_ledger(&h->crashes, &h->state);
		return h->state.is_new_form ? keep_new_form(h, old) : 0;
	}
	if (old >= 0)
		log_at(LOG_ERROR,
		       "the state left by the manager before is not used (%s); starting from what runs",
		       is_trusted ? strerror(-r) : "too many crashes");
	/* In safe mode it stays as it is for the manager that comes after. */
	if (h->is_safe)
		return state_open(&h->state, -1);
	/* What was asked for and what is done is not known: the boot is over, and nothing is started by itself. */
	h->did_boot = old >= 0;
	h->ready_us = old >= 0 ? loop_now_us(&h->loop) : 0;
	r = state_open(&h->state, -1);
	if (r == 0)
		r = bank_keep(&h->bank, old, "state", h->state.fd);
	return r < 0 ? r : 0;
}

/* Better without some units than without a manager. */
static int scan(struct load *l)
{
	int r = load_scan(l);

	if (r == 0 || r == -ENOMEM)
		return r;
	log_at(LOG_ERROR, "not all unit directories can be read (%s); going on without them",
	       strerror(-r));
	l->skips_unreadable = true;
	r = load_scan(l);
	l->skips_unreadable = false;
	return r;
}

/* For a boot alone (a self-test has no bank): later the file may lie behind a mount that nobody answers for. */
static void open_cache(struct hark *h)
{
	int r = -ENOENT;

	if (!h->is_user && h->bank.table && h->bank.table->generation == 1)
		r = unit_cache_open(&h->load.cache, UNIT_CACHE_DIR "/" UNIT_CACHE_NAME);
	if (r < 0 && r != -ENOENT)
		log_at(LOG_WARN, "%s is not used (%s); each unit file is read by itself",
		       UNIT_CACHE_DIR "/" UNIT_CACHE_NAME, strerror(-r));
}

static int open_units(struct hark *h, const struct options *o)
{
	int r = registry_init(&h->reg, types, ARRAY_SIZE(types));

	for (size_t i = 0; i < ARRAY_SIZE(activators); i++)
		h->activators[activators[i]->type] = activators[i];
	h->reg.canonical = canonical;
	h->reg.canonical_arg = h;
	if (r == 0)
		r = load_init(&h->load, o->unit_path, "");
	if (r == 0)
		r = generate_open(h);
	h->on_news = server_news;
	if (r == 0)
		r = live_open(
			h); /* first: what changes while the directories are read is noticed */
	if (r == 0)
		r = transient_open(h);
	h->load.keeps_texts = true;
	if (r == 0)
		open_cache(h);
	if (r == 0)
		r = scan(&h->load);
	if (r == 0)
		r = environment_open(h);
	return r;
}

static void open_cgroups(struct hark *h, const struct options *o)
{
	const char *why = NULL;

	/* Twice: what fails for a moment must not last a life. */
	for (unsigned i = 0; i < 2 && !h->cgroups.has_cgroups; i++)
		cgroup_init(&h->cgroups, o->cgroup_root,
			    bank_lasting(&h->bank, "cgroups", fd_inotify), &why);
	if (!h->cgroups.has_cgroups) {
		log_at(LOG_WARN, "no cgroups: %s; services are told apart by their sessions only",
		       why ? why : "?");
		return;
	}
	h->cgroup_watch.fn = run_on_cgroup;
	if (loop_watch(&h->loop, &h->cgroup_watch, h->cgroups.inotify_fd, EPOLLIN) < 0)
		log_at(LOG_WARN, "cgroups cannot be watched; leftovers are found by timeouts");
}

static void open_clock(struct hark *h)
{
	int r = time_open(h);

	if (r < 0)
		log_at(LOG_WARN,
		       "steps of the clock are not seen: %s; calendars of timers may be late by them",
		       strerror(-r));
}

static void on_pid1_gone(struct bank *b)
{
	loop_exit(container_of(b, struct hark, bank)->bank.loop, 1);
}

/* A crash of the system's manager is worth a core, where core(5) says; whoever runs hark as a program has chosen its own limit. */
static void allow_core(const struct hark *h)
{
	struct rlimit limit;

	if (!h->is_pid1 || getrlimit(RLIMIT_CORE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		log_debug("main", "no core limit");
}

/* In safe mode the notes about slots wait in the table for a manager that knows what they mean. */
static void on_note(struct bank *b, const struct bank_note *note)
{
	struct hark *h = container_of(b, struct hark, bank);

	if (!reexec_on_note(h, note) && (!h->is_safe || note->kind == BANK_NOTE_SIGNAL))
		run_on_note(b, note);
}

/* Without it mount units start and stop as asked, and what others mount is not seen. */
static void open_mounts(struct hark *h)
{
	int r = mounts_open(h);

	if (r < 0)
		log_at(LOG_WARN, "the mount table cannot be watched: %s", strerror(-r));
}

static void open_swaps(struct hark *h)
{
	int r = swaps_open(h);

	if (r < 0)
		log_at(LOG_WARN, "what is used as swap cannot be watched: %s", strerror(-r));
}

/* Without it path units fail when they are started. */
static void open_paths(struct hark *h)
{
	int r = paths_open(h);

	if (r < 0)
		log_at(LOG_WARN, "files cannot be watched: %s", strerror(-r));
}

/* How long we may be silent, and then take to answer, before PID 1 believes that we hang. */
static void choose_ping(struct hark *h, const char *span)
{
	uint64_t us;

	if (!span)
		return;
	if (value_span(str_of(span), US_PER_SEC, &us) < 0 || bank_ping_every(&h->bank, us) < 0)
		log_at(LOG_WARN,
		       "--ping \"%s\" is not one second or more; PID 1 asks as often as before",
		       span);
}

static int open_all(struct hark *h, const struct options *o)
{
	static char exec_path[PROGRAM_PATH], mount_path[PROGRAM_PATH];
	static struct engine_ops ops;
	int r = loop_init(&h->loop, NULL, NULL);

	ops = run_ops;
	ops.run = perform;
	ops.changed = changed;
	ops.renew = renew;
	ops.retired = retired;
	ops.job_done = job_done;
	h->bank.on_note = on_note;
	h->bank.on_gone = on_pid1_gone;
	if (r == 0)
		r = bank_open(&h->bank, &h->loop);
	if (r < 0)
		return r;
	choose_ping(h, o->ping);
	crashpoint_set(getenv("HARK_CRASH_AT"), h->bank.table->generation);
	reach_begin();
	h->is_pid1 = h->bank.table->is_pid1;
	h->is_safe = h->bank.table->crashes >= BANK_CRASHES_SAFE;
	h->has_gates = h->bank.table->generation > 1;
	h->exec_path = program_beside("hark-exec", exec_path);
	h->mount_path = program_beside("hark-mount", mount_path);
	allow_core(h);
	open_crashes(h);
	listener_tune_kernel();
	r = o->is_odd && !h->is_pid1 ? -EINVAL : open_state(h);
	open_asked(h);
	if (r == 0)
		r = open_units(h, o);
	if (r == 0)
		r = engine_init(&h->engine, &h->loop, &h->reg, &h->state.image->ledger, &ops, h);
	nodes_open(h);
	open_cgroups(h, o);
	open_clock(h);
	open_paths(h);
	open_mounts(h);
	open_swaps(h);
	run_hear_key(h);
	return r == 0 ? server_open(h) : r;
}

/* 0, or why not was logged. */
static int boot_to(struct hark *h, const char *name)
{
	struct cause cause = {.kind = CAUSE_BOOT, .unit = UNIT_NONE};
	struct unit *u = registry_get(&h->reg, name);
	struct sbuf why = {0};
	int r = u ? engine_request(&h->engine, u, JOB_START, MODE_REPLACE, &cause, false, NULL)
		  : -EINVAL;

	if (r > 0)
		job_refusal_text(&h->engine.last_plan, &h->reg, &why);
	if (r != 0)
		log_at(LOG_ERROR, "the boot cannot go to %s: %s", name,
		       r > 0 && why.p ? why.p : strerror(r < 0 ? -r : EINVAL));
	sbuf_fini(&why);
	return r;
}

/* Whatever is wrong with the unit that was chosen, somebody shall be able to log in and look. */
static void boot(struct hark *h)
{
	const char *const goals[] = {h->default_unit, "rescue.target", "emergency.target"};
	int shared = h->is_pid1 ? machine_share_mounts() : 0;
	int r = -EINVAL;

	if (shared < 0)
		log_at(LOG_ERROR,
		       "services with namespaces of their own will not see new mounts: %s",
		       strerror(-shared));
	for (size_t i = 0; r != 0 && i < (h->is_pid1 ? ARRAY_SIZE(goals) : 1); i++)
		r = boot_to(h, goals[i]);
	if (r != 0)
		log_at(LOG_ERROR, "nothing is started; hark waits for harkctl");
	load_forget_texts(&h->load);
	h->did_boot = true;
	remember_manager(h);
	engine_log_cycles(&h->engine);
}

/*
 * Who asks for a status during a boot shall not wait behind a hundred starting services. They are children of PID 1 and do not
 * inherit this; as each has a session of its own, it is the autogroup that counts where there are any (sched(7)).
 */
static void come_first(void)
{
	if (setpriority(PRIO_PROCESS, 0, MANAGER_NICE) < 0)
		return; /* an ordinary user's manager has no such right */
	if (fd_write_small(AT_FDCWD, "/proc/self/autogroup", "-10") < 0)
		log_debug("main", "no autogroup");
}

/* What is large goes back to the kernel when it is given back: a threshold that is set does not grow (mallopt(3)). */
static void give_memory_back(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
}

/* No memory to begin, also after a while: nothing was done yet, and what runs goes on. The next manager tries; a death like this one is no crash. */
static void try_again(void)
{
	log_at(LOG_ERROR, "out of memory at the start; trying again");
	(void)nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
	crashpoint_die();
}

/* Everything that can go wrong before a new manager answers, tried by a child that PID 1 started for the manager that runs. */
static int self_test(struct hark *h, char **argv)
{
	struct options o = {0};
	int r = argv[0] ? reexec_test_state(argv[0]) : SELF_TEST_GOOD;

	parse(&o, (char *[]){NULL, NULL});
	h->run_dir = o.run_dir;
	return r == SELF_TEST_GOOD && open_units(h, &o) < 0 ? SELF_TEST_UNITS : r;
}

/* Slices in which everything lies. Without memory each comes when it is first named. */
static void load_slices(struct hark *h)
{
	static const char *const names[] = {"-.slice", CGROUP_STANDARD_SLICE};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct unit *u = registry_get(&h->reg, names[i]);

		if (!u || engine_load(&h->engine, u) < 0)
			log_at(LOG_WARN, "%s is not loaded: %s", names[i], strerror(ENOMEM));
	}
}

/* Take over what the manager before left, or boot. has_path: somebody said where units lie. True: a boot is to follow, or did. */
static bool begin(struct hark *h, bool has_path)
{
	if (h->is_safe) {
		log_at(LOG_ERROR,
		       "safe mode after %u crashes: what runs is kept, nothing is started; harkctl reexec leaves it",
		       h->bank.table->crashes);
		autofs_refuse_all(h);
		return false;
	}
	if (h->bank.table->generation > 1 && run_takeover(h) < 0)
		try_again();
	live_look_back(h);
	load_slices(h);
	if (h->did_boot)
		return false;
	if (!h->is_pid1 && !has_path) {
		log_at(LOG_ERROR,
		       "this is not PID 1 and no --unit-path is given: the machine's own units are not started by a second manager");
		return false;
	}
	if (!generate_begin(h, JOB_START, boot))
		boot(h);
	return true;
}

/* Only PID 1 has to try for ever: where nothing runs yet, or hark-init was told to end, it ends, and who called it reads why. */
static void end_at_once(struct hark *h)
{
	const struct bank_table *t = h->bank.table;
	uint64_t ends = 1ULL << (SIGTERM - 1) | 1ULL << (SIGINT - 1);

	if (t && !t->is_pid1 && (t->generation == 1 || (t->signal_set & ends)) &&
	    bank_final(&h->bank, 1, true, "", NULL) < 0)
		log_at(LOG_ERROR, "PID 1 does not hear that it shall end");
}

static bool take_line(enum log_level level, const char *text)
{
	return journal_take(&hark, level, text);
}

/* Of the first process of all the command line of the kernel chooses what comes up, and how much is said about it. */
static void heed_boot_words(struct hark *h)
{
	static char unit[BOOT_NAME];
	struct boot_words words;

	if (getppid() != 1)
		return;
	if (boot_words_get(&words) < 0)
		log_at(LOG_ERROR, "not all words of the kernel's command line are heeded: %s",
		       strerror(ENOMEM));
	memcpy(unit, words.unit, sizeof(unit));
	if (unit[0])
		h->default_unit = unit;
	if (words.most != LOG_LEVELS)
		log_limit(words.most);
	boot_words_fini(&words);
}

/* The exit status, once it is said why. */
static int not_started(struct hark *h, const struct options *o, int err)
{
	log_at(LOG_ERROR, "cannot start in %s: %s%s", o->run_dir, strerror(-err),
	       err == -ENOTCONN ? " (harkd is started by hark-init, not by hand)" : "");
	end_at_once(h);
	return 1;
}

int main(int argc UNUSED, char **argv)
{
	struct hark *h = &hark;
	struct options o = {0};
	struct machine_lack lacks[MACHINE_LACKS];
	unsigned lacks_n;
	int r;

	log_init("harkd", LOG_INFO, -1);
	mem_stats.patience = PATIENCE; /* until it has begun */
	if (argv[1] && strcmp(argv[1], "--self-test") == 0)
		return self_test(h, argv + 2);
	if (argv[1] && argv[2] && strcmp(argv[1], "--try-init") == 0)
		return trial_run(argv[2]);
	lacks_n = machine_prepare(lacks);
	log_init("harkd", LOG_INFO, machine_open_log());
	for (unsigned i = 0; i < lacks_n; i++)
		log_at(LOG_ERROR, "the machine has to do without %s: %s; going on", lacks[i].what,
		       strerror(lacks[i].err));
	prctl(PR_SET_NAME, "harkd");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* PID 1 hears of these and tells us in order */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	umask(022);
	come_first();
	give_memory_back();
	parse(&o, argv);
	h->run_dir = o.run_dir;
	h->default_unit = o.default_unit;
	heed_boot_words(h);
	log_offer(take_line);
	h->uid = geteuid();
	h->is_user = h->uid != 0;
	h->final_command = -1;
	r = open_all(h, &o);
	if (r == -ENOMEM)
		try_again();
	if (r < 0)
		return not_started(h, &o, r);
	h->boot_us = loop_now_us(&h->loop);
	if (!begin(h, o.unit_path != NULL)) /* a boot forgets them when it has its plan */
		load_forget_texts(&h->load);
	reexec_watch(h);
	mem_stats.patience = 0;
	r = loop_run(&h->loop);
	if (!h->is_leaving && r >= 0) /* else who asks waits for the next manager */
		server_close(h);
	return r < 0 ? 1 : r;
}
