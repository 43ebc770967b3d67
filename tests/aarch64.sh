#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Cross-compile the core for AArch64 and run the C tests, with NEON and without, under QEMU.
#
#   tests/aarch64.sh [ARGUMENT FOR CTEST ...]
#
# It needs cmake, ninja, gcc-aarch64-linux-gnu and qemu-user. BUILD names a folder to keep.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-$(mktemp -d)}
[ -n "${BUILD:-}" ] || trap 'rm -rf "$build"' EXIT
cmake -S . -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake" -DFASTCONV_BUILD_TESTS=ON \
  > "$build.log" || { cat "$build.log"; exit 1; }
grep "instruction sets built: neon scalar" "$build.log"
rm "$build.log"
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure "$@"
