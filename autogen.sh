#!/bin/sh
# Make ./configure from configure.ac. Needed once in a git checkout; a release has it already.
cd "$(dirname "$0")" || exit 1
mkdir -p m4 build-aux
exec autoreconf --install --force
