"""Text of any origin made fit for a terminal, a log and a database."""


def plain(text: object) -> str:
    """On one line, with every sign that cannot be printed escaped: line ends, terminal codes, parts of broken UTF-8."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
