#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Run the C tests and the NumPy tests with AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   tests/sanitize.sh [--c-only] [ARGUMENT FOR PYTEST ...]
#
# It needs GCC and its sanitizers, cmake and ninja, and, unless --c-only is given, the network for pip. PYTHON names the
# interpreter (python3), SANITIZE the sanitizers (address,undefined). On two cores it takes about ten minutes.
#   tests/sanitize.sh -k "corr2d and not grad"      a part of the Python tests
#   SANITIZE=thread tests/sanitize.sh --c-only      data races
set -euo pipefail
cd "$(dirname "$0")/.."

sanitize=${SANITIZE:-address,undefined}
python=${PYTHON:-python3}
c_only=false
if [ "${1:-}" = --c-only ]; then
  c_only=true
  shift
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

echo "== the C tests, with leak detection"
CC=gcc cmake -S . -B "$work/c" -G Ninja -DFASTCONV_BUILD_TESTS=ON "-DFASTCONV_SANITIZE=$sanitize" > "$work/log" ||
  { cat "$work/log"; exit 1; }
cmake --build "$work/c" > "$work/log" || { cat "$work/log"; exit 1; }
# A fork of a process with threads is what one of the tests is about.
ASAN_OPTIONS=detect_leaks=1 TSAN_OPTIONS=die_after_fork=0 ctest --test-dir "$work/c" --output-on-failure
if $c_only; then exit 0; fi

echo "== the Python tests"
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "numpy>=2.0" "hypothesis>=6.100" "ml_dtypes>=0.4" "pytest>=9.0"
CC=gcc "$work/venv/bin/pip" install --quiet -C "cmake.define.FASTCONV_SANITIZE=$sanitize" -C "build-dir=$work/build" .
# detect_leaks=0: CPython keeps what it allocated at import until the process ends. PYTHONMALLOC=malloc: so that every
# array is a block of its own, whose ends are watched. handle_segv=0: one test asks for a segmentation fault.
# libstdc++ beside libasan: without it the exceptions of C++ extensions cannot be intercepted.
# Left out: what builds C again or looks at symbols, the demo, what needs PyTorch or TensorFlow, what measures memory or
# refuses it, of which sanitizers take much and which they allocate in their own way.
PYTHONMALLOC=malloc \
  ASAN_OPTIONS=detect_leaks=0:handle_segv=0:allocator_may_return_null=1 \
  LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)" \
  "$work/venv/bin/python" -m pytest -q -p no:cacheprovider --ignore tests/test_c_api.py --ignore tests/test_structure.py \
  --ignore tests/test_demo.py --ignore tests/test_memory.py --ignore tests/trust/test_no_memory.py \
  --ignore tests/trust/test_no_memory_frameworks.py --ignore tests/trust/test_replay.py --ignore tests/trust/test_same_bits.py \
  --ignore tests/trust/test_mapped.py --ignore tests/trust/test_threads.py --ignore tests/trust/test_load.py --ignore-glob "tests/test_tensorflow_*" \
  --ignore-glob "tests/test_torch_*" --ignore tests/test_readme.py --ignore tests/test_docstrings.py --ignore tests/test_benchmarks.py \
  --ignore tests/test_bench_operators.py --ignore tests/test_bench_training.py --ignore tests/test_comparison.py --ignore tests/test_recipes.py \
  --ignore tests/test_choice.py --ignore tests/test_scale.py --ignore tests/test_typing.py --ignore tests/test_threadpoolctl.py "$@"
echo "== nothing was found"
