"""Writes the tables of docs/settings.md from the model of the settings: `make settings`. A test compares the two."""

from spy32.settings.describe import text_of, title
from spy32.settings.keys import KEYS, PROFILE_KEYS, SECTIONS, VENDOR, SettingKey, describe_allowed
from spy32.settings.model import Profile
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "settings.md"
BEGIN, END = "<!-- keys: begin -->\n\n", "\n<!-- keys: end -->"


def settings_tables() -> str:
    """One table a section."""
    parts = [markdown_table("General", "", [key for key in KEYS.values() if not key.section])]
    for section in SECTIONS:
        keys = [key for key in KEYS.values() if key.section == section]
        parts.append(markdown_table(f"`[{section}]`", title(section), keys))
    intro = (Profile.__doc__ or "").partition("\n")[0]
    parts.append(markdown_table("`[profile.NAME]`", intro, list(PROFILE_KEYS.values()), has_env=False))
    return "\n".join(parts)


def markdown_table(heading: str, intro: str, keys: list[SettingKey], *, has_env: bool = True) -> str:
    lines = [f"### {heading}", "", *([intro, ""] if intro else [])]
    lines += ["| key | meaning | takes | default |" + (" environment |" if has_env else "")]
    lines += ["| --- | --- | --- | --- |" + (" --- |" if has_env else "")]
    for key in keys:
        default = "none" if key.default in (None, "") else f"`{text_of(key.default)}`"
        cells = [f"`{key.field}`", key.doc, describe_allowed(key), default]
        if has_env:
            variables = [key.env, *(variable for variable, name in VENDOR.items() if name == key.name)]
            cells.append(", ".join(f"`{name}`" for name in variables))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + settings_tables() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
