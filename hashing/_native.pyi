"""The extension that CMake builds. What ffi and lib hold is in csrc/hashing.h;
only hashing/native.py touches them, and cffi checks every call at run time."""

from typing import Any

ffi: Any
lib: Any
