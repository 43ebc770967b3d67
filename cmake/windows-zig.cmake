# SPDX-License-Identifier: BSD-3-Clause
# Cross-compile for Windows on x86-64 with the Clang of Zig, which brings the headers, and run what was built under Wine
# (pip install ziglang; Debian, Ubuntu: wine, wine64).
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
find_program(ZIG NAMES zig python-zig REQUIRED)
set(CMAKE_C_COMPILER "${ZIG}" cc)
set(CMAKE_C_COMPILER_TARGET x86_64-windows-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR wine)
