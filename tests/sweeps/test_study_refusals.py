"""What a study cannot do is refused in one line before anything is kept."""

import pytest

from sweeps.errors import UserError
from sweeps.study.settings import Settings
from tests.sweeps.searches import DISCRETE, SPACE, Search

TWO = {"accuracy": "maximize", "gmacs": "minimize"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_trials": 0}, ["n_trials=0", "1 or more"]),
        ({"seeds": 0}, ["seeds=0", "1 or more"]),
        ({"study": "x" * 300}, ["study", "at most 200"]),
        ({"study": "a\nb"}, ["study", "printable"]),
        ({"objectives": "gmacs"}, ["objectives=gmacs", "METRIC"]),
        ({"objectives": {"accuracy": "up"}}, ["objectives.accuracy=up", "maximize | minimize"]),
        ({"sampler": {"name": "TPE"}}, ["sampler.name=TPE", "TPESampler"]),
        ({"sampler": {}}, ["sampler.name=None", "TPESampler"]),
        ({"sampler": {"name": "BaseSampler"}}, ["sampler.name=BaseSampler"]),
        ({"sampler": {"name": "nsgaii"}}, ["sampler.name=nsgaii"]),
        ({"sampler": {"name": "TPESampler", "seeed": 1}}, ["sampler.seeed", "n_startup_trials", "seed"]),
        ({"sampler": {"name": "TPESampler", "gamma": 1}}, ["sampler.gamma"]),
        ({"sampler": {"name": "TPESampler", "_target_": "os.system"}}, ["sampler._target_"]),
        ({"sampler": {"name": "TPESampler", "n_startup_trials": "many"}}, ["sampler=TPESampler"]),
        ({"sampler": {"name": "TPESampler", "seed": "x"}}, ["sampler.seed=x", "integer"]),
        ({"sampler": {"name": "GridSampler"}}, ["GridSampler", "optim.lr", "a list or a range"]),
        ({"sampler": {"name": "BruteForceSampler"}}, ["BruteForceSampler", "optim.lr"]),
        ({"sampler": {"name": "QMCSampler", "qmc_type": "x"}}, ["QMCSampler", "halton"]),
        ({"pruner": {"name": "Median"}}, ["pruner.name=Median", "MedianPruner"]),
        ({"pruner": {"name": "MedianPruner", "warmup": 1}}, ["pruner.warmup", "n_warmup_steps"]),
        ({"pruner": {"name": "PatientPruner", "patience": 1, "wrapped_pruner": {"name": "x"}}}, ["pruner.name=x"]),
        ({"pruner": {"name": "NopPruner", "x": 1}}, ["pruner.x", "none"]),
        ({"pruner": {"name": "MedianPruner"}, "objectives": TWO}, ["MedianPruner", "one objective"]),
        ({"storage": "optuna.db"}, ["storage", "sqlite:///optuna.db"]),
        ({"storage": "sqlite://"}, ["storage", "memory"]),
        ({"storage": "sqlite:///:memory:"}, ["storage", "memory"]),
        ({"storage": "nosuch://x/y"}, ["storage", "nosuch"]),
        ({"storage": "sqlite:////proc/no/such/folder/o.db"}, ["storage", "cannot be opened"]),
    ],
    ids=str,
)
def test_a_setting_that_is_not_allowed(tmp_path, settings, said):
    with pytest.raises(UserError, match=r"hydra\.sweeper\.") as refused:
        Search(tmp_path, **settings).begin()
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.rglob("*.db"))
    for words in said:
        assert words in str(refused.value)


def test_a_password_is_not_said(tmp_path):
    with pytest.raises(UserError, match="storage") as refused:
        Search(tmp_path, storage="postgresql://me:secret@127.0.0.1:9/x?connect_timeout=1").begin()
    assert "secret" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


def test_a_pruner_around_another_is_understood():
    wrapped = {"name": "PatientPruner", "patience": 2, "wrapped_pruner": {"name": "MedianPruner"}}
    assert Settings("s", pruner=wrapped).prunes
    assert not Settings("s").prunes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"space": ["optim.lr=tag(log,interval(1e-3,1))", *SPACE[1:]]}, ["optim.lr 0.0001 to 1.0 (log) (now 0.001 to"]),
        ({"space": SPACE[:2]}, ["border 0 to 64 by 16 (now not)"]),
        ({"space": DISCRETE}, ["optim.lr"]),
        ({"fixed": {"arch": "resnet18", "init": "scratch"}}, ["init not (now scratch)"]),
        ({"fixed": {"arch": "bagnet33"}}, ["arch resnet18 (now bagnet33)"]),
        ({"seeds": 2}, ["seeds 1 (now 2)"]),
        ({"objectives": {"accuracy": "minimize"}}, ["maximize", "minimize"]),
        ({"objectives": TWO}, ["gmacs"]),
    ],
    ids=str,
)
def test_another_search_under_the_same_name(tmp_path, change, said):
    Search(tmp_path, n_trials=1).drive()
    with pytest.raises(UserError, match="study=s: begun with") as refused:
        Search(tmp_path, **change).begin()
    assert "\n" not in str(refused.value)
    for words in said:
        assert words in str(refused.value)


def test_a_study_of_another_program_is_left_alone(tmp_path):
    import optuna

    study = optuna.create_study(study_name="s", storage=f"sqlite:///{tmp_path}/optuna.db")
    study.tell(study.ask(), 1.0)
    with pytest.raises(UserError, match="study=s: begun with"):
        Search(tmp_path).begin()


def test_sampler_pruner_and_total_may_change_within_a_study(tmp_path):
    Search(tmp_path, n_trials=1).drive()
    other = Search(tmp_path, n_trials=2, sampler={"name": "RandomSampler"}, pruner={"name": "MedianPruner"})
    other.drive()
    assert other.states() == ["COMPLETE"] * 2


def test_two_studies_share_a_storage(tmp_path):
    for name in ("a", "../b"):
        Search(tmp_path, study=name, n_trials=1).drive()
    assert {p.name for p in tmp_path.iterdir()} == {"optuna.db", "runs"}


def test_a_study_named_by_an_address_keeps_its_secret_out_of_the_name():
    """As `hydra.sweeper.study='${tracking.uri}'` would: the name goes to the database, to results and to MLflow."""
    assert "S3cr" not in Settings("http://bob:S3cr@host:9").study
