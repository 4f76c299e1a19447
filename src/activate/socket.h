/* SPDX-License-Identifier: MIT */
/*
 * activate/socket - makes, stores and watches the listeners of socket units.
 *
 * A listener is made, bound, handed to PID 1 which calls listen(2) as one operation with storing it; then it is watched. Accept=no: the first
 * readiness triggers and watching pauses until the service is at rest. Accept=yes: PID 1 accepts into a slot, an instance
 * "name@N-LOCAL-REMOTE.service" (systemd.socket(5)) is created for the connection and started.
 */
#pragma once

#include "core/hark.h"

extern const struct activator socket_activator;
