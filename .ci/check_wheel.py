# SPDX-License-Identifier: BSD-3-Clause
"""Check that a wheel holds what users need and nothing else."""

import re
import sys
import zipfile
from pathlib import Path

WANTED = (
    r"fastconv/__init__\.py",
    r"fastconv/py\.typed",
    r"fastconv/_core\.pyi",
    r"fastconv/_core\..*\.(so|pyd)",
    r"fastconv/functional/_plain\..*\.(so|pyd)",
    r"fastconv/torch/__init__\.py",
    r"fastconv/torch/_eager\..*\.(so|pyd)",
    r"fastconv/torch/_eager_pooling\..*\.(so|pyd)",
    r"fastconv/torch/_frozen\..*\.(so|pyd)",
    r"fastconv/(lib)?fastconv\.(so|dylib|dll)",
    r"fastconv/tensorflow/__init__\.py",
    r"fastconv/demo/__init__\.py",
    r"fastconv-.*\.dist-info/licenses/LICENSE",
)
TENSORFLOW = r"fastconv/tensorflow/libfastconv_tensorflow\.(so|dylib)"  # docs/packaging.md says why not on Windows
ALLOWED = (
    r"fastconv(-[^/]*\.dist-info)?/.*"
    r"(\.py|\.pyi|\.so|\.dylib|\.dll|\.pyd|py\.typed|METADATA|WHEEL|RECORD|LICENSE|entry_points\.txt)"
)
MOST_BYTES = 2_000_000


def main(path: Path) -> None:
    """Exit with a sentence if the wheel is not as it should be."""
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
    for pattern in WANTED if "-win_" in path.name else (*WANTED, TENSORFLOW):
        if not any(re.fullmatch(pattern, name) for name in names):
            sys.exit(f"{path.name} lacks {pattern}")
    extra = [name for name in names if not re.fullmatch(ALLOWED, name)]
    if extra:
        sys.exit(f"{path.name} holds what it should not: {', '.join(extra)}")
    if path.stat().st_size > MOST_BYTES:
        sys.exit(f"{path.name} has {path.stat().st_size} bytes, more than {MOST_BYTES}")
    print(f"{path.name}: {len(names)} files, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
