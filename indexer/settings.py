"""Everything that is read from the environment, read here and nowhere else."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

OPENROUTER_URL = "https://openrouter.ai/api/v1"
OPENROUTER_MODEL = "qwen/qwen3-embedding-8b"


class Settings(BaseSettings):
    """Read once per command; secrets print as asterisks."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("fontsight"), validation_alias="FONTSIGHT_DATA_DIR"
    )
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("fontsight"), validation_alias="FONTSIGHT_CACHE_DIR"
    )
    allow_private_addresses: bool = Field(
        False, validation_alias="FONTSIGHT_ALLOW_PRIVATE_ADDRESSES"
    )
    font_dirs: str = Field("", validation_alias="FONTSIGHT_FONT_DIRS")
    https_proxy: SecretStr | None = Field(
        None, validation_alias=AliasChoices("HTTPS_PROXY", "https_proxy")
    )
    text_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("TEXT_EMBEDDING_API_KEY", "OPENROUTER_API_KEY")
    )
    text_url: str = Field(OPENROUTER_URL, validation_alias="TEXT_EMBEDDING_URL")
    text_model: str = Field(OPENROUTER_MODEL, validation_alias="TEXT_EMBEDDING_MODEL")
    text_dimension: int = Field(4096, ge=64, le=4096, validation_alias="TEXT_EMBEDDING_DIMENSION")
    text_price: float | None = Field(None, ge=0, validation_alias="TEXT_EMBEDDING_PRICE")
    vl_embedder: str | None = Field(None, validation_alias="FONTSIGHT_VL_EMBEDDER")
    vl_revision: str | None = Field(None, validation_alias="FONTSIGHT_VL_REVISION")
    vl_dimension: int | None = Field(
        None, ge=64, le=4096, validation_alias="FONTSIGHT_VL_DIMENSION"
    )
    vl_devices: str | None = Field(None, validation_alias="FONTSIGHT_VL_DEVICES")
    vl_url: str | None = Field(None, validation_alias="VL_EMBEDDING_URL")
    vl_api_key: SecretStr | None = Field(None, validation_alias="VL_EMBEDDING_API_KEY")
    vl_model: str | None = Field(None, validation_alias="VL_EMBEDDING_MODEL")
    ray_address: str | None = Field(None, validation_alias="RAY_ADDRESS")
    serve_host: str = Field("127.0.0.1", validation_alias="FONTSIGHT_SERVE_HOST")
    serve_port: int = Field(8700, ge=1, le=65535, validation_alias="FONTSIGHT_SERVE_PORT")
    serve_keys: SecretStr | None = Field(None, validation_alias="FONTSIGHT_SERVE_KEYS")
    serve_origins: str = Field("", validation_alias="FONTSIGHT_SERVE_ORIGINS")
    serve_remote_images: bool = Field(False, validation_alias="FONTSIGHT_SERVE_REMOTE_IMAGES")
    serve_role: str | None = Field(None, validation_alias="FONTSIGHT_SERVE_ROLE")

    @property
    def font_folders(self) -> list[Path]:
        return [Path(part).expanduser() for part in self.font_dirs.split(os.pathsep) if part]

    @property
    def proxy(self) -> str | None:
        return self.https_proxy.get_secret_value() if self.https_proxy else None
