"""Fetching font files: what a hostile server, archive or registry cannot do, and what is kept."""

from __future__ import annotations

import gzip
import hashlib
import io
import multiprocessing
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from indexer.errors import FontError, UserError
from indexer.fetch import Downloader, FileCache, FontFiles, HttpLimits, Mode, Npm, guard
from indexer.fetch import files as files_module
from indexer.fetch.archive import ArchiveLimits, read_members
from indexer.fetch.folders import FontFolders, remember
from indexer.fetch.guard import AddressRefusedError
from indexer.fetch.http import UnreachableError
from indexer.settings import Settings
from tests.fix_bounded import lives
from tests.fix_servers import Registry, Web, in_turn, page, status, tarball, versioned
from tests.fix_waiting import until

FONT = bytes(range(256)) * 400  # about 100 kB; nothing here looks inside
FAST = HttpLimits(
    total_seconds=5, connect_seconds=1, read_seconds=1, first_wait=0.01, longest_wait=0.05
)
CDN_FILE = "abel@latest/latin-400-normal.ttf"


def local(limits: HttpLimits = FAST) -> Downloader:
    return Downloader(allow_private=True, limits=limits)


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "cache")


@pytest.fixture
def files(cache: FileCache) -> FontFiles:
    return FontFiles(cache, downloader=local())


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def sentence(error: BaseException) -> str:
    text = str(error)
    assert text.endswith("."), text
    return text


# --- the cache -------------------------------------------------------------------------------


def test_a_file_is_fetched_once_and_never_again(web: Web, cache: FileCache) -> None:
    web.pages["/a.ttf"] = page(FONT)
    first = FontFiles(cache, downloader=local()).fetch(web.url("/a.ttf"))
    second = FontFiles(FileCache(cache.root), downloader=local()).fetch(web.url("/a.ttf"))
    assert first.path.read_bytes() == FONT
    assert first.sha256 == hashlib.sha256(FONT).hexdigest() == second.sha256
    assert (first.cached, second.cached, first.size) == (False, True, len(FONT))
    assert len(web.requests) == 1


def test_what_is_cached_is_found_without_asking_anyone(web: Web, files: FontFiles) -> None:
    web.pages["/a.ttc"] = page(FONT)
    url = web.url("/a.ttc#face=2")
    assert files.cached(url) is None and not web.requests
    fetched = files.fetch(url)
    found = files.cached(url)
    assert found is not None and found.cached and len(web.requests) == 1
    assert (found.sha256, found.face_index) == (fetched.sha256, 2)
    with pytest.raises(FontError, match="neither http nor https"):
        files.cached("ftp://fonts.example/a.ttf")


def test_equal_bytes_of_two_urls_are_kept_once(web: Web, files: FontFiles) -> None:
    web.pages |= {"/a.ttf": page(FONT), "/b.ttf": page(FONT)}
    assert files.fetch(web.url("/a.ttf")).path == files.fetch(web.url("/b.ttf")).path


def test_damaged_bytes_in_the_cache_are_noticed_and_fetched_anew(
    web: Web, files: FontFiles
) -> None:
    web.pages["/a.ttf"] = page(FONT)
    files.fetch(web.url("/a.ttf")).path.write_bytes(b"rot")
    assert files.fetch(web.url("/a.ttf")).path.read_bytes() == FONT
    assert len(web.requests) == 2


def test_left_overs_of_killed_runs_are_swept_after_a_day(cache: FileCache) -> None:
    old, new = cache.part("old"), cache.part("new")
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    folder = cache.root / "tmp" / "killed"
    folder.mkdir()
    os.utime(folder, (0, 0))
    FileCache(cache.root)
    assert (old.exists(), new.exists(), folder.exists()) == (False, True, False)


def test_many_threads_that_want_one_file_make_one_request(web: Web, files: FontFiles) -> None:
    web.pages["/a.ttf"] = page(FONT)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(files.fetch, [web.url("/a.ttf")] * 8))
    assert len({file.sha256 for file in found}) == 1
    assert len(web.requests) == 1


def fetch_in_a_process(root: Path, url: str) -> str:
    return FontFiles(FileCache(root), downloader=local()).fetch(url).sha256


def test_processes_that_want_one_file_make_one_request(web: Web, cache: FileCache) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.2)
        page(FONT)(handler)

    web.pages["/a.ttf"] = slowly
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(fetch_in_a_process, [(cache.root, web.url("/a.ttf"))] * 2, 1)
        pool.close()
        pool.join()
    assert set(found) == {hashlib.sha256(FONT).hexdigest()}
    assert len(web.requests) == 1


# --- which addresses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("151.101.1.229", True), ("2a04:4e42::485", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("192.168.0.1", False), ("172.16.0.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False), ("0.0.0.0", False),
        ("255.255.255.255", False), ("240.0.0.1", False), ("192.0.2.1", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False),
        ("fec0::1", False), ("::ffff:127.0.0.1", False), ("::ffff:151.101.1.229", True),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("fe80::1%lo", False),
    ],
)  # fmt: skip
def test_only_the_public_internet_is_public(address: str, public: bool) -> None:
    assert guard.is_public(address) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
def test_private_addresses_are_refused_however_they_are_written(
    web: Web, cache: FileCache, host: str
) -> None:
    files = FontFiles(cache, downloader=Downloader())
    with pytest.raises(AddressRefusedError, match="private"):
        files.fetch(f"http://{host}:{web.port}/a.ttf")
    assert web.requests == []


def test_a_redirect_to_a_private_address_is_refused(
    web: Web, cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "is_public", lambda address: address == "127.0.0.1")
    inside = f"http://127.0.0.2:{web.port}/secret"
    web.pages["/a.ttf"] = status(302, {"Location": inside})
    with pytest.raises(AddressRefusedError, match=r"127\.0\.0\.2 is a private address"):
        FontFiles(cache, downloader=Downloader(limits=FAST)).fetch(web.url("/a.ttf"))
    assert web.paths() == ["/a.ttf"]


def test_a_name_is_resolved_once_and_the_checked_address_is_used(
    web: Web, files: FontFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *args: object, **kwargs: object) -> object:
        asked.append(host)
        if host == "font.example":
            host = "127.0.0.1" if asked.count(host) == 1 else "192.0.2.1"
        return real(host, port, *args, **kwargs)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    web.pages["/a.ttf"] = page(FONT)
    files.fetch(f"http://font.example:{web.port}/a.ttf")
    assert asked.count("font.example") == 1
    assert web.requests[0][1]["host"] == f"font.example:{web.port}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.parametrize("host", ["font.example", "other.example"])
def test_certificates_are_checked_against_the_name_though_the_address_is_pinned(
    web: Web, cache: FileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=font.example", "-addext", "subjectAltName=DNS:font.example",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
    web.pages["/a.ttf"] = page(FONT)
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda name, *rest, **more: real("127.0.0.1" if name == host else name, *rest, **more),
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    files = FontFiles(cache, downloader=local())
    url = f"https://{host}:{web.port}/a.ttf"
    if host == "font.example":
        assert files.fetch(url).size == len(FONT)
    else:
        with pytest.raises(UnreachableError, match="certificate verify failed"):
            files.fetch(url)


@pytest.mark.parametrize(
    "url",
    ["ftp://host.example/a.ttf", "data:font/ttf;base64,AAEAAA", "gopher://x/", "", "/etc/passwd",
     "http://", "http://[::1", "javascript:alert(1)", "http://host.example:99999/"],
)  # fmt: skip
def test_other_schemes_and_broken_addresses_are_refused(files: FontFiles, url: str) -> None:
    with pytest.raises(FontError) as caught:
        files.fetch(url)
    assert caught.value.stage == "fetch"
    sentence(caught.value)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host.example/", ""])
def test_a_redirect_to_anything_but_http_is_refused(
    web: Web, files: FontFiles, target: str
) -> None:
    web.pages["/a.ttf"] = status(302, {"Location": target})
    with pytest.raises(FontError):
        files.fetch(web.url("/a.ttf"))
    assert len(web.requests) == 1


def test_redirects_are_followed_five_times_at_most(web: Web, files: FontFiles) -> None:
    for hop in range(7):
        web.pages[f"/{hop}"] = status(302, {"Location": f"/{hop + 1}"})
    web.pages["/7"] = page(FONT)
    assert files.fetch(web.url("/2")).size == len(FONT)
    with pytest.raises(FontError, match="more than 5 times"):
        files.fetch(web.url("/1"))


def test_credentials_are_sent_but_never_shown(web: Web, files: FontFiles) -> None:
    url = web.url("/a.ttf?token=s3cret").replace("//", "//user:pa55word@")
    with pytest.raises(FontError) as caught:
        files.fetch(url)
    assert "authorization" in web.requests[0][1]
    web.pages["/a.ttf"] = page(FONT)
    shown = [repr(caught.value), files.fetch(url).origin]
    kept = [path.read_text() for path in (files.cache.root / "index").rglob("*.json")]
    assert not re.search("pa55word|s3cret", " ".join(shown + kept))


def test_netrc_and_proxies_of_the_environment_are_not_used(
    web: Web, files: FontFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pa55word")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    web.pages["/a.ttf"] = page(FONT)
    files.fetch(web.url("/a.ttf"))
    assert "authorization" not in web.requests[0][1]


def test_a_given_proxy_is_used_and_its_password_never_shown(web: Web, cache: FileCache) -> None:
    web.pages["/a.ttf"] = page(FONT)
    proxy = f"http://127.0.0.1:{web.port}"
    through = FontFiles(cache, downloader=Downloader(proxy=proxy, limits=FAST))
    assert through.fetch("http://font.example/a.ttf").size == len(FONT)
    with pytest.raises(AddressRefusedError):
        through.fetch("http://169.254.169.254/latest")
    dead = Downloader(proxy=f"http://me:pa55word@127.0.0.1:{closed_port()}", limits=FAST)
    with pytest.raises(UnreachableError) as caught:
        FontFiles(cache, downloader=dead).fetch("http://font.example/b.ttf")
    assert "pa55word" not in repr(caught.value)


# --- bounds and retries ----------------------------------------------------------------------


def test_a_broken_download_goes_on_where_it_stopped(web: Web, files: FontFiles) -> None:
    web.pages["/a.ttf"] = in_turn(
        versioned(FONT, '"v1"', breaks_after=60_000), versioned(FONT, '"v1"')
    )
    assert files.fetch(web.url("/a.ttf")).path.read_bytes() == FONT
    assert web.requests[1][1]["range"] == "bytes=60000-"


def test_a_later_run_goes_on_where_an_earlier_one_was_cut_off(web: Web, cache: FileCache) -> None:
    once = HttpLimits(attempts=1)
    web.pages["/a.ttf"] = versioned(FONT, '"v1"', breaks_after=60_000)
    with pytest.raises(FontError, match="breaks off"):
        FontFiles(cache, downloader=local(once)).fetch(web.url("/a.ttf"))
    web.pages["/a.ttf"] = versioned(FONT, '"v1"')
    found = FontFiles(FileCache(cache.root), downloader=local(once)).fetch(web.url("/a.ttf"))
    assert found.path.read_bytes() == FONT
    assert web.requests[1][1]["range"] == "bytes=60000-"


def test_a_file_that_changed_meanwhile_is_not_glued_to_its_old_half(
    web: Web, files: FontFiles
) -> None:
    new = FONT[::-1]
    web.pages["/a.ttf"] = in_turn(
        versioned(FONT, '"v1"', breaks_after=60_000), versioned(new, '"v2"')
    )
    assert files.fetch(web.url("/a.ttf")).path.read_bytes() == new


def test_without_a_validator_a_download_starts_again(web: Web, files: FontFiles) -> None:
    short = page(FONT[:50_000], headers={"Content-Length": str(len(FONT)), "Connection": "close"})

    def breaks(handler: BaseHTTPRequestHandler) -> None:
        short(handler)
        handler.close_connection = True

    web.pages["/a.ttf"] = in_turn(breaks, page(FONT))
    assert files.fetch(web.url("/a.ttf")).path.read_bytes() == FONT
    assert "range" not in web.requests[1][1]


def test_a_body_shorter_than_announced_is_never_taken_for_the_file(
    web: Web, files: FontFiles
) -> None:
    web.pages["/a.ttf"] = versioned(FONT, 'W/"weak"', breaks_after=10)
    with pytest.raises(FontError, match="breaks off"):
        files.fetch(web.url("/a.ttf"))
    assert len(web.requests) == FAST.attempts


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_server_is_asked_again(web: Web, files: FontFiles, code: int) -> None:
    busy = status(code, {"Retry-After": "3600"})  # no longer than our own limit
    web.pages["/a.ttf"] = in_turn(busy, busy, page(FONT))
    assert files.fetch(web.url("/a.ttf")).size == len(FONT)
    assert len(web.requests) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_a_plain_no_is_taken_for_an_answer(web: Web, files: FontFiles, code: int) -> None:
    web.pages["/a.ttf"] = status(code)
    with pytest.raises(FontError, match=str(code)) as caught:
        files.fetch(web.url("/a.ttf"))
    assert len(web.requests) == 1
    assert "/a.ttf" in sentence(caught.value)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"\0" * 65536)


def test_an_endless_body_ends_at_the_limit_and_leaves_nothing(web: Web, cache: FileCache) -> None:
    web.pages["/a.ttf"] = endless
    files = FontFiles(cache, downloader=local(HttpLimits(max_bytes=1_000_000)))
    with pytest.raises(FontError, match="larger than 1,000,000 bytes"):
        files.fetch(web.url("/a.ttf"))
    assert sum(path.stat().st_size for path in cache.root.rglob("*") if path.is_file()) < 1000


def test_an_announced_size_over_the_limit_is_refused_before_the_body(
    web: Web, files: FontFiles
) -> None:
    web.pages["/a.ttf"] = page(b"", headers={"Content-Length": str(10**12)})
    with pytest.raises(FontError, match="larger than"):
        files.fetch(web.url("/a.ttf"))


def drip(before: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(before)
        while True:
            handler.wfile.write(b"a")
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 200 OK\r\nX-Endless: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    ],
    ids=["headers", "body without length", "body with length"],
)
def test_a_server_that_drips_is_left_at_the_time_limit(
    web: Web, cache: FileCache, before: bytes
) -> None:
    web.pages["/a.ttf"] = drip(before)
    files = FontFiles(cache, downloader=local(HttpLimits(total_seconds=0.5)))
    start = time.monotonic()
    with pytest.raises(FontError, match=r"took longer than 0\.5 seconds"):
        files.fetch(web.url("/a.ttf"))
    assert time.monotonic() - start < 3


def test_compressed_answers_are_refused_so_that_nothing_can_swell(
    web: Web, files: FontFiles
) -> None:
    web.pages["/a.ttf"] = page(gzip.compress(FONT), headers={"Content-Encoding": "gzip"})
    with pytest.raises(FontError, match="compressed"):
        files.fetch(web.url("/a.ttf"))
    assert web.requests[0][1]["accept-encoding"] == "identity"


def test_an_empty_file_is_an_error(web: Web, files: FontFiles) -> None:
    web.pages["/a.ttf"] = page(b"")
    with pytest.raises(FontError, match="empty"):
        files.fetch(web.url("/a.ttf"))


def test_a_host_that_is_not_there_is_told_from_one_that_refuses(files: FontFiles) -> None:
    with pytest.raises(UnreachableError, match="cannot be reached"):
        files.fetch(f"http://127.0.0.1:{closed_port()}/a.ttf")


def test_a_refresh_downloads_only_what_changed(web: Web, files: FontFiles) -> None:
    url = web.url("/a.ttf")
    web.pages["/a.ttf"] = versioned(FONT, '"v1"')
    first = files.fetch(url)
    same = files.fetch(url, refresh=True)
    assert web.requests[1][1]["if-none-match"] == '"v1"'
    assert same.sha256 == first.sha256
    web.pages["/a.ttf"] = versioned(FONT[::-1], '"v2"')
    assert files.fetch(url).sha256 == first.sha256
    assert files.fetch(url, refresh=True).path.read_bytes() == FONT[::-1]


# --- files of this machine -------------------------------------------------------------------


OUTSIDE = "below this machine's font folders; FONTSIGHT_FONT_DIRS lists those"


@pytest.fixture
def fonts(tmp_path: Path) -> Path:
    """A folder that rows may name files of, beside one with a secret."""
    folder, secrets = tmp_path / "fonts", tmp_path / "fonts-of-others"
    for place in (folder, secrets):
        place.mkdir()
        (place / "a font.ttc").write_bytes(FONT)
    (folder / "out").symlink_to(secrets)
    (folder / "link.ttf").symlink_to(secrets / "a font.ttc")
    (folder / "inside.ttf").symlink_to("a font.ttc")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    return folder


def test_files_of_this_machine_are_read_below_the_font_folders(
    cache: FileCache, fonts: Path
) -> None:
    path = fonts / "a font.ttc"
    found = FontFiles(cache, folders=FontFolders([fonts])).fetch(f"{path.as_uri()}#face=3")
    assert (found.path, found.face_index, found.size) == (path, 3, len(FONT))
    files = FontFiles(cache, folders=FontFolders([fonts.parent / "none", path]))
    assert files.fetch(path.as_uri()).path == path
    for url in (f"file://localhost{fonts}/%61%20font.ttc", f"{fonts.as_uri()}/none/../inside.ttf"):
        assert FontFiles(cache, folders=FontFolders([fonts])).fetch(url).path.name == "a font.ttc"


@pytest.mark.parametrize(
    "url",
    [
        "{root}/fonts-of-others/a%20font.ttc", "{root}/fonts-of-others/none.ttf",
        "{root}/fonts/link.ttf", "{root}/fonts/out/a%20font.ttc", "{root}/fonts/out/none.ttf",
        "{root}/fonts/../fonts-of-others/a%20font.ttc", "{root}/fonts/%2e%2e/fonts-of-others/a%20font.ttc",
        "{root}/fonts%2F..%2Ffonts-of-others%2Fa%20font.ttc", "{root}/fonts/none/../../x",
        "file:///etc/passwd", "file:///etc/none", "file:///dev/zero", "file:///dev/tty", "file:///proc/self/environ",
        "file:///proc/self/root/etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", "file:relative.ttf",
        "file://host.example/etc/passwd", "file://host.example{path}/fonts/a%20font.ttc", "file:////etc/passwd",
        "file:///a%00b", "file:///", "file://", "file:///%ff%fe",
    ],
)  # fmt: skip
def test_all_other_files_are_refused_alike_whether_or_not_they_exist(
    cache: FileCache, fonts: Path, url: str
) -> None:
    root = fonts.parent
    address = url.format(root=root.as_uri(), path=root)
    files = FontFiles(cache, folders=FontFolders([fonts]))
    for ask in (files.fetch, files.cached):
        with pytest.raises(FontError, match=OUTSIDE) as caught:
            ask(address)
        assert caught.value.message == files_module.OUTSIDE


def test_without_font_folders_no_file_is_read(cache: FileCache, fonts: Path) -> None:
    with pytest.raises(FontError, match=OUTSIDE):
        FontFiles(cache).fetch((fonts / "a font.ttc").as_uri())


def test_pipes_folders_and_what_is_not_there_are_not_read(cache: FileCache, fonts: Path) -> None:
    files = FontFiles(cache, folders=FontFolders([fonts]))
    for name in ("pipe", "", "none.ttf", "loop", "loop/x", "a" * 5000):
        with pytest.raises(FontError) as caught:
            files.fetch(f"{fonts.as_uri()}/{name}")
        assert str(fonts) not in sentence(caught.value)


def test_names_that_are_not_utf8_are_read_too(cache: FileCache, fonts: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(fonts) + b"/caf\xe9.ttf"))
    path.write_bytes(FONT)
    files = FontFiles(cache, folders=FontFolders([fonts]))
    assert files.fetch(path.as_uri()).path == path
    path.write_bytes(b"")
    with pytest.raises(FontError, match=r"The file caf\?\.ttf is empty"):
        files.fetch(path.as_uri())


def test_what_was_imported_into_the_embedded_database_is_remembered_for_it(
    fonts: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    own = {"data_dir": data, "cache_dir": tmp_path / "cache", "font_dirs": "", "database_url": None}
    embedded = Settings().model_copy(update=own)
    elsewhere = embedded.model_copy(update={"database_url": SecretStr("postgresql:///x")})
    files = FontFiles.from_settings(embedded, notice=print)
    url, linked = (fonts / "a font.ttc").as_uri(), (fonts / "link.ttf").as_uri()
    with pytest.raises(FontError, match=OUTSIDE):
        files.fetch(url)
    remember(data, [fonts / "none"])
    remember(data, [fonts], [url])
    assert files.fetch(url).size == len(FONT)  # by who runs already, too
    with pytest.raises(FontError, match=OUTSIDE):
        files.fetch(linked)
    remember(data, [fonts], [linked])  # the user has imported what the link leads to
    assert files.fetch(linked).size == len(FONT)
    with pytest.raises(FontError, match=OUTSIDE):
        FontFiles.from_settings(elsewhere, notice=print).fetch(url)
    named = elsewhere.model_copy(update={"font_dirs": f"/none{os.pathsep}{fonts}"})
    assert FontFiles.from_settings(named, notice=print).fetch(url).size == len(FONT)
    (data / "font-folders.json").write_text("{")
    with pytest.raises(UserError, match="is no list of folders"):
        FontFiles.from_settings(embedded, notice=print).fetch(url)


# --- archives --------------------------------------------------------------------------------


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as target:
        for member, data in members:
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def contents(path: Path, **limits: int) -> dict[str, bytes | None]:
    return dict(read_members(path, lambda name: True, limits=ArchiveLimits(**limits)))


def test_hostile_names_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tgz",
        (member("../../evil"), b"x"), (member("package/../../evil"), b"x"), (member("/evil"), b"x"),
        (member("package/..\\evil"), b"x"), (member("bare"), b"x"),
        (member("package/link", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("package/hard", tarfile.LNKTYPE, "package/files/a"), b""),
        (member("package/device", tarfile.CHRTYPE), b""),
        (member("package/pipe", tarfile.FIFOTYPE), b""),
        (member("package/files", tarfile.DIRTYPE), b""),
        (member("package/files/a"), b"good"),
        (member("package/" + "long/" * 60 + "b"), b"good too"),
    )  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    assert contents(path) == {"files/a": b"good", "long/" * 60 + "b": b"good too"}
    assert sorted(tmp_path.rglob("*")) == before


def test_only_wanted_files_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(tarball({"a": b"1", "b": b"2"}))
    found = dict(read_members(tmp_path / "a.tgz", lambda name: name == "b"))
    assert found == {"a": None, "b": b"2"}


def test_a_member_over_the_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tgz", (member("package/a"), b"\0" * 2000))
    with pytest.raises(FontError, match="2,000 bytes"):
        contents(path, member_bytes=1000)


def test_a_bomb_of_many_members_is_stopped(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tgz", *[(member(f"package/{n}"), b"") for n in range(200)])
    with pytest.raises(FontError, match="more than 100 files"):
        contents(path, members=100)


def test_a_bomb_of_zeros_is_stopped_before_it_is_unpacked(tmp_path: Path) -> None:
    zeros = b"\0" * 5_000_000
    path = archive(tmp_path / "a.tgz", *[(member(f"package/{n}"), zeros) for n in range(5)])
    assert path.stat().st_size < 200_000
    with pytest.raises(FontError, match="unpacks to more than 12,000,000 bytes"):
        contents(path, total_bytes=12_000_000)


def test_a_bomb_in_a_header_is_stopped(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tgz", (member("x", tarfile.XHDTYPE), b"\0" * 5_000_000))
    with pytest.raises(FontError, match="header that is too large"):
        contents(path)


def test_a_sparse_file_cannot_stand_for_endless_zeros(tmp_path: Path) -> None:
    sparse = member("package/a", tarfile.GNUTYPE_SPARSE)
    with pytest.raises(FontError):
        contents(archive(tmp_path / "a.tgz", (sparse, b"")))


@pytest.mark.parametrize("cut", [0, 5, 40, 300])
def test_a_truncated_or_foreign_archive_is_an_error(tmp_path: Path, cut: int) -> None:
    data = tarball({"a": os.urandom(2000)})
    (tmp_path / "a.tgz").write_bytes(data[:cut])
    with pytest.raises(FontError, match="damaged"):
        contents(tmp_path / "a.tgz")
    (tmp_path / "b.tgz").write_bytes(FONT)
    with pytest.raises(FontError, match="damaged"):
        contents(tmp_path / "b.tgz")


# --- npm -------------------------------------------------------------------------------------

ABEL = {f"files/abel-latin-{weight}-normal.woff2": FONT + bytes([weight]) for weight in (100, 200)}
ABEL |= {"files/abel-latin-400-normal.woff2": FONT, "files/abel-7-400-normal.woff2": b"slice"}


def by_npm(cache: FileCache, registry: Registry, **kwargs: object) -> FontFiles:
    return FontFiles(
        FileCache(cache.root), mode="npm", npm=Npm(env=registry.env), **kwargs  # type: ignore[arg-type]
    )  # fmt: skip


def cdn_url(file: str = CDN_FILE) -> str:
    return f"https://cdn.jsdelivr.net/fontsource/fonts/{file}"


def test_every_weight_comes_from_one_tarball_and_a_second_run_asks_nothing(
    cache: FileCache, registry: Registry
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL)
    files = by_npm(cache, registry)
    found = files.fetch(cdn_url())
    assert found.path.read_bytes() == FONT
    assert (found.origin, found.cached) == ("npm @fontsource/abel@5.1.0", False)
    assert files.fetch(cdn_url("abel@latest/latin-200-normal.ttf")).cached
    asked = len(registry.web.requests)
    again = by_npm(cache, registry)
    assert again.fetch(cdn_url()).sha256 == found.sha256
    with pytest.raises(FontError, match=r"has no file files/abel-latin-900-normal\.woff2"):
        again.fetch(cdn_url("abel@latest/latin-900-normal.ttf"))
    assert (len(registry.web.requests), registry.tarballs_sent()) == (asked, 1)


@pytest.mark.parametrize("mode", ["npm", "auto"])
def test_a_package_that_is_cached_answers_for_its_cdn_address(
    cache: FileCache, registry: Registry, mode: Mode
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL)
    files = by_npm(cache, registry)
    assert files.cached(cdn_url()) is None and not registry.web.requests
    fetched, asked = files.fetch(cdn_url()), len(registry.web.requests)
    found = FontFiles(cache, mode=mode).cached(cdn_url())
    assert found is not None and found.sha256 == fetched.sha256
    assert len(registry.web.requests) == asked
    assert FontFiles(cache, mode="cdn").cached(cdn_url()) is None


def test_a_refresh_asks_for_the_version_and_fetches_only_a_new_one(
    cache: FileCache, registry: Registry
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL)
    by_npm(cache, registry).fetch(cdn_url())
    by_npm(cache, registry).fetch(cdn_url(), refresh=True)
    assert registry.tarballs_sent() == 1
    registry.publish("@fontsource/abel", "5.2.0", {"files/abel-latin-400-normal.woff2": b"new"})
    files = by_npm(cache, registry)
    assert files.fetch(cdn_url(), refresh=True).path.read_bytes() == b"new"
    asked = len(registry.web.requests)
    files.fetch(cdn_url(), refresh=True)  # once per object and package
    assert len(registry.web.requests) == asked


def test_a_tarball_without_its_published_checksum_is_refused(
    cache: FileCache, registry: Registry
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL, checksum_of=b"another")
    with pytest.raises(FontError, match=r"abel@5\.1\.0 does not have its published checksum"):
        by_npm(cache, registry).fetch(cdn_url())
    assert not any((cache.root / "blobs").rglob("*"))


def test_the_checksum_is_ours_to_check_even_if_npm_did_not(
    cache: FileCache, tmp_path: Path
) -> None:
    careless = tmp_path / "npm"
    careless.write_text(
        f"""#!{sys.executable}
import json, pathlib, sys
if sys.argv[1] == "view":
    dist = {{"integrity": "sha512-AAAA"}}
    print(json.dumps({{"name": "@fontsource/abel", "version": "5.1.0", "dist": dist}}))
else:
    folder = pathlib.Path(sys.argv[sys.argv.index("--pack-destination") + 1])
    (folder / "abel.tgz").write_bytes(b"anything")
"""
    )
    careless.chmod(0o755)
    files = FontFiles(cache, mode="npm", npm=Npm(program=str(careless)))
    with pytest.raises(FontError, match=r"abel@5\.1\.0 does not have its published checksum"):
        files.fetch(cdn_url())


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits of another process")
def test_a_registry_that_floods_cannot_fill_the_disk(cache: FileCache, registry: Registry) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL)
    registry.web.pages["/@fontsource/abel/-/abel-5.1.0.tgz"] = endless
    files = FontFiles(cache, mode="npm", npm=Npm(env=registry.env, max_bytes=5_000_000, seconds=30))
    start = time.monotonic()
    with pytest.raises(FontError):
        files.fetch(cdn_url())
    assert time.monotonic() - start < 20
    assert not any((cache.root / "tmp").iterdir())


def test_a_package_that_announces_too_much_is_not_fetched(
    cache: FileCache, registry: Registry
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL, unpacked_size=10**12)
    with pytest.raises(FontError, match="too large"):
        by_npm(cache, registry).fetch(cdn_url())
    assert registry.tarballs_sent() == 0


def test_a_package_that_does_not_exist_is_that_fonts_failure(
    cache: FileCache, registry: Registry
) -> None:
    with pytest.raises(FontError, match=r"no package @fontsource/abel@latest \(E404\)"):
        by_npm(cache, registry).fetch(cdn_url())


def test_a_registry_that_is_down_stops_the_command_after_three_fonts(
    cache: FileCache, registry: Registry
) -> None:
    dead = f"http://user:pa55word@127.0.0.1:{closed_port()}/"
    registry.env["npm_config_registry"] = dead
    files = by_npm(cache, registry)
    for _ in range(2):
        with pytest.raises(FontError, match="ECONNREFUSED"):
            files.fetch(cdn_url())
    with pytest.raises(UserError, match="npm ping") as caught:
        files.fetch(cdn_url())
    assert "pa55word" not in repr(caught.value)


@pytest.mark.slow
def test_a_registry_that_never_ends_is_cut_off(cache: FileCache, registry: Registry) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL)
    registry.web.pages["/@fontsource/abel/-/abel-5.1.0.tgz"] = drip(b"HTTP/1.1 200 OK\r\n\r\n")
    files = FontFiles(cache, mode="npm", npm=Npm(env=registry.env, seconds=2))
    start = time.monotonic()
    with pytest.raises(FontError, match="ETIMEDOUT"):
        files.fetch(cdn_url())
    assert time.monotonic() - start < 10
    assert not any((cache.root / "tmp").iterdir())


SLOW_NPM = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({note!r}, "w").write(f"{{os.getpid()}} {{child.pid}}\\n")
time.sleep(60)
"""
ASKING = """
import sys
from pathlib import Path
from indexer.fetch import Npm
Npm(program=sys.argv[1]).resolve("abel", "latest", Path(sys.argv[2]))
"""


def test_npm_and_what_it_has_started_end_with_a_killed_command(tmp_path: Path) -> None:
    note, program = tmp_path / "pids", tmp_path / "npm"
    program.write_text(f"#!{sys.executable}\n{SLOW_NPM.format(note=str(note))}")
    program.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-c", ASKING, str(program), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as command:
        until(lambda: note.exists() and note.read_text().endswith("\n"))
        started = [psutil.Process(int(number)) for number in note.read_text().split()]
        assert all(process.is_running() for process in started)
        command.kill()
    until(lambda: not any(lives(process) for process in started))


def test_without_npm_the_message_says_what_to_do(cache: FileCache) -> None:
    files = FontFiles(cache, mode="npm", npm=Npm(env={"PATH": ""}))
    with pytest.raises(UserError, match=r"Install Node\.js with npm"):
        files.fetch(cdn_url())


def test_auto_says_once_that_the_cdn_is_out_of_reach_and_takes_npm(
    cache: FileCache, registry: Registry
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", ABEL)
    said: list[str] = []
    base = f"http://127.0.0.1:{closed_port()}/fonts/"

    def auto() -> FontFiles:
        npm = Npm(env=registry.env)
        return FontFiles(cache, downloader=local(), npm=npm, notice=said.append, cdn=base)

    files = auto()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(files.fetch, [base + CDN_FILE] * 4))
    assert {file.origin for file in found} == {"npm @fontsource/abel@5.1.0"}
    assert len(said) == 1
    assert "cannot be reached" in said[0]
    assert "npm" in said[0]
    assert auto().fetch(base + CDN_FILE).cached
    assert len(said) == 1  # cached: the CDN was not even tried


def test_auto_stays_with_a_cdn_that_answers(web: Web, cache: FileCache) -> None:
    said: list[str] = []
    files = FontFiles(
        cache, downloader=local(), npm=Npm(env={"PATH": ""}), notice=said.append, cdn=web.url("/")
    )
    web.pages[f"/{CDN_FILE}"] = page(FONT)
    with pytest.raises(FontError, match="404"):
        files.fetch(web.url("/none@latest/latin-400-normal.ttf"))
    assert files.fetch(web.url(f"/{CDN_FILE}")).origin == web.url(f"/{CDN_FILE}")
    assert said == []


GREEK = {f"files/abel-{s}-400-normal.woff2": s.encode() for s in ("greek-ext", "greek")}
GREEK |= {"files/abel-greek-700-normal.woff2": b"bold"}


def test_a_family_without_latin_takes_the_subset_it_has(
    cache: FileCache, registry: Registry
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", GREEK)
    files = by_npm(cache, registry)
    assert files.fetch(cdn_url()).path.read_bytes() == b"greek"
    asked = len(registry.web.requests)
    assert files.fetch(cdn_url()).cached and files.cached(cdn_url()) is not None
    assert len(registry.web.requests) == asked
    for lacking in ("latin-900-normal", "cyrillic-400-normal", "latin-400-italic"):
        with pytest.raises(FontError, match="has no file"):
            files.fetch(cdn_url(f"abel@latest/{lacking}.ttf"))


def test_auto_asks_npm_for_the_subset_where_the_cdn_has_no_latin(
    web: Web, cache: FileCache, registry: Registry
) -> None:
    registry.publish("@fontsource/abel", "5.1.0", GREEK)
    files = FontFiles(cache, downloader=local(), npm=Npm(env=registry.env), cdn=web.url("/fonts/"))
    assert files.fetch(web.url(f"/fonts/{CDN_FILE}")).path.read_bytes() == b"greek"
    with pytest.raises(FontError, match="404"):
        files.fetch(web.url("/fonts/nowhere@latest/latin-400-normal.ttf"))


def test_other_hosts_are_never_answered_from_npm(web: Web, cache: FileCache) -> None:
    web.pages[f"/{CDN_FILE}"] = page(FONT)
    files = FontFiles(cache, mode="npm", downloader=local(), npm=Npm(env={"PATH": ""}))
    assert files.fetch(web.url(f"/{CDN_FILE}")).size == len(FONT)


@pytest.mark.network
def test_a_real_family_arrives_and_opens(cache: FileCache) -> None:
    from indexer.fontfile import open_font

    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    try:
        found = FontFiles(cache, mode="npm", npm=Npm(seconds=30)).fetch(cdn_url())
    except (FontError, UserError) as error:
        pytest.skip(f"offline: {error}")
    assert open_font(found.path.read_bytes()).has("Abel")
