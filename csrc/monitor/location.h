/* Where in its source file an instruction comes from: the location table of a
 * code object, co_linetable (Objects/locations.md in CPython 3.11 and 3.12,
 * InternalDocs/code_objects.md since; PEP 657).
 */

#ifndef GILDEMO_LOCATION_H
#define GILDEMO_LOCATION_H

#include <stddef.h>
#include <stdint.h>

/* What one of co_positions() says: lines count from 1, columns are bytes from
   0, and -1 stands for None. */
typedef struct {
    int line;
    int end_line;
    int column;
    int end_column;
} Location;

/* The location of an instruction, given as its index in code units; of -1, for
   code that has not begun, the first line. */
Location location_of(const uint8_t *table, size_t size, int first_line,
                     int instruction);

#endif /* GILDEMO_LOCATION_H */
