"""A convolution type of one's own: as many outputs as full convolution, the rim continued instead of zeros."""

from equivariance.boundary import Rule
from equivariance.registries import CONVS

CONVS.add("full-replicate", Rule("full-replicate", outputs="touching", outside="replicate", pools="touching"))
