"""Where a font with Chinese characters is on this machine, without asking the network.

Called by whatever draws or prints text (`shared.testing.pictures`, the captcha, the record table).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pylopdf_fonts_zh_cn
from PIL import ImageFont

# Debian's fonts-noto-cjk. It has the rare characters (𠮷) and a Bold; the wheel has neither, but needs no root.
_DEBIAN = Path("/usr/share/fonts/opentype/noto")
_SIMPLIFIED_CHINESE = 2  # which of the faces inside a Noto CJK collection: 0 JP, 1 KR, 2 SC, 3 TC, 4 HK

_NO_SUCH_CHARACTER = "\U0010ffff"  # a noncharacter: every font draws its "missing" box for it
_PROBE_SIZE = 32


@dataclass(frozen=True)
class Font:
    """A font file, and which face inside it."""

    path: Path
    index: int = 0

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font ready for drawing with Pillow at `size` pixels."""
        return _loaded(self, size)


@cache
def _loaded(font: Font, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font.path, size, index=font.index)


def chinese_font(*, bold: bool = False) -> Font:
    """The best Chinese font here: Debian's Noto Sans CJK, else Noto Sans SC out of the wheel (Regular only)."""
    debian = _DEBIAN / f"NotoSansCJK-{'Bold' if bold else 'Regular'}.ttc"
    if debian.is_file():
        return Font(debian, _SIMPLIFIED_CHINESE)
    return Font(pylopdf_fonts_zh_cn.sans_path())


def missing_glyphs(text: str, font: Font) -> str:
    """The characters of `text` that `font` cannot draw, each once, in order of appearance; "" when it has them all."""
    drawn = font.at(_PROBE_SIZE)
    box = _outline(drawn, _NO_SUCH_CHARACTER)
    return "".join(char for char in dict.fromkeys(text) if not char.isspace() and _outline(drawn, char) == box)


def _outline(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes]:
    # Pillow offers no look into the character map, so a missing glyph is known by its picture: the same box.
    mask = font.getmask(char)
    return mask.size, bytes(mask)
