"""Font search by sight: renders fonts, embeds what they look like, and finds them in Postgres."""

from importlib.metadata import version

__version__ = version("fontsight")
