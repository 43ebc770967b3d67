#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The same binary on the oldest and on a recent TensorFlow: builds one wheel, installs it beside each in an environment of
# its own, and runs the TensorFlow tests there. tests/tensorflow_versions.sh [VERSION...]
set -euo pipefail
cd "$(dirname "$0")/.."

versions=("${@:-2.18.1 2.21.0}")
read -r -a versions <<< "${versions[*]}"
python=${PYTHON:-python3}
export TF_CPP_MIN_LOG_LEVEL=3
work=${FASTCONV_VERSIONS_DIR:-$(mktemp -d)} # a directory that is kept saves the installation next time
mkdir -p "$work"

"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet build
rm -rf "$work/dist"
"$work/build/bin/python" -m build --wheel --outdir "$work/dist" . > "$work/build.log" || { cat "$work/build.log"; exit 1; }
wheel=$(ls "$work"/dist/*.whl)
echo "== $(basename "$wheel"): $(sha256sum "$wheel" | cut -c1-16)"

# Two frameworks in one process and the example need more than TensorFlow; everything else must pass.
tests=(tests/test_tensorflow_{corr2d,pool2d,grad,tapes,graph,process,arraylike,keras,accelerate,freeze}.py)
for version in "${versions[@]}"; do
  "$python" -m venv "$work/$version"
  "$work/$version/bin/pip" install --quiet "tensorflow-cpu==$version" hypothesis pytest
  "$work/$version/bin/pip" install --quiet --force-reinstall --no-deps "$wheel"
  "$work/$version/bin/python" - <<'PYTHON'
import hashlib
from pathlib import Path

import fastconv
import keras
import numpy as np
import tensorflow as tf

library = Path(fastconv.__file__).parent / "tensorflow" / "libfastconv_tensorflow.so"
digest = hashlib.sha256(library.read_bytes()).hexdigest()[:16]
print(f"== TensorFlow {tf.__version__}, Keras {keras.__version__}, NumPy {np.__version__}; {library.name} {digest}")
PYTHON
  "$work/$version/bin/python" -m pytest --quiet -p no:cacheprovider "${tests[@]}" -k "not two_frameworks_in_one_process" | tail -4
done
echo "== all passed"
