"""What figures of experiments share: colours and line styles that mean the same in each of them."""

from typing import Any

# Colour-blind safe (Okabe & Ito), one an initialisation; line styles tell convolution types.
COLOURS = {"scratch": "#0072B2", "frozen-random": "#D55E00", "frozen-pretrained": "#009E73"}
STYLES: dict[str, Any] = {"same": "-", "full": "--"}
OTHER = ":"
SHADE = "#EAF2EA"
# One a convolution type, the same in every figure that has several (Okabe & Ito).
CONV_COLOURS = {
    "valid": "#E69F00",
    "same": "#D55E00",
    "circular": "#56B4E9",
    "reflect": "#CC79A7",
    "replicate": "#999999",
    "partial": "#B8A500",
    "full": "#0072B2",
    "unbounded": "#009E73",
}


def ordered(conv: str) -> int:
    """The place of a convolution type in tables; those of one's own come last."""
    return list(CONV_COLOURS).index(conv) if conv in CONV_COLOURS else len(CONV_COLOURS)
