"""One folder an experiment: schema, run, table and figure, tied together by the `EXPERIMENT` of its `__init__`.

`location` and `controlled` hold what several of them share; `compute` runs any of them.
"""
