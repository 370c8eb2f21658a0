// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests only: a device that writes to memory some time after it was told to, whatever
 * its program does meanwhile, as disks and cards do.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include "bufpool_late.h"

/* What MODULE_IMPORT_NS() makes takes its argument in two ways. */
MODULE_INFO(import_ns, "DMA_BUF");

#ifndef HAVE_DMA_BUF_UNLOCKED
#define dma_buf_vmap_unlocked dma_buf_vmap
#define dma_buf_vunmap_unlocked dma_buf_vunmap
#define dma_buf_map_attachment_unlocked dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked dma_buf_unmap_attachment
#endif

struct late {
	struct delayed_work work;
	u64 stamp;
	struct page *page;
	unsigned int in_page;
	struct dma_buf *buf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	struct iosys_map map;
};

static struct workqueue_struct *wq;
static atomic_t pending = ATOMIC_INIT(0);
static struct miscdevice late_device;

static void end_dmabuf(struct late *late)
{
	if (late->map.vaddr)
		dma_buf_vunmap_unlocked(late->buf, &late->map);
	if (!IS_ERR_OR_NULL(late->table))
		dma_buf_unmap_attachment_unlocked(late->attachment, late->table,
						  DMA_BIDIRECTIONAL);
	if (!IS_ERR_OR_NULL(late->attachment))
		dma_buf_detach(late->buf, late->attachment);
	if (!IS_ERR_OR_NULL(late->buf))
		dma_buf_put(late->buf);
}

static void write_dmabuf(struct late *late)
{
	u64 *words = late->map.vaddr;

	dma_buf_begin_cpu_access(late->buf, DMA_BIDIRECTIONAL);
	words[0] = late->stamp;
	words[late->buf->size / sizeof(*words) - 1] = late->stamp;
	dma_buf_end_cpu_access(late->buf, DMA_BIDIRECTIONAL);
	end_dmabuf(late);
}

static void write_page(struct late *late)
{
	*(u64 *)(page_address(late->page) + late->in_page) = late->stamp;
	unpin_user_pages_dirty_lock(&late->page, 1, true);
}

static void late_work(struct work_struct *work)
{
	struct late *late = container_of(to_delayed_work(work), struct late, work);

	if (late->buf)
		write_dmabuf(late);
	else
		write_page(late);
	kfree(late);
	if (atomic_dec_and_test(&pending))
		wake_up_var(&pending);
}

static int begin_page(struct late *late, u64 at)
{
	int nr = pin_user_pages_fast(at, 1, FOLL_WRITE | FOLL_LONGTERM, &late->page);

	late->in_page = at & ~PAGE_MASK & ~(sizeof(late->stamp) - 1);
	return nr < 0 ? nr : 0;
}

/* Whether a device is told of all of a dma-buf's memory. */
static bool table_is_whole(const struct late *late)
{
	struct scatterlist *piece;
	size_t bytes = 0;
	int i;

	for_each_sgtable_sg(late->table, piece, i)
		bytes += piece->length;
	return bytes == late->buf->size;
}

static int try_dmabuf(struct late *late, int fd)
{
	late->buf = dma_buf_get(fd);
	if (IS_ERR(late->buf))
		return PTR_ERR(late->buf);
	late->attachment = dma_buf_attach(late->buf, late_device.this_device);
	if (IS_ERR(late->attachment))
		return PTR_ERR(late->attachment);
	late->table = dma_buf_map_attachment_unlocked(late->attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(late->table))
		return PTR_ERR(late->table);
	if (!table_is_whole(late))
		return -EIO;
	return dma_buf_vmap_unlocked(late->buf, &late->map);
}

static int begin_dmabuf(struct late *late, int fd)
{
	int err = try_dmabuf(late, fd);

	if (err)
		end_dmabuf(late);
	return err;
}

static int begin(const struct bufpool_late_write *write)
{
	struct late *late = kzalloc(sizeof(*late), GFP_KERNEL);
	int err;

	if (!late)
		return -ENOMEM;
	late->stamp = write->stamp;
	INIT_DELAYED_WORK(&late->work, late_work);
	err = write->at ? begin_page(late, write->at) : begin_dmabuf(late, write->dmabuf);
	if (err) {
		kfree(late);
		return err;
	}
	atomic_inc(&pending);
	queue_delayed_work(wq, &late->work, msecs_to_jiffies(write->delay_ms));
	return 0;
}

static long late_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bufpool_late_write write;

	if (cmd != BUFPOOL_LATE_WRITE)
		return -ENOTTY;
	if (copy_from_user(&write, (void __user *)arg, sizeof(write)))
		return -EFAULT;
	return begin(&write);
}

static const struct file_operations late_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = late_ioctl,
};

static struct miscdevice late_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bufpool_late",
	.fops = &late_fops,
	.mode = 0600,
};

static int __init late_init(void)
{
	int err;

	wq = alloc_workqueue("bufpool_late", WQ_UNBOUND, 0);
	if (!wq)
		return -ENOMEM;
	err = misc_register(&late_device);
	if (err) {
		destroy_workqueue(wq);
		return err;
	}
	return dma_coerce_mask_and_coherent(late_device.this_device, DMA_BIT_MASK(64));
}

static void __exit late_exit(void)
{
	/* nobody has it open */
	wait_var_event(&pending, !atomic_read(&pending));
	misc_deregister(&late_device);
	destroy_workqueue(wq);
}

module_init(late_init);
module_exit(late_exit);

MODULE_DESCRIPTION("A device that writes late, for the tests of bufpool");
MODULE_LICENSE("GPL");
