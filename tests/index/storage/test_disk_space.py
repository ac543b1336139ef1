import pytest

from index.storage.disk_space import file_size


@pytest.mark.parametrize(("count", "shown"), [(999, "1 kB"), (2_345_678, "2.3 MB"), (1_999_000_000, "2.0 GB")])
def test_file_sizes(count: int, shown: str) -> None:
    assert file_size(count) == shown
