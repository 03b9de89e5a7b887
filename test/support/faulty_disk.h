/* faulty_disk.h: a `struct sys` wholly in memory that behaves like the worst disk a file system is allowed to be.
 *
 *   write ──> page cache ("now") ──sync──> disk
 *                 │ power loss: each 512-byte sector written since the last sync is kept, dropped or torn, on its own
 *                 │ failed sync: the same, but the cache keeps showing the new bytes and later syncs do not repair them
 *   create, rename, remove ──> names ("now") ──sync_dir──> disk
 *                 │ power loss: a random prefix, or a random selection, of the changes since the last sync_dir is kept
 *
 * One disk a process (the table has no context). Everything random comes from one seed: the same calls give the same
 * bytes. Handles  after a crash every open handle is dead: it can be closed, anything else fails with ERR_IO. Reading
 * SYS_OPEN_DIRECT sees the disk where a failed sync lost a sector; other reads see the cache. Clocks   stand still
 * until faulty_clock_advance; the wall clock may be moved on its own. Thread   one lock over everything; faults are set
 * up by the thread that runs the test. Memory   malloc: pages of 4 KiB that ever held something else than zeros.
 * faulty_disk_reset frees all of it. Use      faulty_disk_reset(seed); sys = &sys_faulty; ...
 * faulty_disk_crash(CRASH_POWER); open again ...
 */
#ifndef MILLRACE_TEST_FAULTY_DISK_H
#define MILLRACE_TEST_FAULTY_DISK_H

#include "sys/sys.h"

enum { FAULTY_SECTOR_BYTES = 512 };

extern const struct sys sys_faulty;

/* An empty disk without faults or limits, both clocks at their start, entropy and accidents seeded. */
void faulty_disk_reset(uint64_t seed);

/* ---- crashes
 * ------------------------------------------------------------------------------------------------------------ */

enum faulty_crash {
    CRASH_PROCESS, /* kill -9: the page cache and all names stay; handles and locks are gone */
    CRASH_POWER,   /* only what was synced is sure to stay */
};
void faulty_disk_crash(enum faulty_crash kind);

/* ---- faults: one at a time of each kind; the counts make "the next" reachable at any depth
 * -------------------------------- */

/* The sync (of a file) after `skip` others fails once with EIO; what it should have made durable is then in doubt.
 * UINT32_MAX takes the fault back. */
void faulty_disk_fail_sync(uint32_t skip);
/* The write after `skip` others fails once with EIO; a prefix of it may be in the cache. */
void faulty_disk_fail_write(uint32_t skip);
/* Every read of the file `path` from byte `offset` on fails with EIO, until called with NULL. */
void faulty_disk_fail_read(const char *path, uint64_t offset);
/* Bytes all files may take together; UINT64_MAX: no bound. Writes that would grow files past it fail with ENOSPC. */
void faulty_disk_set_capacity(uint64_t bytes);
uint64_t faulty_disk_used_bytes(void);
/* Inverts one bit on the disk and in the cache. False: no such file or byte. */
bool faulty_disk_flip_bit(const char *path, uint64_t offset, unsigned bit);
/* The whole disk is kept aside, and put back: for experiments that must leave no trace. One at a time; no file may be open.
 * Names and cache are as they were; what was not synced counts as synced afterwards. */
void faulty_disk_save(void);
void faulty_disk_restore(void);
/* sync_dir does nothing and says OK (a mutant's disk). */
void faulty_disk_ignore_sync_dir(bool on);

/* read_nowait says ERR_COLD once in so many calls; 0: never. */
void faulty_disk_set_cold(uint32_t one_in);
void faulty_disk_set_sync_us(uint64_t us); /* both clocks go on so much in every sync of a file; 0: none */
size_t faulty_disk_open_handles(void);     /* since the last crash */
const char *faulty_disk_open_name(void);   /* the file of one of them; NULL: none is open */

struct faulty_counts {
    uint64_t writes, syncs, dir_syncs, written_bytes, crashes;
    uint64_t torn, dropped, kept; /* sectors, by power losses and failed syncs */
};
const struct faulty_counts *faulty_disk_counts(void);
/* A number that depends on every byte, size and name of cache and disk: two equal histories end with equal digests. */
uint64_t faulty_disk_digest(void);

/* ---- clocks
 * --------------------------------------------------------------------------------------------------------------- */

enum { FAULTY_WALL_START_S = 1700000000 };
void faulty_clock_advance(uint64_t us);  /* both clocks */
void faulty_clock_jump_wall(int64_t ms); /* the wall clock alone, either way */
uint64_t faulty_clock_us(void);          /* monotonic */

#endif
