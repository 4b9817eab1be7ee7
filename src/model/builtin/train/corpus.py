"""Builds the training corpus and its held-out part from the Debian package
`bible-kjv-text` (King James Version, 1611; copyright expired, see README.md).

Nothing of the corpus is stored in the repository: this script asks the
`bible` program of the package for the text and lays it out as

    Genesis 1
    In the beginning God created the heaven and the earth.
    And the earth was without form, and void; ...
    <empty line>
    Genesis 2
    ...

One book is one document: BOS, its bytes, EOS.  Verse numbers are left out:
they are trivially predictable and would flatter the bits-per-byte figure.

Held out: six WHOLE books (see HELD_OUT), so that held-out windows of 4,096
bytes are contiguous text and no neighbouring chapter was seen in training.

Run alone, it prints the sizes:  python corpus.py
"""
import re
import subprocess

import numpy as np

BOS, EOS, VOCAB = 256, 257, 258

# Abbreviation printed by `bible -f`  ->  heading used in the corpus.
BOOKS = {
    "Ge": "Genesis", "Exo": "Exodus", "Lev": "Leviticus", "Num": "Numbers",
    "Deu": "Deuteronomy", "Josh": "Joshua", "Jdgs": "Judges", "Ruth": "Ruth",
    "1Sm": "1 Samuel", "2Sm": "2 Samuel", "1Ki": "1 Kings", "2Ki": "2 Kings",
    "1Chr": "1 Chronicles", "2Chr": "2 Chronicles", "Ezra": "Ezra",
    "Neh": "Nehemiah", "Est": "Esther", "Job": "Job", "Psa": "Psalm",
    "Prv": "Proverbs", "Eccl": "Ecclesiastes", "SSol": "Song of Solomon",
    "Isa": "Isaiah", "Jer": "Jeremiah", "Lam": "Lamentations",
    "Eze": "Ezekiel", "Dan": "Daniel", "Hos": "Hosea", "Joel": "Joel",
    "Amos": "Amos", "Obad": "Obadiah", "Jonah": "Jonah", "Mic": "Micah",
    "Nahum": "Nahum", "Hab": "Habakkuk", "Zep": "Zephaniah", "Hag": "Haggai",
    "Zec": "Zechariah", "Mal": "Malachi", "Mat": "Matthew", "Mark": "Mark",
    "Luke": "Luke", "John": "John", "Acts": "Acts", "Rom": "Romans",
    "1Cor": "1 Corinthians", "2Cor": "2 Corinthians", "Gal": "Galatians",
    "Eph": "Ephesians", "Phi": "Philippians", "Col": "Colossians",
    "1Th": "1 Thessalonians", "2Th": "2 Thessalonians", "1Tim": "1 Timothy",
    "2Tim": "2 Timothy", "Titus": "Titus", "Phmn": "Philemon",
    "Heb": "Hebrews", "Jas": "James", "1Pet": "1 Peter", "2Pet": "2 Peter",
    "1Jn": "1 John", "2Jn": "2 John", "3Jn": "3 John", "Jude": "Jude",
    "Rev": "Revelation",
}

# Never trained on. Narrative, prophecy and letters; none of them has a near
# duplicate among the training books (as Mark or Chronicles would have).
HELD_OUT = ("Ruth", "Esther", "Jonah", "Malachi", "2 Timothy", "James")

_LINE = re.compile(r"^(\d?[A-Za-z]+)(\d+):(\d+) (.*)$")


def books():
    """[(name, text bytes)] of all 66 books, in order."""
    raw = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], check=True,
                         capture_output=True, text=True).stdout
    parts = {}
    chapter = {}
    for line in raw.splitlines():
        if not line.strip():
            continue
        m = _LINE.match(line)
        if m is None:
            raise ValueError("unexpected line: %r" % line)
        name, ch, verse = BOOKS[m[1]], int(m[2]), m[4].strip()
        out = parts.setdefault(name, [])
        if chapter.get(name) != ch:
            out.append(("\n" if out else "") + "%s %d" % (name, ch))
            chapter[name] = ch
        out.append(verse)
    if len(parts) != len(BOOKS):
        raise ValueError("expected %d books, got %d" % (len(BOOKS), len(parts)))
    return [(n, ("\n".join(p) + "\n").encode("ascii")) for n, p in parts.items()]


def split():
    """(training books, held-out books), each [(name, bytes)]."""
    all_books = books()
    return ([b for b in all_books if b[0] not in HELD_OUT],
            [b for b in all_books if b[0] in HELD_OUT])


def stream(docs):
    """Token stream BOS book EOS BOS book EOS ..."""
    out = []
    for _, text in docs:
        out += [[BOS], np.frombuffer(text, np.uint8), [EOS]]
    return np.concatenate(out).astype(np.int32)


def line_starts(tokens):
    """Positions where a training window may begin (its first byte): the
    beginning of each non-empty line.  The window gets BOS in front of it."""
    prev, cur = tokens[:-1], tokens[1:]
    ok = ((prev == 10) | (prev == BOS)) & (cur != 10) & (cur < BOS)
    return np.nonzero(ok)[0] + 1


def heldout_windows(docs, length):
    """[n][length] windows: BOS followed by length-1 contiguous bytes of one
    held-out book; the remainder of a book that fills no window is dropped."""
    out = []
    step = length - 1
    for _, text in docs:
        a = np.frombuffer(text, np.uint8).astype(np.int32)
        for i in range(0, len(a) - step + 1, step):
            out.append(np.concatenate([[BOS], a[i:i + step]]))
    return np.stack(out).astype(np.int32)


if __name__ == "__main__":
    train, held = split()
    for label, docs in (("train", train), ("held out", held)):
        print("%-9s %2d books %8d bytes" % (label, len(docs), sum(len(t) for _, t in docs)))
    print("held out:", ", ".join("%s (%d)" % (n, len(t)) for n, t in held))
    print("windows of 4096:", len(heldout_windows(held, 4096)))
