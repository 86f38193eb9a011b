"""Convolution types: how a network meets the boundary, for any network, without touching it.

A published network pads each layer so that its output index j looks at the input around index s*j. Here that index
grid is kept, every tensor carries the index of its first row and column, and a convolution type says two things: which
outputs there are, and what lies outside the map. Shortcuts and concatenations then align by themselves.

| type | outputs | outside the map |
|---|---|---|
| same | the published network, untouched | |
| valid | those whose kernel lies inside | nothing; sums keep the intersection |
| full | those whose kernel touches the map | zero, for pooling and sums (union) too |
| unbounded | those whose kernel touches the map | what an endless background gives at this layer |
| circular, reflect, replicate | as many as published, every kernel padded to its centre | the map, continued |
| partial | as published, every kernel padded to its centre | ignored: sums are scaled by the share inside |

A second thing that a network does with places is to leave them out. `Sampling` says how its strided layers do so: as
published (`strided`), after a binomial filter (`blur`), or for each image at the phase whose entries have the largest
norm (`polyphase`). A map is held at every entry until its stride is due (see `downsampling`), under any type.

Maps have one, two or three axes of space. Of videos a type may be about space alone: time is then padded as published.

Reading order: rules (geometry, what lies outside) · sampling (what is asked) · place · still (axes left as published) ·
bounded (the tensor) · sliding, downsampling, meanings (of descriptions).
Source: Kayhan & van Gemert 2020, section 3; partial: Liu et al. 2018 (arXiv 1811.11718); unbounded: this project.
"""

from equivariance.boundary import meanings as meanings  # these two register what each description means
from equivariance.boundary import sliding as sliding
from equivariance.boundary.bounded import Bounded, bounded, unwrap
from equivariance.boundary.rules import RULES, SAME, Rule
from equivariance.boundary.sampling import DOWNSAMPLES, STRIDED, Sampling

__all__ = ["DOWNSAMPLES", "RULES", "SAME", "STRIDED", "Bounded", "Rule", "Sampling", "bounded", "unwrap"]
