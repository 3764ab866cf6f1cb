"""What is in deploy/ runs commands, options and settings that there are, pins its images, and keeps to least rights."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement

from pipelines.cli import cli
from pipelines.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMMAND = "social-warehouse"
PINNED = re.compile(r"[\w./-]+:\d+(\.\d+)+[\w.-]*|[\w./-]+@sha256:[0-9a-f]{64}")
YAMLS = sorted(file for file in DEPLOY.rglob("*.y*ml") if file.name != "prefect.yaml")
UNITS = sorted((DEPLOY / "systemd").iterdir())


def documents(file: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each]


COMPOSE = documents(DEPLOY / "compose.yaml")[0]
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MANIFESTS = [each for file in YAMLS if file.parent.parent.name == "kubernetes" for each in documents(file)]
SETTINGS = {name.upper() for name in Settings.model_fields}


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in MANIFESTS:
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield f"{manifest['kind']} {manifest['metadata']['name']}", spec["template"]["spec"]


PODS = dict(pods())


def unit(file: Path) -> configparser.ConfigParser:
    class Lists(dict[str, Any]):
        """Options that are said several times are joined by lines."""

        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key, [*self[key], *value] if isinstance(value, list) and key in self else value)

    read = configparser.ConfigParser(interpolation=None, strict=False, dict_type=Lists, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(file.read_text(encoding="utf-8"))
    return read


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines.splitlines() if line)]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Everything in deploy/ that starts our command: where, and its arguments."""
    yield from commands_of_containers()
    for file in UNITS:
        if file.suffix == ".service":
            yield file.name, shlex.split(unit(file)["Service"]["ExecStart"])[1:]
    for name in re.findall(rf"bin/{COMMAND} (\w+)", (DEPLOY / "crontab").read_text(encoding="utf-8")):
        yield f"crontab, {name}", [name]


def commands_of_containers() -> Iterator[tuple[str, list[str]]]:
    for name, service in SERVICES.items():
        if "entrypoint" not in service and service["image"].startswith("${WAREHOUSE_IMAGE"):
            yield f"compose.yaml, {name}", service["command"]
    for name, pod in PODS.items():
        for container in pod["containers"]:
            yield f"{name}, {container['name']}", container["args"]
            probe = container.get("readinessProbe", {}).get("exec")
            if probe:
                yield f"{name}, {container['name']}, readiness", probe["command"][1:]
    for word, rest in instructions():
        if word in {"HEALTHCHECK", "CMD"}:
            yield f"Containerfile, {word}", yaml.safe_load(rest[rest.index("[") :])[word == "HEALTHCHECK" :]


COMMANDS = dict(commands())


def test_every_place_is_looked_at() -> None:
    assert len(COMMANDS) >= 13
    assert {
        "compose.yaml, flows",
        "social-warehouse-sync.service",
        "crontab, sync",
        "Containerfile, HEALTHCHECK",
    } <= set(COMMANDS)


@pytest.mark.parametrize(("where", "arguments"), COMMANDS.items(), ids=COMMANDS)
def test_commands_and_their_options_exist(where: str, arguments: list[str]) -> None:
    name, *rest = arguments
    if name == "--help":
        return
    assert name in cli.commands, f"deploy/, {where}: there is no command {name}"
    try:
        cli.commands[name].make_context(name, list(rest), parent=cli.make_context(COMMAND, [name]))
    except click.UsageError as error:
        pytest.fail(f"deploy/, {where}: {' '.join(arguments)}: {error.format_message()}")


def names_of_options() -> Iterator[tuple[str, str]]:
    for where, text in (
        (file.relative_to(DEPLOY), file.read_text(encoding="utf-8")) for file in DEPLOY.rglob("*") if file.is_file()
    ):
        for name in re.findall(r"\b(SOCIAL_(?:CONNECT|WAREHOUSE)_[A-Z_]+|social_(?:connect)_[a-z_]+)\b", text):
            yield str(where), name.upper()


def test_options_exist() -> None:
    found = set(names_of_options())
    assert len(found) > 10
    unknown = {(where, name) for where, name in found if name not in SETTINGS}
    assert not unknown


def test_images_are_pinned() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [container["image"] for pod in PODS.values() for container in pod["containers"]]
    for each in (re.sub(r"\$\{\w+:-(.+)\}", r"\1", image) for image in images):
        assert PINNED.fullmatch(each), f"{each}: a tag that names one version, or a digest"


def test_the_image_is_built_in_stages_and_runs_as_nobody_in_particular() -> None:
    steps = instructions()
    bases = [rest.split()[0] for word, rest in steps if word == "FROM"]
    stages = {rest.split()[-1] for word, rest in steps if word == "FROM" and " AS " in rest}
    assert [base for base in bases if base not in stages] == bases[:1]
    assert PINNED.fullmatch(bases[0])
    last = max(number for number, (word, _) in enumerate(steps) if word == "FROM")
    final = steps[last:]
    words = [word for word, _ in final]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", dict(final)["USER"]), "a number, so that runAsNonRoot can tell"
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert {"HEALTHCHECK", "VOLUME"} <= set(words)
    assert dict(final)["ENTRYPOINT"] == f'["{COMMAND}"]'
    assert [rest.split()[0] for word, rest in final if word == "COPY"] == ["--from=build"]
    assert not any("pip install" in rest or "apt-get" in rest for _, rest in final)
    installs = [line for _, rest in steps for line in rest.split("&&") if "install --no-cache-dir" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / source).exists() for source in copied)
    assert (ROOT / ".dockerignore").resolve() == (ROOT / ".containerignore").resolve()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert {*packages["wheel"]["packages"], *packages["wheel"]["force-include"]} <= copied


def test_the_image_gets_what_the_application_needs_and_no_more() -> None:
    printed = subprocess.run(
        [sys.executable, "deploy/locked.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    locked = {plain(name) for name in re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[.*\])?==", printed, re.MULTILINE)}
    extras = {"adbc-driver-postgresql", "altair", "jinja2", "streamlit", "vl-convert-python"}
    needed, found = set[str](), {"social-connect-warehouse", *extras}
    while found:  # by what the installed packages themselves say
        needed |= found
        wanted = (Requirement(each) for name in found for each in metadata.requires(name) or ())
        found = {plain(each.name) for each in wanted if applies(each) and is_installed(each.name)} - needed
    assert needed - {"social-connect-warehouse"} <= locked
    assert not locked & {"pytest", "mypy", "ruff", "hatchling", "sqlfluff", "hypothesis"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def test_compose_declares_what_it_uses_and_opens_no_port_to_others() -> None:
    for name, service in SERVICES.items():
        for mount in service.get("volumes", ()):
            assert mount.split(":")[0] in COMPOSE["volumes"], f"{name}: {mount}"
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert set(service.get("networks", ())) <= set(COMPOSE["networks"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        for other, condition in service.get("depends_on", {}).items():
            assert condition["condition"] == "service_started" or "healthcheck" in SERVICES[other]
        assert not any(re.search("TOKEN|PASSWORD$|SECRET$", key) for key in service.get("environment", ())), name
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_the_dashboard_gets_what_is_published_to_read_and_nothing_else() -> None:
    dashboard = SERVICES["dashboard"]
    home = dashboard["environment"]["SOCIAL_WAREHOUSE_HOME"]
    assert dashboard["volumes"] == [f"published:{home}/published:ro"]
    assert "secrets" not in dashboard
    assert set(dashboard["environment"]) == {"SOCIAL_WAREHOUSE_HOME"}
    assert dashboard["read_only"] is True


@pytest.mark.parametrize(("name", "pod"), PODS.items(), ids=PODS)
def test_pods_have_least_rights_and_declare_what_they_mount(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    declared = {volume["name"] for volume in pod["volumes"]}
    claims = {each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "PersistentVolumeClaim"}
    assert {
        each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each
    } <= claims
    maps = {each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "ConfigMap"}
    for container in pod["containers"]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= declared, name
        assert {source["configMapRef"]["name"] for source in container["envFrom"]} <= maps
        assert container["resources"]["limits"]["memory"]


def test_one_process_writes() -> None:
    for manifest in MANIFESTS:
        spec = manifest.get("spec", {})
        assert spec.get("replicas", 1) == 1
        assert manifest["kind"] != "CronJob" or spec["concurrencyPolicy"] == "Forbid"
        assert "namespace" not in manifest.get("metadata", {})
    (claim,) = (each for each in MANIFESTS if each["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize("file", [file for file in UNITS if file.suffix == ".service"], ids=lambda file: file.name)
def test_units_have_least_rights(file: Path) -> None:
    service = unit(file)["Service"]
    assert service["SuccessExitStatus"] == "3 5 143", "busy, budget used up, stopped as asked"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["UMask"] == "0077"
    assert service["ReadWritePaths"] == service["WorkingDirectory"]
    assert service["LoadCredential"].startswith("social_connect_access_token:")
    timer = unit(file.with_suffix(".timer"))
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert timer["Timer"]["Persistent"] == "true"


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine: the units are read by these tests only, not by systemd")
    command = tmp_path / COMMAND
    command.touch(mode=0o755)
    for file in UNITS:
        text = file.read_text(encoding="utf-8").replace(f"/opt/social-warehouse/.venv/bin/{COMMAND}", str(command))
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", *(str(tmp_path / file.name) for file in UNITS)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [line for line in done.stderr.splitlines() if "social-warehouse" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("way", ["prefect", "cron"])
def test_kustomize_renders_the_manifests(way: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on this machine: the manifests are read by these tests only, not rendered")
    done = subprocess.run(
        [kubectl, "kustomize", str(DEPLOY / "kubernetes" / way)], capture_output=True, text=True, check=True
    )
    rendered = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert len(rendered) >= 4
    assert {"ConfigMap", "PersistentVolumeClaim"} < {each["kind"] for each in rendered}


def test_every_alarm_and_exit_code_is_on_the_page_for_operators() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    rules = documents(DEPLOY / "prometheus-rules.yml")[0]["groups"][0]["rules"]
    for rule in rules:
        assert f"| `{rule['alert']}` |" in page
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
    for code in re.findall(r"(\d) [a-z]", str(cli.help).partition("Exit codes:")[2]):
        assert f"| exit code {code} |" in page or code == "0"


def test_every_test_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+\.py)`", page))
    assert len(named) >= 8
    missing = named - {file.name for file in (ROOT / "tests").rglob("test_*.py")}
    assert not missing
