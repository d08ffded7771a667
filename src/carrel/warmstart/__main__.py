"""The entry of the process. Run by its path, so that interpreters that have no Carrel can run it, too.

    PYTHON …/carrel/warmstart/__main__.py DIRECTORY [--idle SECONDS] [--age SECONDS] [--forks NUMBER]

DIRECTORY is the owner's alone, and gets the sockets. Exits with 3 and a reason when it cannot serve.
"""

import sys
from pathlib import Path
from types import ModuleType


def _find_own_package() -> None:
    # Not by way of sys.path: everything else that is installed there would be found, too.
    own = ModuleType("carrel")
    own.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["carrel"] = own


if __name__ == "__main__":
    if not __package__:
        _find_own_package()
    from carrel.warmstart.process import serve

    argv = serve(sys.argv[1:])
    # From here on this is a server's process, and what follows is all that is left of the template's program.
    main = ModuleType("__main__")
    main.__dict__.update(__file__=argv[0], __builtins__=__builtins__)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    with open(argv[0], "rb") as script:
        code = compile(script.read(), argv[0], "exec")
    exec(code, main.__dict__)  # noqa: S102 - it is the program that was asked for
