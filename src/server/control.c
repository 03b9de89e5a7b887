#include "server/control.h"
#include "base/log.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASK_SECONDS = 5 };

struct address {
    struct sockaddr_un name;
    int directory; /* -1: not needed */
};

struct control {
    int fd;
    struct address address;
    struct store *store;
    pthread_t thread;
};

/* A socket's path has room for 107 bytes: a directory whose own is longer is named by a descriptor. */
static bool address_open(const char *data_dir, struct address *ret)
{
    *ret = (struct address){ .name = { .sun_family = AF_UNIX }, .directory = -1 };
    const size_t room = sizeof(ret->name.sun_path);
    int size = snprintf(ret->name.sun_path, room, "%s/control", data_dir);
    if (size > 0 && (size_t)size < room)
        return true;
    ret->directory = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(ret->name.sun_path, room, "/proc/self/fd/%d/control", ret->directory);
    return ret->directory >= 0;
}

static void address_close(struct address *a)
{
    if (a->directory >= 0)
        close(a->directory);
}

static void set_timeout(int fd, int option, int seconds)
{
    const struct timeval wait = { .tv_sec = seconds };
    setsockopt(fd, SOL_SOCKET, option, &wait, sizeof(wait));
}

/* A line without its end, as it is there; false if none came whole. */
static bool read_line(int fd, char out[CONTROL_LINE_BYTES_MAX])
{
    size_t size = 0;
    while (size < CONTROL_LINE_BYTES_MAX - 1) {
        ssize_t got = recv(fd, out + size, CONTROL_LINE_BYTES_MAX - 1 - size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        size += (size_t)got;
        out[size] = 0;
        char *end = strchr(out, '\n');
        if (end) {
            *end = 0;
            return true;
        }
    }
    return false;
}

static void send_line(int fd, const char *text)
{
    char line[CONTROL_LINE_BYTES_MAX + 1];
    int size = snprintf(line, sizeof(line), "%s\n", text);
    (void)!send(fd, line, (size_t)size, MSG_NOSIGNAL);
}

/* ---- the server's side ----------------------------------------------------------------------------------------------- */

static void serve(struct control *c, int fd)
{
    static const char backup[] = "backup ";
    char line[CONTROL_LINE_BYTES_MAX];
    set_timeout(fd, SO_RCVTIMEO, ASK_SECONDS);
    set_timeout(fd, SO_SNDTIMEO, ASK_SECONDS);
    if (!read_line(fd, line))
        return;
    const char *to = line + sizeof(backup) - 1;
    if (strncmp(line, backup, sizeof(backup) - 1) != 0 || *to != '/') {
        send_line(fd, "expected \"backup /absolute/path\"");
        return;
    }
    struct error e = store_backup(c->store, to);
    log_event(failed(e) ? LOG_ERROR : LOG_INFO, failed(e) ? "backup_failed" : "backup_made", "to=%s reason=%s",
        LOG_QUOTED(slice_str(to)), failed(e) ? LOG_QUOTED(slice_str(error_text(e))) : "-");
    send_line(fd, failed(e) ? error_text(e) : "ok");
}

static void *serve_all(void *argument)
{
    struct control *c = argument;
    for (;;) {
        int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(c, fd);
            close(fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return NULL; /* control_close shut it down, or nothing can be accepted any more */
        }
    }
}

static bool start(struct control *c)
{
    unlink(c->address.name.sun_path); /* of a process that was killed: the directory is ours */
    return fchmod(c->fd, 0600) == 0 && bind(c->fd, (struct sockaddr *)&c->address.name, sizeof(c->address.name)) == 0 &&
           listen(c->fd, 4) == 0 && pthread_create(&c->thread, NULL, serve_all, c) == 0;
}

struct control *control_open(const char *data_dir, struct store *store)
{
    struct control *c = calloc(1, sizeof(*c));
    ASSERT(c);
    c->store = store;
    c->fd = -1;
    if (address_open(data_dir, &c->address))
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd >= 0 && start(c))
        return c;
    log_event(LOG_WARN, "no_control_socket", "directory=%s errno=%d", LOG_QUOTED(slice_str(data_dir)), errno);
    if (c->fd >= 0)
        close(c->fd);
    address_close(&c->address);
    free(c);
    return NULL;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    store_stop_backups(c->store);
    shutdown(c->fd, SHUT_RDWR);
    pthread_join(c->thread, NULL);
    unlink(c->address.name.sun_path);
    close(c->fd);
    address_close(&c->address);
    free(c);
}

/* ---- the command line's side ------------------------------------------------------------------------------------------ */

bool control_ask(const char *data_dir, const char *line, struct arena *arena, struct slice *ret_answer)
{
    struct address address;
    char answer[CONTROL_LINE_BYTES_MAX];
    bool is_there = false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (address_open(data_dir, &address) && connect(fd, (struct sockaddr *)&address.name, sizeof(address.name)) == 0) {
        is_there = true;
        send_line(fd, line);
        if (read_line(fd, answer))
            *ret_answer = arena_copy(arena, slice_str(answer));
        else
            *ret_answer = SLICE("it ended before it answered");
    }
    address_close(&address);
    close(fd);
    return is_there;
}
