# SPDX-License-Identifier: BSD-3-Clause
"""threadpoolctl sees fastconv's threads and limits them, whoever was imported first."""

import numpy as np
import pytest
import threadpoolctl
from frameworks import run_script

import fastconv
import fastconv.threadpoolctl


def ours() -> list[dict[str, object]]:
    return [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "fastconv"]


def test_it_is_seen_once():
    (info,) = ours()
    assert info["num_threads"] == fastconv.get_num_threads()
    assert info["version"] == fastconv.__version__
    assert "libfastconv." in str(info["filepath"])


@pytest.mark.parametrize("limits", [1, {"fastconv": 1}])
def test_it_is_limited_and_restored(limits: object):
    fastconv.set_num_threads(3)
    with threadpoolctl.threadpool_limits(limits):
        assert fastconv.get_num_threads() == 1
        assert ours()[0]["num_threads"] == 1
        fastconv.corr2d(np.ones((8, 8)), np.ones((3, 3)))
    assert fastconv.get_num_threads() == 3


def test_others_limits_leave_it_alone():
    fastconv.set_num_threads(3)
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        assert fastconv.get_num_threads() == 3


FIRST = "import threadpoolctl\nimport fastconv\n"
LATER = "import fastconv\nimport sys\nassert 'threadpoolctl' not in sys.modules\nimport fastconv.threadpoolctl\n"
LOOK = "import threadpoolctl\nprint([i['user_api'] for i in threadpoolctl.threadpool_info()].count('fastconv'))"


@pytest.mark.parametrize("first", [FIRST, LATER], ids=["threadpoolctl first", "fastconv first"])
def test_it_registers_itself(first: str):
    assert run_script(first + LOOK) == "1\n"


def test_tensorflows_library_is_not_a_second_pool():
    assert run_script(FIRST + "import fastconv.tensorflow\n" + LOOK) == "1\n"
