/* SPDX-License-Identifier: MIT */
/*
 * munmap() against faults, bufpool_map_ahead() and revocation: module/map.c, step 4 at its top,
 * and map_find_area().
 *
 * One block, one area of its client's that maps it, and a TLB that may hold the entry. All go on
 * for ever. What is done under client->lock is one step. munmap() is mm's: the area leaves the
 * process under mmap_lock held for writing, its entries go under that lock held for reading,
 * the TLB is flushed, and then the area leaves the tree of the file's areas. Whoever clears
 * entries while another does flushes, too.
 *
 * Promise 2: neither an entry nor a TLB reaches the block while it is another's. Nobody waits
 * for ever: this never ends with all of them blocked.
 *
 * MUTANT takes out:
 *   1 that nothing is mapped ahead into an area that the process has no more
 *   2 that mm flushes before the area leaves the tree
 *   3 that one flushes what another has cleared
 *   4 the pin: that a thief passes over a block with a fault in it
 *   5 that areas stay in the tree while one walks it
 */
#ifndef MUTANT
#define MUTANT		0
#endif

mtype = { CLIENT, OTHER, TRANSIT };

mtype owner = CLIENT;		/* blk->owner */
byte pins;
bool entry;
bool tlb;			/* has the entry */
bool flushes;			/* somebody clears entries, and has yet to flush */

bool in_mm = true;		/* the area, in the process */
bool in_tree = true;		/* and in mapping->i_mmap */
byte mmap_readers, vma_readers, tree_readers;
bool mmap_writer;

/* vma_fault() */
inline fault()
{
	if
	:: atomic { owner == CLIENT -> pins++ };
		entry = true;
		pins--
	:: owner != CLIENT
	fi
}

/* a touch, under the lock of the area */
active proctype toucher()
{
	do
	:: atomic { in_mm && !mmap_writer -> vma_readers++ };
		fault();
		vma_readers--
	:: atomic { entry -> tlb = true }
	od
}

/* bufpool_map_ahead() */
active proctype ahead()
{
	bool found;

	do
	:: atomic { !mmap_writer -> mmap_readers++ };
		atomic {
			found = in_tree && (MUTANT == 1 || in_mm)
		}
		if
		:: found -> fault()
		:: !found
		fi;
		found = false;
		mmap_readers--
	od
}

active proctype munmap()
{
	do
	:: atomic { mmap_readers == 0 -> mmap_writer = true };
		if
		:: in_mm ->
			atomic { vma_readers == 0 -> in_mm = false };
			atomic { mmap_writer = false; mmap_readers++ };
			flushes = true;
			entry = false;
#if MUTANT != 2
			tlb = false;
#endif
			/* i_mmap_rwsem held for writing */
			atomic { (MUTANT == 5 || tree_readers == 0) -> in_tree = false };
#if MUTANT == 2
			tlb = false;
#endif
			flushes = false;
			mmap_readers--
		:: !in_mm ->	/* mmap() */
			atomic { tree_readers == 0 -> in_tree = true };
			atomic { in_mm = true; mmap_writer = false }
		fi
	od
}

/* take the block away as the client does, or as a thief, and give it to another and back */
active proctype revoke()
{
	bool cleared, found;

	do
	:: true ->
		if
		:: atomic { owner == CLIENT -> owner = TRANSIT };
			pins == 0;
			tree_readers++
		:: tree_readers++;
			if
			:: atomic { owner == CLIENT && (MUTANT == 4 || pins == 0) ->
				owner = TRANSIT }
			:: atomic { owner != CLIENT || pins > 0 -> tree_readers-- };
				goto next
			fi
		fi;
		/* bufpool_map_unmap() */
		found = in_tree;
		if
		:: found ->
			d_step { cleared = entry; entry = false }
			/* it is not freed meanwhile */
			assert(in_tree);
			if
			:: cleared || (MUTANT != 3 && flushes) -> tlb = false
			:: !cleared && (MUTANT == 3 || !flushes)
			fi
		:: !found
		fi;
		d_step { cleared = false; found = false };
		tree_readers--;
		owner = OTHER;
		owner = CLIENT;
next:		skip
	od
}

active proctype monitor()
{
	do
	:: atomic { owner == OTHER && (entry || tlb) -> assert(false) }
	od
}
