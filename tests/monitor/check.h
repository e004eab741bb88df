/* For the programs that check a part of csrc/ without Python. */

#ifndef GILDEMO_CHECK_H
#define GILDEMO_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            (void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition);     \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

#endif /* GILDEMO_CHECK_H */
