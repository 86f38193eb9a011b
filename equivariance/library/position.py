"""Whether a network tells where a picture lies, measured on pictures: at one border, and how far from the boundary."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from equivariance import theory
from equivariance.config import Probe
from equivariance.data.quadrant import Quadrant
from equivariance.decoding import Decoding, decode, search
from equivariance.engine import choose, pooled
from equivariance.errors import UserError
from equivariance.library.structure import evaluating, structural
from equivariance.models import Classifier, FeatureMap
from equivariance.models.own import SIDE, feature_map
from equivariance.models.trunk import Trunk
from equivariance.probe import fit_probe

# Places are apart by a multiple of it, in pixels: of the strides of most networks, so that their phase is the same.
APART = 64
PROBE = Probe(name="probe", l2=1e-3, iterations=1000)


class PositionAccuracy(NamedTuple):
    """How well a linear head on a network's pooled features tells two places of unseen pictures apart.

    Args:
        accuracy: share of test images, in [0, 1]; chance is one half.
        low: lower end of its one-sided 95 % interval; above one half: it can tell.
        n: test images.
        certified: whether theory proves chance, so that nothing was computed.
    """

    accuracy: float
    low: float
    n: int
    certified: bool


class LeakDistance(NamedTuple):
    """How far from the boundary the place of a picture can be told, in pixels.

    Args:
        pixels: the largest border tried at which it could be; 0 where it could be at none.
        not_decodable: the lowest above it at which it could not; None: the largest tried was still decodable.
        bound: from which on theory rules it out, whatever the weights; None: theory knows none.
    """

    pixels: int
    not_decodable: int | None
    bound: int | None


def position_accuracy(
    model: nn.Module, pictures: Tensor, border: int = 0, canvas: int | None = None, pooling: str = "max"
) -> PositionAccuracy:
    """Whether the place of a picture can be read off a network's pooled features, at one border.

    Each picture lies once at the upper left and once at the bottom right of an empty canvas; a linear head is fitted to
    the first half of the pictures and tested on the second. Not for: pictures of which both halves show the same thing,
    which the head would know by heart; nor as a proof of blindness, which `certified_border` gives.

    Args:
        model: maps images [N, C, H, W] to anything, through a feature map that is pooled globally; left as it is. Of
            `with_conv`, too.
        pictures: float [n, C, side, side], n of 4 or more, normalised; the canvas around them is 0. Taken to the
            model's type and device.
        border: pixels of empty canvas on each side.
        canvas: pixels a side without the border; None: the places are 64 pixels apart, or as many times 64 as fit them.
        pooling: `max` or `avg`, of the feature map.
    Raises: UserError: the model has no feature map, or the pictures are too few. NotFinite: a feature is not.
    Source: Kayhan & van Gemert 2020, section 3.1.

    >>> import torch
    >>> from torchvision.models import squeezenet1_1
    >>> _ = torch.manual_seed(0)
    >>> found = position_accuracy(squeezenet1_1(), torch.rand(12, 3, 32, 32), border=200)
    >>> found.accuracy, found.n, found.certified
    (0.5, 12, True)
    """
    task, pictures = _task(pictures, canvas).at(border), _as_weights(pictures, model)
    network, edgeless, phaseless = structural(model)
    with evaluating(model), torch.no_grad():
        test = len(pictures) - len(pictures) // 2
        if theory.certified(network, task, edgeless, pictures.shape[1], phaseless):
            return PositionAccuracy(0.5, 0.5, 2 * test, True)
        found = _decoded(_classifier(model, pictures, pooling), task, pictures)
    return PositionAccuracy(found.accuracy, found.low(0.95), 2 * test, False)


def leak_distance(
    model: nn.Module,
    pictures: Tensor,
    canvas: int | None = None,
    resolution: int = 8,
    limit: int = 512,
    pooling: str = "max",
) -> LeakDistance:
    """How far from the boundary a network can tell where a picture lies, by bisection over borders.

    A border counts as decodable where `position_accuracy` says so with 95 % confidence; each verdict has that
    confidence, all together do not. Not for: comparing networks on other pictures or another number of them, since more
    pictures show fainter leaks.

    Args:
        model: as in `position_accuracy`.
        pictures: as in `position_accuracy`.
        canvas: as in `position_accuracy`.
        resolution: pixels; the borders tried are its multiples.
        limit: pixels; the largest border tried where theory has no bound.
        pooling: as in `position_accuracy`.
    Raises: as `position_accuracy`.
    Source: the question is Kayhan & van Gemert's (2020, section 3.1); the search and its test are this project's.

    >>> from torchvision.models import resnet18
    >>> from equivariance import with_conv
    >>> leak_distance(with_conv(resnet18(), "unbounded"), torch.rand(8, 3, 32, 32))
    LeakDistance(pixels=0, not_decodable=0, bound=0)
    """
    task, pictures = _task(pictures, canvas), _as_weights(pictures, model)
    network, edgeless, phaseless = structural(model)
    with evaluating(model), torch.no_grad():
        channels = pictures.shape[1]
        bound = theory.smallest_certified_border(
            network, task, edgeless=edgeless, channels=channels, phaseless=phaseless
        )
        classifier = _classifier(model, pictures, pooling) if bound != 0 else None

        def decodable(border: int) -> bool:
            here = task.at(border)
            if classifier is None or theory.certified(network, here, edgeless, channels, phaseless):
                return False
            return _decoded(classifier, here, pictures).low(0.95) > 0.5

        pixels, beyond = search(decodable, bound, resolution, limit)
    return LeakDistance(pixels, beyond, bound)


def _task(pictures: Tensor, canvas: int | None) -> Quadrant:
    """The geometry, without border, on black."""
    if pictures.dim() != 4 or pictures.shape[2] != pictures.shape[3] or len(pictures) < 4:
        raise UserError(f"pictures: {list(pictures.shape)}; allowed: [n, C, side, side] with n of 4 or more")
    side = pictures.shape[2]
    return Quadrant(side, canvas or side + -(-side // APART) * APART, 0, (0.0,) * pictures.shape[1])


def _as_weights(pictures: Tensor, model: nn.Module) -> Tensor:
    """Pictures of the type of a model's weights, beside them."""
    weights = next((p for p in model.parameters() if p.is_floating_point()), pictures)
    return pictures.to(weights)


def _classifier(model: nn.Module, pictures: Tensor, pooling: str) -> Classifier:
    """The model's trunk with a fresh head for two places."""
    given = model if isinstance(model, FeatureMap) else FeatureMap(model, "same")
    network = given.trunk
    blank = pictures.new_zeros(1, pictures.shape[1], SIDE, SIDE)
    trunk = Trunk(network, feature_map(network, type(network).__name__, None, blank))
    trunk.channels = trunk(blank).shape[1]
    found = Classifier(trunk, given.conv, pooling, sampling=given.sampling)
    found.feature_map.background = (0.0,) * pictures.shape[1]
    found.head.to(pictures)
    return found.eval()


def _decoded(classifier: Classifier, task: Quadrant, pictures: Tensor) -> Decoding:
    """A head fitted to the first half of the pictures, and what it says of the second."""
    engine = choose("auto", classifier, task)
    train, test = pictures.chunk(2) if len(pictures) % 2 == 0 else pictures.split(len(pictures) // 2 + 1)
    features = [pooled(classifier, task, part, engine, "features") for part in (train, test)]
    labels = torch.arange(2, device=pictures.device).repeat_interleave(len(train))
    with torch.enable_grad():
        fit_probe(classifier.head, features[0].clone(), labels, PROBE)
    return decode(classifier.head, features[1], task.tolerance)
