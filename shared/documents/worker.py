"""One worker process of `pool.py`: `python -m shared.documents.worker 5`, with the pipe to it at descriptor 5.

What comes first over the pipe makes it ready; after that come jobs, one after another. It is a program of its own and
nothing of the service: started by `multiprocessing` it would import the service's whole entry first, for two seconds
and 60 MB, since that is its parent's `__main__`. OpenCV, NumPy and UnRAR are imported only where they are used: the
service imports this file too.
"""

import signal
import sys
from multiprocessing.connection import Connection

from shared.documents.archive_rules import Limits, Listing
from shared.documents.photo_rules import PhotoRules, PreparedPhoto


def serve(pipe: Connection) -> None:
    """The worker's life, until the service closes the pipe or ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service decides when we end
    ready = pipe.recv()
    ready()
    # Ends the process at once, also within C code that never looks for signals; whoever started us may have it ignored.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    pipe.send(True)
    while True:
        try:
            job, cpu = pipe.recv()
        except EOFError:
            return
        answer: tuple[object, Exception | None]
        signal.setitimer(signal.ITIMER_PROF, cpu)
        try:
            answer = (job(), None)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it belongs to the caller
            answer = (None, fault)
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(answer)


def ready_for_images() -> None:
    from shared.documents import images

    images.ready()


def prepare(data: bytes, rules: PhotoRules) -> PreparedPhoto:
    from shared.documents import images

    return images.prepare(data, rules)


def offer(data: bytes, rules: PhotoRules) -> bytes | None:
    from shared.documents import cropping

    return cropping.offered(data, rules)


def list_archive(data: bytes, limits: Limits) -> Listing:
    from shared.documents import archives

    return archives.inspect(data, limits)


def open_archive(data: bytes, place: int, limits: Limits) -> bytes:
    from shared.documents import archives

    return archives.opened(data, place, limits)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
