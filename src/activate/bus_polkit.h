/* SPDX-License-Identifier: MIT */
/*
 * bus_polkit - may somebody who is not root do it? Asked of polkit, over the connection that the call came by.
 */
#pragma once

#include "activate/bus.h"

/*
 * bus_polkit_authorize() - go_on is called if the sender of c may do what polkit calls `action`, else the call fails.
 *
 * That may take as long as somebody types a password. Where there is no polkit, only root may.
 */
void bus_polkit_authorize(struct bus_call *c, const char *action,
			  void (*go_on)(struct bus_call *c));
