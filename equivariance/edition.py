"""Which edition of the numbers this code gives."""

# Raised when the same config would give other numbers than before, so that old results and features are not reused.
EDITION = 5
