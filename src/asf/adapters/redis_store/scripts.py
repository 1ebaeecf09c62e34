"""The Lua scripts that Redis runs, each as one atomic step."""

from importlib import resources


def load_script(*names: str) -> str:
    """Return the source of the files `lua/NAME.lua`, joined in this order."""
    folder = resources.files(__package__) / "lua"
    return "\n".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in names)
