// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/bufpool: what each client, account and channel holds, and in which memory
 * cgroup, for administrators.
 *
 * An open file holds a reference to the module, and a read holds off the removal
 * of the file. So no reader looks at a pool that is being destroyed. Clients and accounts
 * are read under RCU: opening the device waits for no reader.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>
#include "bufpool.h"

/* What seq_list_next_rcu() does, which reads the next plainly while another may add it. */
static void *list_next(void *v, struct list_head *head, loff_t *pos)
{
	struct list_head *next = rcu_dereference(list_next_rcu((struct list_head *)v));

	++*pos;
	return next == head ? NULL : next;
}

static void *clients_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct bufpool_pool *pool = m->private;

	rcu_read_lock();
	/* the head itself stands for the header */
	return seq_list_start_head_rcu(&pool->clients, *pos);
}

static void *clients_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct bufpool_pool *pool = m->private;

	return list_next(v, &pool->clients, pos);
}

static void clients_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static void show_header(struct seq_file *m)
{
	seq_printf(m, "%8s %-16s %10s %8s %12s %11s %12s %20s %12s %12s %12s\n",
		   "pid", "comm", "uid", "blocks", "bytes", "warm_blocks",
		   "warm_bytes", "ceiling", "rents", "returns", "kept_bytes");
}

/* A name is whatever its owner wants, and still one word of the table. */
static void show_comm(struct seq_file *m, const char *comm)
{
	char escaped[TASK_COMM_LEN * 4];
	int length;

	length = string_escape_str(comm, escaped, sizeof(escaped) - 1,
				   ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND,
				   " \\");
	escaped[length] = '\0';
	seq_printf(m, " %-16s", length ? escaped : "\\000");
}

static void show_client(struct seq_file *m, struct bufpool_client *client)
{
	struct bufpool_stats stats;

	bufpool_client_stats(client, &stats);
	seq_printf(m, "%8d", client->pid);
	show_comm(m, client->comm);
	seq_printf(m, " %10u %8llu %12llu %11llu %12llu %20llu %12llu %12llu %12ld\n",
		   from_kuid_munged(seq_user_ns(m), client->account->uid),
		   stats.client_blocks, stats.client_bytes,
		   stats.client_warm_blocks, stats.client_warm_bytes,
		   stats.client_ceiling, stats.client_rents,
		   stats.client_returns, atomic_long_read(&client->kept_seen));
}

static int clients_show(struct seq_file *m, void *v)
{
	struct bufpool_pool *pool = m->private;

	if (v == &pool->clients)
		show_header(m);
	else
		show_client(m, list_entry(v, struct bufpool_client, node));
	return 0;
}

static const struct seq_operations clients_sops = {
	.start = clients_start,
	.next = clients_next,
	.stop = clients_stop,
	.show = clients_show,
};

DEFINE_SEQ_ATTRIBUTE(clients);

static void *channels_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct bufpool_pool *pool = m->private;

	rcu_read_lock();
	return seq_list_start_head_rcu(&pool->channels, *pos);
}

static void *channels_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct bufpool_pool *pool = m->private;

	return list_next(v, &pool->channels, pos);
}

static void channels_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static void show_channel(struct seq_file *m, struct bufpool_chan *channel)
{
	u64 messages, bytes, sent, dropped;
	unsigned int open;

	spin_lock(&channel->lock);
	open = channel->open;
	messages = channel->queued;
	bytes = bufpool_channel_bytes(channel);
	sent = channel->sent;
	dropped = channel->dropped;
	spin_unlock(&channel->lock);
	seq_printf(m, "%8llu %8d", channel->nr, channel->pid);
	show_comm(m, channel->comm);
	seq_printf(m, " %10u %3c%c %8u %8llu %12llu %12llu %12llu %12llu\n",
		   from_kuid_munged(seq_user_ns(m), channel->account->uid),
		   open & BIT(BUFPOOL_END_RECEIVE) ? 'r' : '-',
		   open & BIT(BUFPOOL_END_SEND) ? 's' : '-', channel->capacity,
		   messages, bytes, sent, sent - messages - dropped, dropped);
}

static int channels_show(struct seq_file *m, void *v)
{
	struct bufpool_pool *pool = m->private;

	if (v == &pool->channels)
		seq_printf(m, "%8s %8s %-16s %10s %4s %8s %8s %12s %12s %12s %12s\n",
			   "channel", "pid", "comm", "uid", "ends", "capacity", "messages",
			   "bytes", "sent", "received", "dropped");
	else
		show_channel(m, list_entry(v, struct bufpool_chan, node));
	return 0;
}

static const struct seq_operations channels_sops = {
	.start = channels_start,
	.next = channels_next,
	.stop = channels_stop,
	.show = channels_show,
};

DEFINE_SEQ_ATTRIBUTE(channels);

/* Position 0 is the header, and N the first account from user id N - 1 on. */
static void *accounts_find(struct bufpool_pool *pool, loff_t *pos)
{
	unsigned long uid = *pos - 1;
	struct bufpool_account *account;

	if (!*pos)
		return SEQ_START_TOKEN;
	account = bufpool_account_next(pool, &uid);
	if (account)
		*pos = uid + 1;
	return account;
}

static void *accounts_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	return accounts_find(m->private, pos);
}

static void *accounts_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return accounts_find(m->private, pos);
}

static void accounts_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static void show_account(struct seq_file *m, struct bufpool_account *account)
{
	u64 pinned = bufpool_budget_used(&account->pinned);
	u64 out = min(bufpool_branches_out(account), pinned);
	u64 warm = min(bufpool_account_warm(account), out);
	u64 quarantined = min(bufpool_account_quarantined(account), out - warm);
	u64 rented = out - warm - quarantined;
	unsigned long quota = bufpool_quota_of_account(account);

	seq_printf(m, "%10u %8lu %8lu %12llu %12llu %12llu %12llu %20llu %12llu\n",
		   from_kuid_munged(seq_user_ns(m), account->uid),
		   bufpool_budget_used(&account->clients),
		   bufpool_budget_used(&account->waiters), rented, warm,
		   min(bufpool_branches_kept(account), rented), pinned,
		   quota == LONG_MAX ? U64_MAX : quota, quarantined);
}

static int accounts_show(struct seq_file *m, void *v)
{
	if (v == SEQ_START_TOKEN)
		seq_printf(m, "%10s %8s %8s %12s %12s %12s %12s %20s %12s\n", "uid",
			   "clients", "waiters", "bytes", "warm_bytes",
			   "kept_bytes", "pinned", "quota", "quarantined");
	else
		show_account(m, v);
	return 0;
}

static const struct seq_operations accounts_sops = {
	.start = accounts_start,
	.next = accounts_next,
	.stop = accounts_stop,
	.show = accounts_show,
};

DEFINE_SEQ_ATTRIBUTE(accounts);

static void show_branch(struct seq_file *m, struct bufpool_branch *branch)
{
	seq_printf(m, "%20llu %10u %12llu %12llu\n", bufpool_memcg_id(branch->memcg),
		   from_kuid_munged(seq_user_ns(m), branch->account->uid),
		   bufpool_branch_out(branch), bufpool_branch_charged(branch));
}

static int cgroups_show(struct seq_file *m, void *v)
{
	struct bufpool_pool *pool = m->private;
	struct bufpool_branch *branch;
	int i;

	seq_printf(m, "%20s %10s %12s %12s\n", "cgroup", "uid", "bytes", "charged");
	rcu_read_lock();
	hash_for_each_rcu(pool->branches, i, branch, hash)
		show_branch(m, branch);
	rcu_read_unlock();
	return 0;
}

DEFINE_SHOW_ATTRIBUTE(cgroups);

/**
 * bufpool_debugfs_create - show a pool in debugfs
 * @pool: the pool; the caller owns it, and keeps it longer than this
 *
 * Return: what bufpool_debugfs_destroy() takes. That nothing could be made is no
 * error, as it is everywhere with debugfs.
 */
struct dentry *bufpool_debugfs_create(struct bufpool_pool *pool)
{
	struct dentry *dir = debugfs_create_dir(pool->name, NULL);

	debugfs_create_file("clients", 0400, dir, pool, &clients_fops);
	debugfs_create_file("accounts", 0400, dir, pool, &accounts_fops);
	debugfs_create_file("cgroups", 0400, dir, pool, &cgroups_fops);
	debugfs_create_file("channels", 0400, dir, pool, &channels_fops);
	return dir;
}

/**
 * bufpool_debugfs_destroy - undo bufpool_debugfs_create()
 * @dir: what that returned
 */
void bufpool_debugfs_destroy(struct dentry *dir)
{
	debugfs_remove(dir);
}
