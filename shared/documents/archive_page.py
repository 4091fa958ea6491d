"""The page of an archive record that a person reads: one HTML file without scripts and without anything from outside.

Called by `archive_record.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from shared.kernel.time import spoken

if TYPE_CHECKING:
    from shared.documents.archive_record import ArchivedEvent, ArchiveRecord

_STYLE = """
body { font: 16px/1.6 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; color: #222; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #999 }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #bbb; padding: .35rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #f3f3f3; font-weight: normal; width: 11rem }
ol { padding-left: 2.2rem }
li { margin: .7rem 0 }
figure { display: inline-block; margin: 0 1.5rem 1rem 0; vertical-align: top }
figure img { max-width: 14rem; max-height: 18rem; border: 1px solid #bbb }
.small { color: #555; font-size: .85rem; overflow-wrap: anywhere }
@media print { details { display: none } }
"""


def page(record: ArchiveRecord, files: Sequence[tuple[str, str, str]]) -> str:
    """`files` are path, room ("documents" or "photographs") and title of each enclosure."""
    cover = [
        *record.about,
        ("档案编号", record.number),
        ("办理编号", record.case),
        ("依据规则", record.scheme),
        ("封存机关", record.authority),
        ("封存时间", spoken(record.sealed_at)),
    ]
    pictures = "".join(
        f'<figure><img src="{escape(path)}" alt="{escape(title)}"><figcaption>{escape(title)}</figcaption></figure>\n'
        for path, room, title in files
        if room == "photographs"
    )
    papers = "".join(
        f'<li><a href="{escape(path)}">{escape(title)}</a> <span class="small">{escape(path)}</span></li>\n'
        for path, room, title in files
        if room == "documents"
    )
    return (
        '<!doctype html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(record.title)} {escape(record.number)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<p>{escape(record.authority)}</p>\n<h1>{escape(record.title)}</h1>\n{_table(cover)}"
        f"<h2>照片</h2>\n{pictures or '<p>无</p>'}"
        f"<h2>文件</h2>\n<ol>\n{papers}</ol>\n"
        f"<h2>办理经过（{len(record.events)} 条）</h2>\n<ol>\n{''.join(map(_event, record.events))}</ol>\n"
        '<h2>核验</h2>\n<p>本页便于阅读；以 <a href="manifest.json">manifest.json</a>（由封存机关签名）和'
        ' <a href="events.jsonl">events.jsonl</a> 为准。核验方法见 <a href="README.txt">README.txt</a>。</p>\n'
        "</body>\n</html>\n"
    )


def _event(event: ArchivedEvent) -> str:
    told = _table((name, _said(value)) for name, value in event.told.items())
    return (
        f"<li><strong>{escape(event.words)}</strong><br>\n{spoken(event.recorded_at)}　经手 {escape(event.actor)}\n"
        f"<details><summary>内容</summary>\n{told}"
        f'<p class="small">{escape(event.source)} {escape(event.stream)} 第 {event.version} 条'
        f"　{escape(event.type)}　{escape(event.hash)}</p></details></li>\n"
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>\n" for name, value in rows)
    return f"<table>\n{lines}</table>\n" if lines else ""


def _said(value: Any) -> str:
    match value:
        case None:
            return "无"
        case bool():
            return "是" if value else "否"
        case str() | int() | float():
            return str(value)
        case Mapping():
            return "；".join(f"{name}：{_said(each)}" for name, each in value.items()) or "无"
        case list() | tuple():
            return "、".join(map(_said, value)) or "无"
        case _:
            return json.dumps(value, ensure_ascii=False)
