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

/* "selinux", "apparmor", "tomoyo", "ima", "smack", "audit", "uefi-secureboot", "tpm2": is it in use? */
MUST_USE int fact_security(const char *parameter, const struct specifier_host *host);
/* A capability by name or number: is it in our bounding set? */
MUST_USE int fact_capability(const char *parameter, const struct specifier_host *host);
/* Boolean: is mains power connected, or no mains known? */
MUST_USE int fact_ac_power(const char *parameter, const struct specifier_host *host);
/* [operator]BYTES with K M G ...: physical memory, or the limit of our container. */
MUST_USE int fact_memory(const char *parameter, const struct specifier_host *host);
/* [operator]NUMBER: processors we may run on. */
MUST_USE int fact_cpus(const char *parameter, const struct specifier_host *host);
/* A CPUID feature by systemd's name; none on processors without CPUID. */
MUST_USE int fact_cpu_feature(const char *parameter, const struct specifier_host *host);
/* Controllers separated by blanks, or "v1", "v2": which hierarchy is it? */
MUST_USE int fact_controllers(const char *parameter, const struct specifier_host *host);
/* "[SLICE:]PERCENT%[/10sec|1min|5min]": holds while the pressure is at most that. */
MUST_USE int fact_memory_pressure(const char *parameter, const struct specifier_host *host);
/* As fact_memory_pressure(). */
MUST_USE int fact_cpu_pressure(const char *parameter, const struct specifier_host *host);
/* As fact_memory_pressure(). */
MUST_USE int fact_io_pressure(const char *parameter, const struct specifier_host *host);
/* "uefi", "device-tree", "device-tree-compatible(ID)" or "smbios-field(FIELD operator VALUE)". */
MUST_USE int fact_firmware(const char *parameter, const struct specifier_host *host);
/* Boolean, "vm", "container", "private-users" or the name of a product. */
MUST_USE int fact_virtualization(const char *parameter, const struct specifier_host *host);
