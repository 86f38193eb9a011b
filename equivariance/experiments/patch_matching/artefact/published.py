"""What the paper reports of patch matching: FPR95 on PhotoTour, one run each; from the authors' figure."""

from __future__ import annotations

# In percent, by triplets: as printed for same, and what full adds as read off the figure (± 0.03); mean of two test
# sets.
SAME = {500_000: 2.0, 250_000: 2.3, 100_000: 3.8, 50_000: 8.4, 25_000: 14.5}
ADDED = {500_000: 0.05, 250_000: -0.04, 100_000: -0.92, 50_000: -4.10, 25_000: -6.26}
