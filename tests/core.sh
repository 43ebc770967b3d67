#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The part of the test suite that needs NumPy, hypothesis, ml_dtypes, threadpoolctl and pytest alone: no compiler, no
# framework, and nothing of the source tree but tests/ and csrc/. For an installed wheel.
#
#   tests/core.sh PYTHON [ARGUMENT FOR PYTEST ...]
set -euo pipefail
python=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
names=(corr2d corr2d_forms corr2d_grad corr2d_special depthwise dtypes equivariance errors errors_more explain extremes
  free_threading geometry imports inputs pool2d pool2d_grad pool2d_special reference reproducible winograd)
case $(uname -s) in
  MINGW* | MSYS*) ;; # Windows: the others fork, forbid pages and ask for CPUs as POSIX does
  *) names+=(bounds concurrency config float_mode) ;;
esac
files=("${names[@]/#/tests/test_}")
files=("${files[@]/%/.py}")
exec "$python" -m pytest -q -p no:cacheprovider "${files[@]}" "$@"
