"""The three papers of one made-up person, photographed once for all tests of this folder."""

from dataclasses import dataclass

import pytest

from shared.documents.images import prepare
from shared.documents.photo_rules import PhotoRules
from shared.testing.pictures import IdCard, Shot, SkillCertificate, certificate, id_back, id_front, photograph

DOCUMENT = PhotoRules(
    min_sharpness=60,
    min_width=800,
    min_height=600,
    either_orientation=True,
    crop_to_document=True,
    min_document_share=0.15,
)
"""Rules as a book for documents would ask them."""


@dataclass(frozen=True)
class Papers:
    card: IdCard
    paper: SkillCertificate
    front: bytes
    back: bytes
    certificate: bytes


@pytest.fixture(scope="session")
def papers() -> Papers:
    """12 megapixels each, held in the three ways phones are held."""
    card, paper = IdCard(), SkillCertificate()
    return Papers(
        card,
        paper,
        photograph(id_front(card), Shot(orientation=6, seed=1)),
        photograph(id_back(card), Shot(orientation=8, seed=2)),
        photograph(certificate(paper), Shot(orientation=3, share=0.55, seed=3)),
    )


@pytest.fixture(scope="session")
def pages(papers: Papers) -> dict[str, bytes]:
    """The pictures that are kept of them."""
    kept = {}
    for side in ("front", "back", "certificate"):
        prepared = prepare(getattr(papers, side), DOCUMENT)
        assert prepared.picture is not None, prepared.report.failures
        kept[side] = prepared.picture
    return kept
