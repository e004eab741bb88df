/* See location.h. */

#include "location.h"

/* The kinds of entries; those below are short forms, too, and their number is
   a part of the column. */
enum {
    ONE_LINE = 10, /* and 11, 12: so many lines further down */
    NO_COLUMNS = 13,
    LONG = 14,
    NONE = 15,
};

typedef struct {
    const uint8_t *next;
    const uint8_t *end;
} Reader;

/* Beyond the end of a table that was cut short there are zeros. */
static unsigned
read_byte(Reader *reader)
{
    return reader->next < reader->end ? *reader->next++ : 0;
}

static unsigned
read_varint(Reader *reader)
{
    unsigned byte = read_byte(reader);
    unsigned value = byte & 63;
    for (unsigned shift = 6; (byte & 64) && shift < 30; shift += 6) {
        byte = read_byte(reader);
        value |= (byte & 63) << shift;
    }
    return value;
}

static int
read_signed_varint(Reader *reader)
{
    const unsigned value = read_varint(reader);
    const int magnitude = (int)(value >> 1);
    return value & 1 ? -magnitude : magnitude;
}

/* Reads the rest of an entry. `line` is that of the entry before, and becomes
   that of this one. */
static Location
read_entry(Reader *reader, int kind, int *line)
{
    Location location = {-1, -1, -1, -1};
    if (kind == NONE) {
        return location;
    }
    if (kind == LONG || kind == NO_COLUMNS) {
        *line += read_signed_varint(reader);
    }
    else if (kind >= ONE_LINE) {
        *line += kind - ONE_LINE;
    }
    location.line = *line;
    location.end_line = *line;
    if (kind == LONG) {
        location.end_line += (int)read_varint(reader);
        location.column = (int)read_varint(reader) - 1;
        location.end_column = (int)read_varint(reader) - 1;
    }
    else if (kind >= ONE_LINE && kind < NO_COLUMNS) {
        location.column = (int)read_byte(reader);
        location.end_column = (int)read_byte(reader);
    }
    else if (kind < ONE_LINE) {
        const unsigned columns = read_byte(reader);
        location.column = kind * 8 + (int)(columns >> 4 & 7);
        location.end_column = location.column + (int)(columns & 15);
    }
    return location;
}

Location
location_of(const uint8_t *table, size_t size, int first_line, int instruction)
{
    Reader reader = {table, table + size};
    int line = first_line;
    int begin = 0;
    while (instruction >= 0 && reader.next < reader.end) {
        const unsigned head = read_byte(&reader);
        const Location location =
            read_entry(&reader, (int)(head >> 3 & 15), &line);
        begin += (int)(head & 7) + 1;
        if (instruction < begin) {
            return location;
        }
    }
    const int known = instruction < 0 ? first_line : -1;
    return (Location){known, known, -1, -1};
}
