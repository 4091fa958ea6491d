"""Reads what is printed on a document. A hint for candidate and reviewer, never a decision (see `hints.py`).

Called in the OCR worker of `pool.py`. rapidocr and its models (in its wheel: nothing is fetched) are loaded only there,
as they take some 400 MB.
"""

import re
from functools import cache
from typing import Any

from shared.documents.hints import Line, Reading

_LONG_SIDE = 1024  # for finding the lines; they are read at the picture's own size
_SURE = 0.8  # mean confidence of a page that lies the right way up
_LABELS = re.compile("姓名|性别|民族|出生|住址|身份号码|身份证号|签发机关|有效期|证件号|证书")


def ready() -> None:
    """Loads the models, so that the first candidate does not wait for them. rapidocr loads each when it is first used,
    the one that reads only once a line was found; so something is read, and what cannot read never becomes a worker."""
    import cv2
    import numpy as np

    paper = np.full((64, 256, 3), 255, np.uint8)
    cv2.putText(paper, "2024", (20, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
    if not _read_as_it_lies(paper).lines:
        raise RuntimeError("the OCR models read nothing on a page made for them")


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    # One thread: the machine's cores belong to the services. Lines are not turned one by one (`use_cls`): a line of
    # digits alone reads as well upside down; the whole page is turned instead.
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Det.limit_type": "max",
            "Det.limit_side_len": _LONG_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def read(picture: bytes) -> Reading:
    """What is printed on a picture that `images.prepare` made. Turned by quarters when it makes no sense upright:
    a phone held flat over a table does not know which side is up."""
    import cv2
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("not a picture")
    best = Reading(())
    for turn in (None, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE):
        reading = _read_as_it_lies(pixels if turn is None else cv2.rotate(pixels, turn))
        if _makes_sense(reading):
            return reading
        best = max(best, reading, key=_confidence)
    return best


def _read_as_it_lies(pixels: Any) -> Reading:
    output = _engine()(pixels)
    if output.txts is None or output.boxes is None or output.scores is None:
        return Reading(())
    lines = (
        Line(text, round(float(score), 3), tuple((float(x), float(y)) for x, y in box))
        for text, score, box in zip(output.txts, output.scores, output.boxes, strict=True)
    )
    return Reading(tuple(sorted(lines, key=lambda line: line.middle[1])))


def _makes_sense(reading: Reading) -> bool:
    return _confidence(reading) >= _SURE and any(_LABELS.search(line.text) for line in reading.lines)


def _confidence(reading: Reading) -> float:
    return sum(line.confidence for line in reading.lines) / len(reading.lines) if reading.lines else 0.0
