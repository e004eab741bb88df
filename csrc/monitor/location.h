/* Where in its source file an instruction comes from: decodes the location
 * table of a code object, co_linetable. PEP 657 introduced it; its format is
 * in CPython's Objects/locations.md (3.11 and 3.12) and in
 * InternalDocs/code_objects.md since.
 *
 * Pure arithmetic: no Python object.
 */

#ifndef GILDEMO_LOCATION_H
#define GILDEMO_LOCATION_H

#include <stddef.h>
#include <stdint.h>

/* As in co_positions(), with -1 instead of None. */
typedef struct {
    int line;     /* from 1 */
    int end_line; /* from 1 */
    int column;   /* in bytes, from 0 */
    int end_column;
} Location;

/* Returns the location of an instruction, given by its index in code units. If
   that is -1, the code has not begun, and the line is `first_line`. */
Location location_of(const uint8_t *table, size_t size, int first_line,
                     int instruction);

#endif /* GILDEMO_LOCATION_H */
