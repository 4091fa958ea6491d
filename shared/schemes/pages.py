"""A page about a book as Markdown, or as HTML in one file that can be sent and printed. Called by `ops/schemes`."""

import re
from collections.abc import Iterator
from html import escape

from shared.schemes.explaining import Page, Row, Section
from shared.schemes.wording import ASSUMED

_HEADINGS = ("名称", "规定", "依据")
_STYLE = """
:root { --ink: #1d2733; --dim: #64707d; --line: #d9dfe5; --shade: #f5f7f9; --mark: #8a5a00; --marked: #fff4d6; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 62rem; color: var(--ink);
  font: 16px/1.7 "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.35; margin: 0 0 .3rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .6rem; padding-bottom: .3rem; border-bottom: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h4, h5, h6 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .2rem 0; } .about { color: var(--dim); }
nav { margin: 1.5rem 0; padding: .8rem 1rem; background: var(--shade); border-radius: 6px; }
nav a { color: inherit; margin-right: 1.2rem; white-space: nowrap; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; margin: .3rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 500; font-size: .88rem; background: var(--shade); }
col.name { width: 28%; } col.source { width: 17%; }
td.source, .source { font-size: .85rem; color: var(--dim); font-weight: 400; }
code { font: .78rem ui-monospace, monospace; color: var(--dim); font-weight: 400; }
mark { background: var(--marked); color: var(--mark); padding: 0 .25em; border-radius: 3px; }
td p { margin: 0; } .row, mark { white-space: nowrap; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } nav { display: none; }
  tr, h2, h3, h4 { break-inside: avoid; } h2, h3, h4 { break-after: avoid; } thead { display: table-header-group; } }
@media (max-width: 40rem) { body { padding: 1.2rem .8rem; } col.source { width: 22%; } }
"""


def closing(page: Page) -> Iterator[str]:
    """How much of the page is assumed, in a sentence."""
    count = len(page.assumed)
    yield f"原文未载明、由系统假定的条款共 {count} 处。" if count else "所有条款均有出处，没有假定。"


def markdown(page: Page) -> str:
    lines = [f"# {page.title}", "", *(f"{each}  " for each in page.about)]
    for section in page.sections:
        lines += _markdown(section, 2)
    lines += ["", "## 假定一览", "", *closing(page), "", *(f"{n}. {each}" for n, each in enumerate(page.assumed, 1))]
    if page.unnamed:
        lines += ["", "## 尚无中文名的词", "", *(f"- `{word}` {said}" for word, said in page.unnamed)]
    return "\n".join(lines) + "\n"


def _markdown(section: Section, depth: int) -> Iterator[str]:
    code = f" `{section.code}`" if section.code and section.code != section.title else ""
    yield from ("", f"{'#' * min(depth, 6)} {section.title}{code}", "")
    if section.source:
        yield from (f"依据：{section.source}", "")
    if section.rows:
        headings = _headings(section)
        yield from (f"| {' | '.join(headings)} |", "|---" * len(headings) + "|")
        yield from (_markdown_row(row, len(headings)) for row in section.rows)
    for each in section.sections:
        yield from _markdown(each, depth + 1)


def _headings(section: Section) -> tuple[str, ...]:
    """Where every clause is one sentence, that is all there is to show besides its source."""
    return _HEADINGS if any(row.says for row in section.rows) else ("内容", _HEADINGS[-1])


def _markdown_row(row: Row, columns: int) -> str:
    name = f"{row.name} `{row.code}`" if row.code else row.name
    cells = (name, "；".join(row.says), row.source) if columns == len(_HEADINGS) else (name, row.source)
    return "| " + " | ".join(each.replace("|", "\\|").replace("\n", " ") for each in cells) + " |"


def html(page: Page) -> str:
    """One file without anything from elsewhere."""
    chapters = [(f"c{n}", each) for n, each in enumerate(page.sections, 1)]
    links = "".join(f'<a href="#{anchor}">{escape(each.title)}</a>' for anchor, each in chapters)
    parts = [
        "<!doctype html>",
        f'<html lang="zh-CN"><head><meta charset="utf-8"><title>{escape(page.title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(page.title)}</h1>",
        *(f'<p class="about">{escape(each)}</p>' for each in page.about),
        f'<nav>{links}<a href="#assumed">假定一览</a></nav>',
    ]
    for anchor, section in chapters:
        parts += _html(section, 2, anchor)
    parts += ['<h2 id="assumed">假定一览</h2>', *(f"<p>{escape(each)}</p>" for each in closing(page))]
    if page.assumed:
        parts += ["<ol>", *(f"<li>{escape(each)}</li>" for each in page.assumed), "</ol>"]
    if page.unnamed:
        parts += ["<h2>尚无中文名的词</h2><ul>"]
        parts += [f"<li><code>{escape(word)}</code> {escape(said)}</li>" for word, said in page.unnamed] + ["</ul>"]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _html(section: Section, depth: int, anchor: str = "") -> Iterator[str]:
    heading = f"h{min(depth, 6)}"
    code = f" <code>{escape(section.code)}</code>" if section.code and section.code != section.title else ""
    source = f' <span class="source">{_source(section.source)}</span>' if section.source else ""
    yield f"<{heading}{f' id={anchor}' if anchor else ''}>{escape(section.title)}{code}{source}</{heading}>"
    if section.rows:
        headings = _headings(section)
        first = '<col class="name"><col>' if len(headings) == len(_HEADINGS) else "<col>"
        yield f'<table><colgroup>{first}<col class="source"></colgroup>'
        yield f"<thead><tr>{''.join(f'<th scope=col>{each}</th>' for each in headings)}</tr></thead><tbody>"
        yield from (_html_row(row, len(headings)) for row in section.rows)
        yield "</tbody></table>"
    for each in section.sections:
        yield from _html(each, depth + 1)


def _html_row(row: Row, columns: int) -> str:
    code = f" <code>{escape(row.code)}</code>" if row.code else ""
    says = "".join(f"<p>{_source(each).replace(chr(10), '<br>')}</p>" for each in row.says)
    said = f"<td>{says}</td>" if columns == len(_HEADINGS) else ""
    return f'<tr><td>{escape(row.name)}{code}</td>{said}<td class="source">{_source(row.source)}</td></tr>'


def _source(text: str) -> str:
    """Text in which rows are not broken in two, and assumptions stand out."""
    unbroken = re.sub(r"\b[A-Z]{2,3}(-[A-Z])?-\d{2}\b", r'<span class="row">\g<0></span>', escape(text))
    return re.sub(rf"※\d+ {ASSUMED}", r"<mark>\g<0></mark>", unbroken)
