"""One folder an experiment: schema, run, table and figure, tied together by the `EXPERIMENT` of its `__init__`.

`location` and `controlled` hold what several of them share; `compute` runs any of them. An experiment of one's own
makes itself known by `register`.
"""

from equivariance.experiments.result import Result
from sweeps.experiments import Experiment, register

__all__ = ["Experiment", "Result", "register"]
