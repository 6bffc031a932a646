"""Which GPUs a session is given: by a driver that is not NVIDIA's, since no machine here has one."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fake_nvml import DRIVER_NOT_LOADED, install
from triptych.blocks import Block, Role
from triptych.errors import CapacityError
from triptych.running.file_system import is_held
from triptych.running.gpus import Devices, devices_of_engine, held_gpus, holding, lacking_gpus
from triptych.running.stop import Stop
from triptych.settings import Runner, Settings, read_settings

T4, A100, L40 = "Tesla T4", "NVIDIA A100-SXM4-80GB", "NVIDIA L40S"
MACHINE = (("GPU-0a", T4), ("GPU-1b", A100), ("GPU-2c", L40), ("GPU-3d", A100))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    install(monkeypatch, MACHINE)
    monkeypatch.setattr(holding, "ASKED_EVERY_S", 0.01)
    return read_settings({"scratch": str(tmp_path / "scratch"), "docker_url": "unix:///run/docker.sock"})


def _app(gpu: int | tuple[str, ...]) -> Block:
    return Block(Role.APP, "tried", "1.0", Path("tried"), gpu=gpu)


def test_the_driver_tells_ids_and_products_and_is_let_go(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(monkeypatch, MACHINE)
    found = devices_of_engine(settings)
    assert [(each.id, each.product) for each in found.all] == list(MACHINE)
    assert (found.unknown, str(found)) == ("", f"1 x {T4}, 2 x {A100}, 1 x {L40}")
    assert driver.opened == 0


@pytest.mark.parametrize(
    ("gpu", "ids"),
    [
        (0, []),
        (1, ["GPU-0a"]),
        (3, ["GPU-0a", "GPU-1b", "GPU-2c"]),
        (("nvidia a100",), ["GPU-1b"]),
        (("NVIDIA L4", "Nvidia L40S", "A100"), ["GPU-1b"]),
        (("GPU-3d", "0"), ["GPU-3d", "GPU-0a"]),
        (("0", "GPU-0a"), ["GPU-0a"]),
        (("MIG-5e",), ["MIG-5e"]),
    ],
)
def test_what_is_asked_for_is_given(settings: Settings, gpu: int | tuple[str, ...], ids: list[str]) -> None:
    with held_gpus(_app(gpu), settings, Stop()) as given:
        assert list(given) == ids


def test_no_device_is_given_twice_and_the_next_waits(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    wants, told = _app(("A100",)), threading.Event()
    got: list[str] = []

    class Telling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waits for" in record.getMessage():
                told.set()

    logger = logging.getLogger(holding.__name__)
    handler = Telling()
    logger.addHandler(handler)

    def third() -> None:
        with held_gpus(wants, settings, Stop()) as given:
            got.extend(given)

    waiting = threading.Thread(target=third)
    try:
        with ExitStack() as stack:
            first = stack.enter_context(held_gpus(wants, settings, Stop()))
            with held_gpus(wants, settings, Stop()) as second:
                assert (first, second) == (("GPU-1b",), ("GPU-3d",))
                waiting.start()
                assert told.wait(60)
                assert got == []
            waiting.join(60)
            assert got == ["GPU-3d"]
    finally:
        logger.removeHandler(handler)
    assert "tried@1.0 waits for 1 GPU(s): too few of GPU-1b, GPU-3d are free." in caplog.text


def test_of_several_devices_all_are_taken_or_none(settings: Settings) -> None:
    stopped = Stop()
    stopped.ask()
    with held_gpus(_app(("GPU-2c",)), settings, Stop()):
        with pytest.raises(KeyboardInterrupt), held_gpus(_app(("GPU-0a", "GPU-2c")), settings, stopped):
            pytest.fail("It was given what another session has.")
        held = {name: is_held(settings.scratch / holding.LOCKS / f"{name}.lock") for name in ("GPU-0a", "GPU-2c")}
        assert held == {"GPU-0a": False, "GPU-2c": True}


def test_what_the_machine_has_not_is_told_with_what_it_has(settings: Settings) -> None:
    lacking = rf"app tried@1\.0 needs a GPU of NVIDIA H100 or L4, and \S+ has 1 x {T4}, 2 x {A100}, 1 x {L40}"
    with (
        pytest.raises(CapacityError, match=lacking) as caught,
        held_gpus(_app(("NVIDIA H100", "L4")), settings, Stop()),
    ):
        pytest.fail("It was given another.")
    assert not caught.value.retryable


@pytest.mark.parametrize("why", ["driver", "package", "engine"])
def test_where_nobody_can_tell_a_product_is_refused_and_a_number_left_to_the_engine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    says = {"driver": "NVML says: error 9", "package": "pip install 'triptych[gpu]'", "engine": "on another machine"}[
        why
    ]
    if why == "driver":
        install(monkeypatch, MACHINE, error=DRIVER_NOT_LOADED)
    elif why == "package":
        monkeypatch.setitem(sys.modules, "pynvml", None)
    else:
        settings = replace(settings, docker_url="tcp://10.1.2.3:2376")
    found = devices_of_engine(settings)
    assert says in found.unknown
    assert f"cannot be asked which it has ({found.unknown})" in lacking_gpus(_app(("L4",)), found)
    with held_gpus(_app(2), settings, Stop()) as given:
        assert given == ()
    assert "asks for 2 GPU(s); which are free is not known" in caplog.text
    with held_gpus(_app(("GPU-0a",)), settings, Stop()) as given:
        assert given == ("GPU-0a",)


def test_a_process_sees_what_it_was_given_and_is_refused_nothing(settings: Settings) -> None:
    trying = replace(settings, runner=Runner.PROCESS, docker_url="tcp://10.1.2.3:2376")
    with held_gpus(_app(("L40S",)), trying, Stop()) as given:
        assert given == ("GPU-2c",)
    with held_gpus(_app(("H100",)), trying, Stop()) as given:
        assert given == ()


def test_a_machine_without_any_says_so() -> None:
    assert str(Devices()) == "none"
