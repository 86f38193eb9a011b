"""Imported first by the process from which workers are forked: it dies with its parent, also while it still imports.

Its own way of noticing comes after the imports and lets Python end at leisure: seconds in which it outlives the sweep.
"""

import ctypes
import signal

# Source: prctl(2), Linux.
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)
if hasattr(libc, "prctl"):
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
