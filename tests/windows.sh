#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Cross-compile the core for Windows and run the C tests, with every instruction set of this machine, under Wine.
#
#   tests/windows.sh [ARGUMENT FOR CTEST ...]
#
# It needs cmake, ninja and ziglang (all from pip), and wine with wine64. BUILD names a folder to keep.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$(realpath -m "${BUILD:-$(mktemp -d)}") # Wine wants a whole path
[ -n "${BUILD:-}" ] || trap 'wineserver -k || true; rm -rf "$build"' EXIT
cmake -S . -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/windows-zig.cmake" -DFASTCONV_BUILD_TESTS=ON \
  > "$build.log" || { cat "$build.log"; exit 1; }
grep "instruction sets built: avx512 avx2 scalar" "$build.log"
rm "$build.log"
cmake --build "$build"
export WINEPREFIX="$build/wine" WINEDEBUG=-all
wine wineboot --init 2> /dev/null # outside of the tests' time
ctest --test-dir "$build" --output-on-failure "$@"
