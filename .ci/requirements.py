"""Prints what the package and one of its extras need, one requirement per line, for pip.

`pip install .[test]` would do the same and build the package once more, in an environment of its
own: the tools must be there before, so that the one build folder serves every build.
"""

import pathlib
import sys
import tomllib

ROOT = pathlib.Path(__file__).parent.parent


def requirements(extra: str) -> list[str]:
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"]
    found, todo = list(project["dependencies"]), [extra]
    while todo:
        for line in extras[todo.pop()]:
            if line.startswith(f"{project['name']}["):
                todo += line.split("[")[1].rstrip("]").split(",")
            else:
                found.append(line)
    return found


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
