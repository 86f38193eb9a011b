"""Thin adapters: Hydra finds launchers and sweepers in this namespace and nowhere else."""
