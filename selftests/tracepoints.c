// SPDX-License-Identifier: MIT
/*
 * Each tracepoint reports what has happened, once.
 */
#include "channel.h"
#include "inside.h"
#include "outside.h"
#include "tracing.h"

#include <linux/capability.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define INSTANCE	TRACING "instances/bufpool_test/"
#define TRACE		INSTANCE "trace"

/*
 * To make an instance is to make the files of every event that the kernel has,
 * which takes long: the first test does it for all.
 */
static void remove_instance(void)
{
	rmdir(INSTANCE);
}

static void __attribute__((constructor)) remove_instance_at_the_end(void)
{
	remove_instance();
	atexit(remove_instance);
}

FIXTURE(traced)
{
	int fd;
	struct bufpool_info info;
};

/* A client keeps it warm when it is returned, as it does not larger ones. */
#define LARGE		largest_within(&self->info, 4 * MIB)

FIXTURE_SETUP(traced)
{
	if (access(TRACING "instances", W_OK))
		SKIP_FIXTURE("cannot trace: %s", strerror(errno));
	if (mkdir(INSTANCE, 0700))
		ASSERT_EQ(EEXIST, errno);
	ASSERT_TRUE(trace_forget(TRACE));
	ASSERT_EQ(0, write_text(INSTANCE "events/bufpool/enable", "1"));
	self->fd = pool_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pool_info(self->fd, &self->info));
}

FIXTURE_TEARDOWN(traced)
{
	write_text(INSTANCE "events/bufpool/enable", "0");
	close(self->fd);
	limit_restore();
}

/* As events say it of a block */
#define PLACE	"offset=0x%llx length=%llu"

/* How many lines of the trace have this in them. */
static int traced(const char *format, ...)
{
	char wanted[256];
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	return trace_count(TRACE, wanted);
}

TEST_F(traced, rent_and_return)
{
	__u64 size = fresh_class(&self->info);
	struct bufpool_rent rented;
	pid_t pid = getpid();

	if (!size)
		SKIP(return, "every class has slabs already");
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(1, traced("bufpool_rent: client=%d handle=0x%llx " PLACE " flags=\n",
			    pid, rented.handle, rented.offset, rented.length));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(1, traced("bufpool_return: client=%d handle=0x%llx " PLACE " flags=warm\n",
			    pid, rented.handle, rented.offset, rented.length));
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(1, traced("bufpool_rent: client=%d handle=0x%llx " PLACE " flags=warm|reused\n",
			    pid, rented.handle, rented.offset, rented.length));
	ASSERT_EQ(0, give_with(self->fd, rented.handle,
			       BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(1, traced("bufpool_return: client=%d handle=0x%llx " PLACE " flags=\n",
			    pid, rented.handle, rented.offset, rented.length));

	/* what a client leaves behind is returned too */
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	close(self->fd);
	EXPECT_EQ(1, traced("bufpool_return: client=%d handle=0x%llx ", pid,
			    rented.handle));
	EXPECT_EQ(3, traced(" bufpool_rent: "));
	EXPECT_EQ(3, traced(" bufpool_return: "));
	self->fd = -1;
}

TEST_F(traced, revoke_and_scrub)
{
	struct bufpool_rent rented;
	char *at = rent_mapped(self->fd, 64 * KIB, &rented);

	ASSERT_NE(NULL, at);
	at[0] = 1;
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, traced(" bufpool_revoke: "));
	ASSERT_EQ(0, rent(self->fd, 64 * KIB, &rented));
	ASSERT_EQ(0, give_with(self->fd, rented.handle,
			       BUFPOOL_RETURN_REVOKE));
	EXPECT_EQ(1, traced("bufpool_revoke: client=%d offset=0x%llx length=%llu\n",
			    getpid(), rented.offset, rented.length));
	EXPECT_TRUE(BECOMES(traced("bufpool_scrub: offset=0x%llx length=%llu\n",
				   rented.offset, rented.length) == 1));
	EXPECT_EQ(1, traced(" bufpool_scrub: "));
}

TEST_F(traced, quarantine_and_release)
{
	struct outsider outsider;
	struct bufpool_rent rented;

	ASSERT_NE(NULL, rent_shared(self->fd, 4 * PAGE, 'q', &rented, &outsider));
	EXPECT_EQ(0, traced(" bufpool_quarantine: "));
	ASSERT_EQ(0, give_up(self->fd, rented.handle));
	EXPECT_EQ(1, traced("bufpool_quarantine: uid=%u offset=0x%llx length=%llu exports=0\n",
			    geteuid(), rented.offset, rented.length));
	EXPECT_EQ(0, traced(" bufpool_release: "));
	outsider_end(&outsider);
	EXPECT_TRUE(BECOMES(traced("bufpool_release: uid=%u offset=0x%llx length=%llu exports=0\n",
				   geteuid(), rented.offset, rented.length) == 1));
	EXPECT_EQ(1, traced(" bufpool_quarantine: "));
	EXPECT_EQ(1, traced(" bufpool_release: "));
}

TEST_F(traced, send_and_receive)
{
	struct bufpool_message message;
	struct bufpool_rent rented;
	struct channel channel;
	__u64 nr;

	ASSERT_EQ(0, channel_make(self->fd, 1, &channel));
	nr = client_number(channel.sends, "channel");
	ASSERT_EQ(0, rent(self->fd, 4 * PAGE, &rented));
	ASSERT_EQ(0, send_with(self->fd, channel.sends, rented.handle, 100, 0xab, 0));
	EXPECT_EQ(1, traced("bufpool_send: client=%d channel=%llu " PLACE " used=100 tag=0xab\n",
			    getpid(), nr, rented.offset, rented.length));
	EXPECT_EQ(0, traced(" bufpool_receive: "));
	ASSERT_EQ(0, receive_one(self->fd, channel.receives, &message));
	EXPECT_EQ(1, traced("bufpool_receive: client=%d channel=%llu " PLACE " used=100 tag=0xab\n",
			    getpid(), nr, rented.offset, rented.length));
	/* neither is a rent, nor a return */
	EXPECT_EQ(1, traced(" bufpool_rent: "));
	EXPECT_EQ(0, traced(" bufpool_return: "));
	channel_end(&channel);
}

TEST_F(traced, slab_add_and_remove)
{
	const char *trim = "/sys/class/misc/bufpool/trim";
	__u64 size = LARGE;
	struct bufpool_rent rented;

	ASSERT_EQ(0, write_text(trim, "1"));
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(1, traced("bufpool_slab_add: offset=0x%llx bytes=%llu block_size=%llu\n",
			    rented.offset, size, size));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, traced("bufpool_slab_remove: offset=0x%llx ",
			    rented.offset));
	ASSERT_EQ(0, write_text(trim, "1"));
	EXPECT_EQ(1, traced("bufpool_slab_remove: offset=0x%llx bytes=%llu block_size=%llu\n",
			    rented.offset, size, size));
}

/* Whose a slab becomes, and that it is nobody's again. */
TEST_F(traced, charge_and_uncharge)
{
	const char *trim = "/sys/class/misc/bufpool/trim";
	__u64 size = LARGE, held;
	struct bufpool_rent rented;

	ASSERT_EQ(0, write_text(trim, "1"));
	held = stats_of(self->fd).user_held;
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(1, traced("bufpool_charge: uid=%u offset=0x%llx bytes=%llu pinned=%llu\n",
			    geteuid(), rented.offset, size, held + size));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, traced(" bufpool_uncharge: "));
	ASSERT_EQ(0, write_text(trim, "1"));
	EXPECT_EQ(1, traced("bufpool_uncharge: uid=%u offset=0x%llx bytes=%llu pinned=%llu\n",
			    geteuid(), rented.offset, size, held + size));
	EXPECT_EQ(1, traced(" bufpool_charge: "));
	EXPECT_EQ(1, traced(" bufpool_uncharge: "));
}

TEST_F(traced, steal)
{
	__u64 size = LARGE;
	struct bufpool_rent rented, stolen;
	int other = pool_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, limit_write(size));
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	ASSERT_EQ(0, rent(other, size, &stolen));
	EXPECT_EQ(rented.offset, stolen.offset);
	EXPECT_EQ(1, traced("bufpool_steal: client=%d offset=0x%llx length=%llu\n",
			    getpid(), rented.offset, rented.length));
	EXPECT_EQ(1, traced(" bufpool_steal: "));
}

TEST_F(traced, wait)
{
	struct queue queue = queue_in_vain(LARGE);
	struct bufpool_rent rented;
	pid_t child;

	ASSERT_EQ(0, limit_write(queue.size));
	ASSERT_EQ(0, rent(self->fd, queue.size, &rented));
	EXPECT_EQ(0, in_child(stand_in_line, &queue));
	EXPECT_EQ(1, traced("bufpool_wait: block_size=%llu waiting=1 uid=%u\n",
			    queue.size, geteuid()));
	EXPECT_EQ(1, traced("bufpool_wait_end: block_size=%llu result=%d waited_ns=",
			    queue.size, -ETIMEDOUT));

	queue.timeout_ns = 0;
	queue.expect = 0;
	child = spawn(stand_in_line, &queue);
	EXPECT_TRUE(class_number_becomes(queue.size, "waiting", 1));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, reap(child));
	EXPECT_EQ(1, traced("bufpool_serve: block_size=%llu task=%d\n",
			    queue.size, child));
	EXPECT_EQ(2, traced("bufpool_wait: block_size=%llu waiting=1 uid=%u\n",
			    queue.size, geteuid()));
	EXPECT_EQ(1, traced("bufpool_wait_end: block_size=%llu result=0 waited_ns=",
			    queue.size));
	EXPECT_EQ(1, traced("flags=reused|waited\n"));
	EXPECT_EQ(1, traced("flags=warm|reused\n"));
	EXPECT_EQ(1, traced("waited\n"));
}

TEST_F(traced, limit_hit_by_the_pool)
{
	__u64 size = LARGE;
	struct bufpool_rent rented;

	ASSERT_EQ(0, limit_write(size));
	ASSERT_EQ(0, rent(self->fd, size, &rented));
	EXPECT_EQ(0, traced(" bufpool_limit_hit: "));
	EXPECT_EQ(-EAGAIN, rent(self->fd, size, &rented));
	EXPECT_LT(0, traced("bufpool_limit_hit: bound=pool wanted=%llu held=%llu most=%llu\n",
			    size, size, size));
	EXPECT_EQ(0, traced("bound=quota"));
	EXPECT_EQ(0, traced("bound=ceiling"));
}

TEST_F(traced, limit_hit_by_the_ceiling)
{
	struct bufpool_rent rented;

	ASSERT_EQ(0, set_ceiling(self->fd, 3 * PAGE));
	ASSERT_EQ(0, rent(self->fd, 2 * PAGE, &rented));
	EXPECT_EQ(-EDQUOT, rent(self->fd, 2 * PAGE, &rented));
	EXPECT_EQ(1, traced("bufpool_limit_hit: bound=ceiling wanted=%llu held=%llu most=%llu\n",
			    2 * PAGE, 2 * PAGE, 3 * PAGE));
	EXPECT_EQ(1, traced(" bufpool_limit_hit: "));
}

/* Give up the capability that a quota does not bind. */
static int become_bound(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &=
		~CAP_TO_MASK(CAP_SYS_RESOURCE);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(traced, limit_hit_by_the_quota)
{
	__u64 quota = parameter_read("quota");
	struct bufpool_rent rented;
	int bound, ret;

	ASSERT_EQ(0, become_bound());
	bound = pool_open();
	ASSERT_LE(0, bound);
	ASSERT_EQ(0, parameter_write("quota", PAGE));
	ret = rent(bound, 2 * PAGE, &rented);
	ASSERT_EQ(0, parameter_write("quota", quota));
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_EQ(1, traced("bufpool_limit_hit: bound=quota wanted=%llu held=0 most=%llu\n",
			    2 * PAGE, PAGE));
}

TEST_F(traced, nothing_when_disabled)
{
	struct bufpool_rent rented;

	ASSERT_EQ(0, write_text(INSTANCE "events/bufpool/enable", "0"));
	ASSERT_TRUE(trace_forget(TRACE));
	ASSERT_EQ(0, rent(self->fd, 2 * PAGE, &rented));
	ASSERT_EQ(0, give(self->fd, rented.handle));
	EXPECT_EQ(0, traced("bufpool_"));
}

TEST_HARNESS_MAIN
