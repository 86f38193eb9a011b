"""The benchmark runs, says what it ran, and writes what others read."""

import json

import pytest

from benchmarks import canvas


@pytest.mark.parametrize(("border", "mode"), [(0, "eval"), (32, "train")])
def test_json_rows(capsys, border, mode):
    arguments = f"--arch squeezenet1_0 --border {border} --mode {mode} --pictures 2 --repeats 1 --json"
    canvas.main(arguments.split())
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["arch"], row["conv"], row["border"], row["mode"]) == ("squeezenet1_0", "same", border, mode)
    assert row["engine"] in ("canvas", "dense")
    assert row["ratio"] == pytest.approx(row["dense_ms"] / row["canvas_ms"])
    assert mode == "train" or 0 < row["max_rel_err"] < 1e-5


def test_table_and_options(capsys):
    arguments = "--arch squeezenet1_0 --border 0 32 --pictures 1 --repeats 1 --tolerance 1e-6 --unshared"
    canvas.main(arguments.split())
    header, *rows = capsys.readouterr().out.splitlines()
    assert "ratio" in header
    assert len(rows) == 2
