/* SPDX-License-Identifier: MIT */
/*
 * fact - the kinds of conditions that ask about the machine: virtualization, security, hardware, resources, firmware.
 *
 * Each takes the parameter of systemd.unit(5) and returns 1 (holds), 0, or -errno when it cannot be told. Negation is the
 * caller's.
 */
#pragma once

#include "units/specifier.h"

typedef int (*fact_fn)(const char *parameter, const struct specifier_host *host);

/* A boolean parameter: 1 when it agrees with `is`. */
MUST_USE int fact_bool(const char *parameter, bool is);

MUST_USE int fact_security(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_capability(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_ac_power(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_memory(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_cpus(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_cpu_feature(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_controllers(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_memory_pressure(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_cpu_pressure(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_io_pressure(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_firmware(const char *parameter, const struct specifier_host *host);
MUST_USE int fact_virtualization(const char *parameter, const struct specifier_host *host);
