"""Many queries are answered in order, and measured against what is right."""

import csv
from pathlib import Path

import pytest
from PIL import Image as Pillow

import engine as engine_module
from engine import Engine
from evaluation.batch import answer_all
from evaluation.dataset import BoxedQuery, read_queries
from evaluation.evaluate import evaluate
from retrieval.embed import Embedder
from retrieval.errors import BadTable
from retrieval.types import Box
from settings import Settings


def quiet(*_: object) -> None:
    pass


@pytest.fixture
def engine(gallery: Path, build_index, tiny_embedder, monkeypatch) -> Engine:
    """One that serves the drawn gallery through the stand-in for the network."""
    index_dir = build_index(gallery).parent
    monkeypatch.setattr(engine_module, "make_embedder", lambda recipe, *_, **__: Embedder(recipe, tiny_embedder.run))
    return Engine(Settings(gallery=gallery, index=index_dir))


@pytest.fixture
def dataset(gallery: Path, tmp_path: Path, draw) -> Path:
    """Three queries whose answers are the pictures they were copied from; of q1 most are ignored."""
    folder = tmp_path / "dataset"
    (folder / "queries").mkdir(parents=True)
    for number in range(3):
        Pillow.fromarray(draw(number)).save(folder / "queries" / f"{number}.png")
    write(folder / "queries.csv", "query,image,x,y,w,h", *(f"q{n},{n}.png,0,0,128,96" for n in range(3)))
    write(folder / "relevant.csv", "query,image", "q0,0.png", "q1,below/6.png", "q2,2.png")
    write(folder / "ignore.csv", "query,image", *(f"q1,{n}.png" for n in range(6)), "q1,below/7.png")
    return folder


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_bad_query_costs_only_itself(engine, dataset, workers):
    (dataset / "queries" / "empty.png").touch()
    queries = read_queries(dataset / "queries.csv", dataset / "queries")
    queries[1:1] = [
        BoxedQuery("empty", dataset / "queries" / "empty.png", Box(0, 0, 50, 50)),
        BoxedQuery("gone", dataset / "queries" / "gone.png", Box(0, 0, 50, 50)),
        BoxedQuery("outside", dataset / "queries" / "0.png", Box(500, 500, 600, 600)),
    ]
    told = []
    answers = answer_all(engine, engine.gallery(), queries, 3, "fast", lambda *p: told.append(p), workers)
    assert [answer.query for answer in answers] == [query.name for query in queries]
    assert [len(answer.hits) for answer in answers] == [3, 0, 0, 0, 3, 3]
    assert [bool(answer.problem) for answer in answers] == [False, True, True, True, False, False]
    assert all(a.problem.startswith(f"{a.query}: ") and a.problem.endswith(".") for a in answers if a.problem)
    assert [answers[n].hits[0].image for n in (0, 4, 5)] == ["0.png", "1.png", "2.png"]
    assert told[-1] == ("Answering queries", 6, 6)


def test_the_measures_of_a_made_up_data_set(engine, dataset):
    found = evaluate(engine, engine.gallery(), dataset, "fast", quiet)
    assert found.queries == 3
    assert found.quality.average_precision == found.quality.precision_at_10 == found.quality.recall_at_100 == 1
    assert 0 < found.seconds_p50 <= found.seconds_p95


def test_what_is_ignored_counts_when_it_is_not(engine, dataset):
    write(dataset / "ignore.csv", "query,image")
    with_header_only = evaluate(engine, engine.gallery(), dataset, "fast", quiet).quality
    (dataset / "ignore.csv").unlink()
    assert evaluate(engine, engine.gallery(), dataset, "fast", quiet).quality == with_header_only
    assert 2 / 3 < with_header_only.average_precision < 1
    assert with_header_only.precision_at_10 == 1  # all eight pictures stand in the first ten


def test_a_query_that_cannot_be_answered_is_named_and_not_counted_as_a_miss(engine, dataset):
    (dataset / "queries" / "2.png").unlink()
    with pytest.raises(BadTable, match="1 of 3 queries cannot be answered; the first is q2: "):
        evaluate(engine, engine.gallery(), dataset, "fast", quiet)


def test_a_query_without_labels(engine, dataset):
    write(dataset / "relevant.csv", "query,image", "q0,0.png", "q1,1.png")
    with pytest.raises(BadTable, match="nothing about the query q2"):
        evaluate(engine, engine.gallery(), dataset, "fast", quiet)


def test_the_same_figures_from_the_rankings_by_hand(engine, dataset):
    write(dataset / "relevant.csv", "query,image", *(f"q{n},{m}.png" for n in range(3) for m in (0, 2, 5)))
    queries = read_queries(dataset / "queries.csv", dataset / "queries")
    with (dataset / "ignore.csv").open(newline="") as file:
        ignored = {(row["query"], row["image"]) for row in csv.DictReader(file)} - {
            ("q1", f"{m}.png") for m in (0, 2, 5)
        }
    write(dataset / "ignore.csv", "query,image", *(",".join(pair) for pair in sorted(ignored)))
    precisions = []
    for answer in answer_all(engine, engine.gallery(), queries, 0, "fast", quiet):
        kept = [hit.image for hit in answer.hits if (answer.query, hit.image) not in ignored]
        places = sorted(kept.index(image) + 1 for image in ("0.png", "2.png", "5.png"))
        precisions.append(sum(n / place for n, place in enumerate(places, start=1)) / 3)
    found = evaluate(engine, engine.gallery(), dataset, "fast", quiet)
    assert found.quality.average_precision == pytest.approx(sum(precisions) / 3)
