/* SPDX-License-Identifier: MIT */
/*
 * bus_path - object paths of units and jobs: every byte but a letter or a digit (and a digit in front) stands as _hh; and whose process is which unit.
 */
#pragma once

#include "core/unit.h"

#define BUS_ROOT "/org/freedesktop/systemd1"
enum { BUS_PATH_MAX = sizeof(BUS_ROOT "/unit/") + 3 * UNIT_NAME_MAX };

/* Always fits. */
void bus_path_of_unit(const char *name, char out[BUS_PATH_MAX]);
void bus_path_of_job(uint32_t id, char out[BUS_PATH_MAX]);
/* The name in the path of a unit; false: the path is none. */
bool bus_unit_of_path(const char *path, char out[UNIT_NAME_MAX + 1]);
/* The number in the path of a job, 0: the path is none. */
uint32_t bus_job_of_path(const char *path);
/* The last part of the path of the process's cgroup that is the name of a unit, which it may have chosen itself. False: there is none. */
bool bus_unit_of_pid(pid_t pid, char out[UNIT_NAME_MAX + 1]);
