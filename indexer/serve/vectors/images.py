"""Pictures as callers send them: base64, data URLs and, where allowed, addresses on the web."""

from __future__ import annotations

import base64
import binascii
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from indexer.errors import FontError
from indexer.fetch.http import Downloader, HttpLimits
from indexer.serve.refusals import Refusal

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_BYTES = 8 << 20
MAX_PIXELS = 16_000_000  # 48 MB once it is decoded; the model sees 1.8 million of them
WEB = ("http://", "https://")


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Reads pictures from requests. Of the file only the header is decoded, for the size."""

    downloader: Downloader | None  # None: no addresses

    @classmethod
    def of_web(cls, *, allow_private: bool, proxy: str | None) -> Pictures:
        """Addresses too, with the guard that keeps font files from private networks."""
        limits = HttpLimits(max_bytes=MAX_BYTES, total_seconds=5.0, attempts=1)
        return cls(downloader=Downloader(allow_private=allow_private, limits=limits, proxy=proxy))

    def read(self, given: str) -> bytes:
        """The bytes of an image file. Blocks where it is fetched.

        Raises Refusal: 413 for too many bytes or pixels, 422 for what is not a picture.
        """
        return checked(self._fetched(given) if given.startswith(WEB) else _decoded(given))

    def _fetched(self, url: str) -> bytes:
        if self.downloader is None:
            raise Refusal(
                422,
                "Addresses of images are not fetched here: send the image as base64 or as a data URL "
                "(or start the service with FONTSIGHT_SERVE_REMOTE_IMAGES=true).",
            )
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = self.downloader.download(url, Path(folder, "image"))
            except FontError as error:
                raise Refusal(422, error.message) from None
            assert done is not None  # only a conditional request has no answer
            return done.path.read_bytes()


def checked(data: bytes) -> bytes:
    """The bytes, if they are a picture within the limits. Raises Refusal as `Pictures.read` does."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise _too_large(MAX_PIXELS + 1) from None
    except (OSError, ValueError, SyntaxError):
        raise Refusal(
            422, f"The image is in none of these formats: {', '.join(FORMATS)}."
        ) from None
    if width * height > MAX_PIXELS:
        raise _too_large(width * height)
    return data


def _decoded(given: str) -> bytes:
    encoded = given
    if given.startswith("data:"):
        head, _, encoded = given.partition(",")
        if not head.endswith(";base64"):
            raise Refusal(422, "The image's data URL must be base64: data:image/png;base64,…")
    if len(encoded) * 3 // 4 > MAX_BYTES + 3:
        raise Refusal(413, f"The image is larger than {MAX_BYTES >> 20} MiB.")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(422, "The image is neither base64 nor a data URL.") from None


def _too_large(pixels: int) -> Refusal:
    return Refusal(
        413, f"The image has {pixels:,} pixels or more; at most {MAX_PIXELS:,} are read."
    )
