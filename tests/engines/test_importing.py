"""The search for garbage rests while a library is imported, once."""

import gc
import sys

import pytest

from pipeline.engines.importing import importing


def test_no_garbage_is_sought_while_a_library_comes_in() -> None:
    frozen = gc.get_freeze_count()
    with importing("a library that is not there yet"):
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_a_library_that_is_there_changes_nothing() -> None:
    frozen = gc.get_freeze_count()
    with importing(next(iter(sys.modules))):
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_a_failed_import_leaves_things_as_they_were() -> None:
    frozen = gc.get_freeze_count()
    with pytest.raises(ImportError), importing("nothing"):
        raise ImportError
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_where_it_is_off_it_stays_off() -> None:
    gc.disable()
    try:
        with importing("nothing"):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
