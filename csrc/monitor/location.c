/* See location.h. */

#include "location.h"

/* The kinds of entries. Kinds 0 to 9 are on the line of the entry before, and
   are a part of the column: PY_CODE_LOCATION_INFO_SHORT0 and so on. */
enum {
    ONE_LINE = 10,   /* 10 to 12: this many lines after the entry before */
    NO_COLUMNS = 13, /* only lines */
    LONG = 14,       /* with all four numbers */
    NONE = 15,       /* no location */
};

typedef struct {
    const uint8_t *next;
    const uint8_t *end;
} Reader;

/* A table that was cut short continues with zeros. */
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

/* Reads the rest of an entry. `line` is the line of the entry before, and
   becomes the line of this one. */
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
