"""Where studies are kept: one is opened, made where it is missing, and refused where another search began it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.addresses import opened
from sweeps.claim import claim
from sweeps.errors import UserError
from sweeps.identity import flat, identity
from sweeps.study.settings import Settings
from sweeps.study.space import Space, described

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage
    from sqlalchemy.engine import URL

# Under which a study says what it searches.
SEARCH = "search"
# Seconds that a writer waits for another one of the same SQLite file.
PATIENCE = 60


def search(settings: Settings, space: Space, fixed: dict[str, Any]) -> dict[str, Any]:
    """What may not change within a study, as JSON holds it.

    Args:
        settings: of the study.
        space: what is searched.
        fixed: what is the same in all its runs, plain nested values.
    """
    found = {
        "searched": {key: described(d) for key, d in space.items()},
        "fixed": flat(fixed),
        "objectives": settings.objectives,
        "seeds": settings.seeds,
    }
    return json.loads(json.dumps(found))


def open_study(
    settings: Settings, space: Space, fixed: dict[str, Any], folder: Path
) -> tuple[BaseStorage, optuna.Study]:
    """Opens a study, and makes storage and study where they are missing.

    Args:
        settings: of the study.
        space: what is searched.
        fixed: what is the same in all its runs, plain nested values.
        folder: of the claims.
    Raises: UserError: the storage cannot be opened, or the study was begun with another search; in one line.
    """
    import optuna

    with claim(folder.parent / "schema", wait=True):  # two that make the tables of one database at once both fail
        storage = _storage(settings.storage)
        study = optuna.create_study(
            storage=storage,
            study_name=settings.study,
            directions=settings.directions,
            load_if_exists=True,
            sampler=optuna.samplers.RandomSampler(),  # trials are drawn elsewhere
        )
        now, before = search(settings, space, fixed), study.user_attrs.get(SEARCH)
        if before is None and not study.get_trials(deepcopy=False):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that names, which the dashboard shows, are experimental
                study.set_metric_names(list(settings.objectives))
            study.set_user_attr(SEARCH, now)
        elif before != now:
            began = _difference(before or {}, now)
            raise UserError(
                f"hydra.sweeper.study={settings.study}: begun with {began}; another search needs another name"
            )
    return storage, study


def claims(settings: Settings, runs: Path) -> Path:
    """The folder where a study's claims lie, beside the runs; a name may hold anything, so it is hashed.

    Raises: UserError: the storage has no URL that can be read.
    """
    storage = _address(settings.storage).render_as_string(hide_password=True)
    return runs / ".studies" / identity({"storage": storage, "study": settings.study})


def failures() -> tuple[type[Exception], ...]:
    """What is raised where a study's storage is lost."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    return OptunaError, SQLAlchemyError


def _storage(url: str) -> BaseStorage:
    from optuna.storages import RDBStorage, get_storage

    address = _address(url)
    is_file = address.get_backend_name() == "sqlite"
    options = {"connect_args": {"timeout": PATIENCE}} if is_file else {"pool_pre_ping": True}
    refused: tuple[type[Exception], ...] = (ImportError, RuntimeError, *failures())
    try:
        return get_storage(RDBStorage(address.render_as_string(hide_password=False), engine_kwargs=options))
    except refused as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise UserError(f"hydra.sweeper.storage={url}: cannot be opened ({reason})") from None


def _address(url: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(opened(url))
    except (ArgumentError, ValueError):  # the latter of a port
        raise UserError("hydra.sweeper.storage: not the URL of a database; for example sqlite:///optuna.db") from None
    if address.get_backend_name() != "sqlite":
        return address
    if address.database in (None, "", ":memory:"):
        raise UserError(f"hydra.sweeper.storage={url}: a study in memory cannot be taken up again; give a file")
    return address.set(database=str(Path(address.database).absolute()))


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What a study was begun with and what is asked now, the first three keys."""
    one, other = (_lines(s) for s in (before, now))
    differing = [k for k in (*one, *(k for k in other if k not in one)) if one.get(k) != other.get(k)]
    said = [f"{key} {one.get(key, 'not')} (now {other.get(key, 'not')})" for key in differing[:3]]
    return "; ".join(said) + " …" * (len(differing) > 3)


def _lines(search: dict[str, Any]) -> dict[str, str]:
    parts = [
        search.get("searched", {}),
        search.get("fixed", {}),
        {"objectives": search.get("objectives")},
        {"seeds": search.get("seeds")},
    ]
    return {key: str(value) for part in parts for key, value in part.items()}
