// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: a block's memory as a dma-buf, for drivers and other programs.
 *
 * A dma-buf holds its block, not the client: while there is one, the block is its client's
 * or quarantined, and so its memory is nobody else's. All that is made of it, mappings of
 * devices, of the kernel and of programs, holds the dma-buf. The last of them ends it, and
 * the quarantine is told. Its owner is the module, which stays as long as any.
 *
 * Programs map it by page frame number, whatever the backing, so get_user_pages() does not
 * find it there, and its end is the end of all.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/fcntl.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "bufpool.h"

BUFPOOL_IMPORT_NS_DMA_BUF;

/**
 * struct export - what a dma-buf is made of
 * @blk: the block; constant
 * @lock: guards what follows
 * @mappings: struct export_mapping, of devices
 * @address: where the kernel has it mapped, if anybody wants that; or NULL
 */
struct export {
	struct bufpool_blk *blk;
	struct mutex lock;	/* who has it mapped */
	struct list_head mappings;
	void *address;
};

/**
 * struct export_mapping - the block as a device sees it
 * @node: in export->mappings
 * @dev: the device
 * @table: where its pages are
 */
struct export_mapping {
	struct list_head node;
	struct device *dev;
	struct sg_table table;
};

static unsigned long nr_pages(const struct export *export)
{
	return bufpool_blk_size(export->blk) >> PAGE_SHIFT;
}

/* All pages of the block; for the caller to kvfree(). Or NULL. */
static struct page **list_pages(const struct export *export)
{
	unsigned long nr = nr_pages(export), i;
	struct page **pages = kvmalloc_array(nr, sizeof(*pages), GFP_KERNEL);

	for (i = 0; pages && i < nr; i++)
		pages[i] = virt_to_page(bufpool_blk_page(export->blk, i));
	return pages;
}

/* In segments that the device can take. */
static int fill_table(const struct export *export, struct export_mapping *mapping)
{
	unsigned int most = clamp_t(unsigned int, dma_get_max_seg_size(mapping->dev), PAGE_SIZE,
				    UINT_MAX & PAGE_MASK);
	struct page **pages = list_pages(export);
	int err;

	if (!pages)
		return -ENOMEM;
	err = sg_alloc_table_from_pages_segment(&mapping->table, pages, nr_pages(export), 0,
						bufpool_blk_size(export->blk), most, GFP_KERNEL);
	kvfree(pages);
	return err;
}

static struct sg_table *export_map(struct dma_buf_attachment *attachment,
				   enum dma_data_direction direction)
{
	struct export *export = attachment->dmabuf->priv;
	struct export_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	int err;

	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->dev = attachment->dev;
	err = fill_table(export, mapping);
	if (err)
		goto free;
	err = dma_map_sgtable(mapping->dev, &mapping->table, direction, 0);
	if (err)
		goto free_table;
	mutex_lock(&export->lock);
	list_add(&mapping->node, &export->mappings);
	mutex_unlock(&export->lock);
	return &mapping->table;

free_table:
	sg_free_table(&mapping->table);
free:
	kfree(mapping);
	return ERR_PTR(err);
}

static void export_unmap(struct dma_buf_attachment *attachment, struct sg_table *table,
			 enum dma_data_direction direction)
{
	struct export_mapping *mapping = container_of(table, struct export_mapping, table);
	struct export *export = attachment->dmabuf->priv;

	mutex_lock(&export->lock);
	list_del(&mapping->node);
	mutex_unlock(&export->lock);
	dma_unmap_sgtable(mapping->dev, table, direction, 0);
	sg_free_table(table);
	kfree(mapping);
}

/* What devices have written is to be seen by the processor. */
static int export_begin_access(struct dma_buf *buf, enum dma_data_direction direction)
{
	struct export *export = buf->priv;
	struct export_mapping *mapping;

	mutex_lock(&export->lock);
	if (export->address)
		invalidate_kernel_vmap_range(export->address, buf->size);
	list_for_each_entry(mapping, &export->mappings, node)
		dma_sync_sgtable_for_cpu(mapping->dev, &mapping->table, direction);
	mutex_unlock(&export->lock);
	return 0;
}

/* And the other way round. */
static int export_end_access(struct dma_buf *buf, enum dma_data_direction direction)
{
	struct export *export = buf->priv;
	struct export_mapping *mapping;

	mutex_lock(&export->lock);
	if (export->address)
		flush_kernel_vmap_range(export->address, buf->size);
	list_for_each_entry(mapping, &export->mappings, node)
		dma_sync_sgtable_for_device(mapping->dev, &mapping->table, direction);
	mutex_unlock(&export->lock);
	return 0;
}

/* By whatever driver it is mapped, the area has the dma-buf's file, and so holds the block. */
static vm_fault_t export_fault(struct vm_fault *vmf)
{
	struct dma_buf *buf = vmf->vma->vm_file->private_data;
	struct export *export = buf->priv;

	return bufpool_map_pages(vmf, export->blk, 0);
}

static const struct vm_operations_struct export_vm_ops = {
	.fault = export_fault,
};

/* Shared, and not to be executed, as mappings of the device are. */
static int export_mmap(struct dma_buf *buf, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_MAYSHARE) || !bufpool_map_forbid_exec(vma))
		return -EINVAL;
	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP, 0);
	vma->vm_ops = &export_vm_ops;
	return 0;
}

/* The block in one piece; or NULL where there is no memory for that. */
static void *map_in_kernel(const struct export *export)
{
	struct page **pages;
	void *address;

	if (bufpool_blk_run(export->blk, 0) == nr_pages(export))
		return bufpool_blk_page(export->blk, 0);
	pages = list_pages(export);
	address = pages ? vmap(pages, nr_pages(export), VM_MAP, PAGE_KERNEL) : NULL;
	kvfree(pages);
	return address;
}

/* For the first that wants it; what dma-bufs have in common counts them. */
static int export_vmap(struct dma_buf *buf, struct iosys_map *map)
{
	struct export *export = buf->priv;

	mutex_lock(&export->lock);
	export->address = map_in_kernel(export);
	mutex_unlock(&export->lock);
	if (!export->address)
		return -ENOMEM;
	iosys_map_set_vaddr(map, export->address);
	return 0;
}

static void export_vunmap(struct dma_buf *buf, struct iosys_map *map)
{
	struct export *export = buf->priv;

	mutex_lock(&export->lock);
	if (is_vmalloc_addr(export->address))
		vunmap(export->address);
	export->address = NULL;
	mutex_unlock(&export->lock);
	iosys_map_clear(map);
}

static void export_release(struct dma_buf *buf)
{
	struct export *export = buf->priv;

	bufpool_quarantine_end_export(export->blk);
	kfree(export);
}

static const struct dma_buf_ops export_ops = {
	.map_dma_buf = export_map,
	.unmap_dma_buf = export_unmap,
	.begin_cpu_access = export_begin_access,
	.end_cpu_access = export_end_access,
	.mmap = export_mmap,
	.vmap = export_vmap,
	.vunmap = export_vunmap,
	.release = export_release,
};

/* The block of a handle, which is exported from here on; or ERR_PTR(). */
static struct bufpool_blk *export_begin(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk;
	int err;

	spin_lock(&client->lock);
	blk = bufpool_handle_lookup(client, handle);
	if (!IS_ERR(blk)) {
		err = bufpool_quarantine_add_export(blk);
		if (err)
			blk = ERR_PTR(err);
		else
			/* by whoever has the dma-buf */
			WRITE_ONCE(blk->touched, true);
	}
	spin_unlock(&client->lock);
	return blk;
}

static struct dma_buf *export_create(struct bufpool_blk *blk)
{
	struct export *export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *buf;

	if (!export)
		return ERR_PTR(-ENOMEM);
	export->blk = blk;
	mutex_init(&export->lock);
	INIT_LIST_HEAD(&export->mappings);
	info.ops = &export_ops;
	info.size = bufpool_blk_size(blk);
	info.flags = O_RDWR;
	info.priv = export;
	buf = dma_buf_export(&info);
	if (IS_ERR(buf))
		kfree(export);
	return buf;
}

/**
 * bufpool_export - make a dma-buf of a block
 * @client: rents it
 * @handle: its handle
 *
 * May sleep.
 *
 * Return: the dma-buf's descriptor; or -ENOENT, -ESTALE, -EBUSY, -EMFILE, -ENFILE, -ENOMEM.
 */
int bufpool_export(struct bufpool_client *client, u64 handle)
{
	struct bufpool_blk *blk = export_begin(client, handle);
	struct dma_buf *buf;
	int fd;

	if (IS_ERR(blk))
		return PTR_ERR(blk);
	buf = export_create(blk);
	if (IS_ERR(buf)) {
		bufpool_quarantine_end_export(blk);
		return PTR_ERR(buf);
	}
	fd = dma_buf_fd(buf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(buf);
	return fd;
}
