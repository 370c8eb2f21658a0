// SPDX-License-Identifier: MIT
/*
 * Channels between users: who is charged for a block that is sent, and how much of the
 * system one user's channels may take.
 */
#include "channel_fixture.h"
#include "outside.h"
#include "tenant.h"

#define USER_A	7001
#define USER_B	7002

/* Whoever has a block is charged for it, and the slab's first user for the rest. */
TEST_F(channel, charges_move)
{
	int a = open_for(USER_A), b = open_for(USER_B);
	struct bufpool_rent rented[2];
	struct bufpool_message message;
	__u64 slab;

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, rent(a, PAGE, &rented[0]));
	ASSERT_EQ(0, rent(a, PAGE, &rented[1]));
	slab = stats_of(a).user_held;
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented[0], 0));
	EXPECT_EQ(slab, stats_of(a).user_held);
	EXPECT_EQ(0, stats_of(b).user_held);
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	EXPECT_EQ(slab - PAGE, stats_of(a).user_held);
	EXPECT_EQ(PAGE, stats_of(b).user_held);
	/* on its way to a third, it is still the second's */
	EXPECT_EQ(0, send_with(b, self->channel.sends, message.handle, 0, 0, 0));
	EXPECT_EQ(PAGE, stats_of(b).user_held);
	EXPECT_EQ(0, receive_one(self->other, self->channel.receives, &message));
	EXPECT_EQ(0, stats_of(b).user_held);
	EXPECT_EQ(slab - PAGE, stats_of(a).user_held);
	/* and back to where it came from */
	EXPECT_EQ(0, send_with(self->other, self->channel.sends, message.handle, 0, 0, 0));
	EXPECT_EQ(0, receive_one(a, self->channel.receives, &message));
	EXPECT_EQ(slab, stats_of(a).user_held);
	EXPECT_EQ(0, send_with(a, self->channel.sends, message.handle, 0, 0, 0));
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	close(b);
	EXPECT_EQ(slab, stats_of(a).user_held);
	EXPECT_EQ(0, give_up(a, rented[1].handle));
	EXPECT_EQ(0, stats_of(a).user_held);
	close(a);
}

/* A user that is gone but for what others have of it, and one that was only ever sent to */
TEST_F(channel, accounts_that_are_gone)
{
	int a = open_for(USER_A), b = open_for(USER_B);
	struct bufpool_message message, again;
	struct bufpool_rent rented;

	ASSERT_EQ(0, rent(a, PAGE, &rented));
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented, 0));
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	close(a);
	EXPECT_EQ(PAGE, stats_of(b).user_held);
	EXPECT_EQ(0, send_with(b, self->channel.sends, message.handle, 0, 0, 0));
	close(b);
	a = open_for(USER_A);
	b = open_for(USER_B);
	EXPECT_EQ(PAGE, stats_of(b).user_held);
	EXPECT_EQ(0, receive_one(a, self->channel.receives, &again));
	EXPECT_EQ(0, stats_of(b).user_held);
	EXPECT_LE(PAGE, stats_of(a).user_held);
	EXPECT_EQ(0, give_up(a, again.handle));
	EXPECT_EQ(0, stats_of(a).user_held);
	close(a);
	close(b);
}

/* A block of another's slab does not stay: who needs that slab would not find it. */
TEST_F(channel, does_not_stay_with_another_user)
{
	int a = open_for(USER_A), b = open_for(USER_B);
	struct bufpool_message message;
	struct bufpool_rent rented;

	ASSERT_EQ(0, rent(a, PAGE, &rented));
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented, 0));
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	EXPECT_EQ(0, give(b, message.handle));
	EXPECT_EQ(0, stats_of(b).client_warm_bytes);
	EXPECT_EQ(0, stats_of(b).user_held);
	EXPECT_EQ(0, stats_of(a).user_held);
	close(a);
	close(b);
}

TEST_F(channel, over_the_quota)
{
	int a = open_for(USER_A), b;
	struct bufpool_message message;
	struct bufpool_rent rented;

	ASSERT_EQ(0, rent(a, MIB, &rented));
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented, 0));
	ASSERT_EQ(0, parameter_write("quota", MIB - 1));
	b = open_for(USER_B);
	EXPECT_EQ(-EDQUOT, receive_one(b, self->channel.receives, &message));
	EXPECT_EQ(0, stats_of(b).user_held);
	EXPECT_EQ(0, stats_of(b).client_bytes);
	EXPECT_EQ(MIB, stats_of(b).in_channels);
	ASSERT_EQ(0, parameter_write("quota", 2 * MIB));
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	EXPECT_EQ(MIB, stats_of(b).user_held);
	close(a);
	close(b);
}

/* What the quota refuses counts for no ceiling, however often. */
TEST_F(channel, over_the_quota_below_the_ceiling)
{
	int a = open_for(USER_A), b, i;
	struct bufpool_message message;
	struct bufpool_rent rented;

	ASSERT_EQ(0, rent(a, MIB, &rented));
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented, 0));
	ASSERT_EQ(0, parameter_write("quota", MIB - 1));
	b = open_for(USER_B);
	ASSERT_EQ(0, set_ceiling(b, MIB));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EDQUOT, receive_one(b, self->channel.receives, &message));
	ASSERT_EQ(0, parameter_write("quota", MIB));
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	EXPECT_EQ(MIB, stats_of(b).client_bytes);
	close(a);
	close(b);
}

/* What the account does not use makes room: of its other clients, too. */
TEST_F(channel, unused_blocks_give_way_to_the_quota)
{
	int a = open_for(USER_A), b = open_for(USER_B), c = open_for(USER_B);
	struct bufpool_message message;
	struct bufpool_rent rented;

	ASSERT_EQ(0, rent(a, MIB, &rented));
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented, 0));
	ASSERT_EQ(0, rent(c, MIB, &rented));
	ASSERT_EQ(0, parameter_write("quota", MIB));
	EXPECT_EQ(-EDQUOT, receive_one(b, self->channel.receives, &message));
	ASSERT_EQ(0, give(c, rented.handle));
	ASSERT_EQ(MIB, stats_of(c).client_warm_bytes);
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	EXPECT_EQ(0, stats_of(c).client_warm_bytes);
	EXPECT_EQ(MIB, stats_of(b).user_held);
	close(a);
	close(b);
	close(c);
}

/* A block of pages that is quarantined is at the expense of who had it, not of who made it. */
TEST_F(channel, quarantined_at_another_user)
{
	int a = open_for(USER_A), b = open_for(USER_B);
	struct bufpool_message message;
	struct bufpool_rent rented;
	struct outsider outsider;
	char *at;

	ASSERT_EQ(0, rent_io(a, BLOCK, &rented));
	EXPECT_EQ(0, send_one(a, self->channel.sends, &rented, 0));
	EXPECT_EQ(0, receive_one(b, self->channel.receives, &message));
	rented = rented_by(&message);
	at = map_block(b, &rented);
	memset(at, 'q', BLOCK);
	ASSERT_EQ(0, outsider_take(&outsider, at, BLOCK));
	EXPECT_EQ(0, give_up(b, rented.handle));
	EXPECT_EQ(BLOCK, stats_of(b).user_quarantined);
	EXPECT_EQ(BLOCK, stats_of(b).user_held);
	EXPECT_EQ(0, stats_of(a).user_quarantined);
	EXPECT_EQ(0, stats_of(a).user_held);
	munmap(at, BLOCK);
	close(b);
	outsider_end(&outsider);
	while (stats_of(a).quarantined)
		sleep_ms(10);
	EXPECT_EQ(0, stats_of(a).user_held);
	close(a);
}

/* Channels count as clients. */
TEST_F(channel, as_many_as_may_be)
{
	struct channel channels[4];
	int a, i;

	ASSERT_EQ(0, parameter_write("max_clients", 4));
	a = open_for(USER_A);
	ASSERT_LE(0, a);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, channel_make(a, 1, &channels[i]));
	EXPECT_EQ(-EDQUOT, channel_make(a, 1, &channels[3]));
	EXPECT_EQ(0, close_end(&channels[0].sends));
	EXPECT_EQ(-EDQUOT, channel_make(a, 1, &channels[3]));
	EXPECT_EQ(0, close_end(&channels[0].receives));
	EXPECT_EQ(0, channel_make(a, 1, &channels[3]));
	for (i = 0; i < 4; i++)
		channel_end(&channels[i]);
	close(a);
}

/* But one that is large counts as much as it takes. */
TEST_F(channel, large_ones_count_as_more)
{
	struct channel channel;
	int a;

	ASSERT_EQ(0, parameter_write("max_clients", 2));
	a = open_for(USER_A);
	ASSERT_LE(0, a);
	EXPECT_EQ(-EDQUOT, channel_make(a, BUFPOOL_CHANNEL_MAX, &channel));
	ASSERT_EQ(0, channel_make(a, 1, &channel));
	channel_end(&channel);
	ASSERT_EQ(0, parameter_write("max_clients", 2 + BUFPOOL_CHANNEL_MAX * 64 / PAGE));
	ASSERT_EQ(0, channel_make(a, BUFPOOL_CHANNEL_MAX, &channel));
	channel_end(&channel);
	ASSERT_EQ(0, parameter_write("max_clients", 2));
	EXPECT_EQ(0, channel_make(a, 1, &channel));
	channel_end(&channel);
	close(a);
}

TEST_HARNESS_MAIN
