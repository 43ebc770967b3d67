# SPDX-License-Identifier: BSD-3-Clause
"""What bench_training.py measures: gradients of layers, and whole training steps."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # both read these when they are imported
os.environ.setdefault("KINETO_LOG_LEVEL", "5")
