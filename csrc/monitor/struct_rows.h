/* C structs as Python objects: struct sequences, made by tables of fields. */

#ifndef GILDEMO_STRUCT_ROWS_H
#define GILDEMO_STRUCT_ROWS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>

/* The C type of a member, and what becomes of it. */
typedef enum {
    INT32,
    INT64,
    KNOWN_INT32, /* an int32_t; None if it is negative */
    KNOWN_INT64, /* an int64_t; None if it is negative */
    NATIVE_ID,   /* an unsigned long */
    DOUBLE,
    BOOL,   /* an int */
    STRING, /* a const char *; None if it is NULL */
    OBJECT, /* a PyObject * */
} Kind;

typedef struct {
    const char *name;
    const char *doc;
    Kind kind;
    size_t offset;
} Field;

/* One C struct. A field without a name ends the table. */
typedef struct {
    const char *name;
    const char *doc;
    const Field *fields;
} RowSpec;

/* All of these return a new reference, or NULL with an exception set. */

PyTypeObject *row_type_new(const RowSpec *spec);
/* The type must be of the same spec, and `item` such a C struct. */
PyObject *row_new(PyTypeObject *type, const RowSpec *spec, const void *item);
/* A list of rows, made of an array of n items of this size. */
PyObject *row_list_new(PyTypeObject *type, const RowSpec *spec,
                       const void *items, int32_t n, size_t size);

#endif /* GILDEMO_STRUCT_ROWS_H */
