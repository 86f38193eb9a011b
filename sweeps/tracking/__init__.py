"""MLflow as a mirror of the run directories.

`mirror` writes it and makes it equal again, through `store`; `mark` is what a run's directory knows of its images.
"""
