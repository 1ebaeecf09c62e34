"""The Lua scripts that Redis runs, each as one atomic step."""

from importlib import resources


def load_script(package: str, *names: str) -> str:
    """Return the source of the files `scripts/NAME.lua` of a package (`__package__`), joined in this order."""
    folder = resources.files(package) / "scripts"
    return "\n".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in names)
