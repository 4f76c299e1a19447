/* SPDX-License-Identifier: MIT */
/*
 * hark - the manager as one value: every part by name. Defined once, in main.c; handed down by pointer.
 */
#pragma once

#include "core/activator.h"
#include "core/asked.h"
#include "core/bank_client.h"
#include "core/cgroup.h"
#include "core/crash.h"
#include "core/engine.h"
#include "core/state.h"
#include "units/device_unit.h"
#include "units/load.h"

struct live;
struct mounts;
struct ran;
struct server;
struct swaps;

/* Of the manager as a whole: who follows it is told. */
enum manager_news { NEWS_RELOADING, NEWS_RELOADED, NEWS_BOOTED };

struct hark {
	struct loop loop;
	struct bank bank;
	struct registry reg;
	struct load load;
	struct state_table state;
	struct crash_log crashes;
	struct asked_log asked;
	struct engine engine;
	struct cgroup_root cgroups;
	const struct activator *activators[UNIT_TYPES];
	struct server *server;
	struct live *live; /* NULL: the unit directories are not watched (yet) */
	struct mounts *mounts;
	struct ran *ran; /* of refresh.c: with what settings some of those that run were started */
	struct swaps *swaps;
	struct device_source devices;
	struct watch nodes_watch;  /* inotify of nodes of devices that nobody tells of */
	struct timer nodes_timer;  /* looks at those that inotify does not tell of */
	uint32_t device_round;     /* of hark-udev's enumerations */
	struct map bus_names;      /* with an owner: struct owned of activate/busname.c */
	uint32_t bus_round;        /* of telling all of them; 0: not begun */
	struct watch cgroup_watch; /* inotify of cgroup.events */
	struct watch clock_watch;  /* timerfd that tells of steps of the wall clock */
	struct watch zone_watch;   /* inotify: another /etc/localtime */
	struct watch key_watch;    /* signalfd of the key for attention */
	struct watch path_watch;   /* inotify of what path units look at */
	struct list watched_paths; /* path units that wait */
	const char *run_dir;       /* "/run/hark" */
	const char *default_unit;
	const char *exec_path;  /* hark-exec */
	const char *mount_path; /* hark-mount */
	char **environment;     /* what every service gets: PATH, LANG ... and set-environment */
	uint8_t ids[16][16];    /* random invocation ids, of which ids_n are not given out yet */
	unsigned ids_n;
	struct {
		const char *path; /* where the files of transient units are; NULL: not opened */
		unsigned dir;     /* that, as index of load.dirs */
		struct timer sweep;
		struct list holds; /* struct hold of transient.h */
		uint32_t holds_n;
	} transient;
	struct {
		bool is_going;                /* units are being made of other files */
		void (*done)(struct hark *h); /* to be called then, or NULL */
		struct timer timer;
	} generate;
	uint64_t peer_us; /* before this time no peer is looked up again */
	struct {
		uint64_t token; /* of the self-test, 0: none goes on */
		uint64_t due_us;
		uint32_t slot;
		int state, what; /* enum reexec, enum reexec_what */
		int test;        /* which one goes on */
		const char *why; /* static */
		struct timer timer;
		bool is_content; /* PID 1 starts this very program from now on */
		bool was_rolled_back;
	} reexec;
	struct task cache; /* behind the turn in which the boot ended */
	int null_fd;       /* /dev/null, kept in a slot; 0: not opened yet */
	int journal_fd;    /* to journald; 0: not opened yet */
	bool is_leaving;   /* the next manager takes over */
	bool is_safe;      /* after too many crashes: keeps what runs, touches nothing */
	bool is_pid1;      /* hark-init is PID 1: may mount, reboot */
	uid_t uid;         /* whose manager it is */
	bool is_user;      /* not root */
	bool has_gates; /* programs may be attached to cgroups of units (device_gate.h, net_gate.h) */
	bool no_watchdogs;     /* those of services are not heeded */
	uint8_t log_level_set; /* enum log_level + 1; 0: nobody has set one */
	uint8_t log_target;    /* enum log_target */
	bool did_boot;         /* the default unit was asked for, by this manager or one before */
	bool is_shutting_down, did_say_goodbye;
	int exit_code;
	void (*on_news)(struct hark *h, enum manager_news news); /* may be NULL */
	int final_command; /* reboot(2) command, or -1: exit with exit_code */
	struct {
		uint64_t since_us;
		unsigned n;
	} keys;                     /* Ctrl-Alt-Del, how often since then */
	uint64_t boot_us, ready_us; /* CLOCK_MONOTONIC: manager start, default unit reached */
	uint64_t
		looked_us; /* clock_file_us(): what came to the unit directories before was started; 0: not known */
};
