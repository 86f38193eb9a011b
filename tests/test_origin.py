"""A result names the version, and a commit only where the code lies in a checkout of its own."""

import subprocess
from importlib.metadata import version

import pytest

from equivariance import origin


def git(folder, *arguments):
    who = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def described(tmp_path, monkeypatch):
    """A repository with one commit of the files named first; and what is said of a package that lies below it."""
    repository = tmp_path / "repository"

    def commit(tracked, package="", untracked=()):
        for name in (*tracked, *untracked):
            path = repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("1")
        git(repository, "init")
        git(repository, "add", "--", *tracked)
        git(repository, "commit", "-m", "one")
        monkeypatch.setattr(origin, "__file__", str(repository / package / "equivariance" / "origin.py"))
        origin.commit.cache_clear()
        return origin.commit(), git(repository, "rev-parse", "HEAD").strip(), repository

    yield commit
    origin.commit.cache_clear()


OURS = ("equivariance/origin.py", "conf/config.yaml")
ENVIRONMENT = ".venv/lib/python3.11/site-packages"


def test_a_checkout_of_its_own_is_described_and_a_changed_one_marked(described):
    found, head, repository = described(OURS)
    assert found == head
    (repository / "conf" / "config.yaml").write_text("2")
    origin.commit.cache_clear()
    assert origin.commit() == f"{head}-dirty"


@pytest.mark.parametrize(
    ("tracked", "package", "untracked"),
    [
        (("paper.tex",), ENVIRONMENT, (f"{ENVIRONMENT}/equivariance/origin.py",)),
        ((f"{ENVIRONMENT}/equivariance/origin.py", f"{ENVIRONMENT}/conf/config.yaml"), ENVIRONMENT, ()),
        (("paper.tex",), "", OURS),  # unpacked beside the user's files
        (("equivariance/origin.py", "equivariance/conf/config.yaml"), "", ()),  # an installed one, taken over
    ],
    ids=["installed in an environment", "environment tracked", "untracked", "a copy"],
)
def test_the_repository_of_somebody_else_is_not_described(described, tracked, package, untracked):
    assert described(tracked, package, untracked)[0] is None


def test_a_repository_that_the_environment_names_is_not_taken_for_ours(described, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init")
    git(other, "commit", "--allow-empty", "-m", "theirs")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    with monkeypatch.context() as clean:
        clean.delenv("GIT_DIR")
        clean.delenv("GIT_WORK_TREE")
        _, head, _ = described(OURS)
    origin.commit.cache_clear()
    assert origin.commit() == head


def test_no_repository_and_no_git_are_no_commit(described, tmp_path, monkeypatch):
    described(OURS)
    monkeypatch.setattr(origin, "__file__", str(tmp_path / "equivariance" / "origin.py"))
    origin.commit.cache_clear()
    assert origin.commit() is None
    monkeypatch.setenv("PATH", "")
    origin.commit.cache_clear()
    assert origin.commit() is None


def test_the_version_is_that_of_the_package():
    assert origin.release() == version("equivariance")
