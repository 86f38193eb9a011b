"""Memory that tensors gave back, kept for the next ones."""

import ctypes
from functools import lru_cache

# Source: mallopt(3), the GNU C library.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = 2**31 - 1
LARGEST = 2**30  # bytes


@lru_cache(1)
def keep() -> bool:
    """Has the C library keep freed blocks of up to `LARGEST` bytes for this process, until it ends.

    By default every tensor of some ten MB is fresh from the kernel, which fills it with zeros page by page; a network
    on a canvas makes hundreds of them for each batch, and the kernel's part can be more than the network's. It costs
    memory: freed blocks seldom fit the next ones exactly. Nothing changes in the numbers.

    Returns: Whether it does; other libraries than GNU's are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, NEVER))
