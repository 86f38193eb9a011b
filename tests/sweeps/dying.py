"""A mirror that is killed at a chosen call to MLflow."""

from itertools import count


class Killed(BaseException):
    """As SIGKILL: no code of ours runs any more."""


class Dying:
    """A client that dies at its n-th call: before it is made (even n) or after."""

    def __init__(self, real, n):
        self.real, self.calls, self.n = real, count(), n

    def __getattr__(self, name):
        def call(*arguments, **options):
            dies = next(self.calls) == self.n // 2
            if dies and self.n % 2 == 0:
                raise Killed
            given = getattr(self.real, name)(*arguments, **options)
            if dies:
                raise Killed
            return given

        return call


def killed(mirror, n, work):
    """Does some work with a client that dies at its n-th call, and says whether it came to that."""
    mirror._store.client = Dying(mirror._store.client, n)
    try:
        work()
    except Killed:
        return True
    return False
