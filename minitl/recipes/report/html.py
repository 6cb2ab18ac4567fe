"""HTML as functions. All text that is no `Markup` is escaped: names of files and classes may hold anything."""

import base64
import html
import io

import numpy as np

from ...terminal import printable

VOID = {"img", "meta", "br", "hr"}
MOST_ROWS = 24  # a longer table scrolls within itself
WIDE_TABLE = 6  # columns from which on a table does not fit a telephone


class Markup(str):
    """Text that is HTML already."""


def text(value):
    """Return any value as HTML. Invisible characters, and those that reverse the line, are written as escapes."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(printable(str(value)).replace("\n", "\\n"), quote=True))


def tag(name, /, *contents, **attributes):
    """Return `<name attribute="...">contents</name>`.

    The attribute `class_` is class, `_` within a name is `-`, and an attribute that is None is left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(*contents)}</{name}>")


def join(*contents, by=""):
    """Return contents, and lists of contents, one after the other."""
    flat = []
    for content in contents:
        flat += content if isinstance(content, (list, tuple)) else [content]
    return Markup(by.join(text(each) for each in flat))


def name(value, longest=None):
    """Return a name of a file or class as HTML, isolated: a name from right to left does not rearrange its neighbours.

    With `longest`, the middle of a longer name is left out; the title holds the whole name.
    """
    shown = short(value, longest)
    return tag("bdi", shown, title=None if shown == str(value) else value)


def short(value, longest):
    """Return a text of at most `longest` characters."""
    value = printable(str(value))
    if longest is None or len(value) <= longest:
        return value
    end = (longest - 1) // 2
    return f"{value[: longest - 1 - end]}…{value[-end:]}"


def image(pixels, alt, class_=None):
    """Return an <img> that contains its file, from uint8 (H, W, 3), (H, W, 4) or (H, W).

    Photographs become JPEG. Small and flat images become PNG, which is exact.
    """
    from PIL import Image

    pixels, file = np.ascontiguousarray(pixels), io.BytesIO()
    kind = "jpeg" if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.shape[0] > 100 else "png"
    Image.fromarray(pixels).save(file, kind, **({"quality": 85} if kind == "jpeg" else {"optimize": True}))
    source = f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
    return tag("img", src=source, alt=alt, width=pixels.shape[1], height=pixels.shape[0], class_=class_)


def scrolling(content, caption, wide, class_="scroll"):
    """Return content in a box that scrolls where it is wider than the page; `wide` content says so on small screens."""
    box = tag("div", content, class_=class_, tabindex="0", role="region", aria_label=caption)
    hint = tag("p", "Wider than this screen: move it to the left to see the rest →", class_="hint")
    return join(hint, box) if wide else box


def table(head, rows, caption, wide=False):
    """Return a table with a head, in a box that scrolls where the table is wider than the page.

    The first cell of a row is its heading. A column whose title ends in `#` holds numbers. `caption` is for those who
    do not see the table. `wide`: it does not fit a telephone, whatever the number of its columns.
    """
    numbers = [str(title).endswith("#") for title in head]
    height = "tall" if len(rows) > MOST_ROWS else ""
    titles = [title if isinstance(title, Markup) else title.rstrip("#") for title in head]
    heads = [tag("th", title, scope="col", class_="number" if n else None) for title, n in zip(titles, numbers)]
    body = []
    for first, *rest in rows:
        cells = [tag("td", cell, class_="number" if n else None) for cell, n in zip(rest, numbers[1:])]
        body.append(tag("tr", tag("th", first, scope="row"), cells))
    inner = [tag("caption", caption), tag("thead", tag("tr", heads)), tag("tbody", body)]
    return scrolling(tag("table", inner), caption, wide or len(head) >= WIDE_TABLE, f"scroll {height}".strip())


def figure(content, caption, class_=None):
    """Return an image or chart with its caption."""
    return tag("figure", content, tag("figcaption", caption), class_=class_)


def sure(share):
    """Return a probability as text. It is never shown as 0 % or 100 %."""
    return "over 99.9%" if share > 0.9995 else "under 0.1%" if share < 0.0005 else f"{share:.1%}"


def percent(share, digits=1):
    """Return a share as text, in percent."""
    return "–" if share is None or not np.isfinite(share) else f"{100 * share:.{digits}f}%"
