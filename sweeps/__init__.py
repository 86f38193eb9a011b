"""The platform: processes, GPUs, records, tables; it knows neither torch nor the science.

- A run's directory: `identity`, `records`, `claim`; what a sweep file's grid has and lacks: `grid`.
- `tracking`: the mirror of the run directories in MLflow.
- `launcher`: a sweep on this machine; `cluster`: the same sweep on SLURM or Ray; `study`: one that Optuna leads.
- What an experiment is to the platform: `experiments`, found by name in a `registry`; its table and figure:
  `artefacts`, `general` where it brings none, `tables`, `intervals`. What is said, and bars: `terminal`.
"""
