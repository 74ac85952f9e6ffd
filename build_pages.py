"""Makes pages of docs/ that a browser shows without a network: the extension brings them along for F1 and its link.

Of Markdown what docs/ uses: headings, paragraphs, lists, tables, code, pictures, links, emphasis.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }
img { max-width: 100%; } code, pre { background: #eee; padding: 0 0.2em; } pre { padding: 0.6em; overflow-x: auto; }
table { border-collapse: collapse; } td, th { border: 1px solid #bbb; padding: 0.2em 0.6em; vertical-align: top; }
"""
_CODE = re.compile(r"`([^`]+)`")
_INLINE = (
    (re.compile(r"!\[([^\]]*)\]\(([^)]+)\)"), r'<img alt="\1" src="\2">'),
    (re.compile(r"\[([^\]]+)\]\(([^)]+)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\*([^*]+)\*"), r"<i>\1</i>"),
)
_ITEM = re.compile(r"(-|\d+\.) (.*)")


def build_pages(docs: Path, target: Path) -> list[Path]:
    """A page in `target` for each .md of `docs`, beside the pictures that they show; returns them."""
    target.mkdir(parents=True, exist_ok=True)
    pages = []
    for source in sorted(docs.glob("*.md")):
        text = source.read_text("utf-8")
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
            if (docs / picture).is_file():  # a test looks for those that are not there
                (target / picture).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(docs / picture, target / picture)
        pages.append(target / f"{source.stem}.html")
        pages[-1].write_text(page_of(text), "utf-8")
    return pages


def page_of(text: str) -> str:
    title = next((line[2:] for line in text.splitlines() if line.startswith("# ")), "Motion324")
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n" + "\n".join(_blocks(text)) + "\n</body></html>\n"


def anchor_of(heading: str) -> str:
    """As links to headings are written: small letters, hyphens for spaces, nothing else."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _blocks(text: str) -> Iterator[str]:
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith("```"):
            end = next((k for k, each in enumerate(lines) if each.startswith("```")), len(lines))
            yield f"<pre>{html.escape(chr(10).join(lines[:end]))}</pre>"
            del lines[: end + 1]
        elif line.startswith("#"):
            marks, _, heading = line.partition(" ")
            yield f'<h{len(marks)} id="{anchor_of(heading)}">{_inline(heading)}</h{len(marks)}>'
        elif line.startswith("|"):
            yield _table([line, *_taken(lines, "|")])
        elif _ITEM.match(line):
            yield _list([line, *_taken(lines, "- ", "  ", *(f"{k}. " for k in range(10)))])
        elif line.strip():
            yield f"<p>{_inline(' '.join([line, *_paragraph(lines)]))}</p>"


def _taken(lines: list[str], *starts: str) -> Iterator[str]:
    """Takes the lines off that begin so."""
    while lines and lines[0].startswith(starts):
        yield lines.pop(0)


def _paragraph(lines: list[str]) -> Iterator[str]:
    while lines and lines[0].strip() and not lines[0].startswith(("#", "|", "```")) and not _ITEM.match(lines[0]):
        yield lines.pop(0)


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        match = _ITEM.match(line)
        if match:
            items.append(match[2])
        else:
            items[-1] += f" {line.strip().removeprefix('- ')}"
    kind = "ul" if lines[0].startswith("-") else "ol"
    return f"<{kind}>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + f"</{kind}>"


def _table(lines: list[str]) -> str:
    rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
    cells = [[_inline(cell.strip().replace("\\|", "|")) for cell in row] for row in rows if not _is_rule(row)]
    head = "".join(f"<th>{cell}</th>" for cell in cells[0])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in cells[1:])
    return f"<table><tr>{head}</tr>{body}</table>"


def _is_rule(row: list[str]) -> bool:
    return all(set(cell.strip()) <= set("-:") and cell.strip() for cell in row)


def _inline(text: str) -> str:
    """Code is put aside while the rest is looked at, so that nothing in it is taken for a mark."""
    codes: list[str] = []

    def aside(match: re.Match[str]) -> str:
        codes.append(f"<code>{html.escape(match[1], quote=False)}</code>")
        return f"\0{len(codes) - 1}\0"

    text = html.escape(_CODE.sub(aside, text), quote=False)
    for pattern, becomes in _INLINE:
        text = pattern.sub(becomes, text)
    text = re.sub(r'(href="[\w\-]+)\.md(["#])', r"\1.html\2", text)
    return re.sub("\0(\\d+)\0", lambda match: codes[int(match[1])], text)
