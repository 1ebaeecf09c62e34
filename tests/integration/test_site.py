"""The documents as a site: complete, searchable, without dead links, and without anything from another host."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.support.made_once import made_once
from tests.support.site import build_site, build_whole_site

if TYPE_CHECKING:  # It comes with the generator of the site.
    from bs4 import BeautifulSoup, Tag

LOADED = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "audio": "src",
    "video": "src",
    "object": "data",
}
"""Elements that load something, and the attribute that names it. Links of pages (`rel`) are looked at as well."""

NOT_IN_THE_SIDEBAR = {"index.html", "search.html"}
"""The first page under the name that servers look for, and the page that the search field opens."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site."""
    return made_once(tmp_path_factory, "site", build_whole_site) / "site"


@cache
def page(path: Path) -> "BeautifulSoup":
    """Return a page of the site."""
    from bs4 import BeautifulSoup  # noqa: PLC0415 - as above

    return BeautifulSoup(path.read_text(), "html.parser")


def pages(site: Path) -> list[Path]:
    """Return all pages, but not the files that they offer for download."""
    return [path for path in site.rglob("*.html") if "_downloads" not in path.parts]


def attributes(path: Path, names: dict[str, str]) -> Iterator[tuple["Tag", str]]:
    """Yield the elements of these names that have the attribute, with its value."""
    for name, attribute in names.items():
        for element in page(path).find_all(name, {attribute: True}):
            yield element, str(element[attribute])


def target(path: Path, url: str) -> tuple[Path, str]:
    """Return the file and the anchor that a link of the page at `path` leads to."""
    name, anchor = urldefrag(url)
    return ((path.parent / unquote(name.partition("?")[0])).resolve() if name else path), unquote(anchor)


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    """No script, style, font or picture, neither by a page nor by a style sheet."""
    loaded = [(path, url) for path in pages(site) for _, url in attributes(path, LOADED)]
    for path in pages(site):
        loaded += [(path, url) for link, url in attributes(path, {"link": "href"}) if link["rel"] != ["canonical"]]
        assert not page(path).find_all("base"), path
    for path in site.rglob("*.css"):
        loaded += [(path, url) for url in re.findall(r"url\(\s*[\"']?([^\"')]+)", path.read_text())]
        assert "@import" not in path.read_text(), path
    assert len(loaded) > 100
    for path, url in loaded:
        if not url.startswith("data:"):
            assert not urlsplit(url).scheme, (path, url)
            assert not urlsplit(url).netloc, (path, url)
            assert target(path, url)[0].is_file(), (path, url)


def test_the_search_index_has_all_pages(site: Path) -> None:
    """As a script, which a page that was opened from a disk may load."""
    index = (site / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(")
    for path in pages(site):
        name = path.relative_to(site).with_suffix("").as_posix()
        assert path.name in NOT_IN_THE_SIDEBAR or f'"{name}"' in index, name


def test_every_page_is_in_the_sidebar_of_every_page(site: Path) -> None:
    """Except the page of search results."""
    expected = {path for path in pages(site) if path.name not in NOT_IN_THE_SIDEBAR}
    assert {"README.html", "CHANGELOG.html", "CONTRIBUTING.html", "SECURITY.html"} <= {path.name for path in expected}
    for path in pages(site):
        sidebar = page(path).find(class_="sidebar-drawer")
        assert sidebar is not None, path
        links = [str(link["href"]) for link in sidebar.find_all("a", href=True)]
        found = {target(path, link)[0] for link in links} - {site / "index.html"}
        assert found >= expected - {path} - {site / "README.html" if path.name == "index.html" else path}, path


def test_every_link_leads_to_a_page_and_to_its_anchor(site: Path) -> None:
    """On the site itself. Links to other hosts are not followed."""
    links = [(path, link) for path in pages(site) for _, link in attributes(path, {"a": "href"})]
    inside = [(path, link) for path, link in links if not urlsplit(link).scheme]
    assert len(inside) > 500
    for path, link in inside:
        file, anchor = target(path, link)
        assert file.is_file(), (path, link)
        if anchor:
            assert file.suffix != ".html" or page(file).find(id=anchor), (path, link)


def test_the_first_page_is_the_readme(site: Path) -> None:
    """Wherever the site is opened."""
    assert (site / "index.html").read_text() == (site / "README.html").read_text()


def test_mistakes_fail_the_build(tmp_path: Path) -> None:
    """A link to a page or to a heading that does not exist, and a page that the sidebar lacks."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "README.md").write_text("# Title\n\n[a page](missing.md), [a heading](OTHER.md#lacking)\n")
    (source / "OTHER.md").write_text("# Other\n")
    built = build_site(tmp_path / "site", source)
    assert built.returncode != 0
    for mistake in ("'missing.md'", "'lacking'", "OTHER.md: WARNING: document isn't included in any toctree"):
        assert mistake in built.stderr
