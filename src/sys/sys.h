/* sys.h: the only door to the kernel. Files, clocks, entropy and sockets go through a table that the simulator replaces.
 *
 * Thread   any, unless a file's user says otherwise. `sys` is set once before threads start.
 * Fails    ERR_IO (or ERR_FULL for ENOSPC/EDQUOT, ERR_NOT_FOUND for ENOENT, ERR_EXISTS, ERR_NO_MEMORY, ERR_LOCKED,
 *          ERR_COLD) with errno. Short reads and writes and EINTR are handled here: callers see all or an error.
 */
#ifndef MILLRACE_SYS_SYS_H
#define MILLRACE_SYS_SYS_H

#include "base/error.h"
#include "base/slice.h"
#include <sys/types.h>
#include <sys/uio.h>

struct sys_file; /* opaque; one implementation's own */
struct sys_net;  /* net.h */

enum sys_open_flags {
    SYS_OPEN_READ = 1,
    SYS_OPEN_WRITE = 2,  /* implies read */
    SYS_OPEN_CREATE = 4, /* mode 0600; fails with ERR_EXISTS when also EXCLUSIVE */
    SYS_OPEN_EXCLUSIVE = 8,
    SYS_OPEN_DIRECT = 16, /* read past the page cache where the file system can; advice; never with WRITE */
};

typedef void sys_list_fn(void *context, const char *name);

struct sys_files {
    struct error (*open)(const char *path, int flags, struct sys_file **ret_file);
    void (*close)(struct sys_file *f);
    struct error (*size)(struct sys_file *f, uint64_t *ret_bytes);
    /* *ret_size < size only at the end of the file */
    struct error (*read)(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size);
    /* like read, but ERR_COLD instead of waiting for the disk (preadv2 RWF_NOWAIT; may be partial => ERR_COLD) */
    struct error (*read_nowait)(struct sys_file *f, uint64_t offset, void *out, size_t size, size_t *ret_size);
    /* The bytes themselves, read-only until unmap, for large ones that are read once: no copy, no memory of one's own. They lie
     * in the page cache by then; when it fails, or is NULL, `read` will do or say why not. Past the end of the file: ERR_IO. */
    struct error (*map)(struct sys_file *f, uint64_t offset, size_t size, const char **ret_bytes);
    void (*unmap)(const char *bytes, size_t size);
    struct error (*write)(struct sys_file *f, uint64_t offset, const struct iovec *parts, int count);
    struct error (*sync)(struct sys_file *f); /* fdatasync; after an error the file's unsynced bytes are unknown */
    struct error (*truncate)(struct sys_file *f, uint64_t size);
    struct error (*lock)(struct sys_file *f); /* exclusive, whole file, until close: ERR_LOCKED */
    struct error (*rename)(const char *from, const char *to);
    struct error (*remove)(const char *path);
    struct error (*make_dir)(const char *path); /* 0700; ERR_EXISTS if there */
    struct error (*sync_dir)(const char *path);
    struct error (*list_dir)(const char *path, sys_list_fn *each, void *context); /* without . and .. */
    struct error (*free_bytes)(const char *path, uint64_t *ret_free, uint64_t *ret_total);
    void (*advise_done)(struct sys_file *f, uint64_t offset, uint64_t size); /* drop from the page cache; advice */
    struct error (*mode)(struct sys_file *f, uint32_t *ret_mode); /* permission bits, e.g. 0600: files of secrets */
};

struct sys_clocks {
    int64_t (*wall_ms)(void);       /* since 1970, may jump */
    uint64_t (*monotonic_us)(void); /* never back */
};

struct sys {
    struct sys_files file;
    struct sys_clocks clock;
    void (*entropy)(void *out, size_t size); /* cryptographic; aborts if the kernel has none */
    const struct sys_net *net;
};

extern const struct sys *sys; /* the real one unless a test set another */
extern const struct sys sys_real;
/* sys_real with every file in memory, gone at exit: --durability memory, and the base of the simulator's disk */
extern const struct sys sys_memory;

#endif
