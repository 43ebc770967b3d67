#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fuzz the C API with AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   tests/fuzz/run.sh [SECONDS] [CORPUS ...]
#
# With Clang and its libFuzzer, guided by coverage, and what is new goes to the first CORPUS (tests/fuzz/corpus if none is
# named); without, by chance (driver.c). A failure leaves its input in the present folder; `fuzz_api FILE` repeats it.
#   tests/fuzz/run.sh 36000 my-corpus tests/fuzz/corpus                                  a long run
#   FUZZ_BUILD=dir tests/fuzz/run.sh 0 && dir/tests/fuzz/fuzz_api -merge=1 tests/fuzz/corpus my-corpus   keep what is new
set -euo pipefail
seconds=${1:-60}
shift || true
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -eq 0 ]; then set -- "$here/corpus"; fi
work=${FUZZ_BUILD:-$(mktemp -d)}
mkdir -p "$work"
[ -n "${FUZZ_BUILD:-}" ] || trap 'rm -rf "$work"' EXIT
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 ASAN_OPTIONS=allocator_may_return_null=1

probe='#include <stddef.h>
int LLVMFuzzerTestOneInput(const unsigned char *d, size_t n) { return d[n] * 0; }'
if [ "${CC:-clang}" != gcc ] && command -v "${CC:-clang}" > /dev/null &&
  echo "$probe" | "${CC:-clang}" -x c -fsanitize=fuzzer - -o "$work/probe" 2> /dev/null; then
  compiler=${CC:-clang} sanitize=fuzzer-no-link,address,undefined guided=true
else
  compiler=gcc sanitize=address,undefined guided=false
fi
CC=$compiler cmake -S "$here/../.." -B "$work" -G Ninja -DFASTCONV_BUILD_FUZZERS=ON "-DFASTCONV_SANITIZE=$sanitize" \
  > "$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work" --target fuzz_api > "$work/log" || { cat "$work/log"; exit 1; }
if $guided; then
  echo "== libFuzzer for $seconds s"
  mkdir -p "$1"
  "$work/tests/fuzz/fuzz_api" -runs=0 -timeout=60 "$@" 2> "$work/log" || { cat "$work/log"; exit 1; }
  if [ "$seconds" -gt 0 ]; then
    "$work/tests/fuzz/fuzz_api" "-max_total_time=$seconds" -max_len=256 -timeout=60 -print_final_stats=1 "$@" 2> "$work/log" ||
      { cat "$work/log"; exit 1; }
    grep -E "^stat::number_of_executed_units" "$work/log"
  fi
else
  echo "== by chance for $seconds s"
  find "$@" -type f -print0 | xargs -0 "$work/tests/fuzz/fuzz_api" --seconds "$seconds"
fi
