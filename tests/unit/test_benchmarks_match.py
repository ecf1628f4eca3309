"""What the document of matching one record says."""

from dataclasses import replace

from benchmarks.match_document import Size, markdown

SIZE = Size(
    customers=1_000_000,
    records=2_150_000,
    loading=9.5,
    held=1.1,
    own=0.6,
    asked=1000,
    joined=890,
    doubtful=7,
    refused=1,
    agree=1000,
    p50=18.2,
    p99=41.0,
    slowest=95.1,
    processor=17.9,
    compared=61.4,
    others=0.1,
)


def test_the_document_says_whether_the_aim_is_met_and_how_many_agree() -> None:
    told = markdown([SIZE], {"cores": "2"}, "source")
    assert "Of 1,000 records that were held out of 1,000,000 customers, **1,000** were answered" in told
    assert "(aim: 50 ms; met)" in told
    assert (
        "| 1,000,000 | 2,150,000 | 9.5 | 1.10 | 0.50 | 1,000 | 1,000 | 890 | 7 | 61 | 18.2 | 41.0 | 95 |"
        in told
    )
    assert "(aim: 50 ms; not met)" in markdown([replace(SIZE, p99=51.0)], {"cores": "2"}, "source")
