"""A form with files, as browsers post it: multipart/form-data (RFC 7578), from a body that was received whole. Pure."""

from dataclasses import dataclass, field

from python_multipart import create_form_parser
from python_multipart.multipart import Field, File

_MOST_FIELDS = 25


@dataclass(frozen=True, slots=True)
class Parts:
    """The fields in order, and the files by their names; one that nobody chose is there as no bytes."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)


def has_files(content_type: str) -> bool:
    """Whether a body of this type may have files."""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def read(body: bytes, content_type: str) -> Parts | None:
    """The parts of a body of this type, small enough to be held in memory; None for one that is no form in UTF-8."""
    found = Parts()

    def field_came(each: Field) -> None:
        found.fields.append((_text(each.field_name), _text(each.value)))
        if len(found.fields) > _MOST_FIELDS:
            raise ValueError

    def file_came(each: File) -> None:
        name = _text(each.field_name)
        if name in found.files:
            raise ValueError
        each.file_object.seek(0)
        found.files[name] = each.file_object.read()

    headers = {"Content-Type": content_type.encode()}
    try:
        parser = create_form_parser(headers, field_came, file_came)
        parser.write(body)
        parser.finalize()
    except ValueError:  # of the parser, too
        return None
    return found


def _text(value: bytes | None) -> str:
    return (value or b"").decode()
