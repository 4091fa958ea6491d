"""The candidate's papers, drawn for the occasion and photographed. `steps_of_candidates.py` uploads them."""

from collections.abc import Callable, Mapping

from ops.demo.candidate import Candidate
from ops.demo.script import Paper, filled
from shared.testing.pictures import (
    IdCard,
    Pixels,
    Shot,
    holding_id,
    id_back,
    id_front,
    paper_alone,
    photograph,
    portrait,
    sheet,
)

_CARDS: Mapping[str, Callable[[IdCard], Pixels]] = {"id_front": id_front, "id_back": id_back, "holding_id": holding_id}
_UPRIGHT = "holding_id"


def drawn(said: Paper, candidate: Candidate) -> bytes:
    """The picture file."""
    if said.drawn == "portrait":
        return portrait()
    if said.drawn == "sheet":
        rows = filled(said.rows, candidate.facts())
        paper = sheet(said.heading, tuple(rows.items()))
    else:
        paper = _CARDS[said.drawn](candidate.id_card())
    if said.turned:
        return photograph(paper, Shot(orientation=said.turned, seed=said.turned, share=said.share))
    return paper_alone(paper, (900, 1140) if said.drawn == _UPRIGHT else (1600, 1008 if said.drawn in _CARDS else 1131))
