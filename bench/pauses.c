/* pauses.c: how much of its processors a program gets when it wants all of them: what others take stands in every latency.
 *
 * One thread a core looks at the clock without end; where two looks lie more than 100 us apart, somebody else ran.
 *
 * Use      pauses [--seconds S]; prints one JSON line: the share of the time in such pauses, and the longest.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util.h"

enum { PAUSE_NS = 100 * 1000, THREADS_MAX = 256 };

struct watch {
    pthread_t thread;
    uint64_t end, lost, longest;
};

static void *watch(void *argument)
{
    struct watch *w = argument;
    for (uint64_t before = now_ns(), now; before < w->end; before = now) {
        now = now_ns();
        if (now - before < PAUSE_NS)
            continue;
        w->lost += now - before;
        if (now - before > w->longest)
            w->longest = now - before;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct watch watches[THREADS_MAX];
    static const struct option options[] = { { "seconds", required_argument, NULL, 's' }, { 0 } };
    double seconds = 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option != 's')
            return 2;
        seconds = atof(optarg);
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (size_t)cores;
    uint64_t start = now_ns(), lost = 0, longest = 0;
    for (size_t i = 0; i < count; i++) {
        watches[i].end = start + (uint64_t)(seconds * NS_PER_S);
        if (pthread_create(&watches[i].thread, NULL, watch, &watches[i]) != 0)
            die("a thread cannot be made");
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(watches[i].thread, NULL);
        lost += watches[i].lost;
        longest = watches[i].longest > longest ? watches[i].longest : longest;
    }
    printf("{\"threads\":%zu,\"lost_percent\":%.3f,\"longest_us\":%.1f}\n", count,
        100.0 * (double)lost / (double)count / (seconds * NS_PER_S), (double)longest / 1000);
    return 0;
}
