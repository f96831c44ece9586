"""The GPU of this machine.

Input   none
Output  its compute capability
State   none
"""

from __future__ import annotations

from streaming.errors import EngineError


def compute_capability() -> str:
    """Return the compute capability of the first GPU, as `SM90`.

    Raises:
        EngineError: pycuda is not installed, or there is no GPU.
    """
    try:
        import pycuda.driver as cuda
    except ImportError as error:
        raise EngineError(f"pycuda cannot be used ({error}); pip install 'zhiyin[trt]'") from None
    try:
        cuda.init()
        major, minor = cuda.Device(0).compute_capability()
    except cuda.Error as error:
        raise EngineError(f"no NVIDIA GPU can be used: {error}") from None
    return f"SM{major}{minor}"
