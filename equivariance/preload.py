"""What every worker of a sweep needs, imported once in the process from which workers are forked.

No CUDA call may happen here: a process that has started CUDA cannot be forked.
"""

from importlib import import_module

import_module("torchvision")
