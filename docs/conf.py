# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx: the pages are Markdown (MyST), the chapter is executed when it is built (MyST-NB)."""

import os

import fastconv

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for the kernels that execute the chapter
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
import fastconv.tensorflow
import fastconv.torch

project = "fastconv"
author = "The fastconv developers"
project_copyright = author
release = version = fastconv.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
templates_path: list[str] = []

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 180
nb_output_stderr = "remove"  # frameworks log there

numpydoc_show_class_members = False
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"fastconv {release}"
html_static_path = ["_static"]
html_css_files = ["fastconv.css"]
copybutton_exclude = ".linenos, .gp, .go"
