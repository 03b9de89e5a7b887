/* replay.c: the main of a fuzz target where there is no libFuzzer: runs it over every file of the folders given, prints
 * how many there were, and fails if there was none (a wrong path must not look like success).
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SEED_BYTES_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stop(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    exit(1);
}

/* The input is in memory of exactly its size, so that a sanitizer sees a read past its end. */
static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    if (!file || !data || fread(data, 1, size, file) != size)
        stop(path);
    fclose(file);
    if (LLVMFuzzerTestOneInput(data, size) != 0) {
        fprintf(stderr, "replay: %s: the target refused its input\n", path);
        exit(1);
    }
    free(data);
}

static size_t run_folder(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        stop(folder);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        struct stat st;
        int length = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(path) || stat(path, &st) < 0)
            stop(entry->d_name);
        if (!S_ISREG(st.st_mode))
            continue;
        if (st.st_size > SEED_BYTES_MAX) {
            errno = EFBIG;
            stop(path);
        }
        run_file(path, (size_t)st.st_size);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++)
        count += run_folder(argv[i]);
    printf("%zu inputs\n", count);
    return count == 0;
}
