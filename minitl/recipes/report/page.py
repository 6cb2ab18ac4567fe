"""The page: sections one after the other, in one file that needs nothing else. Its looks are in `page.css`."""

from pathlib import Path

from . import results, sections
from . import section_network as inside
from .html import Markup, join, tag

# Nothing may be loaded from anywhere, and no program may run: the page is what is in the file.
ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def as_html(happened, findings):
    """The whole file as text."""
    contents = [
        ("data", "The data", sections.data(happened, findings)),
        ("steps", "Six steps", sections.steps(happened)),
        ("learning", "How it learned", sections.learning(happened)),
        ("confusion", "What it confuses", results.confusion(happened)),
        ("mistakes", "The most confident mistakes", results.mistakes(happened, findings)),
        ("where", "Where it looked", results.where_it_looked(happened, findings)),
        ("inside", "What it sees", inside.what_it_sees(happened, findings)),
        ("cost", "What it costs", inside.cost(findings)),
    ]
    links = [tag("a", title, href=f"#{id_}") for id_, title, _ in contents]
    body = join(
        tag("header", sections.headline(happened), tag("nav", links, aria_label="Sections")),
        tag("main", [_section(*each) for each in contents]),
        tag("footer", _made_by(happened)),
    )  # fmt: skip
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content="minitl"),
        tag("meta", http_equiv="Content-Security-Policy", content=ALONE),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{happened.task} · minitl"),
        tag("style", Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def _section(id_, title, content):
    return tag("section", tag("h2", title, id=id_), content, aria_labelledby=id_)


def _made_by(happened):
    rows = [tag("div", tag("dt", what), tag("dd", value)) for what, value in happened.facts]
    return join(
        tag("dl", rows, class_="facts"),
        tag("p", "The charts lie beside this page as PNG files, for slides. It needs none of them, and no network."),
    )  # fmt: skip
