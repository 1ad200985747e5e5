"""Who we are to whom: user and password by origin, from the first place that knows.

    the address > netrc > the keyring, which is asked once, and not before the origin has said 401

A keyring may take seconds and wake up a desktop, so it is not asked without need: by default only for a user whom the
address names without a password; with `keyring-provider` "subprocess" also where no user is known. What it says is
never shown.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

from bootstrap.index import addresses, ambient

__all__ = ["Login", "Logins", "Provider"]

Login = tuple[str, str]
Provider = Literal["auto", "disabled", "subprocess"]


@dataclass(slots=True)
class Logins:
    """The logins of one run; safe to share between threads."""

    provider: Provider = "auto"
    _known: dict[str, Login | None] = field(default_factory=dict)
    _places: dict[str, dict[str, None]] = field(default_factory=dict)
    _kept: dict[tuple[str, str], Login | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remember(self, url: str) -> None:
        """Keep what an address says for everything on its origin; the keyring is asked about it by this address."""
        origin = addresses.origin(url)
        self._places.setdefault(origin, {})[addresses.without_credentials(url)] = None
        if addresses.credentials(url) is not None:
            self.of(url)

    def has_some(self, url: str) -> bool:
        """Whether something is known to log in with there."""
        origin = addresses.origin(url)
        return self._known.get(origin) is not None or self._kept.get((origin, "")) is not None

    def of(self, url: str) -> Login | None:
        """What to log in with there, as far as that is known by now; the keyring is not asked for it."""
        origin, named = addresses.origin(url), addresses.credentials(url)
        known = self._known.get(origin)
        if named is not None and (named[1] or known is None or known[0] != named[0]):
            self._known[origin] = known = _completed(named, addresses.host(url))
        elif origin not in self._known:
            self._known[origin] = known = ambient.login(addresses.host(url))
        user, password = known or ("", "")
        return known if password else self._kept.get((origin, user)) or known

    def others(self, url: str, refused: Login | None) -> bool:
        """Whether the keyring has something where this was refused; it is asked once for each origin and user."""
        user, password = refused or ("", "")
        if password or self.provider == "disabled" or (self.provider == "auto" and not user):
            return False
        origin = addresses.origin(url)
        with self._lock:
            if (origin, user) not in self._kept:
                services = (*self._places.get(origin, ()), addresses.authority(url))
                self._kept[origin, user] = ambient.keyring(services, user)
            return self._kept[origin, user] is not None


def _completed(named: Login, host: str) -> Login:
    """With the password that netrc has for a user who was named without one."""
    found = None if named[1] else ambient.login(host)
    return found if found is not None and found[0] == named[0] else named
