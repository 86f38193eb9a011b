"""Reads docker/Dockerfile and docker/compose.yaml as the builder would, as far as the tests need it."""

import json
import re
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def stages():
    """Each stage of the Dockerfile by name: its base, and its steps as (word, rest), those of the base first."""
    lines = [line for line in (FOLDER / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    found = {}
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = {"base": base, "steps": list(found[base]["steps"]) if base in found else []}
        elif word:
            found[name]["steps"].append((word, " ".join(rest.split())))
    return found


def last(stage, word):
    """What the last instruction of a kind says in a stage; None: it has none."""
    return next((rest for w, rest in reversed(stages()[stage]["steps"]) if w == word), None)


def copied(stage):
    """The paths of the build context that a stage copies."""
    sources = [rest.split()[:-1] for word, rest in stages()[stage]["steps"] if word == "COPY" and "--from" not in rest]
    return [path for paths in sources for path in paths]


def installation(stage):
    """The words of the RUN step that calls the install script, without the builder's own options."""
    (step,) = [rest for word, rest in stages()[stage]["steps"] if word == "RUN" and "install.sh" in rest]
    return shlex.split(re.sub(r"--mount=\S+\s+", "", step))


def healthcheck(stage):
    """The command of a stage's HEALTHCHECK."""
    return json.loads(last(stage, "HEALTHCHECK").partition("CMD ")[2])
