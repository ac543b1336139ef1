"""The files of deploy/ agree with the program and with each other. `make deploy-check` lints them."""

import re
import subprocess
import tomllib
from ipaddress import ip_network

import pytest
import yaml

from boxfind.api.limits import FORM_BYTES, MAX_UPLOADS
from boxfind.commands.app import run_streamlit
from boxfind.settings import VARIABLES, Settings
from boxfind.settings_schema import ApiSettings
from retrieval.images.limits import MEGABYTE
from tests.deploy.config_files import DOCKERFILE, ROOT, filled, in_image, named, services

GIVEN = {"GALLERY": "/pictures"}
DEPLOY = sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
NGINX = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
IMAGE_COMMANDS = {"app": named("CMD")[0].command} | {
    name: service.command for name, service in services(GIVEN).items() if service.image == "boxfind" and service.command
}


def makefile_command(target: str) -> list[str]:
    """The last command of a make target, with `python cli.py` for the installed command."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    port = re.search(r"^PORT \?= (\d+)$", makefile, re.M)[1]
    recipe = re.search(rf"^{target}: \.venv/\S+\n((?:\t.+\n)+)", makefile, re.M)[1]
    command = recipe.splitlines()[-1].strip("\t@").replace("$(BIN)/boxfind", "python cli.py").replace("$(PORT)", port)
    return command.split()


def unit_command(name: str) -> list[str]:
    unit = (ROOT / "deploy" / "systemd" / name).read_text(encoding="utf-8")
    return re.search(r"^ExecStart=/opt/boxfind/\.venv/bin/(.+)$", unit, re.M)[1].replace("%i", "8501").split()


@pytest.mark.parametrize("path", DEPLOY, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_named_setting_exists(path):
    names = set(re.findall(r"\bBOXFIND_([A-Z_]+)", path.read_text(encoding="utf-8")))
    assert {name.lower() for name in names} <= VARIABLES.keys()


def test_containers_units_and_make_start_the_same_commands():
    page = list(IMAGE_COMMANDS["app"])
    assert page == unit_command("boxfind-page@.service")
    assert [word for word in page if word != "--no-browser"] == makefile_command("app")
    assert list(IMAGE_COMMANDS["api"]) == makefile_command("api") == unit_command("boxfind-api.service")
    assert list(IMAGE_COMMANDS["build"]) == unit_command("boxfind-build.service") == ["python", "cli.py", "build"]


def test_ports_agree():
    page, api = named("EXPOSE")[0].text.split()
    assert IMAGE_COMMANDS["app"][-1] == page and int(api) == Settings.load().api.port
    assert f"127.0.0.1:{page}/_stcore/health" in named("HEALTHCHECK")[0].command[-1]
    assert f"127.0.0.1:{api}/ready" in services(GIVEN)["api"].health[-1]
    assert set(re.findall(r"^ +(?:server|proxy_pass)\b.*127\.0\.0\.1:(\d+)", NGINX, re.M)) == {page, api, "4180"}


def test_containers_listen_on_loopback_only():
    ports = {port for service in services(GIVEN).values() for port in service.ports}
    assert ports == {"127.0.0.1:8501:8501", "127.0.0.1:8502:8502"}


def test_r59_services_and_containers_have_a_memory_limit():
    common = (ROOT / "deploy/systemd/boxfind-.service.d/common.conf").read_text(encoding="utf-8")
    limit = re.search(r"^MemoryMax=(\d+)G$", common, re.M)[1]
    compose = yaml.safe_load(filled((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"), GIVEN))
    assert {compose["services"][name]["mem_limit"] for name in IMAGE_COMMANDS} == {f"{limit}g"}
    docs = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    assert f"may use {limit} GB" in docs
    room = {mounted for name in IMAGE_COMMANDS for mounted in compose["services"][name]["tmpfs"]}
    upload = ApiSettings().upload_mb * MEGABYTE + FORM_BYTES
    assert room == {"/tmp:size=2g"} and MAX_UPLOADS * upload < 1.5 * 1024**3
    assert f"{MAX_UPLOADS} at a time, of up to {upload // 10**6} MB each" in docs


def test_r70_containers_believe_no_forwarded_address_of_strangers():
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    environment = compose["x-boxfind"]["environment"]
    believed = filled(environment["BOXFIND_API_PROXIES"], GIVEN)
    assert all(ip_network(name).is_private and ip_network(name).prefixlen >= 12 for name in believed.split(","))
    # The program passes its proxies on to Streamlit's server; another value would take precedence.
    assert not [path for path in DEPLOY if "FORWARDED_ALLOW_IPS" in path.read_text(encoding="utf-8")]
    assert "X-Forwarded-For $remote_addr;" in NGINX and "proxy_add_x_forwarded_for" not in NGINX


def test_r62_the_page_of_a_deployment_is_limited_from_its_start(monkeypatch):
    """Not with the first visitor, as `streamlit run app.py` is."""
    assert IMAGE_COMMANDS["app"][:3] == ("python", "cli.py", "app")
    order = []
    monkeypatch.setattr("boxfind.connections.limit_connections", lambda: order.append("limits"))
    monkeypatch.setattr("streamlit.web.cli.main", lambda *_, **__: order.append("server"))
    run_streamlit([])
    assert order == ["limits", "server"]


def test_r48_nobody_is_administrator_of_a_deployment_by_default():
    page = (ROOT / "deploy/systemd/boxfind-page@.service").read_text(encoding="utf-8")
    assert "\nEnvironment=BOXFIND_ADMIN=nobody\n" in page and "BOXFIND_ADMIN=nobody" in named("ENV")[0].text


def test_images_and_packages_are_pinned():
    images = {service.image for service in services(GIVEN).values()} - {"boxfind"} | {named("FROM")[0].text}
    assert all(re.fullmatch(r"[\w/]+:\S*\d\S*", image) for image in images) and len(images) == 2
    installed = " ".join(line.text for line in named("RUN") if "pip install" in line.text)
    assert re.fullmatch(
        r"pip install --no-cache-dir( -r requirements[\w/-]*\.txt)+ -c requirements/constraints\.txt", installed
    )
    before = [line.text.split() for line in named("COPY") if line.text != ". ."]
    assert before == [["requirements.txt", "./"], ["requirements/", "requirements/"]]
    assert all((ROOT / name).is_file() for name in re.findall(r"-[rc] (\S+)", installed))


def test_copied_files_exist_and_are_in_the_image():
    names = [name for line in named("COPY") for name in line.text.split()[:-1] if name != "."]
    assert names and all((ROOT / name).exists() and in_image(name) for name in names)


def test_the_image_contains_the_program_and_nothing_else():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    excluded = ("tests/", "benchmarks/", "docs/", "deploy/", ".ci/")
    program = {name for name in listed if name.endswith((".py", ".css", ".html")) and not name.startswith(excluded)}
    assert program and not {name for name in program if not in_image(name)}
    assert in_image(".streamlit/config.toml")
    for name in (".streamlit/secrets.toml", "deploy/.env", "data/index/x.npy", ".git/config", ".venv/bin/python"):
        assert not in_image(name)
    assert not in_image("boxfind/ui/__pycache__/session.cpython-311.pyc") and not in_image("tests/conftest.py")


def test_example_environment_agrees_with_the_compose_file():
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")))
    example = (ROOT / "deploy" / "example.env").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?([A-Z_]+)=", example, re.M)) <= asked | {"COMPOSE_PROFILES"}
    on_top = yaml.safe_load((ROOT / "deploy" / "compose.cuda.yaml").read_text(encoding="utf-8"))["services"]
    assert set(on_top) == set(IMAGE_COMMANDS)


def test_a_missing_variable_raises_and_defaults_apply():
    assert filled("${A:-1} ${B:-2} ${C:?why}", {"B": "3", "C": "4"}) == "1 3 4"
    with pytest.raises(KeyError):
        services({})


def test_the_proxy_sets_the_header_that_the_program_trusts():
    header = Settings.load().server.admin_header
    assert f"proxy_set_header {header} $email;" in NGINX
    limit = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["server"]["maxUploadSize"]
    assert int(re.search(r"client_max_body_size (\d+)m;", NGINX)[1]) > limit


def test_the_guide_names_files_that_exist():
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"\bdeploy/[\w./@-]+\w", guide)) - {"deploy/.env"}:
        assert (ROOT / name).exists(), name
    assert DOCKERFILE.is_file()
