"""Plain text for people: mathematics in symbols, and the little Markdown that our notes use."""

import html
import re

_SYMBOLS = (
    (r"<=>", "⇔"),
    (r"(?<![<>=])=>", "⇒"),
    (r"<=", "≤"),
    (r">=", "≥"),
    (r"\bgamma\b", "γ"),
    (r"\beps(?=\b|_)", "ε"),
    (r"\bdelta\b", "δ"),
    (r"\bmu0\b", "μ₀"),
    (r"\bpi\b|(?<=[_^])pi\b", "π"),
    (r"\.\.(?!\.)", "…"),
)


def symbols(text: str) -> str:
    """Write ``<=`` as ≤, ``gamma`` as γ and so on.

    Parameters
    ----------
    text : str
        A statement in ASCII.

    Examples
    --------
    >>> symbols("|Tu - Tv| <= gamma |u - v|")
    '|Tu - Tv| ≤ γ |u - v|'
    """
    for pattern, symbol in _SYMBOLS:
        text = re.sub(pattern, symbol, text)
    return text


def markdown(text: str, *, shift: int = 1) -> str:
    r"""Turn headings, paragraphs, lists, tables, code, bold text and links into HTML.

    Parameters
    ----------
    text : str
        Markdown; everything else in it is shown as it is, HTML included.
    shift : int
        Levels by which headings are lowered.

    Examples
    --------
    >>> markdown("# Title\n\n**bold** and `code`")
    '<h2>Title</h2>\n<p><strong>bold</strong> and <code>code</code></p>'
    """
    blocks, fenced = [], False
    for part in re.split(r"^```.*$", text, flags=re.MULTILINE):
        if fenced:
            blocks.append(f"<pre>{html.escape(part.strip())}</pre>")
        else:
            blocks += [
                _block(b, shift) for b in re.split(r"\n\s*\n|(?<=\n)(?=#)", part) if b.strip()
            ]
        fenced = not fenced
    return "\n".join(blocks)


def _block(block: str, shift: int) -> str:
    lines = block.strip().split("\n")
    if heading := re.match(r"(#+)\s+(.*)", lines[0]):
        level = min(len(heading[1]) + shift, 6)
        rest = _block("\n".join(lines[1:]), shift) if lines[1:] else ""
        return f"<h{level}>{_inline(heading[2])}</h{level}>{rest}"
    if re.match(r"[-*] ", lines[0]):
        items = re.split(r"\n(?=[-*] )", "\n".join(lines))
        return "<ul>" + "".join(f"<li>{_inline(item[2:])}</li>" for item in items) + "</ul>"
    if len(lines) > 1 and re.fullmatch(r"\|?[\s:|-]+\|?", lines[1]):
        return _table(lines)
    return f"<p>{_inline(' '.join(lines))}</p>"


def _table(lines: list[str]) -> str:
    def row(line: str, tag: str) -> str:
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        inner = "".join(f"<{tag}>{_inline(c.strip().replace(chr(92), ''))}</{tag}>" for c in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(row(line, "td") for line in lines[2:])
    return f"<table><thead>{row(lines[0], 'th')}</thead><tbody>{body}</tbody></table>"


def _inline(text: str) -> str:
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(
        f"<code>{html.escape(part[1:-1])}</code>" if part.startswith("`") else _prose(part)
        for part in parts
    )


def _prose(text: str) -> str:
    text = html.escape(text, quote=False)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\[([^\]]+)\]\((https?://[^)\s\"]+)\)", r'<a href="\2">\1</a>', text)
