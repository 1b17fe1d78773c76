"""Link stubs of Apple's frameworks, written from what metal-cpp declares: python link_stubs.py
<metal-cpp> <out>. A name that metal-cpp does not declare is then an error of the linker; that Apple
exports the names it does declare is not shown.
"""

import pathlib
import re
import sys

FRAMEWORKS = "/System/Library/Frameworks"
OBJC = ["_objc_msgSend", "_objc_lookUpClass", "_objc_getProtocol", "_sel_registerName"]


def declared(headers: pathlib.Path) -> dict[str, set[str]]:
    """The symbols of each framework: constants, and functions of C."""
    symbols: dict[str, set[str]] = {"Metal": set(), "Foundation": set(), "CoreGraphics": set()}
    for prefix, framework in (("MTL", "Metal"), ("NS", "Foundation")):
        for header in (headers / framework).glob("*.hpp"):
            text = header.read_text()
            macro = rf"_{prefix}_PRIVATE_DEF_(?:CONST|STR|WEAK_CONST)\([^,()]+,\s*(\w+)\)"
            symbols[framework] |= {f"_{prefix}{name}" for name in re.findall(macro, text)}
            functions = re.findall(r'^extern "C" [^;(]*?(\w+)\(', text, re.M)
            symbols[framework] |= {f"_{name}" for name in functions}
    return symbols


def stub(install_name: str, symbols: list[str]) -> str:
    lines = [
        "--- !tapi-tbd",
        "tbd-version: 4",
        "targets: [ arm64-macos, arm64e-macos ]",
        f"install-name: '{install_name}'",
    ]
    if symbols:
        names = ",\n               ".join(sorted(symbols))
        lines += ["exports:", "  - targets: [ arm64-macos, arm64e-macos ]"]
        lines += [f"    symbols: [ {names} ]"]
    return "\n".join([*lines, "...", ""])


def write(headers: pathlib.Path, out: pathlib.Path) -> None:
    for name, symbols in declared(headers).items():
        folder = out / "Frameworks" / f"{name}.framework"
        folder.mkdir(parents=True, exist_ok=True)
        binary = f"{FRAMEWORKS}/{name}.framework/Versions/A/{name}"
        (folder / f"{name}.tbd").write_text(stub(binary, sorted(symbols)))
    (out / "lib").mkdir(exist_ok=True)
    (out / "lib" / "libobjc.tbd").write_text(stub("/usr/lib/libobjc.A.dylib", OBJC))


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
