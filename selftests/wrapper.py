# SPDX-License-Identifier: MIT
"""bufpool.py: blocks are viewed without copies, and never beyond their return."""

import errno
import os
import select
import threading
import unittest

import bufpool


class Blocks(unittest.TestCase):
    def setUp(self):
        os.environ["BUFPOOL_PRIVATE_LIMIT"] = "16M"
        self.pool = bufpool.Pool(flags=bufpool.PRIVATE)

    def tearDown(self):
        self.pool.close()

    def refused(self, error, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(error, caught.exception.errno)

    def test_a_view_is_the_memory(self):
        with self.pool.rent(6000) as block:
            self.assertEqual(8192, len(block))
            block.view[:5] = b"hello"
            self.assertEqual(b"hello", bytes(block.view[:5]))
            address = block._address
        with self.pool.rent(6000) as block:
            self.assertEqual(address, block._address)

    def test_refusals(self):
        self.refused(errno.EINVAL, self.pool.rent, 0)
        self.refused(errno.EMSGSIZE, self.pool.rent, 1 << 40)
        self.refused(errno.EINVAL, self.pool.rent, 1, 1 << 29)
        self.refused(errno.ENOTTY, bufpool.Pool, "/dev/null")

    def test_blocks_for_io(self):
        self.assertNotIn(bufpool.IO, (bufpool.ZERO, bufpool.NONBLOCK))
        with self.pool.rent(5 << 20, bufpool.IO) as block:
            self.assertEqual(8 << 20, len(block))
            self.assertEqual(0, block._address % (2 << 20))
            block.view[-3:] = b"end"
            self.refused(errno.EOPNOTSUPP, block.export)
        self.refused(errno.ESTALE, block.export)
        self.refused(errno.EMSGSIZE, self.pool.rent, 5 << 20)
        self.refused(errno.EMSGSIZE, self.pool.rent, (64 << 20) + 1, bufpool.IO)
        self.refused(errno.EDQUOT, self.pool.rent, 64 << 20, bufpool.IO)
        with self.pool.rent(100, bufpool.IO | bufpool.ZERO) as block:
            self.assertEqual(b"\0" * 100, bytes(block.view[:100]))
        self.refused(errno.EMSGSIZE, self.pool.poller, 8 << 20)
        descriptor = self.pool.poller(8 << 20, io=True)
        self.assertEqual([descriptor], select.select([descriptor], [], [], 0)[0])
        with self.pool.rent(12 << 20, bufpool.IO):
            self.assertEqual([], select.select([descriptor], [], [], 0)[0])
        os.close(descriptor)

    def test_a_slice_keeps_the_block(self):
        block = self.pool.rent(100)
        view = block.view
        part = view[10:20]
        self.assertRaises(BufferError, block.return_)
        part[:3] = b"abc"
        other = self.pool.rent(100)
        other.view[:] = b"x" * len(other)
        self.assertEqual(b"abc", bytes(part[:3]))
        part.release()
        block.return_()
        with self.assertRaises(ValueError):
            view[0]
        with self.assertRaises(ValueError):
            block.view
        self.refused(errno.ESTALE, block.return_)
        other.return_()

    def test_what_views_a_view_keeps_the_block(self):
        for make in (memoryview, lambda view: view.cast("I"), lambda view: view[1:][1:]):
            block = self.pool.rent(100)
            kept = make(block.view)
            self.assertRaises(BufferError, block.return_)
            self.assertRaises(BufferError, self.pool.close)
            kept.release()
            block.return_()

    def test_time_limits(self):
        blocks = []
        with self.assertRaises(OSError) as caught:
            while True:
                blocks.append(self.pool.rent(1 << 20, bufpool.NONBLOCK))
        self.assertEqual(errno.EAGAIN, caught.exception.errno)
        self.refused(errno.ETIMEDOUT, self.pool.rent, 1 << 20, 0, 0)
        self.refused(errno.ETIMEDOUT, self.pool.rent, 1 << 20, 0, 0.001)
        descriptor = self.pool.poller(1 << 20)
        self.assertEqual([], select.select([descriptor], [], [], 0)[0])
        blocks.pop().return_()
        self.assertEqual([descriptor], select.select([descriptor], [], [], 0)[0])
        os.close(descriptor)
        self.pool.rent(1 << 20).return_()
        self.pool.cancel()
        self.pool.rent(1 << 20)
        self.refused(errno.ECANCELED, self.pool.rent, 1 << 20)
        self.pool.cancel(False)

    def test_close_returns_all(self):
        block = self.pool.rent(1)
        self.pool.close()
        self.pool.close()
        self.assertRaises(ValueError, self.pool.rent, 1)
        with self.assertRaises(ValueError):
            block.view


class Ends(unittest.TestCase):
    """What is the wrapper's own of channels, which a private pool has none of"""

    def setUp(self):
        self.pool = bufpool.Pool(flags=bufpool.PRIVATE)
        self.descriptors = os.pipe()

    def tearDown(self):
        self.pool.close()

    def refused(self, error, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(error, caught.exception.errno)

    def test_private_pools_have_none(self):
        self.refused(errno.EOPNOTSUPP, self.pool.channel, 1)
        block = self.pool.rent(100)
        block.view[:3] = b"abc"
        with bufpool.ReceiveEnd(self.pool, self.descriptors[0]) as receive_end:
            self.assertEqual(self.descriptors[0], receive_end.fileno())
            self.refused(errno.EOPNOTSUPP, receive_end.receive)
            self.refused(errno.EOPNOTSUPP, next, iter(receive_end))
        with bufpool.SendEnd(self.pool, self.descriptors[1]) as send_end:
            self.refused(errno.EOPNOTSUPP, send_end.send, block)
            part = block.view[:3]
            self.assertRaises(BufferError, send_end.send, block, 3)
            self.assertEqual(b"abc", bytes(part))
            part.release()
            block.return_()
            self.refused(errno.ESTALE, send_end.send, block)
        for end in (receive_end, send_end):
            end.close()
            self.assertRaises(ValueError, end.fileno)
        for descriptor in self.descriptors:
            self.refused(errno.EBADF, os.close, descriptor)


@unittest.skipUnless(os.access("/dev/bufpool", os.R_OK | os.W_OK), "there is no device")
class Channels(unittest.TestCase):
    """Blocks that go from pool to pool"""

    def setUp(self):
        self.sender = bufpool.Pool("/dev/bufpool")
        self.receiver = bufpool.Pool("/dev/bufpool")
        receive_end, self.send_end = self.sender.channel(2)
        self.receive_end = bufpool.ReceiveEnd(self.receiver, os.dup(receive_end.fileno()))
        receive_end.close()

    def tearDown(self):
        self.send_end.close()
        self.receive_end.close()
        self.sender.close()
        self.receiver.close()

    def timed_out(self, call, *arguments, **keywords):
        with self.assertRaises(OSError) as caught:
            call(*arguments, **keywords)
        self.assertEqual(errno.ETIMEDOUT, caught.exception.errno)

    def test_messages_arrive(self):
        for tag in range(3):
            block = self.sender.rent(100)
            block.view[:4] = b"abcd"
            if tag < 2:
                self.send_end.send(block, 3, tag)
                with self.assertRaises(ValueError):
                    block.view
            else:
                self.timed_out(self.send_end.send, block, timeout=0)
                self.timed_out(self.send_end.send, block, timeout=0.001)
                block.return_()
        self.send_end.close()
        tags = []
        for block, used, tag in self.receive_end:
            with block, block.view[:used + 1] as part:
                self.assertEqual(b"abc\0", bytes(part))
            tags.append(tag)
        self.assertEqual([0, 1], tags)
        self.assertIsNone(self.receive_end.receive())

    def test_a_thread_waits(self):
        messages = []
        receiver = threading.Thread(target=messages.extend, args=(self.receive_end,))
        receiver.start()
        for tag in range(100):
            block = self.sender.rent(1)
            block.view[:] = bytes([tag]) * len(block)
            self.send_end.send(block, 1, tag, whole=True)
        self.send_end.close()
        receiver.join()
        self.assertEqual(list(range(100)), [message.tag for message in messages])
        for message in messages:
            self.assertEqual(1, message.used)
            self.assertEqual(message.tag, message.block.view[-1])
        self.assertEqual([], list(self.receive_end))

    def test_time_limits(self):
        self.timed_out(self.receive_end.receive, timeout=0)
        self.timed_out(self.receive_end.receive, timeout=0.001)


class Processes(unittest.TestCase):
    """What a process that was forked does with what it inherits"""

    def test_a_child_closes(self):
        pool = bufpool.Pool(flags=bufpool.PRIVATE)
        block = pool.rent(100)
        pid = os.fork()
        if pid == 0:
            try:
                pool.close()
            except BaseException:
                os._exit(1)
            os._exit(0)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        block.view[:1] = b"x"
        pool.close()


class Threads(unittest.TestCase):
    """A block that one thread returns while another looks at it"""

    def test_nobody_views_what_was_returned(self):
        with bufpool.Pool(flags=bufpool.PRIVATE) as pool:
            for _ in range(200):
                block = pool.rent(100)
                views = []
                looker = threading.Thread(target=look, args=(block, views))
                looker.start()
                try:
                    block.return_()
                    returned = True
                except BufferError:
                    returned = False
                looker.join()
                self.assertFalse(returned and views)
                views.clear()
                if not returned:
                    block.return_()


def look(block, views):
    """Keep a slice of the block's view, if it has one still."""
    try:
        views.append(block.view[:1])
    except ValueError:
        pass


if __name__ == "__main__":
    unittest.main()
