"""Drawings say in shapes what their figures say, and nothing that a figure says becomes markup."""

import xml.etree.ElementTree as ET

from cdm_pipelines.console import charts

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing: str) -> ET.Element:
    return ET.fromstring(drawing)


def test_a_line_is_highest_where_the_figure_is_and_skips_days_without_one() -> None:
    drawn = parsed(charts.line([("2026-06-01", 10.0), ("2026-06-02", None), ("2026-06-03", 40.0)], "rows"))
    dots = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in drawn.iter("circle")]
    assert len(dots) == 2
    assert dots[0][0] < dots[1][0]
    assert dots[0][1] > dots[1][1]
    assert [one.text for one in drawn.iter("title")] == ["2026-06-01: 10", "2026-06-03: 40"]
    assert drawn.attrib["aria-label"] == "rows"


def test_no_figures_are_drawn_without_fault() -> None:
    for drawing in (
        charts.line([], "x"),
        charts.bars({}, "x"),
        charts.spark([], "x"),
        charts.lineage([], [], "x"),
    ):
        assert parsed(drawing).attrib["aria-label"] == "x"


def test_bars_are_as_long_as_what_they_count() -> None:
    drawn = parsed(charts.bars({"a": 100, "b": 50, "none": 0}, "counts"))
    long, half, none = (float(one.attrib["width"]) for one in drawn.iter("rect"))
    assert long == 2 * half
    assert none == 0


def test_what_a_name_holds_stays_text() -> None:
    name = '<script>alert(1)</script>"&'
    boxes = [[charts.Box("one", name, name, "/x?y=1&z=2")], [charts.Box("two", "two", "t", "")]]
    drawings = [
        charts.bars({name: 1}, name),
        charts.line([(name, 1.0)], name),
        charts.lineage(boxes, [("one", "two")], name),
    ]
    for drawing in drawings:
        assert "<script>" not in drawing
        assert parsed(drawing).attrib["aria-label"] == name
        assert "style=" not in drawing


def test_lineage_joins_the_boxes_that_lead_to_each_other() -> None:
    layers = [[charts.Box("a", "a", "s", ""), charts.Box("b", "b", "s", "")], [charts.Box("c", "c", "g", "")]]
    drawn = parsed(charts.lineage(layers, [("a", "c"), ("b", "c"), ("a", "nowhere")], "x"))
    assert len(list(drawn.iter("path"))) == 2
    assert [one.text for one in drawn.iter("title")] == ["s: a", "s: b", "g: c"]
