"""The platform: processes, GPUs, records, tables; it knows neither torch nor the science.

- A run's directory: `identity`, `records`, `claim`; what a sweep file's grid has and lacks: `grid`.
- A sweep: `source` (jobs and where they come from), `launcher` (the loop), `attempt`, `tally`, `display`, `signals`;
  `single` for one run alone. Where it computes: `place`, which is `pool`, `worker` and `preload` on this machine, and
  `cluster`, `cluster_task`, `cluster_submitit` and `cluster_ray` elsewhere.
- A study: `study` (a source), `study_settings`, `study_store`, `trials`, `space`, `sampling`.
- MLflow: `tracking` (the mirror and `sync`), `store`, `mark`, `mirroring` (in the background).
- The paper's artefacts: `quadrant`, `impulse`, `rook`, `red_green`, `leak_distance`, with `tables`, `figures`, `film`.
"""
