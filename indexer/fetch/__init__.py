"""Fetching font files: guarded downloads and npm packages, cached by content hash."""

from indexer.fetch.cache import FileCache
from indexer.fetch.files import FetchedFile, FontFiles, Mode
from indexer.fetch.http import Downloader, HttpLimits
from indexer.fetch.npm import Npm

__all__ = ["Downloader", "FetchedFile", "FileCache", "FontFiles", "HttpLimits", "Mode", "Npm"]
