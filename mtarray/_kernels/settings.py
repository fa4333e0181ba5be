"""Settings that the engine follows: the upper floor sets them, and a module that is imported later finds the present value."""

import threading

_values = {}
_followers = {}
_lock = threading.RLock()


def set(name, value):
    """Give a setting a value; whoever follows it is called."""
    with _lock:
        _values[name] = value
        for follower in _followers.get(name, ()):
            follower(value)


def follow(name, follower):
    """Call `follower(value)` now, if the setting has been given a value, and at every change."""
    with _lock:
        _followers.setdefault(name, []).append(follower)
        if name in _values:
            follower(_values[name])
