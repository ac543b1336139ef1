"""Text, JSON and CSV reports show the same figures."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from boxfind.evaluation import report
from boxfind.evaluation.evaluate import Evaluation, Row
from boxfind.evaluation.metrics import Quality
from retrieval.errors import BadTable

GOOD, BAD = Quality(0.8, 1, 0.9, 0.7, 0.5, 1), Quality(1 / 3, 0, 0.2, 0.1, 0.25, 0.5)
ONE = Evaluation(
    "mugs",
    "rectangular",
    ("all",),
    "all",
    [Row("mug-1", "mug", {"all": GOOD}, 0.61234, 0.01), Row("cup-2", "cup", {"all": BAD}, None, 0.02)],
    0,
)
TWO = Evaluation(
    "roxford",
    "revisited",
    ("easy", "hard"),
    "hard",
    [
        Row("a_1", "a", {"easy": GOOD, "hard": BAD}, None, 0.01),
        Row("b\n_2", "b", {"hard": GOOD}, None, 0.02),
        Row("c_3", "c", {"easy": BAD}, None, 0.03),
    ],
    3,
)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_remarks():
    assert report.remarks(ONE) == []
    assert report.remarks(replace(ONE, absent=1)) == [
        "1 relevant picture is not in the index and counted as not found."
    ]
    assert report.remarks(TWO) == ["3 relevant pictures are not in the index and counted as not found."]


def test_json():
    found = json.loads(json.dumps(report.as_dict(ONE)))
    assert found["dataset"] == "mugs" and found["protocol"] == "rectangular" and found["absent"] == 0
    assert {key: found[key] for key in ("queries", "mAP", "P@1", "P@5", "P@10", "R@10", "R@100")} == {
        "queries": 2,
        "mAP": 0.5667,
        "P@1": 0.5,
        "P@5": 0.55,
        "P@10": 0.4,
        "R@10": 0.375,
        "R@100": 0.75,
    }
    assert (found["ms p50"], found["ms p95"], found["localisation"]) == (15, 19.5, 0.6123)
    assert found["objects"] == [
        {"object": "cup", "queries": 1, "AP": 0.3333},
        {"object": "mug", "queries": 1, "AP": 0.8},
    ]
    assert found["hardest"] == [
        {"query": "cup-2", "object": "cup", "AP": 0.3333},
        {"query": "mug-1", "object": "mug", "AP": 0.8},
    ]
    assert found["labels"] == {"all": {key: found[key] for key in ("queries", *report.FIGURES)}}
    assert found["per_query"][1] == {
        "query": "cup-2",
        "object": "cup",
        "AP": 0.3333,
        "P@1": 0,
        "P@5": 0.2,
        "P@10": 0.1,
        "R@10": 0.25,
        "R@100": 0.5,
        "localisation": None,
        "ms": 20,
    }


def test_json_of_several_labels():
    found = report.as_dict(TWO)
    assert found["queries"] == 2 and found["mAP"] == found["labels"]["hard"]["mAP"] == 0.5667
    assert found["labels"]["easy"]["mAP"] == 0.5667 and found["labels"]["easy"]["P@1"] == 0.5
    assert found["localisation"] is None
    assert [row["query"] for row in found["hardest"]] == ["a_1", "b\n_2"]
    assert (found["per_query"][0]["easy AP"], found["per_query"][0]["hard AP"]) == (0.8, 0.3333)
    assert found["per_query"][2]["hard AP"] is None and found["per_query"][2]["easy R@100"] == 0.5


def test_text():
    assert report.as_text(ONE).splitlines() == [
        "labels  queries     mAP     P@1     P@5    P@10    R@10   R@100",
        "all           2  0.5667  0.5000  0.5500  0.4000  0.3750  0.7500",
        "",
        "Protocol: rectangular",
        "Query time: p50 15.0 ms, p95 19.5 ms",
        "Localisation: mean IoU 0.612",
        "",
        "hardest queries  object     AP",
        "cup-2            cup     0.333",
        "mug-1            mug     0.800",
        "",
        "weakest objects  queries     AP",
        "cup                    1  0.333",
        "mug                    1  0.800",
    ]


def test_judged_results_are_counted_and_the_others_named(tmp_path: Path):
    rows = [
        replace(ONE.rows[0], judged=8),
        replace(ONE.rows[1], judged=9),
        Row("q", "o", {}, None, 0.1, 3, "Mark more."),
    ]
    found = replace(ONE, protocol="judged", rows=rows)
    assert "Judged: 8.5 of the first 10 results; others do not count" in report.as_text(found).splitlines()
    assert report.remarks(found) == ["q is not rated: Mark more."]
    told = report.as_dict(found)
    assert (told["queries"], told["judged of 10"], told["unrated"]) == (2, 8.5, {"q": "Mark more."})
    assert told["per_query"][2]["judged of 10"] == 3 and told["per_query"][2]["AP"] is None
    report.write_csv(found, tmp_path / "rows.csv")
    assert [row[8] for row in rows_of(tmp_path / "rows.csv")] == ["judged of 10", "8", "9", "3"]


def test_text_of_several_labels_and_odd_names():
    lines = report.as_text(TWO).splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["easy", "2", "0.5667"], ["hard", "2", "0.5667"]]
    assert "Localisation" not in report.as_text(TWO)
    assert any(line.startswith("b\N{REPLACEMENT CHARACTER}_2") for line in lines)


def test_text_stops_at_ten():
    rows = [Row(f"q{n:02d}", f"o{n:02d}", {"all": Quality(n / 30, 0, 0, 0, 0, 0)}, None, 0.01) for n in range(30)]
    text = report.as_text(replace(ONE, rows=rows))
    assert text.count("\nq") == text.count("\no") == 10 and "q09" in text and "q10" not in text
    assert len(report.as_dict(replace(ONE, rows=rows))["objects"]) == 30


def test_csv(tmp_path: Path):
    report.write_csv(ONE, tmp_path / "rows.csv")
    assert rows_of(tmp_path / "rows.csv") == [
        ["query", "object", "AP", "P@1", "P@5", "P@10", "R@10", "R@100", "localisation", "ms"],
        ["mug-1", "mug", "0.8", "1", "0.9", "0.7", "0.5", "1", "0.6123", "10.0"],
        ["cup-2", "cup", "0.3333", "0", "0.2", "0.1", "0.25", "0.5", "", "20.0"],
    ]


def test_csv_of_several_labels(tmp_path: Path):
    report.write_csv(TWO, tmp_path / "rows.csv")
    header, *rows = rows_of(tmp_path / "rows.csv")
    assert header[2] == "easy AP" and header[8] == "hard AP" and len(header) == 16
    assert [row[2] for row in rows] == ["0.8", "", "0.3333"] and [row[8] for row in rows] == ["0.3333", "0.8", ""]


def test_csv_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(BadTable, match=r"cannot be written: .*\.$"):
        report.write_csv(ONE, tmp_path / "gone" / "rows.csv")


def test_hardest_queries_and_weakest_objects_use_the_main_labels():
    def row(query: str, of: str, **shares: float) -> Row:
        return Row(query, of, {labels: Quality(share, 0, 0, 0, 0, 0) for labels, share in shares.items()}, None, 0.1)

    rows = [
        row("a", "mug", easy=0.1, hard=0.5),
        row("b", "mug", hard=0.3),
        row("c", "cup", easy=0.9, hard=0.2),
        row("d", "hat", easy=0.0),
        row("f", "pot", hard=0.9),
        row("e", "jug", hard=0.2),
    ]
    found = replace(TWO, rows=rows)
    assert [row.query for row in report.hardest_queries(found)] == ["c", "e", "b", "a", "f"]
    assert [(name, count) for _, name, count in report.weakest_objects(found)] == [
        ("cup", 1),
        ("jug", 1),
        ("mug", 2),
        ("pot", 1),
    ]
    assert report.weakest_objects(found)[2][0] == pytest.approx(0.4)
