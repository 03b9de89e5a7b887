/* util.c: see util.h. */
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

void *must_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        die("out of memory: %zu bytes", size);
    return memory;
}

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void buf_reserve(struct buf *b, size_t extra)
{
    if (b->room - b->size >= extra)
        return;
    size_t room = b->room ? b->room : 512;
    while (room - b->size < extra)
        room *= 2;
    char *data = realloc(b->data, room);
    if (!data)
        die("out of memory: %zu bytes", room);
    b->data = data;
    b->room = room;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
    buf_reserve(b, size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_number(struct buf *b, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    buf_add(b, digits + at, sizeof digits - at);
}

void buf_format(struct buf *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0)
        die("cannot format text");
    buf_reserve(b, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(b->data + b->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    b->size += (size_t)size;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}

void hex_encode(const unsigned char *bytes, size_t size, char *ret_digits)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t index = 0; index < size; index++) {
        ret_digits[2 * index] = digits[bytes[index] >> 4];
        ret_digits[2 * index + 1] = digits[bytes[index] & 15];
    }
}

uint64_t parse_number(const char *option, const char *text, uint64_t low, uint64_t high)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-')
        die("--%s: '%s' is not a whole number", option, text);
    if (number < low || number > high)
        die("--%s: %llu is not between %llu and %llu", option, number, (unsigned long long)low,
            (unsigned long long)high);
    return number;
}

void parse_address(const char *text, char ret_host[64], uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || (size_t)(colon - text) >= 64)
        die("'%s' is not ADDRESS:PORT", text);
    memcpy(ret_host, text, (size_t)(colon - text));
    ret_host[colon - text] = 0;
    struct in_addr address;
    if (inet_pton(AF_INET, ret_host, &address) != 1)
        die("'%s' is not a numeric IPv4 address", ret_host);
    *ret_port = (uint16_t)parse_number("port", colon + 1, 1, 65535);
}
