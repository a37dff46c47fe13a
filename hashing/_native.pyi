"""The extension that CMake builds. What ffi and lib hold is in csrc/hashing.h;
only the modules of hashing/native touch them; cffi checks every call at run time."""

from typing import Any

ffi: Any
lib: Any
