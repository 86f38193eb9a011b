"""The typed schema of a run: what every experiment's config has, and how a composed one is checked.

A config is composed by Hydra from `conf/`; `validate` turns it into the `Run` that its experiment takes
(equivariance/experiments/<name>/config.py) or says in one line what is wrong.
"""

from equivariance.config.base import Choice, Section
from equivariance.config.parts import (
    AnyArch,
    Arch,
    Conv,
    Downsample,
    Init,
    NoTraining,
    Pretrained,
    Probe,
    PythonArch,
    Scratch,
    Sgd,
    Tracking,
)
from equivariance.config.run import Run, scientific, validate

__all__ = [
    "AnyArch",
    "Arch",
    "Choice",
    "Conv",
    "Downsample",
    "Init",
    "NoTraining",
    "Pretrained",
    "Probe",
    "PythonArch",
    "Run",
    "Scratch",
    "Section",
    "Sgd",
    "Tracking",
    "scientific",
    "validate",
]
