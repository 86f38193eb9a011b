"""Where the feature map of a network of one's own is, whatever its forward method writes out."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from equivariance.errors import UserError
from equivariance.models.trunk import trunk


class Plain(nn.Module):
    """Convolutions with batch normalisation, a ReLU that no module knows of, and a classifier."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.last, self.relu, self.fc = nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU(), nn.Linear(4, 2)

    def maps(self, images):
        return self.relu(self.last(self.relu(self.norm(self.first(images)))))

    def forward(self, images):
        return self.fc(self.maps(images).mean((2, 3)))


class Keywords(Plain):
    def forward(self, images):
        return self.fc(torch.mean(input=self.maps(images), dim=(2, 3)))


class Maxima(Plain):
    def forward(self, images):
        return {"scores": self.fc(self.maps(images).max(3)[0].max(2).values)}


class Gated(Plain):
    """A gate by a global pool, and random noise that training alone has."""

    def maps(self, images):
        hidden = self.first(images)
        if self.training:
            hidden = hidden * hidden.new_ones((len(hidden), 1, 1, 1))
        return super().maps(images) * torch.sigmoid(hidden.mean((2, 3), keepdim=True))


class Coarse(Plain):
    """A gate, then strides that leave a single pixel of an image of a hundred."""

    def maps(self, images):
        gated = super().maps(images)
        gated = gated * gated.mean((2, 3), keepdim=True)
        return F.conv2d(gated, self.last.weight, stride=32, padding=1)


class Unrolled(Plain):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4 * 8 * 8, 2)

    def forward(self, images):
        return self.fc(self.maps(images).flatten(1))


class Leaving(Plain):
    def __init__(self):
        raise SystemExit(3)


@pytest.fixture
def made(monkeypatch):
    import sys

    kinds = (Plain, Keywords, Maxima, Gated, Coarse, Unrolled, Leaving)
    monkeypatch.setitem(sys.modules, "ownnets", SimpleNamespace(**{kind.__name__: kind for kind in kinds}))
    return lambda kind, features=None: trunk("python", f"ownnets:{kind}", None, features)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", ["Plain", "Keywords", "Maxima", "Gated", "Coarse"])
def test_what_the_last_global_pool_takes_is_the_map(made, kind, training):
    found = made(kind).train(training)
    images = torch.rand(2, 3, 160, 192)
    assert torch.equal(found(images), found.network.maps(images))


@pytest.mark.parametrize("kind", ["Plain", "Unrolled"])
def test_the_last_output_of_a_named_module_that_is_called_twice_is_the_map(made, kind):
    found = made(kind, "relu").eval()
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(found(images), found.network.maps(images))


@pytest.mark.parametrize(("kind", "said"), [("Unrolled", "features=MODULE"), ("Leaving", "ownnets:Leaving")])
def test_what_has_no_map_is_refused_in_one_line(made, kind, said):
    with pytest.raises(UserError, match=said) as caught:
        made(kind)
    assert "\n" not in str(caught.value)
