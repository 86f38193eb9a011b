"""Who imports whom, what is never written, and how large files may be: checked on the syntax tree."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from equivariance.registries import CONVS
from sweeps.experiments import EXPERIMENTS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("equivariance", "sweeps", "hydra_plugins")
SOURCES = sorted(f for package in PACKAGES for f in (ROOT / package).rglob("*.py"))
# Slow to import or rarely needed: only where they are used.
HEAVY = {"mlflow", "optuna", "matplotlib", "torchvision", "scipy", "ray", "submitit"}
PLATFORM = {"hydra", "mlflow", "optuna", "omegaconf"}
STDLIB = set(sys.stdlib_module_names)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def below(*folders: str) -> list[Path]:
    return [f for f in SOURCES if any((ROOT / folder) == f or (ROOT / folder) in f.parents for folder in folders)]


def imports(tree: ast.AST, package: str = "") -> set[str]:
    """Dotted names of all imported modules, at any depth; also `import_module("…")` of a literal."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and called(node).endswith(("import_module", "__import__")):
            found |= {a.value for a in node.args[:1] if isinstance(a, ast.Constant)}
    return found


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def at_import(tree: ast.Module) -> set[str]:
    """Modules that are imported when this one is: not those inside functions or under TYPE_CHECKING."""
    found, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= imports(node)
        waiting += list(ast.iter_child_nodes(node))
    return found


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def dangers(tree: ast.AST) -> list[str]:
    """Calls and imports that run foreign code."""
    found = [f"import {name}" for name in imports(tree) if name.partition(".")[0] in {"pickle", "dill", "joblib"}]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, keywords = called(node), {k.arg: ast.unparse(k.value) for k in node.keywords}
        if name in {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}:
            found.append(name)
        if keywords.get("shell", "False") != "False":
            found.append("shell=True")
        if name.endswith(("torch.load", "load_state_dict_from_url")) and keywords.get("weights_only") != "True":
            found.append(f"{name} without weights_only=True")
        if name.endswith(("load_state_dict_from_url", "get_state_dict")) and keywords.get("check_hash") != "True":
            found.append(f"{name} without check_hash=True")
        if name.endswith(("numpy.load", "np.load")) and keywords.get("allow_pickle", "False") != "False":
            found.append("allow_pickle")
    return found


def of_each(paths: list[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Makes one test of a check for each file, which names all files that fail: a test a file would be thousands."""

    def wrap(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            wrong = {}
            for path in paths:
                try:
                    check(path)
                except AssertionError as error:
                    wrong[relative(path)] = str(error).partition("\n")[0]
            assert wrong == {}

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return wrap


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """What a file of the project imports, relative imports resolved."""
    return imports(parsed(path), ".".join(path.relative_to(ROOT).parent.parts))


def test_there_is_something_to_check():
    assert len(below("equivariance/canvas")) > 3
    assert len(below("equivariance/models")) > 3
    assert len(below("sweeps")) > 5


READERS = ("canvas", "boundary", "reach")


@pytest.mark.parametrize("room", ["ops", *READERS])
def test_readers_stand_on_the_vocabulary_and_on_no_other_reader(room):
    allowed = (f"equivariance.{room}", "equivariance.ops", *(["equivariance.errors"] if room != "ops" else []))
    for path in below(f"equivariance/{room}"):
        foreign = {n for n in imported(path) if n.partition(".")[0] not in STDLIB | {"torch", "numpy"}}
        assert {n for n in foreign if not n.startswith(allowed)} == set(), relative(path)


@pytest.mark.parametrize("room", READERS)
def test_readers_parse_no_torch_functions(room):
    """What a call is, the vocabulary says; a reader that asked for a function's name would say it again."""
    for path in below(f"equivariance/{room}"):
        assert "__torch_function__" not in path.read_text() or path.name in ("reach.py", "summary.py"), relative(path)
        assert "__name__" not in path.read_text() or path.name == "canvas.py", relative(path)


def test_the_check_for_imports_resolves_relative_ones():
    assert "equivariance.data.folder" in imports(ast.parse("from ..data import folder"), "equivariance.models")
    assert "equivariance.models.trunk" in imports(ast.parse("from .trunk import trunk"), "equivariance.models")


SCIENCE = ("equivariance/models", "equivariance/data", "equivariance/experiments", "equivariance/train.py")


# What of the platform the science may use: writing a file whole or not at all, ends of a run that have a meaning, the
# bar of long work, and the object by which an experiment makes itself known.
SHARED = ("sweeps.records.", "sweeps.errors.", "sweeps.terminal.", "sweeps.registry.", "sweeps.experiments.")
# And its tables and figures: how runs become cells and intervals.
DRAWING = (
    *(*SHARED, "sweeps.pages.", "sweeps.tables.", "sweeps.intervals.", "sweeps.comparisons.", "sweeps.verdicts."),
    "sweeps.artefacts.",
    "sweeps.published.",
)
DRAWN = {"artefact", "artefact.py", "figure.py", "film.py"}


@of_each(below(*SCIENCE))
def test_the_science_knows_nothing_of_the_platform(path):
    shared = DRAWING if DRAWN & set(path.parts) else SHARED
    names = {n for n in imported(path) if not f"{n}.".startswith(shared)} - {"sweeps"}
    assert not tops(names) & (PLATFORM | {"sweeps", "hydra_plugins"})


@of_each(below("equivariance"))
def test_only_the_entry_point_knows_hydra_and_mlflow(path):
    entry = {"run.py", "halo.py", "command.py", "overrides.py"}
    if path.parent != ROOT / "equivariance" or path.name not in entry:
        assert not tops(imported(path)) & PLATFORM


@pytest.mark.parametrize(
    ("folder", "above"),
    [
        ("equivariance/canvas", ("models", "data", "experiments", "train", "run", "config")),
        ("equivariance/tiles", ("models", "data", "experiments", "train", "run", "config", "library", "canvas")),
        ("equivariance/data", ("models", "experiments", "train", "run")),
        ("equivariance/models", ("data", "experiments", "train", "run")),
        ("equivariance/train.py", ("experiments", "run", "data")),
        ("equivariance/experiments", ("run",)),
        ("equivariance/library", ("audit", "experiments", "run")),
        ("equivariance/audit", ("experiments", "train", "run")),
    ],
)
def test_no_layer_imports_the_one_above(folder, above):
    for path in (p for p in below(folder) if p.name != "__main__.py"):  # a command is an entry point of its own
        names = imported(path)
        assert not [n for n in names for a in above if f"{n}.".startswith(f"equivariance.{a}.") and "config" not in n]


def words(tree: ast.Module) -> set[str]:
    """Texts of a module that are not its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    said = {id(n.body[0].value) for n in ast.walk(tree) if isinstance(n, documented) and ast.get_docstring(n)}
    constants = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in said)
    return {n.value for n in constants if isinstance(n.value, str)}


@of_each(below("sweeps", "hydra_plugins"))
def test_the_platform_names_no_experiment_metric_or_convolution_type(path):
    """It asks the `Experiment` that each of them registers."""
    known = [EXPERIMENTS.get(name) for name in EXPERIMENTS.names()]
    science = {e.name for e in known} | {m for e in known for m in e.metrics} | set(CONVS.names())
    assert words(parsed(path)) & science == set()


def test_the_check_for_words_finds_them_outside_docstrings():
    assert words(ast.parse('def f():\n    """rook"""\n    return "quadrant"\n')) == {"quadrant"}


LIGHT_PARTS = """
import sys
from sweeps.experiments import EXPERIMENTS, schema
from sweeps.general import artefact
for name in EXPERIMENTS.names():
    schema(name), artefact(name)
print(len(EXPERIMENTS.names()) >= 5, sorted({"torch", "mlflow", "hydra", "pandas", "matplotlib"} & set(sys.modules)))
"""


def test_schemas_and_artefacts_of_experiments_are_light_to_import():
    done = subprocess.run([sys.executable, "-c", LIGHT_PARTS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "True []", done.stderr


@of_each(below("sweeps"))
def test_the_platform_imports_neither_torch_nor_the_science(path):
    assert not tops(imported(path)) & {"torch", "torchvision", "timm", "equivariance"}


@of_each(SOURCES)
def test_heavy_libraries_are_imported_where_they_are_used(path):
    assert not tops(at_import(parsed(path))) & HEAVY


@of_each(SOURCES)
def test_nothing_runs_foreign_code(path):
    assert dangers(parsed(path)) == []


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("torch.load(path)", "torch.load without weights_only=True"),
        ("torch.load(path, weights_only=False)", "torch.load without weights_only=True"),
        ("import pickle", "import pickle"),
        ("def f():\n    from pickle import loads", "import pickle"),
        ("eval('1')", "eval"),
        ("subprocess.run(c, shell=True)", "shell=True"),
        ("yaml.load(text)", "yaml.load"),
        ("np.load(f, allow_pickle=True)", "allow_pickle"),
    ],
)
def test_the_check_for_foreign_code_finds_it(text, danger):
    assert danger in dangers(ast.parse(text))
    assert dangers(ast.parse("yaml.safe_load(t); torch.load(p, weights_only=True); f(shell=False)")) == []


def test_the_check_for_heavy_imports_finds_them_at_the_top_only():
    text = "from __future__ import annotations\ntry:\n    import mlflow.entities\nexcept ImportError:\n    pass\n"
    assert tops(at_import(ast.parse(text))) & HEAVY == {"mlflow"}
    assert not tops(at_import(ast.parse("def f():\n    import mlflow\n"))) & HEAVY
    assert not tops(at_import(ast.parse("if TYPE_CHECKING:\n    import mlflow\n"))) & HEAVY


def by_name(tree: ast.AST) -> list[str]:
    """Comparisons with the name of a class or of its module, which a subclass or a twin escapes."""
    named = re.compile(r"(type\(\w+\)|__class__)\.__(name|qualname|module)__")
    asked = (n for n in ast.walk(tree) if isinstance(n, ast.Compare | ast.Call))
    texts = [ast.unparse(n.func if isinstance(n, ast.Call) else n) for n in asked]
    return [text for text in texts if named.search(text)]


def catches_all(tree: ast.Module, lines: list[str]) -> list[str]:
    """Handlers of any exception that do not raise it again, and do not say on their line why they are meant."""
    handlers = (n for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler))
    broad = [h for h in handlers if h.type is None or ast.unparse(h.type) in {"Exception", "BaseException"}]
    silent = [h for h in broad if not (isinstance(h.body[-1], ast.Raise) and h.body[-1].exc is None)]
    return [lines[h.lineno - 1].strip() for h in silent if "#" not in lines[h.lineno - 1]]


@of_each(SOURCES)
def test_exceptions_are_caught_by_type_and_those_of_any_type_for_a_reason(path):
    assert by_name(parsed(path)) == []
    assert catches_all(parsed(path), path.read_text().splitlines()) == []


def test_the_check_for_exceptions_finds_what_it_looks_for():
    for text in ("type(e).__name__ == 'A'", "type(e).__module__.startswith('a')", "'A' in e.__class__.__qualname__"):
        assert by_name(ast.parse(text)) != []
    assert by_name(ast.parse("f'{type(e).__name__}: {e}'; print(type(e).__name__)")) == []
    for text, found in (
        ("try: f()\nexcept Exception: pass", 1),
        ("try: f()\nexcept: g()", 1),
        ("try: f()\nexcept Exception:  # foreign code\n    pass", 0),
        ("try: f()\nexcept BaseException:\n    g()\n    raise", 0),
        ("try: f()\nexcept ValueError: pass", 0),
    ):
        assert len(catches_all(ast.parse(text), text.splitlines())) == found


@of_each(SOURCES)
def test_files_stay_small_and_are_named_for_what_they_hold(path):
    assert len(path.read_text().splitlines()) <= 250
    assert not {*path.parts, path.stem} & {"utils", "util", "helpers", "helper", "common", "misc"}


VAGUE = {"process", "processes", "handle", "handler", "manage", "manager", "do", "util", "helper", "info"}


@of_each(SOURCES)
def test_names_say_what_is_done(path):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [node.name for node in ast.walk(parsed(path)) if isinstance(node, kinds)]
    parts = {part for name in names for part in re.sub(r"([A-Z])", r"_\1", name).lower().split("_")}
    assert parts & VAGUE == set()


LONGEST = 55  # lines of a function, its docstring included


@of_each(SOURCES)
def test_functions_stay_short(path):
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > LONGEST
    }
    assert long == {}


def project_text() -> list[Path]:
    folders = (*PACKAGES, "conf", "tests", "benchmarks", "docker", ".ci", "requirements")
    found = [f for folder in folders for f in (ROOT / folder).rglob("*") if f.is_file()]
    found += [f for f in ROOT.iterdir() if f.is_file() and f.name != ".git"]  # a worktree has a file there
    wanted = {".py", ".yaml", ".yml", ".md", ".toml", ".txt", ".cfg", ".ipynb", ".sh", ""}
    return sorted(f for f in found if f.suffix in wanted and "__pycache__" not in f.parts)


LOCAL_PATH = re.compile(r"""(?<![\w.}/>])/(?:work|tmp|home|root|Users)(?:/|["'`\s]|$)""")


def test_the_project_names_no_folder_of_the_machine_it_was_made_on():
    assert LOCAL_PATH.search("see /" + "work/main")
    assert LOCAL_PATH.search("'/" + "tmp'")
    assert not LOCAL_PATH.search("a/work/b, frame/work")
    me = Path(__file__).resolve()
    named = {relative(f): m.group() for f in project_text() if f != me and (m := LOCAL_PATH.search(f.read_text()))}
    assert named == {}


LIGHT = """
import contextlib, io, runpy, sys
sys.argv = {argv!r}
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    runpy.run_module({module!r}, run_name="__main__")
print(len(out.getvalue()) > 100, sorted({{"torch", "mlflow", "optuna", "matplotlib"}} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("module", "argv"),
    [
        ("equivariance.run", ["run", "--help"]),
        ("equivariance.run", ["run", "--cfg", "job"]),
        ("equivariance.halo", ["halo", "--help"]),
        ("equivariance.audit", ["audit", "--help"]),
        ("sweeps", ["sweeps"]),
        ("sweeps", ["sweeps", "--help"]),
    ],
    ids=" ".join,
)
def test_help_and_status_do_not_pay_for_torch_or_mlflow(module, argv, tmp_path):
    program = LIGHT.format(module=module, argv=argv)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "True []", done.stderr
