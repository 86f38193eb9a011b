"""A sweep, from its jobs to its summary.

`source` says what a job is and where jobs come from; `launch` is the loop that hands them out, `attempt` computes one,
`tally` counts and sums up, `display` and `signals` face the terminal, `mirroring` feeds MLflow in the background;
`single` is one run alone. Where a sweep computes is a `place`: here `pool`, `worker` and `preload`; elsewhere it is in
the package `cluster`.
"""
