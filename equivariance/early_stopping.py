"""Training by Adadelta until the validation loss stops falling."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from equivariance.train import Examples, Report, Row, evaluate, one_epoch, row, unheard
from sweeps.progress import track

if TYPE_CHECKING:
    from equivariance.config_controls import Adadelta


def fit_adadelta(
    model: nn.Module, train: Examples, validation: Examples, optim: Adadelta, seed: int, report: Report = unheard
) -> list[Row]:
    """Trains in place and leaves the weights with the lowest validation loss.

    Args:
        model: all its parameters are trained.
        train: the split that is fitted.
        validation: the split that decides when training ends and which weights are kept.
        optim: rates, batch, epochs, patience, and whether each epoch has an order of its own.
        seed: of these orders.
        report: told each epoch's row.
    Returns: A row an epoch: epoch, lr, train_loss, train_accuracy, validation_loss, validation_accuracy.
    Source: released code of Kayhan & van Gemert 2020 (red_and_green.py).
    """
    optimiser = torch.optim.Adadelta(
        model.parameters(), lr=optim.lr, rho=optim.rho, eps=optim.eps, weight_decay=optim.weight_decay
    )
    generator = torch.Generator().manual_seed(seed)
    best, kept, waited, rows = float("inf"), copy.deepcopy(model.state_dict()), 0, []
    for epoch in track(range(1, optim.epochs + 1), optim.epochs, "training"):
        order = torch.randperm(len(train), generator=generator) if optim.shuffle else torch.arange(len(train))
        model.train()
        trained = one_epoch(model, train, optimiser, optim.batch, order)
        validated = evaluate(model, validation, optim.batch)
        rows.append(row(epoch, optim.lr, trained, validated))
        report(rows[-1])
        waited += 1
        if validated.loss < best:
            best, kept, waited = validated.loss, copy.deepcopy(model.state_dict()), 0
        elif waited > optim.patience:
            break
    model.load_state_dict(kept)
    return rows
