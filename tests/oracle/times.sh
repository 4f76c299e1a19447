#!/bin/bash
# SPDX-License-Identifier: MIT
# Calendar events and time spans against systemd-analyze, with expressions that are made up: see times.py.
here=$(dirname "$(readlink -f "$0")")
exec python3 -B "$here/times.py" "${HARK_BUILD:-$here/../../build-dev}/tests/oracle/times" --count "${HARK_COUNT:-10000}"
