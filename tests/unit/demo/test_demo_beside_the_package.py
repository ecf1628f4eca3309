"""The generator is for a checkout: the wheel leaves it out, and `cdm demo-data` then says what to do."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
INSTALLED_WITHOUT = """
import sys
sys.modules["cdm_demo"] = None  # what a package that is not there looks like
from cdm_pipelines.cli import main
main()
"""


def test_the_wheel_holds_the_package_and_not_the_generator(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "cdm_pipelines/cli.py" in names
    assert "cdm_pipelines/policies/linkage/person.yaml" in names
    assert "cdm_pipelines/enrichment/reference/nl_postcode4.csv" in names
    assert "cdm_pipelines/enrichment/reference/nl_postcode4.LICENSE" in names
    assert {name.partition("/")[0] for name in names if not name.startswith("cdm_pipelines-")} == {
        "cdm_pipelines"
    }


def test_demo_data_without_the_generator_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED_WITHOUT, "demo-data", "--out", str(tmp_path / "made")],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "checkout" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "made").exists()
