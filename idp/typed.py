"""What keyboards, contact lists and other pages put into names, numbers and codes, read by its meaning. Pure."""

import re
import string
import unicodedata

# U+30FC is what a Japanese keyboard has where others have a hyphen.
_HYPHENS = frozenset("\u2043\u2212\u02d7\u30fc\uff70")
LONGEST_USERNAME = 64
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_WIDE, _WIDE_END, _WIDE_OFFSET = "\uff01", "\uff5e", 0xFEE0
# What a font leaves out or shows as a blank, though it is printable: letters with nothing to see, and what chooses the
# shape of the sign before it, where that is no symbol of two colours.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\U000e0100-\U000e01ef]"
    r"|(?<![^\w\s\ufe00-\ufe0f])[\ufe00-\ufe0f]"
)


def plain(text: str) -> str:
    """The same in ASCII: a decimal digit of any script as that digit, any blank as a space, any dash as a hyphen.

    Full-width letters and signs become the usual ones; what only steers direction or line breaks goes. Circled,
    superscript and other digits that count nothing (Unicode 4.6: Numeric_Type is not Decimal), line ends and all the
    rest stay as they are, for the caller to refuse.
    """
    return text if text.isascii() and "\t" not in text else "".join(map(_plain, text))


def fold(username: str) -> str:
    """A username as it is stored and looked up: without case, width and surrounding blanks, accents put together.

    Two names that look alike must be one (RFC 8265 3.3): keyboards differ in how they write an accent.
    """
    # Unicode 3.13 D146: folding may undo the normal form, and the normal form uncover a capital
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold()).strip()


def mailbox(address: str) -> str:
    """An e-mail address as two are compared: without the case of ASCII letters, whatever the database makes of others.

    Only addresses in ASCII get mail; of all others each is its own. `store` says the same with `lower(… COLLATE "C")`.
    """
    return address.translate(_SMALL)


def visible(name: str) -> bool:
    """Whether all of a name is seen, so that it does not look like another: what is unique must be told from the rest.

    PRECIS refuses the same in usernames (RFC 8264 9.13).
    """
    return name.isprintable() and not _UNSEEN.search(name)


def username_of(typed: str) -> str | None:
    """A username as it is stored, or None for what cannot be one: empty, too long, with blanks or what is not seen."""
    name = fold(typed)
    fits = 0 < len(name) <= LONGEST_USERNAME and visible(name)
    return name if fits and not any(character.isspace() for character in name) else None


def _plain(character: str) -> str:
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    match unicodedata.category(character):
        case "Cf":
            return ""
        case "Zs":
            return " "
        case "Pd":
            return "-"
        case _ if character == "\t":
            return " "
        case _ if character in _HYPHENS:
            return "-"
        case _ if _WIDE <= character <= _WIDE_END:
            return chr(ord(character) - _WIDE_OFFSET)
        case _:
            return character
