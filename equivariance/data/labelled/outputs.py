"""Which output of a network tells which class of a data set."""

from __future__ import annotations

import torch
from torch import Tensor

from equivariance.data.labelled.labelled import Labelled
from equivariance.errors import UserError


def labels(test: Labelled, outputs: int, order: list[str] | None, name: str) -> Tensor:
    """The output that is right for each test picture, int64 [n].

    Args:
        test: the pictures.
        outputs: of the network.
        order: the class that each output tells; None: those of the data, in their order.
        name: of the network.
    Raises: UserError: it is not known which output tells which class.
    """
    told = tuple(order or test.classes)
    if len(told) != outputs:
        raise UserError(
            f"arch={name} has {outputs} outputs and {len(told)} classes are named; allowed:"
            " data with a folder for each class of the network, or experiment.order=FILE, a class a line"
        )
    missing = sorted(set(test.classes) - set(told))
    if missing:
        raise UserError(f"experiment.order: no {missing[0]}; allowed: names of which the data's classes are a part")
    return torch.tensor([told.index(c) for c in test.classes])[test.labels]
