import io
import random
import zlib

import pikepdf
import pytest
from weasyprint import HTML

from engine import documents
from engine.uploads import ActiveContent


def pdf(*, packed: bool = False, **root: pikepdf.Object) -> bytes:
    """A PDF of one empty page whose catalog also has `root`; packed puts it into object streams."""
    document = pikepdf.new()
    document.add_blank_page()
    for key, value in root.items():
        document.Root["/" + key] = value
    out = io.BytesIO()
    mode = pikepdf.ObjectStreamMode.generate if packed else pikepdf.ObjectStreamMode.disable
    document.save(out, object_stream_mode=mode, encryption=False)
    return out.getvalue()


def action(kind: str) -> pikepdf.Dictionary:
    return pikepdf.Dictionary(S=pikepdf.Name("/" + kind), JS="app.alert(1)")


def refused_as_active(data: bytes) -> str:
    with pytest.raises(ActiveContent) as refused:
        documents.refuse_unfit(data, name="说明.pdf")
    return str(refused.value)


@pytest.mark.parametrize("packed", [False, True])
def test_a_plain_pdf_is_kept(packed: bool) -> None:
    documents.refuse_unfit(pdf(packed=packed), name="a.pdf")


def test_a_pdf_printed_from_a_page_is_kept() -> None:
    printed = HTML(string="<h1>现场检查记录</h1><a href='https://example.org'>x</a>").write_pdf()
    documents.refuse_unfit(printed, name="a.pdf")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("kind", "said"),
    [("JavaScript", "脚本"), ("Launch", "启动"), ("SubmitForm", "外发"), ("ImportData", "导入")],
)
def test_a_pdf_that_acts_is_refused_and_told_why(kind: str, said: str, packed: bool) -> None:
    assert said in refused_as_active(pdf(packed=packed, AA=pikepdf.Dictionary(WC=action(kind))))


@pytest.mark.parametrize("packed", [False, True])
def test_an_attached_file_is_refused(packed: bool) -> None:
    document = pikepdf.new()
    document.add_blank_page()
    document.attachments["x.exe"] = b"MZ"
    out = io.BytesIO()
    mode = pikepdf.ObjectStreamMode.generate if packed else pikepdf.ObjectStreamMode.disable
    document.save(out, object_stream_mode=mode)
    assert "附件" in refused_as_active(out.getvalue())


def test_an_action_on_opening_is_refused_but_a_place_to_open_at_is_not() -> None:
    uri = pikepdf.Dictionary(S=pikepdf.Name("/URI"), URI="https://example.org")
    goto = pikepdf.Dictionary(S=pikepdf.Name("/GoTo"), D=pikepdf.Array([0, pikepdf.Name("/Fit")]))
    assert "打开时" in refused_as_active(pdf(OpenAction=uri))
    documents.refuse_unfit(pdf(OpenAction=goto), name="a.pdf")
    documents.refuse_unfit(
        pdf(OpenAction=pikepdf.Array([0, pikepdf.Name("/XYZ")]), packed=True), name="a.pdf"
    )


def test_a_name_written_in_hex_is_still_found() -> None:
    data = pdf(AA=pikepdf.Dictionary(WC=action("JavaScript")))
    assert "脚本" in refused_as_active(data.replace(b"/JavaScript", b"/J#61v#61Script"))


def test_a_pdf_with_a_password_is_refused() -> None:
    document = pikepdf.new()
    document.add_blank_page()
    out = io.BytesIO()
    document.save(out, encryption=pikepdf.Encryption(owner="o", user="u"))
    assert "密码" in refused_as_active(out.getvalue())


def test_a_dynamic_form_is_refused() -> None:
    form = pikepdf.Dictionary(XFA=pikepdf.Array([]), Fields=pikepdf.Array([]))
    assert "动态表单" in refused_as_active(pdf(AcroForm=form))


def test_a_pdf_cut_off_anywhere_is_refused() -> None:
    data = pdf()
    for end in random.Random(7).sample(range(9, len(data) - 10), 40):
        with pytest.raises(documents.BrokenPdf, match="没有传完"):
            documents.refuse_unfit(data[:end], name="a.pdf")


def objects(dictionary: bytes, body: bytes) -> bytes:
    return (
        b"%PDF-1.7\n1 0 obj\n<</Type/ObjStm/N 1/First 4" + dictionary + b">>\nstream\n"
        + body + b"\nendstream\nendobj\nstartxref\n0\n%%EOF\n"
    )  # fmt: skip


SCRIPT = zlib.compress(b"2 0 <</S/JavaScript/JS(x)>>")


def test_a_hidden_object_stream_is_found_whatever_stands_around_it() -> None:
    plain = objects(b"/Filter/FlateDecode", SCRIPT)
    padded = objects(b"/Filter[ /FlateDecode ]/X(" + b"y" * 5000 + b")", SCRIPT)
    commented = plain.replace(b"1 0 obj", b"% stream\n1 0 obj")
    hexed = plain.replace(b"/ObjStm", b"/Obj#53tm")
    for data in (plain, padded, commented, hexed):
        assert "脚本" in refused_as_active(data)


@pytest.mark.parametrize(
    ("dictionary", "body"),
    [
        (b"/Filter[/ASCIIHexDecode/FlateDecode]", SCRIPT.hex().encode()),
        (b"/Filter/LZWDecode", b"\x80"),
        (b"/Filter 9 0 R", SCRIPT),
        (b"/Filter/FlateDecode/DecodeParms<</Predictor 12>>", SCRIPT),
        (b"/Filter/FlateDecode", b"not deflated at all"),
        (b"/Filter/FlateDecode/X(\nstream\n)", SCRIPT),
        (b"/Filter/FlateDecode", zlib.compress(b"endstream" + b"x" * 99, 0)),
    ],
)
def test_what_cannot_be_looked_into_is_refused(dictionary: bytes, body: bytes) -> None:
    with pytest.raises(documents.BrokenPdf):
        documents.refuse_unfit(objects(dictionary, body), name="a.pdf")


def test_a_deflate_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_INFLATED", 1000)
    small = objects(b"/Filter/FlateDecode", zlib.compress(bytes(900)))
    large = objects(b"/Filter/FlateDecode", zlib.compress(bytes(2000)))
    documents.refuse_unfit(small, name="a.pdf")
    with pytest.raises(documents.BrokenPdf, match="过大"):
        documents.refuse_unfit(large, name="a.pdf")
    twice = small.partition(b"startxref")[0] + small
    with pytest.raises(documents.BrokenPdf, match="过大"):
        documents.refuse_unfit(twice, name="a.pdf")
