# SPDX-License-Identifier: MIT
"""Rent blocks of memory from /dev/bufpool, or from a private pool.

    import bufpool

    with bufpool.Pool() as pool:
        with pool.rent(6000) as block:
            block.view[:5] = b"hello"
            file.readinto(block.view)

A block's memory is reached by a memoryview, without a copy, by whatever takes buffers.
While a view of it, a slice of that, or an array made from one is there, the block cannot
be returned: return_() and the end of a with statement raise BufferError, and the block
stays rented. So what a program keeps by mistake never becomes another's bytes. This
relies on CPython, which counts references.

A channel carries blocks from pool to pool, in whatever process:

    receive_end, send_end = pool.channel(16)
    send_end.send(block, used)
    for block, used, tag in receive_end:
        ...

What libbufpool(3) refuses raises OSError, with its errno.
"""

import collections
import ctypes
import ctypes.util
import errno
import os
import sys
import threading

PRIVATE = 0x1
ZERO = 0x1
NONBLOCK = 0x2
IO = 0x4
CLEAR = 0x1
REVOKE = 0x2
FOREVER = -1
_POLLER_IO = 0x1
_SEND_WHOLE = 0x2
_RECEIVE_MAP = 0x2

__all__ = [
    "Pool", "Block", "Message", "SendEnd", "ReceiveEnd",
    "PRIVATE", "ZERO", "NONBLOCK", "IO", "CLEAR", "REVOKE", "version"]

_POINTER = ctypes.c_void_p


class _Parcel(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t), ("block", _POINTER), ("used", ctypes.c_size_t),
        ("tag", ctypes.c_uint64), ("length", ctypes.c_size_t)]


def _load():
    name = os.environ.get("BUFPOOL_LIBRARY") or "libbufpool.so.0"
    library = ctypes.CDLL(name, use_errno=True)
    functions = {
        "bufpool_open": (_POINTER, [ctypes.c_char_p, ctypes.c_uint]),
        "bufpool_close": (ctypes.c_int, [_POINTER]),
        "bufpool_rent_timed": (
            _POINTER, [_POINTER, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int64]),
        "bufpool_return": (ctypes.c_int, [_POINTER, _POINTER, ctypes.c_uint]),
        "bufpool_block_size": (ctypes.c_size_t, [_POINTER, _POINTER]),
        "bufpool_trim": (
            ctypes.c_int, [_POINTER, ctypes.c_size_t, ctypes.POINTER(ctypes.c_uint64)]),
        "bufpool_cancel": (ctypes.c_int, [_POINTER, ctypes.c_int]),
        "bufpool_poller_for": (ctypes.c_int, [_POINTER, ctypes.c_size_t, ctypes.c_uint]),
        "bufpool_export": (ctypes.c_int, [_POINTER, _POINTER]),
        "bufpool_channel": (
            ctypes.c_int, [_POINTER, ctypes.c_uint, ctypes.POINTER(ctypes.c_int)]),
        "bufpool_send_timed": (
            ctypes.c_int,
            [_POINTER, ctypes.c_int, ctypes.POINTER(_Parcel), ctypes.c_uint, ctypes.c_int64]),
        "bufpool_receive_timed": (
            ctypes.c_int,
            [_POINTER, ctypes.c_int, ctypes.POINTER(_Parcel), ctypes.c_uint, ctypes.c_int64]),
        "bufpool_version": (ctypes.c_char_p, []),
        "bufpool_strerror": (ctypes.c_char_p, [ctypes.c_int]),
    }
    for function, (result, arguments) in functions.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


_library = _load()


def version():
    """The version of the library that is running."""
    return _library.bufpool_version().decode()


def _error(number):
    return OSError(number, _library.bufpool_strerror(number).decode())


def _check(result):
    if result < 0:
        raise _error(-result)
    return result


def _nanoseconds(timeout):
    return FOREVER if timeout is None else max(0, int(timeout * 1e9))


class Block:
    """A rented block; made by Pool.rent(), or received."""

    def __init__(self, pool, address, size):
        self._pool = pool
        self._address = address
        self.size = size
        self._memory = (ctypes.c_char * size).from_address(address)
        self._view = None
        self._lock = threading.Lock()
        self._own_references = sys.getrefcount(self._memory)

    @property
    def view(self):
        """All of the block, as a writable memoryview of bytes."""
        with self._lock:
            if self._address is None:
                raise ValueError("the block has been returned")
            if self._view is None:
                self._view = memoryview(self._memory).cast("B")
            return self._view

    def return_(self, flags=0):
        """Give the block back. BufferError: something views it still, and it stays rented;
        its own view is released all the same."""
        self._part(lambda address: _library.bufpool_return(
            self._pool._handle(), address, flags))

    def _part(self, give):
        """Have give() take the block, where nothing views it."""
        with self._lock:
            if self._address is None:
                raise _error(errno.ESTALE)
            if self._view is not None:
                self._view.release()
                self._view = None
            if sys.getrefcount(self._memory) > self._own_references:
                raise BufferError(
                    "a view of the block is in use: release it, then part with the block")
            _check(give(self._address))
            self._forget()

    def export(self):
        """A descriptor of the block as a dma-buf; to be closed."""
        with self._lock:
            if self._address is None:
                raise _error(errno.ESTALE)
            return _check(_library.bufpool_export(self._pool._handle(), self._address))

    def _forget(self):
        self._address = None
        self._memory = None
        self._pool._rented.discard(self)

    def __len__(self):
        return self.size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._address is not None:
            self.return_()


Message = collections.namedtuple("Message", "block used tag")


class _End:
    """A descriptor of a channel, for use with a pool: one that was inherited or received
    belongs to the object, as one of Pool.channel() does."""

    def __init__(self, pool, descriptor):
        self._pool = pool
        self._descriptor = descriptor

    def fileno(self):
        if self._descriptor is None:
            raise ValueError("the end is closed")
        return self._descriptor

    def close(self):
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SendEnd(_End):
    """Where blocks are sent."""

    def send(self, block, used=None, tag=0, whole=False, timeout=None):
        """Give a block away, with so many bytes in use, or all; what is beyond is zero for
        the receiver, unless whole is true. timeout: seconds to wait for room at most, or
        None. BufferError: something views the block still. Where this raises, the block
        stays rented."""
        flags = _SEND_WHOLE if whole else 0
        used = block.size if used is None else used
        block._part(lambda address: self._send(
            _Parcel(ctypes.sizeof(_Parcel), address, used, tag, 0), flags, timeout))

    def _send(self, parcel, flags, timeout):
        return _library.bufpool_send_timed(
            self._pool._handle(), self.fileno(), ctypes.byref(parcel), flags,
            _nanoseconds(timeout))


class ReceiveEnd(_End):
    """Where blocks are received: it iterates over messages, until no send end is left."""

    def receive(self, mapped=False, timeout=None):
        """The oldest Message, or None: the channel is empty and no send end is left. With
        mapped its block is mapped at once, rather than by its first touch. timeout: seconds
        to wait at most, or None."""
        flags = _RECEIVE_MAP if mapped else 0
        parcel = _Parcel(ctypes.sizeof(_Parcel))
        if not _check(_library.bufpool_receive_timed(
                self._pool._handle(), self.fileno(), ctypes.byref(parcel), flags,
                _nanoseconds(timeout))):
            return None
        block = self._pool._own(parcel.block, parcel.length)
        return Message(block, parcel.used, parcel.tag)

    def __iter__(self):
        return iter(self.receive, None)


class Pool:
    """A pool: the device's, or with PRIVATE one of this process alone."""

    def __init__(self, device=None, flags=0):
        name = None if device is None else os.fsencode(device)
        self._rented = set()
        self._pid = os.getpid()
        self._pool = _library.bufpool_open(name, flags)
        if not self._pool:
            raise _error(ctypes.get_errno())

    def _handle(self):
        if not self._pool:
            raise ValueError("the pool is closed")
        return self._pool

    def rent(self, min_size, flags=0, timeout=None):
        """A block of at least min_size bytes; with IO one that the kernel's I/O can use, as
        O_DIRECT does. timeout: seconds to wait at most, or None."""
        address = _library.bufpool_rent_timed(
            self._handle(), min_size, flags, _nanoseconds(timeout))
        if not address:
            raise _error(ctypes.get_errno())
        return self._own(address, _library.bufpool_block_size(self._pool, address))

    def _own(self, address, size):
        block = Block(self, address, size)
        self._rented.add(block)
        return block

    def channel(self, capacity):
        """A new channel with room for so many messages: its receive end, and its send end."""
        ends = (ctypes.c_int * 2)()
        _check(_library.bufpool_channel(self._handle(), capacity, ends))
        return ReceiveEnd(self, ends[0]), SendEnd(self, ends[1])

    def trim(self, min_size=0):
        """Give what is not rented to others. Returns bytes, at least."""
        trimmed = ctypes.c_uint64()
        _check(_library.bufpool_trim(self._handle(), min_size, ctypes.byref(trimmed)))
        return trimmed.value

    def cancel(self, on=True):
        """Let no rent wait, or let them again."""
        _check(_library.bufpool_cancel(self._handle(), int(on)))

    def poller(self, min_size, io=False):
        """A descriptor that polls readable while a rent would succeed, one with IO if io is
        true; to be closed."""
        flags = _POLLER_IO if io else 0
        return _check(_library.bufpool_poller_for(self._handle(), min_size, flags))

    def close(self):
        """Return every block and close. BufferError: a block is viewed still. A process that
        was forked has none of its blocks, and only frees what it has of the pool."""
        if not self._pool:
            return
        for block in list(self._rented):
            if os.getpid() == self._pid:
                block.return_()
            else:
                block._forget()
        _check(_library.bufpool_close(self._pool))
        self._pool = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
