/* SPDX-License-Identifier: MIT */
/*
 * libbufpool for C++17: pools and blocks that give back what they have
 *
 *	bpool::pool pool;
 *	bpool::block block = pool.rent(6000);
 *	std::memcpy(block.data(), message, length);
 *	// it is returned here, or by an exception
 *
 * What fails throws std::system_error with the errno of bufpool.h, but for try_rent() and
 * rent_for(), whose block is empty then where nothing was free in time, and for
 * destructors, which throw nothing. A pool outlives its blocks.
 *
 * A channel carries blocks from pool to pool, in whatever process:
 *
 *	bpool::channel channel = pool.make_channel(16);
 *	channel.send.send(std::move(block), used);
 *	while (bpool::message message = channel.receive.receive())
 *		work(message.block.data(), message.used);
 *
 * A block that the kernel's I/O is to use is rented with BUFPOOL_RENT_IO, and where that
 * may still go on returned by reset(BUFPOOL_RETURN_REVOKE), see bufpool.h.
 */
#ifndef BUFPOOL_HPP
#define BUFPOOL_HPP

#include <bufpool.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#if __has_include(<span>)
#include <span>
#endif

#include <unistd.h>

namespace bpool {

[[noreturn]] inline void fail(int error, const char *call)
{
	throw std::system_error(error, std::generic_category(),
				std::string(call) + ": " + bufpool_strerror(error));
}

/* A rented block, or none. It can be moved, not copied. As size_t has it, in bytes */
class block {
public:
	block() noexcept = default;
	block(block &&other) noexcept { swap(other); }
	block &operator=(block &&other) noexcept
	{
		block(std::move(other)).swap(*this);
		return *this;
	}
	block(const block &) = delete;
	block &operator=(const block &) = delete;
	~block() { reset(); }

	/* One that was rented, or adopted, by the functions of bufpool.h */
	block(::bufpool *pool, void *data) noexcept : pool_(pool), data_(data) {}

	explicit operator bool() const noexcept { return data_; }
	std::byte *data() const noexcept { return static_cast<std::byte *>(data_); }
	std::size_t size() const noexcept
	{
		return data_ ? bufpool_block_size(pool_, data_) : 0;
	}
	std::byte *begin() const noexcept { return data(); }
	std::byte *end() const noexcept { return data() + size(); }
#ifdef __cpp_lib_span
	std::span<std::byte> span() const noexcept { return { data(), size() }; }
	operator std::span<std::byte>() const noexcept { return span(); }
#endif

	/* Give it back now, with BUFPOOL_RETURN_* bits. */
	void reset(unsigned int flags = 0) noexcept
	{
		if (data_)
			(void)bufpool_return(pool_, std::exchange(data_, nullptr), flags);
	}

	/* A descriptor of it as a dma-buf, which is the caller's, see bufpool_export() */
	int export_dmabuf() const
	{
		int ret = bufpool_export(pool_, data_);

		if (ret < 0)
			fail(-ret, "bufpool_export");
		return ret;
	}

	/* It is the caller's, to be given to bufpool_return(). */
	void *release() noexcept { return std::exchange(data_, nullptr); }

	void swap(block &other) noexcept
	{
		std::swap(pool_, other.pool_);
		std::swap(data_, other.data_);
	}

private:
	::bufpool *pool_ = nullptr;
	void *data_ = nullptr;
};

/* A block that was received, and what its sender said of it; or none: the end of all */
struct message {
	bpool::block block;
	std::size_t used = 0;
	std::uint64_t tag = 0;

	explicit operator bool() const noexcept { return bool(block); }
};

/* A descriptor of a channel for use with a pool, which outlives it; moved, not copied */
class channel_end {
public:
	channel_end() noexcept = default;
	channel_end(channel_end &&other) noexcept { swap(other); }
	channel_end &operator=(channel_end &&other) noexcept
	{
		channel_end(std::move(other)).swap(*this);
		return *this;
	}
	channel_end(const channel_end &) = delete;
	channel_end &operator=(const channel_end &) = delete;
	~channel_end() { close(); }

	explicit operator bool() const noexcept { return fd_ >= 0; }
	int fd() const noexcept { return fd_; }
	void close() noexcept
	{
		if (fd_ >= 0)
			(void)::close(std::exchange(fd_, -1));
	}

	/* It is the caller's, to be closed. */
	int release() noexcept { return std::exchange(fd_, -1); }

protected:
	/* One that was inherited or received, and is this object's now */
	channel_end(::bufpool *pool, int fd) noexcept : pool_(pool), fd_(fd) {}

	static std::int64_t left(std::chrono::nanoseconds time) noexcept
	{
		return time.count() < 0 ? 0 : time.count();
	}

	void swap(channel_end &other) noexcept
	{
		std::swap(pool_, other.pool_);
		std::swap(fd_, other.fd_);
	}

	::bufpool *pool_ = nullptr;
	int fd_ = -1;
};

/* Where blocks are sent */
class send_end : public channel_end {
public:
	send_end() noexcept = default;
	send_end(::bufpool *pool, int fd) noexcept : channel_end(pool, fd) {}

	/* Waits for room. @block is empty afterwards; but where this throws it is as before. */
	void send(block &&block, std::size_t used, std::uint64_t tag = 0, unsigned int flags = 0)
	{
		int ret = give(block, used, tag, flags, BUFPOOL_FOREVER);

		if (ret < 0)
			fail(-ret, "bufpool_send");
	}

	/* False where there was no room in time: then @block is as before. */
	bool send_for(std::chrono::nanoseconds time, block &&block, std::size_t used,
		      std::uint64_t tag = 0, unsigned int flags = 0)
	{
		int ret = give(block, used, tag, flags, left(time));

		if (ret < 0 && ret != -ETIMEDOUT && ret != -EAGAIN)
			fail(-ret, "bufpool_send_timed");
		return !ret;
	}

	/* Without waiting */
	bool try_send(block &&block, std::size_t used, std::uint64_t tag = 0,
		      unsigned int flags = 0)
	{
		return send_for(std::chrono::nanoseconds(0), std::move(block), used, tag, flags);
	}

private:
	int give(block &block, std::size_t used, std::uint64_t tag, unsigned int flags,
		 std::int64_t timeout_ns)
	{
		struct bufpool_parcel parcel = {};
		int ret;

		parcel.size = sizeof(parcel);
		parcel.block = block.data();
		parcel.used = used;
		parcel.tag = tag;
		ret = bufpool_send_timed(pool_, fd_, &parcel, flags, timeout_ns);
		if (!ret)
			(void)block.release();
		return ret;
	}
};

/* Where they are received */
class receive_end : public channel_end {
public:
	receive_end() noexcept = default;
	receive_end(::bufpool *pool, int fd) noexcept : channel_end(pool, fd) {}

	/* Waits for a message; one without a block is the end: no send end is left. */
	message receive(unsigned int flags = 0)
	{
		return std::move(*take(flags, BUFPOOL_FOREVER));
	}

	/* Nothing where no message came in time */
	std::optional<message> receive_for(std::chrono::nanoseconds time, unsigned int flags = 0)
	{
		return take(flags, left(time));
	}

	/* Without waiting */
	std::optional<message> try_receive(unsigned int flags = 0)
	{
		return receive_for(std::chrono::nanoseconds(0), flags);
	}

private:
	std::optional<message> take(unsigned int flags, std::int64_t timeout_ns)
	{
		struct bufpool_parcel parcel = {};
		int ret;

		parcel.size = sizeof(parcel);
		ret = bufpool_receive_timed(pool_, fd_, &parcel, flags, timeout_ns);
		if ((ret == -ETIMEDOUT || ret == -EAGAIN) && timeout_ns != BUFPOOL_FOREVER)
			return std::nullopt;
		if (ret < 0)
			fail(-ret, "bufpool_receive");
		if (!ret)
			return message();
		return message{ block(pool_, parcel.block), parcel.used, parcel.tag };
	}
};

/* Both ends of a new channel */
struct channel {
	receive_end receive;
	send_end send;
};

/* A pool. It can be moved, not copied; its blocks do not notice. */
class pool {
public:
	explicit pool(const char *device = nullptr, unsigned int flags = 0)
		: pool_(bufpool_open(device, flags))
	{
		if (!pool_)
			fail(errno, "bufpool_open");
	}
	explicit pool(::bufpool *opened) noexcept : pool_(opened) {}
	pool(pool &&other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
	pool &operator=(pool &&other) noexcept
	{
		std::swap(pool_, other.pool_);
		return *this;
	}
	pool(const pool &) = delete;
	pool &operator=(const pool &) = delete;
	~pool()
	{
		if (pool_)
			(void)bufpool_close(pool_);
	}

	::bufpool *get() const noexcept { return pool_; }

	block rent(std::size_t min_size, unsigned int flags = 0)
	{
		void *data = flags ? bufpool_rent(pool_, min_size, flags) :
				     bufpool_rent_plain(pool_, min_size);

		if (!data)
			fail(errno, "bufpool_rent");
		return block(pool_, data);
	}

	/* Without waiting; empty where nothing is free */
	block try_rent(std::size_t min_size, unsigned int flags = 0)
	{
		return rent_for(min_size, std::chrono::nanoseconds(0), flags);
	}

	/* Empty where nothing was free in time */
	block rent_for(std::size_t min_size, std::chrono::nanoseconds time,
		       unsigned int flags = 0)
	{
		std::chrono::nanoseconds::rep left = time.count() < 0 ? 0 : time.count();
		void *data = bufpool_rent_timed(pool_, min_size, flags, left);

		if (!data && errno != ETIMEDOUT && errno != EAGAIN)
			fail(errno, "bufpool_rent_timed");
		return block(pool_, data);
	}

	/* A channel that has room for so many messages, with ends for use with this pool */
	channel make_channel(unsigned int capacity)
	{
		int ends[2];

		check(bufpool_channel(pool_, capacity, ends), "bufpool_channel");
		return { receive_end(pool_, ends[0]), send_end(pool_, ends[1]) };
	}

	void trim(std::size_t min_size = 0)
	{
		check(bufpool_trim(pool_, min_size, nullptr), "bufpool_trim");
	}

	struct bufpool_info info() const
	{
		struct bufpool_info info = {};

		info.size = sizeof(info);
		check(::bufpool_info(pool_, &info), "bufpool_info");
		return info;
	}

private:
	static void check(int ret, const char *call)
	{
		if (ret < 0)
			fail(-ret, call);
	}

	::bufpool *pool_;
};

/*
 * Memory for containers of std::pmr, each allocation a block of its own; what is larger
 * than any block, or aligned to more, is had from @upstream. It outlives what it gave.
 */
class resource : public std::pmr::memory_resource {
public:
	explicit resource(pool &from, std::pmr::memory_resource *upstream =
						std::pmr::get_default_resource())
		: pool_(from.get()), max_(from.info().max_rent), upstream_(upstream)
	{
	}

private:
	bool is_block(std::size_t bytes, std::size_t alignment) const noexcept
	{
		return bytes <= max_ && alignment <= 4096;
	}

	void *do_allocate(std::size_t bytes, std::size_t alignment) override
	{
		void *data;

		if (!is_block(bytes, alignment))
			return upstream_->allocate(bytes, alignment);
		data = bufpool_rent_plain(pool_, bytes ? bytes : 1);
		if (!data)
			throw std::bad_alloc();
		return data;
	}

	void do_deallocate(void *data, std::size_t bytes, std::size_t alignment) override
	{
		if (is_block(bytes, alignment))
			(void)bufpool_return_plain(pool_, data);
		else
			upstream_->deallocate(data, bytes, alignment);
	}

	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		return this == &other;
	}

	::bufpool *pool_;
	std::size_t max_;
	std::pmr::memory_resource *upstream_;
};

} // namespace bpool

#endif // BUFPOOL_HPP
