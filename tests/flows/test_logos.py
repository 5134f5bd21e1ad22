"""The logo of a client: only a picture is taken, it comes from our own origin, and pages show it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.flows.opening import read_clients
from idp.flows.operate import pictures
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.logos import set_logo
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.pictures import LARGEST, Picture
from tests.world.pictures import REAL, jpeg, lossless, png, webp
from tests.world.provider import Provider


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(png(40, 30), "image/png", id="png"),
        pytest.param(jpeg(40, 30), "image/jpeg", id="jpeg"),
        pytest.param(lossless(40, 30), "image/webp", id="lossless"),
        pytest.param(webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 40, 30)), "image/webp", id="lossy"),
        pytest.param(
            webp(b"VP8X", bytes(4) + (39).to_bytes(3, "little") + (29).to_bytes(3, "little"), (b"VP8 ", bytes(11))),
            "image/webp",
            id="extended",
        ),
    ],
)
def test_a_picture_is_known_by_its_bytes(content: bytes, kind: str) -> None:
    assert pictures.read(content) == Picture(kind, 40, 30, content)
    for cut in range(len(content)):
        assert isinstance(pictures.read(content[:cut]), str), cut
    assert isinstance(pictures.read(content + b"<script>alert(1)</script>"), str)


HEAD = png()[:33]  # with IHDR
END = png()[-12:]
SCRIPT = b"<script>alert(1)</script>"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(HEAD + SCRIPT + END, id="a script between head and end"),
        pytest.param(HEAD + END, id="no pixels"),
        pytest.param(png() + END, id="two ends"),
        pytest.param(HEAD + png()[8:], id="two heads"),
        pytest.param(png()[:-4] + bytes(4), id="a wrong sum at the end"),
        pytest.param(png()[:8] + png()[33:], id="no head"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x04ab" + SCRIPT + b"\xff\xd9", id="a script in a jpeg"),
        pytest.param(jpeg(40, 30)[:-2] + b"\xff\xd9" + SCRIPT + b"\xff\xd9", id="two ends of a jpeg"),
        pytest.param(jpeg(40, 30).replace(b"\xff\xda", b"\xff\xe1"), id="no scan"),
        pytest.param(webp(b"VP8X", bytes(10), (b"EVIL", SCRIPT)), id="no picture in it"),
        pytest.param(webp(b"EVIL", SCRIPT, (b"VP8L", b"\x2f" + bytes(11))), id="something before it"),
        pytest.param(webp(b"VP8L", b"\x2f" + bytes(11), (b"EVIL", SCRIPT)), id="something behind it"),
        pytest.param(webp(b"VP8L", b"\x2f" + bytes(11))[:-1], id="cut"),
    ],
)
def test_what_is_dressed_up_as_a_picture_is_none(content: bytes) -> None:
    assert pictures.read(content) == "is no PNG, JPEG or WebP picture, or not a whole one"


@pytest.mark.parametrize("kind", REAL)
def test_a_real_picture_is_taken_and_no_part_of_one(kind: str) -> None:
    whole = REAL[kind]
    assert pictures.read(whole) == Picture(f"image/{kind if kind in ('png', 'jpeg') else 'webp'}", 24, 24, whole)
    assert all(isinstance(pictures.read(whole[:cut]), str) for cut in range(len(whole)))
    assert isinstance(pictures.read(whole + SCRIPT), str)


@given(st.sampled_from(sorted(REAL)), st.data())
def test_whatever_became_of_a_real_picture_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    content = bytearray(REAL[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content)))
        cut = data.draw(st.integers(0, 40))
        content[at : at + cut] = data.draw(st.binary(max_size=40))
    match pictures.read(bytes(content)):
        case Picture(width=width, height=height):
            assert 16 <= min(width, height) <= max(width, height) <= 1024
        case str() as why:
            assert why.startswith(("is no PNG", "is "))


@given(st.binary(max_size=200))
def test_whatever_bytes_are_read_or_refused(content: bytes) -> None:
    for head in (b"", HEAD, png()[:8], b"\xff\xd8\xff", jpeg(40, 30)[:-2], b"RIFF\x00\x00\x00\x00WEBP"):
        assert isinstance(pictures.read(head + content), Picture | str)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "is no PNG", id="nothing"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "is no PNG", id="svg"),
        pytest.param(b"<html>", "is no PNG", id="html"),
        pytest.param(b"GIF89a" + bytes(40), "is no PNG", id="gif"),
        pytest.param(png(15, 48), "is 15 x 48 pixels", id="small"),
        pytest.param(jpeg(1025, 48), "is 1025 x 48 pixels", id="large"),
        pytest.param(jpeg(0, 0), "is 0 x 0 pixels", id="none"),
        pytest.param(png() + bytes(LARGEST), "has more than 100 kB", id="heavy"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x00" + bytes(50) + b"\xff\xd9", "is no PNG", id="loop"),
    ],
)
async def test_what_is_no_picture_is_refused(provider: Provider, content: bytes, why: str) -> None:
    with pytest.raises(NotAcceptable, match=f"^The logo {why}"):
        await set_logo(provider.idp, "bank", content)


async def test_people_see_it_where_they_sign_in_and_where_they_allow(provider: Provider) -> None:
    await edit_client(provider.idp, "bank", {"first_party": False})
    name = (await set_logo(provider.idp, "bank", png())).logo
    await read_clients(provider.idp)
    shown = f'<img class="logo" src="/logo/{name}" alt=""'
    browser = provider.browser()
    page = await browser.get(provider.authorize_url())
    assert shown in page.text
    page = await provider.sign_in(browser)
    assert page.url.path.endswith("/consent") or "Allow" in page.text
    assert shown in page.text
    assert "/logo/" not in (await provider.browser().get(provider.authorize_url("notes"))).text
    picture = await browser.http.get(f"/logo/{name}")
    assert (picture.status_code, picture.content) == (200, png())
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in picture.headers["cache-control"]
    assert "set-cookie" not in picture.headers


async def test_another_has_another_address_and_none_is_nowhere(provider: Provider) -> None:
    first = (await set_logo(provider.idp, "bank", png())).logo
    await edit_client(provider.idp, "bank", {"name": "Corner Bank"})
    await read_clients(provider.idp)
    assert provider.idp.clients["bank"].logo == first
    second = (await set_logo(provider.idp, "bank", png(64, 48))).logo
    await read_clients(provider.idp)
    browser = provider.browser()
    assert (await browser.http.get(f"/logo/{first}")).status_code == 404
    assert (await browser.http.get(f"/logo/{second}")).content == png(64, 48)
    await set_logo(provider.idp, "bank", None)
    await read_clients(provider.idp)
    assert (await browser.http.get(f"/logo/{second}")).status_code == 404
    assert "/logo/" not in (await browser.get(provider.authorize_url())).text


async def test_a_name_that_nobody_has_costs_no_statement(provider: Provider) -> None:
    provider.count()
    browser = provider.browser()
    for name in ("None", "x", "0" * 32, "%00", "..%2f..", "a" * 5000):
        assert (await browser.http.get(f"/logo/{name}")).status_code in {400, 404, 414}, name
    assert provider.statements == []
