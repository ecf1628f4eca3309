"""Work that goes on beside whoever hands it over: in order, none outlasts the block, and none fails unseen."""

import threading

import pytest

from cdm_pipelines.parallel import Beside


def test_pieces_go_on_beside_one_after_the_other() -> None:
    begun, done, may_end = threading.Event(), [], threading.Event()

    def first() -> None:
        begun.set()
        assert may_end.wait(10)
        done.append("first")

    with Beside() as beside:
        beside.do(first)
        assert begun.wait(10), "it goes on while whoever handed it over does"
        assert done == []
        may_end.set()
        beside.do(lambda: done.append("second"))
        assert done[0] == "first", "the next begins when it has ended"
    assert done == ["first", "second"], "none outlasts the block"


def test_what_goes_wrong_is_raised_where_it_is_waited_for() -> None:
    def fails() -> None:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"), Beside() as beside:
        beside.do(fails)
    with Beside() as beside:
        beside.do(fails)
        assert not beside.failed
        with pytest.raises(ValueError, match="no room"):
            beside.wait()
        assert beside.failed, "so that nobody takes it for a fault of their own"
