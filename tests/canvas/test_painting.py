"""Chosen cells of a tensor, block by block, against index_select and padding; gradients by finite differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from equivariance.canvas.gather import take_cells
from equivariance.canvas.painting import Spread, paint, stretches

INDICES = [[0, 1, 2, 3, 3, 3, 4], [-1, -1, 0, 1, 1, 2, -1], [2], [3, 3, 0, 4, 1, 2], [0, 2, 4, -2], [-1, 4, 4, 4], [-1]]


def selected(tensor, rows, cols, fill):
    """The same from PyTorch's own operations."""
    margins = []
    for dim, index in ((2, rows), (3, cols)):
        inside = [i for i, entry in enumerate(index) if entry >= 0]
        tensor = tensor.index_select(dim, torch.tensor([index[i] for i in inside], dtype=torch.int64))
        margins.append((inside[0], len(index) - 1 - inside[-1]) if inside else (0, len(index)))
    return F.pad(tensor, (*margins[1], *margins[0]), value=fill)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("rows", INDICES)
@pytest.mark.parametrize("cols", INDICES)
def test_the_cells_in_the_layout_they_have(layout, rows, cols):
    tensor = torch.randn(3, 2, 5, 5).contiguous(memory_format=layout)
    wanted = selected(tensor, rows, cols, -7.0)
    found = Spread.apply(tensor, np.array(rows), np.array(cols), -7.0)
    assert torch.equal(found, wanted)
    assert found.is_contiguous(memory_format=layout)
    assert torch.equal(take_cells(tensor, np.array(rows), np.array(cols), -7.0), wanted)
    of_all = paint(torch.empty_like(found), tensor[:1], np.array(rows), np.array(cols), -7.0)
    assert torch.equal(of_all, wanted[:1].expand_as(wanted))


@pytest.mark.parametrize("rows", INDICES)
def test_gradients_collect_from_wherever_a_cell_is_shown(rows):
    tensor = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: Spread.apply(t, np.array(rows), np.array(INDICES[0]), 1.0), (tensor,))


def test_few_blocks():
    assert stretches(np.array([-1, 0, 1, 2, 2, 2, 3, 4])) == (
        (slice(1, 4), slice(0, 3)),
        (slice(4, 6), slice(2, 3)),
        (slice(6, 8), slice(3, 5)),
    )
