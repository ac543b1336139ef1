"""What a pickle of plain values holds is read; one that asks for anything else is refused and nothing in it runs."""

import os
import pickle
import pickletools
from contextlib import suppress
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.evaluation import safe_pickle
from boxfind.evaluation.safe_pickle import read_plain_pickle
from retrieval.errors import BadDataset

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
protocols = pytest.mark.parametrize("protocol", PROTOCOLS)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
)
ARRAYS = [
    np.arange(300),
    np.array([], dtype=np.int64),
    np.array([]),
    np.arange(5, dtype=np.uint8),
    np.arange(5, dtype=">i4"),
    np.array([1.5, -2.25, np.inf]),
    np.array([[1.5, 2], [3, 4], [5, 6]]),
    np.asfortranarray([[1, 2, 3], [4, 5, 6]]),
    np.array([True, False]),
    np.array(["all_souls", "Moscow", "Москва"]),
    np.array(["a", 1, None], dtype=object),
]


class Attack:
    """Unpickled by Python, this leaves a file behind."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gnd_made_up.pkl"


def read(path: Path, data: bytes) -> object:
    path.write_bytes(data)
    return read_plain_pickle(path)


@given(value=plain, protocol=st.sampled_from(PROTOCOLS))
def test_plain_values(tmp_path_factory, value, protocol):
    path = tmp_path_factory.getbasetemp() / "plain.pkl"
    assert read(path, pickle.dumps(value, protocol)) == value


@protocols
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_become_lists(path, array, protocol):
    assert read(path, pickle.dumps({"a": array, "b": [array]}, protocol)) == {
        "a": array.tolist(),
        "b": [array.tolist()],
    }


@protocols
def test_numpy_numbers_become_numbers(path, protocol):
    found = read(path, pickle.dumps([np.float64(1.5), np.int32(-7), np.bool_(True)], protocol))
    assert found == [1.5, -7, True] and [type(value) for value in found] == [float, int, bool]


def test_older_names_of_the_same_functions(path):
    data = pickle.dumps(np.arange(4), 2)
    assert b"numpy._core" in data
    assert read(path, data.replace(b"numpy._core", b"numpy.core")) == [0, 1, 2, 3]


def test_the_text_of_python_2_is_text_and_its_raw_data_bytes(path):
    raw = np.array([1, 200, 3], dtype="<i4").tobytes()
    data = (
        b"\x80\x02}q\x00(U\x04nameq\x01U\x0call_souls_00U\x05itemsq\x02"
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x03\x85cnumpy\ndtype\n(U\x02i4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(raw)]) + raw + b"tbu."
    )
    assert read(path, data) == {"name": "all_souls_00", "items": [1, 200, 3]}


@protocols
@pytest.mark.parametrize("function", [os.system, eval, exec, print, np.load, pickle.loads, getattr])
def test_an_attack_is_refused_and_does_not_run(path, tmp_path, protocol, function):
    trace = tmp_path / "trace"
    attack = Attack(function, f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w')")
    data = pickle.dumps({"imlist": ["a"], "gnd": [attack]}, protocol)
    with pytest.raises(BadDataset, match=r"gnd_made_up\.pkl asks for \w+\.\w+, which .* nothing in it was run\.$"):
        read(path, data)
    assert not trace.exists()
    if function is os.system:
        pickle.loads(data)
        assert trace.exists()  # the attack is one


@protocols
@pytest.mark.parametrize("value", [date(2018, 6, 1), 1j, Path("a"), range(3), np.datetime64(0, "s")])
def test_other_types_are_refused(path, value, protocol):
    with pytest.raises(BadDataset, match="nothing in it was run"):
        read(path, pickle.dumps(value, protocol))


def test_what_a_file_asks_for_is_told_on_one_line(path):
    with pytest.raises(BadDataset, match=r"asks for a\ufffdb\.x*…") as told:
        read(path, b"\x80\x04\x8c\x03a\nbX\xe8\x03\x00\x00" + b"x" * 1000 + b"\x93.")
    assert len(str(told.value)) < 300


def test_arrays_of_other_types_are_refused(path):
    for array in (np.zeros(2, "c16"), np.zeros(2, "M8[s]"), np.zeros(2, "i4,f4"), np.zeros(2, "V8")):
        with pytest.raises(BadDataset, match="holds an array of"):
            read(path, pickle.dumps(array, 2))


@pytest.mark.parametrize("at", [0, 1, 2, 17, 60, -1])
def test_a_truncated_or_other_file_is_refused(path, at):
    data = pickle.dumps({"a": np.arange(3), "b": ["text"]}, 4)
    for wrong in (data[:at], b"imlist,qimlist\n", b"\x80\x04", b".", b"\x80\x04e.", b"\x80\x04h\x05."):
        with pytest.raises(BadDataset, match=r"gnd_made_up\.pkl is damaged, or not a pickle of plain values"):
            read(path, wrong)


@given(st.binary(max_size=200) | st.lists(st.sampled_from([c.code for c in pickletools.opcodes])).map("".join))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    try:
        read(path, data.encode("latin-1") if isinstance(data, str) else data)
    except BadDataset as error:
        assert "\n" not in str(error)


@given(st.integers(0), st.integers(0, 255))
def test_a_wrong_byte_is_read_or_refused(tmp_path_factory, place, byte):
    data = bytearray(pickle.dumps({"a": np.arange(3), "b": ["text", 1.5, np.float32(2)]}, 2))
    data[place % len(data)] = byte
    try:
        read(tmp_path_factory.getbasetemp() / "any.pkl", bytes(data))
    except BadDataset as error:
        assert "\n" not in str(error)


def test_few_bytes_cannot_fill_the_memory(path):
    array = pickle.dumps(np.zeros(1000, np.uint8), 2)[2:-1]
    state = array.rindex(b"(K\x01")
    start, state = array[:state], array[state:-1]
    again = b"(" + start + state + b"q\x64b" + (start + b"h\x64b") * 100 + b"l."
    assert len(again) < 20_000
    with pytest.raises(BadDataset, match="unpacks to more than its own size"):
        read(path, b"\x80\x02" + again)
    text = b"\x80\x02(X\xe8\x03\x00\x00" + b"a" * 1000 + b"q\x00X\x06\x00\x00\x00latin1q\x01"
    with pytest.raises(BadDataset, match="unpacks to more than its own size"):
        read(path, text + b"c_codecs\nencode\nq\x02h\x00h\x01\x86R" + b"h\x02h\x00h\x01\x86R" * 100 + b"l.")


@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x8e\x00\x00\x00\x00\x00\x00\x00\x40.",  # BINBYTES8 of 4 EiB
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",  # BINUNICODE8
        b"\x96\x00\x00\x00\x00\x10\x00\x00\x00.",  # BYTEARRAY8 of 64 GiB
        b"\x8b\xff\xff\xff\x7f.",  # LONG4
        b"Nr\xff\xff\xff\x7f.",  # LONG_BINPUT: two billion memo slots
        b"Np2000000000\n.",
        b"(p-1\n.",
    ],
)
def test_announced_sizes_are_compared_with_the_file(path, opcodes):
    with pytest.raises(BadDataset, match="damaged"):
        read(path, b"\x80\x05" + opcodes)


def test_an_empty_array_of_many_rows_is_an_empty_list(path):
    data = pickle.dumps(np.zeros((2**20, 0)), 2)
    assert read(path, data.replace(b"J\x00\x00\x10\x00", b"J\xff\xff\xff\x7f")) == []


@protocols
def test_numpy_does_not_read_bytes_as_objects(path, protocol):
    """A dtype of objects whose flags say that it holds none; NumPy itself would follow the pointers."""
    state = Attack(np.dtype, "O8", False, True)
    state.call = (*state.call, (3, "|", None, None, None, -1, -1, 0))
    array = Attack(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b")
    array.call = (*array.call, (1, (1,), state, False, b"\x41" * 8))
    with pytest.raises(BadDataset, match="holds an array of O8"):
        read(path, pickle.dumps(array, protocol))


@pytest.mark.parametrize("state", [{"__defaults__": (1,)}, (None, {"__defaults__": (1,)}), (None, {"code": "i8"})])
@pytest.mark.parametrize("name", [b"numpy\ndtype", b"numpy.core.multiarray\n_reconstruct", b"_codecs\nencode"])
def test_a_file_cannot_change_the_program(path, name, state):
    changed = pickle.dumps(state, 2)[2:-1]
    with suppress(BadDataset):
        read(path, b"\x80\x02c" + name + b"\n" + changed + b"b0N.")
    test_arrays_become_lists(path, np.arange(3), 2)


def test_a_missing_or_too_large_file_is_refused(path, tmp_path, monkeypatch):
    for wrong in (path, tmp_path):
        with pytest.raises(BadDataset, match="cannot be read"):
            read_plain_pickle(wrong)
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 100)
    assert read(path, pickle.dumps("a" * 80)) == "a" * 80
    with pytest.raises(BadDataset, match="has more than"):
        read(path, pickle.dumps("a" * 100))
