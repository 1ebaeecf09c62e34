"""The documents as a site: what Sphinx reads (`make site`).

The documents stay where the repository shows them. Sphinx reads them there, so that the same relative links lead to
the same pages in both. The site loads nothing from another host, and its search works without a server.
"""

from html import escape
from pathlib import Path
from shutil import copyfile

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
MERMAID = HERE / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
"""What draws diagrams in the browser. Without it, as without npm, the page shows their text."""

NAVIGATION = {
    "Start": [
        "docs/quickstart-listen",
        "docs/quickstart-front-end",
        "docs/quickstart-backend",
        "docs/quickstart-operator",
        "docs/tutorial",
        "docs/install",
    ],
    "Decide": ["docs/why", "docs/comparison", "docs/benchmark", "docs/reliability", "docs/browsers"],
    "Build": ["docs/front-end", "docs/backend", "clients/js/README", "examples/README", "docs/migration"],
    "Run": ["docs/production", "docs/runbook", "docs/scaling", "SECURITY"],
    "Look up": ["docs/contract", "docs/reference", "docs/session"],
    "Change": ["docs/architecture", "docs/decisions", "CONTRIBUTING", "CHANGELOG"],
}
"""The pages in the order of the sidebar. A page that is missing here fails the build."""

project = "Audio Stream Feeder"
html_title = project
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "clients/js/README.md", "examples/README.md"]
exclude_patterns = [
    ".*",
    "**/node_modules",
    "build",
    "dist",
    "shared_audio",
    "site",
    "src",
    "tests",
    "var",
]  # not searched
source_suffix = {".md": "markdown"}
nitpicky = True

myst_heading_anchors = 6  # named as the repository's page names them
myst_fence_as_directive = ["mermaid"]
highlight_language = "none"

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_use_index = False
html_show_search_summary = False  # it would fetch the pages, which a browser forbids on a disk


class Mermaid(SphinxDirective):
    """A diagram that the browser draws."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return its text, which the script replaces."""
        text = "\n".join(self.content)
        return [nodes.raw("", f'<pre class="mermaid">{escape(text)}</pre>', format="html")]


def add_navigation(_app: Sphinx, docname: str, content: list[str]) -> None:
    """Append the sidebar to the first page, which has none where the repository shows it."""
    if docname == root_doc:
        for caption, pages in NAVIGATION.items():
            listed = "\n".join(pages)
            content[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"


def add_mermaid(app: Sphinx, _page: str, _template: str, _context: object, doctree: nodes.document | None) -> None:
    """Load the script on pages that have a diagram."""
    diagrams = doctree.findall(nodes.raw) if doctree else ()
    if MERMAID.exists() and any("mermaid" in diagram.astext() for diagram in diagrams):
        app.add_js_file(MERMAID.name)


def finish(app: Sphinx, failure: Exception | None) -> None:
    """Add what the pages load, and make the first page the one that a folder or a server opens."""
    if failure is None and app.builder.format == "html":
        if MERMAID.exists():
            copyfile(MERMAID, app.outdir / "_static" / MERMAID.name)
        copyfile(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    """Connect the above with Sphinx."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", add_navigation)
    app.connect("html-page-context", add_mermaid)
    app.connect("build-finished", finish)
