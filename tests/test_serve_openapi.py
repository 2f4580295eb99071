"""The service against requests that its own description allows, and many that it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("fastapi", reason="needs the extra serve: pip install -e '.[test]'")

import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.fix_database import temporary_database
from tests.fix_service import Running, fill, service_on

EXAMPLES = 25  # of each route, good and bad
NEGATIVE = GenerationMode.NEGATIVE
SERVER_ERRORS = (500, 502)  # 503 and 504 are answers: of a model that loads, of a full queue


@pytest.fixture(scope="module")
def running_for_all(
    server: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    databases = temporary_database(server, template)
    database = next(databases)
    fill(database, tmp_path_factory.mktemp("fonts"), 3)
    with service_on(database) as running:
        yield running
    next(databases, None)


def test_no_request_is_a_server_error(running_for_all: Running) -> None:
    schema = schemathesis.openapi.from_url(f"{running_for_all.url}/openapi.json")
    tried = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy() | operation.as_strategy(NEGATIVE))
        def no_server_error(case: schemathesis.Case) -> None:
            response = case.call(timeout=20)
            assert response.status_code not in SERVER_ERRORS, response.text
            case.validate_response(response, checks=[response_schema_conformance])

        no_server_error()
        tried.append(operation.path)
    assert {"/embed", "/search", "/v1/embeddings", "/img/embed"} <= set(tried)
