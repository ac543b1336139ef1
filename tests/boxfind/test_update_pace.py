"""Updates wait until a folder has settled, rest after one another, and come ever later if they fail."""

from boxfind.update_pace import FIRST_PAUSE, LONGEST_PAUSE, LONGEST_SETTLE, REST, Pace


def test_an_update_is_due_when_nothing_has_changed_for_a_while():
    pace = Pace(settle=5.0)
    pace.notice({"a.jpg"}, 100.0)
    assert pace.waiting and pace.due_in(100.0) == 5.0
    pace.notice({"a.jpg", "b.jpg"}, 104.0)
    assert pace.due_in(105.0) == 4.0 and pace.due_in(109.0) == 0.0 and pace.names == {"a.jpg", "b.jpg"}
    pace.clear()
    assert not pace.waiting and not pace.names


def test_r92_a_folder_that_never_settles_is_updated_all_the_same():
    pace = Pace(settle=5.0)
    for now in range(0, 2000, 4):
        pace.notice({f"{now}.jpg"}, float(now))
    assert pace.due_in(LONGEST_SETTLE) == 0.0


def test_updates_rest_after_one_another():
    pace = Pace(settle=5.0)
    pace.succeeded(100.0)
    pace.notice({"a.jpg"}, 101.0)
    assert pace.due_in(101.0) == REST - 1.0


def test_r93_failed_updates_come_ever_later_until_one_succeeds():
    pace, pauses = Pace(settle=5.0), []
    pace.notice({"a.jpg"}, 999.0)
    for _ in range(9):
        pace.failed(1000.0)
        pauses.append(pace.due_in(1000.0))
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE] and pauses[-2:] == [LONGEST_PAUSE] * 2
    pace.notice({"b.jpg"}, 1001.0)
    assert pace.due_in(1001.0) == LONGEST_PAUSE - 1.0  # another change does not make room on a full disk
    pace.forgive()
    assert pace.due_in(1001.0) == 5.0
    pace.failed(2000.0)
    pace.succeeded(3000.0)
    pace.failed(4000.0)
    assert pace.due_in(4000.0) == FIRST_PAUSE
