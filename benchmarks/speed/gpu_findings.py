"""What was measured on a GPU, as tables and in plain sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.results import table
from benchmarks.speed.network_rates import NetworkRate

LOWEST_COSINE = 0.999
"""Between vectors of the GPU and of the CPU."""
STARVED = 0.9
"""The decoder holds the network up if files to features are slower than this share of the network's rate."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """Rates are pictures per second."""

    device: str
    pictures: int
    """Number of pictures that were compared."""
    cosines: Mapping[str, float]
    """Precision -> lowest cosine to the CPU's vectors in float32."""
    networks: Sequence[NetworkRate]
    runtime: Mapping[str, float]
    """Precision -> rate of the runtime that builds use, called by many threads."""
    cpu: float
    """Rate of the CPU's runtime, called by a thread for each core."""
    decoding: Mapping[str, float]
    """Decoder -> rate from files to pixels on the device."""
    described: Mapping[str, float]
    """Decoder -> rate from files to features."""
    problem: str
    """Why nvJPEG could not be used; empty if it could."""
    builds: Mapping[str, float]
    """Runtime, and what is left out -> rate of a whole build."""

    @property
    def best(self) -> NetworkRate:
        return max(self.networks, key=lambda each: each.rate)

    @property
    def agrees(self) -> bool:
        """Whether all vectors are those of the CPU, within LOWEST_COSINE."""
        return min(self.cosines.values()) > LOWEST_COSINE


def tables(found: Measurements) -> list[str]:
    """The tables of RESULTS.md."""
    networks = [
        [each.precision, each.batch, f"{each.rate:.0f}", f"{each.memory / 1e6:.0f}" if each.memory else "–"]
        for each in found.networks
    ]
    runtimes = [[name, f"{found.cosines[name]:.5f}", f"{rate:.0f}"] for name, rate in found.runtime.items()]
    decoders = [[name, f"{rate:.0f}", f"{found.described[name]:.0f}"] for name, rate in found.decoding.items()]
    builds = [[name, f"{rate:.1f}"] for name, rate in found.builds.items()]
    return [
        table(["precision", "batch", "pictures/s", "MB of GPU memory"], networks),
        table(["precision", "lowest cosine to the CPU", "pictures/s of the runtime"], runtimes),
        table(["decoder", "files to pixels, pictures/s", "files to features, pictures/s"], decoders),
        table(["runtime", "whole build, pictures/s"], builds),
    ]


def sentences(found: Measurements) -> list[str]:
    """What the figures mean."""
    return [_agreement(found), _network(found), _runtime(found), *_decoders(found), _builds(found)]


def _agreement(found: Measurements) -> str:
    cosines = ", ".join(f"{cosine:.5f} in {name}" for name, cosine in found.cosines.items())
    lowest = f"the lowest cosine of {found.pictures} pictures is {cosines}."
    if found.agrees:
        return f"The vectors of {found.device} are those of the CPU: {lowest}"
    return f"The vectors of {found.device} differ from those of the CPU, so do not use this runtime: {lowest}"


def _network(found: Measurements) -> str:
    best = found.best
    memory = f", with {best.memory / 1e6:.0f} MB of GPU memory" if best.memory else ""
    return (
        f"The network is fastest in {best.precision} with {_count(best.batch, 'picture')} at once: "
        f"{best.rate:.0f} pictures/s{memory}. The CPU computes {found.cpu:.0f}, so this is "
        f"{best.rate / found.cpu:.1f} times as fast."
    )


def _runtime(found: Measurements) -> str:
    name = max(found.runtime, key=lambda each: found.runtime[each])
    share = found.runtime[name] / found.best.rate
    return f"The runtime of a build reaches {found.runtime[name]:.0f} pictures/s in {name}, {share:.0%} of that."


def _decoders(found: Measurements) -> list[str]:
    said = []
    for name, rate in found.described.items():
        share = rate / found.best.rate
        verdict = "holds the network up" if share < STARVED else "keeps up with the network"
        said.append(f"Decoding with {name} {verdict}: files become features at {rate:.0f} pictures/s, {share:.0%}.")
    if found.problem:
        return [*said, f"nvJPEG was not measured: {found.problem}"]
    (cpu, one), (gpu, other) = found.described.items()
    faster, ratio = (gpu, other / one) if other > one else (cpu, one / other)
    return [*said, f"{faster} is the faster decoder before this network, {ratio:.1f} times as fast as the other."]


def _builds(found: Measurements) -> str:
    rates = " and ".join(f"{rate:.1f} pictures/s with {name}" for name, rate in found.builds.items())
    return f"A whole build reads {rates}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
