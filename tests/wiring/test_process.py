"""Who else may read or change a file, and the command that mends it."""

import os
from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings
from spy32.wiring import App
from spy32.wiring.process import open_secrets, others_access

OURS, THEIRS, ROOTS = 1000, 1001, 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file away")
@pytest.mark.parametrize(
    ("home", "parent", "words"),
    [
        ((0o700, OURS), (0o755, ROOTS), None),
        ((0o700, OURS), (0o1777, ROOTS), None),
        ((0o1777, OURS), (0o755, ROOTS), "chmod go-w {home}"),
        ((0o700, THEIRS), (0o755, ROOTS), "sudo chown 1000 {home}"),
        ((0o700, OURS), (0o700, THEIRS), "sudo chown 1000 {parent}"),
        ((0o700, OURS), (0o775, OURS), "chmod go-w {parent}"),
    ],
)
def test_owners_and_sticky_folders_are_judged(
    tmp_path: Path, home: tuple[int, int], parent: tuple[int, int], words: str | None
) -> None:
    above, folder = tmp_path / "h", tmp_path / "h" / "spy32"
    folder.mkdir(parents=True)
    for path, (bits, owner) in ((folder, home), (above, parent)):
        path.chmod(bits)
        os.chown(path, owner, -1)
    found = others_access([folder, folder / "not there"], OURS)
    assert (found.remedy if found is not None else None) == (words and words.format(home=folder, parent=above))


def app_with_secret(tmp_path: Path, bits: int, mode: Mode) -> App:
    home = tmp_path / "my home"
    home.mkdir(mode=0o700)
    (home / ".env").write_text("XAI_API_KEY=abc\n")
    (home / ".env").chmod(bits)
    return App.create(home=str(home), mode=mode, verbosity=0)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601])
@pytest.mark.parametrize("mode", [Mode.PAPER, Mode.SANDBOX])
def test_an_open_file_of_secrets_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bits: int, mode: Mode
) -> None:
    app = app_with_secret(tmp_path, bits, mode)
    assert app.settings.xai.api_key is not None
    assert capsys.readouterr().err.endswith(f"chmod 600 '{app.locations.dotenv}'\n")


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o644, 0o610, 0o601])
def test_an_open_file_of_secrets_is_refused_live(tmp_path: Path, bits: int) -> None:
    with pytest.raises(BadSettings, match="chmod 600"):
        _ = app_with_secret(tmp_path, bits, Mode.LIVE).settings


@pytest.mark.parametrize("bits", [0o600, 0o400])
def test_a_closed_file_and_one_that_is_not_there_are_fine(tmp_path: Path, bits: int) -> None:
    app = app_with_secret(tmp_path, bits, Mode.LIVE)
    assert app.settings.xai.api_key is not None
    assert open_secrets(app.locations.config) is None
