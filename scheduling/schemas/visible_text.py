"""Tell whether a text has a visible character."""

import unicodedata

# Spaces, control characters, format characters such as joiners, and marks, which need a letter to combine with.
_EMPTY_CATEGORIES = frozenset("ZCM")
# Unassigned characters (Cn) may be next year's emoji, and private ones (Co) a font's letters.
_FULL_CATEGORIES = frozenset({"Cn", "Co"})
# Letters and symbols that are invisible all the same: Hangul fillers, the braille pattern without dots, the placeholder
# of an object that is not there, the null notehead, the blanks between hieroglyphs.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\ufffc\U0001d159\U00013441\U00013442")
# Unassigned, and invisible whatever they become (Default_Ignorable_Code_Point, UAX #44).
_RESERVED = ((0x2065, 0x2065), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))


def is_visible(text: str) -> bool:
    """Tell whether a text has at least one visible character."""
    return any(map(_shows, text))


def _shows(character: str) -> bool:
    if character.isascii():
        return "!" <= character <= "~"
    category = unicodedata.category(character)
    if category[0] in _EMPTY_CATEGORIES and category not in _FULL_CATEGORIES:
        return False
    return character not in _BLANKS and not any(first <= ord(character) <= last for first, last in _RESERVED)
