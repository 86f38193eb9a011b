"""python -m sweeps: status, table, files, sync, and what is said when there is nothing or no server."""

import csv
import io

import pytest

from sweeps.__main__ import main
from sweeps.artefacts import markdown
from tests.sweeps.runs import finished_run


@pytest.fixture
def runs(store, workdir):
    """Six finished runs in a working folder with an empty store."""
    for conv in ("same", "full"):
        for border in (0, 16):
            finished_run(workdir / "runs", 0.5 if conv == "full" else 0.75, conv=conv, border=border)
    finished_run(workdir / "runs", 0.85, seed=1)
    finished_run(workdir / "runs", 0.95, seed=2)
    return workdir


def test_the_csv_has_the_promised_columns_and_numbers(runs, capsys):
    assert main(["quadrant", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    promised = ["arch", "init", "conv", "border", "n", "accuracy_mean", "accuracy_std", "published"]
    assert [c for c in rows[0] if c in promised] == promised
    found = {(r["conv"], r["border"]): r for r in rows}
    assert len(rows) == 4
    assert found["same", "0"]["n"] == "3"
    assert float(found["same", "0"]["accuracy_mean"]) == pytest.approx(85)
    assert float(found["same", "0"]["accuracy_std"]) == pytest.approx(10)
    assert float(found["same", "0"]["published"]) == 100
    assert found["full", "16"]["published"] == ""
    assert found["full", "16"]["accuracy_std"] == ""


def test_all_files_are_written_and_say_the_same(runs, capsys):
    assert main(["quadrant"]) == 0
    said = capsys.readouterr().out
    assert "85.0 ± 10.0 [65, 100] (3)" in said
    results = runs / "results"
    assert {p.name for p in results.iterdir()} == {f"quadrant.{s}" for s in ("csv", "md", "tex", "png", "svg")}
    assert (results / "quadrant.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (results / "quadrant.png").stat().st_size > 10_000
    assert "</svg>" in (results / "quadrant.svg").read_text()
    assert "85.0 ± 10.0 [65, 100] (3)" in (results / "quadrant.md").read_text()
    assert r"\begin{tabular}" in (results / "quadrant.tex").read_text()
    main(["quadrant", "--format", "csv"])
    assert capsys.readouterr().out == (results / "quadrant.csv").read_text()


@pytest.mark.parametrize("form", ["md", "latex"])
def test_a_table_can_be_printed_in_each_form(runs, capsys, form):
    assert main(["quadrant", "--format", form]) == 0
    said = capsys.readouterr().out
    assert said.startswith("| arch" if form == "md" else r"\begin{tabular}")


def test_only_finished_runs_count(runs, capsys):
    record, _ = finished_run(runs / "runs", 0.1, border=32)
    (record.path / "result.json").write_bytes(b'{"identity"')
    main(["quadrant", "--format", "csv"])
    assert len(capsys.readouterr().out.splitlines()) == 1 + 4


def test_the_table_reads_the_store_and_brings_it_up_to_date(runs, capsys):
    main(["quadrant", "--format", "csv"])
    before = capsys.readouterr().out
    finished_run(runs / "runs", 0.65, border=64)
    main(["quadrant", "--format", "csv"])
    after = capsys.readouterr().out
    assert set(before.splitlines()) < set(after.splitlines())
    assert "64" in after


def test_status_of_nothing_is_all_to_do(workdir, capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert said.count(" 0 of ") == 11
    assert "0 of 630" in said
    assert "left" not in said
    assert not list(workdir.iterdir())


def test_no_runs_yet_is_said_with_a_command(store, capsys):
    assert main(["quadrant"]) == 1
    said = capsys.readouterr()
    assert "python -m equivariance.run" in said.err
    assert said.out == ""


def test_a_dead_server_is_one_line(workdir, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    finished_run(workdir / "runs")
    assert main(["sync", "--uri", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: MLflow at http://127.0.0.1:9 cannot be read")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "uri",
    ["postgresql://localhost:9/x", "sqlite:///runs/a file/mlflow.db", "gopher://x", "http://x:port", "nosql://x"],
)
def test_a_store_that_cannot_be_opened_is_one_line(workdir, monkeypatch, capsys, uri):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    finished_run(workdir / "runs")
    (workdir / "runs" / "a file").touch()
    assert main(["sync", "--uri", uri]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_results_that_cannot_be_written_are_one_line(runs, capsys):
    (runs / "results").touch()
    assert main(["quadrant"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "results" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("fault", [ValueError, RuntimeError, KeyError, TypeError])
def test_a_fault_in_a_table_is_seen(runs, monkeypatch, fault):
    def table(frame):
        raise fault("Index contains duplicate entries, cannot reshape")

    monkeypatch.setattr("equivariance.experiments.quadrant.artefact.table", table)
    with pytest.raises(fault, match="duplicate entries"):
        main(["quadrant"])


def test_an_unknown_experiment_is_one_line_with_the_nearest(workdir, capsys):
    assert main(["rook?"]) == 2
    assert capsys.readouterr().err == "error: rook?: no such experiment or command; did you mean rook?\n"


@pytest.mark.parametrize("arguments", [["quadrant", "--format", "xlsx"], ["--nonsense"]])
def test_a_wrong_command_has_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_markdown_is_a_table():
    import pandas as pd

    assert markdown(pd.DataFrame({"a": [1], "b": ["x"]})) == "| a | b |\n| --- | --- |\n| 1 | x |\n"
