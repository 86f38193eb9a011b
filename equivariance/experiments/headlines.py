"""What a run is, and what it gave, in a few words."""

from typing import Any


def sampled(config: Any) -> str:
    """How its strided layers sample, where that is not as published."""
    return "" if config.downsample.name == "strided" else f" {config.downsample.name}"


def accuracy(result: dict[str, Any]) -> str:
    """Test accuracy, and whether it is proved or else its loss."""
    values = result["metrics"]
    if result["notes"].get("certified"):
        return f"accuracy {100 * values['accuracy']:g} % (certified)"
    loss = f", loss {values['loss']:.3f}" if "loss" in values else ""
    return f"accuracy {100 * values['accuracy']:.1f} %{loss}"
