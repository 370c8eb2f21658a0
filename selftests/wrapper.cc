// SPDX-License-Identifier: MIT
/*
 * bufpool.hpp: blocks give back what they have, whatever becomes of them.
 */
#include <bufpool.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

static void check(bool is_true, const char *what)
{
	if (is_true)
		return;
	std::fprintf(stderr, "wrapper: not true: %s\n", what);
	std::exit(1);
}

#define CHECK(condition)	check(condition, #condition)

static unsigned long long held(bpool::pool &pool)
{
	struct bufpool_stats stats = {};

	stats.size = sizeof(stats);
	pool.trim();
	CHECK(!bufpool_stats(pool.get(), &stats));
	return stats.client_blocks;
}

static int error_of(bpool::pool &pool, std::size_t size, unsigned int flags)
{
	try {
		bpool::block block = pool.rent(size, flags);
	} catch (const std::system_error &error) {
		return error.code().value();
	}
	return 0;
}

static void test_blocks(bpool::pool &pool)
{
	bpool::block first = pool.rent(6000), second;

	CHECK(first && !second && first.size() == 8192 && second.size() == 0);
	std::memset(first.data(), 1, first.size());
	CHECK(first.end() - first.begin() == 8192);
	second = std::move(first);
	CHECK(second && !first && held(pool) == 1);
	second = pool.rent(1);
	CHECK(held(pool) == 1);
	second.reset(BUFPOOL_RETURN_CLEAR);
	CHECK(!second && held(pool) == 0);
	first = pool.rent(1);
	bpool::block adopted(pool.get(), first.release());
	CHECK(!first && held(pool) == 1);
#ifdef __cpp_lib_span
	CHECK(adopted.span().size() == adopted.size());
#endif
}

static int export_error(const bpool::block &block)
{
	try {
		(void)block.export_dmabuf();
	} catch (const std::system_error &error) {
		return error.code().value();
	}
	return 0;
}

static void test_io(bpool::pool &pool)
{
	bpool::block block = pool.rent(6000, BUFPOOL_RENT_IO), large = pool.rent(5 << 20, BUFPOOL_RENT_IO);

	CHECK(block.size() == 8192 && large.size() == 8 << 20);
	CHECK(reinterpret_cast<std::uintptr_t>(large.data()) % (2 << 20) == 0);
	std::memset(large.data(), 1, large.size());
	CHECK(bool(pool.try_rent(1, BUFPOOL_RENT_IO)));
	CHECK(error_of(pool, (64 << 20) + 1, BUFPOOL_RENT_IO) == EMSGSIZE);
	CHECK(error_of(pool, 5 << 20, 0) == EMSGSIZE);
	CHECK(pool.info().max_rent_io == 64 << 20);
	/* a private pool has no dma-bufs */
	CHECK(export_error(block) == EOPNOTSUPP);
	CHECK(export_error(bpool::block()) == EINVAL);
	block.reset(BUFPOOL_RETURN_REVOKE);
	large.reset();
	CHECK(held(pool) == 0);
}

static void test_exceptions(bpool::pool &pool)
{
	try {
		bpool::block block = pool.rent(1);

		throw 1;
	} catch (int) {
	}
	CHECK(held(pool) == 0);
	CHECK(error_of(pool, 0, 0) == EINVAL);
	CHECK(error_of(pool, std::size_t(1) << 30, 0) == EMSGSIZE);
	CHECK(error_of(pool, 1, 1U << 31) == EINVAL);
}

static void test_waiting(bpool::pool &pool)
{
	std::vector<bpool::block> all;

	for (;;) {
		bpool::block block = pool.try_rent(1 << 20);

		if (!block)
			break;
		all.push_back(std::move(block));
	}
	CHECK(all.size() > 3);
	CHECK(!pool.rent_for(1 << 20, std::chrono::milliseconds(1)));
	CHECK(!pool.rent_for(1 << 20, std::chrono::milliseconds(-1)));
	all.pop_back();
	CHECK(bool(pool.rent_for(1 << 20, std::chrono::seconds(1))));
}

static void test_resource(bpool::pool &pool)
{
	bpool::resource resource(pool);
	bpool::resource same(pool);

	{
		std::pmr::vector<int> numbers(&resource);

		for (int i = 0; i < 100000; i++)
			numbers.push_back(i);
		CHECK(numbers[99999] == 99999 && held(pool) == 1);
		numbers.resize(5000000);
		CHECK(held(pool) == 0);
	}
	CHECK(resource == resource && resource != same);
}

static int channel_error(bpool::pool &pool)
{
	try {
		(void)pool.make_channel(1);
	} catch (const std::system_error &error) {
		return error.code().value();
	}
	return 0;
}

/* What a descriptor says that is no channel's, and that the block stays */
static int send_error(bpool::send_end &end, bpool::block &block)
{
	try {
		end.send(std::move(block), 1);
	} catch (const std::system_error &error) {
		return error.code().value();
	}
	return 0;
}

static int receive_error(bpool::receive_end &end)
{
	try {
		(void)end.receive();
	} catch (const std::system_error &error) {
		return error.code().value();
	}
	return 0;
}

static void test_ends(bpool::pool &pool)
{
	bpool::block block = pool.rent(1);
	bpool::receive_end none;

	/* a private pool has none */
	CHECK(channel_error(pool) == EOPNOTSUPP);
	CHECK(!none && none.fd() == -1);
	int fds[2], copy;

	CHECK(!pipe(fds));
	{
		bpool::receive_end receive(pool.get(), fds[0]);
		bpool::send_end first(pool.get(), fds[1]), send(std::move(first));

		CHECK(receive && send && !first && send.fd() == fds[1]);
		CHECK(send_error(send, block) == EOPNOTSUPP && block);
		CHECK(receive_error(receive) == EOPNOTSUPP);
		copy = receive.release();
		CHECK(copy == fds[0] && !receive);
	}
	CHECK(!close(copy) && close(fds[1]) == -1);
	CHECK(held(pool) == 1);
}

/* Of the device, where there is one */
static void test_channels()
{
	bpool::pool sender("/dev/bufpool"), receiver("/dev/bufpool");
	bpool::channel channel = sender.make_channel(2);
	bpool::receive_end end(receiver.get(), channel.receive.release());

	CHECK(!end.try_receive());
	for (int i = 0; i < 3; i++) {
		bpool::block block = sender.rent(100);
		bool fits = i < 2;

		std::memset(block.data(), i + 1, block.size());
		CHECK(channel.send.try_send(std::move(block), 10, i) == fits);
		CHECK(bool(block) == !fits);
	}
	for (int i = 0; i < 2; i++) {
		bpool::message message = end.receive();

		CHECK(message && message.used == 10 && message.tag == std::uint64_t(i));
		CHECK(message.block.data()[9] == std::byte(i + 1));
		CHECK(message.block.data()[10] == std::byte(0));
	}
	CHECK(!end.receive_for(std::chrono::milliseconds(1)));
	channel.send.close();
	std::optional<bpool::message> last = end.try_receive();
	CHECK(last && !*last && !end.receive());
	CHECK(held(sender) == 0 && held(receiver) == 0);
}

int main()
{
	if (!access("/dev/bufpool", R_OK | W_OK))
		test_channels();
	setenv("BUFPOOL_PRIVATE_LIMIT", "16M", 1);
	bpool::pool first(nullptr, BUFPOOL_OPEN_PRIVATE), pool = std::move(first);

	test_blocks(pool);
	test_exceptions(pool);
	test_io(pool);
	test_waiting(pool);
	test_resource(pool);
	test_ends(pool);
	CHECK(held(pool) == 0);
	try {
		bpool::pool none("/dev/null");
		CHECK(false);
	} catch (const std::system_error &error) {
		CHECK(error.code().value() == ENOTTY);
	}
	return 0;
}
