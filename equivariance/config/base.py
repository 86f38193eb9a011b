"""What every part of the config is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Section(BaseModel):
    """A part of the config: unknown keys and values of another type are refused, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Kinds = dict[str, type[Section]]


class Choice:
    """In an annotation: which of several kinds of section a value is, as one of its keys says.

    Args:
        kinds: gives them by the value of the key, asked at each validation, so that more may be registered.
        key: that tells them apart.
    """

    def __init__(self, kinds: Callable[[], Kinds], key: str = "name") -> None:
        self.kinds, self.key = kinds, key

    @classmethod
    def of(cls, *kinds: type[Section]) -> Choice:
        """One of these, by the literal of their `name`."""
        named = {kind.model_fields["name"].annotation.__args__[0]: kind for kind in kinds}  # type: ignore[union-attr]
        return cls(lambda: named)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """What pydantic validates by."""
        written = core_schema.plain_serializer_function_ser_schema(lambda section: section.model_dump())
        return core_schema.no_info_plain_validator_function(self._validated, serialization=written)

    def _validated(self, value: Any) -> Section:
        if isinstance(value, Section):
            return value
        kinds = self.kinds()
        name = value.get(self.key) if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in kinds:
            raise PydanticCustomError("choice", "no such kind", {"key": self.key, "tag": name, "allowed": list(kinds)})
        return kinds[name].model_validate(value)


Rate = Annotated[float, Field(gt=0, le=100)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Patience = Annotated[int, Field(ge=0, le=100_000)]  # epochs
Batch = Annotated[int, Field(ge=1, le=65_536)]  # images
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Decay = Annotated[float, Field(ge=0, le=1)]
