"""What the files say of the images and services: well formed, pinned, closed to the network and without rights."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docker.files import COMPOSE, FOLDER, ROOT, SERVICES, copied, installation, last, stages

TARGETS = {name: service["build"]["target"] for name, service in SERVICES.items() if "build" in service}
PINNED = re.compile(r"[\w./-]+:\d+\.\d+[\w.-]*")


def lint(path):
    return subprocess.run([Path(sys.executable).with_name("hadolint"), path], capture_output=True, text=True)


def valid(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_dockerfile_passes_the_linter():
    done = lint(FOLDER / "Dockerfile")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("sound", "broken", "rule"),
    [
        (":3.12.12-slim-bookworm", ":latest", "DL3007"),
        ("USER 1000:1000", "USER root", "DL3002"),
        ("COPY conf conf", "ADD conf conf", "DL3020"),
    ],
)
def test_the_linter_finds_what_it_is_there_for(sound, broken, rule, tmp_path):
    text = (FOLDER / "Dockerfile").read_text()
    assert sound in text
    (tmp_path / "Dockerfile").write_text(text.replace(sound, broken))
    done = lint(tmp_path / "Dockerfile")
    assert (done.returncode, rule in done.stdout) == (1, True), done.stdout


def test_the_compose_file_follows_the_specification(tmp_path):
    done = valid(FOLDER / "compose.yaml")
    assert done.returncode == 0, done.stdout
    broken = (FOLDER / "compose.yaml").read_text().replace("service_healthy", "service_well")
    (tmp_path / "compose.yaml").write_text(broken)
    assert valid(tmp_path / "compose.yaml").returncode == 1


def test_every_image_is_pinned_to_a_version():
    bases = {stage["base"] for stage in stages().values()} - set(stages())
    images = bases | {service["image"] for service in SERVICES.values() if "image" in service}
    assert len(images) == 3
    assert [image for image in images if not PINNED.fullmatch(image)] == []
    assert not PINNED.fullmatch("postgres:17")


@pytest.mark.parametrize("target", TARGETS.values())
def test_an_image_runs_as_a_user_by_number_who_is_not_root(target):
    assert target in stages()
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last(target, "USER"))


def test_a_service_has_no_rights_beyond_its_users():
    for name in TARGETS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert {name: s["user"] for name, s in SERVICES.items() if "user" in s} == {
        "worker": "${USER_ID:-1000}:${GROUP_ID:-1000}"
    }
    assert not [s for s in SERVICES.values() if {"privileged", "network_mode", "pid", "cap_add"} & set(s)]


def test_ports_are_open_on_this_machine_only():
    ports = [str(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)] == []
    assert "ports" not in SERVICES["postgres"]


def test_passwords_come_from_the_environment_and_are_required():
    given = {
        (name, key): str(value)
        for name, service in SERVICES.items()
        for key, value in service.get("environment", {}).items()
        if re.search("PASS|SECRET|TOKEN|KEY", key)
    }
    assert set(SERVICES) == {name for name, _ in given}
    assert [v for v in given.values() if not re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", v)] == []
    text = "".join((FOLDER / name).read_text() for name in ("Dockerfile", "compose.yaml", "databases.sql"))
    assert not re.search(r"//[^/@\s]+:[^/@\s]+@", text)  # user:password@host
    assert not re.search(r"(?m)^(ARG|ENV) .*(?i:passw|secret|token)", text)
    assert ".env" in (FOLDER / ".gitignore").read_text().splitlines()


def test_who_waits_for_a_service_waits_until_it_is_healthy():
    awaited = {other for service in SERVICES.values() for other in service.get("depends_on", {})}
    assert awaited == {"mlflow", "postgres"}
    for service in SERVICES.values():
        assert {d["condition"] for d in service.get("depends_on", {}).values()} <= {"service_healthy"}
    for name, service in SERVICES.items():
        own = last(TARGETS[name], "HEALTHCHECK") if name in TARGETS else service["healthcheck"]["test"]
        assert own
        assert (own == "NONE") == (name == "worker")  # a command that ends


def test_the_worker_gets_the_gpus_and_keeps_its_runs():
    worker = SERVICES["worker"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    folder = last(TARGETS["worker"], "WORKDIR")
    kept = {volume["target"]: volume for volume in worker["volumes"]}
    assert set(kept) == {f"{folder}/runs", f"{folder}/results"}
    for volume in kept.values():
        assert (FOLDER / volume["source"]).resolve().parent == ROOT
        assert volume["bind"]["create_host_path"] is False


def test_the_servers_keep_their_data_in_named_volumes():
    mounts = [m for n in ("mlflow", "postgres") for m in SERVICES[n]["volumes"] if not m.startswith("./")]
    assert {m.partition(":")[0] for m in mounts} == set(COMPOSE["volumes"])
    assert (
        f"--artifacts-destination={SERVICES['mlflow']['volumes'][0].partition(':')[2]}" in SERVICES["mlflow"]["command"]
    )


def test_make_and_the_images_install_with_one_script_and_one_lock():
    assert "sh requirements/install.sh $(VENV)" in (ROOT / "Makefile").read_text()
    assert "constraints.txt" in (ROOT / "requirements" / "install.sh").read_text()
    for stage in ("worker-build", "server-build"):
        assert installation(stage)[:3] == ["sh", "requirements/install.sh", "/opt/venv"]
        assert "requirements" in copied(stage)
    text = (ROOT / "Makefile").read_text() + (FOLDER / "Dockerfile").read_text()
    assert not re.search(r"(pip|uv) install", text)


def test_the_build_context_is_what_the_images_copy_and_nothing_else():
    rules = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert [r for r in rules if not r.startswith(("#", "!"))] == ["*", "**/__pycache__"]
    wanted = {path for stage in stages() for path in copied(stage)}
    assert {r.removeprefix("!") for r in rules if r.startswith("!")} == wanted
    assert [path for path in wanted if not (ROOT / path).exists()] == []


def required(package, extras, seen):
    """Names of all that a package's extras bring on this machine, from what is installed."""
    for text in requires(package) or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            required(requirement.name, requirement.extras | {""}, seen)
    return {name for name, _ in seen}


def test_the_lock_names_a_version_of_everything_that_is_installed():
    lines = (ROOT / "requirements" / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    locked = {canonicalize_name(pin.partition("==")[0]) for pin in pins}
    assert len(locked) == len(pins)
    try:
        installed = required("equivariance", {"dev", ""}, set()) - {"equivariance"}
    except PackageNotFoundError as missing:
        pytest.skip(f"{missing} is not installed: `make setup` is older than pyproject.toml")
    assert {"torch", "psycopg2-binary", "optuna-dashboard", "sqlalchemy", "mlflow-skinny"} <= installed
    assert installed - locked == set()
