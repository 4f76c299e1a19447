#!/bin/bash
# SPDX-License-Identifier: MIT
# fetch.sh LIST FOLDER: the system units of the Debian packages in LIST, all in FOLDER/units.
# What was fetched before is taken again. Exit status 1 when a package could not be had.
set -u
list=$(readlink -f "$1") folder=$2
mkdir -p "$folder/packages" "$folder/units" && cd "$folder/packages" || exit 1
missing=0
while read -r package; do
	[[ $package == \#* || -z $package || -d $package ]] && continue
	mkdir -p "$package.new"
	(cd "$package.new" && timeout 60 apt-get -qq -o APT::Sandbox::User=root download "$package") >/dev/null 2>&1
	deb=$(find "$package.new" -name '*.deb' | head -1)
	if [ -z "$deb" ]; then
		rm -rf "$package.new"
		missing=$((missing + 1))
		[ $missing -ge 3 ] && break # there is no network
		continue
	fi
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$package.new" --no-same-owner --wildcards \
		--wildcards-match-slash './lib/systemd/system/*' './usr/lib/systemd/system/*' 2>/dev/null
	rm -f "$deb"
	mv "$package.new" "$package"
done <"$list"
cp -a ./*/lib/systemd/system/. ./*/usr/lib/systemd/system/. ../units/ 2>/dev/null
[ $missing -eq 0 ]
