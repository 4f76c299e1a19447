#!/bin/bash
# SPDX-License-Identifier: MIT
# Timers, paths, mounts, automounts, swaps and slices against systemd's own loader: see types.py.
here=$(dirname "$(readlink -f "$0")")
exec python3 -B "$here/types.py" "${HARK_BUILD:-$here/../../build-dev}/bin/harkctl"
