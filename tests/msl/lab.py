"""The MSL lab: compiles MSL text against the execution shim and runs it in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import re
import shutil
import struct
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import source as msl

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "msl"
CLANG = "clang++-19"
STANDARD = ["-std=c++17", "-Xclang", "-cl-single-precision-constant"]
MEANING = [
    *["-fPIC", "-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing", "-ffp-contract=off"],
    *["-fsigned-char", "-fno-finite-loops"],
    *["-Xclang", "-ffloat16-excess-precision=none", "-Xclang", "-fbfloat16-excess-precision=none"],
    *["-w", "-Wno-reserved-user-defined-literal", "-nostdinc", "-isystem", str(HERE / "shim")],
]
CHECKED = ["-fsanitize=thread", "-gline-tables-only", "-fno-omit-frame-pointer"]
PASSES = [
    *["-mllvm", "-tsan-instrument-func-entry-exit=0", "-mllvm", "-tsan-instrument-atomics=0"],
    # Of `x += 1` the read counts too: see async_copy.cpp.
    *["-mllvm", "-tsan-instrument-read-before-write=1"],
]
SCHEDULES = ("forward", "reverse", "random")


class LabError(Exception):
    """What is wrong with a kernel: it does not compile, or it did something that it must not."""


class CompileError(LabError):
    """The text is refused."""


@dataclass
class Finding:
    """One thing that went wrong, with the lines of the MSL, and of the Python behind them."""

    kind: str  # "race", "out of bounds", "divergent barrier", "fault", "overflow", "time"
    text: str
    lines: list[int] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    count: int = 1

    def __str__(self) -> str:
        where = [
            f"line {n}{f' ({o})' if o else ''}"
            for n, o in zip(self.lines, self.origins, strict=True)
        ]
        again = f", {self.count} times" if self.count > 1 else ""
        return f"{self.kind}: {self.text}{again}" + (f" at {' and '.join(where)}" if where else "")


class KernelFault(LabError):
    """A kernel ran and did what it must not; `findings` say what."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


@dataclass
class Built:
    """A compiled text."""

    library: Path
    source: msl.Source
    checked: bool

    def origin(self, line: int) -> str:
        """The Python line that an MSL line came from: its own comment, or the nearest above."""
        lines = self.source.text.splitlines()
        for k in range(min(line, len(lines)), 0, -1):
            found = re.search(r"// (\S+:\d+)\s*$", lines[k - 1])
            if found:
                return found[1]
            if k < line and re.match(r"\s*(?:inline|kernel)\b", lines[k - 1]):
                break
        return ""


@dataclass
class Result:
    arrays: list[np.ndarray]
    findings: list[Finding]
    divergent_simd: int
    seconds: float


def fingerprint() -> str:
    """Changes when the shim, the rewriting or the flags do."""
    flags = (STANDARD, MEANING, CHECKED, PASSES, inspect.getsource(as_metal_means))
    digest = hashlib.sha256(repr(flags).encode())
    for path in sorted([*(HERE / "shim").rglob("*"), HERE / "source.py"]):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


_fingerprint: str | None = None


def _key(*parts: object) -> str:
    global _fingerprint
    if _fingerprint is None:
        _fingerprint = fingerprint()
    return hashlib.sha256(repr((_fingerprint, *parts)).encode()).hexdigest()[:32]


def _call(command: Sequence[object], text: str | None = None) -> str:
    done = subprocess.run(
        [str(c) for c in command], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CompileError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def compiler() -> str:
    """clang-19, which the lab cannot do without."""
    found = shutil.which(CLANG)
    if not found:
        raise LabError("the MSL lab needs clang-19: apt-get install clang-19 (.ci/system-packages)")
    return found


@contextlib.contextmanager
def _whole(path: Path):
    """A name to write to, that becomes `path` at once when all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


_INT = r"i(?:8|16|32|64|128)|<\d+ x i\d+>"
_DIVISION = re.compile(
    rf"^  (%\S+) = ([us])(div|rem) (?:exact )?({_INT}) (\S+?), (\S+?)((?:, !.*)?)$", re.M
)
_SHIFT = re.compile(
    rf"^  (%\S+) = (shl|lshr|ashr)( [a-z ]*?)? ?({_INT}) (\S+?), (%\S+?)((?:, !.*)?)$", re.M
)


def _splat(kind: str, value: int) -> str:
    vector = re.match(r"<(\d+) x (i\d+)>", kind)
    if not vector:
        return str(value)
    return "<" + ", ".join(f"{vector[2]} {value}" for _ in range(int(vector[1]))) + ">"


def as_metal_means(ir: str) -> str:
    """LLVM IR in which integer division never traps and shifts take their count modulo the width.

    In C++ both are undefined, and clang would compile them as such. A quotient that Metal leaves
    open is that by 1, as on the CPU device.
    """

    def division(m: re.Match[str]) -> str:
        to, sign, what, kind, a, b, rest = m.groups()
        t, truth = f"%msl{to[1:]}.".replace('"', ""), re.sub(r"i\d+(?=>?$)", "i1", kind)
        zero, one = _splat(kind, 0), _splat(kind, 1)
        lines = [f"  {t}0 = icmp eq {kind} {b}, {zero}"]
        bad = f"{t}0"
        if sign == "s":
            low = _splat(kind, -(1 << int(re.search(r"i(\d+)", kind)[1]) - 1))
            lines += [
                f"  {t}1 = icmp eq {kind} {b}, {_splat(kind, -1)}",
                f"  {t}2 = icmp eq {kind} {a}, {low}",
                f"  {t}3 = and {truth} {t}1, {t}2",
                f"  {t}4 = or {truth} {t}0, {t}3",
            ]
            bad = f"{t}4"
        lines += [
            f"  {t}5 = select {truth} {bad}, {kind} {one}, {kind} {b}",
            f"  {to} = {sign}{what} {kind} {a}, {t}5{rest}",
        ]
        return "\n".join(lines)

    def shift(m: re.Match[str]) -> str:
        to, what, flags, kind, a, b, rest = m.groups()
        bits = int(re.search(r"i(\d+)", kind)[1])
        amount = f"%msl{to[1:]}.n"
        return (
            f"  {amount} = and {kind} {b}, {_splat(kind, bits - 1)}\n"
            f"  {to} = {what} {kind} {a}, {amount}{rest}"
        )

    return _SHIFT.sub(shift, _DIVISION.sub(division, ir))


def build(
    text: str,
    checked: bool = False,
    optimise: str = "-O1",
    kernel: str = "",
    instance: str = "",
    constants: Mapping[int, int] | None = None,
) -> Built:
    """Compiles MSL text, or finds it in the cache. Errors: CompileError.

    Of a text with templates one ``kernel`` is chosen and made an ``instance``, as ``<float, 4>``.
    ``constants`` has the bits of the function constants by index.
    """
    try:
        source = msl.scan(text)
        if instance:
            source.kernels = [source.kernel(kernel)]
        given = sorted((constants or {}).items())
        key = _key(text, checked, optimise, kernel if instance else "", instance, given)
        library = BUILD / "kernels" / key[:2] / f"{key}.so"
        refused = library.with_suffix(".refused")
        if refused.exists():
            raise CompileError(refused.read_text())
        if not library.exists():
            code = msl.translate(source, instance, constants)
            try:
                _compile(code, library, checked, optimise)
            except CompileError as error:
                with _whole(refused) as out:
                    out.write_text(str(error))
                raise
    except msl.SourceError as error:
        raise CompileError(str(error)) from None
    return Built(library, source, checked)


# numpy's names of MSL's types; it has none of bfloat.
_MSL_TYPES = "bool char uchar short ushort int uint long ulong half float bfloat".split()
_NUMPY = dict(zip(_MSL_TYPES, "? i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 bfloat16".split(), strict=True))


def constant_bits(text: str, constants: Mapping[int, object]) -> dict[int, int]:
    """Values of function constants as bits. Errors: LabError for one that the text lacks."""
    if not constants:
        return {}
    import ml_dtypes  # noqa: F401  # numpy knows bfloat16 from here on

    try:
        declared = {c.index: c for c in msl.scan(text).constants}
    except msl.SourceError as error:
        raise CompileError(str(error)) from None
    out = {}
    for index, value in constants.items():
        if index not in declared:
            raise LabError(f"the text has no function constant {index}")
        wanted = np.dtype(_NUMPY[declared[index].type])
        number = value if isinstance(value, np.generic) else np.array(value).astype(wanted)[()]
        if number.dtype.itemsize != wanted.itemsize:
            name, kind = declared[index].name, declared[index].type
            raise LabError(f"function constant '{name}' is {kind}, not {number.dtype}")
        out[index] = int.from_bytes(number.tobytes(), "little")
    return out


_MAY_TRAP = re.compile(r"[/%]|<<|>>")
_AS_WRITTEN = ["-S", "-emit-llvm", "-Xclang", "-disable-llvm-passes"]


def _compile(code: str, library: Path, checked: bool, optimise: str) -> None:
    flags = [*STANDARD, *MEANING, optimise, *(CHECKED if checked else ["-gline-tables-only"])]
    if "f16c" in _cpu_flags():
        flags.append("-mf16c")
    library.parent.mkdir(parents=True, exist_ok=True)
    front = [compiler(), *flags, "-include-pch", _precompiled(flags), "-x", "c++", "-"]
    link = ["-shared", "-nostdlib", *(["-fno-sanitize-link-runtime", *PASSES] if checked else [])]
    with _whole(library) as out:
        link += ["-o", out, "-lm", "-lgcc"]
        if not _MAY_TRAP.search(code):
            _call([*front, *link], code)
            return
        ir = _call([*front, *_AS_WRITTEN, "-o", "-"], code)
        back = [compiler(), "-x", "ir", "-", optimise, "-fPIC", "-w"]
        back += ["-fsanitize=thread"] if checked else []
        _call([*back, *link], as_metal_means(ir))


_flags_of_cpu: str | None = None


def _cpu_flags() -> str:
    global _flags_of_cpu
    if _flags_of_cpu is None:
        path = Path("/proc/cpuinfo")
        _flags_of_cpu = path.read_text() if path.exists() else ""
    return _flags_of_cpu


def _precompiled(flags: list[str]) -> Path:
    """The shim as clang read it once; its name tells the contents, so that times may change."""
    header = BUILD / f"shim-{_key(flags)}.pch"
    if not header.exists():
        with _whole(header) as out:
            _call(
                [compiler(), *flags, "-Xclang", "-fno-pch-timestamp", "-x", "c++-header"]
                + [HERE / "shim" / "metal_stdlib", "-o", out]
            )
    return header


def server_binary() -> Path:
    """The program that kernels run in."""
    files = sorted((HERE / "rt").glob("*.cpp"))
    headers = sorted((HERE / "rt").glob("*.h"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in [*files, *headers])).hexdigest()[:16]
    binary = BUILD / f"server-{_key(digest)}"
    if not binary.exists():
        with _whole(binary) as out:
            _call(
                [compiler(), "-std=c++20", "-O2", "-g", "-Wall", "-Wextra", "-rdynamic", *files]
                + ["-o", out, "-ldl"]
            )
    return binary


def finding(built: Built, kind: str, text: str, numbers: Sequence[int]) -> Finding:
    """What the server has found, with the lines that its addresses are in."""
    pc, other_pc, line, other_line, count = numbers
    lines = [n for n in (line, other_line) if n]
    addresses = [hex(a - 1) for a in (pc, other_pc) if a]
    if addresses and shutil.which("addr2line"):
        told = _call(["addr2line", "-a", "-i", "-e", built.library, *addresses])
        for frames in re.split(r"^0x", told, flags=re.M)[1:]:  # what was inlined comes first
            inside = re.search(r"kernel\.metal:(\d+)", frames)
            lines += [int(inside[1])] if inside else []
    return Finding(kind, text, lines, [built.origin(n) for n in lines], count)


class Lab:
    """Runs kernels in a server process, which is started again when a kernel brought it down."""

    def __init__(self, timeout: float = 60.0) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        server, self._server = self._server, None
        if server:
            server.kill()
            server.wait()
            for pipe in (server.stdin, server.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def run(
        self,
        text: str,
        arguments: Sequence[object],
        grid: int | Sequence[int],
        threads: int | Sequence[int] = 256,
        *,
        kernel: str | None = None,
        schedule: str = "forward",
        seed: int = 0,
        checked: bool = False,
        threadgroup: Sequence[int] = (),
        instance: str = "",
        constants: Mapping[int, object] | None = None,
    ) -> Result:
        """Runs a kernel on copies of its arguments, arrays and numpy scalars in buffer order.

        ``threadgroup`` are the bytes of threadgroup arguments. With ``checked`` races and accesses
        out of bounds are looked for. ``constants`` are the function constants by index: numbers of
        the declared type, or numpy scalars of as many bytes. Errors: CompileError; KernelFault for
        what must not happen.
        """
        bits = constant_bits(text, constants or {})
        built = build(text, checked, kernel=kernel or "", instance=instance, constants=bits)
        chosen = built.source.kernel(kernel)
        number = built.source.kernels.index(chosen)
        slots = chosen.slots()
        arrays = [np.ascontiguousarray(a).reshape(np.shape(a)) for a in arguments]
        given = [p for p in slots if p.attribute == "buffer"]
        if len(given) != len(arrays):
            raise LabError(f"kernel '{chosen.name}' has {len(given)} buffers, not {len(arrays)}")
        head = [
            _string(str(built.library)),
            _string(f"msl_entry_{number}"),
            struct.pack(
                "<IQII6I",
                SCHEDULES.index(schedule),
                seed,
                checked,
                msl.needs_fibers(built.source),
                *_triple(grid),
                *_triple(threads),
            ),
            struct.pack("<II", int(self.timeout * 1000), len(slots)),
        ]
        for p, array in zip(given, arrays, strict=True):
            head += [_string(p.name), struct.pack("<QII", array.nbytes, array.itemsize, 1)]
            head.append(array.tobytes())
        for p, size in zip(slots[len(given) :], threadgroup, strict=True):
            head += [_string(p.name), struct.pack("<QII", size, 4, 2)]
        head.append(struct.pack("<I", len(slots)))
        head += [struct.pack("<IQ", i, 0) for i in range(len(slots))]  # buffer and offset of each
        with self._lock:
            return self._exchange(b"".join(head), built, arrays)

    def _exchange(self, request: bytes, built: Built, arrays: list[np.ndarray]) -> Result:
        findings, divergent, nanoseconds, ended = self._ask(request, built)
        if ended or findings:
            if not ended:  # the arrays are there, though not to be trusted
                for array in arrays:
                    self._read(array.nbytes)
            else:
                self.close()
            raise KernelFault(findings)
        results = []
        for array in arrays:
            raw = bytearray(self._read(array.nbytes))
            results.append(np.frombuffer(raw, np.uint8).view(array.dtype).reshape(array.shape))
        return Result(results, findings, divergent, nanoseconds * 1e-9)

    def _ask(self, request: bytes, built: Built) -> tuple[list[Finding], int, int, bool]:
        server = self._start()
        try:
            assert server.stdin
            server.stdin.write(request)
            server.stdin.flush()
            status, count = struct.unpack("<II", self._read(8))
            findings = []
            for _ in range(count):
                kind, what = self._read_string(), self._read_string()
                numbers = struct.unpack("<5Q", self._read(40))
                findings.append(finding(built, kind, what, numbers))
            divergent, nanoseconds = struct.unpack("<QQ", self._read(16))
        except (EOFError, BrokenPipeError):
            code = server.wait()
            self.close()
            return [Finding("fault", f"the server ended with {code}")], 0, 0, True
        return findings, divergent, nanoseconds, status == 2

    def _start(self) -> subprocess.Popen[bytes]:
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [server_binary()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._server

    def _read(self, count: int) -> bytes:
        assert self._server and self._server.stdout
        descriptor = self._server.stdout.fileno()
        parts = []
        while count:
            part = os.read(descriptor, min(count, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _read_string(self) -> str:
        (count,) = struct.unpack("<I", self._read(4))
        return self._read(count).decode()


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<I", len(raw)) + raw


def _triple(size: int | Sequence[int]) -> tuple[int, int, int]:
    parts = (size,) if isinstance(size, int) else tuple(size)
    return tuple([*parts, 1, 1][:3])
