"""What is fast, measured: ratios against plain PyTorch in one process. `python -m benchmarks <name> --help`."""
