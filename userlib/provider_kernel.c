// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "class.h"

static int call_device(struct bufpool_provider *provider, unsigned long command,
		       void *argument)
{
	int ret = ioctl(provider->file.fd, command, argument);

	return ret < 0 ? -errno : ret;
}

/* Of a kernel that does not tell */
static const struct bufpool_status calm;

static void kernel_map_status(struct bufpool_provider *provider,
			      const struct bufpool_info *info)
{
	void *page = MAP_FAILED;

	if (info->status_offset)
		page = mmap(NULL, info->page_size, PROT_READ, MAP_SHARED,
			    provider->file.fd, info->status_offset);
	provider->status = page == MAP_FAILED ? &calm : page;
	provider->waiting_by_class = info->features & BUFPOOL_FEATURE_WAITING_OF;
}

static int kernel_info(struct bufpool_provider *provider,
		       struct bufpool_info *info)
{
	*info = (struct bufpool_info){ .size = sizeof(*info) };
	return call_device(provider, BUFPOOL_IOC_INFO, info);
}

/* All classes of a kernel that does not describe them */
static int describe_by_number(struct bufpool_provider *provider,
			      struct bufpool_class_info *class)
{
	struct bufpool_info info = { .size = sizeof(info) };
	int ret = call_device(provider, BUFPOOL_IOC_INFO, &info);

	if (ret)
		return ret;
	class->block_size = (__u64)info.page_size << class->nr;
	/* where the program may not ask a newer kernel: others follow */
	class->backing = class->block_size <= info.max_rent ? BUFPOOL_BACKING_SLAB : ~0U;
	class->offset = class->nr * info.span;
	class->span = info.span;
	class->properties = class->block_size <= info.max_pooled ?
			    BUFPOOL_CLASS_POOLED : 0;
	return 0;
}

static int kernel_describe(struct bufpool_provider *provider,
			   struct bufpool_class_info *class)
{
	int ret = call_device(provider, BUFPOOL_IOC_CLASS, class);

	return ret == -ENOTTY ? describe_by_number(provider, class) : ret;
}

static void kernel_unmap_status(struct bufpool_provider *provider)
{
	if (provider->status != &calm)
		munmap((void *)provider->status, sysconf(_SC_PAGESIZE));
}

static int map_at(struct bufpool_provider *provider, void *address, size_t length,
		  __u64 offset)
{
	void *at;

	if (!bufpool_file_is_open(&provider->file))
		return -EBADF;
	at = mmap(address, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  provider->file.fd, offset);
	return at == MAP_FAILED ? -errno : 0;
}

static int kernel_map_stacks(struct bufpool_provider *provider, void *address,
			     unsigned int count, const struct bufpool_info *info)
{
	return map_at(provider, address, count * (size_t)info->page_size,
		      info->stacks_offset);
}

/*
 * Whether there is memory, by a call that reads it and changes nothing: where the
 * program itself touched it that would be SIGBUS.
 */
static bool is_there(const void *page)
{
	int saved = errno;
	bool ret;

	syscall(__NR_rt_sigprocmask, ~0, page, NULL, _NSIG / 8);
	ret = errno != EFAULT;
	errno = saved;
	return ret;
}

static int kernel_open_stack(struct bufpool_provider *provider, unsigned int nr)
{
	return is_there(bufpool_provider_stack(provider, nr)) ? 0 : -ENOMEM;
}

static int kernel_map(struct bufpool_provider *provider, void *address,
		      size_t length, __u64 offset)
{
	return map_at(provider, address, length, offset);
}

static int kernel_rent_many(struct bufpool_provider *provider, size_t min_size,
			    unsigned int flags, __s64 timeout_ns,
			    struct bufpool_block *blocks, unsigned int count)
{
	struct bufpool_rent_many rent = {
		.size = sizeof(rent),
		.flags = flags,
		.min_size = min_size,
		.timeout_ns = timeout_ns,
		.count = count,
		.blocks = (uintptr_t)blocks,
	};

	return call_device(provider, BUFPOOL_IOC_RENT_MANY, &rent);
}

static int kernel_return_many(struct bufpool_provider *provider,
			      const __u64 *handles, unsigned int count,
			      unsigned int flags)
{
	struct bufpool_return_many give = {
		.size = sizeof(give),
		.flags = flags,
		.handles = (uintptr_t)handles,
		.count = count,
	};

	return call_device(provider, BUFPOOL_IOC_RETURN_MANY, &give);
}

static int kernel_trim(struct bufpool_provider *provider, __u64 min_size,
		       __u64 *trimmed)
{
	struct bufpool_trim trim = {
		.size = sizeof(trim),
		.min_size = min_size,
	};
	int ret = call_device(provider, BUFPOOL_IOC_TRIM, &trim);

	*trimmed = trim.trimmed;
	return ret;
}

static int kernel_cancel(struct bufpool_provider *provider, bool is_cancelled,
			 bool is_free)
{
	struct bufpool_cancel cancel = {
		.size = sizeof(cancel),
		.flags = is_cancelled ? 0 : BUFPOOL_CANCEL_OFF,
	};

	(void)is_free;
	return call_device(provider, BUFPOOL_IOC_CANCEL, &cancel);
}

static int kernel_poller(struct bufpool_provider *provider,
			 const struct bufpool_class *class, unsigned int flags)
{
	struct bufpool_poller poller = {
		.size = sizeof(poller),
		.flags = flags,
		.min_size = class->block_size,
	};

	return call_device(provider, BUFPOOL_IOC_POLLER, &poller);
}

static int kernel_export(struct bufpool_provider *provider, __u64 handle)
{
	struct bufpool_export export = {
		.size = sizeof(export),
		.handle = handle,
	};

	return call_device(provider, BUFPOOL_IOC_EXPORT, &export);
}

static int kernel_channel(struct bufpool_provider *provider, unsigned int capacity,
			  int *ends)
{
	struct bufpool_channel channel = {
		.size = sizeof(channel),
		.capacity = capacity,
	};
	int ret = call_device(provider, BUFPOOL_IOC_CHANNEL, &channel);

	if (ret)
		return ret;
	ends[0] = channel.receive_fd;
	ends[1] = channel.send_fd;
	return 0;
}

static int kernel_send(struct bufpool_provider *provider, int end,
		       const struct bufpool_message *messages, unsigned int count,
		       unsigned int flags, __s64 timeout_ns)
{
	struct bufpool_send send = {
		.size = sizeof(send),
		.flags = flags,
		.fd = end,
		.count = count,
		.messages = (uintptr_t)messages,
		.timeout_ns = timeout_ns,
	};

	return call_device(provider, BUFPOOL_IOC_SEND, &send);
}

static int kernel_receive(struct bufpool_provider *provider, int end,
			  struct bufpool_message *messages, unsigned int count,
			  unsigned int flags, __s64 timeout_ns)
{
	struct bufpool_receive receive = {
		.size = sizeof(receive),
		.flags = flags,
		.fd = end,
		.count = count,
		.messages = (uintptr_t)messages,
		.timeout_ns = timeout_ns,
	};

	return call_device(provider, BUFPOOL_IOC_RECEIVE, &receive);
}

static int kernel_stats(struct bufpool_provider *provider,
			struct bufpool_stats *stats)
{
	*stats = (struct bufpool_stats){ .size = sizeof(*stats) };
	return call_device(provider, BUFPOOL_IOC_STATS, stats);
}

static void kernel_close(struct bufpool_provider *provider)
{
	bufpool_file_close(&provider->file);
}

static const struct bufpool_provider_ops kernel_ops = {
	.info = kernel_info,
	.map_status = kernel_map_status,
	.describe = kernel_describe,
	.map = kernel_map,
	.map_stacks = kernel_map_stacks,
	.open_stack = kernel_open_stack,
	.rent_many = kernel_rent_many,
	.return_many = kernel_return_many,
	.cancel = kernel_cancel,
	.poller = kernel_poller,
	.export = kernel_export,
	.channel = kernel_channel,
	.send = kernel_send,
	.receive = kernel_receive,
	.trim = kernel_trim,
	.stats = kernel_stats,
	.unmap_status = kernel_unmap_status,
	.close = kernel_close,
};

int bufpool_provider_kernel_init(struct bufpool_provider *provider, int fd)
{
	*provider = (struct bufpool_provider){
		.ops = &kernel_ops,
		.shared = true,
	};
	return bufpool_file_init(&provider->file, fd);
}
