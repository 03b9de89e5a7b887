/* aborts.h: runs a function that must abort in a child, and checks the sentence it leaves on stderr. */
#ifndef MILLRACE_TEST_ABORTS_H
#define MILLRACE_TEST_ABORTS_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_aborts(void (*run)(void), const char *sentence)
{
    int ends[2];
    char said[2048];
    size_t size = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        run();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; size < sizeof(said) - 1 && (got = read(ends[0], said + size, sizeof(said) - 1 - size)) > 0;)
        size += (size_t)got;
    said[size] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (!strstr(said, sentence))
        fail_msg("stderr was: %s", said);
}

#endif
