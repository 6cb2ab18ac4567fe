"""Make `tokens.json` beside this script: the numbers of the package `tokenizers`, for `tests/texts`.

    pip install -e '.[peers]'
    python tests/golden/make_tokens.py

The vocabularies and texts are written here; every number and place is the peer's. All characters of the texts
whose category a rule asks for are in Unicode since 2012, so every release of Python, and the peer, knows them alike.
"""

import json
import string
from pathlib import Path

import tokenizers

PLACE = Path(__file__).with_name("tokens.json")
LETTERS = string.ascii_lowercase + string.digits
WORDS = """
    the tea is cold warm cup house boat un ##drink ##able ##er ##est ##s ##ing ##ed walk sun ##light ##house light
    istanbul cafe naive US us Tea cold ##est x ##xx
""".split()
VOCABULARY = list(
    dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *string.punctuation, *"¿…「」中文人α", *WORDS, *LETTERS]
        + [f"##{letter}" for letter in LETTERS]
        + ["σ", "##σ", "##α", "é", "##é", "\u1112", "##\u1161", "##\u11ab"]
    )
)
TEXTS = [
    "", " ", "The tea is cold.", "undrinkable, sunlight; lighthouse!", "walking  walked\twalks\nwalker\rtea\r\n",
    "TEA Tea tea", "US us", "[SEP] the [MASK] cup[CLS]", "İstanbul İ ı", "Café cafe\u0301 naïve e\u0301e\u0300",
    "ΣΑΣ σας", "中文tea人", "「中」 豈 ｶﾞ", "\ud55c \u1112\u1161\u11ab",
    "tea\u200bcup\u00ad tea\u0000cup \ufffdtea\ufeff tea\u0007",
    "tea\u00a0cup\u3000tea\u2028cup\u0085x", "¿tea? … $5+3=8 ~x^2 `a|b`", "\u2260 \u037e Å Ω \u212a", "xxx xxxxx",
    "x" * 100, "x" * 101, "x" * 300, "Ǆ ẞ ß ﬁ", "عربي 😀 tea😀", "a\U0002b820a \U0002a6d6a\U00020000",
    "a" + "\u0301" * 120 + " b", "don't", "\x1c\x1d tea\x0bcup\x0c",
]  # fmt: skip
SETTINGS = [
    {}, {"lowercase": False}, {"strip_accents": False}, {"lowercase": False, "strip_accents": True},
    {"handle_chinese_chars": False},
]  # fmt: skip
PAIRS = [("the cold cup", "tea"), ("tea", "the cold cup is warm"), ("the tea is cold", "the cup is warm"), ("", "tea")]
LENGTHS = [5, 6, 7, 8, 20]
# Pieces for merging, the best first.
PIECES = """
    _t he in _the er te an en _a ing st _te ea _tea _i _is s_ aa aaaa th the ther _c cu cup _cup
""".split()
CHARACTERS = " abcdefghinoprstu.é中"
MERGED = [
    "",
    "the tea",
    "the other cup is there",
    "aaaaa aaaaaaa",
    " tea  tea",
    "Tea é中\n😀",
    "<0x0A> <s>",
    "thethether",
]


def wordpiece():
    """Return the numbers and places of every text with every setting."""
    rows = []
    for settings in SETTINGS:
        peer = tokenizers.BertWordPieceTokenizer({token: n for n, token in enumerate(VOCABULARY)}, **settings)
        peer._tokenizer.encode_special_tokens = True  # the option "split special tokens"
        for text in TEXTS:
            found = peer.encode(text)
            rows.append({"settings": settings, "text": text, "ids": found.ids, "offsets": found.offsets})
    return rows


def pairs():
    """Return the numbers and types of every pair in every length."""
    rows = []
    for length in LENGTHS:
        peer = tokenizers.BertWordPieceTokenizer({token: n for n, token in enumerate(VOCABULARY)})
        peer.enable_truncation(length)
        for pair in PAIRS:
            found = peer.encode(*pair)
            rows.append({"length": length, "pair": pair, "ids": found.ids, "types": found.type_ids})
    return rows


def merges():
    """Return pieces with scores, and the numbers of every text, by the peer's byte-pair encoding of the same merges."""
    special = ["<unk>", "\n<s>\n", "\n</s>\n", *(f"<0x{byte:02X}>" for byte in range(256))]
    merged = [piece.replace("_", " ") for piece in PIECES]
    pieces = special + merged + list(CHARACTERS)
    scores = [0.0] * len(special) + [-float(n) for n in range(len(merged) + len(CHARACTERS))]
    known = set(pieces[len(special) :])
    rules = [(p[:cut], p[cut:]) for p in merged for cut in range(1, len(p)) if {p[:cut], p[cut:]} <= known]
    model = tokenizers.models.BPE({piece: n for n, piece in enumerate(pieces)}, rules, byte_fallback=True)
    peer = tokenizers.Tokenizer(model)
    rows = [{"text": text, "ids": peer.encode(" " + text if text else "").ids} for text in MERGED]
    return {"pieces": pieces, "scores": scores, "rows": rows}


if __name__ == "__main__":
    content = {
        "versions": f"tokenizers {tokenizers.__version__}",
        "vocabulary": VOCABULARY,
        "wordpiece": wordpiece(),
        "pairs": pairs(),
        "merges": merges(),
    }
    PLACE.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
