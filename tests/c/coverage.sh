#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Lines of the C core that the C tests and the fuzz target's corpus reach; needs Clang with llvm-cov and llvm-profdata.
#
#   tests/c/coverage.sh [FILE OF csrc ...]     a table of all files, or the lines of these
set -euo pipefail
cd "$(dirname "$0")/../.."
llvm=$(dirname "$(readlink -f "$(command -v clang)")")
work=${COVERAGE_BUILD:-$(mktemp -d)}
[ -n "${COVERAGE_BUILD:-}" ] || trap 'rm -rf "$work"' EXIT
# Counters in a file that processes share, so that those count that fork and end by _exit.
flags="-fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation"
CC=clang CFLAGS=$flags LDFLAGS=-fprofile-instr-generate cmake -S . -B "$work" -G Ninja -DFASTCONV_BUILD_TESTS=ON \
  -DFASTCONV_BUILD_FUZZERS=ON > "$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work" > "$work/log" || { cat "$work/log"; exit 1; }
rm -f "$work"/*.profraw
LLVM_PROFILE_FILE=$work/tests-%m%c.profraw "$work/tests/c/test_api" > "$work/log" || { cat "$work/log"; exit 1; }
find tests/fuzz/corpus -type f -print0 | LLVM_PROFILE_FILE=$work/fuzz.profraw xargs -0 "$work/tests/fuzz/fuzz_api" > /dev/null
"$llvm/llvm-profdata" merge -o "$work/profile" "$work"/*.profraw
if [ $# -gt 0 ]; then
  "$llvm/llvm-cov" show "$work/libfastconv.so" -instr-profile "$work/profile" "$@"
else
  "$llvm/llvm-cov" report "$work/libfastconv.so" -instr-profile "$work/profile" -show-region-summary=false
fi
