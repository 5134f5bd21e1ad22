"""What a page looks like, whoever looks: to compare two of them (promise 9)."""

import re

# Made anew for each browser: what a passkey would sign, tokens of forms, ids.
_OF_THE_BROWSER = re.compile(r'data-options="[^"]*"|[0-9A-Za-z_-]{40,}|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}')


def face(text: str, *typed: str) -> str:
    """A page without what is made anew for each browser, and without what was `typed` into it."""
    text = _OF_THE_BROWSER.sub("", text)
    for each in typed:
        text = text.replace(each, "")
    return text
