"""Every story in the folders here comes true under the book that it names: given (假设), when (当), then (那么).

To add one, write a file beside the others; nothing here needs to be changed. `./zikao schemes try BOOK FILE` plays it
step by step. Stories of a made-up jurisdiction, which uses every word there is, stand beside those of real books.
"""

from functools import cache
from pathlib import Path

import pytest

from ops.schemes.performing import faults_of_story
from ops.schemes.stories import read_story
from shared.schemes.catalog import Catalog
from tests.schemes.test_vocabulary import CLAIMS

HERE = Path(__file__).parent
STORIES = sorted(HERE.rglob("*.yaml"))


@cache
def shelf() -> Catalog:
    return Catalog.load()


@cache
def made_up() -> Catalog:
    return Catalog.load(CLAIMS)


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.relative_to(HERE).as_posix())
def test_a_story_comes_true(file: Path) -> None:
    story = read_story(file)
    catalog = made_up() if story.story.scheme in made_up().books else shelf()
    assert faults_of_story(story, catalog.get(story.story.scheme), catalog) == []


def test_there_are_stories_of_every_published_procedure() -> None:
    told = {read_story(file).story.scheme for file in STORIES}
    assert {ref for ref, parts in shelf().published.items() if "exemption" in parts} <= told
