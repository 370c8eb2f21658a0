#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pipeline - copy standard input to standard output, with a reader and a writer that pass
blocks: what one thread has rented the other returns"""

import queue
import sys
import threading

import bufpool

CHUNK = 65536
PLACES = 8


def write_all(chunks):
    for block, length in iter(chunks.get, None):
        with block, block.view[:length] as part:
            sys.stdout.buffer.write(part)


def read_all(pool, chunks):
    while True:
        block = pool.rent(CHUNK)
        length = sys.stdin.buffer.readinto(block.view)
        if not length:
            break
        chunks.put((block, length))
    block.return_()
    chunks.put(None)


with bufpool.Pool() as source:
    line = queue.Queue(PLACES)
    writer = threading.Thread(target=write_all, args=(line,))
    writer.start()
    read_all(source, line)
    writer.join()
    sys.stdout.flush()
