/* SPDX-License-Identifier: MIT */
/*
 * udev_device - what udev says of a device, in the words of activate/devices.h. The only file that reads properties.
 */
#pragma once

#include <libudev.h>

#include "core/str.h"

/* Is it one that becomes units: tagged for that, and ready? */
bool udev_device_is_there(struct udev_device *dev);
/* Its other names, its model and what it asks for, a line each, into out; what would be too much is left out with a warning. */
void udev_device_facts(struct udev_device *dev, struct sbuf *out);
