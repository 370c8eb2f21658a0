// SPDX-License-Identifier: MIT
/*
 * pipeline - copy standard input to standard output, with a reader and a writer that pass
 * blocks: what one thread has rented the other returns
 */
#include <bufpool.hpp>

#include <condition_variable>
#include <deque>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace {

constexpr std::size_t chunk_size = 65536;
constexpr std::size_t places = 8;

struct chunk {
	bpool::block block;	/* empty: there are no more */
	std::size_t length;
};

/* A few chunks, in order */
class line {
public:
	void put(chunk next)
	{
		std::unique_lock<std::mutex> lock(mutex_);

		changed_.wait(lock, [this] { return chunks_.size() < places; });
		chunks_.push_back(std::move(next));
		changed_.notify_one();
	}

	chunk take()
	{
		std::unique_lock<std::mutex> lock(mutex_);

		changed_.wait(lock, [this] { return !chunks_.empty(); });
		chunk next = std::move(chunks_.front());
		chunks_.pop_front();
		changed_.notify_one();
		return next;
	}

private:
	std::mutex mutex_;
	std::condition_variable changed_;
	std::deque<chunk> chunks_;
};

void write_all(line &from)
{
	for (chunk next = from.take(); next.block; next = from.take())
		for (std::size_t done = 0; done < next.length;) {
			ssize_t n = write(STDOUT_FILENO, next.block.data() + done,
					  next.length - done);

			if (n < 0)
				throw std::runtime_error("write");
			done += n;
		}
}

void read_all(bpool::pool &pool, line &to)
{
	for (;;) {
		bpool::block block = pool.rent(chunk_size);
		ssize_t n = read(STDIN_FILENO, block.data(), chunk_size);

		if (n < 0)
			throw std::runtime_error("read");
		if (!n)
			break;
		to.put({ std::move(block), static_cast<std::size_t>(n) });
	}
	to.put({});
}

} // namespace

int main()
try {
	bpool::pool pool;
	line chunks;
	std::thread writer(write_all, std::ref(chunks));

	read_all(pool, chunks);
	writer.join();
	return 0;
} catch (const std::exception &error) {
	std::cerr << "pipeline: " << error.what() << '\n';
	return 1;
}
