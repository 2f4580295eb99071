"""The images, the units and the compose file: read by the tools that check them, and run where an engine is."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from indexer import spaces
from indexer.database.connect import Database
from indexer.deploy import healthcheck
from indexer.embed.protocol import Model
from indexer.settings import Settings
from indexer.spaces import Space
from tests.fix_service import service_on
from tests.fix_waiting import until

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "indexer/deploy"
DOCKERFILES = ("Dockerfile", "Dockerfile.gpu")
UNITS = (
    "fontsight-serve.service", "fontsight-sync.service", "fontsight-sync.timer",
    "fontsight-watch.service",
)  # fmt: skip
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
OURS = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service["image"].startswith("fontsight")
}
KEY = "a-key-of-these-tests-alone"
SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
MAX_EXPOSURE = 30  # of 100, as systemd-analyze counts


def known_variables() -> set[str]:
    """What settings.py reads."""
    aliases = [field.validation_alias for field in Settings.model_fields.values()]
    return {str(name) for alias in aliases for name in getattr(alias, "choices", None) or [alias]}


def assigned(text: str) -> set[str]:
    """Our variables in a Dockerfile or a unit."""
    return set(re.findall(r"\b([A-Z_]*FONTSIGHT_[A-Z_]+)=", text))


@pytest.mark.parametrize("name", DOCKERFILES)
class TestDockerfiles:
    def test_the_linter_finds_nothing(self, name: str) -> None:
        program = Path(sys.executable).with_name("hadolint")
        done = subprocess.run([program, DEPLOY / name], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")

    def test_what_runs_is_not_root_and_is_looked_after(self, name: str) -> None:
        final = (DEPLOY / name).read_text("utf-8").rpartition("\nFROM ")[2]
        assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
        assert '["python", "-m", "indexer.deploy.healthcheck"]' in final

    def test_base_images_have_a_tag(self, name: str) -> None:
        bases = re.findall(r"^FROM (\S+)", (DEPLOY / name).read_text("utf-8"), re.MULTILINE)
        assert len(set(bases)) == 1
        assert re.search(r":\d", bases[0])

    def test_its_variables_are_ones_that_are_read(self, name: str) -> None:
        found = assigned((DEPLOY / name).read_text("utf-8"))
        assert found
        assert found <= known_variables()

    def test_all_that_it_copies_is_sent_to_the_builder(self, name: str) -> None:
        sent = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        copied = re.findall(
            r"^COPY (?!--from)(.+) \S+$", (DEPLOY / name).read_text("utf-8"), re.MULTILINE
        )
        for path in " ".join(copied).split():
            assert (ROOT / path).exists()
            assert f"!{path}" in sent


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The slim image, built here."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    base = text.partition("FROM ")[2].split()[0]
    if shutil.which("docker") is None or docker("info").returncode:
        pytest.skip("no Docker engine")
    if docker("image", "inspect", base).returncode:
        pytest.skip(f"the Docker engine lacks the base image: docker pull {base}")
    name = f"fontsight-of-a-test-{os.getpid()}"
    done = docker("build", "--file", str(DEPLOY / "Dockerfile"), "--tag", name, str(ROOT))
    assert done.returncode == 0, done.stderr
    yield name
    docker("image", "rm", name)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.network
class TestImage:
    LOOK = (
        "import os, importlib.util; from PIL import features; "
        "print(os.getuid(), features.check('raqm'), importlib.util.find_spec('torch'))"
    )

    def test_it_shapes_text_without_root_and_without_torch(self, image: str) -> None:
        done = docker(
            "run", "--rm", "--read-only", "--entrypoint", "python", image, "-c", self.LOOK
        )
        assert done.stdout == "10001 True None\n"

    def test_it_serves_nobody_without_a_key(self, image: str) -> None:
        done = docker("run", "--rm", image)
        assert done.returncode == 1
        assert "set FONTSIGHT_SERVE_KEYS" in done.stderr

    def test_it_serves_with_one_and_docker_knows_how_it_is(self, image: str) -> None:
        """On its embedded Postgres, which holds nothing yet."""
        script = "indexer migrate && exec indexer serve"
        run = [
            "run",
            "--detach",
            "--rm",
            "--env",
            f"FONTSIGHT_SERVE_KEYS={KEY}",
            "--health-interval=1s",
        ]
        started = docker(*run, "--entrypoint", "sh", image, "-c", script)
        container = started.stdout.strip()
        try:
            look = ("inspect", "--format={{.State.Health.Status}}", container)
            until(lambda: docker(*look).stdout.strip() != "starting")
            assert docker(*look).stdout.strip() == "healthy", docker("logs", container).stderr
        finally:
            docker("kill", container)


class TestHealthOfAContainer:
    def test_a_service_that_answers_is_in_order(self, filled: Database) -> None:
        with service_on(filled) as running:
            assert healthcheck.look(httpx.URL(running.url).port or 0) is None

    def test_one_that_waits_for_the_first_backfill_too(self, database: Database) -> None:
        with service_on(database, ready=False) as running:
            until(lambda: running.service.embedders.state == "failed")
            health = httpx.get(f"{running.url}/health", trust_env=False)
            assert (health.status_code, health.json()["serving_model"]) == (503, None)
            assert healthcheck.look(httpx.URL(running.url).port or 0) is None

    def test_one_that_cannot_load_the_serving_model_is_not(self, database: Database) -> None:
        model = Model(name="nobody/nothing", revision="sha256:0", dimension=64)
        with database.open() as connection:
            spaces.register(
                connection, Space(leg="vl", model=model, sheet_spec=None, text_schema=None)
            )
        with service_on(database, ready=False) as running:
            until(lambda: running.service.embedders.state == "failed")
            wrong = healthcheck.look(httpx.URL(running.url).port or 0)
        assert wrong
        assert wrong.startswith(
            "The service cannot embed by nobody/nothing. The vl vectors were made"
        )

    def test_nor_is_a_container_where_nothing_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "indexer.deploy.healthcheck"],
            env={**os.environ, "FONTSIGHT_SERVE_PORT": str(port)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr == f"No service answers on port {port}: ConnectError.\n"


class TestCompose:
    def test_its_variables_are_ones_that_are_read(self) -> None:
        used = {name for service in OURS.values() for name in service["environment"]}
        assert "FONTSIGHT_SERVE_KEYS" in used
        assert used <= known_variables()

    def test_without_a_profile_it_brings_database_api_and_service(self) -> None:
        plain = {name for name, service in COMPOSE["services"].items() if "profiles" not in service}
        assert plain == {"db", "rest", "migrate", "serve"}

    def test_nothing_is_published_beyond_this_host(self) -> None:
        ports = [
            port for service in COMPOSE["services"].values() for port in service.get("ports", [])
        ]
        assert ports
        assert all(port.startswith("127.0.0.1:") for port in ports)

    def test_the_job_is_where_it_finds_the_service(self) -> None:
        """By a file in the data folder that names an address on loopback."""
        job, service = OURS["sync"], OURS["serve-gpu"]
        assert job["network_mode"] == "service:serve-gpu"
        [folder] = set(job["volumes"]) & set(service["volumes"]) - {"cache:/var/cache/fontsight"}
        assert folder.endswith(":/var/lib/fontsight")
        for name in ("sync", "serve-gpu"):
            [device] = OURS[name]["deploy"]["resources"]["reservations"]["devices"]
            assert device["capabilities"] == ["gpu"]

    def test_the_file_is_valid_with_a_key(self) -> None:
        done = compose("config", "--quiet", FONTSIGHT_SERVE_KEYS=KEY)
        assert done.returncode == 0, done.stderr

    def test_without_a_key_it_says_what_to_do(self) -> None:
        done = compose("config", "--quiet", FONTSIGHT_SERVE_KEYS="")
        assert done.returncode
        assert "FONTSIGHT_SERVE_KEYS" in done.stderr
        assert "write one to the file .env" in done.stderr


def compose(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    found = [
        command
        for command in (["docker", "compose"], ["docker-compose"])
        if shutil.which(command[0])
        and not subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ]
    if not found:
        pytest.skip("docker compose is not installed")
    return subprocess.run(
        [*found[0], "--file", str(ROOT / "docker-compose.yml"), *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


class TestUnits:
    @SYSTEMD
    def test_systemd_finds_nothing_wrong(self, tmp_path: Path) -> None:
        done = analyze("verify", *installed(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")

    @SYSTEMD
    def test_they_may_do_little_to_the_host(self, tmp_path: Path) -> None:
        for path in installed(tmp_path):
            if path.suffix == ".service":
                done = analyze("security", "--offline=yes", f"--threshold={MAX_EXPOSURE}", path)
                assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("name", UNITS[:2])
    def test_a_service_is_confined(self, name: str) -> None:
        text = (DEPLOY / name).read_text("utf-8")
        for line in (
            "NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectory=fontsight",
            "EnvironmentFile=/etc/fontsight.env", "User=fontsight",
        ):  # fmt: skip
            assert f"\n{line}\n" in text
        assert assigned(text) <= known_variables()


def installed(folder: Path) -> list[Path]:
    """The units with a program that exists; ours need not be installed."""
    for name in UNITS:
        text = (DEPLOY / name).read_text("utf-8")
        (folder / name).write_text(text.replace("/opt/fontsight/bin/indexer", "/bin/true"), "utf-8")
    return [folder / name for name in UNITS]


def analyze(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], env={**os.environ, "SYSTEMD_COLORS": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
