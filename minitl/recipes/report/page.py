"""The page: all sections in one file that needs no other file. Its style is in `page.css`."""

from pathlib import Path

from . import results, sections
from . import section_network as inside
from .html import Markup, join, tag

# The page loads nothing and runs no program: all of it is in the file.
ALONE = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


def as_html(fine_tuning, findings):
    """Return the page about a fine-tuning on photographs by class as text."""
    contents = [
        ("data", "The data", sections.data(fine_tuning, findings)),
        ("steps", "Six steps", sections.steps(fine_tuning.steps, fine_tuning.model.ledger)),
        ("learning", "How it learned", sections.learning([*fine_tuning.stages, *fine_tuning.other_stages])),
        ("confusion", "What it confuses", results.confusion(fine_tuning.evaluation)),
        ("mistakes", "The most confident mistakes", results.mistakes(fine_tuning, findings)),
        ("where", "Where it looked", results.where_it_looked(fine_tuning, findings)),
        ("inside", "What it sees", inside.what_it_sees(fine_tuning, findings)),
        ("cost", "What it costs", inside.cost(findings)),
    ]
    beside = "The figures lie beside this page as PNG files, for slides. The page itself needs no other file."
    return whole_page(fine_tuning.task, sections.headline(fine_tuning), contents, fine_tuning.facts, beside)


def whole_page(title, headline, contents, facts, last_words=""):
    """Return a page with any sections as text.

    title      of the window;   headline   what stands above all sections, as `Markup`
    contents   the sections, as [(the name of its place, its title, its content as `Markup`)]
    facts      how the report was made, as [(name, value)];   last_words   behind them
    """
    links = [tag("a", heading, href=f"#{id_}") for id_, heading, _ in contents]
    rows = [tag("div", tag("dt", what), tag("dd", value)) for what, value in facts]
    body = join(
        tag("header", headline, tag("nav", links, aria_label="Sections")),
        tag("main", [_section(*each) for each in contents]),
        tag("footer", tag("dl", rows, class_="facts"), tag("p", last_words) if last_words else ""),
    )  # fmt: skip
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content="minitl"),
        tag("meta", http_equiv="Content-Security-Policy", content=ALONE),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · minitl"),
        tag("style", Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def _section(id_, title, content):
    """Return a section with its heading."""
    return tag("section", tag("h2", title, id=id_), content, aria_labelledby=id_)
