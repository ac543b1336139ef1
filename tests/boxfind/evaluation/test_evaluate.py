"""Queries are answered in order and rated against the labels."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pillow

from boxfind.engine import Engine
from boxfind.evaluation.batch import answer_all, map_queries
from boxfind.evaluation.dataset import BoxedQuery, Dataset, Labels, read_csv_folder, read_queries
from boxfind.evaluation.evaluate import Evaluation, Row, evaluate
from boxfind.evaluation.metrics import Quality, rate, rate_revisited
from boxfind.evaluation.object_folders import read_object_folders
from boxfind.settings import Settings
from retrieval.errors import BadDataset, UnknownName
from retrieval.types import Box, quiet
from tests.tiny import use_tiny_network

PERFECT = Quality(1, 1, 1, 1, 1, 1)


@pytest.fixture
def engine(gallery: Path, build_index, tiny_embedder, monkeypatch) -> Engine:
    """An engine that serves the drawn gallery with a stub network."""
    index_dir = build_index(gallery).parent
    use_tiny_network(monkeypatch)
    return Engine(Settings.load(gallery=gallery, index=index_dir))


@pytest.fixture
def dataset(gallery: Path, tmp_path: Path, draw) -> Path:
    """Three queries that are copies of their relevant images; q1 ignores most images."""
    folder = tmp_path / "dataset"
    (folder / "queries").mkdir(parents=True)
    for number in range(3):
        Pillow.fromarray(draw(number)).save(folder / "queries" / f"{number}.png")
    write(folder / "queries.csv", "query,image,x,y,w,h", *(f"q{n},{n}.png,0,0,128,96" for n in range(3)))
    write(folder / "relevant.csv", "query,image", "q0,0.png", "q1,below/6.png", "q2,2.png")
    write(folder / "ignore.csv", "query,image", *(f"q1,{n}.png" for n in range(6)), "q1,below/7.png")
    return folder


@pytest.fixture
def measure(engine, dataset):
    """Read and evaluate the data set in its current state."""
    return lambda: evaluate(engine, engine.gallery(), read_csv_folder(dataset), "fast", quiet)


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_failing_query_does_not_affect_the_others(engine, dataset, workers):
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


def test_without_a_box_the_whole_picture_is_searched_for(engine, dataset):
    image = dataset / "queries" / "1.png"
    queries = [BoxedQuery("whole", image, None), BoxedQuery("boxed", image, Box(0, 0, 128, 96))]
    whole, boxed = answer_all(engine, engine.gallery(), queries, 0, "fast", quiet)
    assert whole.hits == boxed.hits and whole.hits[0].image == "1.png"


def test_results_keep_the_order_of_the_queries():
    queries = [BoxedQuery(str(number), Path(), None) for number in range(20)]
    told = []
    found = map_queries(queries, lambda query: query.name * 2, lambda *p: told.append(p), 4)
    assert found == [str(number) * 2 for number in range(20)]
    assert told == [("Answering queries", number, 20) for number in range(1, 21)]


def test_figures_of_a_small_data_set(measure):
    found = measure()
    assert (found.dataset, found.protocol, found.labels, found.main) == ("dataset", "rectangular", ("all",), "all")
    assert (found.queries, found.absent, found.localisation) == (3, 0, None)
    assert found.quality == PERFECT
    assert [(row.query, row.object, row.quality, row.localisation) for row in found.rows] == [
        (f"q{n}", f"q{n}", {"all": PERFECT}, None) for n in range(3)
    ]
    assert 0 < found.seconds_p50 <= found.seconds_p95 <= max(row.seconds for row in found.rows)


def test_without_an_ignore_list_all_pictures_count(dataset, measure):
    write(dataset / "ignore.csv", "query,image")
    with_header_only = measure().quality
    (dataset / "ignore.csv").unlink()
    assert measure().quality == with_header_only
    assert 2 / 3 < with_header_only.average_precision < 1
    assert with_header_only.precision_at_10 == 1  # all eight pictures are in the top ten


def test_an_unreadable_query_ends_the_evaluation(dataset, measure):
    (dataset / "queries" / "2.png").unlink()
    with pytest.raises(BadDataset, match="1 of 3 queries failed; the first is q2: "):
        measure()


def test_relevant_pictures_missing_from_the_index_are_counted_as_misses(dataset, measure):
    write(
        dataset / "relevant.csv", "query,image", "q0,0.png", "q0,gone.png", "q1,below/6.png", "q2,2.png", "q2,gone.png"
    )
    found = measure()
    assert found.absent == 1
    assert found.quality.average_precision == pytest.approx((0.5 + 1 + 0.5) / 3)
    write(dataset / "relevant.csv", "query,image", "q0,x.png", "q1,y.png", "q2,z.png")
    with pytest.raises(
        BadDataset,
        match=r"No relevant picture of dataset is in the index, for example x\.png; use an index of .*gallery",
    ):
        measure()


def test_the_same_figures_from_the_rankings_by_hand(engine, dataset, measure):
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
    found = measure()
    assert found.quality.average_precision == pytest.approx(sum(precisions) / 3)
    assert [row.quality["all"].average_precision for row in found.rows] == pytest.approx(precisions)


def test_localisation_is_the_overlap_with_the_best_true_box(dataset, measure):
    write(
        dataset / "relevant.csv",
        "query,image,x,y,w,h",
        *("q0,0.png,0,0,128,96", "q0,0.png,0,0,5,5"),  # IoU 1: the better of two boxes counts
        *("q1,below/6.png,,,,", "q2,2.png,0,0,64,96"),
    )
    found = measure()
    assert [row.localisation for row in found.rows] == [1, None, 0.5]
    assert found.localisation == 0.75


def test_with_a_list_of_wrong_pictures_the_others_do_not_count(dataset, measure):
    (dataset / "ignore.csv").unlink()
    write(dataset / "relevant.csv", "query,image", *(f"q{n},{n}.png" for n in range(3)))
    write(dataset / "wrong.csv", "query,image", "q1,0.png")
    with pytest.raises(BadDataset, match="No query has enough judged results; the first is q0: 1 of the first 8"):
        measure()
    write(dataset / "wrong.csv", "query,image", *(f"q0,{name}" for name in ("3.png", "4.png", "5.png", "below/7.png")))
    found = measure()
    assert (found.protocol, found.queries, found.judged) == ("judged", 1, 5)
    assert found.unrated.keys() == {"q1", "q2"} and found.rows[0].quality["all"] == Quality(1, 1, 0.2, 0.2, 1, 1)


def test_wrong_pictures_are_refused_with_several_label_sets(engine, dataset):
    data = read_csv_folder(dataset)
    judged = replace(data.labels["all"], wrong={})
    with pytest.raises(BadDataset, match="dataset lists wrong pictures, so it may have only one label set"):
        evaluate(engine, engine.gallery(), replace(data, labels=data.labels | {"more": judged}), "fast", quiet)


def test_several_sets_of_labels_and_the_published_protocol(engine, dataset):
    queries = read_queries(dataset / "queries.csv", dataset / "queries")
    pictures = {"0.png", "1.png", "2.png"}
    labels = {
        "easy": Labels({"q0": {"0.png"}}, {}),
        "hard": Labels({"q0": {"5.png"}, "q1": {"4.png"}}, {"q1": pictures}),
    }
    objects = {"q0": "a", "q1": "a", "q2": "b"}
    data = Dataset("made up", dataset, queries, labels, objects, main="hard", protocol="revisited")
    found = evaluate(engine, engine.gallery(), data, "fast", quiet)
    rankings = [
        [hit.image for hit in answer.hits] for answer in answer_all(engine, engine.gallery(), queries, 0, "fast", quiet)
    ]
    assert found.rows[0].quality == {"easy": PERFECT, "hard": rate_revisited(rankings[0], {"5.png"})}
    assert found.rows[1].quality == {"hard": rate_revisited(rankings[1], {"4.png"}, pictures)}
    assert found.rows[2].quality == {}
    assert found.rows[1].quality["hard"] != rate(rankings[1], {"4.png"}, pictures)
    assert found.queries == 2 and found.mean("easy") == PERFECT
    with pytest.raises(UnknownName, match="no protocol called 'published'; choose from: judged, rectangular"):
        evaluate(engine, engine.gallery(), replace(data, protocol="published"), "fast", quiet)


def test_object_folders_are_evaluated(build_index, tiny_embedder, monkeypatch, draw, tmp_path):
    """Two similar pictures of each of three objects find each other, never themselves."""
    for seed, name in enumerate(["cup", "hat", "mug"]):
        (tmp_path / "objects" / name).mkdir(parents=True)
        for number in range(2):
            picture = draw(seed).copy()
            picture[:8, :8] = 90 * number
            Pillow.fromarray(picture).save(tmp_path / "objects" / name / f"{number}.png")
    use_tiny_network(monkeypatch)
    engine = Engine(Settings.load(gallery=tmp_path / "objects", index=build_index(tmp_path / "objects").parent))
    found = evaluate(engine, engine.gallery(), read_object_folders(tmp_path / "objects"), "fast", quiet)
    assert found.queries == 6 and found.quality == PERFECT
    assert [row.object for row in found.rows] == ["cup", "cup", "hat", "hat", "mug", "mug"]


def row(name: str, of: str, **shares: float) -> Row:
    return Row(name, of, {labels: Quality(*[share] * 6) for labels, share in shares.items()}, None, 0.1)


def test_means_by_label_set():
    rows = [row("a", "x", easy=1, hard=0.5), row("b", "x", easy=0.5), row("c", "y", easy=0, hard=0.25), row("d", "z")]
    found = Evaluation("made up", "rectangular", ("easy", "hard"), "easy", rows, 0)
    assert found.queries == 3 and found.quality == found.mean() == found.mean("easy") == Quality(*[0.5] * 6)
    assert found.mean("hard") == Quality(*[0.375] * 6)
    assert [r.query for r in found.rated("hard")] == ["a", "c"]


def test_times_and_localisation_over_all_queries():
    rows = [Row(str(n), "x", {"all": PERFECT}, fit, n / 100) for n, fit in enumerate([None, 0.5, 0.75] * 7)]
    found = Evaluation("made up", "rectangular", ("all",), "all", rows, 0)
    assert (found.seconds_p50, found.seconds_p95) == pytest.approx((0.1, 0.19))
    assert found.localisation == 0.625
