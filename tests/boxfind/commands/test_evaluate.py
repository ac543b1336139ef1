"""evaluate: prints text or JSON and writes CSV."""

import json
from pathlib import Path


def test_evaluate(indexed, boxfind, tmp_path: Path):
    (tmp_path / "queries").symlink_to(indexed.gallery, target_is_directory=True)
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\na,02.png,0,0,256,192\nb,03.png,0,0,256,192\n")
    (tmp_path / "relevant.csv").write_text("query,image\na,02.png\nb,03.png\n")
    result = boxfind("evaluate", "--index", indexed.index, "--dataset", tmp_path, "--json")
    figures = json.loads(result.out)
    assert result.code == 0
    assert figures.keys() >= {"queries", "mAP", "P@1", "P@5", "P@10", "R@10", "R@100", "ms p50", "ms p95"}
    assert figures.keys() >= {"localisation", "objects", "hardest", "per_query"}
    assert (figures["queries"], figures["mAP"], figures["P@10"], figures["R@100"]) == (2, 1, 1, 1)
    plain = boxfind("evaluate", "--index", indexed.index, "--dataset", tmp_path, "--csv", tmp_path / "rows.csv")
    assert plain.out.splitlines()[1].split()[:3] == ["all", "2", "1.0000"] and "hardest queries" in plain.out
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 3
    wrong = boxfind("evaluate", "--index", indexed.index, "--dataset", tmp_path, "--format", "cvs")
    wrong.assert_failed("csv, folders, revisited")
