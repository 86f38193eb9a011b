"""The command line refuses what is wrong before any work: one line, exit code 2, nothing left behind."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equivariance import run
from equivariance.errors import UserError
from equivariance.overrides import check, conf_dir, known_keys


@pytest.fixture
def command(monkeypatch, workdir, capsys):
    """Runs the command line in this process without computing: (exit code, error output, the jobs it would run)."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    launched = []
    monkeypatch.setattr(run, "launch", lambda source, *rest: launched.append(source.jobs))
    monkeypatch.setattr(run, "run_here", lambda job, mirror: launched.append([job]))

    def typed(*arguments, shows=""):
        launched.clear()
        monkeypatch.setattr(sys, "argv", ["run", *arguments])
        code = 0
        try:
            run.main()
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        assert shows in said.out
        return code, said.err, [job for jobs in launched for job in jobs]

    return typed


def left(folder):
    """What a refused command left behind, but for the overrides of a sweep, which Hydra keeps before it composes."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {"runs/.hydra/multirun.yaml"}


WRONG = [
    (["bordr=16"], ["bordr", "border"]),
    (["+bordr=16"], ["bordr", "border"]),
    (["++bordr=16"], ["bordr", "border"]),
    (["~bordr"], ["bordr"]),
    (["+zzz=1"], ["zzz", "allowed"]),
    (["optim.learning_rate=1"], ["optim.learning_rate"]),
    (["+optim.learning_rate=1"], ["optim.learning_rate"]),
    (["border=-1"], ["border=-1", "0 to 65536"]),
    (["border=wide"], ["border=wide", "an integer"]),
    (["border=1e9"], ["border", "an integer"]),
    (["++border=null"], ["border=null", "an integer"]),
    (["seed=1.5"], ["seed=1.5", "an integer"]),
    (["optim.lr=0"], ["optim.lr=0", "above 0"]),
    (["optim.lr=fast"], ["optim.lr=fast", "a number"]),
    (["optim.nesterov=maybe"], ["optim.nesterov=maybe", "true or false"]),
    (["device=tpu"], ["device=tpu", "cpu"]),
    (["arch=resnet19"], ["arch=resnet19", "resnet18"]),
    (["conv=vallid"], ["conv=vallid", "full"]),
    (["init=pretrained"], ["init=pretrained", "frozen-pretrained"]),
    (["optim=adamw"], ["optim=adamw", "sgd"]),
    (["experiment=rok"], ["experiment=rok", "quadrant"]),
    (["data=cifar"], ["data=cifar", "photos"]),
    (["protocol=peper"], ["protocol=peper", "released"]),
    (["+sweep=quadrand"], ["quadrand", "quadrant"]),
    (["data=folder"], ["data.root=null", "FOLDER"]),
    (["data=folder", "data.root=nowhere"], ["data.root=nowhere", "no such folder"]),
    (["init=scratch", "init.checkpoint=nowhere.pth"], ["init.checkpoint=nowhere.pth", "no such file"]),
    (["init=scratch", "optim=probe"], ["optim=probe", "frozen"]),
    (["border=[0,16]"], ["border=[0, 16]", "an integer"]),
    (["border=0,16"], ["0,16"]),
    (["border"], ["border"]),
    (["border=${nothing}"], ["nothing"]),
    (["arch=[resnet18"], ["arch=[resnet18"]),
    (["~optim"], ["~optim", "optim=adadelta | adam | cosine"]),
    (["~seed"], ["~seed", "seed=VALUE"]),
    (["=1"], ["=1"]),
    ([""], ["KEY=VALUE"]),
    (["init.checkpoint=/x/epoch=9.ckpt"], ["'init.checkpoint=\"/x/epoch=9.ckpt\"'"]),
    (["init.checkpoint=/x/a#b(1).ckpt"], ["'init.checkpoint=\"/x/a#b(1).ckpt\"'"]),
    (["data.root=/x/ä ü(1)"], ["'data.root=\"/x/ä ü(1)\"'"]),
    (['data.root=/x/"a"'], ['\'data.root="/x/\\"a\\""\'']),
    (["seed=int(x)"], ["seed=int(x)"]),
    (["seed=range(3)"], ["seed=range(3)", "--multirun"]),
    (["+sweep=rook"], ["-m"]),
    (["++sweep=rook"], ["-m"]),
    (["+sweep@_global_=rook"], ["-m"]),
    (["-m", "seed=range(0)"], ["seed=range(0)", "no value"]),
    (["-m", "seed=range(3,0)", "border=0,16"], ["seed=range(3,0)", "no value"]),
    (["-m", "seed=range(0,9,0)"], ["seed=range(0,9,0)", "zero"]),
    (["-m", "seed=range(0,1e12)"], ["seed=range(0,1e12)", "1000000"]),
    (["-m", "seed=range(0,2000)", "border=range(0,2000)"], ["border=range(0,2000)", "1000000"]),
    (["-m", "conv=glob(zzz*)"], ["conv=glob(zzz*)", "no value"]),
    (["-m", "optim.lr=interval(0,1)"], ["optim.lr=interval(0,1)", "optuna"]),
    (["-m", '+hydra.sweeper.params={seed: "range(0)"}'], ["seed=range(0)", "no value"]),
    (["-m", '+hydra.sweeper.params={border: "1=2"}'], ["border=1=2", "quotes"]),
    (["-m", "hydra/sweeper=optuna", "conv=glob(zzz*)"], ["conv=glob(zzz*)", "one or more"]),
    (["-m", "hydra/sweeper=optuna", "seed=range(0)"], ["seed=range(0)", "one or more"]),
    (["-m", "+sweep=rook,impulse"], ["+sweep=rook,impulse", "one sweep file at a time"]),
    (["-m", "+sweep=rook", "+sweep=impulse"], ["+sweep=impulse", "one sweep file at a time"]),
    (["-m", "+sweep=rook", "+sweep@_global_=impulse"], ["one sweep file at a time"]),
    (["-m", "+sweep=[rook,impulse]"], ["+sweep=[rook,impulse]", "one sweep file at a time"]),
    (["-m", "+sweep=glob(r*)"], ["+sweep=glob(r*)", "one sweep file at a time"]),
    (["-m", "+sweep=choice(rook)"], ["+sweep=choice(rook)", "one sweep file at a time"]),
    (["-m", "hydra/sweeper=optuna", "+sweep=rook,impulse"], ["+sweep=rook,impulse", "one sweep file at a time"]),
    (["-m", "hydra/sweeper=optuna", 'hydra.sweeper.params={+sweep: "rook,impulse"}'], ["one sweep file at a time"]),
    (["-m", "--run"], ["--run --multirun"]),
    (["--cfg", "job", "--info"], ["--cfg --info"]),
    (["--cfg", "everything"], ["--cfg", "everything", "job"]),
    (["--resolve"], ["--resolve"]),
    (["--nonsense"], ["--nonsense"]),
    (["--experimental-rerun", "nothing.pickle"], ["--experimental-rerun", "pickle"]),
    (["--exp=nothing.pickle"], ["--experimental-rerun", "pickle"]),
    (["--config-dir", "nowhere"], ["nowhere"]),
    (["--config-name", "nothing"], ["--config-name", "--config-dir"]),
    (["experiment=rook", "border=16"], ["border", "another experiment"]),
    (["-m", "experiment=rook", "border=16,32"], ["border"]),
    (["import=[no_such_module_here]"], ["import=no_such_module_here", "No module named"]),
    (["arch=python", "arch.name=no_such_module_here:Net"], ["no_such_module_here", "no such module"]),
    (["arch=python"], ["arch.name"]),
    (["arch=python", "arch.name=Net"], ["arch.name=Net", "allowed"]),
    (["hydra.searchpath=[file://nowhere]", "arch=lab"], ["nowhere", "no such folder"]),
    (["hydra=5"], ["int"]),
    (["-m", "hydra.launcher=5"], ["int"]),
    (["-m", "hydra.sweeper=5"], ["int"]),
    (["-m", "hydra/sweeper=optuna", "hydra.launcher=5", "seed=0,1"], ["int"]),
    (["-m", "hydra.launcher._target_=nothing.at.all"], ["nothing.at.all"]),
    (["-m", "hydra.launcher.workers=1,2"], ["hydra.launcher.workers=1,2"]),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=lambda a: " ".join(a) if a and isinstance(a[0], str) else "")
def test_a_wrong_command_gets_one_line_and_exit_code_2(command, workdir, arguments, said):
    code, error, jobs = command(*arguments)
    assert code == 2, error
    assert jobs == []
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert len(error) < 1500
    for words in said:
        assert words in error
    assert left(workdir) == set()


@pytest.mark.parametrize("wrong", ["border=0,-5", "conv=same,fulll", "+zzz=1,2", "border=0,wide", "optim.lr=1e-3,0"])
def test_one_wrong_value_of_a_sweep_stops_all_of_it_before_the_first_run(command, workdir, wrong):
    code, error, jobs = command("-m", wrong, "seed=0,1")
    assert code == 2
    assert jobs == []
    assert error.count("\n") == 1
    assert left(workdir) == set()


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ((), 1),
        (("arch=bagnet33", "border=64", "conv=full"), 1),
        (("-m", "border=0,16,32,64,128,256,512", "conv=same,full"), 14),
        (
            ("-m", "arch=bagnet33,resnet18,densenet121", "init=scratch,frozen-random,frozen-pretrained", "seed=0,1,2"),
            27,
        ),
        (("arch=torchvision", "arch.name=mobilenet_v2"), 1),
        (("-m", "seed=range(0,4)"), 4),
        (("tracking.uri=http://127.0.0.1:5000", "tracking.sweep=mine"), 1),
    ],
)
def test_the_commands_of_the_design_card_are_understood(command, arguments, count):
    code, error, jobs = command(*arguments)
    assert (code, error) == (0, "")
    assert len(jobs) == count
    assert len({job.record.identity for job in jobs}) == count


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["-m", "+sweep=rook", "--cfg", "job"], "name: rook"),
        (["+sweep=rook", "--cfg", "job"], "name: rook"),
        (["-m", "border=16,32", "seed=4", "--cfg=job"], "seed: 4"),
        (["--multi", "border=16,32", "-c", "job", "--package", "optim"], "name: sgd"),
        (["--cfg", "hydra", "-m", "+sweep=rook"], "seed: 0,1,2,3,4"),
        (["-m", "+sweep=strongest_probe", "--cfg", "job"], "name: sgd"),
    ],
    ids=lambda a: " ".join(a) if isinstance(a, list) else "",
)
def test_what_the_runs_of_a_sweep_share_is_shown_and_what_is_swept_named(command, arguments, shown):
    code, error, jobs = command(*arguments, shows=shown)
    assert (code, jobs) == (0, [])
    swept = [a for a in arguments if a == "border=16,32"]
    assert error == "".join(f"shown without what is swept: {a}\n" for a in swept)


def test_info_goes_with_a_sweep(tmp_path):  # in a process of its own: Hydra sets up logging
    command = [sys.executable, "-m", "equivariance.run", "-m", "border=16,32", "--info", "defaults"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "shown without what is swept: border=16,32\n")
    assert "conv/same" in done.stdout


def test_flags_may_stand_between_overrides_and_shells_cannot_turn_one_line_into_a_traceback(command, monkeypatch):
    assert len(command("border=16", "--multi", "conv=same,full", "seed=0,1")[2]) == 4
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    code, error, _ = command("-m", "border=1,-1")
    assert (code, error) == (2, "error: border=-1: allowed: an integer from 0 to 65536 with experiment=quadrant\n")


def test_a_fault_of_our_own_is_not_taken_for_the_users(command, monkeypatch):
    def faulty(composed):
        raise ValueError("a fault")

    monkeypatch.setattr(run, "validate", faulty)
    with pytest.raises(ValueError, match="a fault"):
        command("-m", "border=1,2")


@pytest.mark.slow
def test_the_whole_grid_is_630_runs(command):
    code, error, jobs = command("-m", "+sweep=quadrant")
    assert (code, error) == (0, "")
    assert len({job.record.identity for job in jobs}) == 630


def test_a_run_is_recorded_where_the_config_says(command):
    _, _, (job,) = command("runs=elsewhere/runs", "force=true")
    assert job.record.path.parts[:-1] == ("elsewhere", "runs", "quadrant")
    assert job.force


def test_equal_pictures_at_another_path_are_the_same_run_and_others_are_not(command, workdir):
    import shutil

    from tests.data.test_folder import draw

    for n in range(3):
        draw(workdir / "here" / f"{n}.png", n)
    shutil.copytree(workdir / "here", workdir / "there")
    shutil.copytree(workdir / "here", workdir / "more")
    draw(workdir / "more" / "3.png", 3)

    def identity(*arguments):
        code, error, (job,) = command("data=folder", "data.pictures=1", *arguments)
        assert (code, error) == (0, "")
        return job.record.identity

    assert identity("data.root=here") == identity("data.root=there") == identity(f"data.root={workdir}/here")
    assert identity("data.root=here") != identity("data.root=more")
    assert identity("data.root=here") == identity("data.root=here", "device=cpu", "runs=x", "tracking.sweep=y")


def test_equal_weights_at_another_path_are_the_same_run_and_others_are_not(command, workdir):
    for name, content in (("a.pth", b"1"), ("b.pth", b"1"), ("c.pth", b"2")):
        (workdir / name).write_bytes(content)
    found = [command("init=scratch", f"init.checkpoint={n}.pth")[2][0].record.identity for n in "abc"]
    assert found[0] == found[1] != found[2]


KEYS = sorted(known_keys())
CHOICES = sorted(f"{f.parent.name}={f.stem}" for f in conf_dir().glob("*/*.yaml"))
noise = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)
tokens = st.sampled_from(
    ["0", "-1", "null", "true", "1e400", "nan", "[1,2]", "{a:1}", "'x'", "", "${border}", "x y", "1,2"]
)
overrides = st.one_of(
    noise,
    st.sampled_from(CHOICES),
    st.builds(
        lambda sign, key, value: f"{sign}{key}={value}",
        st.sampled_from(["", "+", "++"]),
        st.sampled_from(KEYS),
        tokens | noise,
    ),
    st.builds(lambda key: f"~{key}", st.sampled_from(KEYS)),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(overrides.filter(lambda text: not text.startswith("-")), min_size=1, max_size=2))
def test_no_command_line_ends_in_a_traceback(command, arguments):
    code, error, jobs = command(*arguments)
    assert code in (0, 2), error
    assert (code == 2) == (jobs == [])
    assert code == 0 or error.startswith("error: ")
    assert "Traceback" not in error


@settings(max_examples=200)
@given(st.lists(overrides, max_size=3))
def test_checking_overrides_passes_or_refuses(arguments):
    from hydra.errors import HydraException

    try:
        check(arguments)
    except (UserError, HydraException):
        return


@pytest.mark.parametrize("arguments", [["border=16", "conv=full"], ["conv=same,full"], ["hydra.verbose=true"], []])
def test_right_overrides_pass(arguments):
    check(arguments)


PROCESSES = [
    (["bordr=16"], "did you mean border?"),
    (["++optim.zzz=1"], "optim.zzz: no such key"),
    (["border=-1"], "border=-1: allowed: an integer from 0 to 65536"),
    (["conv=nothing"], "conv=nothing: no such choice; allowed: circular, full, partial"),
    (["-m", "border=0,wide"], "border=wide: allowed: an integer"),
    (["data=folder", "data.root=nowhere"], "data.root=nowhere: no such folder"),
]


@pytest.mark.parametrize(("arguments", "said"), PROCESSES, ids=lambda a: " ".join(a) if isinstance(a, list) else "")
def test_a_real_process_says_one_line_and_ends_with_2(tmp_path, arguments, said):
    command = [sys.executable, "-m", "equivariance.run", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert left(tmp_path) == set()
