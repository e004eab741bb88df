/* The clock of time.monotonic(). */

#ifndef GILDEMO_CLOCK_H
#define GILDEMO_CLOCK_H

#include <Python.h>

#include <stdint.h>
#include <time.h>

/* Returns nanoseconds. The calling thread need not have a thread state. */
static inline int64_t
monotonic_ns(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyTime_t now;
    (void)PyTime_MonotonicRaw(&now);
    return now;
#elif defined(__APPLE__)
    return (int64_t)clock_gettime_nsec_np(CLOCK_UPTIME_RAW);
#else
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#endif
}

#endif /* GILDEMO_CLOCK_H */
